//! Rows with Kith's own columns: how somebody writes down the groups of an organisation in a spreadsheet.

use std::borrow::Cow;

use domain::{
    ProgrammeId, Schedule, Text,
    group::{self, Accessibility, Cost, Focus, Joining, MeetingMode, Venue},
};
use jiff::civil::{Date, Time};
use uuid::Uuid;

use super::{
    Listing, Meeting, Origin, fields, gather, id,
    remark::Remarks,
    rows::{Row, Rows},
};

/// A column, and what stands in it.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What to write there.
    pub about: &'static str,
    /// An example.
    pub example: &'static str,
}

const fn column(name: &'static str, about: &'static str, example: &'static str) -> Column {
    Column { name, about, example }
}

/// All columns.
pub const COLUMNS: &[Column] = &[
    column("id", "your own short id of the group, which must not change; without one its name is taken", "tue-steps"),
    column("name", "what the group is called; the only column that must be there", "Tuesday Steps"),
    column(
        "programme",
        "name of the programme that it belongs to, which is made by the import; or the id of one that is here",
        "Recovery",
    ),
    column("focus", "addiction, mental_health, chronic_illness or other", "addiction"),
    column(
        "mode",
        "in_person, virtual or hybrid; if it is empty, what there is of a place and of a link decides",
        "hybrid",
    ),
    column("weekday", "weekdays, such as Tuesday, or Mon, Thu", "Tuesday"),
    column("recurrence", "instead of weekday: a rule of RFC 5545, such as FREQ=MONTHLY;BYDAY=1TU", ""),
    column("starts_on", "first date from which the rule counts, such as 2026-01-06", ""),
    column("starts_at", "local start, such as 19:00", "19:00"),
    column("duration_minutes", "length, 1 to 1440; 60 if it is empty", "90"),
    column("time_zone", "IANA time zone, if it is not that of the import", "America/New_York"),
    column("formats", "how meetings go, separated by commas", "Discussion, Step"),
    column("language", "tag of the language (BCP 47), such as en", "en"),
    column("comments", "anything a newcomer should know", "Newcomers welcome"),
    column("venue_name", "building or room", "Community Hall"),
    column("directions", "how to find the door", "second bell"),
    column("street", "street and number", "12 Elm Street"),
    column("neighbourhood", "part of the town", ""),
    column("locality", "town", "Brooklyn"),
    column("region", "state, county or province", "NY"),
    column("postal_code", "postal code", "11201"),
    column("country", "country", "USA"),
    column("latitude", "degrees north", "40.6943"),
    column("longitude", "degrees east", "-73.9903"),
    column("online_url", "address of the meeting online", "https://meet.example.org/steps"),
    column("online_instructions", "what is needed there, such as a password", ""),
    column("online_telephone", "number to call", ""),
    column("online_telephone_instructions", "what is needed there", ""),
    column("online_public", "yes if anybody may know how to join; else only members of the group do", "no"),
    column(
        "accessibility",
        "wheelchair_access, accessible_toilet, sign_language, hearing_loop, captions, child_care, child_friendly, \
         fragrance_free; separated by commas",
        "wheelchair_access",
    ),
    column("cost", "free, contribution or fee", "free"),
    column("cost_details", "how much, and what for", ""),
    column("website", "page of the group", ""),
    column("listed", "yes if it may be shown in public lists", "yes"),
];

/// Name of the programme of groups that name none.
const NO_PROGRAMME: &str = "Groups";

/// Reads the rows.
pub(super) fn read(rows: &Rows, origin: &Origin) -> Listing {
    gather(rows, origin, "name", known_by, |id, row, remarks| group(id, row, origin, remarks))
}

/// Its own id, or else what follows from its name.
fn known_by(row: &Row) -> Option<Cow<'_, str>> {
    if let (Some(_), own) = (row.text("id"), id(row, "id")) {
        own.map(Into::into)
    } else {
        let name: Text<200> = row.text("name")?.parse().ok()?;
        let name = Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_str().to_lowercase().as_bytes());
        Some(format!("name-{}", name.simple()).into())
    }
}

fn group(id: &str, row: &Row, origin: &Origin, remarks: &mut Remarks<'_>) -> Option<Meeting> {
    let name = fields::name("name", row, remarks)?;
    let schedule = schedule(row, origin, remarks).ok()?;
    let (programme, body) = programme(row, origin, remarks);
    let fields = ["online_url", "online_instructions", "online_telephone", "online_telephone_instructions"];
    let joining = fields::joining(fields, row, remarks);
    let mode = mode(row, joining.as_ref(), remarks);
    let details = group::Details {
        name,
        programme,
        focus: word("focus", row, FOCUSES, remarks).unwrap_or(origin.focus),
        formats: formats(row, remarks),
        mode,
        venue: venue(row, mode, remarks),
        language: fields::language("language", row, remarks),
        comments: remarks.text("comments", row.text("comments")),
        accessibility: accessibility(row, remarks),
        cost: word("cost", row, COSTS, remarks),
        cost_details: remarks.text("cost_details", row.text("cost_details")),
        website: fields::link("website", row, remarks),
        listed: says_yes("listed", row, remarks),
        source: origin.source_of(id),
    };
    let joining_public = says_yes("online_public", row, remarks);
    Some(Meeting { details, schedule, joining, joining_public, body })
}

/// Its programme, by the id of one that is here, or by a name.
fn programme(row: &Row, origin: &Origin, remarks: &mut Remarks<'_>) -> (ProgrammeId, Option<(String, Text<200>)>) {
    if let Some(programme) = row.text("programme").and_then(|id| id.parse().ok()) {
        return (programme, None);
    }
    let name: Text<200> = remarks
        .text("programme", row.text("programme"))
        .unwrap_or_else(|| NO_PROGRAMME.parse().expect("short and plain"));
    let key = name.as_str().to_lowercase();
    (origin.programme(&key), Some((key, name)))
}

const FOCUSES: &[(&str, Focus)] = &[
    ("addiction", Focus::Addiction),
    ("mental_health", Focus::MentalHealth),
    ("chronic_illness", Focus::ChronicIllness),
    ("other", Focus::Other),
];
const MODES: &[(&str, MeetingMode)] = &[
    ("in_person", MeetingMode::InPerson),
    ("virtual", MeetingMode::Virtual),
    ("online", MeetingMode::Virtual),
    ("hybrid", MeetingMode::Hybrid),
];
const COSTS: &[(&str, Cost)] = &[("free", Cost::Free), ("contribution", Cost::Contribution), ("fee", Cost::Fee)];
const ANSWERS: &[(&str, bool)] = &[
    ("yes", true),
    ("true", true),
    ("1", true),
    ("y", true),
    ("x", true),
    ("no", false),
    ("false", false),
    ("0", false),
    ("n", false),
];

/// As words are compared: in small letters, with lines instead of spaces and hyphens.
fn folded(text: &str) -> String {
    text.trim().to_lowercase().replace([' ', '-'], "_")
}

/// One of a few words; another one is left out.
fn word<T: Copy>(field: &'static str, row: &Row, words: &[(&str, T)], remarks: &mut Remarks<'_>) -> Option<T> {
    let given = row.text(field)?;
    let found = words.iter().find(|(word, _)| *word == folded(given)).map(|(_, is)| *is);
    if found.is_none() {
        let known: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        remarks.note(field, Some(given), format!("is none of {}; it is left out", known.join(", ")));
    }
    found
}

/// Whether it says yes: nothing is no.
fn says_yes(field: &'static str, row: &Row, remarks: &mut Remarks<'_>) -> bool {
    word(field, row, ANSWERS, remarks).unwrap_or_default()
}

fn mode(row: &Row, joining: Option<&Joining>, remarks: &mut Remarks<'_>) -> MeetingMode {
    let online = joining.is_some_and(|joining| !joining.leads_nowhere());
    let place = row.text("street").or_else(|| row.text("venue_name")).is_some();
    word("mode", row, MODES, remarks).unwrap_or(match (online, place) {
        (true, false) => MeetingMode::Virtual,
        (true, true) => MeetingMode::Hybrid,
        (false, _) => MeetingMode::InPerson,
    })
}

fn formats(row: &Row, remarks: &mut Remarks<'_>) -> Vec<Text<80>> {
    let mut formats = Vec::<Text<80>>::new();
    for name in row.list("formats") {
        formats.extend(remarks.text("formats", Some(name)).filter(|name| !formats.contains(name)));
    }
    if formats.len() > group::FORMATS_MAX {
        let what = format!("are more than {}; the others are left out", group::FORMATS_MAX);
        remarks.note("formats", row.text("formats"), what);
        formats.truncate(group::FORMATS_MAX);
    }
    formats
}

fn accessibility(row: &Row, remarks: &mut Remarks<'_>) -> Vec<Accessibility> {
    let mut all = Vec::new();
    for given in row.list("accessibility") {
        match folded(given).parse::<Accessibility>() {
            Ok(offer) => all.extend((!all.contains(&offer)).then_some(offer)),
            Err(_) => remarks.note("accessibility", Some(given), "is none of the words for it; it is left out"),
        }
    }
    all
}

/// When it meets; nothing if nothing of it is said.
fn schedule(row: &Row, origin: &Origin, remarks: &mut Remarks<'_>) -> Result<Option<Schedule>, ()> {
    let (weekday, recurrence) = (row.text("weekday"), row.text("recurrence"));
    let start = row.text("starts_at");
    let field = if recurrence.is_some() { "recurrence" } else { "weekday" };
    match (weekday, recurrence, start) {
        (None, None, None) => return Ok(None),
        (Some(_), Some(_), _) => {
            return refuse(field, recurrence, "stands beside a weekday; one of them is needed", remarks);
        }
        (None, None, Some(_)) => return refuse(field, None, "is needed beside a start", remarks),
        _ => {}
    }
    let Some(starts_at) = start.and_then(fields::time_of_clock) else {
        return refuse("starts_at", start, "is not a time of day such as 19:00", remarks);
    };
    let minutes = match row.text("duration_minutes") {
        None => fields::MINUTES_DEFAULT,
        given => fields::minutes_of("duration_minutes", given, given.and_then(|given| given.parse().ok()), remarks),
    };
    let zone = fields::time_zone("time_zone", row, origin, remarks);
    let schedule = match recurrence {
        None => weekdays(row, (starts_at, minutes, zone), remarks)?,
        Some(rule) => by_rule(rule, row, (starts_at, minutes, zone), remarks)?,
    };
    match crate::calendar::validate(&schedule) {
        Ok(()) => Ok(Some(schedule)),
        Err(error) => refuse(field, row.text(field), error.to_string(), remarks),
    }
}

fn refuse<T>(
    field: &'static str,
    value: Option<&str>,
    what: impl Into<String>,
    remarks: &mut Remarks<'_>,
) -> Result<T, ()> {
    remarks.reject(field, value, what);
    Err(())
}

fn weekdays(
    row: &Row,
    (starts_at, minutes, zone): (Time, u16, Text<64>),
    remarks: &mut Remarks<'_>,
) -> Result<Schedule, ()> {
    let given = row.list("weekday");
    let days: Vec<_> = given.iter().filter_map(|day| fields::weekday(day)).collect();
    if days.len() < given.len() || days.is_empty() {
        return refuse("weekday", row.text("weekday"), "is not the name of a weekday, or several with commas", remarks);
    }
    let schedule = fields::weekly(&days, starts_at, minutes, zone);
    let starts_on = starts_on(row, remarks)?.unwrap_or(schedule.starts_on);
    Ok(Schedule { starts_on, ..schedule })
}

fn by_rule(
    rule: &str,
    row: &Row,
    (starts_at, duration_minutes, time_zone): (Time, u16, Text<64>),
    remarks: &mut Remarks<'_>,
) -> Result<Schedule, ()> {
    let rule = rule.strip_prefix("RRULE:").unwrap_or(rule);
    let Ok(recurrence) = rule.parse() else {
        return refuse("recurrence", Some(rule), "is too long for a rule", remarks);
    };
    let counts = ["INTERVAL=", "COUNT="].iter().any(|part| rule.to_uppercase().contains(part));
    let starts_on = starts_on(row, remarks)?;
    if counts && starts_on.is_none() {
        return refuse("starts_on", None, "is needed: the rule counts from it", remarks);
    }
    let starts_on = starts_on.unwrap_or(fields::ANCHOR);
    Ok(Schedule { starts_on, starts_at, duration_minutes, time_zone, recurrence, except: vec![] })
}

fn starts_on(row: &Row, remarks: &mut Remarks<'_>) -> Result<Option<Date>, ()> {
    let Some(given) = row.text("starts_on") else { return Ok(None) };
    match given.parse() {
        Ok(date) => Ok(Some(date)),
        Err(_) => refuse("starts_on", Some(given), "is not a date such as 2026-01-06", remarks),
    }
}

fn venue(row: &Row, mode: MeetingMode, remarks: &mut Remarks<'_>) -> Option<Venue> {
    let has_place = ["latitude", "longitude"].iter().any(|field| row.text(field).is_some());
    let venue = Venue {
        name: remarks.text("venue_name", row.text("venue_name")),
        directions: remarks.text("directions", row.text("directions")),
        street: remarks.text("street", row.text("street")),
        neighbourhood: remarks.text("neighbourhood", row.text("neighbourhood")),
        locality: remarks.text("locality", row.text("locality")),
        region: remarks.text("region", row.text("region")),
        postal_code: remarks.text("postal_code", row.text("postal_code")),
        country: remarks.text("country", row.text("country")),
        // Who keeps a spreadsheet need not know degrees.
        coordinates: if has_place { fields::coordinates(row, mode, remarks) } else { None },
    };
    (venue != Venue::default()).then_some(venue)
}

#[cfg(test)]
mod tests;
