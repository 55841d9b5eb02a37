//! Whole-system tests: Kith over HTTP, and as processes.

mod attendance;
mod command_line;
mod enrolment;
mod every_operation;
mod faults;
mod idempotency;
mod invariants;
mod members;
mod operations;
mod reads;
mod report;
mod schemas;
