//! Why something is refused about what is asked of members, and about who is told of a concern.

use crate::RefusalKind;

/// Why something was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No such instrument, or no such version.
    #[error("there is no such instrument, or it has no such version")]
    UnknownInstrument,
    /// No such norm set.
    #[error("this version of the instrument has no such norm set")]
    UnknownNormSet,
    /// The version is there, and is another.
    #[error(
        "this version of the instrument is there already and says something else: give the new one the next number"
    )]
    VersionTaken,
    /// Nobody would be told any more.
    #[error("other versions of the instrument say which answers speak of danger, and this one does not")]
    LosesRisk,
    /// Not in use.
    #[error("the instrument is not in use, or not in this version")]
    NotInUse,
    /// Nobody would be told.
    #[error("nobody holds the organisation's duty seat: concerns would reach nobody")]
    NoDutySeat,
    /// Nothing would be said.
    #[error("there is no crisis text: nothing could be said to whoever may be in danger")]
    NoCrisisText,
    /// One check-in would be open while another is.
    #[error("check-ins must not be open for so long that the next one opens before")]
    Overlaps,
    /// As many as can be kept.
    #[error("there are {1} {0}, the most that are possible")]
    Full(&'static str, usize),
    /// More or less than is possible.
    #[error("{what} must be {least} to {most}")]
    OutOfRange {
        /// Of what.
        what: &'static str,
        /// The least.
        least: u32,
        /// The most.
        most: u32,
    },
}

impl crate::Refusal for Refusal {
    fn code(&self) -> &'static str {
        match self {
            Self::UnknownInstrument => "unknown-instrument",
            Self::UnknownNormSet => "unknown-norm-set",
            Self::VersionTaken => "instrument-version-taken",
            Self::LosesRisk => "risk-missing",
            Self::NotInUse => "instrument-not-in-use",
            Self::NoDutySeat => "no-duty-seat",
            Self::NoCrisisText => "no-crisis-text",
            Self::Overlaps => "check-ins-overlap",
            Self::Full(..) => "protocol-full",
            Self::OutOfRange { .. } => "protocol-out-of-range",
        }
    }
    fn kind(&self) -> RefusalKind {
        match self {
            Self::UnknownInstrument | Self::UnknownNormSet => RefusalKind::Absent,
            Self::VersionTaken
            | Self::LosesRisk
            | Self::NotInUse
            | Self::NoDutySeat
            | Self::NoCrisisText
            | Self::Overlaps
            | Self::Full(..)
            | Self::OutOfRange { .. } => RefusalKind::Conflict,
        }
    }
}
