//! Show a member.

use axum::extract::State;
use domain::MemberId;
use web::{After, CallerMay, Path, Problem, Problems, Read, op};

use crate::{
    Projections,
    member_view::{self, MemberView},
    opening::Sight,
};

/// Show a member
///
/// What the caller may see of what is known, their groups and how far each enrolment has come, when they were last seen, and how many
/// held meetings in a row they attended or missed. Facilitators see members of their groups, and only what those groups know; with broken
/// glass, all of it.
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
    caller.may_member(member)?;
    let org = caller.org.clone();
    let today = projections.today();
    let read = move |connection: &_| member_view::find(connection, org.as_str(), member, today);
    let Read(position, (mut view, record)) = projections.find(after, "member", read).await?;
    let Sight { fields, glass } = projections.sight(&caller, &record);
    if let (Some(own), false) = (caller.own_groups(), glass) {
        view.groups.retain(|group| own.contains(&group.group));
        view.last_seen = view.groups.iter().filter_map(|group| group.last_seen).max();
        if view.groups.is_empty() {
            return Err(Problem::not_found("there is no such member"));
        }
    }
    view.profile = projections.open(&caller, "show_member", member, &record, Sight { fields, glass }).await?;
    Ok(Read(position, view))
}
