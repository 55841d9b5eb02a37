//! Places in the log, as callers are told them: sealed, so that they say nothing, least of all how busy others are.
//!
//! Each is sealed with chance, never twice to the same text: whoever reads again cannot tell whether anybody wrote in
//! between. It opens for the organisation that it was sealed for only. All processes of one log have the same key: it is
//! kept in the log, as the answer to a command that nobody sends. So it is no event, which NATS would have too; and
//! whoever can read it there can read all positions anyway.

use std::{fmt, sync::Arc};

use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use data_encoding::BASE64URL_NOPAD;
use domain::OrgId;
use eventlog::{Append, AppendError, EventLog, Expected, LogError, Position, Receipt, ReceiptKey, StreamName};
use jiff::Timestamp;
use tokio::sync::OnceCell;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::Problem;

/// Bytes of a key.
const KEY_BYTES: usize = 32;
/// Bytes of a nonce.
const NONCE_BYTES: usize = 24;
/// What the key in the log is found by.
const KEPT_AS: &[u8] = b"kith 2026 key that seals positions";
/// Of the stream that the key's receipt needs; it never has an event.
const CATEGORY: &str = "positions";
/// Of what positions are sealed for.
const POSITION: &str = "position";

/// Seals what names places in the log.
#[derive(Clone)]
pub struct Seal {
    key: Arc<Zeroizing<[u8; KEY_BYTES]>>,
    chance: fn() -> [u8; 32],
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal")
    }
}

impl Seal {
    /// A seal with this key. `chance` draws random bytes: chance is an argument.
    pub fn new(key: [u8; KEY_BYTES], chance: fn() -> [u8; 32]) -> Self {
        Self { key: Arc::new(Zeroizing::new(key)), chance }
    }

    /// The seal of a log, which is made the first time.
    ///
    /// # Errors
    /// If the log does not answer.
    pub async fn of(log: &dyn EventLog, at: Timestamp, chance: fn() -> [u8; 32]) -> Result<Self, LogError> {
        let key = kept_as();
        if let Some(kept) = log.receipt(&key).await? {
            return Self::kept(&kept, chance);
        }
        let kith: OrgId = "kith".parse().expect("an id of an organisation");
        let body = chance().to_vec();
        let receipt = Receipt { key, fingerprint: key, status: 200, body, position: Position::START };
        let made = Append {
            stream: StreamName::new(CATEGORY, &kith, Uuid::nil()),
            expected: Expected::NoStream,
            events: vec![],
            metadata: vec![],
            at,
            receipt: Some(receipt.clone()),
        };
        match log.append(made).await {
            Ok(_) => Self::kept(&receipt, chance),
            // Another process was faster, and its key is the one.
            Err(AppendError::Receipted(kept)) => Self::kept(&kept, chance),
            Err(error) => Err(LogError(error.to_string())),
        }
    }

    /// The seal of a log that was served before; none if nobody ever asked.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub async fn kept_in(log: &dyn EventLog, chance: fn() -> [u8; 32]) -> Result<Option<Self>, LogError> {
        let kept = log.receipt(&kept_as()).await?;
        kept.map(|kept| Self::kept(&kept, chance)).transpose()
    }

    fn kept(receipt: &Receipt, chance: fn() -> [u8; 32]) -> Result<Self, LogError> {
        let key = receipt.body.as_slice().try_into();
        let key = key.map_err(|_| LogError("the key that seals positions is none".into()))?;
        Ok(Self::new(key, chance))
    }

    /// The position, sealed for this organisation.
    pub fn position(&self, org: &OrgId, position: Position) -> String {
        self.seal(org, POSITION, &position.0.to_be_bytes())
    }

    /// The position that was sealed for this organisation.
    pub fn opened_position(&self, org: &OrgId, sealed: &str) -> Option<Position> {
        let bytes = self.open(org, POSITION, sealed)?;
        bytes.try_into().ok().map(u64::from_be_bytes).map(Position)
    }

    /// Seals bytes for an organisation and a purpose.
    pub fn seal(&self, org: &OrgId, purpose: &str, bytes: &[u8]) -> String {
        let nonce: [u8; NONCE_BYTES] = (self.chance)()[..NONCE_BYTES].try_into().expect("24 of 32 bytes");
        let payload = Payload { msg: bytes, aad: &associated(org, purpose) };
        let sealed = self.cipher().encrypt(&XNonce::from(nonce), payload).expect("far less than the cipher's limit");
        BASE64URL_NOPAD.encode(&[&nonce[..], &sealed].concat())
    }

    /// Undoes [`Seal::seal`]; none if it is not what was sealed, for this organisation and purpose.
    pub fn open(&self, org: &OrgId, purpose: &str, sealed: &str) -> Option<Vec<u8>> {
        let bytes = BASE64URL_NOPAD.decode(sealed.as_bytes()).ok()?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_BYTES>()?;
        let payload = Payload { msg: sealed, aad: &associated(org, purpose) };
        self.cipher().decrypt(&XNonce::from(*nonce), payload).ok()
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&(**self.key).into())
    }
}

/// What is sealed opens for nothing else.
fn associated(org: &OrgId, purpose: &str) -> Vec<u8> {
    [org.as_str().as_bytes(), &[0], purpose.as_bytes()].concat()
}

fn kept_as() -> ReceiptKey {
    blake3::hash(KEPT_AS).as_bytes()[..16].try_into().expect("16 of 32 bytes")
}

/// The seal of a log, known once the log has answered.
#[derive(Clone, Debug)]
pub(crate) struct LogSeal {
    log: Option<Arc<dyn EventLog>>,
    chance: fn() -> [u8; 32],
    seal: Arc<OnceCell<Seal>>,
}

impl LogSeal {
    pub fn of(log: Arc<dyn EventLog>, chance: fn() -> [u8; 32]) -> Self {
        Self { log: Some(log), chance, seal: Arc::default() }
    }

    /// Of no log, for a gate that heeds none.
    pub fn none() -> Self {
        Self { log: None, chance: || [0; 32], seal: Arc::default() }
    }

    /// The seal.
    pub async fn get(&self, at: Timestamp) -> Result<Seal, Problem> {
        let make = async || match &self.log {
            Some(log) => Seal::of(&**log, at, self.chance).await,
            None => Ok(Seal::new([0; KEY_BYTES], self.chance)),
        };
        let seal = self.seal.get_or_try_init(make).await;
        seal.cloned().map_err(|error| Problem::unavailable(&error))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU8, Ordering};

    use eventlog::sqlite::SqliteLog;
    use proptest::prelude::*;

    use super::*;

    fn chance() -> [u8; 32] {
        static N: AtomicU8 = AtomicU8::new(0);
        [N.fetch_add(1, Ordering::Relaxed); 32]
    }

    fn org(name: &str) -> OrgId {
        name.parse().unwrap()
    }

    #[tokio::test]
    async fn all_who_have_one_log_have_one_key_and_those_of_another_have_another() {
        let dir = tempfile::tempdir().unwrap();
        let log = SqliteLog::open(&dir.path().join("log.db")).unwrap();
        let (now, acme) = (Timestamp::UNIX_EPOCH, org("acme"));
        let (one, two) = (Seal::of(&log, now, chance).await.unwrap(), Seal::of(&log, now, chance).await.unwrap());
        let sealed = one.position(&acme, Position(7));
        assert_eq!(two.opened_position(&acme, &sealed), Some(Position(7)));
        assert!(log.read_all(Position::START, 10).await.unwrap().is_empty(), "it is no event");
        let other = SqliteLog::open(&dir.path().join("other.db")).unwrap();
        let other = Seal::of(&other, now, chance).await.unwrap();
        assert_eq!(other.opened_position(&acme, &sealed), None);
    }

    #[test]
    fn the_same_position_is_never_sealed_to_the_same_text_nor_to_another_length() {
        let (seal, acme) = (Seal::new([7; 32], chance), org("acme"));
        let texts = [1, 1, u64::MAX].map(|position| seal.position(&acme, Position(position)));
        assert_ne!(texts[0], texts[1]);
        assert!(texts.iter().all(|text| text.len() == 64), "{texts:?}");
    }

    proptest! {
        #[test]
        fn it_opens_for_the_same_organisation_only_and_not_when_changed(position in any::<u64>(), at in 0usize..64) {
            let (seal, acme) = (Seal::new([7; 32], chance), org("acme"));
            let sealed = seal.position(&acme, Position(position));
            prop_assert_eq!(seal.opened_position(&acme, &sealed), Some(Position(position)));
            prop_assert_eq!(seal.opened_position(&org("other"), &sealed), None);
            prop_assert_eq!(seal.open(&acme, "cursor", &sealed), None);
            let mut changed = sealed.into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            prop_assert_eq!(seal.opened_position(&acme, &String::from_utf8(changed).unwrap()), None);
        }

        #[test]
        fn any_text_is_a_position_or_none(text in "[A-Za-z0-9_-]{0,100}|\\PC{0,40}") {
            prop_assert_eq!(Seal::new([7; 32], chance).opened_position(&org("acme"), &text), None);
        }
    }
}
