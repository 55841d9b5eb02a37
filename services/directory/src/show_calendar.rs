//! Show a calendar that somebody subscribed to.

use axum::{extract::State, response::Response};
use domain::access;
use web::{CalendarKey, Path, Problem, PublicProblems};

use crate::{Directory, feeds, icalendar::Feed, op};

/// What programs call it.
const NAME: &str = "My groups";

/// Show a calendar
///
/// What a calendar program reads at the private address of a facilitator: when and where their groups meet, as iCalendar
/// (RFC 5545), from one instant to the next. Nothing of members is in it, and no link by which somebody joins. An address
/// that is not good, that was revoked, or whose subject leads no group any more, is not there.
#[utoipa::path(get, path = "/v1/calendars/{address}", tag = "directory",
    params(("address" = String, Path, description = "What stands behind the last slash of the address")),
    responses((status = 200, description = "The calendar", content_type = "text/calendar", body = String), PublicProblems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn show_calendar(
    State(directory): State<Directory>,
    _: web::Anybody<op::ShowCalendar>,
    Path(address): Path<String>,
) -> Result<Response, Problem> {
    let unknown = || Problem::refused(&access::Refusal::UnknownCalendar);
    let key = CalendarKey::parse(address.strip_suffix(".ics").unwrap_or(&address)).ok_or_else(unknown)?;
    let now = directory.authenticator.clock.now();
    let look = directory.access.look(&key.org, access::id(&key.org), |loaded| {
        let issued = loaded.state.calendar(key.calendar).filter(|issued| key.is(&issued.key_hash))?;
        Some(loaded.state.groups_of(&issued.subject, now).collect::<Vec<_>>())
    });
    let own = look.await?.filter(|own| !own.is_empty()).ok_or_else(unknown)?;
    let mut groups = vec![];
    for group in own {
        groups.extend(directory.group_calendar(&key.org, group, false, now).await?);
    }
    let text = Feed { name: NAME.into(), groups }.written(directory.authenticator.clock.local(now).date());
    let mut answer = feeds::sent(text);
    answer.extensions_mut().insert(web::Unshared);
    Ok(answer)
}
