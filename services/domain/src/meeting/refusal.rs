//! Why something is refused about a meeting.

use jiff::Timestamp;

use super::{
    structure::PhaseRefusal,
    vocabulary::{HEADS_MAX, MARKS_MAX, OPENS_EARLY_MAX, Status},
};
use crate::{MemberId, RefusalKind};

/// Why something was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No such meeting.
    #[error("there is no such meeting")]
    Unknown,
    /// Its register cannot be opened yet.
    #[error("the meeting starts at {starts_at}; its register opens {hours} hours before at the earliest",
        hours = OPENS_EARLY_MAX.as_hours())]
    TooEarly {
        /// When it starts.
        starts_at: Timestamp,
    },
    /// It is not open.
    #[error("the meeting is {}, its register is not open", status.as_str())]
    NotOpen {
        /// What it is.
        status: Status,
    },
    /// It is held: marks are corrected, with a reason, and moods are not.
    #[error("the register is closed; a mark is changed by a correction, with a reason, a mood not at all")]
    RegisterClosed,
    /// Somebody came.
    #[error("the register says that somebody came, so the meeting cannot be {}", to.as_str())]
    AttendanceRecorded {
        /// What was asked.
        to: Status,
    },
    /// It already is something else.
    #[error("the meeting is {}, so it cannot be {}", status.as_str(), to.as_str())]
    NotPossible {
        /// What it is.
        status: Status,
        /// What was asked.
        to: Status,
    },
    /// Some marks cannot be made, so none was.
    #[error("{} of the marks cannot be made, so none was", .0.len())]
    Marks(Vec<(MemberId, MarkRefusal)>),
    /// One mark cannot be made.
    #[error("{0}")]
    Mark(MarkRefusal),
    /// Some moods cannot be recorded, so none was.
    #[error("{} of the moods cannot be recorded, so none was", .0.len())]
    Moods(Vec<(MemberId, MarkRefusal)>),
    /// A phase, counted from 1, cannot be one of the meeting.
    #[error("phase {0} {1}")]
    Phase(usize, PhaseRefusal),
    /// A walk-in who is on the roster.
    #[error("the member is on the roster: record the attendance instead")]
    OnRoster,
    /// A correction of a register that is still open.
    #[error("the register is still open: record the attendance instead")]
    NotClosed,
    /// A changed headcount without a reason after the register was closed.
    #[error("the register is closed; a changed headcount needs a reason")]
    ReasonNeeded,
    /// More heads than a room holds.
    #[error("a category has {0} heads, at most {HEADS_MAX} are possible")]
    TooManyHeads(u16),
}

/// Why one mark cannot be made, or one mood not be recorded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MarkRefusal {
    /// Not enrolled that day, nor a walk-in.
    #[error("the member is not on the roster of the meeting's date, nor a walk-in")]
    NotOnRoster,
    /// Twice in one command.
    #[error("the member is named twice in one command")]
    Twice,
    /// How someone took part who did not.
    #[error("someone who did not come has no mode")]
    ModeOfAbsent,
    /// A walk-in whom nobody knows.
    #[error("there is no such member")]
    UnknownMember,
    /// A walk-in who did not come.
    #[error("a walk-in is present or late")]
    WalkInAbsent,
    /// The register is full.
    #[error("the register has {MARKS_MAX} members, the most that are possible")]
    Full,
}

impl MarkRefusal {
    fn code(&self) -> &'static str {
        match self {
            Self::NotOnRoster => "not-on-roster",
            Self::Twice => "marked-twice",
            Self::ModeOfAbsent => "mode-of-absent",
            Self::UnknownMember => "unknown-member",
            Self::WalkInAbsent => "walk-in-absent",
            Self::Full => "register-full",
        }
    }
}

impl crate::Refusal for Refusal {
    fn code(&self) -> &'static str {
        match self {
            Self::Unknown => "unknown-meeting",
            Self::TooEarly { .. } => "meeting-too-early",
            Self::NotOpen { .. } => "meeting-not-open",
            Self::RegisterClosed => "register-closed",
            Self::AttendanceRecorded { .. } => "attendance-recorded",
            Self::NotPossible { .. } => "meeting-not-possible",
            Self::Marks(_) => "marks-refused",
            Self::Mark(refusal) => refusal.code(),
            Self::Moods(_) => "moods-refused",
            Self::Phase(..) => "phase-not-possible",
            Self::OnRoster => "on-roster",
            Self::NotClosed => "register-open",
            Self::ReasonNeeded => "reason-needed",
            Self::TooManyHeads(_) => "too-many-heads",
        }
    }

    fn kind(&self) -> RefusalKind {
        match self {
            Self::Unknown => RefusalKind::Absent,
            _ => RefusalKind::Conflict,
        }
    }

    fn parts(&self) -> Vec<(String, String)> {
        match self {
            Self::Marks(refused) | Self::Moods(refused) => {
                refused.iter().map(|(member, why)| (member.to_string(), why.to_string())).collect()
            }
            _ => Vec::new(),
        }
    }
}
