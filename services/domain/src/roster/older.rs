//! Events of rosters as they were in version 1, which did not say who put somebody forward: whatever began then counts
//! as confirmed.

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Applied, Enrolled, Waitlisted};
use crate::MemberId;

/// Somebody asked for a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "Applied")]
pub struct AppliedV1 {
    /// Who.
    pub member: MemberId,
    /// When, where the group meets.
    pub on: Date,
}

/// Somebody was put at the end of the waiting list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "Waitlisted")]
pub struct WaitlistedV1 {
    /// Who.
    pub member: MemberId,
    /// When, where the group meets.
    pub on: Date,
    /// First day that they want to be on the roster.
    pub starts_on: Date,
}

/// A member was enrolled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "Enrolled")]
pub struct EnrolledV1 {
    /// Who.
    pub member: MemberId,
    /// First day on the roster.
    pub starts_on: Date,
}

impl From<AppliedV1> for Applied {
    fn from(AppliedV1 { member, on }: AppliedV1) -> Self {
        Self { member, on, proposed_by: None }
    }
}

impl From<WaitlistedV1> for Waitlisted {
    fn from(WaitlistedV1 { member, on, starts_on }: WaitlistedV1) -> Self {
        Self { member, on, starts_on, proposed_by: None }
    }
}

impl From<EnrolledV1> for Enrolled {
    fn from(EnrolledV1 { member, starts_on }: EnrolledV1) -> Self {
        Self { member, starts_on, proposed_by: None, beyond: None }
    }
}
