//! Rows of a listing as they come: values are strings, but numbers, booleans and nulls are met, too.
//!
//! Only the fields that Kith reads are kept, so that what is kept stays in proportion to what was sent.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashSet},
    fmt,
    sync::LazyLock,
};

use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use super::{MEETINGS_MAX, bmlt, groups, meeting_guide, naws};

/// Fields that some kind of listing has and Kith reads, in small letters.
static FIELDS: LazyLock<HashSet<&'static str>> = LazyLock::new(|| {
    let all = [bmlt::FIELDS, meeting_guide::FIELDS, naws::FIELDS];
    all.into_iter().flatten().copied().chain(groups::COLUMNS.iter().map(|column| column.name)).collect()
});
/// Most items of a list in a row that are kept, a count.
const ITEMS_MAX: usize = 100;

/// What a field says.
#[derive(Debug)]
enum Value {
    Text(Box<str>),
    List(Vec<Box<str>>),
}

/// One row: its values that are not empty, trimmed, by field.
#[derive(Debug, Default)]
pub(super) struct Row(BTreeMap<&'static str, Value>);

impl Row {
    /// The value of a field; none if it is missing, empty, or no text.
    pub(super) fn text(&self, field: &str) -> Option<&str> {
        match self.0.get(field)? {
            Value::Text(text) => Some(text),
            Value::List(_) => None,
        }
    }

    /// The values of a field that is a list, or a text with commas.
    pub(super) fn list(&self, field: &str) -> Vec<&str> {
        match self.0.get(field) {
            None => vec![],
            Some(Value::Text(text)) => text.split(',').map(str::trim).filter(|item| !item.is_empty()).collect(),
            Some(Value::List(items)) => items.iter().map(AsRef::as_ref).collect(),
        }
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
    List(Vec<Box<str>>),
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
        let mut items = Vec::new();
        while items.len() < ITEMS_MAX {
            match list.next_element::<Cell>()? {
                None => break,
                Some(Cell::Text(text)) => items.push(text),
                Some(_) => {}
            }
        }
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(if items.is_empty() { Cell::Nothing } else { Cell::List(items) })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Cell, A::Error> {
        let mut row = Row::default();
        while let Some(key) = map.next_key::<Cow<'_, str>>()? {
            let Some(field) = FIELDS.get(key.trim().to_ascii_lowercase().as_str()).copied() else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            match map.next_value()? {
                Cell::Text(text) => drop(row.0.insert(field, Value::Text(text))),
                Cell::List(items) => drop(row.0.insert(field, Value::List(items))),
                Cell::Nothing | Cell::Row(_) => {}
            }
        }
        Ok(Cell::Row(row))
    }
}
