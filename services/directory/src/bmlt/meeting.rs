//! One meeting of a listing as a group.

use domain::{
    Schedule, Text,
    group::{self, Coordinates, MeetingMode, Venue},
};
use jiff::civil::{Date, Time, date};

use super::{
    Origin,
    formats::{self, Formats},
    remark::Remarks,
    rows::Row,
};

/// Stands for the service body of meetings that have none.
pub(super) const NO_BODY: &str = "none";
/// Length of a meeting that does not say it, in minutes.
const MINUTES_DEFAULT: u16 = 60;
/// Shorter is remarked on, in minutes.
const MINUTES_ODD_BELOW: u16 = 15;
/// Longer is remarked on, in minutes.
const MINUTES_ODD_ABOVE: u16 = 4 * 60;
/// Calendars count from the first of their weekday since this day. A weekly rule gives the same days from wherever it
/// counts, and a fixed day makes every import of the same listing give the same calendar. No meeting is recorded from
/// before.
const ANCHOR: Date = date(2020, 1, 1);
/// `weekday_tinyint` - 1, the code of RFC 5545, days from a Wednesday ([`ANCHOR`] is one).
const WEEKDAYS: [(&str, i64); 7] = [("SU", 4), ("MO", 5), ("TU", 6), ("WE", 0), ("TH", 1), ("FR", 2), ("SA", 3)];

/// The id of a meeting's service body.
pub(super) fn body(row: &Row) -> Option<&str> {
    super::id(row, "service_body_bigint")
}

/// The group that a meeting becomes; none if it cannot be used.
pub(super) fn read(
    id: &str,
    row: &Row,
    origin: &Origin,
    formats: &Formats<'_>,
    remarks: &mut Remarks<'_>,
) -> Option<(group::Details, Option<Schedule>)> {
    let Some(name) = remarks.text("meeting_name", row.text("meeting_name")) else {
        remarks.reject("meeting_name", None, "has no name");
        return None;
    };
    let schedule = schedule(row, origin, remarks)?;
    let formats = formats::resolve(row, formats, remarks);
    let details = group::Details {
        name,
        programme: origin.programme(body(row).unwrap_or(NO_BODY)),
        focus: origin.focus,
        venue: venue(row, formats.mode, remarks),
        formats: formats.names,
        mode: formats.mode,
        language: language(row, remarks),
        comments: remarks.text("comments", row.text("comments")),
        accessibility: vec![],
        cost: None,
        cost_details: None,
        website: None,
        listed: listed(row, remarks),
        source: origin.source_of(id),
    };
    Some((details, (!formats.closed).then_some(schedule)))
}

fn schedule(row: &Row, origin: &Origin, remarks: &mut Remarks<'_>) -> Option<Schedule> {
    let weekday = row.text("weekday_tinyint");
    let day = weekday.and_then(|day| WEEKDAYS.get(day.parse::<usize>().ok()?.checked_sub(1)?));
    if day.is_none() {
        remarks.reject("weekday_tinyint", weekday, "is not a weekday, 1 (Sunday) to 7");
    }
    let start = row.text("start_time");
    let starts_at = start.and_then(time_of_day);
    if starts_at.is_none() {
        remarks.reject("start_time", start, "is not a time of day");
    }
    let ((code, days), starts_at) = (day?, starts_at?);
    Some(Schedule {
        starts_on: ANCHOR.saturating_add(jiff::Span::new().days(*days)),
        starts_at,
        duration_minutes: duration(row, remarks),
        time_zone: time_zone(row, origin, remarks),
        recurrence: format!("FREQ=WEEKLY;BYDAY={code}").parse().expect("short"),
        except: vec![],
    })
}

/// Hours, minutes and seconds of `HH:MM` or `HH:MM:SS`.
fn hours_minutes_seconds(text: &str) -> Option<[u8; 3]> {
    let mut parts = text.split(':').map(|part| part.parse::<u8>().ok().filter(|_| part.len() <= 2));
    let read = [parts.next()??, parts.next()??, parts.next().unwrap_or(Some(0))?];
    (parts.next().is_none() && read[1] < 60 && read[2] < 60).then_some(read)
}

fn time_of_day(text: &str) -> Option<Time> {
    let [hour, minute, second] = hours_minutes_seconds(text)?.map(|part| i8::try_from(part).unwrap_or(i8::MAX));
    Time::new(hour, minute, second, 0).ok()
}

fn duration(row: &Row, remarks: &mut Remarks<'_>) -> u16 {
    const FIELD: &str = "duration_time";
    let value = row.text(FIELD);
    let minutes =
        value.and_then(hours_minutes_seconds).map(|[hours, minutes, _]| u16::from(hours) * 60 + u16::from(minutes));
    let Some(minutes) = minutes.filter(|minutes| (1..=Schedule::MINUTES_MAX).contains(minutes)) else {
        remarks.note(FIELD, value, format!("is not a length of a meeting; {MINUTES_DEFAULT} minutes are taken"));
        return MINUTES_DEFAULT;
    };
    if !(MINUTES_ODD_BELOW..=MINUTES_ODD_ABOVE).contains(&minutes) {
        remarks.note(FIELD, value, format!("is an odd length of a meeting: {minutes} minutes; it is kept"));
    }
    minutes
}

fn time_zone(row: &Row, origin: &Origin, remarks: &mut Remarks<'_>) -> Text<64> {
    const FIELD: &str = "time_zone";
    let Some(name) = row.text(FIELD) else { return origin.time_zone.clone() };
    if let (Ok(_), Ok(zone)) = (crate::calendar::zone(name), name.parse()) {
        return zone;
    }
    remarks.note(FIELD, Some(name), format!("is not an IANA time zone; {} is taken", origin.time_zone));
    origin.time_zone.clone()
}

fn venue(row: &Row, mode: MeetingMode, remarks: &mut Remarks<'_>) -> Option<Venue> {
    let first = |fields: [&'static str; 2]| fields.into_iter().find_map(|field| Some((field, row.text(field)?)));
    let (neighbourhood, part) = first(["location_neighborhood", "location_city_subsection"]).unzip();
    let (locality, town) = first(["location_municipality", "location_city_subsection"]).unzip();
    let venue = Venue {
        name: remarks.text("location_text", row.text("location_text")),
        directions: directions(row, remarks),
        street: remarks.text("location_street", row.text("location_street")),
        neighbourhood: remarks.text(neighbourhood.unwrap_or_default(), part),
        locality: remarks.text(locality.unwrap_or_default(), town),
        region: remarks.text("location_province", row.text("location_province")),
        postal_code: postal_code(row, remarks),
        country: remarks.text("location_nation", row.text("location_nation")),
        coordinates: coordinates(row, mode, remarks),
    };
    if mode != MeetingMode::Virtual && venue.name.is_none() && venue.street.is_none() {
        remarks.note("location_street", None, "has neither a street nor the name of a place: nobody can find it");
    }
    (venue != Venue::default()).then_some(venue)
}

fn directions(row: &Row, remarks: &mut Remarks<'_>) -> Option<Text<400>> {
    let line = |what: &str, field| row.text(field).map(|lines| format!("{what}: {lines}"));
    let info = row.text("location_info").map(Into::into);
    let parts = [info, line("Train", "train_lines"), line("Bus", "bus_lines")];
    remarks.text("location_info", Some(&parts.into_iter().flatten().collect::<Vec<_>>().join("; ")))
}

fn postal_code(row: &Row, remarks: &mut Remarks<'_>) -> Option<Text<20>> {
    const FIELD: &str = "location_postal_code_1";
    let value = row.text(FIELD)?;
    if !value.contains(|c: char| c.is_numeric()) {
        remarks.note(FIELD, Some(value), "is not a postal code; it is left out");
        return None;
    }
    remarks.text(FIELD, Some(value))
}

fn coordinates(row: &Row, mode: MeetingMode, remarks: &mut Remarks<'_>) -> Option<Coordinates> {
    const FIELD: &str = "latitude";
    let (latitude, longitude) = (row.text("latitude"), row.text("longitude"));
    let value = [latitude, longitude].map(Option::unwrap_or_default).join(", ");
    let degrees = |text: Option<&str>| text?.parse::<f64>().ok();
    let what = match (degrees(latitude), degrees(longitude)) {
        (Some(0.0), Some(0.0)) => "is in the Gulf of Guinea, which stands for unknown; it is left out",
        (Some(latitude), Some(longitude)) => match Coordinates::new(latitude, longitude) {
            Some(coordinates) => return Some(coordinates),
            None => "is not a place on Earth; it is left out",
        },
        _ if latitude.is_none() && longitude.is_none() && mode == MeetingMode::Virtual => return None,
        _ if latitude.is_none() && longitude.is_none() => "has no coordinates: it is not on the map",
        _ => "is not a pair of degrees; it is left out",
    };
    remarks.note(FIELD, latitude.or(longitude).map(|_| value.as_str()), what);
    None
}

fn language(row: &Row, remarks: &mut Remarks<'_>) -> Option<Text<35>> {
    const FIELD: &str = "lang_enum";
    let value = row.text(FIELD)?;
    let tag =
        value.split('-').all(|part| (1..=8).contains(&part.len()) && part.chars().all(|c| c.is_ascii_alphanumeric()));
    let language = value.parse().ok().filter(|_| tag);
    if language.is_none() {
        remarks.note(FIELD, Some(value), "is not the tag of a language; it is left out");
    }
    language
}

/// Whether it may be shown: only if the server says so.
fn listed(row: &Row, remarks: &mut Remarks<'_>) -> bool {
    const FIELD: &str = "published";
    match row.text(FIELD) {
        Some("1") => true,
        Some("0") => false,
        other => {
            remarks.note(FIELD, other, "does not say whether the meeting is published; it stays unlisted");
            false
        }
    }
}
