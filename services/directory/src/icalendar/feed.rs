//! A calendar to subscribe to: of each group one event that recurs, and one for each meeting that is another than the
//! rule says, by the same `UID` and its `RECURRENCE-ID`.
//!
//! **Invariant:** nothing here is of a member, and no link or telephone number by which somebody joins.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    GroupId, Schedule, ScheduleError,
    group::{Details, MeetingMode, Override, Venue},
};
use jiff::{
    SignedDuration, Timestamp, ToSpan,
    civil::{Date, DateTime},
    tz::TimeZone,
};

use super::{
    line::{Lines, escaped},
    read::CANCELLED,
    zone::{self, local, utc},
};
use crate::calendar::{self, Occurrence};

/// How far ahead changes of clocks are written down, in years: programs that know the zone look no further here.
const ZONE_YEARS: i16 = 10;
/// How long a program shall wait before it asks again.
const REFRESH: &str = "PT1H";
/// Who wrote it.
const PRODUCT: &str = "-//Kith//Calendar of groups//EN";
/// Where a group meets that meets nowhere in a room.
const ONLINE: &str = "Online";

/// A meeting that is another than the rule says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Other {
    /// When it starts instead.
    pub starts_at_local: Option<DateTime>,
    /// How long it lasts instead, in minutes.
    pub duration_minutes: Option<u16>,
    /// How it meets instead.
    pub mode: Option<MeetingMode>,
    /// What is said of it.
    pub note: Option<String>,
    /// Whether it is left out.
    pub called_off: bool,
    /// Whether it was cancelled: by how many changes of the meeting, and when by the last.
    pub cancelled: Option<(u64, Timestamp)>,
}

impl From<&Override> for Other {
    fn from(change: &Override) -> Self {
        let Override { starts_at_local, duration_minutes, mode, note, called_off } = change.clone();
        let note = note.map(|note| note.to_string());
        Self { starts_at_local, duration_minutes, mode, note, called_off, cancelled: None }
    }
}

/// A group as a calendar shows it.
#[derive(Debug, Clone)]
pub(crate) struct GroupCalendar {
    pub group: GroupId,
    pub details: Details,
    pub schedule: Schedule,
    /// Meetings that are others than the rule says, by their date in the series.
    pub others: BTreeMap<Date, Other>,
    /// Rises with every change.
    pub sequence: u64,
    /// When something last changed.
    pub changed_at: Timestamp,
}

/// What a program subscribes to.
#[derive(Debug, Clone)]
pub(crate) struct Feed {
    /// What programs call it.
    pub name: String,
    pub groups: Vec<GroupCalendar>,
}

impl Feed {
    /// The calendar as it is sent. A group whose rule cannot be used, or names no day, is left out.
    pub fn written(&self, today: Date) -> String {
        let mut lines = Lines::default();
        lines.line("BEGIN:VCALENDAR");
        lines.line("VERSION:2.0");
        lines.text("PRODID", PRODUCT);
        lines.line("CALSCALE:GREGORIAN");
        lines.text("NAME", &self.name);
        lines.text("X-WR-CALNAME", &self.name);
        lines.line(&format!("REFRESH-INTERVAL;VALUE=DURATION:{REFRESH}"));
        lines.line(&format!("X-PUBLISHED-TTL:{REFRESH}"));
        let series: Vec<_> = self.groups.iter().filter_map(|group| Series::of(group).ok().flatten()).collect();
        let mut zones = BTreeMap::<&str, (&TimeZone, Timestamp)>::new();
        for one in &series {
            let (_, first) =
                zones.entry(one.of.schedule.time_zone.as_str()).or_insert((&one.zone, one.first.starts_at));
            *first = one.first.starts_at.min(*first);
        }
        let through = today.saturating_add(ZONE_YEARS.years()).at(0, 0, 0, 0);
        for (name, (tz, first)) in zones {
            let through = TimeZone::UTC.to_timestamp(through).unwrap_or(Timestamp::MAX);
            zone::write(&mut lines, name, tz, first - SignedDuration::from_hours(24), through);
        }
        for one in series {
            one.write(&mut lines);
        }
        lines.line("END:VCALENDAR");
        lines.into_text()
    }
}

/// A group's meetings.
struct Series<'a> {
    of: &'a GroupCalendar,
    zone: TimeZone,
    first: Occurrence,
    /// Those of the others that the rule names.
    others: Vec<(Date, &'a Other)>,
    left_out: BTreeSet<Date>,
}

impl<'a> Series<'a> {
    fn of(group: &'a GroupCalendar) -> Result<Option<Self>, ScheduleError> {
        let zone = calendar::zone(group.schedule.time_zone.as_str())?;
        let Some(first) = calendar::first(&group.schedule)? else { return Ok(None) };
        let named = calendar::named(&group.schedule, &group.others.keys().copied().collect())?;
        let named: Vec<_> = group.others.iter().filter(|(date, _)| named.contains(date)).collect();
        let called_off = named.iter().filter(|(_, other)| other.called_off).map(|(date, _)| **date);
        let left_out: BTreeSet<_> = group.schedule.except.iter().copied().chain(called_off).collect();
        let others = named.into_iter().filter(|(date, _)| !left_out.contains(date)).map(|(d, other)| (*d, other));
        let others = others.collect();
        Ok(Some(Self { of: group, zone, first, others, left_out }))
    }

    fn write(&self, lines: &mut Lines) {
        let GroupCalendar { details, schedule, .. } = self.of;
        self.begin(lines, None);
        lines.line(&self.at("DTSTART", self.first.local));
        lines.line(&format!("DURATION:PT{}M", schedule.duration_minutes));
        lines.line(&format!("RRULE:{}", self.rule()));
        for date in &self.left_out {
            lines.line(&self.at("EXDATE", date.to_datetime(schedule.starts_at)));
        }
        self.describe(lines, details.mode, None);
        lines.line("STATUS:CONFIRMED");
        lines.line("END:VEVENT");
        for (date, other) in &self.others {
            self.write_other(lines, *date, other);
        }
    }

    fn write_other(&self, lines: &mut Lines, date: Date, other: &Other) {
        let GroupCalendar { details, schedule, .. } = self.of;
        let planned = date.to_datetime(schedule.starts_at);
        self.begin(lines, other.cancelled);
        lines.line(&self.at("RECURRENCE-ID", planned));
        lines.line(&self.at("DTSTART", other.starts_at_local.unwrap_or(planned)));
        lines.line(&format!("DURATION:PT{}M", other.duration_minutes.unwrap_or(schedule.duration_minutes)));
        self.describe(lines, other.mode.unwrap_or(details.mode), other.note.as_deref());
        if other.cancelled.is_some() {
            lines.line("STATUS:CANCELLED");
            lines.line(&format!("X-KITH-STATE:{CANCELLED}"));
        } else {
            lines.line("STATUS:CONFIRMED");
        }
        lines.line("END:VEVENT");
    }

    /// What an event of the group begins with; `more`: changes beyond those of the group, and when by the last.
    fn begin(&self, lines: &mut Lines, more: Option<(u64, Timestamp)>) {
        let GroupCalendar { group, sequence, changed_at, .. } = self.of;
        let (more, at) = more.unwrap_or((0, *changed_at));
        let (sequence, changed_at) = (sequence + more, at.max(*changed_at));
        lines.line("BEGIN:VEVENT");
        lines.line(&format!("UID:{group}"));
        lines.line(&format!("DTSTAMP:{}", utc(changed_at)));
        lines.line(&format!("LAST-MODIFIED:{}", utc(changed_at)));
        lines.line(&format!("SEQUENCE:{sequence}"));
    }

    fn describe(&self, lines: &mut Lines, mode: MeetingMode, note: Option<&str>) {
        let Details { name, comments, formats, venue, website, .. } = &self.of.details;
        lines.text("SUMMARY", name.as_str());
        let said = note.into_iter().chain(comments.as_ref().map(domain::Text::as_str));
        let said = said.collect::<Vec<_>>().join("\n\n");
        if !said.is_empty() {
            lines.text("DESCRIPTION", &said);
        }
        let venue = venue.as_ref().filter(|_| mode != MeetingMode::Virtual);
        let place = venue.map(place).filter(|place| !place.is_empty());
        if let Some(place) = place.as_deref().or((mode == MeetingMode::Virtual).then_some(ONLINE)) {
            lines.text("LOCATION", place);
        }
        if let Some(at) = venue.and_then(|venue| venue.coordinates) {
            lines.line(&format!("GEO:{:.6};{:.6}", at.latitude, at.longitude));
        }
        if let Some(website) = website {
            lines.line(&format!("URL:{website}"));
        }
        if !formats.is_empty() {
            let formats: Vec<_> = formats.iter().map(|format| escaped(format.as_str())).collect();
            lines.line(&format!("CATEGORIES:{}", formats.join(",")));
        }
        lines.line(&format!("X-KITH-MODE:{}", mode.as_str()));
    }

    /// A property that is a local time of the group.
    fn at(&self, name: &str, time: DateTime) -> String {
        format!("{name};TZID={}:{}", self.of.schedule.time_zone, local(time))
    }

    /// The rule, whose end has to be an instant (3.3.10).
    fn rule(&self) -> String {
        let schedule = &self.of.schedule;
        let rule = schedule.recurrence.as_str().to_ascii_uppercase();
        let Some(until) = calendar::until(schedule).ok().flatten() else { return rule };
        let parts = rule
            .split(';')
            .map(|part| if part.starts_with("UNTIL=") { format!("UNTIL={}", utc(until)) } else { part.to_owned() });
        parts.collect::<Vec<_>>().join(";")
    }
}

/// Where a group meets, for people.
fn place(venue: &Venue) -> String {
    let Venue { name, street, neighbourhood, postal_code, locality, region, country, .. } = venue;
    let town = [postal_code.as_ref().map(domain::Text::as_str), locality.as_ref().map(domain::Text::as_str)];
    let town = town.into_iter().flatten().collect::<Vec<_>>().join(" ");
    let parts = [
        name.as_ref().map(domain::Text::as_str),
        street.as_ref().map(domain::Text::as_str),
        neighbourhood.as_ref().map(domain::Text::as_str),
        Some(town.as_str()).filter(|town| !town.is_empty()),
        region.as_ref().map(domain::Text::as_str),
        country.as_ref().map(domain::Text::as_str),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}
