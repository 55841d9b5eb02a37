//! JSON as far as it can be part of a directory: only what Kith reads is kept, so that what is kept stays in proportion to
//! what was sent.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use super::rows::{FIELDS, Table};

/// Names that hold other objects, or lists of them.
const NESTED: [&str; 11] = [
    "contents",
    "organization",
    "service",
    "services",
    "location",
    "locations",
    "service_at_locations",
    "schedules",
    "languages",
    "accessibility",
    "cost_options",
];

/// A value.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Cell {
    Nothing,
    Text(Box<str>),
    List(Vec<Cell>),
    Object(Vec<(&'static str, Cell)>),
}

/// The one name that is kept of those that are the same.
fn known(name: &str) -> Option<&'static str> {
    let table = Table::ALL.iter().map(|table| table.file()).find(|file| *file == name);
    table.or_else(|| FIELDS.iter().chain(&NESTED).copied().find(|known| *known == name))
}

impl Cell {
    /// The first value with this name.
    pub(super) fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(fields) => fields.iter().find(|(known, _)| *known == name).map(|(_, value)| value),
            _ => None,
        }
    }

    /// The values of a list with this name; none if there is no such list.
    pub(super) fn list(&self, name: &str) -> Option<&[Self]> {
        match self.get(name) {
            Some(Self::List(all)) => Some(all),
            _ => None,
        }
    }
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
        self.visit_str(if value { "true" } else { "false" })
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
        let mut all = Vec::new();
        while let Some(cell) = list.next_element()? {
            all.push(cell);
        }
        Ok(Cell::List(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Cell, A::Error> {
        let mut fields = Vec::new();
        while let Some(name) = map.next_key::<Cow<'_, str>>()? {
            match known(&name) {
                Some(name) => fields.push((name, map.next_value()?)),
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(Cell::Object(fields))
    }
}
