//! A profile, field by field.

use std::collections::BTreeMap;

use domain::{
    OrgId, Sealed,
    member::{Field, Profile},
    mended,
};
use serde::Deserialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::{Key, OpenError, SealedAs};

/// A profile that cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// A field does not open.
    #[error("the field {} of a profile does not open", .0.as_str())]
    Open(Field, #[source] OpenError),
    /// What was sealed is not a profile of this version.
    #[error("an opened profile cannot be read")]
    Read,
}

/// Each field of the profile that is there, sealed.
pub fn seal_profile(key: &Key, org: &OrgId, person: Uuid, profile: &Profile) -> BTreeMap<Field, Sealed> {
    let Ok(Value::Object(values)) = serde_json::to_value(profile) else { unreachable!("a profile is an object") };
    let of = |field: &Field| {
        let value = values.get(field.as_str())?;
        Some((*field, key.seal(org, person, SealedAs::Field(*field), value.to_string().as_bytes())))
    };
    Field::ALL.iter().filter_map(of).collect()
}

/// Those of the sealed fields that are in `wanted`, opened.
///
/// # Errors
/// If one does not open.
pub fn open_profile(
    key: &Key,
    org: &OrgId,
    person: Uuid,
    sealed: &BTreeMap<Field, Sealed>,
    wanted: &[Field],
) -> Result<Profile, SealError> {
    let mut values = Map::new();
    for (field, sealed) in sealed.iter().filter(|(field, _)| wanted.contains(field)) {
        let opened =
            key.open(org, person, SealedAs::Field(*field), sealed).map_err(|error| SealError::Open(*field, error))?;
        values.insert(field.as_str().into(), serde_json::from_slice(&opened).map_err(|_| SealError::Read)?);
    }
    // The parser's words could hold what it could not read.
    let values = Value::Object(values);
    let opened = Profile::deserialize(&values).or_else(|_| Profile::deserialize(mended(values)));
    opened.map_err(|_| SealError::Read)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sealed_when_less_was_asked_of_texts_opens() {
        let (key, org) = (Key::new([7; 32]), "acme".parse().unwrap());
        let seal = |field: Field, text: &str| {
            (
                field,
                key.seal(&org, Uuid::nil(), SealedAs::Field(field), serde_json::to_string(text).unwrap().as_bytes()),
            )
        };
        let sealed = [
            seal(Field::Alias, "\u{200b}"),
            seal(Field::GivenName, "Rene\u{301}"),
            seal(Field::FamilyName, &"\u{958}".repeat(100)),
            seal(Field::Notes, "a\u{e000}b \u{202e}c"),
        ];
        let opened = open_profile(&key, &org, Uuid::nil(), &sealed.into(), Field::ALL).unwrap();
        assert_eq!(opened.alias.unwrap().as_str(), "\u{fffd}");
        assert_eq!(opened.given_name.unwrap().as_str(), "Ren\u{e9}");
        assert_eq!(opened.notes.unwrap().as_str(), "ab c");
    }

    #[test]
    fn only_what_is_wanted_is_opened() {
        let (key, org) = (Key::new([7; 32]), "acme".parse().unwrap());
        let profile = Profile {
            alias: Some("Bee".parse().unwrap()),
            family_name: Some("Kowalska".parse().unwrap()),
            year_of_birth: Some(1980),
            ..Profile::default()
        };
        let sealed = seal_profile(&key, &org, Uuid::nil(), &profile);
        assert_eq!(sealed.keys().copied().collect::<Vec<_>>(), [Field::Alias, Field::FamilyName, Field::YearOfBirth]);
        assert_eq!(open_profile(&key, &org, Uuid::nil(), &sealed, Field::ALL).unwrap(), profile);
        let opened = open_profile(&key, &org, Uuid::nil(), &sealed, &[Field::Alias]).unwrap();
        assert_eq!(opened, Profile { alias: profile.alias, ..Profile::default() });
        assert!(open_profile(&Key::new([8; 32]), &org, Uuid::nil(), &sealed, Field::ALL).is_err());
    }
}
