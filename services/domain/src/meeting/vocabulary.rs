//! Words and limits of meetings and their registers.

use std::collections::BTreeMap;

use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, DateTime},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantArray};
use utoipa::ToSchema;

use crate::{GroupId, group::MeetingMode};

/// Most members on one register, a count.
pub const MARKS_MAX: usize = 1_000;
/// Most moods that are recorded at once, a count.
pub const MOODS_MAX: usize = 1_000;
/// Most anonymous heads of one category, a count.
pub const HEADS_MAX: u16 = 10_000;
/// How long before its start a meeting can be opened.
pub const OPENS_EARLY_MAX: SignedDuration = SignedDuration::from_hours(12);

/// How far a meeting has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, ToSchema)]
#[derive(IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Status {
    /// Ahead, or its register was forgotten.
    Planned,
    /// Its register can be filled in.
    Open,
    /// It took place.
    Held,
    /// It was called off.
    Cancelled,
    /// It did not take place.
    DidNotOccur,
    /// The calendar no longer has it, and nothing was said of it. It is not shown: for whoever reads there is no such
    /// meeting.
    Unplanned,
}

impl Status {
    /// As stored and shown.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Whether a member came.
// The better attended is before the other: if a person has several marks at one meeting, because they were registered
// twice, the first of them counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, ToSchema)]
#[derive(IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Mark {
    /// Came on time.
    Present,
    /// Came late.
    Late,
    /// Did not come, and had said so.
    Excused,
    /// Did not come.
    Absent,
}

impl Mark {
    /// As stored and shown.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Whether the member was there.
    pub fn attended(self) -> bool {
        match self {
            Self::Present | Self::Late => true,
            Self::Excused | Self::Absent => false,
        }
    }
}

/// How someone took part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, ToSchema)]
#[derive(IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum AttendanceMode {
    /// In the room.
    InPerson,
    /// By video.
    Video,
    /// By phone.
    Phone,
}

impl AttendanceMode {
    /// As stored and shown.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// How people take part in such a meeting unless said otherwise.
    pub fn usual(mode: MeetingMode) -> Self {
        match mode {
            MeetingMode::InPerson | MeetingMode::Hybrid => Self::InPerson,
            MeetingMode::Virtual => Self::Video,
        }
    }
}

/// Kinds of people counted without a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HeadCategory {
    /// Came for the first time.
    Newcomer,
    /// Came before, does not want to be on a list.
    Visitor,
    /// Family member or friend.
    Supporter,
    /// Child.
    Child,
    /// Anyone else.
    Other,
}

/// Anonymous heads by category.
pub type Headcount = BTreeMap<HeadCategory, u16>;

/// When and how a meeting is meant to take place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// The group that meets.
    pub group: GroupId,
    /// Local start, in the group's time zone; its date is the one that decides who is on the roster.
    #[schemars(with = "String")]
    pub starts_at_local: DateTime,
    /// Start.
    pub starts_at: Timestamp,
    /// End.
    pub ends_at: Timestamp,
    /// How it meets.
    pub mode: MeetingMode,
    /// Its place in the group's series, if it was moved to another day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Date>,
}

impl Plan {
    /// Its place in the group's series: the local date on which the calendar has it.
    pub fn place(&self) -> Date {
        self.place.unwrap_or_else(|| self.starts_at_local.date())
    }
}

/// What the register says of one member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct Entry {
    /// Whether they came.
    pub mark: Mark,
    /// How they took part; only of those who came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<AttendanceMode>,
}
