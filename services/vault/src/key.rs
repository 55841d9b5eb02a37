//! A person's key: sealing, opening, and digests that die with it.
//!
//! Sealing is deterministic (a synthetic nonce, as in RFC 5297, from a keyed hash of all that is sealed): the same value
//! of the same field of the same person is sealed to the same bytes, so that repeating a command changes nothing and no
//! chance is needed. What this tells an observer is that a field of one person has got a value that it had before.

use std::{fmt, ops::Range};

use chacha20poly1305::{
    KeyInit, Tag, XChaCha20Poly1305, XNonce,
    aead::{Aead, AeadInOut, Payload},
};
use data_encoding::BASE64URL_NOPAD;
use domain::{OrgId, Sealed, member::Field};
use uuid::Uuid;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// What is sealed is filled up to a multiple of this, in bytes, so that its length tells little.
pub const PADDED_BYTES: usize = 32;

/// Before what is sealed in this form.
const PREFIX: &str = "s1.";
/// Bytes of a nonce.
const NONCE_BYTES: usize = 24;
/// Bytes of what says that nothing was changed.
const TAG_BYTES: usize = 16;

/// A person's key.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Key {
    cipher: [u8; 32],
    nonce: [u8; 32],
    digest: [u8; 32],
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key")
    }
}

/// As what something is sealed: it opens as nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SealedAs {
    /// A field of a member's profile.
    Field(Field),
    /// Why a mark was corrected.
    Correction,
    /// Why an enrolment ended early.
    Withdrawal,
    /// Why somebody got another turn on a waiting list.
    Turn,
    /// Why a legal hold was placed.
    Hold,
    /// Why the glass was broken.
    Glass,
    /// To whom what may go by a consent.
    Consent,
    /// Why a meeting did not take place, or does after all, or was counted again; why a check-in is changed; why something is
    /// disclosed without consent.
    Reason,
    /// What was answered in a check-in.
    Answers,
    /// A goal, in words.
    Goal,
    /// How near a goal is.
    Rating,
    /// What a concern is for.
    Concern,
    /// What was done about it; what is said of a need, or of a step of a referral.
    Note,
    /// How a member said they feel, of the meeting where they said it.
    Mood,
    /// What a meeting was about.
    Topic,
    /// What a member needs of others.
    Need,
    /// What a partner reads of a member.
    Projection,
    /// Where an endpoint is.
    Endpoint,
    /// With what is signed that goes to an endpoint.
    Secret,
    /// How to take part in a group from elsewhere.
    Joining,
    /// Where somebody who works here is written to.
    Address,
    /// What shows that somebody reads what goes there.
    Code,
}

impl SealedAs {
    /// As it is bound into what is sealed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Field(field) => field.as_str(),
            Self::Correction => "correction",
            Self::Withdrawal => "withdrawal",
            Self::Turn => "turn",
            Self::Hold => "hold",
            Self::Glass => "glass",
            Self::Consent => "consent",
            Self::Reason => "reason",
            Self::Answers => "answers",
            Self::Goal => "goal",
            Self::Rating => "rating",
            Self::Concern => "concern",
            Self::Note => "note",
            Self::Mood => "mood",
            Self::Topic => "topic",
            Self::Need => "need",
            Self::Projection => "projection",
            Self::Endpoint => "endpoint",
            Self::Secret => "secret",
            Self::Joining => "joining",
            Self::Address => "address",
            Self::Code => "code",
        }
    }
}

/// A sealed value that does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a sealed value does not open: it is another person's or field's, or was changed")]
pub struct OpenError;

/// Where sealed values are opened one after the other. What was in it last is zeroised when it is dropped.
#[derive(Default)]
pub struct Buffer(Zeroizing<Vec<u8>>);

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Buffer")
    }
}

impl Key {
    /// The key of these bytes.
    pub(crate) fn new(mut bytes: [u8; 32]) -> Self {
        let part = |context| blake3::derive_key(context, &bytes);
        let key = Self {
            cipher: part("kith vault 2026 cipher"),
            nonce: part("kith vault 2026 nonce"),
            digest: part("kith vault 2026 digest"),
        };
        bytes.zeroize();
        key
    }

    /// Seals something of a person.
    pub fn seal(&self, org: &OrgId, person: Uuid, what: SealedAs, value: &[u8]) -> Sealed {
        let associated = associated(org, person, what);
        let padded = padded(value);
        let nonce = self.nonce_of(&associated, &padded);
        let payload = Payload { msg: &padded, aad: &associated };
        let sealed = self.cipher().encrypt(&XNonce::from(nonce), payload).expect("far less than the cipher's limit");
        let text = PREFIX.to_owned() + &BASE64URL_NOPAD.encode(&[&nonce[..], &sealed].concat());
        let Ok(sealed) = text.parse();
        sealed
    }

    /// Undoes [`Key::seal`].
    ///
    /// # Errors
    /// If this key did not seal it, of this person and as this.
    pub fn open(
        &self,
        org: &OrgId,
        person: Uuid,
        what: SealedAs,
        sealed: &Sealed,
    ) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let mut buffer = Buffer::default();
        let opened = self.open_in(&mut buffer, (org, person, what), sealed)?;
        let Buffer(mut bytes) = buffer;
        bytes.truncate(opened.end);
        bytes.drain(..opened.start);
        Ok(bytes)
    }

    /// As [`Key::open`], into a buffer that is used again: a report opens millions.
    ///
    /// # Errors
    /// As there.
    pub fn open_into<'a>(
        &self,
        buffer: &'a mut Buffer,
        of: (&OrgId, Uuid, SealedAs),
        sealed: &Sealed,
    ) -> Result<&'a [u8], OpenError> {
        let opened = self.open_in(buffer, of, sealed)?;
        Ok(&buffer.0[opened])
    }

    /// Opens where it stands; answers where in the buffer that is.
    fn open_in(
        &self,
        Buffer(bytes): &mut Buffer,
        (org, person, what): (&OrgId, Uuid, SealedAs),
        sealed: &Sealed,
    ) -> Result<Range<usize>, OpenError> {
        let text = sealed.as_str().strip_prefix(PREFIX).ok_or(OpenError)?.as_bytes();
        let length = BASE64URL_NOPAD.decode_len(text.len()).map_err(|_| OpenError)?;
        if bytes.capacity() < length {
            // Not grown: what is moved leaves a copy behind.
            *bytes = Zeroizing::new(Vec::with_capacity(length));
        }
        bytes.resize(length, 0);
        BASE64URL_NOPAD.decode_mut(text, bytes).map_err(|_| OpenError)?;
        let (nonce, sealed) = bytes.split_first_chunk_mut::<NONCE_BYTES>().ok_or(OpenError)?;
        let (sealed, tag) = sealed.split_last_chunk_mut::<TAG_BYTES>().ok_or(OpenError)?;
        let (nonce, tag, associated) = (XNonce::from(*nonce), Tag::from(*tag), associated(org, person, what));
        self.cipher().decrypt_inout_detached(&nonce, &associated, sealed.into(), &tag).map_err(|_| OpenError)?;
        Ok(NONCE_BYTES..NONCE_BYTES + unpadded(&bytes[NONCE_BYTES..length - TAG_BYTES])?)
    }

    /// A digest that nobody can make or check without this key, such as of what a command said about the person.
    pub fn digest(&self, bytes: &[u8]) -> [u8; 32] {
        blake3::keyed_hash(&self.digest, bytes).into()
    }

    /// An id, the same for the same, that nobody can make or check without this key.
    pub fn id(&self, of: &str) -> Uuid {
        let digest = self.digest(of.as_bytes());
        uuid::Builder::from_custom_bytes(*digest.first_chunk().expect("16 of 32 bytes")).into_uuid()
    }

    fn nonce_of(&self, associated: &[u8], value: &[u8]) -> [u8; NONCE_BYTES] {
        let mut hasher = blake3::Hasher::new_keyed(&self.nonce);
        hasher.update(&(associated.len() as u64).to_le_bytes()).update(associated).update(value);
        hasher.finalize().as_bytes()[..NONCE_BYTES].try_into().expect("24 of 32 bytes")
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&self.cipher.into())
    }
}

/// What a sealed value belongs to; it opens for nothing else.
fn associated(org: &OrgId, person: Uuid, what: SealedAs) -> Vec<u8> {
    [org.as_str().as_bytes(), &[0], person.as_bytes(), what.as_str().as_bytes()].concat()
}

/// ISO/IEC 7816-4: a byte 0x80, then zeros.
fn padded(value: &[u8]) -> Zeroizing<Vec<u8>> {
    let length = (value.len() / PADDED_BYTES + 1) * PADDED_BYTES;
    let mut padded = Zeroizing::new(Vec::with_capacity(length));
    padded.extend_from_slice(value);
    padded.push(0x80);
    padded.resize(length, 0);
    padded
}

/// How much of it there was before it was filled up, in bytes.
fn unpadded(padded: &[u8]) -> Result<usize, OpenError> {
    padded.iter().rposition(|byte| *byte != 0).filter(|end| padded[*end] == 0x80).ok_or(OpenError)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn org() -> OrgId {
        "acme".parse().unwrap()
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens_for_the_same_person_and_field_only(value in prop::collection::vec(any::<u8>(), 0..200)) {
            let (key, person) = (Key::new([7; 32]), Uuid::from_u128(1));
            let sealed = key.seal(&org(), person, SealedAs::Field(Field::Alias), &value);
            prop_assert_eq!(&sealed, &key.seal(&org(), person, SealedAs::Field(Field::Alias), &value));
            let opened = key.open(&org(), person, SealedAs::Field(Field::Alias), &sealed).unwrap();
            prop_assert_eq!(opened.as_slice(), value.as_slice());
            prop_assert!(key.open(&org(), person, SealedAs::Field(Field::Notes), &sealed).is_err());
            prop_assert!(key.open(&org(), Uuid::from_u128(2), SealedAs::Field(Field::Alias), &sealed).is_err());
            prop_assert!(key.open(&"other".parse().unwrap(), person, SealedAs::Field(Field::Alias), &sealed).is_err());
            prop_assert!(Key::new([8; 32]).open(&org(), person, SealedAs::Field(Field::Alias), &sealed).is_err());
        }

        #[test]
        fn what_is_opened_into_one_buffer_is_what_opens_alone(
            values in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 1..8),
        ) {
            let (key, org, mut buffer) = (Key::new([7; 32]), org(), Buffer::default());
            for (n, value) in values.iter().enumerate() {
                let of = (&org, Uuid::from_u128(n as u128), SealedAs::Answers);
                let sealed = key.seal(of.0, of.1, of.2, value);
                prop_assert_eq!(key.open_into(&mut buffer, of, &sealed), Ok(value.as_slice()));
                prop_assert_eq!(&**key.open(of.0, of.1, of.2, &sealed).unwrap(), value.as_slice());
                let another = (&org, Uuid::max(), SealedAs::Answers);
                prop_assert_eq!(key.open_into(&mut buffer, another, &sealed), Err(OpenError));
            }
        }

        #[test]
        fn what_was_changed_does_not_open(at in 0usize..80, value in "[a-z]{0,20}") {
            let (key, person) = (Key::new([7; 32]), Uuid::from_u128(1));
            let sealed = key.seal(&org(), person, SealedAs::Field(Field::Alias), value.as_bytes());
            let mut text = sealed.as_str().to_owned().into_bytes();
            let at = at % text.len();
            text[at] = if text[at] == b'A' { b'B' } else { b'A' };
            let Ok(changed) = String::from_utf8(text).unwrap().parse();
            prop_assert!(key.open(&org(), person, SealedAs::Field(Field::Alias), &changed).is_err());
        }

        #[test]
        fn any_text_opens_or_does_not_but_never_panics(text in "(s1\\.)?[A-Za-z0-9_-]{0,120}") {
            let Ok(sealed) = text.parse();
            prop_assert!(Key::new([7; 32]).open(&org(), Uuid::nil(), SealedAs::Field(Field::Alias), &sealed).is_err());
        }
    }

    #[test]
    fn lengths_tell_little() {
        let key = Key::new([7; 32]);
        let length =
            |name: &str| key.seal(&org(), Uuid::nil(), SealedAs::Field(Field::Alias), name.as_bytes()).as_str().len();
        assert_eq!(length("Jo"), length("Wilhelmina"));
        assert!(!format!("{key:?}").contains('7'));
    }
}
