//! When a group meets: a recurrence rule of RFC 5545 in an IANA time zone.

use jiff::civil::{Date, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::{
    ToSchema,
    openapi::schema::{Array, ArrayBuilder, KnownFormat, ObjectBuilder, SchemaFormat, Type},
};

use crate::text::Text;

/// A group's calendar. Local times are kept as such, so that a meeting at 19:00 stays at 19:00 when clocks change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// First local date from which the rule counts (RFC 5545 `DTSTART`).
    #[schema(example = "2026-01-06")]
    pub starts_on: Date,
    /// Local start of each meeting.
    #[schemars(with = "String")]
    #[schema(value_type = String, pattern = "^([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]$", example = "19:00:00")]
    pub starts_at: Time,
    /// Length of each meeting, 1 to [`Schedule::MINUTES_MAX`] minutes.
    #[schema(minimum = 1, maximum = 1440, example = 90)]
    pub duration_minutes: u16,
    /// IANA time zone, in any case; kept as the database writes it.
    #[serde(deserialize_with = "crate::day::zone_from_outside")]
    #[schema(value_type = String, min_length = 1, max_length = 64, example = "America/New_York")]
    pub time_zone: Text<64>,
    /// RFC 5545 recurrence rule without the `RRULE:` prefix, e.g. `FREQ=WEEKLY;BYDAY=TU`.
    #[schema(value_type = String, min_length = 1, max_length = 256, example = "FREQ=WEEKLY;BYDAY=TU")]
    pub recurrence: Text<256>,
    /// Local dates on which the rule's meeting is left out (RFC 5545 `EXDATE`), at most [`Schedule::EXCEPT_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(schema_with = dates)]
    pub except: Vec<Date>,
}

/// A schedule that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// Duration out of range.
    #[error("duration_minutes must be 1 to {max}, it is {0}", max = Schedule::MINUTES_MAX)]
    Duration(u16),
    /// Too many exceptions.
    #[error("except holds {0} dates, at most {max} are possible", max = Schedule::EXCEPT_MAX)]
    Except(usize),
    /// Not a time zone.
    #[error("time_zone must be the name of a zone of the IANA database")]
    TimeZone(String),
    /// Not a rule.
    #[error("recurrence is not a rule that can be used: {why}")]
    Recurrence {
        /// As given.
        rule: String,
        /// What is wrong with it.
        why: String,
    },
}

/// For `OpenAPI`.
fn dates() -> Array {
    let date =
        ObjectBuilder::new().schema_type(Type::String).format(Some(SchemaFormat::KnownFormat(KnownFormat::Date)));
    let description = format!("Local dates on which the rule's meeting is left out, at most {}.", Schedule::EXCEPT_MAX);
    ArrayBuilder::new().items(date).max_items(Some(Schedule::EXCEPT_MAX)).description(Some(description)).build()
}

impl Schedule {
    /// Longest meeting, in minutes.
    pub const MINUTES_MAX: u16 = 24 * 60;
    /// Most exception dates, a count.
    pub const EXCEPT_MAX: usize = 400;
}
