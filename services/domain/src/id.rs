//! Names of things. All but the organisation are random or derived UUIDs: an id says nothing about what it names.

use std::{fmt, str::FromStr, sync::Arc};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// An id that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Not a UUID.
    #[error("must be a UUID, such as 018f3c7a-0000-7000-8000-000000000001")]
    Uuid,
    /// One that is nobody's.
    #[error("must not be the nil or the max UUID, which stand for nobody")]
    Nobody,
    /// Not the short name of an organisation.
    #[error("an organisation's id is 1 to {max} of a-z, 0-9 and `-`, and starts with a letter", max = OrgId::CHARS_MAX)]
    Org,
}

/// Whether an id is nobody's: programs fill it in where they have none (nil and max, RFC 9562). What has it in the log
/// since long is read; none comes in any more.
pub fn is_nobody(id: &Uuid) -> bool {
    id.is_nil() || id.is_max()
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, ToSchema)]
        #[serde(transparent)]
        #[schema(value_type = Uuid)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(s: &str) -> Result<Self, IdError> {
                match s.parse().map_err(|_| IdError::Uuid)? {
                    id if is_nobody(&id) => Err(IdError::Nobody),
                    id => Ok(Self(id)),
                }
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Uuid {
                id.0
            }
        }
    )+ };
}

ids! {
    /// A programme: what an organisation runs groups under.
    ProgrammeId,
    /// A peer-support group.
    GroupId,
    /// One meeting of a group; derived from the group and the planned start, see [`MeetingId::of`].
    MeetingId,
    /// A member; random, without any personal data.
    MemberId,
    /// A consent that a member gave.
    ConsentId,
    /// A legal hold on a member's record.
    HoldId,
    /// One breaking of the glass: access beyond the usual, for a while, with a reason.
    GlassId,
    /// A program that calls the API with a key of its own.
    ClientId,
    /// A check-in: one time that a member answered an instrument's questions.
    CheckInId,
    /// A goal that a member set.
    GoalId,
    /// A concern about a member.
    ConcernId,
    /// An agency that members are referred to.
    PartnerId,
    /// A service of an agency.
    ServiceId,
    /// What a member needs of others: one need can be referred to several partners.
    NeedId,
    /// One referral of a need to one partner.
    AttemptId,
    /// A link by which somebody without an account answers one referral.
    LinkId,
    /// A program elsewhere that is told that something has changed.
    EndpointId,
    /// An address to which somebody's calendar programs subscribe.
    CalendarId,
    /// A message that leaves the house: the same however often it is sent.
    MessageId,
}

impl MeetingId {
    /// The id of the meeting that `group`'s calendar plans for the local date-time `recurrence_id` (RFC 5545), so
    /// that planning twice names the same meeting.
    pub fn of(group: GroupId, recurrence_id: jiff::civil::DateTime) -> Self {
        Self(Uuid::new_v5(&group.0, recurrence_id.to_string().as_bytes()))
    }
}

/// An organisation: the tenant that owns streams, subjects, views and facts.
///
/// A short name that fits a NATS subject token and a folder: `a-z`, `0-9`, `-`, first a letter,
/// at most [`OrgId::CHARS_MAX`] characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema, ToSchema)]
#[serde(transparent)]
#[schema(value_type = String)]
pub struct OrgId(Arc<str>);

impl OrgId {
    /// Longest id, in characters.
    pub const CHARS_MAX: usize = 40;

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for OrgId {
    type Err = IdError;
    fn from_str(s: &str) -> Result<Self, IdError> {
        let fits = s.len() <= Self::CHARS_MAX
            && s.starts_with(|c: char| c.is_ascii_lowercase())
            && s.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        if fits { Ok(Self(s.into())) } else { Err(IdError::Org) }
    }
}

impl<'de> Deserialize<'de> for OrgId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for OrgId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_organisation_cannot_smuggle_a_subject_token_or_a_path() {
        for bad in ["", "a.b", "a/b", "..", "A", "1a", "a b", "a*", "a>", "a%", &"a".repeat(41)] {
            assert_eq!(bad.parse::<OrgId>(), Err(IdError::Org), "{bad}");
        }
        assert_eq!("north-star-2".parse::<OrgId>().unwrap().as_str(), "north-star-2");
    }

    #[test]
    fn an_id_that_is_nobodys_does_not_come_in_but_is_read_where_it_is_since_long() {
        for nobody in [Uuid::nil(), Uuid::max()] {
            for text in [
                nobody.to_string(),
                nobody.simple().to_string(),
                nobody.urn().to_string().to_uppercase().replacen("URN:UUID", "urn:uuid", 1),
            ] {
                assert_eq!(text.parse::<MemberId>(), Err(IdError::Nobody), "{text}");
            }
            assert_eq!(serde_json::from_value::<MemberId>(serde_json::json!(nobody)).ok(), Some(MemberId(nobody)));
        }
        assert_eq!("Anna".parse::<MemberId>(), Err(IdError::Uuid));
    }

    proptest! {
        #[test]
        fn an_organisation_is_what_fits_and_nothing_else(given in prop_oneof!["\\PC{0,50}", "[a-z][a-z0-9-]{0,45}"]) {
            let plain = given.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
            let fits = plain && given.len() <= OrgId::CHARS_MAX && given.as_bytes().first().is_some_and(u8::is_ascii_lowercase);
            let parsed = given.parse::<OrgId>();
            prop_assert_eq!(parsed.as_ref().map(OrgId::as_str).ok(), fits.then_some(given.as_str()));
            let read = serde_json::from_value::<OrgId>(given.into()).ok();
            prop_assert_eq!(read, parsed.ok());
        }

        #[test]
        fn an_id_is_read_as_it_is_shown_and_no_text_panics(
            id in 1..u128::MAX, given in prop_oneof!["\\PC{0,60}", "[{]?[0-9a-fA-F-]{30,38}[}]?", "urn:uuid:[0-9a-f-]{36}"],
        ) {
            let id = MemberId(Uuid::from_u128(id));
            prop_assert_eq!(id.to_string().parse(), Ok(id));
            prop_assert_eq!(id.0.urn().to_string().parse(), Ok(id), "there is one form of it");
            prop_assert_eq!(id.0.simple().to_string().to_uppercase().parse(), Ok(id));
            if let Ok(id) = given.parse::<MemberId>() {
                prop_assert_eq!(id.to_string().parse(), Ok(id));
            }
        }
    }
}
