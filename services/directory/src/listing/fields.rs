//! Values of a listing's fields, as all kinds of listings have them.

use domain::{
    Schedule, Text,
    group::{Coordinates, Joining, Link, MeetingMode},
};
use jiff::civil::{Date, Time, date};

use super::{Origin, remark::Remarks, rows::Row};

/// Length of a meeting that does not say it, in minutes.
pub(super) const MINUTES_DEFAULT: u16 = 60;
/// Shorter is remarked on, in minutes.
const MINUTES_ODD_BELOW: u16 = 15;
/// Longer is remarked on, in minutes.
const MINUTES_ODD_ABOVE: u16 = 4 * 60;
/// Calendars count from the first of their weekdays since this day. A weekly rule gives the same days from wherever it
/// counts, and a fixed day makes every import of the same listing give the same calendar. No meeting is recorded from
/// before.
pub(super) const ANCHOR: Date = date(2020, 1, 1);
/// From Sunday on: the code of RFC 5545, days from a Wednesday ([`ANCHOR`] is one), the name.
const WEEKDAYS: [(&str, i64, &str); 7] = [
    ("SU", 4, "sunday"),
    ("MO", 5, "monday"),
    ("TU", 6, "tuesday"),
    ("WE", 0, "wednesday"),
    ("TH", 1, "thursday"),
    ("FR", 2, "friday"),
    ("SA", 3, "saturday"),
];

/// The name of a meeting; without one it is rejected.
pub(super) fn name(field: &'static str, row: &Row, remarks: &mut Remarks<'_>) -> Option<Text<200>> {
    let name = remarks.text(field, row.text(field));
    if name.is_none() {
        remarks.reject(field, None, "has no name");
    }
    name
}

/// A calendar of these days of the week, 0 (Sunday) to 6.
pub(super) fn weekly(days: &[usize], starts_at: Time, duration_minutes: u16, time_zone: Text<64>) -> Schedule {
    let days: Vec<_> = days.iter().filter_map(|day| WEEKDAYS.get(*day)).collect();
    let first = days.iter().map(|(_, days, _)| *days).min().unwrap_or_default();
    let codes: Vec<_> = WEEKDAYS.iter().filter(|day| days.contains(day)).map(|(code, ..)| *code).collect();
    Schedule {
        starts_on: ANCHOR.saturating_add(jiff::Span::new().days(first)),
        starts_at,
        duration_minutes,
        time_zone,
        recurrence: format!("FREQ=WEEKLY;BYDAY={}", codes.join(",")).parse().expect("short"),
        except: vec![],
    }
}

/// A day of the week by its English name, or two or more of its first letters: 0 (Sunday) to 6.
pub(super) fn weekday(text: &str) -> Option<usize> {
    let text = text.trim().trim_end_matches('.').to_lowercase();
    WEEKDAYS.iter().position(|(_, _, name)| text.len() >= 2 && name.starts_with(&text))
}

/// Hours, minutes and seconds of `HH:MM` or `HH:MM:SS`.
fn hours_minutes_seconds(text: &str) -> Option<[u8; 3]> {
    let mut parts = text.split(':').map(|part| part.parse::<u8>().ok().filter(|_| part.len() <= 2));
    let read = [parts.next()??, parts.next()??, parts.next().unwrap_or(Some(0))?];
    (parts.next().is_none() && read[1] < 60 && read[2] < 60).then_some(read)
}

/// A time of day as `HH:MM` or `HH:MM:SS`.
pub(super) fn time_of_day(text: &str) -> Option<Time> {
    let [hour, minute, second] = hours_minutes_seconds(text)?.map(|part| i8::try_from(part).unwrap_or(i8::MAX));
    Time::new(hour, minute, second, 0).ok()
}

/// A time of day as spreadsheets have it, too: `1930`, `7:30 PM`.
pub(super) fn time_of_clock(text: &str) -> Option<Time> {
    let text = text.trim().to_lowercase().replace('.', ":");
    let half = |suffix: &str| text.strip_suffix(suffix).map(|time| time.trim_end_matches([' ', ':']));
    let (time, half) = match (half("am").or(half("a:m:")), half("pm").or(half("p:m:"))) {
        (Some(time), _) => (time, Some(0)),
        (_, Some(time)) => (time, Some(12)),
        _ => (text.as_str(), None),
    };
    let digits = !time.is_empty() && time.bytes().all(|b| b.is_ascii_digit());
    let read = match (digits, time.len(), half) {
        (true, 3 | 4, _) => time_of_day(&format!("{}:{}", &time[..time.len() - 2], &time[time.len() - 2..])),
        (true, 1 | 2, Some(_)) => time_of_day(&format!("{time}:00")),
        _ => time_of_day(time),
    }?;
    match half {
        None => Some(read),
        Some(half) if (1..=12).contains(&read.hour()) => {
            Time::new(read.hour() % 12 + half, read.minute(), read.second(), 0).ok()
        }
        Some(_) => None,
    }
}

/// How long a meeting is, in minutes, from `HH:MM`.
pub(super) fn duration(field: &'static str, row: &Row, remarks: &mut Remarks<'_>) -> u16 {
    let value = row.text(field);
    let minutes =
        value.and_then(hours_minutes_seconds).map(|[hours, minutes, _]| u16::from(hours) * 60 + u16::from(minutes));
    minutes_of(field, value, minutes, remarks)
}

/// How long a meeting is: what can be is kept, what is odd is remarked on.
pub(super) fn minutes_of(
    field: &'static str,
    value: Option<&str>,
    minutes: Option<u16>,
    remarks: &mut Remarks<'_>,
) -> u16 {
    let Some(minutes) = minutes.filter(|minutes| (1..=Schedule::MINUTES_MAX).contains(minutes)) else {
        remarks.note(field, value, format!("is not a length of a meeting; {MINUTES_DEFAULT} minutes are taken"));
        return MINUTES_DEFAULT;
    };
    if !(MINUTES_ODD_BELOW..=MINUTES_ODD_ABOVE).contains(&minutes) {
        remarks.note(field, value, format!("is an odd length of a meeting: {minutes} minutes; it is kept"));
    }
    minutes
}

/// A time zone, as the database writes it; that of the listing if it is none.
pub(super) fn time_zone(field: &'static str, row: &Row, origin: &Origin, remarks: &mut Remarks<'_>) -> Text<64> {
    let Some(name) = row.text(field) else { return origin.time_zone.clone() };
    if let Some(zone) = domain::zone_name(name).and_then(|zone| zone.parse().ok()) {
        return zone;
    }
    remarks.note(field, Some(name), format!("is not an IANA time zone; {} is taken", origin.time_zone));
    origin.time_zone.clone()
}

/// Where on the map, from `latitude` and `longitude`.
pub(super) fn coordinates(row: &Row, mode: MeetingMode, remarks: &mut Remarks<'_>) -> Option<Coordinates> {
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

/// The tag of a language (BCP 47).
pub(super) fn language(field: &'static str, row: &Row, remarks: &mut Remarks<'_>) -> Option<Text<35>> {
    let value = row.text(field)?;
    let tag =
        value.split('-').all(|part| (1..=8).contains(&part.len()) && part.chars().all(|c| c.is_ascii_alphanumeric()));
    let language = value.parse().ok().filter(|_| tag);
    if language.is_none() {
        remarks.note(field, Some(value), "is not the tag of a language; it is left out");
    }
    language
}

/// The address of a page.
pub(super) fn link(field: &'static str, row: &Row, remarks: &mut Remarks<'_>) -> Option<Link> {
    let value = row.text(field)?;
    let link = address(value);
    if link.is_none() {
        remarks.note(field, Some(value), "is not the address of a page; it is left out");
    }
    link
}

/// An address, also one that was written without `https://`: of a host that ends in letters, as numbers of rooms do not.
fn address(value: &str) -> Option<Link> {
    let bare = || {
        let host = value.split(['/', '?', '#']).next()?;
        let (name, end) = host.rsplit_once('.')?;
        let named = !name.is_empty() && end.len() >= 2 && end.bytes().all(|b| b.is_ascii_alphabetic());
        named.then(|| format!("https://{value}").parse().ok()).flatten()
    };
    value.parse().ok().or_else(bare)
}

/// How to take part from elsewhere, from the fields with an address, what is needed there, a telephone number, and what is
/// needed there. Nothing of it is quoted in a remark: passwords are among it, and remarks are kept in clear.
pub(super) fn joining(fields: [&'static str; 4], row: &Row, remarks: &mut Remarks<'_>) -> Option<Joining> {
    let [at, needed, number, needed_there] = fields;
    let given = row.text(at);
    let url = given.and_then(address);
    let words = given.filter(|given| url.is_none() && is_words(given));
    match (given, &url, words) {
        (Some(_), None, Some(_)) => remarks.unsaid(at, "is not the address of a page; it is kept as an instruction"),
        (Some(_), None, None) => remarks.unsaid(at, "is not the address of a page; it is left out"),
        _ => {}
    }
    let instructions = [words, row.text(needed)].into_iter().flatten().collect::<Vec<_>>().join("; ");
    let joining = Joining {
        url,
        instructions: remarks.unsaid_text(needed, Some(&instructions)),
        telephone: remarks.unsaid_text(number, row.text(number)),
        telephone_instructions: remarks.unsaid_text(needed_there, row.text(needed_there)),
    };
    (joining != Joining::default()).then_some(joining)
}

/// Words such as the number of a room: nothing that would lead somewhere.
fn is_words(text: &str) -> bool {
    let text = text.to_lowercase();
    !text.contains("://") && !["javascript:", "data:", "vbscript:", "file:"].iter().any(|of| text.starts_with(of))
}
