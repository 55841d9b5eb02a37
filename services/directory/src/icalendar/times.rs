//! When events of a file are: dates, times and zones (RFC 5545, 3.3), as the schedule of a group.

use std::collections::BTreeSet;

use domain::{Schedule, Text};
use jiff::{
    Span, SpanRelativeTo, Timestamp,
    civil::{Date, DateTime},
    tz::TimeZone,
};

use super::{
    component::{Component, Property},
    read::{Rejected, Remarks},
    zone_names::ZoneNames,
};
use crate::calendar;

/// When something is, where the group meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    Day(Date),
    Local(DateTime),
}

/// How the times of a file are to be read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times<'a> {
    pub zones: &'a ZoneNames,
    /// The zone of times that name none.
    pub default: &'a str,
}

/// As it is written.
enum Written {
    Day(Date),
    Local(DateTime),
    Instant(Timestamp),
}

fn written(text: &str) -> Option<Written> {
    let text = text.trim();
    if let Some(utc) = text.strip_suffix(['Z', 'z']) {
        let instant = DateTime::strptime("%Y%m%dT%H%M%S", utc).ok()?.to_zoned(TimeZone::UTC).ok()?;
        return Some(Written::Instant(instant.timestamp()));
    }
    if text.len() == 8 {
        return Date::strptime("%Y%m%d", text).ok().map(Written::Day);
    }
    DateTime::strptime("%Y%m%dT%H%M%S", text).ok().map(Written::Local)
}

const NO_TIME: &str = "is not a time such as 20260106T190000";

impl Times<'_> {
    /// When a property says, in this zone.
    pub fn read(&self, property: &Property, zone: &Text<64>) -> Result<When, String> {
        self.value(property, &property.value, zone)
    }

    fn value(&self, property: &Property, value: &str, zone: &Text<64>) -> Result<When, String> {
        let there = calendar::zone(zone.as_str()).map_err(|error| error.to_string())?;
        let local = |at: Timestamp| When::Local(there.to_datetime(at));
        match written(value).ok_or(NO_TIME)? {
            Written::Day(day) => Ok(When::Day(day)),
            Written::Instant(at) => Ok(local(at)),
            Written::Local(time) => {
                let own = self.zone_of(property)?;
                if own == zone.as_str() {
                    return Ok(When::Local(time));
                }
                let own = calendar::zone(&own).map_err(|error| error.to_string())?;
                let at = own.to_ambiguous_zoned(time).compatible().map_err(|error| error.to_string())?;
                Ok(local(at.timestamp()))
            }
        }
    }

    /// The zone of a property whose time is a local one.
    fn zone_of(&self, property: &Property) -> Result<String, String> {
        match property.parameter("TZID") {
            None => Ok(self.default.to_owned()),
            Some(name) => self.zones.zone(name).ok_or_else(|| {
                format!("is in the time zone {name:?}, which is neither one of the IANA database nor of Windows")
            }),
        }
    }

    /// The schedule of an event.
    pub fn schedule(&self, event: &Component, default: u16, remarks: &mut Remarks<'_>) -> Result<Schedule, Rejected> {
        let start = event.property("DTSTART").ok_or_else(|| Rejected {
            line: event.line,
            property: "DTSTART",
            value: String::new(),
            what: "is missing: nothing says when it is".into(),
        })?;
        let reject = |property, value: &str, what: String| Rejected {
            line: event.property(property).map_or(event.line, |found| found.line),
            property,
            value: value.into(),
            what,
        };
        let (zone, local) = match written(&start.value) {
            Some(Written::Local(local)) => {
                (self.zone_of(start).map_err(|what| reject("DTSTART", &start.value, what))?, local)
            }
            Some(Written::Instant(at)) => ("UTC".into(), TimeZone::UTC.to_datetime(at)),
            Some(Written::Day(_)) => {
                let what = "is of a whole day; a meeting of a group has a time".into();
                return Err(reject("DTSTART", &start.value, what));
            }
            None => return Err(reject("DTSTART", &start.value, NO_TIME.into())),
        };
        let zone: Text<64> = zone.parse().map_err(|_| reject("DTSTART", &zone, "names no time zone".into()))?;
        let minutes = self.minutes(event, &zone).map_err(|what| reject("DTEND", "", what))?;
        if minutes.is_none() {
            let what = format!("is missing, as is DURATION; it is taken to last {default} minutes");
            remarks.note((event.line, "DTEND"), "", what);
        }
        let rule = rule(event, local, remarks);
        let recurrence: Text<256> =
            rule.parse().map_err(|_| reject("RRULE", &rule, "is longer than a rule can be".into()))?;
        let mut schedule = Schedule {
            starts_on: local.date(),
            starts_at: local.time(),
            duration_minutes: minutes.unwrap_or(default),
            time_zone: zone,
            recurrence,
            except: vec![],
        };
        calendar::validate(&schedule).map_err(|error| reject("RRULE", &rule, error.to_string()))?;
        if calendar::first(&schedule).ok().flatten().is_none_or(|first| first.local != local) {
            let what = "is on a day that the rule does not name; there is no meeting then";
            remarks.note((start.line, "DTSTART"), &start.value, what);
        }
        schedule.except = self.except(event, &schedule, remarks);
        for property in event.all("RDATE").chain(event.all("EXRULE")) {
            let name = if property.name == "RDATE" { "RDATE" } else { "EXRULE" };
            let what = "cannot be kept, because a calendar has one rule; it is left out";
            remarks.note((property.line, name), &property.value, what);
        }
        Ok(schedule)
    }

    /// Days that are left out, of those that the rule names.
    fn except(&self, event: &Component, schedule: &Schedule, remarks: &mut Remarks<'_>) -> Vec<Date> {
        let mut days = BTreeSet::new();
        for property in event.all("EXDATE") {
            for value in property.value.split(',') {
                match self.value(property, value, &schedule.time_zone) {
                    Ok(When::Day(day)) => days.insert(day),
                    Ok(When::Local(local)) if local.time() == schedule.starts_at => days.insert(local.date()),
                    Ok(When::Local(_)) => {
                        let what = "is at another time than the meetings; nothing is left out for it";
                        remarks.note((property.line, "EXDATE"), value, what);
                        false
                    }
                    Err(what) => {
                        remarks.note((property.line, "EXDATE"), value, what);
                        false
                    }
                };
            }
        }
        let days = calendar::named(schedule, &days).unwrap_or_default();
        if days.len() > Schedule::EXCEPT_MAX {
            let what =
                format!("names {} days, at most {} are possible; the oldest go", days.len(), Schedule::EXCEPT_MAX);
            remarks.note((event.line, "EXDATE"), "", what);
        }
        let too_many = days.len().saturating_sub(Schedule::EXCEPT_MAX);
        days.into_iter().skip(too_many).collect()
    }

    /// How long an event lasts, if it says so.
    pub fn minutes(&self, event: &Component, zone: &Text<64>) -> Result<Option<u16>, String> {
        let (Some(start), end) = (event.property("DTSTART"), event.property("DTEND")) else { return Ok(None) };
        let seconds = match (event.property("DURATION"), end) {
            (Some(duration), _) => {
                let read = duration.value.trim().parse::<Span>();
                let days = SpanRelativeTo::days_are_24_hours();
                let read = read.and_then(|span| span.to_duration(days));
                read.map_err(|_| "DURATION is not one such as PT90M".to_owned())?.as_secs()
            }
            (None, Some(end)) => {
                let there = calendar::zone(zone.as_str()).map_err(|error| error.to_string())?;
                let instant = |property| match self.read(property, zone)? {
                    When::Local(local) => {
                        Ok(there.to_ambiguous_zoned(local).compatible().map_err(|error| error.to_string())?.timestamp())
                    }
                    When::Day(_) => Err("is a day, where a time is needed".to_owned()),
                };
                instant(end)?.duration_since(instant(start)?).as_secs()
            }
            (None, None) => return Ok(None),
        };
        match u16::try_from((seconds + 59) / 60) {
            Ok(minutes) if (1..=Schedule::MINUTES_MAX).contains(&minutes) => Ok(Some(minutes)),
            _ => Err(format!(
                "is {} minutes after the start; a meeting has 1 to {}",
                seconds / 60,
                Schedule::MINUTES_MAX
            )),
        }
    }
}

/// The rule of an event that starts at this time; one that does not recur has one day.
fn rule(event: &Component, start: DateTime, remarks: &mut Remarks<'_>) -> String {
    let mut rules = event.all("RRULE");
    let Some(rule) = rules.next() else { return "FREQ=DAILY;COUNT=1".into() };
    for more in rules {
        remarks.note((more.line, "RRULE"), &more.value, "is a second rule, and a calendar has one; it is left out");
    }
    // Where these name the time of the start, they say nothing.
    let time = [("BYHOUR=", start.hour()), ("BYMINUTE=", start.minute()), ("BYSECOND=", start.second())];
    let says_nothing = |part: &str| {
        let value = |(name, number): &(&str, i8)| Some(part.strip_prefix(name)?.parse::<i8>() == Ok(*number));
        time.iter().find_map(value).unwrap_or(false)
    };
    let rule = rule.value.trim().trim_end_matches(';').to_ascii_uppercase();
    rule.split(';').filter(|part| !part.is_empty() && !says_nothing(part)).collect::<Vec<_>>().join(";")
}
