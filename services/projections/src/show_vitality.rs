//! Show a group's vitality.

use axum::extract::State;
use domain::GroupId;
use web::{After, CallerMay, Opening, Path, Problem, Problems, Read};

use crate::{
    OF_MEMBERS, Projections, op,
    vitality::{self, Vitality},
};

/// Show a group's vitality
///
/// Signs that a group may need somebody: that it shrinks, depends on one facilitator, has registers that are overdue, keeps
/// its structure seldom, that members have lapsed. Each says by which rule it shows, and the numbers that it comes from;
/// what cannot be told from what was recorded is unknown. Internal, for those who run the group: no figure to publish.
#[utoipa::path(get, path = "/v1/groups/{group}/vitality", tag = "views",
    params(("group" = GroupId, Path, description = "The group")),
    responses((status = 200, description = "The signs", body = Vitality), Problems))]
#[tracing::instrument(skip_all, fields(group = %group))]
pub(crate) async fn show_vitality(
    State(projections): State<Projections>,
    CallerMay { caller, .. }: CallerMay<op::ShowVitality>,
    after: After,
    Path(group): Path<GroupId>,
) -> Result<Read<Vitality>, Problem> {
    caller.require_group(group)?;
    let (org, now) = (caller.org.clone(), projections.now());
    let read = move |connection: &_| vitality::find(connection, org.as_str(), group, &now);
    let Read(position, vitality) = projections.find(OF_MEMBERS, after, "group", read).await?;
    let members = vitality.lapsed.numbers.members.iter().map(|line| line.member).collect();
    let opening = Opening { at: position, ..Opening::naming("show_vitality", members) };
    projections.personal.audit.opened(&caller, opening).await?;
    Ok(Read(position, vitality))
}
