//! What a caller is to an organisation.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantArray};
use utoipa::ToSchema;

/// What a caller is to an organisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, ToSchema)]
#[derive(IntoStaticStr, VariantArray)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Role {
    /// Runs Kith for the organisation.
    Admin,
    /// Looks after groups, rosters and referrals.
    Coordinator,
    /// Leads groups: their own only.
    Facilitator,
    /// Reads published numbers, never a person.
    Analyst,
    /// A partner agency: referrals sent to it only.
    Partner,
    /// A member: themselves only.
    Member,
    /// Reads what was done, changes nothing.
    Auditor,
}

impl Role {
    /// As in tokens and logs.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Admin, Self::Coordinator, Self::Facilitator, Self::Analyst, Self::Partner, Self::Member, Self::Auditor];
}

impl std::str::FromStr for Role {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        let known = || Self::ALL.map(<&str>::from).join(", ");
        Self::ALL.into_iter().find(|role| role.as_str() == s).ok_or_else(|| format!("`{s}` is not one of {}", known()))
    }
}
