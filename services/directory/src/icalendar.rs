//! iCalendar (RFC 5545): calendars of groups as programs subscribe to them, and files of calendars as they are read.
//!
//! What needs no log stands here: [`feed`] writes.

mod feed;
mod line;
mod zone;

pub(crate) use feed::{Feed, GroupCalendar, Other};
