//! From the log to everyone: NATS `JetStream` as a copy of the event log that can be thrown away and comes back.
//!
//! [`relay`] publishes the log, in order and once, to the stream [`STREAM`] as `CloudEvents` ([`cloud_event`]);
//! [`hear`] learns from NATS that there is more, and [`consume`] brings it, as the log has it, to a [`Subscriber`] (a view,
//! the facts) that keeps its own checkpoint. [`NatsServer`] runs the server as a child when none is given; [`Health`] says what runs, what stands still and why.
//!
//! **Invariant:** the log is the truth. Nothing is decided, and nothing is known, by what only NATS holds: every part
//! here recovers from a lost stream by reading the log.
//! **Invariant:** async-nats stops here; no type of it is public.
//! **Invariant:** no metadata of an event leaves the log: it says who acted.

mod backoff;
pub mod cloud_event;
mod connect;
mod consumer;
mod health;
mod hear;
mod nats_server;
mod read_ahead;
mod relay;
#[cfg(test)]
mod tests;

pub use connect::{CONNECT_WITHIN, ConnectError, Nats, NatsConfig, PAYLOAD_BYTES_MAX, STREAM, SUBJECTS};
pub use consumer::{ApplyError, BATCH_EVENTS_MAX, ConsumeOptions, LINGER_MAX, POISON_RETRY, Subscriber, consume};
pub use health::{Health, Part, PartReport, PartState, Report};
pub use hear::hear;
pub use nats_server::{NatsServer, NatsServerConfig, START_WITHIN, STOP_WITHIN, StartError};
pub use relay::{IN_FLIGHT_MAX, relay};

/// An error of a library, kept as a source without its type.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
