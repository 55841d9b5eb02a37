//! What calendars to subscribe to are made of: read from the log, so that they are never behind it.

use std::collections::BTreeMap;

use axum::{
    http::{HeaderValue, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use domain::{
    GroupId, OrgId, Schedule,
    group::{self, Details, Series},
    meeting::{self, Status},
};
use eventlog::TransactError;
use futures::{StreamExt, TryStreamExt, stream};
use jiff::{Timestamp, ToSpan, civil::Date};
use web::Problem;

use crate::{
    Directory,
    calendar::{Days, Occurrence, occurrences},
    icalendar::{GroupCalendar, Other},
};

/// Streams that are looked at at the same time for one calendar, a count.
const LOOKS_AT_ONCE: usize = 16;
/// For how long a meeting that was cancelled is shown so, in days.
const SHOWN_AFTER_DAYS: i32 = 60;
/// How far ahead meetings are looked at whether they were cancelled, in days.
const SHOWN_BEFORE_DAYS: i32 = 300;

/// A calendar as it is sent.
pub(crate) fn sent(text: String) -> Response {
    let mut response = text.into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/calendar; charset=utf-8"));
    response
}

/// What is known of a group that has a calendar.
struct Known {
    details: Details,
    schedule: Schedule,
    series: Series,
    revision: u64,
}

impl Directory {
    /// A group as calendars show it; nothing if it is not there, or has no calendar. `listed`: only if it may be shown in
    /// public.
    pub(crate) async fn group_calendar(
        &self,
        org: &OrgId,
        group: GroupId,
        listed: bool,
        now: Timestamp,
    ) -> Result<Option<GroupCalendar>, Problem> {
        let found = self.groups.look(org, group, |loaded| {
            let group::State { details, series, .. } = &loaded.state;
            let details = details.as_ref().filter(|details| details.listed || !listed)?;
            let (details, schedule) = (details.clone(), series.schedule.clone()?);
            Some(Known { details, schedule, series: series.clone(), revision: loaded.revision.unwrap_or(0) })
        });
        let Some(Known { details, schedule, series, revision }) = found.await? else { return Ok(None) };
        let mut others: BTreeMap<_, Other> = series.overrides.iter().map(|(on, change)| (*on, change.into())).collect();
        let events = self.groups.events(org, group).await?;
        let changed_at = events.last().map_or(now, |last| last.recorded_at);
        for (place, cancelled) in self.cancelled(org, group, &series, now).await? {
            others.entry(place).or_default().cancelled = Some(cancelled);
        }
        Ok(Some(GroupCalendar { group, details, schedule, others, sequence: revision, changed_at }))
    }

    /// The places in the series around now whose meetings are cancelled: by how many changes, and when by the last. Of
    /// others nothing is looked at: how often they were changed says how many came.
    async fn cancelled(
        &self,
        org: &OrgId,
        group: GroupId,
        series: &Series,
        now: Timestamp,
    ) -> Result<Vec<(Date, (u64, Timestamp))>, Problem> {
        let today = self.authenticator.clock.local(now).date();
        let from = today.saturating_sub(SHOWN_AFTER_DAYS.days());
        let through = today.saturating_add(SHOWN_BEFORE_DAYS.days());
        let days = Days::new(from, through).map_err(|error| Problem::internal(&error))?;
        // A calendar that cannot be used any more shows no meeting.
        let meetings =
            series.schedule.as_ref().and_then(|schedule| occurrences(schedule, days).ok()).unwrap_or_default();
        let looks = meetings.into_iter().map(|Occurrence { local, .. }| async move {
            let place = local.date();
            for id in series.meetings(group, place) {
                let look = self.meetings.look(org, id, |loaded| {
                    let is_cancelled = match &loaded.state {
                        meeting::State::Known(register) => register.status == Status::Cancelled,
                        meeting::State::Unknown => false,
                    };
                    loaded.revision.filter(|_| is_cancelled)
                });
                if let Some(revision) = look.await? {
                    let events = self.meetings.events(org, id).await?;
                    let at = events.last().map_or(now, |last| last.recorded_at);
                    return Ok(Some((place, (revision, at))));
                }
            }
            Ok::<_, TransactError<meeting::Refusal>>(None)
        });
        let found = stream::iter(looks).buffered(LOOKS_AT_ONCE).try_filter_map(|found| async move { Ok(found) });
        Ok(found.try_collect().await?)
    }
}
