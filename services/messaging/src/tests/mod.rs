//! Tests against a real nats-server and a real log.

mod consumer;
mod figures;
mod forged;
mod nats_server;
mod relay;
pub(crate) mod world;
