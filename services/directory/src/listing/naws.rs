//! Rows of a NAWS export, as BMLT servers write it as CSV: weekly meetings of Narcotics Anonymous, with the codes of its
//! World Services.

mod formats;

use std::{borrow::Cow, collections::HashMap};

use domain::{
    Schedule, Text,
    group::{self, Accessibility, Joining, MeetingMode, Venue},
};

use super::{
    Listing, Meeting, Origin, fields, gather, id,
    remark::Remarks,
    rows::{Row, Rows},
};
use formats::Format;

/// Columns that Kith reads, in small letters. What is known of contacts (names, addresses, telephones) is not among them.
pub(super) const FIELDS: &[&str] = &[
    "committee",
    "committeename",
    "arearegion",
    "parentname",
    "room",
    "closed",
    "wheelchr",
    "day",
    "time",
    "duration",
    "language1",
    "place",
    "address",
    "city",
    "locborough",
    "state",
    "zip",
    "country",
    "directions",
    "institutional",
    "format1",
    "format2",
    "format3",
    "format4",
    "format5",
    "delete",
    "longitude",
    "latitude",
    "phonemeetingnumber",
    "virtualmeetinglink",
    "virtualmeetinginfo",
    "timezone",
    "venuetype",
    "bmlt_id",
    "unpublished",
    "published",
];

/// Columns with codes of formats.
const FORMATS: [&str; 6] = ["closed", "format1", "format2", "format3", "format4", "format5"];
/// Stands for the area of meetings that name none.
const NO_AREA: &str = "none";

/// Reads the rows.
pub(super) fn read(rows: &Rows, origin: &Origin) -> Listing {
    let mut codes = HashMap::<&str, usize>::new();
    for code in rows.0.iter().filter_map(|row| id(row, "committee")) {
        *codes.entry(code).or_default() += 1;
    }
    gather(rows, origin, "committee", |row| known_by(row, &codes), |id, row, remarks| meeting(id, row, origin, remarks))
}

/// The id on the server, or the code of World Services. Several meetings of one group can share a code: then day and time
/// tell them apart, whatever the order of the rows.
fn known_by<'a>(row: &'a Row, codes: &HashMap<&str, usize>) -> Option<Cow<'a, str>> {
    if let Some(id) = id(row, "bmlt_id") {
        return Some(format!("bmlt-{id}").into());
    }
    let code = id(row, "committee")?;
    if codes.get(code).is_none_or(|rows| *rows == 1) {
        return Some(code.into());
    }
    let day = row.text("day").and_then(fields::weekday)?;
    let time = row.text("time").and_then(fields::time_of_clock)?;
    Some(format!("{code}-{day}-{:02}{:02}", time.hour(), time.minute()).into())
}

fn meeting(id: &str, row: &Row, origin: &Origin, remarks: &mut Remarks<'_>) -> Option<Meeting> {
    if row.text("delete").is_some_and(|said| said.eq_ignore_ascii_case("d")) {
        remarks.reject("delete", row.text("delete"), "says that the meeting was deleted");
        return None;
    }
    let name = fields::name("committeename", row, remarks)?;
    let schedule = schedule(row, origin, remarks)?;
    let formats = resolve(row, remarks);
    let fields = ["virtualmeetinglink", "virtualmeetinginfo", "phonemeetingnumber", ""];
    let joining = fields::joining(fields, row, remarks);
    let mode = mode(row, &formats, joining.as_ref(), remarks);
    let closed = formats.closed && mode == MeetingMode::InPerson;
    if closed {
        remarks.note("format1", Some("TC"), "the place is closed for now; no meetings are planned");
    }
    let (area, listed) = (area(row, remarks), listed(row, remarks));
    let details = group::Details {
        name,
        programme: origin.programme(&area.0),
        focus: origin.focus,
        formats: formats.names,
        mode,
        venue: venue(row, mode, remarks),
        language: language(row, remarks),
        comments: None,
        accessibility: formats.accessibility,
        cost: None,
        cost_details: None,
        website: None,
        listed,
        source: origin.source_of(id),
    };
    Some(Meeting {
        details,
        schedule: (!closed).then_some(schedule),
        joining,
        joining_public: listed,
        body: Some(area),
    })
}

fn schedule(row: &Row, origin: &Origin, remarks: &mut Remarks<'_>) -> Option<Schedule> {
    let (day, time) = (row.text("day"), row.text("time"));
    let (weekday, starts_at) = (day.and_then(fields::weekday), time.and_then(fields::time_of_clock));
    if weekday.is_none() {
        remarks.reject("day", day, "is not the name of a weekday");
    }
    if starts_at.is_none() {
        remarks.reject("time", time, "is not a time of day such as 1930");
    }
    let (weekday, starts_at) = (weekday?, starts_at?);
    // The export itself says nothing of it.
    let minutes = match row.text("duration") {
        None => fields::MINUTES_DEFAULT,
        Some(_) => fields::duration("duration", row, remarks),
    };
    Some(fields::weekly(&[weekday], starts_at, minutes, fields::time_zone("timezone", row, origin, remarks)))
}

/// What a meeting's codes come to.
#[derive(Default)]
struct Formats {
    names: Vec<Text<80>>,
    accessibility: Vec<Accessibility>,
    mode: Option<MeetingMode>,
    closed: bool,
}

/// The formats of a meeting. A code that is not known is kept as its own name.
fn resolve(row: &Row, remarks: &mut Remarks<'_>) -> Formats {
    let mut resolved = Formats::default();
    if is_true(row.text("wheelchr")) {
        resolved.accessibility.push(Accessibility::WheelchairAccess);
    }
    for field in FORMATS {
        let Some(code) = row.text(field) else { continue };
        let name = match formats::of(&code.to_uppercase()) {
            Some(Format::Named(name)) => name,
            Some(Format::Offers(offer)) => {
                let known = resolved.accessibility.contains(&offer);
                resolved.accessibility.extend((!known).then_some(offer));
                continue;
            }
            Some(Format::Held(mode)) => {
                resolved.mode = resolved.mode.filter(|known| *known == MeetingMode::Hybrid).or(Some(mode));
                continue;
            }
            Some(Format::Closed) => {
                resolved.closed = true;
                continue;
            }
            None => {
                remarks.note(field, Some(code), "is not a code of NAWS; the code stands for its name");
                code
            }
        };
        resolved.names.extend(remarks.text(field, Some(name)).filter(|name| !resolved.names.contains(name)));
    }
    resolved
}

/// How it takes place: as `VenueType` says it, as its codes do, or as there is a street and something to join.
fn mode(row: &Row, formats: &Formats, joining: Option<&Joining>, remarks: &mut Remarks<'_>) -> MeetingMode {
    const FIELD: &str = "venuetype";
    let online = joining.is_some_and(|joining| !joining.leads_nowhere());
    let told = formats.mode.unwrap_or(match (online, row.text("address").is_some()) {
        (true, true) => MeetingMode::Hybrid,
        (true, false) => MeetingMode::Virtual,
        (false, _) => MeetingMode::InPerson,
    });
    let mode = match row.text(FIELD).map(|said| said.to_lowercase().replace([' ', '_'], "-")).as_deref() {
        None => told,
        Some("in-person") => MeetingMode::InPerson,
        Some("virtual") => MeetingMode::Virtual,
        Some("hybrid") => MeetingMode::Hybrid,
        Some(_) => {
            remarks.note(FIELD, row.text(FIELD), "is not In-Person, Virtual or Hybrid; formats decide");
            told
        }
    };
    // It goes on online while its place is closed.
    if formats.closed && mode == MeetingMode::Hybrid { MeetingMode::Virtual } else { mode }
}

/// The id and the name of the area or region that it belongs to.
fn area(row: &Row, remarks: &mut Remarks<'_>) -> (String, Text<200>) {
    let Some(area) = id(row, "arearegion") else {
        let what = "is not the code of an area; its programme is called `Without an area`";
        remarks.note("arearegion", row.text("arearegion"), what);
        return (NO_AREA.into(), "Without an area".parse().expect("short and plain"));
    };
    let name = remarks.text("parentname", row.text("parentname"));
    (area.to_uppercase(), name.unwrap_or_else(|| format!("Area {area}").parse().expect("an id is short and plain")))
}

/// Whether it may be shown: what the server publishes, unless it is behind doors that are locked.
fn listed(row: &Row, remarks: &mut Remarks<'_>) -> bool {
    if is_true(row.text("institutional")) {
        remarks.note(
            "institutional",
            row.text("institutional"),
            "says that it is in an institution; it stays unlisted",
        );
        return false;
    }
    !is_true(row.text("unpublished")) && row.text("published").is_none_or(|said| is_true(Some(said)))
}

fn is_true(said: Option<&str>) -> bool {
    said.is_some_and(|said| matches!(said.to_lowercase().as_str(), "true" | "1" | "yes" | "t" | "y"))
}

fn language(row: &Row, remarks: &mut Remarks<'_>) -> Option<Text<35>> {
    let code = row.text("language1")?;
    if !(2..=3).contains(&code.len()) {
        remarks.note("language1", Some(code), "is not the tag of a language; it is left out");
        return None;
    }
    code.to_lowercase().parse().ok()
}

fn venue(row: &Row, mode: MeetingMode, remarks: &mut Remarks<'_>) -> Option<Venue> {
    let directions = ["room", "directions"].into_iter().filter_map(|field| row.text(field)).collect::<Vec<_>>();
    let venue = Venue {
        name: remarks.text("place", row.text("place")),
        directions: remarks.text("directions", Some(&directions.join(", "))),
        street: remarks.text("address", row.text("address")),
        neighbourhood: remarks.text("locborough", row.text("locborough")),
        locality: remarks.text("city", row.text("city")),
        region: remarks.text("state", row.text("state")),
        postal_code: remarks.text("zip", row.text("zip")),
        country: remarks.text("country", row.text("country")),
        coordinates: fields::coordinates(row, mode, remarks),
    };
    if mode != MeetingMode::Virtual && venue.name.is_none() && venue.street.is_none() {
        remarks.note("address", None, "has neither a street nor the name of a place: nobody can find it");
    }
    (venue != Venue::default()).then_some(venue)
}

#[cfg(test)]
mod tests;
