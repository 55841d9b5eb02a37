//! The hash chain: each event carries the BLAKE3 hash of itself and its predecessor's hash.
//!
//! What is hashed is what is stored, so sealed fields enter as ciphertext and destroying a key breaks nothing.

use uuid::Uuid;

use crate::{Append, NewEvent, Recorded};

pub type Hash = [u8; 32];

/// Hash before the first event.
pub const GENESIS: Hash = [0; 32];

/// All that is hashed of an event.
pub struct Link<'a> {
    pub position: u64,
    pub stream: &'a str,
    pub revision: u64,
    pub id: Uuid,
    pub event_type: &'a str,
    pub version: u16,
    pub recorded_at: i64,
    pub data: &'a [u8],
    pub metadata: &'a [u8],
}

impl<'a> Link<'a> {
    /// What is hashed of an event that was read, at this position: a log in which that is not known before an event is
    /// written says 0.
    pub fn recorded(event: &'a Recorded, position: u64) -> Self {
        Self {
            position,
            stream: event.stream.as_str(),
            revision: event.revision,
            id: event.id,
            event_type: &event.event_type,
            version: event.version,
            recorded_at: event.recorded_at.as_microsecond(),
            data: &event.data,
            metadata: &event.metadata,
        }
    }

    /// The same of one of the events of an append, about to be written.
    pub fn proposed(append: &'a Append, event: &'a NewEvent, position: u64, revision: u64) -> Self {
        Self {
            position,
            stream: append.stream.as_str(),
            revision,
            id: event.id,
            event_type: event.event_type,
            version: event.version,
            recorded_at: append.at.as_microsecond(),
            data: &event.data,
            metadata: &append.metadata,
        }
    }

    /// The hash of this event after one with hash `previous`.
    pub fn hash(&self, previous: &Hash) -> Hash {
        let mut hasher = blake3::Hasher::new();
        hasher.update(previous);
        hasher.update(&self.position.to_le_bytes());
        hasher.update(&self.revision.to_le_bytes());
        hasher.update(self.id.as_bytes());
        hasher.update(&self.version.to_le_bytes());
        hasher.update(&self.recorded_at.to_le_bytes());
        for part in [self.stream.as_bytes(), self.event_type.as_bytes(), self.data, self.metadata] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        hasher.finalize().into()
    }
}

/// The hash of a receipt.
pub fn receipt_hash(receipt: &crate::Receipt) -> Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&receipt.key);
    hasher.update(&receipt.fingerprint);
    hasher.update(&receipt.status.to_le_bytes());
    hasher.update(&receipt.position.0.to_le_bytes());
    hasher.update(&receipt.body);
    hasher.finalize().into()
}
