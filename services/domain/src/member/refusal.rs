//! Why something is refused about a member.

use jiff::civil::Date;

use crate::{MemberId, RefusalKind};

/// Why something was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No such member, or one who was erased: the answer is the same.
    #[error("there is no such member")]
    Unknown,
    /// Registered already, with something else known.
    #[error("the member is registered already")]
    Registered,
    /// Completed by others than who typed it in.
    #[error("others have completed the record: it is changed by who has authority over it, or once they confirm it")]
    Completed,
    /// Merged into another.
    #[error("the record was merged into {into}; ask for that one, or undo the merge")]
    Merged {
        /// Under whom the person goes on.
        into: MemberId,
    },
    /// Not merged.
    #[error("the record is not merged into another")]
    NotMerged,
    /// Into itself.
    #[error("a record cannot be merged into itself")]
    Itself,
    /// Processing is restricted.
    #[error("use of the member's record is restricted: lift the restriction first")]
    Restricted,
    /// No such consent, or withdrawn already on another day.
    #[error("the member has no such consent")]
    NoConsent,
    /// Ends before it begins.
    #[error("a consent cannot end before it was given, or be withdrawn before that")]
    ConsentDates,
    /// A legal hold.
    #[error("the record is under {count} legal hold(s), the first to be reviewed on {review_on}; lift them first")]
    Held {
        /// How many.
        count: usize,
        /// When the first is to be looked at.
        review_on: Date,
    },
    /// No such hold.
    #[error("there is no such legal hold")]
    NoHold,
    /// No such breaking of the glass, or reviewed already.
    #[error("there is no such break-glass access to review")]
    NoGlass,
    /// Own affairs.
    #[error("break-glass access is reviewed by somebody else than who used it")]
    OwnGlass,
    /// More of something than one record takes.
    #[error("the record has {max} {what}, the most that are possible")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many.
        max: usize,
    },
}

impl crate::Refusal for Refusal {
    fn code(&self) -> &'static str {
        match self {
            Self::Unknown => "unknown-member",
            Self::Registered => "member-registered",
            Self::Completed => "member-completed",
            Self::Merged { .. } => "member-merged",
            Self::NotMerged => "member-not-merged",
            Self::Itself => "merge-into-itself",
            Self::Restricted => "processing-restricted",
            Self::NoConsent => "unknown-consent",
            Self::ConsentDates => "consent-dates",
            Self::Held { .. } => "legal-hold",
            Self::NoHold => "unknown-hold",
            Self::NoGlass => "unknown-glass",
            Self::OwnGlass => "own-glass",
            Self::TooMany { .. } => "record-full",
        }
    }
    fn kind(&self) -> RefusalKind {
        match self {
            Self::Unknown | Self::NoConsent | Self::NoHold | Self::NoGlass => RefusalKind::Absent,
            _ => RefusalKind::Conflict,
        }
    }
}
