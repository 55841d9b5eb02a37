//! Rows of a listing as they come: values are strings, but numbers, booleans and nulls are met, too.
//!
//! Only the fields that Kith reads are kept, so that what is kept stays in proportion to what was sent.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use super::MEETINGS_MAX;

/// Fields of meetings, formats and service bodies that Kith reads.
pub(super) const FIELDS: [&str; 31] = [
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
    "key_string",
    "name_string",
    "lang",
    "world_id",
    "id",
    "name",
];

/// One row: its values that are not empty, trimmed, by field.
#[derive(Debug, Default)]
pub(super) struct Row(BTreeMap<&'static str, Box<str>>);

impl Row {
    /// The value of a field; none if it is missing, empty, or no text.
    pub(super) fn text(&self, field: &str) -> Option<&str> {
        self.0.get(field).map(AsRef::as_ref)
    }
}

/// At most [`MEETINGS_MAX`] rows. What is not an object is an empty row.
#[derive(Debug, Default)]
pub(super) struct Rows(pub(super) Vec<Row>);

impl<'de> Deserialize<'de> for Rows {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RowsVisitor)
    }
}

struct RowsVisitor;

impl<'de> Visitor<'de> for RowsVisitor {
    type Value = Rows;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list of at most {MEETINGS_MAX} rows")
    }

    fn visit_unit<E>(self) -> Result<Rows, E> {
        Ok(Rows::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Rows, A::Error> {
        let mut rows = Vec::new();
        while let Some(cell) = list.next_element::<Cell>()? {
            if rows.len() == MEETINGS_MAX {
                return Err(A::Error::custom(format_args!("a list has more than {MEETINGS_MAX} rows")));
            }
            rows.push(if let Cell::Row(row) = cell { row } else { Row::default() });
        }
        Ok(Rows(rows))
    }
}

/// Any JSON, as far as it can be part of a listing.
enum Cell {
    Nothing,
    Text(Box<str>),
    Row(Row),
}

impl<'de> Deserialize<'de> for Cell {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CellVisitor)
    }
}

struct CellVisitor;

impl<'de> Visitor<'de> for CellVisitor {
    type Value = Cell;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Cell, E> {
        Ok(Cell::Nothing)
    }
    fn visit_bool<E: Error>(self, value: bool) -> Result<Cell, E> {
        self.visit_str(if value { "1" } else { "0" })
    }
    fn visit_i64<E: Error>(self, value: i64) -> Result<Cell, E> {
        self.visit_str(&value.to_string())
    }
    fn visit_u64<E: Error>(self, value: u64) -> Result<Cell, E> {
        self.visit_str(&value.to_string())
    }
    fn visit_f64<E: Error>(self, value: f64) -> Result<Cell, E> {
        self.visit_str(&value.to_string())
    }
    fn visit_str<E>(self, value: &str) -> Result<Cell, E> {
        let value = value.trim();
        Ok(if value.is_empty() { Cell::Nothing } else { Cell::Text(value.into()) })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Cell, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Cell::Nothing)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Cell, A::Error> {
        let mut row = Row::default();
        while let Some(key) = map.next_key::<Cow<'_, str>>()? {
            match FIELDS.iter().find(|field| **field == key) {
                None => drop(map.next_value::<IgnoredAny>()?),
                Some(field) => {
                    if let Cell::Text(text) = map.next_value()? {
                        row.0.insert(field, text);
                    }
                }
            }
        }
        Ok(Cell::Row(row))
    }
}
