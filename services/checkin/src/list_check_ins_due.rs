//! List check-ins that are due in a group.

use axum::extract::State;
use domain::{GroupId, group};
use web::{After, CallerMay, Opening, Path, Problem, Problems, Read};

use crate::{
    CheckIn,
    due::{self, AllAsked, CheckInsDue},
    op, refused,
};

/// List check-ins due
///
/// What the group's programme asks of those who are on its roster: of each instrument the latest check-in, if it is open,
/// due, or was missed within the last four weeks. What is asked of somebody who has left, facilitators are not shown: they
/// reach that member no more.
#[utoipa::path(get, path = "/v1/groups/{group}/check-ins-due", tag = "check-ins",
    params(("group" = GroupId, Path, description = "The group")),
    responses((status = 200, description = "What is due", body = CheckInsDue), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn list_check_ins_due(
    State(check_in): State<CheckIn>,
    CallerMay { caller, .. }: CallerMay<op::ListCheckInsDue>,
    after: After,
    Path(group): Path<GroupId>,
) -> Result<Read<CheckInsDue>, Problem> {
    if check_in.programme(&caller, Some(group)).await?.is_none() {
        return Err(refused(&group::Refusal::Unknown));
    }
    caller.require_group(group)?;
    let asked = check_in.look(&caller, AllAsked::of).await?;
    let clock = &check_in.authenticator.clock;
    let (org, now) = (caller.org.clone(), clock.local(clock.now()));
    let read = move |connection: &_| due::due(connection, org.as_str(), ((Some(group), None), &asked), &now);
    let Read(position, mut due) = check_in.views.read(due::READ, after, read).await?;
    due.items.retain(|line| !line.left || caller.own_groups().is_none());
    let members = due.items.iter().map(|line| line.member).collect();
    let opening = Opening { at: position, ..Opening::naming("list_check_ins_due", members) };
    check_in.audit.opened(&caller, opening).await?;
    Ok(Read(position, due))
}
