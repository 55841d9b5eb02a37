//! Show a meeting's register.

use axum::{extract::State, response::Response};
use domain::MeetingId;
use web::{After, CallerMay, Path, Problem, Problems, Read, op};

use crate::{
    Projections, record_view,
    register_view::{self, RegisterView},
};

/// Show a meeting's register
///
/// Everyone on the roster of the meeting's date and everyone who was marked. Without a mark means not recorded.
#[utoipa::path(get, path = "/v1/meetings/{meeting}/register", tag = "views",
    params(("meeting" = MeetingId, Path, description = "The meeting")),
    responses((status = 200, description = "The register", body = RegisterView), Problems))]
#[tracing::instrument(skip_all, fields(meeting = %meeting))]
pub(crate) async fn show_register(
    State(projections): State<Projections>,
    CallerMay { caller, .. }: CallerMay<op::ShowRegister>,
    after: After,
    Path(meeting): Path<MeetingId>,
) -> Result<Response, Problem> {
    let org = caller.org.clone();
    let read = move |connection: &_| register_view::group_of(connection, org.as_str(), meeting);
    let Read(_, group) = projections.find(after, "meeting", read).await?;
    caller.may_group(group)?;
    let org = caller.org.clone();
    let read = move |connection: &_| {
        let Some(register) = register_view::find(connection, org.as_str(), meeting)? else { return Ok(None) };
        let members = register.members.iter().map(|line| line.member);
        record_view::fields(connection, org.as_str(), members).map(|fields| Some((register, fields)))
    };
    let Read(position, (mut register, fields)) = projections.find(after, "meeting", read).await?;
    let mut called = projections.called(&caller, "show_register", fields).await?;
    for line in &mut register.members {
        line.called = called.remove(&line.member);
    }
    projections.answer(&caller.org, Read(position, register)).await
}
