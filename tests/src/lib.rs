//! Kith as its users see it: over HTTP, as processes, with a real NATS server.

pub mod bench;
pub mod changes;
pub mod gateway;
pub mod http;
pub mod load;
pub mod positions;
pub mod process;
pub mod server;
pub mod simulation;
pub mod world;
