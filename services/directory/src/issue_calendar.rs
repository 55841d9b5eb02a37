//! Issue a calendar to subscribe to.

use axum::extract::State;
use domain::{
    CalendarId,
    access::{self, CalendarIssued},
};
use eventlog::Reply;
use serde::Serialize;
use utoipa::ToSchema;
use web::{Answer, Command, Nothing, Problem, Problems, new_calendar_key};

use crate::{Directory, op};

/// The new calendar.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CalendarAdded {
    calendar: CalendarId,
    /// Where a calendar program finds it, behind this server's address. Whoever knows it reads it, so it is said once: a
    /// hash is all that is kept, and sending the command again answers without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "/v1/calendars/kithcal_….ics")]
    path: Option<String>,
}

/// Issue a calendar
///
/// A private address to which the caller's calendar programs subscribe: when and where the groups meet to which the
/// caller is assigned at the time, and nothing of members. It ends when it is revoked, when all tokens of its subject
/// are, and shows no group to which the assignment ended. Groups that only a token names are not in it.
#[utoipa::path(post, path = "/v1/calendars", tag = "directory", request_body = Nothing,
    responses((status = 201, description = "The address, shown only here", body = CalendarAdded), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn issue_calendar(
    State(directory): State<Directory>,
    command: Command<op::IssueCalendar>,
) -> Result<Answer, Problem> {
    let calendar = CalendarId(command.new_id("calendar"));
    let Command { caller, cause, .. } = command;
    let (key, key_hash) = new_calendar_key(&caller.org, calendar, &(directory.new_secret)());
    let issued = CalendarIssued { calendar, subject: caller.subject.clone(), key_hash, at: cause.at };
    // The answer that is stored, for when the command is sent again, is without the address.
    let reply = Reply::json(201, &CalendarAdded { calendar, path: None });
    let issue = access::Command::IssueCalendar(issued);
    let mut done = directory.access.transact(&caller.org, access::id(&caller.org), cause, issue, reply).await?;
    if !done.replayed {
        done.reply = Reply::json(201, &CalendarAdded { calendar, path: Some(format!("/v1/calendars/{key}.ics")) });
    }
    Ok(Answer(done))
}
