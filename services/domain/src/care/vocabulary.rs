//! Words and limits of check-ins, goals and concerns.

use std::collections::BTreeSet;

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantArray};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{CheckInId, GoalId, GroupId, MeetingId, Subject, instrument, text::Text};

/// A goal in the member's words.
pub type GoalWords = Text<300>;
/// What somebody worries about.
pub type WorryWords = Text<600>;

/// Most check-ins of one record, a count.
pub const CHECK_INS_MAX: usize = 10_000;
/// Most goals of one record, a count.
pub const GOALS_MAX: usize = 1_000;
/// Most goals that one record has open at a time, a count: as many as the Goal Based Outcomes form has room for
/// (instruments reference, 11).
pub const GOALS_OPEN_MAX: usize = 3;
/// Concerns of one record from which on no worry is taken, a count; those that answers give cause for are.
pub const CONCERNS_MAX: usize = 1_000;

/// When and where something was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct When {
    /// The day, where it was.
    pub on: Date,
    /// Of which group, if of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<GroupId>,
    /// At which meeting, if at one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meeting: Option<MeetingId>,
}

/// Who entered what a member says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[derive(IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum EnteredBy {
    /// The member.
    Member,
    /// Somebody for them: the subject of their token.
    Assisted(Subject),
    /// It came with a file of the past: the subject of whoever imported it.
    Imported(Subject),
}

/// How near a goal is: 0 (no progress) to 10 (reached), as in Goal Based Outcomes (instruments reference, 11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(try_from = "u8")]
#[schemars(extend("minimum" = 0, "maximum" = 10))]
#[schema(value_type = u8, maximum = 10)]
pub struct Rating(u8);

impl Rating {
    /// The number.
    pub fn get(self) -> u8 {
        self.0
    }
}

impl TryFrom<u8> for Rating {
    type Error = &'static str;
    fn try_from(rating: u8) -> Result<Self, Self::Error> {
        if rating <= 10 { Ok(Self(rating)) } else { Err("must be 0 to 10") }
    }
}

impl GoalId {
    /// What a rating of that day belongs to: the same on another day is sealed otherwise, so that nobody sees that it is
    /// the same.
    pub fn on(self, day: Date) -> Uuid {
        Uuid::new_v5(&self.0, day.to_string().as_bytes())
    }
}

/// What a concern is for, before it is sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ConcernCause)]
pub enum Cause {
    /// Answers to these items of a check-in.
    RiskAnswer {
        /// Of which.
        check_in: CheckInId,
        /// Which items.
        items: BTreeSet<instrument::Id>,
    },
    /// Questions about a risk that were left without an answer.
    NotAnswered {
        /// In which check-in.
        check_in: CheckInId,
        /// Which items.
        items: BTreeSet<instrument::Id>,
    },
    /// Somebody worries.
    Worry {
        /// Who.
        by: Subject,
        /// About what.
        words: WorryWords,
    },
}

/// How a goal ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[derive(IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum GoalEnd {
    /// It was reached.
    Achieved,
    /// It was let go.
    LetGo,
    /// Another is in its place.
    Revised,
}

/// How soon somebody has to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema, ToSchema)]
#[derive(IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Urgency {
    /// After a risk answer or a worry.
    Prompt,
    /// After a question about a risk that was left without an answer: that is not "no risk", and not a risk.
    Routine,
}

/// How far a concern has gone that nobody has acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema, ToSchema)]
#[derive(IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Escalation {
    /// It is with the seat that it went to.
    None,
    /// It is with the organisation's seat as well.
    Organisation,
    /// It is everybody's who may see concerns.
    Everybody,
}

/// What came of a concern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[derive(IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Outcome {
    /// Somebody spoke with the member, and nothing more was needed.
    Spoken,
    /// The member was brought to other help.
    Referred,
    /// Emergency services were called.
    Emergency,
    /// The member could not be reached.
    NotReached,
    /// There was no cause: the answer was entered or understood wrongly.
    NoCause,
}
