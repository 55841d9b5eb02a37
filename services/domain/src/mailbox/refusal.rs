//! Why something is refused about a mailbox.

use super::{CODES_A_DAY_MAX, TRIES_MAX};
use crate::RefusalKind;

/// Why something was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No mailbox.
    #[error("you have no mailbox here: set one first")]
    None,
    /// Too many codes were sent.
    #[error("{CODES_A_DAY_MAX} codes were sent within a day: ask again tomorrow")]
    TooManyCodes,
    /// Too many other codes were said.
    #[error("{TRIES_MAX} other codes were said: set the mailbox again, for another code")]
    TooManyTries,
    /// The code is too old.
    #[error("the code is more than a day old: set the mailbox again, for another code")]
    CodeEnded,
    /// It is another code.
    #[error("that is not the code that was sent there")]
    WrongCode,
    /// Nothing can be sent.
    #[error("this server sends no e-mail: whoever runs it has named no mail server")]
    NoMail,
}

impl crate::Refusal for Refusal {
    fn code(&self) -> &'static str {
        match self {
            Self::None => "no-mailbox",
            Self::TooManyCodes => "too-many-codes",
            Self::TooManyTries | Self::CodeEnded | Self::WrongCode => "code-not-good",
            Self::NoMail => "no-mail",
        }
    }
    fn kind(&self) -> RefusalKind {
        match self {
            Self::None => RefusalKind::Absent,
            Self::TooManyCodes | Self::TooManyTries | Self::CodeEnded | Self::WrongCode | Self::NoMail => {
                RefusalKind::Conflict
            }
        }
    }
}
