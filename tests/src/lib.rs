//! Kith as its users see it: over HTTP, as processes, with a real NATS server.

pub mod http;
