//! Show a member.

use axum::extract::State;
use domain::MemberId;
use web::{After, CallerMay, Path, Problem, Problems, Read};

use crate::{
    OF_MEMBERS, Projections, op,
    opening::Look,
    person::{self, MemberView},
    sight::{self, Sight},
};

/// Show a member
///
/// What the caller may see of what is known, their groups and how far each enrolment has come, when they were last seen, and how many
/// held meetings in a row they attended or missed. Facilitators see members of their groups, and only what those groups know; of somebody whom
/// nobody else has confirmed, what they typed in themselves; with broken glass, all of it.
#[utoipa::path(get, path = "/v1/members/{member}", tag = "views",
    params(("member" = MemberId, Path, description = "Who")),
    responses((status = 200, description = "The member", body = MemberView), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn show_member(
    State(projections): State<Projections>,
    CallerMay { caller, .. }: CallerMay<op::ShowMember>,
    after: After,
    Path(member): Path<MemberId>,
) -> Result<Read<MemberView>, Problem> {
    caller.require_member(member, true)?;
    let (who, now) = (caller.clone(), projections.now());
    let read = move |connection: &_| {
        let Some(sight) = sight::of_member(connection, &who, member, &now)? else { return Ok(None) };
        Ok(person::find(connection, who.org.as_str(), member, &now)?.map(|found| (found, sight)))
    };
    let Read(position, ((mut view, record), sight)) = projections.find(OF_MEMBERS, after, "member", read).await?;
    let Sight { fields, glass, typed } = sight;
    if let (Some(own), false) = (caller.own_groups(), glass) {
        view.groups.retain(|group| own.contains(&group.group));
        view.last_seen = view.groups.iter().filter_map(|group| group.last_seen).max();
    }
    if typed {
        (view.merged_into, view.merged) = (None, vec![]);
    }
    let look = Look { glass, ..Look::at_members(&caller, "show_member", position, [member]) };
    let mut opened = projections.open_all(look, vec![(member, record.fields)], &fields).await?;
    view.profile = opened.profiles.remove(&member).unwrap_or_default();
    view.unreadable = opened.unreadable.contains(&member);
    Ok(Read(position, view))
}
