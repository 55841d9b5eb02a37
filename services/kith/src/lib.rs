//! The composition root: everything that is chance, time, files and processes is handed in here.
//!
//! [`serve`] puts the parts together; the other modules are the sub-commands of the command line.

pub mod api;
mod backup;
pub mod cli;
pub mod config;
mod contexts;
mod copy;
mod data_dir;
mod distribute;
mod erasures;
mod import;
mod keys;
mod links;
mod listen;
mod log;
mod oidc;
mod planner;
mod receipt;
mod report;
mod restore;
pub mod schemas;
mod serve;
mod service;
mod telemetry;
mod tls;
mod token;
mod upkeep;
mod verify;

pub use config::Config;
pub use data_dir::{DataDir, Kept};
pub use distribute::Work;
pub use serve::{Chance, Parts, Running, Stores, assemble, clock, serve};
pub use service::{Service, Services};
pub use verify::{Findings, verify};

/// A quarter of a command's time was the system's allocator: millions of short headers between many threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
