//! Which meeting of a group a day of the past is about: one that the log knows, or one that its calendar has, or an extra
//! one.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use domain::{
    GroupId, MeetingId, OrgId, Schedule,
    group::{self, MOVED_DAYS_MAX, MeetingMode, Series},
    meeting::{self, Plan, Status},
    time_zone,
};
use jiff::{SignedDuration, Span, Timestamp, civil::Date};
use web::{Problem, Run};

use super::{AttendanceLine, EARLIEST};
use crate::Attendance;

/// A meeting of the past.
#[derive(Debug, Clone)]
pub(super) struct Met {
    pub meeting: MeetingId,
    /// As it is known, or would be planned.
    pub plan: Plan,
    /// What is known of it.
    pub state: meeting::State,
}

/// Why there is none: the field, and what is wrong with it.
pub(super) type NotMet = (&'static str, String);

/// Groups of a file, and when they met.
pub(super) struct Days {
    groups: HashMap<GroupId, Option<Group>>,
    found: HashMap<(GroupId, Date, bool), Result<Met, NotMet>>,
}

struct Group {
    series: Series,
    mode: MeetingMode,
    today: Date,
    /// What its calendar has, by local date: the place in the series, and the plan.
    calendar: BTreeMap<Date, Vec<(Date, Plan)>>,
}

impl Attendance {
    /// The groups that lines name, and what their calendars have on those days.
    pub(super) async fn days(&self, run: &Run, lines: &[AttendanceLine]) -> Result<Days, Problem> {
        let mut ranges: HashMap<GroupId, (Date, Date)> = HashMap::new();
        for line in lines {
            let (first, last) = ranges.entry(line.group).or_insert((line.on, line.on));
            (*first, *last) = ((*first).min(line.on), (*last).max(line.on));
        }
        let now = self.authenticator.clock.local(run.cause.at);
        let mut groups = HashMap::new();
        for (group, (first, last)) in ranges {
            let known = self.groups.look(run.org(), group, |group| {
                let mode = group.state.details.as_ref().map(|details| details.mode)?;
                Some((group.state.series.clone(), mode, group.state.today(&now).date()))
            });
            let Some((series, mode, today)) = known.await? else {
                groups.insert(group, None);
                continue;
            };
            let near = Span::new().days(MOVED_DAYS_MAX);
            let range = (first.max(EARLIEST).saturating_sub(near), last.min(today).saturating_add(near));
            let (planned, of) = (self.planned, series.clone());
            // A calendar that began long ago is gone through from there on.
            let found = move || planned(&of, (group, mode), range);
            let found = self.authenticator.compute.run(run.caller.asking(), found).await?;
            let mut calendar = BTreeMap::<Date, Vec<(Date, Plan)>>::new();
            // A calendar that cannot be used has no meetings.
            for (place, plan) in found.unwrap_or_default() {
                calendar.entry(plan.starts_at_local.date()).or_default().push((place, plan));
            }
            groups.insert(group, Some(Group { series, mode, today, calendar }));
        }
        Ok(Days { groups, found: HashMap::new() })
    }

    /// The meeting of a line.
    pub(super) async fn met(
        &self,
        (org, now): (&OrgId, Timestamp),
        days: &mut Days,
        line: &AttendanceLine,
    ) -> Result<Result<Met, NotMet>, Problem> {
        let key = (line.group, line.on, line.extra_meeting);
        if let Some(found) = days.found.get(&key) {
            return Ok(found.clone());
        }
        let found = match days.groups.get(&line.group) {
            Some(Some(group)) => self.met_on(org, group, line).await?,
            _ => Err(("group", group::Refusal::Unknown.to_string())),
        };
        let to_come = |met: &Met| met.plan.starts_at > now;
        let found = match found {
            Ok(met) if to_come(&met) => Err(("on", "has a meeting that is still to come".to_owned())),
            found => found,
        };
        days.found.insert(key, found.clone());
        Ok(found)
    }

    async fn met_on(&self, org: &OrgId, group: &Group, line: &AttendanceLine) -> Result<Result<Met, NotMet>, Problem> {
        let on = line.on;
        if on > group.today {
            return Ok(Err(("on", "is in the future".into())));
        }
        if on < EARLIEST {
            return Ok(Err(("on", format!("is before {EARLIEST}"))));
        }
        let has = group.calendar.get(&on).map(Vec::as_slice).unwrap_or_default();
        let moved_here = |change: &group::Override| change.starts_at_local.is_some_and(|start| start.date() == on);
        let moved = group.series.overrides.iter().filter(|(_, change)| moved_here(change)).map(|(place, _)| *place);
        let places: BTreeSet<_> = moved.chain(has.iter().map(|(place, _)| *place)).chain([on]).collect();
        let (mut known, mut elsewhere) = (None::<(u8, Met)>, false);
        for meeting in places.iter().flat_map(|place| group.series.meetings(line.group, *place)) {
            let state = self.meetings.look(org, meeting, |meeting| meeting.state.clone()).await?;
            let meeting::State::Known(register) = &state else { continue };
            let rank = match register.status {
                Status::Open | Status::Held => 0,
                Status::Planned => 1,
                Status::Cancelled | Status::DidNotOccur => 2,
                Status::Unplanned => continue,
            };
            if register.plan.starts_at_local.date() != on {
                elsewhere |= has.is_empty();
                continue;
            }
            if known.as_ref().is_none_or(|(best, _)| rank < *best) {
                known = Some((rank, Met { meeting, plan: register.plan, state }));
            }
        }
        match known {
            Some((2, _)) => return Ok(Err(("on", "has a meeting that was cancelled or did not occur".into()))),
            Some((_, met)) => return Ok(Ok(met)),
            None if elsewhere => return Ok(Err(("on", "has no meeting: it was moved to another day".into()))),
            None => {}
        }
        let planned = has.first().map(|(place, plan)| (*place, *plan));
        let extra = || Some((on, extra(&group.series, line.group, group.mode, on)?));
        let Some((place, plan)) = planned.or_else(|| line.extra_meeting.then(extra).flatten()) else {
            let what = "has no meeting in the group's calendar; it can be recorded as an extra one";
            return Ok(Err(("on", what.into())));
        };
        let Some(meeting) = group.series.meetings(line.group, place).next() else {
            return Ok(Err(("group", group::Refusal::NoSchedule.to_string())));
        };
        let state = self.meetings.look(org, meeting, |meeting| meeting.state.clone()).await?;
        Ok(Ok(Met { meeting, plan, state }))
    }
}

/// A meeting that the calendar does not have, at the time at which the group meets, or last met.
fn extra(series: &Series, group: GroupId, mode: MeetingMode, on: Date) -> Option<Plan> {
    let Schedule { starts_at, duration_minutes, time_zone: zone, .. } =
        series.schedule.as_ref().or(series.earlier.last())?;
    let local = on.to_datetime(*starts_at);
    let starts_at = time_zone(zone.as_str())?.to_ambiguous_zoned(local).compatible().ok()?.timestamp();
    let ends_at = starts_at.checked_add(SignedDuration::from_mins((*duration_minutes).into())).ok()?;
    Some(Plan { group, starts_at_local: local, starts_at, ends_at, mode, place: None })
}
