//! What bodies say of the days of an enrolment: how it ended, and what is to be done if there is no place.

use domain::roster::{self, BeyondReason};
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;
use web::{Caller, Problem};

/// What is to be done if there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum IfFull {
    /// Refuse.
    #[default]
    Refuse,
    /// Put the member on the waiting list.
    Wait,
    /// There is one more place, for them: by the decision of an admin or a coordinator.
    Exceed,
}

/// How an enrolment ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EndedAs {
    /// Before the end that was agreed, or without one.
    #[default]
    Withdrawn,
    /// With the end that was agreed.
    Completed,
}

impl EndedAs {
    pub fn completed(self) -> bool {
        self == Self::Completed
    }
}

impl IfFull {
    /// What is asked of the roster: who leads a group does not decide that it has more places.
    pub fn by(self, caller: &Caller, reason: Option<BeyondReason>) -> Result<roster::IfFull, Problem> {
        match self {
            Self::Refuse => Ok(roster::IfFull::Refuse),
            Self::Wait => Ok(roster::IfFull::Wait),
            Self::Exceed if caller.own_groups().is_some() => {
                Err(Problem::forbidden("facilitators give no places beyond the number: an admin or a coordinator does"))
            }
            Self::Exceed => Ok(roster::IfFull::Exceed(reason.unwrap_or(BeyondReason::NotSaid))),
        }
    }

    /// As [`Self::by`], where there is nothing to wait for.
    pub fn at_once(self, caller: &Caller, reason: Option<BeyondReason>) -> Result<roster::IfFull, Problem> {
        if self == Self::Wait {
            return Err(Problem::malformed("body, at `if_full`: nobody waits for days of which both ends are known"));
        }
        self.by(caller, reason)
    }
}

/// A field that is there, if only to say that there is none.
#[allow(clippy::option_option)] // not said, said that there is none, said which
pub(crate) fn said<'de, T, D>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    Option::deserialize(deserializer).map(Some)
}
