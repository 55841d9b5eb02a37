//! Whole-system tests: Kith over HTTP, and as processes.

mod access;
mod attendance;
mod authority;
mod backup;
mod canary;
mod command_line;
mod connections;
mod door;
mod enrolment;
mod erasure;
mod every_operation;
mod faults;
mod idempotency;
mod import_members;
mod index;
mod invariants;
mod kurrent;
mod load;
mod members;
mod nats_cluster;
mod oidc;
mod operations;
mod people;
mod reads;
mod report;
mod schemas;
