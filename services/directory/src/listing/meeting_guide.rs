//! Feeds in the Meeting Guide format (also called TSML JSON): a list of meetings, as websites of fellowships publish it.

use domain::{
    Schedule, Text,
    group::{self, Accessibility, Joining, MeetingMode, MeetingType, Venue},
};

use super::{
    Listing, Meeting, Origin, fields, gather,
    remark::Remarks,
    rows::{Row, Rows},
};

/// Fields that Kith reads. What is known of contacts (names, telephones, e-mails) is not among them.
pub(super) const FIELDS: &[&str] = &[
    "slug",
    "name",
    "day",
    "time",
    "end_time",
    "timezone",
    "types",
    "attendance_option",
    "conference_url",
    "conference_url_notes",
    "conference_phone",
    "conference_phone_notes",
    "location",
    "location_notes",
    "address",
    "formatted_address",
    "approximate",
    "city",
    "state",
    "region",
    "sub_region",
    "postal_code",
    "country",
    "latitude",
    "longitude",
    "group",
    "notes",
    "website",
    "url",
    "entity",
];

/// Longest slug, in characters.
const SLUG_CHARS_MAX: usize = 150;
/// Stands for the body of meetings that name none.
const NO_ENTITY: &str = "none";

/// Reads a feed.
pub(super) fn read(rows: &Rows, origin: &Origin) -> Listing {
    gather(
        rows,
        origin,
        "slug",
        |row| slug(row).map(Into::into),
        |slug, row, remarks| meeting(slug, row, origin, remarks),
    )
}

fn slug(row: &Row) -> Option<&str> {
    let fits = |slug: &&str| {
        slug.chars().count() <= SLUG_CHARS_MAX && !slug.contains(|c: char| c.is_whitespace() || c.is_control())
    };
    row.text("slug").filter(fits)
}

fn meeting(slug: &str, row: &Row, origin: &Origin, remarks: &mut Remarks<'_>) -> Option<Meeting> {
    let name = fields::name("name", row, remarks)?;
    let schedule = schedule(row, origin, remarks).ok()?;
    let types = resolve(row, remarks);
    let fields = ["conference_url", "conference_url_notes", "conference_phone", "conference_phone_notes"];
    let joining = fields::joining(fields, row, remarks);
    let (mode, closed) = mode(row, &types, joining.as_ref(), remarks);
    let entity = entity(row, origin, remarks);
    let details = group::Details {
        name,
        programme: origin.programme(&entity.0),
        focus: origin.focus,
        formats: types.formats,
        mode,
        venue: venue(row, mode, remarks),
        language: types.language,
        comments: comments(row, remarks),
        accessibility: types.accessibility,
        cost: None,
        cost_details: None,
        website: ["website", "url"].into_iter().find_map(|field| fields::link(field, row, remarks)),
        listed: true,
        source: origin.source_of(slug),
    };
    Some(Meeting { details, schedule: schedule.filter(|_| !closed), joining, joining_public: true, body: Some(entity) })
}

/// The calendar; none for a meeting without a fixed time, which is held by appointment.
fn schedule(row: &Row, origin: &Origin, remarks: &mut Remarks<'_>) -> Result<Option<Schedule>, ()> {
    let given = row.list("day");
    let day = |day: &&str| day.parse::<usize>().ok().filter(|day| *day < 7).or_else(|| fields::weekday(day));
    let days: Vec<_> = given.iter().filter_map(day).collect();
    if days.len() < given.len() {
        remarks.reject("day", Some(&given.join(", ")), "is not a weekday, 0 (Sunday) to 6");
        return Err(());
    }
    let time = row.text("time");
    let Some(starts_at) = time.and_then(fields::time_of_clock) else {
        if time.is_some() {
            remarks.reject("time", time, "is not a time of day");
            return Err(());
        }
        remarks.note("time", None, "has no fixed time; no meetings are planned");
        return Ok(None);
    };
    if days.is_empty() {
        remarks.note("day", None, "has no fixed day; no meetings are planned");
        return Ok(None);
    }
    let zone = fields::time_zone("timezone", row, origin, remarks);
    Ok(Some(fields::weekly(&days, starts_at, minutes(row, starts_at, remarks), zone)))
}

/// How long it is, from its end, which can be on the next day.
fn minutes(row: &Row, starts_at: jiff::civil::Time, remarks: &mut Remarks<'_>) -> u16 {
    let Some(end) = row.text("end_time") else { return fields::MINUTES_DEFAULT };
    let minutes = fields::time_of_clock(end).map(|end| {
        let minutes = starts_at.duration_until(end).as_mins().rem_euclid(Schedule::MINUTES_MAX.into());
        u16::try_from(minutes).unwrap_or_default()
    });
    fields::minutes_of("end_time", Some(end), minutes, remarks)
}

/// What a meeting's types come to.
#[derive(Default)]
struct Types {
    formats: Vec<Text<80>>,
    accessibility: Vec<Accessibility>,
    language: Option<Text<35>>,
    closed: bool,
    online: bool,
}

/// The types of a meeting. A code that is not known is kept as its own name.
fn resolve(row: &Row, remarks: &mut Remarks<'_>) -> Types {
    const FIELD: &str = "types";
    let mut resolved = Types::default();
    for code in row.list(FIELD) {
        let name = match MeetingType::of(code) {
            Some(MeetingType::Closed) => {
                resolved.closed = true;
                continue;
            }
            Some(MeetingType::Online) => {
                resolved.online = true;
                continue;
            }
            Some(MeetingType::Offers(offer)) => {
                let known = resolved.accessibility.contains(&offer);
                resolved.accessibility.extend((!known).then_some(offer));
                continue;
            }
            Some(MeetingType::Language(_, tag)) if resolved.language.is_none() => {
                resolved.language = tag.parse().ok();
                continue;
            }
            Some(MeetingType::Language(name, _) | MeetingType::Format(name)) => name,
            None => {
                remarks.note(FIELD, Some(code), "is not a type of the Meeting Guide; the code stands for its name");
                code
            }
        };
        resolved.formats.extend(remarks.text(FIELD, Some(name)).filter(|name| !resolved.formats.contains(name)));
    }
    resolved.formats.truncate(group::FORMATS_MAX); // more types there are not
    resolved
}

/// How it takes place, and whether it does not. Some feeds say it; of others, what there is to join tells it.
fn mode(row: &Row, types: &Types, joining: Option<&Joining>, remarks: &mut Remarks<'_>) -> (MeetingMode, bool) {
    const FIELD: &str = "attendance_option";
    let online = types.online || joining.is_some_and(|joining| !joining.leads_nowhere());
    let place = row.text("address").is_some() || (row.text("formatted_address").is_some() && !is_approximate(row));
    let told = match (online, place && !types.closed) {
        (true, false) => MeetingMode::Virtual,
        (true, true) => MeetingMode::Hybrid,
        (false, _) => MeetingMode::InPerson,
    };
    let (mode, closed) = match row.text(FIELD) {
        Some("in_person") => (MeetingMode::InPerson, types.closed && !online),
        Some("online") => (MeetingMode::Virtual, false),
        Some("hybrid") if types.closed => (MeetingMode::Virtual, false),
        Some("hybrid") => (MeetingMode::Hybrid, false),
        Some("inactive") => (told, true),
        None => (told, types.closed && !online),
        other => {
            remarks.note(FIELD, other, "is not in_person, online, hybrid or inactive; what there is to join decides");
            (told, types.closed && !online)
        }
    };
    if closed {
        remarks.note("types", Some("TC"), "the place is closed for now; no meetings are planned");
    }
    (mode, closed)
}

/// Whether its address is a town rather than a house.
fn is_approximate(row: &Row) -> bool {
    row.text("approximate").is_some_and(|said| matches!(said.to_lowercase().as_str(), "yes" | "1" | "true"))
}

/// The id and the name of the body that publishes it.
fn entity(row: &Row, origin: &Origin, remarks: &mut Remarks<'_>) -> (String, Text<200>) {
    match remarks.text::<200>("entity", row.text("entity")) {
        Some(name) => (name.as_str().to_lowercase(), name),
        None => (NO_ENTITY.into(), format!("Meetings of {}", origin.source.as_str()).parse().expect("short and plain")),
    }
}

fn comments(row: &Row, remarks: &mut Remarks<'_>) -> Option<Text<500>> {
    let group =
        row.text("group").filter(|group| row.text("name") != Some(group)).map(|group| format!("Group: {group}"));
    let parts = [row.text("notes").map(Into::into), group];
    remarks.text("notes", Some(&parts.into_iter().flatten().collect::<Vec<_>>().join("; ")))
}

fn venue(row: &Row, mode: MeetingMode, remarks: &mut Remarks<'_>) -> Option<Venue> {
    let whole = Address::of(row);
    let part = row.text("sub_region").or_else(|| row.text("region"));
    let venue = Venue {
        name: remarks.text("location", row.text("location")),
        directions: remarks.text("location_notes", row.text("location_notes")),
        street: remarks.text("address", whole.street.filter(|_| !is_approximate(row))),
        neighbourhood: remarks.text("region", part),
        locality: remarks.text("city", whole.city),
        region: remarks.text("state", whole.state),
        postal_code: remarks.text("postal_code", whole.postal_code),
        country: remarks.text("country", whole.country),
        coordinates: fields::coordinates(row, mode, remarks),
    };
    if mode != MeetingMode::Virtual && venue.name.is_none() && venue.street.is_none() {
        remarks.note("address", None, "has neither a street nor the name of a place: nobody can find it");
    }
    (venue != Venue::default()).then_some(venue)
}

/// An address in its parts.
#[derive(Default)]
struct Address<'a> {
    street: Option<&'a str>,
    city: Option<&'a str>,
    state: Option<&'a str>,
    postal_code: Option<&'a str>,
    country: Option<&'a str>,
}

impl<'a> Address<'a> {
    /// As the fields have it, or else as it can be read from an address on one line.
    fn of(row: &'a Row) -> Self {
        let whole = row.text("formatted_address").map(Self::parse).unwrap_or_default();
        let has_parts = ["address", "city", "state", "postal_code"].iter().any(|field| row.text(field).is_some());
        let whole = if has_parts { Self { street: None, ..whole } } else { whole };
        Self {
            street: row.text("address").or(whole.street),
            city: row.text("city").or(whole.city),
            state: row.text("state").or(whole.state),
            postal_code: row.text("postal_code").or(whole.postal_code),
            country: row.text("country").or(whole.country),
        }
    }

    /// `123 Main St, Anytown, CA 98765, USA`; what has other parts is a street as it is.
    fn parse(line: &'a str) -> Self {
        let parts: Vec<_> = line.split(',').map(str::trim).collect();
        let [street, city, state, country] = parts[..] else {
            return Self { street: Some(line), ..Self::default() };
        };
        let (state, postal_code) = match state.split_once(' ') {
            Some((state, code)) if code.contains(|c: char| c.is_ascii_digit()) => (state, Some(code.trim())),
            _ => (state, None),
        };
        let some = |text: &'a str| (!text.is_empty()).then_some(text);
        Self { street: some(street), city: some(city), state: some(state), postal_code, country: some(country) }
    }
}

#[cfg(test)]
mod tests;
