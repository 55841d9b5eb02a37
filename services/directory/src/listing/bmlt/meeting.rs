//! One meeting of a listing as a group.

use domain::{
    Schedule, Text,
    group::{self, MeetingMode, Venue},
};

use super::{
    super::{Meeting, Origin, fields, remark::Remarks, rows::Row},
    NO_BODY, body,
    formats::{self, Formats},
};

/// The group that a meeting becomes; none if it cannot be used.
pub(super) fn read(
    id: &str,
    row: &Row,
    origin: &Origin,
    formats: &Formats<'_>,
    remarks: &mut Remarks<'_>,
) -> Option<Meeting> {
    let name = fields::name("meeting_name", row, remarks)?;
    let schedule = schedule(row, origin, remarks)?;
    let formats = formats::resolve(row, formats, remarks);
    let listed = listed(row, remarks);
    let details = group::Details {
        name,
        programme: origin.programme(body(row).unwrap_or(NO_BODY)),
        focus: origin.focus,
        venue: venue(row, formats.mode, remarks),
        formats: formats.names,
        mode: formats.mode,
        language: fields::language("lang_enum", row, remarks),
        comments: remarks.text("comments", row.text("comments")),
        accessibility: formats.accessibility,
        cost: None,
        cost_details: None,
        website: None,
        listed,
        source: origin.source_of(id),
    };
    let joining = fields::joining(
        ["virtual_meeting_link", "virtual_meeting_additional_info", "phone_meeting_number", ""],
        row,
        remarks,
    );
    let schedule = (!formats.closed).then_some(schedule);
    Some(Meeting { details, schedule, joining, joining_public: listed, body: None }) // the listing knows its name
}

fn schedule(row: &Row, origin: &Origin, remarks: &mut Remarks<'_>) -> Option<Schedule> {
    let weekday = row.text("weekday_tinyint");
    let day = weekday.and_then(|day| day.parse::<usize>().ok()?.checked_sub(1)).filter(|day| *day < 7);
    if day.is_none() {
        remarks.reject("weekday_tinyint", weekday, "is not a weekday, 1 (Sunday) to 7");
    }
    let start = row.text("start_time");
    let starts_at = start.and_then(fields::time_of_day);
    if starts_at.is_none() {
        remarks.reject("start_time", start, "is not a time of day");
    }
    let (day, starts_at) = (day?, starts_at?);
    let minutes = fields::duration("duration_time", row, remarks);
    Some(fields::weekly(&[day], starts_at, minutes, fields::time_zone("time_zone", row, origin, remarks)))
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
        coordinates: fields::coordinates(row, mode, remarks),
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
