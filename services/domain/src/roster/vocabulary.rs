//! Words and counts of rosters: stages, reasons, places.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantArray};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, schema::Type},
};

use super::MEMBERS_MAX;

/// How far somebody's enrolment in a group has come.
///
/// On the roster are those who are enrolled or active, from the first day to the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[derive(IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[schema(as = EnrolmentStage)]
pub enum Stage {
    /// Asked for a place; nobody has answered yet.
    Applied,
    /// Waits for a place. Whoever is first in line gets the next one.
    Waitlisted,
    /// Has a place from the first day on, and has not come yet.
    Enrolled,
    /// Has a place and came to a held meeting since the first day. Never an event: computed from attendance when read.
    Active,
    /// Came to the end that was agreed.
    Completed,
    /// Left before that, or gave up the place before the first day.
    Withdrawn,
    /// Asked for a place, and the group said no.
    Declined,
}

impl Stage {
    /// As stored and shown.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Why the group said no to somebody who asked for a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeclineReason {
    /// There is no place, and none to wait for.
    NoPlace,
    /// The group is for something else, or for others.
    NotSuited,
    /// Another group or service is better for them.
    ReferredElsewhere,
    /// Nobody could reach them.
    Unreachable,
    /// Something else.
    Other,
    /// It was not said.
    NotSaid,
}

/// Why somebody gave up their application, their turn or their place before the first day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CancelReason {
    /// Does not want to any more.
    ChangedMind,
    /// Goes somewhere else.
    FoundAnother,
    /// Has moved away.
    Moved,
    /// Has no time when the group meets.
    Time,
    /// Does not need it any more.
    Recovered,
    /// Nobody could reach them.
    Unreachable,
    /// Something else.
    Other,
    /// It was not said.
    NotSaid,
}

/// What is wrong with an enrolment that should never have been recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorReason {
    /// It is somebody else's.
    WrongMember,
    /// It is of another group.
    WrongGroup,
    /// It began on another day.
    WrongDay,
    /// Something else.
    Other,
}

/// Why the days of an enrolment are corrected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CorrectionReason {
    /// A day was typed wrong.
    TypedWrong,
    /// It became known later.
    ToldLate,
    /// Something else was agreed since.
    Agreed,
    /// Something else.
    Other,
}

/// Why there is a place for somebody beyond the number that the group has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BeyondReason {
    /// They cannot wait.
    Urgent,
    /// Their place was given away by a mistake.
    OurMistake,
    /// They come back.
    Returns,
    /// They come with somebody who has a place.
    WithSomebody,
    /// Something else.
    Other,
    /// It was not said.
    NotSaid,
}

/// What is to be done if there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IfFull {
    /// Refuse.
    #[default]
    Refuse,
    /// Put the member on the waiting list.
    Wait,
    /// There is one more for them.
    Exceed(BeyondReason),
}

/// Places of a group, 1 to [`MEMBERS_MAX`]; unit: person. Serialised as a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u16")]
pub struct Places(u16);

/// A number of places that no group can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to {MEMBERS_MAX}, it is {0}")]
pub struct PlacesError(u16);

impl Places {
    /// As many as a roster can hold.
    pub const MOST: Self = Self(MEMBERS_MAX);

    /// How many.
    pub fn get(self) -> u16 {
        self.0
    }
}

impl TryFrom<u16> for Places {
    type Error = PlacesError;
    fn try_from(places: u16) -> Result<Self, PlacesError> {
        if (1..=MEMBERS_MAX).contains(&places) { Ok(Self(places)) } else { Err(PlacesError(places)) }
    }
}

impl JsonSchema for Places {
    fn schema_name() -> Cow<'static, str> {
        "Places".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({ "type": "integer", "minimum": 1, "maximum": MEMBERS_MAX })
    }
}

impl PartialSchema for Places {
    fn schema() -> RefOr<utoipa::openapi::schema::Schema> {
        ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)).maximum(Some(MEMBERS_MAX)).into()
    }
}

impl ToSchema for Places {
    fn name() -> Cow<'static, str> {
        "Places".into()
    }
}
