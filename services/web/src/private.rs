//! What a body says of a person: only sealing takes it out. Whoever seals it says as what, and thereby that what is kept to
//! recognise the command tells nothing to anyone without the key.

use std::{borrow::Cow, fmt};

use domain::{
    Sealed, Text,
    care::{Cause, Rating},
    group::Joining,
    instrument::Given,
    meeting::Mood,
    member::{Details, Fields, Profile},
    referral::{NeedWords, Projection},
};
use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;
use vault::{Key, SealedAs, seal_profile};

use crate::{Command, Run};

/// What is about a person, until it is sealed. In a schema it is what it holds: `value_type` says so.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Private<T>(T);

impl<T> fmt::Debug for Private<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Private")
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Private<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Self)
    }
}

impl<T> Private<T> {
    /// To be looked at, where it is decided by what it says.
    pub fn in_clear(&self) -> &T {
        &self.0
    }

    /// Something of it.
    pub fn map<U>(self, map: impl FnOnce(T) -> U) -> Private<U> {
        Private(map(self.0))
    }
}

/// What can be sealed, as the bytes that it is sealed as.
pub trait Sealable {
    /// The bytes.
    fn bytes(&self) -> Cow<'_, [u8]>;
}

impl<const MAX: usize> Sealable for Text<MAX> {
    fn bytes(&self) -> Cow<'_, [u8]> {
        self.as_str().as_bytes().into()
    }
}

impl Sealable for Details {
    fn bytes(&self) -> Cow<'_, [u8]> {
        serde_json::to_vec(self).expect("string keys only").into()
    }
}

/// JSON that says so little must not tell it by its length: it is filled up with spaces to a multiple of so many bytes.
const FILLED_BYTES: usize = 256;

fn filled(value: &impl Serialize) -> Cow<'static, [u8]> {
    let mut json = serde_json::to_vec(value).expect("string keys only");
    json.resize(json.len().next_multiple_of(FILLED_BYTES), b' ');
    json.into()
}

impl Sealable for Given {
    fn bytes(&self) -> Cow<'_, [u8]> {
        filled(self)
    }
}

impl Sealable for Cause {
    fn bytes(&self) -> Cow<'_, [u8]> {
        filled(self)
    }
}

impl Sealable for Joining {
    fn bytes(&self) -> Cow<'_, [u8]> {
        filled(self)
    }
}

impl Sealable for NeedWords {
    fn bytes(&self) -> Cow<'_, [u8]> {
        filled(self)
    }
}

impl Sealable for Projection {
    fn bytes(&self) -> Cow<'_, [u8]> {
        Projection::bytes(self).into()
    }
}

impl Sealable for Rating {
    fn bytes(&self) -> Cow<'_, [u8]> {
        serde_json::to_vec(self).expect("a number").into()
    }
}

impl Sealable for Mood {
    fn bytes(&self) -> Cow<'_, [u8]> {
        serde_json::to_vec(self).expect("a number or a word").into()
    }
}

impl<Op, T> Command<Op, T> {
    /// Seals what the body says of somebody, or of something of the organisation's, with their key. What is kept to
    /// recognise the command is of the first key with which it seals.
    pub fn seal<S: Sealable>(&mut self, key: &Key, of: impl Into<Uuid>, what: SealedAs, said: &Private<S>) -> Sealed {
        self.recognise_by(key);
        key.seal(&self.caller.org, of.into(), what, &said.0.bytes())
    }

    /// Seals what is already known of somebody, and is not in the body.
    pub fn seal_known<S: Sealable>(&mut self, key: &Key, of: impl Into<Uuid>, what: SealedAs, known: &S) -> Sealed {
        self.recognise_by(key);
        key.seal(&self.caller.org, of.into(), what, &known.bytes())
    }

    /// As [`Self::seal`], field by field.
    pub fn seal_profile(&mut self, key: &Key, of: impl Into<Uuid>, said: &Private<Profile>) -> Fields {
        self.recognise_by(key);
        seal_profile(key, &self.caller.org, of.into(), &said.0)
    }
}

impl Run {
    /// Seals what a line says of somebody with their key. An import is recognised by nothing that a line says.
    pub fn seal<S: Sealable>(&self, key: &Key, of: impl Into<Uuid>, what: SealedAs, said: &Private<S>) -> Sealed {
        key.seal(self.org(), of.into(), what, &said.0.bytes())
    }
}
