//! Why something is refused about a member's care.

use super::vocabulary::GOALS_OPEN_MAX;
use crate::RefusalKind;

/// Why something was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No such check-in.
    #[error("the member has no such check-in")]
    UnknownCheckIn,
    /// There is one with this id, and it is another.
    #[error("there is a check-in with this id already, and it says something else: correct that one")]
    CheckInThere,
    /// It was taken back.
    #[error("the check-in was entered in error: record another one")]
    InError,
    /// No such goal.
    #[error("the member has no such goal")]
    UnknownGoal,
    /// There is one with this id, and it is another.
    #[error("there is a goal with this id already, and it says something else: revise that one")]
    GoalThere,
    /// It has ended.
    #[error("the goal has ended: set another one")]
    GoalEnded,
    /// Too many at once.
    #[error("the member has {GOALS_OPEN_MAX} open goals, the most that are possible: revise or end one first")]
    TooManyOpen,
    /// No such concern.
    #[error("there is no such concern about the member")]
    UnknownConcern,
    /// There is one with this id, and it is another.
    #[error("there is a concern with this id already, and it says something else: raise another one")]
    ConcernThere,
    /// It was settled.
    #[error("the concern is resolved already")]
    Resolved,
    /// As many as can be kept.
    #[error("the member has {1} {0}, the most that are possible")]
    Full(&'static str, usize),
}

impl crate::Refusal for Refusal {
    fn code(&self) -> &'static str {
        match self {
            Self::UnknownCheckIn => "unknown-check-in",
            Self::CheckInThere => "check-in-there",
            Self::InError => "check-in-in-error",
            Self::UnknownGoal => "unknown-goal",
            Self::GoalThere => "goal-there",
            Self::GoalEnded => "goal-ended",
            Self::TooManyOpen => "too-many-open-goals",
            Self::UnknownConcern => "unknown-concern",
            Self::ConcernThere => "concern-there",
            Self::Resolved => "concern-resolved",
            Self::Full(..) => "care-full",
        }
    }
    fn kind(&self) -> RefusalKind {
        match self {
            Self::UnknownCheckIn | Self::UnknownGoal | Self::UnknownConcern => RefusalKind::Absent,
            Self::CheckInThere
            | Self::InError
            | Self::GoalThere
            | Self::GoalEnded
            | Self::TooManyOpen
            | Self::ConcernThere
            | Self::Resolved
            | Self::Full(..) => RefusalKind::Conflict,
        }
    }
}
