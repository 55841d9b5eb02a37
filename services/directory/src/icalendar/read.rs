//! A file of calendars, as the calendars of groups: each `UID` is one, with the events that have a `RECURRENCE-ID` as what
//! is otherwise at single occurrences.
//!
//! Reading is pure: the same file gives the same calendars. What cannot be kept is left out with a remark that names its
//! line; an event that can be no meeting of a group is rejected with one; neither stops the rest. Who is invited, who
//! invites, and how to join is not read.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    Schedule, Text,
    group::{Coordinates, FORMATS_MAX, MOVED_DAYS_MAX, MeetingMode, OVERRIDES_MAX, Override, Venue},
};
use jiff::civil::Date;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    component::{self, Component, FileError},
    times::{Times, When},
    zone_names::ZoneNames,
};
use crate::calendar;

/// Largest file, in bytes.
pub(crate) const CALENDAR_BYTES_MAX: usize = 4 << 20;
/// Most events of one file, a count; those that change single occurrences are counted, too.
pub(crate) const EVENTS_MAX: usize = 5_000;
/// Length of a meeting of which the file does not say it, in minutes.
const MINUTES_DEFAULT: u16 = 60;
/// Longest value that a remark quotes, in characters.
const VALUE_CHARS_MAX: usize = 60;
/// What our own feeds say of a meeting that was cancelled, which is no matter of the calendar.
pub(super) const CANCELLED: &str = "CANCELLED";

/// Something odd about a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = CalendarRemark)]
pub(crate) struct Remark {
    /// The line of the file, from 1.
    pub line: usize,
    /// The `UID` of the event, if it has one, shortened to 60 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// Which property.
    #[schema(value_type = String)]
    pub property: &'static str,
    /// What it says, shortened to 60 characters.
    pub value: String,
    /// What is odd about it and what became of it: a sentence that begins with the value.
    pub what: String,
    /// Whether the event is not used.
    pub rejected: bool,
}

/// A calendar of a file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ReadCalendar {
    pub uid: String,
    /// Where it begins, from 1.
    pub line: usize,
    pub name: Text<200>,
    pub comments: Option<Text<500>>,
    pub formats: Vec<Text<80>>,
    pub mode: MeetingMode,
    pub venue: Option<Venue>,
    /// None if the whole series was cancelled.
    pub schedule: Option<Schedule>,
    /// What is otherwise at single occurrences.
    pub overrides: BTreeMap<Date, Override>,
}

/// What a file says.
#[derive(Debug, Default)]
pub(crate) struct ReadFile {
    /// What it calls itself.
    pub name: Option<Text<200>>,
    pub calendars: Vec<ReadCalendar>,
    pub remarks: Vec<Remark>,
    /// Calendars that could not be used, a count; each has a remark.
    pub rejected: usize,
}

/// A file that cannot be read at all.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ReadError {
    /// Not a calendar.
    #[error(transparent)]
    File(#[from] FileError),
    /// More events than [`EVENTS_MAX`].
    #[error("the file has {0} events, at most {EVENTS_MAX} are possible")]
    Events(usize),
    /// The zone it is to be read in does not exist.
    #[error("time_zone must be the name of a zone of the IANA database or of Windows")]
    TimeZone,
}

/// Remarks on one event.
pub(super) struct Remarks<'a> {
    uid: Option<String>,
    all: &'a mut Vec<Remark>,
}

impl Remarks<'_> {
    pub fn note(&mut self, at: (usize, &'static str), value: &str, what: impl Into<String>) {
        self.add(at, value, what.into(), false);
    }

    fn add(&mut self, (line, property): (usize, &'static str), value: &str, what: String, rejected: bool) {
        let uid = self.uid.clone();
        self.all.push(Remark { line, uid, property, value: short(value), what, rejected });
    }
}

/// Why an event can be no meeting of a group.
pub(super) struct Rejected {
    pub line: usize,
    pub property: &'static str,
    pub value: String,
    pub what: String,
}

/// Reads a file. Times that name no zone are taken to be in `time_zone`.
///
/// # Errors
/// If it is no calendar, or has too many events. Nothing that one event says.
pub(crate) fn read(file: &[u8], time_zone: &str) -> Result<ReadFile, ReadError> {
    let default = super::zone_names::known(time_zone).ok_or(ReadError::TimeZone)?;
    let (calendars, odd) = component::read(file)?;
    let zones = ZoneNames::of(&calendars);
    let events: Vec<_> = calendars.iter().flat_map(|calendar| &calendar.components).collect();
    let count = events.iter().filter(|component| component.name == "VEVENT").count();
    if count > EVENTS_MAX {
        return Err(ReadError::Events(count));
    }
    let mut read = ReadFile { name: calendars.iter().find_map(named), ..ReadFile::default() };
    let mut remarks = Remarks { uid: None, all: &mut read.remarks };
    for line in odd {
        remarks.note((line, "line"), "", "is not a property of iCalendar; it is left out");
    }
    for other in events.iter().filter(|component| !matches!(component.name.as_str(), "VEVENT" | "VTIMEZONE")) {
        remarks.note((other.line, "BEGIN"), &other.name, "is not an event; it is left out");
    }
    let mut series = BTreeMap::<String, Vec<&Component>>::new();
    let mut order = vec![];
    for event in events.into_iter().filter(|component| component.name == "VEVENT") {
        let Some(uid) = event.text("UID").map(|uid| uid.trim().to_owned()) else {
            remarks.add((event.line, "UID"), "", "is missing: nothing says which event it is".into(), true);
            read.rejected += 1;
            continue;
        };
        let known = series.entry(uid.clone()).or_default();
        if known.is_empty() {
            order.push(uid);
        }
        known.push(event);
    }
    for uid in order {
        let events = &series[&uid];
        let mut remarks = Remarks { uid: Some(short(&uid)), all: &mut read.remarks };
        let series = Series { uid: &uid, events, times: Times { zones: &zones, default: &default } };
        match series.read(&mut remarks) {
            Ok(calendar) => read.calendars.push(calendar),
            Err(Rejected { line, property, value, what }) => {
                remarks.add((line, property), &value, what, true);
                read.rejected += 1;
            }
        }
    }
    Ok(read)
}

fn named(calendar: &Component) -> Option<Text<200>> {
    ["X-WR-CALNAME", "NAME"].into_iter().find_map(|name| calendar.text(name)).and_then(|name| cut(&name))
}

/// The events of one `UID`.
struct Series<'a> {
    uid: &'a str,
    events: &'a [&'a Component],
    times: Times<'a>,
}

impl Series<'_> {
    fn read(&self, remarks: &mut Remarks<'_>) -> Result<ReadCalendar, Rejected> {
        let master = self.master(remarks)?;
        let schedule = self.times.schedule(master, MINUTES_DEFAULT, remarks)?;
        let name = master.text("SUMMARY").and_then(|name| cut(&name)).ok_or_else(|| Rejected {
            line: master.line,
            property: "SUMMARY",
            value: String::new(),
            what: "is missing: a group has a name".into(),
        })?;
        let mode = mode(master).unwrap_or(if is_online(master) { MeetingMode::Virtual } else { MeetingMode::InPerson });
        let mut calendar = ReadCalendar {
            uid: self.uid.into(),
            line: master.line,
            name,
            comments: text(master, "DESCRIPTION", remarks),
            formats: formats(master),
            mode,
            venue: venue(master, mode, remarks),
            schedule: Some(schedule.clone()),
            overrides: BTreeMap::new(),
        };
        if is_cancelled(master) {
            remarks.note((master.line, "STATUS"), "CANCELLED", "is of the whole series: the group gets no calendar");
            calendar.schedule = None;
            return Ok(calendar);
        }
        for (on, event) in self.single(&schedule, remarks) {
            if let Some(change) = self.change(&calendar, (&schedule, on), (master, event), remarks) {
                calendar.overrides.insert(on, change);
            }
        }
        while calendar.overrides.len() > OVERRIDES_MAX {
            let gone = calendar.overrides.pop_first().map(|(on, _)| on.to_string()).unwrap_or_default();
            let what = format!("is left out: at most {OVERRIDES_MAX} occurrences can be otherwise than the rule says");
            remarks.note((master.line, "RECURRENCE-ID"), &gone, what);
        }
        Ok(calendar)
    }

    /// The event that says the rule: the latest of them, if there are several.
    fn master(&self, remarks: &mut Remarks<'_>) -> Result<&Component, Rejected> {
        let mut masters: Vec<_> =
            self.events.iter().filter(|event| event.property("RECURRENCE-ID").is_none()).collect();
        let sequence = |event: &Component| event.text("SEQUENCE").and_then(|number| number.trim().parse::<u64>().ok());
        masters.sort_by_key(|event| (sequence(event), event.line));
        let Some(latest) = masters.pop() else {
            let line = self.events.first().map_or(1, |event| event.line);
            let what = "has changes of single occurrences, but not the event that says when they are".into();
            return Err(Rejected { line, property: "RECURRENCE-ID", value: String::new(), what });
        };
        for older in masters {
            remarks.note((older.line, "UID"), self.uid, "is there twice; the one with the highest SEQUENCE is used");
        }
        Ok(latest)
    }

    /// The events of single occurrences that there are, and their places in the series.
    fn single(&self, schedule: &Schedule, remarks: &mut Remarks<'_>) -> Vec<(Date, &Component)> {
        let mut single = vec![];
        for event in self.events {
            let Some(which) = event.property("RECURRENCE-ID") else { continue };
            let at = (which.line, "RECURRENCE-ID");
            if which.parameter("RANGE").is_some() {
                let what = "is of all from there on, which cannot be kept; it is taken for this one alone";
                remarks.note(at, &which.value, what);
            }
            match self.times.read(which, &schedule.time_zone) {
                Ok(When::Local(local)) => single.push((local.date(), *event)),
                Ok(When::Day(day)) => single.push((day, *event)),
                Err(what) => remarks.note(at, &which.value, format!("{what}; the change is left out")),
            }
        }
        let named = calendar::named(schedule, &single.iter().map(|(on, _)| *on).collect()).unwrap_or_default();
        single.retain(|(on, event)| {
            let there = named.contains(on) && !schedule.except.contains(on);
            if !there && let Some(which) = event.property("RECURRENCE-ID") {
                let what = "is on a day on which the rule has no meeting; the change is left out";
                remarks.note((which.line, "RECURRENCE-ID"), &which.value, what);
            }
            there
        });
        single
    }

    /// What an event says is otherwise at one occurrence.
    fn change(
        &self,
        calendar: &ReadCalendar,
        (schedule, on): (&Schedule, Date),
        (master, event): (&Component, &Component),
        remarks: &mut Remarks<'_>,
    ) -> Option<Override> {
        if event.text("X-KITH-STATE").as_deref() == Some(CANCELLED) {
            return None;
        }
        if is_cancelled(event) {
            return Some(Override { called_off: true, ..Override::default() });
        }
        let mut change = self.otherwise(calendar, (schedule, on), event, remarks);
        change.note = note(master, event);
        (change != Override::default()).then_some(change)
    }

    fn otherwise(
        &self,
        calendar: &ReadCalendar,
        (schedule, on): (&Schedule, Date),
        event: &Component,
        remarks: &mut Remarks<'_>,
    ) -> Override {
        let planned = on.to_datetime(schedule.starts_at);
        let mut change = Override::default();
        if let Some(start) = event.property("DTSTART") {
            match self.times.read(start, &schedule.time_zone) {
                Ok(When::Local(local)) if (local.date() - on).get_days().abs() > MOVED_DAYS_MAX => {
                    let what =
                        format!("is further than {MOVED_DAYS_MAX} days from where the rule has it; it stays there");
                    remarks.note((start.line, "DTSTART"), &start.value, what);
                }
                Ok(When::Local(local)) => change.starts_at_local = Some(local).filter(|local| *local != planned),
                Ok(When::Day(_)) => {
                    remarks.note((start.line, "DTSTART"), &start.value, "has no time; it stays when the rule has it");
                }
                Err(what) => remarks.note((start.line, "DTSTART"), &start.value, what),
            }
            let minutes = self.times.minutes(event, &schedule.time_zone).ok().flatten();
            change.duration_minutes = minutes.filter(|minutes| *minutes != schedule.duration_minutes);
        }
        let online = || is_online(event).then_some(MeetingMode::Virtual);
        change.mode = mode(event).or_else(online).filter(|mode| *mode != calendar.mode);
        change
    }
}

/// What is said of one occurrence that is not said of all.
fn note(master: &Component, event: &Component) -> Option<Text<300>> {
    let other = |name: &str| event.text(name).filter(|text| master.text(name).as_ref() != Some(text));
    let comments = master.text("DESCRIPTION").map(|comments| format!("\n\n{comments}"));
    let own = |text: String| match &comments {
        Some(comments) => text.strip_suffix(comments.as_str()).unwrap_or(&text).to_owned(),
        None => text,
    };
    let place = other("LOCATION").filter(|_| mode(event).is_none() && !is_online(event));
    let said = [other("SUMMARY"), other("DESCRIPTION").map(own), place];
    cut(&said.into_iter().flatten().collect::<Vec<_>>().join(" "))
}

fn is_cancelled(event: &Component) -> bool {
    event.text("STATUS").is_some_and(|status| status.trim().eq_ignore_ascii_case("CANCELLED"))
}

fn mode(event: &Component) -> Option<MeetingMode> {
    event.text("X-KITH-MODE")?.trim().to_ascii_lowercase().parse().ok()
}

/// Whether its place is none where one can go.
fn is_online(event: &Component) -> bool {
    let place = event.text("LOCATION").unwrap_or_default().trim().to_lowercase();
    let words = ["online", "virtual", "zoom", "microsoft teams", "google meet", "http://", "https://"];
    words.iter().any(|word| place.starts_with(word))
}

fn formats(event: &Component) -> Vec<Text<80>> {
    let mut seen = BTreeSet::new();
    let lists = event.all("CATEGORIES").flat_map(|list| super::line::list(&list.value));
    let formats = lists.filter_map(|format| cut(&format)).filter(|format: &Text<80>| seen.insert(format.to_string()));
    formats.take(FORMATS_MAX).collect()
}

/// Where it is, as far as that is no address on the web.
fn venue(event: &Component, mode: MeetingMode, remarks: &mut Remarks<'_>) -> Option<Venue> {
    let name = text::<200>(event, "LOCATION", remarks).filter(|_| mode != MeetingMode::Virtual && !is_online(event));
    let coordinates = event.property("GEO").and_then(|geo| {
        let (latitude, longitude) = geo.value.split_once(';')?;
        Coordinates::new(latitude.trim().parse().ok()?, longitude.trim().parse().ok()?)
    });
    let venue = Venue { name, coordinates, ..Venue::default() };
    (venue != Venue::default()).then_some(venue)
}

/// A property's text, cut to what there is room for; a cut is remarked on.
fn text<const MAX: usize>(event: &Component, name: &'static str, remarks: &mut Remarks<'_>) -> Option<Text<MAX>> {
    let property = event.property(name)?;
    let text = one_line(&property.text());
    let long = text.chars().count();
    if long > MAX {
        remarks.note((property.line, name), &text, format!("is {long} characters long; it is cut to {MAX}"));
    }
    cut(&text)
}

fn cut<const MAX: usize>(text: &str) -> Option<Text<MAX>> {
    one_line(text).chars().take(MAX).collect::<String>().parse().ok()
}

/// White space and control characters become single spaces.
fn one_line(text: &str) -> String {
    let gap = |character: char| character.is_whitespace() || character.is_control();
    text.split(gap).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

fn short(text: &str) -> String {
    one_line(text).chars().take(VALUE_CHARS_MAX).collect()
}
