//! The composition root: everything that is chance, time, files and processes is handed in here.
//!
//! [`serve`] puts the parts together; the other modules are the sub-commands of the command line.

mod adopt;
pub mod api;
mod args;
mod attack;
mod backup;
pub mod cli;
pub mod config;
mod contexts;
mod copy;
mod data_dir;
mod distribute;
mod forwarded;
mod import;
mod instrument;
mod keys;
mod links;
mod listen;
mod log;
mod missing;
mod oidc;
mod pages;
mod places;
mod private;
mod problem_file;
mod receipt;
mod release_folder;
mod report;
mod restore;
mod room;
pub mod schemas;
mod serve;
mod service;
mod supervisor;
mod suppress;
mod telemetry;
mod tls;
mod token;
mod verify;

pub use config::Config;
pub use contexts::{CONTEXTS, operations, views};
pub use data_dir::{DataDir, ServerData};
pub use distribute::Background;
pub use serve::{Chance, Parts, Running, Stores, assemble, clock, serve};
pub use service::{Service, Services};
pub use supervisor::Supervisor;
pub use verify::{Findings, verify};

/// A quarter of a command's time was the system's allocator: millions of short headers between many threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
