//! Receipts, without an append to two streams at once, which the protocol does not have.
//!
//! Each key has a stream of its own, of *claims*: what is about to be appended, where, under which ids, and the receipt.
//! A claim comes before the append. It is a receipt as soon as what it announces is in its stream, at the revision and
//! under the ids that it says; until then it says nothing, and of whatever was appended there instead, that it never
//! will. So the append alone decides, and a claim whose writer was lost in between does no harm.
//!
//! Why a command is not done twice: whoever claims a key reads all claims on it before. Two who decide on the same
//! revision of a stream append under the same ids, which is one append. Of two who decide on different ones, the append
//! at the earlier one fails: it is taken. Either the later one saw the earlier claim kept, or the earlier append fails,
//! and the one who asked looks at the claims again.

use data_encoding::{BASE64, HEXLOWER};
use eventstore::{EventData, RecordedEvent, StreamPosition};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Inner, event, unavailable};
use crate::{Append, AppendError, Expected, LogError, Position, Receipt, ReceiptKey, StreamName};

/// Most times that a claim loses a race, a count.
const RACES_MAX: usize = 8;

/// What is about to be appended, and what will be answered for ever then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Claim {
    stream: String,
    /// Revision before the events, if they are to follow one.
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<u64>,
    /// Whether the events may follow anything.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    anywhere: bool,
    /// Of the events; none if there is nothing but the receipt.
    ids: Vec<Uuid>,
    fingerprint: String,
    status: u16,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    body: String,
    position: u64,
}

/// How a key came to be claimed for an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claimed {
    /// By this append.
    Now,
    /// By one like it, whose outcome is not known.
    Before,
}

/// What became of a claim.
enum State {
    /// It is a receipt.
    Kept(Receipt),
    /// Its events may still come.
    Open,
    /// They never will.
    Void,
}

impl Claim {
    fn of(append: &Append, receipt: &Receipt) -> Self {
        Self {
            stream: append.stream.to_string(),
            after: if let Expected::Exact(revision) = append.expected { Some(revision) } else { None },
            anywhere: matches!(append.expected, Expected::Any | Expected::StreamExists),
            ids: append.events.iter().map(|event| event.id).collect(),
            fingerprint: HEXLOWER.encode(&receipt.fingerprint),
            status: receipt.status,
            body: BASE64.encode(&receipt.body),
            position: receipt.position.0,
        }
    }

    fn read(event: &RecordedEvent) -> Result<Self, LogError> {
        serde_json::from_slice(&event.data)
            .map_err(|error| LogError(format!("the receipt {}: {error}", event.stream_id)))
    }

    fn receipt(&self, key: &ReceiptKey, last: Position) -> Result<Receipt, LogError> {
        let broken = || LogError(format!("the receipt {} cannot be read", name(key)));
        Ok(Receipt {
            key: *key,
            fingerprint: decode(&HEXLOWER, &self.fingerprint)
                .and_then(|hash| hash.try_into().ok())
                .ok_or_else(broken)?,
            status: self.status,
            body: decode(&BASE64, &self.body).ok_or_else(broken)?,
            position: Position(self.position).max(last),
        })
    }

    /// Whether it announces the same append.
    fn announces_as(&self, other: &Self) -> bool {
        (&self.stream, self.after, self.anywhere, &self.ids) == (&other.stream, other.after, other.anywhere, &other.ids)
    }
}

fn decode(encoding: &data_encoding::Encoding, text: &str) -> Option<Vec<u8>> {
    encoding.decode(text.as_bytes()).ok()
}

/// Not one of the streams that readers of the log get.
fn name(key: &ReceiptKey) -> String {
    format!("kith-receipt-{}", HEXLOWER.encode(key))
}

impl Inner {
    /// The receipt of a key, if what it is for was done.
    pub async fn receipt(&self, key: &ReceiptKey) -> Result<Option<Receipt>, LogError> {
        for claim in self.claims(key).await?.iter().rev() {
            if let State::Kept(receipt) = self.state(key, claim).await? {
                return Ok(Some(receipt));
            }
        }
        Ok(None)
    }

    /// Says what is about to be appended.
    ///
    /// # Errors
    /// [`AppendError::Receipted`] if that was done, or something else under the same key.
    pub async fn claim(&self, append: &Append, receipt: &Receipt) -> Result<Claimed, AppendError> {
        let (key, claim) = (&receipt.key, Claim::of(append, receipt));
        let mut expected = Expected::NoStream;
        for _ in 0..RACES_MAX {
            let id = Uuid::new_v5(&Uuid::from_bytes(*key), format!("{claim:?} {expected:?}").as_bytes());
            let event =
                EventData::json("receipt.claimed", &claim).map_err(|error| unavailable(LogError(error.to_string())))?;
            match self.append_raw(&name(key), expected, vec![event.id(id)]).await {
                Ok(_) => return Ok(Claimed::Now),
                Err(AppendError::WrongExpectedRevision { current, .. }) => {
                    if self.is_claimed(&claim, receipt).await? {
                        return Ok(Claimed::Before);
                    }
                    expected = current.map_or(Expected::NoStream, Expected::Exact);
                }
                Err(error) => return Err(error),
            }
        }
        Err(AppendError::Unavailable("many others claim the same idempotency key".into()))
    }

    /// That the command with this key was done, as is known.
    pub async fn receipted(&self, key: &ReceiptKey) -> Result<AppendError, AppendError> {
        let kept = self.receipt(key).await.map_err(unavailable)?;
        kept.map(|kept| AppendError::Receipted(Box::new(kept)))
            .ok_or_else(|| AppendError::Unavailable("a receipt is not there yet".into()))
    }

    /// Whether the last claim on the key is as good as ours.
    async fn is_claimed(&self, ours: &Claim, receipt: &Receipt) -> Result<bool, AppendError> {
        let key = &receipt.key;
        let claims = self.claims(key).await.map_err(unavailable)?;
        for claim in claims.iter().rev() {
            match self.state(key, claim).await.map_err(unavailable)? {
                State::Kept(kept) => return Err(AppendError::Receipted(Box::new(kept))),
                // Something else was asked under this key, and may yet be done.
                State::Open if claim.fingerprint != ours.fingerprint => {
                    let open = claim.receipt(key, Position::START).map_err(unavailable)?;
                    return Err(AppendError::Receipted(Box::new(open)));
                }
                State::Open | State::Void => {}
            }
        }
        Ok(claims.last().is_some_and(|last| last.announces_as(ours)))
    }

    async fn claims(&self, key: &ReceiptKey) -> Result<Vec<Claim>, LogError> {
        let events = self.read(&name(key), StreamPosition::Start, usize::MAX).await?;
        events.iter().map(Claim::read).collect()
    }

    async fn state(&self, key: &ReceiptKey, claim: &Claim) -> Result<State, LogError> {
        let Some(first) = claim.ids.first() else { return claim.receipt(key, Position::START).map(State::Kept) };
        let stream = StreamName::parse(&claim.stream).map_err(|error| LogError(error.to_string()))?;
        let (from, max) = match (claim.anywhere, claim.after) {
            (true, _) => (0, usize::MAX),
            (false, after) => (after.map_or(0, |after| after + 1), claim.ids.len()),
        };
        let events = self.read(&event::name(&stream), StreamPosition::Position(from), max).await?;
        let written = events.iter().position(|event| event.id == *first);
        Ok(match written {
            Some(at) => {
                let last = events.get(at + claim.ids.len() - 1).unwrap_or(&events[at]);
                State::Kept(claim.receipt(key, Position(last.position.commit))?)
            }
            None if claim.anywhere || events.is_empty() => State::Open,
            None => State::Void,
        })
    }
}
