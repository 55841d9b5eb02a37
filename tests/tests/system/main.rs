//! Whole-system tests: Kith over HTTP, and as processes.

mod access;
mod attendance;
mod command_line;
mod door;
mod every_operation;
mod faults;
mod idempotency;
mod invariants;
mod oidc;
mod operations;
mod reads;
mod report;
mod schemas;
