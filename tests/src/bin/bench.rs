//! `make bench`: prints a table and writes `target/bench.json`.

use std::{net::SocketAddr, path::Path, process::ExitCode, time::Instant};

use anyhow::Context;
use clap::{Parser, ValueEnum};
use tests::{
    bench::{
        Bench, Figures, append, care, command, disclosure, empty_server, health, members, memory, near, queue, rebuild,
        referrals, scores, visible,
    },
    server::Kith,
};

/// By how much `--quick` is shorter.
const QUICK_DIVISOR: u32 = 10;

/// What Kith does per second, beside what the machine could do.
#[derive(Debug, Parser)]
struct Options {
    /// Measure these parts only, such as `bench members`
    only: Vec<Part>,
    /// A tenth of the time and of the events: shows that the bench works, its figures are rough
    #[arg(long)]
    quick: bool,
    /// Be the server that does nothing, to compare with
    #[arg(long, hide = true)]
    empty_server: Option<SocketAddr>,
}

/// A part of the bench.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    Append,
    Command,
    Visible,
    Rebuild,
    Memory,
    Members,
    Care,
    Scores,
    Referrals,
    Queue,
    Disclosure,
    Near,
    Health,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &Options) -> anyhow::Result<()> {
    if let Some(address) = options.empty_server {
        return empty_server::serve(address).await;
    }
    if cfg!(debug_assertions) {
        println!("this is not a release build: the figures mean little");
    }
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
    // Not the system's folder for temporary files: that may be memory, where nothing is durable.
    let place = tempfile::Builder::new().prefix("bench-").tempdir_in(&target);
    let place = place.with_context(|| format!("{} cannot be written", target.display()))?;
    let divisor = if options.quick { QUICK_DIVISOR } else { 1 };
    let bench = Bench { kith: Kith::beside_this()?, place: place.path().into(), divisor };
    let (mut figures, started) = (Figures::default(), Instant::now());
    let parts = if options.only.is_empty() { Part::value_variants() } else { &options.only };
    for part in parts {
        match part {
            Part::Append => append::run(&bench, &mut figures).await?,
            Part::Command => command::run(&bench, &mut figures).await?,
            Part::Visible => visible::run(&bench, &mut figures).await?,
            Part::Rebuild => rebuild::run(&bench, &mut figures).await?,
            Part::Memory => memory::run(&bench, &mut figures).await?,
            Part::Members => members::run(&bench, &mut figures).await?,
            Part::Care => care::run(&bench, &mut figures).await?,
            Part::Scores => scores::run(&bench, &mut figures).await?,
            Part::Referrals => referrals::run(&bench, &mut figures).await?,
            Part::Queue => queue::run(&bench, &mut figures).await?,
            Part::Disclosure => disclosure::run(&bench, &mut figures).await?,
            Part::Near => near::run(&bench, &mut figures).await?,
            Part::Health => health::run(&bench, &mut figures).await?,
        }
    }
    let file = target.join("bench.json");
    std::fs::write(&file, figures.json()).with_context(|| format!("{} cannot be written", file.display()))?;
    println!("\nAfter {:.0} s, and in target/bench.json:\n\n{}", started.elapsed().as_secs_f64(), figures.table());
    Ok(())
}
