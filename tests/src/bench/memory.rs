//! Memory: of a server that has nothing to do, and of one that folds everything anew.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::Path,
    time::Duration,
};

use anyhow::Context;
use eventlog::{EventLog, sqlite::SqliteLog};

use super::{Bench, Figures, rebuild::seeded};

/// Longest wait for views and facts of a new server, and of one that folds a million events.
const READY_WITHIN: Duration = Duration::from_mins(1);
const REBUILT_WITHIN: Duration = Duration::from_mins(4);
/// Without the planner, which would write.
const ARGUMENTS: [&str; 4] = ["--plan-days", "0", "--log", "warn"];

/// Measures memory.
///
/// # Errors
/// If a server does not get ready.
pub async fn run(bench: &Bench, figures: &mut Figures) -> anyhow::Result<()> {
    let listen = ([127, 0, 0, 1], 0).into();
    let server = bench.kith.serve(&bench.place.join("idle"), listen, &ARGUMENTS).await?;
    server.reaches(0, READY_WITHIN).await?;
    figures.add("rss_idle_mb", server.memory_mib("VmRSS")?, "goal ≤ 120; MiB, without nats-server");
    server.stop().await?;

    let log = seeded(bench).await?;
    let data = log.parent().context("a folder")?;
    let head = forget_views_and_facts(&log, data)?;
    sign(data)?;
    let server = bench.kith.serve(data, listen, &ARGUMENTS).await?;
    let began = std::time::Instant::now();
    server.reaches(head, REBUILT_WITHIN).await?;
    let took = began.elapsed();
    let beside = format!("goal ≤ 400; MiB, peak, without nats-server; {head} events in {:.1} s", took.as_secs_f64());
    figures.add("rss_rebuild_mb", server.memory_mib("VmHWM")?, beside);
    server.stop().await
}

/// Gives the log that was written without a server what a server signs with: it makes none beside a log by itself.
fn sign(data: &Path) -> anyhow::Result<()> {
    let key = data.join("issuer.key");
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&key);
    let written = made.and_then(|mut file| file.write_all(&[7; 32]));
    written.with_context(|| format!("{} cannot be written", key.display()))
}

/// Leaves the log alone; answers its head.
fn forget_views_and_facts(log: &Path, data: &Path) -> anyhow::Result<u64> {
    for name in ["views.db", "views.db-wal", "views.db-shm"] {
        let _ = fs::remove_file(data.join(name));
    }
    for name in ["facts", "nats"] {
        let _ = fs::remove_dir_all(data.join(name));
    }
    let head = SqliteLog::open(log)?.head().borrow().0;
    Ok(head)
}
