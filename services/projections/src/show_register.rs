//! Show a meeting's register.

use axum::{extract::State, response::Response};
use domain::{MeetingId, audit::List};
use web::{After, CallerMay, Path, Problem, Problems, Read, op};

use crate::{
    Projections,
    opening::Look,
    register_view::{self, RegisterView},
    sight,
};

/// Show a meeting's register
///
/// Everyone on the roster of the meeting's date and everyone who was marked. Without a mark means not recorded. Who was
/// registered twice and merged is one person, under the record under which they go on; of two marks the better attended
/// counts.
/// Facilitators read what those are called whose records are open to the group, and what was typed in by themselves or
/// at its meetings.
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
    let who = caller.clone();
    let read = move |connection: &_| {
        let Some(register) = register_view::find(connection, who.org.as_str(), meeting)? else { return Ok(None) };
        let members = register.members.iter().map(|line| line.member);
        sight::of_list(connection, &who, group, members).map(|fields| Some((register, fields)))
    };
    let Read(position, (mut register, fields)) = projections.find(after, "meeting", read).await?;
    let (list, members) = (List::Register(meeting), register.members.iter().map(|line| line.member));
    let look = Look::at_list(&caller, "show_register", (list, position), members);
    let mut called = projections.called(look, fields).await?;
    for line in &mut register.members {
        line.called = called.names.remove(&line.member);
        line.unreadable = called.unreadable.contains(&line.member);
    }
    projections.answer(&caller, Read(position, register)).await
}
