//! iCalendar (RFC 5545): calendars of groups as programs subscribe to them, and files of calendars as they are read.
//!
//! What needs no log stands here: [`feed`] writes, [`read`](mod@read) reads.

mod component;
mod feed;
mod line;
mod read;
#[cfg(test)]
mod tests;
mod times;
mod zone;
mod zone_names;

pub(crate) use feed::{Feed, GroupCalendar, Other};
pub(crate) use read::{CALENDAR_BYTES_MAX, ReadCalendar, ReadFile, Remark, read};
