//! Who can come: what a place offers to those who need it, and what it costs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr, VariantArray};
use utoipa::ToSchema;

/// What a group offers to those who could not come without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, ToSchema)]
#[derive(EnumString, IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Accessibility {
    /// Somebody in a wheelchair gets in (Meeting Guide: `X`).
    WheelchairAccess,
    /// There is a toilet for somebody in a wheelchair (Meeting Guide: `XB`).
    AccessibleToilet,
    /// What is said is interpreted into a sign language (Meeting Guide: `ASL`, if it is the American one).
    SignLanguage,
    /// There is a hearing loop or another device for listening.
    HearingLoop,
    /// What is said is captioned.
    Captions,
    /// Somebody looks after children meanwhile (Meeting Guide: `BA`).
    ChildCare,
    /// Children are welcome (Meeting Guide: `CF`).
    ChildFriendly,
    /// Nobody wears perfume (Meeting Guide: `FF`).
    FragranceFree,
}

impl Accessibility {
    /// As stored and shown.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// What taking part costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, ToSchema)]
#[derive(EnumString, IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Cost {
    /// Nothing.
    Free,
    /// What somebody wants to give.
    Contribution,
    /// An amount that has to be paid.
    Fee,
}

impl Cost {
    /// As stored and shown.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}
