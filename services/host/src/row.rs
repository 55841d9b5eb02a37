//! From columns to types.

use std::str::FromStr;

use jiff::Timestamp;
use rusqlite::{Row, types::Type};
use serde::{
    Deserialize,
    de::{DeserializeOwned, IntoDeserializer, value::Error},
};
use uuid::Uuid;

fn broken(column: usize, error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error))
}

/// An id.
pub fn uuid(row: &Row<'_>, column: usize) -> rusqlite::Result<Uuid> {
    row.get(column).map(Uuid::from_bytes)
}

/// A word of a vocabulary.
pub fn word<T: for<'de> Deserialize<'de>>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text = row.get_ref(column)?.as_str()?;
    T::deserialize(IntoDeserializer::<Error>::into_deserializer(text)).map_err(|error| broken(column, error))
}

/// A word of a vocabulary, or nothing.
pub fn maybe_word<T: for<'de> Deserialize<'de>>(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<T>> {
    if row.get_ref(column)?.as_str_or_null()?.is_none() { Ok(None) } else { word(row, column).map(Some) }
}

/// Something that reads itself from text, such as a date.
pub fn text<T: FromStr<Err: std::error::Error + Send + Sync + 'static>>(
    row: &Row<'_>,
    column: usize,
) -> rusqlite::Result<T> {
    row.get_ref(column)?.as_str()?.parse().map_err(|error| broken(column, error))
}

/// Something that reads itself from text, or nothing.
pub fn maybe_text<T: FromStr<Err: std::error::Error + Send + Sync + 'static>>(
    row: &Row<'_>,
    column: usize,
) -> rusqlite::Result<Option<T>> {
    if row.get_ref(column)?.as_str_or_null()?.is_none() { Ok(None) } else { text(row, column).map(Some) }
}

/// JSON.
pub fn json<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    serde_json::from_str(row.get_ref(column)?.as_str()?).map_err(|error| broken(column, error))
}

/// JSON, or nothing.
pub fn maybe_json<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<T>> {
    if row.get_ref(column)?.as_str_or_null()?.is_none() { Ok(None) } else { json(row, column).map(Some) }
}

/// Seconds since 1970.
pub fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    Timestamp::from_second(row.get(column)?).map_err(|error| broken(column, error))
}

/// For `LIMIT`, one more than asked for, to know whether there are more.
pub fn limit(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX).saturating_add(1)
}
