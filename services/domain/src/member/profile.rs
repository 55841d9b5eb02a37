//! What an organisation may know of a member: nothing of it is needed, all of it is sealed.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{LocalDay, text::Text};

/// Most ids of one member in other systems, a count.
pub const EXTERNAL_IDS_MAX: usize = 16;
/// Most ways of contact, and most things never to be mentioned, a count.
pub const SAFE_CONTACT_WORDS_MAX: usize = 8;
/// First year of birth that is taken.
pub const BIRTH_YEAR_MIN: i16 = 1900;

macro_rules! profile {
    ($($(#[$doc:meta])* $name:ident / $variant:ident : $type:ty $(, $schema:meta)*;)+) => {
        /// What is known of a member. Every field can be missing: not asked, or not told.
        #[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
        #[serde(deny_unknown_fields, default)]
        pub struct Profile {
            $($(#[$doc])* $(#[$schema])* #[serde(skip_serializing_if = "Option::is_none")] pub $name: Option<$type>,)+
        }

        /// A field of a [`Profile`].
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, ToSchema,
        )]
        #[serde(rename_all = "snake_case")]
        pub enum Field { $($(#[$doc])* $variant),+ }

        impl Profile {
            /// Fields of which something is said.
            pub fn fields(&self) -> BTreeSet<Field> {
                [$(self.$name.is_some().then_some(Field::$variant)),+].into_iter().flatten().collect()
            }
        }

        impl Field {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// As stored and shown.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => stringify!($name)),+ }
            }
        }
    };
}

profile! {
    /// What the member is called in the group; need not be a name.
    alias / Alias: Text<80>;
    /// Given name.
    given_name / GivenName: Text<100>;
    /// Family name.
    family_name / FamilyName: Text<100>;
    /// Pronouns, as the member says them.
    pronouns / Pronouns: Text<40>;
    /// Preferred language (BCP 47).
    language / Language: Text<35>;
    /// E-mail address.
    email / Email: Text<254>;
    /// Telephone number, best with its country's prefix (`+44 20 7946 0001`).
    phone / Phone: Text<40>;
    /// Postal address, on one line.
    postal_address / PostalAddress: Text<300>;
    /// How the member can be reached safely.
    safe_contact / SafeContact: SafeContact;
    /// Whom to call in an emergency.
    emergency_contact / EmergencyContact: EmergencyContact;
    /// Year of birth, from 1900.
    year_of_birth / YearOfBirth: i16, schema(minimum = 1900, maximum = 2200);
    /// Gender, as the member says it.
    gender / Gender: Gender;
    /// Ethnicity, as the member says it.
    ethnicity / Ethnicity: Ethnicity;
    /// Whether the member lives with a disability.
    disability / Disability: Told;
    /// Whether the member cares for somebody, unpaid.
    carer / Carer: Told;
    /// Ids in other systems.
    external_ids / ExternalIds: Vec<ExternalId>;
    /// Anything else that helps to support the member.
    notes / Notes: Text<2000>;
}

/// How a member can be reached without harm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SafeContact {
    /// The only ways that are safe; at most 8.
    #[schema(max_items = 8)]
    pub channels: Vec<Channel>,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Text<200>>,
    /// What must never be mentioned, such as the group; at most 8.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 8)]
    pub never_mention: Vec<Text<200>>,
    /// Whether a message may be left with whoever answers, or on a machine.
    #[serde(default)]
    pub may_leave_message: bool,
}

/// A way of contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// By e-mail.
    Email,
    /// By telephone.
    Phone,
    /// By text message.
    Sms,
    /// By letter.
    Post,
    /// Face to face.
    InPerson,
}

/// Somebody to call in an emergency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EmergencyContact {
    /// Who.
    pub name: Text<100>,
    /// What they are to the member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relationship: Option<Text<80>>,
    /// Telephone number.
    pub phone: Text<40>,
}

/// An id in another system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExternalId {
    /// Which system.
    pub system: Text<80>,
    /// The id there.
    pub value: Text<100>,
}

/// Gender. A member who was not asked has none of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Gender {
    /// Woman.
    Woman,
    /// Man.
    Man,
    /// Non-binary.
    NonBinary,
    /// In another way.
    Other,
    /// Asked, and did not want to say.
    PreferNotToSay,
}

/// Ethnicity, the broad groups of the census of England and Wales 2021. A member who was not asked has none of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ethnicity {
    /// Asian.
    Asian,
    /// Black.
    Black,
    /// Mixed or multiple.
    Mixed,
    /// White.
    White,
    /// Another.
    Other,
    /// Asked, and did not want to say.
    PreferNotToSay,
}

/// Yes or no. A member who was not asked has none of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// Yes.
    Yes,
    /// No.
    No,
    /// Asked, and did not want to say.
    PreferNotToSay,
}

/// What cannot be in a profile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    /// Not a year in which a member can have been born.
    #[error("year_of_birth must be {BIRTH_YEAR_MIN} to {through}")]
    YearOfBirth {
        /// This year.
        through: i16,
    },
    /// Not an address.
    #[error("email must have one `@` with something before and after it, and no spaces")]
    Email,
    /// Too many of something.
    #[error("{field} has {is} entries, at most {max} are possible")]
    TooMany {
        /// Where.
        field: &'static str,
        /// As given.
        is: usize,
        /// As possible.
        max: usize,
    },
}

impl Profile {
    /// Whether everything in it can be, as of `today`.
    ///
    /// # Errors
    /// The first thing that cannot.
    pub fn check(&self, today: &LocalDay) -> Result<(), ProfileError> {
        let today = today.date();
        if self.year_of_birth.is_some_and(|year| !(BIRTH_YEAR_MIN..=today.year()).contains(&year)) {
            return Err(ProfileError::YearOfBirth { through: today.year() });
        }
        if self.email.as_ref().is_some_and(|email| !is_address(email.as_str())) {
            return Err(ProfileError::Email);
        }
        let contact = self.safe_contact.as_ref();
        let counts = [
            ("external_ids", self.external_ids.as_ref().map_or(0, Vec::len), EXTERNAL_IDS_MAX),
            ("safe_contact.channels", contact.map_or(0, |safe| safe.channels.len()), SAFE_CONTACT_WORDS_MAX),
            ("safe_contact.never_mention", contact.map_or(0, |safe| safe.never_mention.len()), SAFE_CONTACT_WORDS_MAX),
        ];
        match counts.into_iter().find(|(_, is, max)| is > max) {
            Some((field, is, max)) => Err(ProfileError::TooMany { field, is, max }),
            None => Ok(()),
        }
    }

    /// What the member is called in a group: the alias, or else the given name.
    pub fn called(&self) -> Option<&str> {
        self.alias.as_ref().map(Text::as_str).or(self.given_name.as_ref().map(Text::as_str))
    }
}

/// As much as can be said without sending to it (RFC 5321 allows far more than anyone has).
pub(crate) fn is_address(text: &str) -> bool {
    text.split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty() && !domain.is_empty() && !domain.contains('@') && !text.contains(char::is_whitespace)
    })
}
