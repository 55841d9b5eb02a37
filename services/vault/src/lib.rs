//! Personal data: a key for each person, kept wrapped; sealing and opening; a blind index; and forgetting.
//!
//! What is sealed with a person's key can be anywhere: in the log, in NATS, in views, in backups. Only the key is
//! guarded, and only the key needs to be destroyed for all of it to be lost. The key is wrapped by a key-encryption key
//! ([`Kek`]) that comes from a file or the environment.
//!
//! **Invariant:** no key is ever in `Debug`, in a log line or in an error; its bytes are zeroised when they are dropped.
//! **Invariant:** a key that was destroyed is in no file of the store, nor is what it was indexed by; and no person
//! gets a second one.

mod blind;
mod folded;
mod inspect;
mod kek;
mod key;
mod names;
mod phone;
mod profile;
mod store;
mod thread;
mod vault;

pub use blind::Blind;
pub use folded::{folded, readings};
pub use inspect::{Inspected, Known};
pub use kek::{Kek, KekError};
pub use key::{Buffer, Key, OpenError, PADDED_BYTES, SealedAs};
pub use names::Names;
pub use phone::{Country, NoCountry, learn_numbers};
pub use profile::{SealError, open_profile, seal_profile};
pub use store::StoreError;
pub use thread::{Fresh, Keeper, VaultError};
pub use vault::Vault;
