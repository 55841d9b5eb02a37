//! The event log: the truth of Kith.
//!
//! [`EventLog`] is the port, [`sqlite`] the adapter for one machine, [`kurrent`] the one for many, [`Streams`] the way in
//! which commands use it: read, fold, decide, append at the expected revision. What any adapter must do is in
//! `contract.rs`; each runs it.
//!
//! **Invariant:** SQLite's types stop at `sqlite.rs` and its folder, those of `eventstore` at `kurrent.rs` and its.
//! **Invariant:** outside the SQLite adapter nothing relies on positions without gaps; they only grow.

mod all_streams;
mod append;
mod blocking;
mod chain;
#[cfg(test)]
mod contract;
mod data;
mod give_way;
pub mod kurrent;
mod log;
pub mod sqlite;
mod transact;
mod verified;

pub use all_streams::AllStreams;
pub use append::{Decision, Expected, decide_append};
pub use blocking::{Turn, Unfinished, blocking, take_turns};
pub use data::Data;
pub use give_way::give_way;
pub use log::{
    APPEND_BYTES_MAX, Append, AppendError, Appended, EventLog, LogError, NewEvent, Position, Receipt, ReceiptKey,
    Recorded, StreamName, UnknownStream,
};
pub use transact::{Answers, Cause, Done, Loaded, Reply, Streams, TransactError};
pub use verified::{Finding, Verified};
