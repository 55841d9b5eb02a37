//! A group as Meeting Guide has it (also called TSML JSON): the format of code4recovery/spec, which has weekly meetings only.

use domain::{
    Schedule,
    group::{Accessibility, Details, Joining, MeetingMode, MeetingType, Venue},
};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    listing_view::Listed,
    rule::{Rule, Weekday},
};

/// One meeting of a feed. What a group does not say is missing.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct GuideMeeting {
    /// The group's id, so that it stays what it is when its name changes.
    slug: String,
    name: String,
    /// Days of the week, 0 (Sunday) to 6; missing if it meets by appointment.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    day: Vec<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timezone: Option<String>,
    /// `in_person`, `online` or `hybrid`. Not of the format, but what reads it knows it.
    attendance_option: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    types: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    notes: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    location_notes: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    city: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    postal_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    country: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    latitude: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    longitude: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    approximate: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    conference_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    conference_url_notes: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    conference_phone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    conference_phone_notes: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    /// Who lists it.
    entity: String,
    /// In UTC, `YYYY-MM-DD HH:MM:SS`.
    updated: String,
}

/// Whether the format can say when a group meets. `goes_on` says whether a meeting of it is planned, which is asked of
/// calendars that come to an end.
pub(crate) fn can_say<E>(listed: &Listed, goes_on: impl FnOnce() -> Result<bool, E>) -> Result<bool, E> {
    match listed.schedule.as_ref().map(Rule::of) {
        None => Ok(true),
        Some(Some(rule)) if rule.is_weekly() => {
            if rule.ends() {
                goes_on()
            } else {
                Ok(true)
            }
        }
        Some(_) => Ok(false),
    }
}

impl GuideMeeting {
    /// A group that the format can say, as `entity` lists it.
    pub fn of(listed: &Listed, entity: &str) -> Self {
        let Listed { id, details, schedule, joining, changed_at } = listed;
        let meeting = Self {
            slug: id.to_string(),
            name: details.name.to_string(),
            attendance_option: match details.mode {
                MeetingMode::InPerson => "in_person",
                MeetingMode::Virtual => "online",
                MeetingMode::Hybrid => "hybrid",
            },
            types: types(details, schedule.as_ref()),
            notes: details.comments.as_ref().map(ToString::to_string),
            url: details.website.as_ref().map(uri),
            entity: entity.into(),
            updated: updated(*changed_at),
            ..Self::default()
        };
        meeting.when(schedule.as_ref()).at(details.venue.as_ref(), details.mode).joined(joining.as_ref())
    }

    fn when(self, schedule: Option<&Schedule>) -> Self {
        let Some((schedule, rule)) = schedule.and_then(|schedule| Some((schedule, Rule::of(schedule)?))) else {
            return self;
        };
        let mut day: Vec<_> = rule.weekdays().days().map(Weekday::since_sunday).collect();
        day.sort_unstable();
        let (start, length) = (schedule.starts_at, SignedDuration::from_mins(schedule.duration_minutes.into()));
        let clock = |time: jiff::civil::Time| time.strftime("%H:%M").to_string();
        Self {
            day,
            time: Some(clock(start)),
            end_time: Some(clock(start.wrapping_add(length))),
            timezone: Some(schedule.time_zone.to_string()),
            ..self
        }
    }

    /// Where it is. Of a group that meets online only, no more than the town that it is of: nobody can go there.
    fn at(self, venue: Option<&Venue>, mode: MeetingMode) -> Self {
        let Some(venue) = venue else { return self };
        let text = |text: Option<String>| text.filter(|_| mode != MeetingMode::Virtual);
        let place = venue.coordinates.filter(|_| mode != MeetingMode::Virtual);
        Self {
            location: text(venue.name.as_ref().map(ToString::to_string)),
            location_notes: text(venue.directions.as_ref().map(ToString::to_string)),
            address: text(venue.street.as_ref().map(ToString::to_string)),
            region: text(venue.neighbourhood.as_ref().map(ToString::to_string)),
            city: venue.locality.as_ref().map(ToString::to_string),
            state: venue.region.as_ref().map(ToString::to_string),
            postal_code: venue.postal_code.as_ref().map(ToString::to_string),
            country: venue.country.as_ref().map(ToString::to_string),
            latitude: place.map(|place| place.latitude),
            longitude: place.map(|place| place.longitude),
            approximate: Some(if mode == MeetingMode::Virtual || venue.street.is_none() { "yes" } else { "no" }),
            ..self
        }
    }

    fn joined(self, joining: Option<&Joining>) -> Self {
        let Some(Joining { url, instructions, telephone, telephone_instructions }) = joining else { return self };
        let dialled = telephone.as_ref().map(|number| (dialled(number.as_str()), number));
        let (number, unfit) = match dialled {
            Some((Some(dialled), _)) => (Some(dialled), None),
            Some((None, as_given)) => (None, Some(as_given.to_string())),
            None => (None, None),
        };
        let notes = [unfit, telephone_instructions.as_ref().map(ToString::to_string)];
        let notes: Vec<_> = notes.into_iter().flatten().collect();
        Self {
            conference_url: url.as_ref().map(uri),
            conference_url_notes: instructions.as_ref().map(ToString::to_string),
            conference_phone: number,
            conference_phone_notes: (!notes.is_empty()).then(|| notes.join("; ")),
            ..self
        }
    }
}

/// As the format has times.
fn updated(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// A number as telephones dial it: digits, a `+` before them, `,`, `*` and `#` between them; none if it is not one.
fn dialled(number: &str) -> Option<String> {
    let dialled: String = number.chars().filter(|c| !" -().\u{a0}/".contains(*c)).collect();
    let digits = dialled.strip_prefix('+').unwrap_or(&dialled);
    let begins = digits.starts_with(|c: char| c.is_ascii_digit());
    (begins && digits.chars().all(|c| c.is_ascii_digit() || ",*#".contains(c))).then_some(dialled)
}

/// An address in ASCII (RFC 3987, 3.1), as a URI has it.
pub(crate) fn uri(link: &domain::group::Link) -> String {
    let mut uri = String::new();
    for c in link.as_str().chars() {
        if c.is_ascii() {
            uri.push(c);
        } else {
            uri.extend(c.encode_utf8(&mut [0; 4]).bytes().map(|byte| format!("%{byte:02X}")));
        }
    }
    uri
}

/// The codes for what it offers, its language, and those of its formats that the format knows by name.
fn types(details: &Details, schedule: Option<&Schedule>) -> Vec<&'static str> {
    let offers = details.accessibility.iter().copied();
    let offers = offers.filter(|offer| *offer != Accessibility::SignLanguage || is_american(details, schedule));
    let offers = offers.filter_map(|offer| MeetingType::code(|known| known == MeetingType::Offers(offer)));
    let language = details.language.as_ref().and_then(|tag| {
        let main = tag.as_str().split('-').next().unwrap_or_default();
        MeetingType::code(|known| matches!(known, MeetingType::Language(_, tag) if tag.eq_ignore_ascii_case(main)))
    });
    let formats = details.formats.iter().filter_map(|format| {
        let is = |name: &str| name.eq_ignore_ascii_case(format.as_str());
        MeetingType::code(|known| match known {
            MeetingType::Format(name) | MeetingType::Language(name, _) => is(name),
            _ => false,
        })
    });
    let mut types = vec![];
    for code in language.into_iter().chain(formats).chain(offers) {
        if !types.contains(&code) {
            types.push(code);
        }
    }
    types
}

/// Whether the sign language of a group is the American one, the only one that has a code.
fn is_american(details: &Details, schedule: Option<&Schedule>) -> bool {
    const COUNTRIES: [&str; 5] = ["US", "USA", "United States", "CA", "Canada"];
    match details.venue.as_ref().and_then(|venue| venue.country.as_ref()) {
        Some(country) => COUNTRIES.iter().any(|known| known.eq_ignore_ascii_case(country.as_str())),
        None => schedule.is_some_and(|schedule| schedule.time_zone.as_str().starts_with("America/")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_written_as_it_is_dialled() {
        for (given, dials) in [
            ("+1 (646) 558-8656", Some("+16465588656")),
            ("0800 123 45/67", Some("08001234567")),
            ("+16465588656,,123456789#", Some("+16465588656,,123456789#")),
            ("ask Bee", None),
            ("1-800-FLOWERS", None),
            ("#31", None),
            ("", None),
        ] {
            assert_eq!(dialled(given).as_deref(), dials, "{given}");
        }
    }

    #[test]
    fn an_address_is_written_in_ascii() {
        assert_eq!(uri(&"https://example.org/tür?a=1%20".parse().unwrap()), "https://example.org/t%C3%BCr?a=1%20");
    }
}
