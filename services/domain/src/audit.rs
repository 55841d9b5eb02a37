//! Who read whose personal data: events that nobody decides and nobody can take back.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{MemberId, Subject, event::events, member::Field, text::Text};

/// Category of the streams that keep them, one for each month of an organisation.
pub const CATEGORY: &str = "audit";
/// Most members named in one event, a count; a longer list takes several.
pub const MEMBERS_MAX: usize = 1_000;

/// Personal data was opened for somebody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Opened {
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

events! {
    /// What can have happened.
    pub enum Event {
        /// Personal data was opened.
        Opened = "personal_data.opened" v 1,
    }
}
