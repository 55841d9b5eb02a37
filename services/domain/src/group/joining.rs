//! How somebody takes part in a group from elsewhere, and who may know it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Link;
use crate::{Sealed, text::Text};

/// How to take part from elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Joining {
    /// Where the meeting is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<Link>,
    /// What else is needed there, such as a password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instructions: Option<Text<500>>,
    /// Which number to call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub telephone: Option<Text<80>>,
    /// What else is needed there, such as the number of a room.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub telephone_instructions: Option<Text<500>>,
}

impl Joining {
    /// Whether it says neither where nor which number, so that nobody can join by it.
    pub fn leads_nowhere(&self) -> bool {
        self.url.is_none() && self.telephone.is_none()
    }
}

/// How to take part from elsewhere, as it is kept: in clear only if anybody may know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Online {
    /// Anybody may know it.
    Public(Joining),
    /// For those who take part, and those who run it: a [`Joining`], sealed with the organisation's key.
    Private(Sealed),
}

impl Online {
    /// What anybody may know.
    pub fn public(&self) -> Option<&Joining> {
        match self {
            Self::Public(joining) => Some(joining),
            Self::Private(_) => None,
        }
    }

    /// What stands after a listing has said this of it. A listing speaks in public: of what was kept from the public it
    /// knows nothing, and it does not give it away.
    #[must_use]
    pub fn listed(now: Option<&Self>, says: Option<&Self>) -> Option<Self> {
        match (now, says) {
            (Some(Self::Private(_)), None | Some(Self::Public(_))) => now.cloned(),
            (_, says) => says.cloned(),
        }
    }
}
