//! Show a group.

use axum::extract::State;
use domain::GroupId;
use web::{After, CallerMay, Path, Problem, Problems, Read, op};

use crate::{
    Projections,
    group_view::{self, GroupView},
};

/// Show a group
///
/// What it is, its next meetings, the size of its roster, attendance at its last meetings, and how many meetings were
/// held, cancelled, did not occur, or were never reported.
#[utoipa::path(get, path = "/v1/groups/{group}", tag = "views",
    params(("group" = GroupId, Path, description = "The group")),
    responses((status = 200, description = "The group", body = GroupView), Problems))]
#[tracing::instrument(skip_all, fields(group = %group))]
pub(crate) async fn show_group(
    State(projections): State<Projections>,
    CallerMay { caller, .. }: CallerMay<op::ShowGroup>,
    after: After,
    Path(group): Path<GroupId>,
) -> Result<Read<GroupView>, Problem> {
    caller.may_group(group)?;
    let now = projections.now();
    let read = move |connection: &_| group_view::find(connection, caller.org.as_str(), group, &now);
    projections.find(after, "group", read).await
}
