//! Why something is refused about a partner.

use crate::RefusalKind;

/// Why something was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No such partner.
    #[error("there is no such partner")]
    Unknown,
    /// No such service.
    #[error("the partner has no such service")]
    UnknownService,
    /// It was closed.
    #[error("the partner was closed: reopen it first")]
    Closed,
    /// Nobody can be referred to it.
    #[error("the service is not active: nobody can be referred to it")]
    NotActive,
    /// Not a time zone.
    #[error("time_zone must be the name of a zone of the IANA database")]
    TimeZone,
    /// No working day.
    #[error("a partner works on at least one day of the week")]
    NeverWorks,
    /// Not an address.
    #[error("mailbox must have one `@` with something before and after it, and no spaces")]
    Mailbox,
    /// Older than old.
    #[error("minimum_age must not be more than maximum_age")]
    Ages,
    /// As many as can be kept.
    #[error("there can be at most {1} {0}")]
    Full(&'static str, usize),
}

impl crate::Refusal for Refusal {
    fn code(&self) -> &'static str {
        match self {
            Self::Unknown => "unknown-partner",
            Self::UnknownService => "unknown-service",
            Self::Closed => "partner-closed",
            Self::NotActive => "service-not-active",
            Self::TimeZone | Self::NeverWorks | Self::Mailbox | Self::Ages => "partner-out-of-range",
            Self::Full(..) => "partner-full",
        }
    }
    fn kind(&self) -> RefusalKind {
        match self {
            Self::Unknown | Self::UnknownService => RefusalKind::Absent,
            Self::Closed
            | Self::NotActive
            | Self::TimeZone
            | Self::NeverWorks
            | Self::Mailbox
            | Self::Ages
            | Self::Full(..) => RefusalKind::Conflict,
        }
    }
}
