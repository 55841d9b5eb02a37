//! Who was shown whom, and what of them: events that nobody decides and nobody can take back.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{GroupId, MeetingId, MemberId, Subject, event::events, member::Field, text::Text};

/// Most members named in one event, a count: more than stand on any register. More take several events.
pub const MEMBERS_MAX: usize = 4_096;

/// Members were shown to somebody: that they are here, or come, and fields of theirs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Opened {
    /// To whom: the subject of their token.
    pub subject: Subject,
    /// What they were.
    pub role: Text<40>,
    /// By which operation.
    pub operation: Text<80>,
    /// Which list it was, if it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<List>,
    /// Up to which position of the log it was shown; 0 if that was not written down.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub at: u64,
    /// Who, at most [`MEMBERS_MAX`]; none if they are the same as in an earlier opening.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<MemberId>,
    /// Position of the earlier opening that names the members.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub same_as: Option<u64>,
    /// How many, if they are not named here; unit: member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub people: Option<u32>,
    /// Which fields of theirs; those of each member that were there. None if it was only that they are here, or
    /// something else, such as a reason.
    pub fields: Vec<Field>,
    /// Whether only broken glass allowed it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub glass: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // as serde asks
fn is_zero(at: &u64) -> bool {
    *at == 0
}

/// A list of members.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum List {
    /// The register of a meeting.
    Register(MeetingId),
    /// The roster of a group, or who asks it for a place.
    Roster(GroupId),
}

/// Personal data was opened for somebody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "Opened")]
pub struct OpenedV1 {
    /// For whom: the subject of their token.
    pub subject: Subject,
    /// What they were.
    pub role: Text<40>,
    /// By which operation.
    pub operation: Text<80>,
    /// Whose, at most [`MEMBERS_MAX`].
    pub members: Vec<MemberId>,
    /// Which fields of theirs; those of each member that were there. None if it was something else, such as a reason.
    pub fields: Vec<Field>,
    /// Whether only broken glass allowed it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub glass: bool,
}

impl From<OpenedV1> for Opened {
    fn from(old: OpenedV1) -> Self {
        let OpenedV1 { subject, role, operation, members, fields, glass } = old;
        Self { subject, role, operation, list: None, at: 0, members, same_as: None, people: None, fields, glass }
    }
}

events! {
    /// What can have happened.
    pub enum Event of "audit" {
        /// Members were shown to somebody.
        Opened = "personal_data.opened" v 2 (v 1 OpenedV1),
    }
}
