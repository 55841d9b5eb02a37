//! Show a group's calendar in public.

use axum::{extract::State, response::Response};
use domain::{GroupId, OrgId};
use web::{Anybody, Path, Problem, PublicProblems};

use crate::{Directory, feeds, icalendar::Feed, op};

/// Show a group's calendar
///
/// When and where a listed group meets, as iCalendar (RFC 5545), for calendar programs to subscribe to. A meeting that was
/// moved, changed or cancelled is told as such. No link by which somebody joins is in it.
#[utoipa::path(get, path = "/v1/public/{org}/groups/{group}/calendar.ics", tag = "public",
    params(("org" = String, Path, description = "The organisation"), ("group" = GroupId, Path, description = "The group")),
    responses((status = 200, description = "The calendar", content_type = "text/calendar", body = String), PublicProblems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn show_group_calendar(
    State(directory): State<Directory>,
    _: Anybody<op::ShowGroupCalendar>,
    Path((org, group)): Path<(String, GroupId)>,
) -> Result<Response, Problem> {
    let unknown = || {
        Problem::not_found(
            "no group with a calendar is listed under this address: `listed` in its details says whether it may be shown",
        )
    };
    let org: OrgId = org.parse().map_err(|_| unknown())?;
    let now = directory.authenticator.clock.now();
    let shown = directory.group_calendar(&org, group, true, now).await?.ok_or_else(unknown)?;
    let feed = Feed { name: shown.details.name.to_string(), groups: vec![shown] };
    Ok(feeds::sent(feed.written(directory.authenticator.clock.local(now).date())))
}
