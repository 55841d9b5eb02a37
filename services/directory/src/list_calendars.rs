//! List calendars to subscribe to.

use axum::extract::State;
use domain::{CalendarId, access};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use web::{After, CallerMay, Page, PageQuery, Problem, Problems, Query, Read};

use crate::{Directory, op};

/// A calendar that was issued, without its address.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CalendarRow {
    calendar: CalendarId,
    /// Whose, as their tokens say.
    subject: String,
    issued_at: Timestamp,
    /// Whether it was revoked.
    revoked: bool,
}

/// List calendars
///
/// All that were ever issued, by id: of facilitators their own, of admins and coordinators everybody's.
#[utoipa::path(get, path = "/v1/calendars", tag = "directory", params(PageQuery),
    responses((status = 200, description = "A page", body = Page<CalendarRow>), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn list_calendars(
    State(directory): State<Directory>,
    CallerMay { caller, .. }: CallerMay<op::ListCalendars>,
    after: After,
    Query(page): Query<PageQuery>,
) -> Result<Read<Page<CalendarRow>>, Problem> {
    let (limit, cursor) = (page.limit()?, page.after::<CalendarId>()?);
    let position = after.seen_by(&directory.log.head()).await?;
    let of = caller.own_groups().map(|_| caller.subject.clone());
    let rows = directory.access.look(&caller.org, access::id(&caller.org), |loaded| {
        let own = |known: &access::Calendar| of.as_ref().is_none_or(|of| known.issued.subject == *of);
        let calendars = loaded.state.calendars();
        let calendars = calendars.filter(|(id, known)| own(known) && cursor.is_none_or(|cursor| cursor < *id));
        let row = |(calendar, known): (CalendarId, &access::Calendar)| CalendarRow {
            calendar,
            subject: known.issued.subject.to_string(),
            issued_at: known.issued.at,
            revoked: known.revoked,
        };
        calendars.map(row).take(limit + 1).collect::<Vec<_>>()
    });
    Ok(Read(position, Page::new(rows.await?, limit, |row| row.calendar)))
}
