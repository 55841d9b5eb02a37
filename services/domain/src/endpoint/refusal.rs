//! Why something is refused about an endpoint.

use super::{ENDPOINTS_MAX, TOPICS_MAX};
use crate::RefusalKind;

/// Why something was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No such endpoint.
    #[error("there is no such endpoint")]
    Unknown,
    /// No such message.
    #[error("the endpoint has no such message, or it is not kept any more")]
    UnknownMessage,
    /// Nothing is sent to it.
    #[error("the endpoint is disabled: enable it first")]
    IsDisabled,
    /// As many as can be.
    #[error("there can be at most {ENDPOINTS_MAX} endpoints: remove one first")]
    Full,
    /// Too many topics.
    #[error("an endpoint has at most {TOPICS_MAX} topics; without any, it is told of all")]
    Topics,
}

impl crate::Refusal for Refusal {
    fn code(&self) -> &'static str {
        match self {
            Self::Unknown => "unknown-endpoint",
            Self::UnknownMessage => "unknown-message",
            Self::IsDisabled => "endpoint-disabled",
            Self::Full | Self::Topics => "endpoints-full",
        }
    }
    fn kind(&self) -> RefusalKind {
        match self {
            Self::Unknown | Self::UnknownMessage => RefusalKind::Absent,
            Self::IsDisabled | Self::Full | Self::Topics => RefusalKind::Conflict,
        }
    }
}
