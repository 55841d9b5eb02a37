//! Listings of a BMLT server (Basic Meeting List Toolbox, recovery meetings): weekly meetings, and the service bodies that
//! hold them.

mod formats;
mod meeting;

use std::collections::BTreeMap;

use domain::Text;

use super::{
    Answer, Listing, Origin, gather, id,
    remark::Remarks,
    rows::{Row, Rows},
};
use formats::Formats;

/// Fields of meetings, formats and service bodies that Kith reads.
pub(super) const FIELDS: &[&str] = &[
    "id_bigint",
    "service_body_bigint",
    "weekday_tinyint",
    "start_time",
    "duration_time",
    "time_zone",
    "formats",
    "venue_type",
    "lang_enum",
    "longitude",
    "latitude",
    "published",
    "meeting_name",
    "location_text",
    "location_info",
    "location_street",
    "location_city_subsection",
    "location_neighborhood",
    "location_municipality",
    "location_province",
    "location_postal_code_1",
    "location_nation",
    "comments",
    "train_lines",
    "bus_lines",
    "virtual_meeting_link",
    "virtual_meeting_additional_info",
    "phone_meeting_number",
    "key_string",
    "name_string",
    "lang",
    "world_id",
    "id",
    "name",
];

/// Stands for the service body of meetings that have none.
const NO_BODY: &str = "none";

/// Reads what a server answered.
pub(super) fn read(answer: &Answer, origin: &Origin) -> Listing {
    let (formats, names) = (Formats::of(&answer.formats), names(&answer.service_bodies));
    let mut known = BTreeMap::<&str, Text<200>>::new();
    let of = |row| id(row, "id_bigint").map(Into::into);
    gather(&answer.meetings, origin, "id_bigint", of, |id, row, remarks| {
        let mut meeting = meeting::read(id, row, origin, &formats, remarks)?;
        let body = body(row);
        let name = known.entry(body.unwrap_or(NO_BODY)).or_insert_with(|| name(body, &names, remarks));
        meeting.body = Some((body.unwrap_or(NO_BODY).into(), name.clone()));
        Some(meeting)
    })
}

/// The id of a meeting's service body.
fn body(row: &Row) -> Option<&str> {
    id(row, "service_body_bigint")
}

/// Names of the service bodies by their ids.
fn names(bodies: &Rows) -> BTreeMap<&str, &str> {
    bodies.0.iter().filter_map(|row| Some((id(row, "id")?, row.text("name")?))).collect()
}

fn name(body: Option<&str>, names: &BTreeMap<&str, &str>, remarks: &mut Remarks<'_>) -> Text<200> {
    const FIELD: &str = "service_body_bigint";
    let fallback = body.map_or_else(|| "Without a service body".into(), |id| format!("Service body {id}"));
    let name = body.and_then(|id| names.get(id).copied()).unwrap_or_else(|| {
        let what = format!("is not among the listed service bodies; its programme is called `{fallback}`");
        remarks.note(FIELD, body, what);
        &fallback
    });
    remarks.text(FIELD, Some(name)).unwrap_or_else(|| fallback.parse().expect("an id is short and plain"))
}

#[cfg(test)]
mod tests;
