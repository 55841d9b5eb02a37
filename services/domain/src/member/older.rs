//! Events of members as they were in version 1, which did not say whether what is known was only typed in.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Changed, Field, Fields, Registered};

/// A member was registered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "Registered")]
pub struct RegisteredV1 {
    /// What is known; may be nothing.
    #[serde(default, skip_serializing_if = "Fields::is_empty")]
    pub fields: Fields,
}

/// A member's fields were changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "Changed")]
pub struct ChangedV1 {
    /// What is known now.
    #[serde(default, skip_serializing_if = "Fields::is_empty")]
    pub set: Fields,
    /// What is no longer known.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub removed: BTreeSet<Field>,
}

impl From<RegisteredV1> for Registered {
    fn from(RegisteredV1 { fields }: RegisteredV1) -> Self {
        Self { fields, typed_by: None }
    }
}

impl From<ChangedV1> for Changed {
    fn from(ChangedV1 { set, removed }: ChangedV1) -> Self {
        Self { set, removed, typed: false }
    }
}
