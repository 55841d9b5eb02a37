//! Words and limits of partners and their services.

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantArray};
use utoipa::ToSchema;

use crate::{member::Field, text::Text};

/// Most services of one partner, also such as are defunct, a count.
pub const SERVICES_MAX: usize = 200;
/// Most languages of one service, a count.
pub const LANGUAGES_MAX: usize = 32;

/// Something that can be told of a member: each is allowed, previewed and shown by itself. External ids are left out on
/// purpose: they are of other systems.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, ToSchema)]
#[derive(IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[schema(as = DisclosedItem)]
pub enum Item {
    /// What they are called here.
    Alias,
    /// Given name.
    GivenName,
    /// Family name.
    FamilyName,
    /// Pronouns.
    Pronouns,
    /// Language that they speak.
    Language,
    /// E-mail address.
    Email,
    /// Telephone number.
    Phone,
    /// Postal address.
    PostalAddress,
    /// How to get in touch without endangering them.
    SafeContact,
    /// Who is called in an emergency.
    EmergencyContact,
    /// Year of birth.
    YearOfBirth,
    /// Gender.
    Gender,
    /// Ethnicity.
    Ethnicity,
    /// Disability.
    Disability,
    /// Whether they care for somebody.
    Carer,
    /// What they ask for.
    Ask,
    /// Why they need it.
    Why,
    /// Whatever else the partner has to know, such as history.
    Background,
}

impl Item {
    /// The field of the member's profile that it is; none for what the need says.
    pub fn field(self) -> Option<Field> {
        Some(match self {
            Self::Alias => Field::Alias,
            Self::GivenName => Field::GivenName,
            Self::FamilyName => Field::FamilyName,
            Self::Pronouns => Field::Pronouns,
            Self::Language => Field::Language,
            Self::Email => Field::Email,
            Self::Phone => Field::Phone,
            Self::PostalAddress => Field::PostalAddress,
            Self::SafeContact => Field::SafeContact,
            Self::EmergencyContact => Field::EmergencyContact,
            Self::YearOfBirth => Field::YearOfBirth,
            Self::Gender => Field::Gender,
            Self::Ethnicity => Field::Ethnicity,
            Self::Disability => Field::Disability,
            Self::Carer => Field::Carer,
            Self::Ask | Self::Why | Self::Background => return None,
        })
    }
}

/// Whether a service is there, as in HSDS 3.0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[derive(IntoStaticStr, VariantArray)]
#[schema(as = ServiceStatus)]
pub enum Status {
    /// It is.
    #[serde(rename = "active")]
    #[strum(serialize = "active")]
    Active,
    /// It is not, for now or for good.
    #[serde(rename = "inactive")]
    #[strum(serialize = "inactive")]
    Inactive,
    /// It is no more.
    #[serde(rename = "defunct")]
    #[strum(serialize = "defunct")]
    Defunct,
    /// It will be again.
    #[serde(rename = "temporarily closed")]
    #[strum(serialize = "temporarily closed")]
    TemporarilyClosed,
}

/// Whether a service can take somebody, as in Gravity SDOH-CC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[derive(IntoStaticStr, VariantArray)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Capacity {
    /// Yes.
    Capacity,
    /// No.
    NoCapacity,
    /// Not yet.
    Waitlist,
    /// That has to be found out with the person.
    AdditionalAssessmentRequired,
}

/// What a partner said about its capacity, of which day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CapacityAnswer {
    /// What.
    pub capacity: Capacity,
    /// Of which day: nobody takes an old answer for a new one.
    pub as_of: Date,
}

/// Where a partner or service was imported from, so that importing again changes it and adds none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DirectorySource)]
pub struct Source {
    /// From which directory.
    pub directory: Text<80>,
    /// Its id there.
    pub id: Text<200>,
}
