//! Places in the log, as callers are told them: sealed, so that they say nothing, least of all how busy others are.
//!
//! Each is sealed with chance, never twice to the same text: whoever reads again cannot tell whether anybody wrote in
//! between. It opens for the organisation that it was sealed for only. All processes of one log have the same key: it is
//! kept in the log, as the answer to a command that nobody sends. So it is no event, which NATS would have too; and
//! whoever can read it there can read all positions anyway.
//!
//! The text is a decimal number that begins with the time at which it was told, which says nothing new: so whoever sent
//! several commands keeps the greatest. For that, what is told to who wrote reaches at least as far as what this process
//! told of the organisation's commands before. What reads reach moves nothing: they reach as far as others have written.

use std::{
    fmt::{self, Write},
    num::NonZeroUsize,
    sync::{Arc, Mutex},
};

use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use data_encoding::BASE64URL_NOPAD;
use domain::OrgId;
use eventlog::{Append, AppendError, EventLog, Expected, LogError, Position, Receipt, ReceiptKey, StreamName};
use jiff::Timestamp;
use lru::LruCache;
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
/// Organisations of which it is remembered what they were told, a count; of others the time alone orders it.
const ORGS_TOLD_MAX: NonZeroUsize = NonZeroUsize::new(10_000).expect("more than none");
/// Bytes of a sealed position: its nonce, the position, the tag.
const SEALED_BYTES: usize = NONCE_BYTES + 8 + 16;
/// Bytes that are written as one number of [`WORD_DIGITS`] digits.
const WORD_BYTES: usize = 8;
/// Digits of the greatest of them.
const WORD_DIGITS: usize = 20;
/// Most digits of a position as it is told, a count.
pub const POSITION_DIGITS_MAX: usize = SEALED_BYTES / WORD_BYTES * WORD_DIGITS;
/// When is told what reaches less far than something told before: below all others.
const BEHIND: u64 = 1;

/// Seals what names places in the log.
#[derive(Clone)]
pub struct Seal {
    key: Arc<Zeroizing<[u8; KEY_BYTES]>>,
    chance: fn() -> [u8; 32],
    told: Arc<Mutex<LruCache<OrgId, Told>>>,
}

/// What an organisation was told last.
#[derive(Debug, Clone, Copy, Default)]
struct Told {
    /// The latest position that somebody wrote.
    position: Position,
    /// When, in microseconds; each time a later one.
    at: u64,
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal")
    }
}

impl Seal {
    /// A seal with this key. `chance` draws random bytes: chance is an argument.
    pub fn new(key: [u8; KEY_BYTES], chance: fn() -> [u8; 32]) -> Self {
        Self { key: Arc::new(Zeroizing::new(key)), chance, told: Arc::new(Mutex::new(LruCache::new(ORGS_TOLD_MAX))) }
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

    /// For who wrote up to this position: a number greater than all that were told before, which reaches as far as all
    /// that were told to who wrote.
    pub fn wrote(&self, org: &OrgId, position: Position, now: Timestamp) -> String {
        let told = self.tell(org, position, now);
        self.number(org, told.position, told.at)
    }

    /// For who gets an answer that reaches up to this position.
    pub fn reached(&self, org: &OrgId, position: Position, now: Timestamp) -> String {
        let told = self.tell(org, Position::START, now);
        let at = if position < told.position { BEHIND } else { told.at };
        self.number(org, position, at)
    }

    fn tell(&self, org: &OrgId, position: Position, now: Timestamp) -> Told {
        let mut told = self.told.lock().expect("nothing panics while it is held");
        let told = told.get_or_insert_mut(org.clone(), Told::default);
        let now = u64::try_from(now.as_microsecond()).unwrap_or_default();
        *told = Told { position: told.position.max(position), at: now.max(told.at + 1).max(BEHIND + 1) };
        *told
    }

    fn number(&self, org: &OrgId, position: Position, at: u64) -> String {
        let mut nonce: [u8; NONCE_BYTES] = (self.chance)()[..NONCE_BYTES].try_into().expect("24 of 32 bytes");
        nonce[..WORD_BYTES].copy_from_slice(&at.to_be_bytes());
        let sealed = self.seal_with(nonce, org, POSITION, &position.0.to_be_bytes());
        let mut digits = String::with_capacity(POSITION_DIGITS_MAX);
        for word in sealed.chunks_exact(WORD_BYTES) {
            let word = u64::from_be_bytes(word.try_into().expect("8 bytes"));
            let _ = write!(digits, "{word:0WORD_DIGITS$}"); // text takes all
        }
        digits.trim_start_matches('0').to_owned()
    }

    /// The position that this organisation was told.
    pub fn opened_position(&self, org: &OrgId, told: &str) -> Option<Position> {
        let digits = 1..=POSITION_DIGITS_MAX;
        if !(digits.contains(&told.len()) && told.bytes().all(|digit| digit.is_ascii_digit())) {
            return None;
        }
        let told = format!("{told:0>POSITION_DIGITS_MAX$}");
        let mut sealed = Vec::with_capacity(SEALED_BYTES);
        for at in (0..POSITION_DIGITS_MAX).step_by(WORD_DIGITS) {
            sealed.extend(told[at..at + WORD_DIGITS].parse::<u64>().ok()?.to_be_bytes());
        }
        let bytes = self.open_bytes(org, POSITION, &sealed)?;
        bytes.try_into().ok().map(u64::from_be_bytes).map(Position)
    }

    /// Seals bytes for an organisation and a purpose.
    pub fn seal(&self, org: &OrgId, purpose: &str, bytes: &[u8]) -> String {
        let nonce = (self.chance)()[..NONCE_BYTES].try_into().expect("24 of 32 bytes");
        BASE64URL_NOPAD.encode(&self.seal_with(nonce, org, purpose, bytes))
    }

    fn seal_with(&self, nonce: [u8; NONCE_BYTES], org: &OrgId, purpose: &str, bytes: &[u8]) -> Vec<u8> {
        let payload = Payload { msg: bytes, aad: &associated(org, purpose) };
        let sealed = self.cipher().encrypt(&XNonce::from(nonce), payload).expect("far less than the cipher's limit");
        [&nonce[..], &sealed].concat()
    }

    /// Undoes [`Seal::seal`]; none if it is not what was sealed, for this organisation and purpose.
    pub fn open(&self, org: &OrgId, purpose: &str, sealed: &str) -> Option<Vec<u8>> {
        self.open_bytes(org, purpose, &BASE64URL_NOPAD.decode(sealed.as_bytes()).ok()?)
    }

    fn open_bytes(&self, org: &OrgId, purpose: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_BYTES>()?;
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

    /// Of no log, for an authenticator that heeds none.
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
    use jiff::SignedDuration;
    use proptest::prelude::*;

    use super::*;

    fn chance() -> [u8; 32] {
        static N: AtomicU8 = AtomicU8::new(0);
        [N.fetch_add(1, Ordering::Relaxed); 32]
    }

    const NOON: Timestamp = Timestamp::constant(1_795_608_000, 0);

    fn org(name: &str) -> OrgId {
        name.parse().unwrap()
    }

    #[tokio::test]
    async fn all_who_have_one_log_have_one_key_and_those_of_another_have_another() {
        let dir = tempfile::tempdir().unwrap();
        let log = SqliteLog::open(&dir.path().join("log.db")).unwrap();
        let (now, acme) = (Timestamp::UNIX_EPOCH, org("acme"));
        let (one, two) = (Seal::of(&log, now, chance).await.unwrap(), Seal::of(&log, now, chance).await.unwrap());
        let sealed = one.wrote(&acme, Position(7), now);
        assert_eq!(two.opened_position(&acme, &sealed), Some(Position(7)));
        assert!(log.read_all(Position::START, 10).await.unwrap().is_empty(), "it is no event");
        let other = SqliteLog::open(&dir.path().join("other.db")).unwrap();
        let other = Seal::of(&other, now, chance).await.unwrap();
        assert_eq!(other.opened_position(&acme, &sealed), None);
    }

    #[test]
    fn the_same_position_is_never_told_by_the_same_number_nor_by_one_of_another_length() {
        let (seal, acme) = (Seal::new([7; 32], chance), org("acme"));
        let texts = [1, 1, u64::MAX].map(|position| seal.wrote(&acme, Position(position), NOON));
        assert_ne!(texts[0], texts[1]);
        assert!(texts.iter().all(|text| text.len() == 116), "{texts:?}");
    }

    #[test]
    fn what_others_are_told_changes_nothing_in_the_time_that_a_number_begins_with() {
        let (seal, acme) = (Seal::new([7; 32], chance), org("acme"));
        for n in 0..1_000 {
            seal.wrote(&org("other"), Position(n), NOON);
        }
        let told = seal.wrote(&acme, Position(7), NOON);
        assert!(told.starts_with(&NOON.as_microsecond().to_string()), "{told}");
    }

    proptest! {
        #[test]
        fn it_opens_for_the_same_organisation_only_and_not_when_changed(position in any::<u64>(), at in 0usize..116) {
            let (seal, acme) = (Seal::new([7; 32], chance), org("acme"));
            let sealed = seal.wrote(&acme, Position(position), NOON);
            prop_assert_eq!(seal.opened_position(&acme, &sealed), Some(Position(position)));
            prop_assert_eq!(seal.opened_position(&org("other"), &sealed), None);
            prop_assert_eq!(seal.open(&acme, "cursor", &sealed), None);
            let mut changed = sealed.into_bytes();
            changed[at] = if changed[at] == b'1' { b'2' } else { b'1' };
            prop_assert_eq!(seal.opened_position(&acme, &String::from_utf8(changed).unwrap()), None);
        }

        #[test]
        fn the_greatest_number_reaches_as_far_as_all_whose_commands_were_answered(
            told in prop::collection::vec((any::<bool>(), 0u64..20, 0i64..3), 1..40),
        ) {
            let (seal, acme) = (Seal::new([7; 32], chance), org("acme"));
            let mut numbers = Vec::new();
            for (wrote, position, later) in told {
                let (position, now) = (Position(position), NOON + SignedDuration::from_micros(later));
                let text = if wrote { seal.wrote(&acme, position, now) } else { seal.reached(&acme, position, now) };
                prop_assert!(seal.opened_position(&acme, &text) >= Some(position));
                prop_assert!(wrote || seal.opened_position(&acme, &text) == Some(position));
                numbers.push((format!("{text:0>POSITION_DIGITS_MAX$}"), wrote.then_some(position)));
            }
            let greatest = numbers.iter().max().unwrap();
            prop_assert!(seal.opened_position(&acme, &greatest.0) >= numbers.iter().map(|told| told.1).max().unwrap());
        }

        #[test]
        fn any_text_is_a_position_or_none(text in "[0-9]{0,130}|[A-Za-z0-9_-]{0,100}|\\PC{0,40}") {
            prop_assert_eq!(Seal::new([7; 32], chance).opened_position(&org("acme"), &text), None);
        }
    }
}
