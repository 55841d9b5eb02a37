//! Revoke a calendar to subscribe to.

use axum::extract::State;
use domain::{CalendarId, access};
use eventlog::Reply;
use web::{Answer, Command, Nothing, Path, Problem, Problems, Role};

use crate::{Directory, op};

/// Revoke a calendar
///
/// From the answer on its address shows nothing. Facilitators revoke their own, admins and coordinators anybody's.
#[utoipa::path(post, path = "/v1/calendars/{calendar}/revocation", tag = "directory", request_body = Nothing,
    params(("calendar" = CalendarId, Path, description = "The calendar: its id, not its address")),
    responses((status = 204, description = "It is revoked"), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn revoke_calendar(
    State(directory): State<Directory>,
    Path(calendar): Path<CalendarId>,
    command: Command<op::RevokeCalendar>,
) -> Result<Answer, Problem> {
    let Command { caller, cause, .. } = command;
    let of = (caller.role == Role::Facilitator).then(|| caller.subject.clone());
    let revoke = access::Command::RevokeCalendar(calendar, of);
    Ok(Answer(directory.access.transact(&caller.org, access::id(&caller.org), cause, revoke, Reply::DONE).await?))
}
