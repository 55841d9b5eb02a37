//! `make chaos`: plays one seed after another, until one finds a fault or the time is over.

use std::{
    collections::BTreeMap,
    num::NonZeroUsize,
    sync::{
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use chaos::{FAULTS, Options, RULES, Run, run, run_apart};
use clap::Parser;

/// How often it says how far it is.
const TELL_EVERY: Duration = Duration::from_secs(10);
/// Steps that are shown before the one that broke a rule, a count.
const STEPS_SHOWN: usize = 30;

/// Plays the command side by seeds, with faults, and looks whether what must hold does.
#[derive(Debug, Parser)]
#[command(after_help = rules())]
struct Arguments {
    /// Play this seed only, and say every step.
    #[arg(long)]
    seed: Option<u64>,
    /// With a seed: say what came of it for a program to read.
    #[arg(long, requires = "seed", hide = true)]
    report: bool,
    /// The first of many seeds; by chance if it is not given.
    #[arg(long)]
    from: Option<u64>,
    /// How long to play, in seconds.
    #[arg(long, env = "CHAOS_SECONDS", default_value_t = 1_800)]
    seconds: u64,
    /// How many seeds to play at once, a count; as many as there are processors if it is not given.
    #[arg(long)]
    jobs: Option<NonZeroUsize>,
    /// Put in only these faults, separated by commas.
    #[arg(long, value_delimiter = ',')]
    faults: Option<Vec<String>>,
    /// Look at these rules only, separated by commas.
    #[arg(long, value_delimiter = ',')]
    rules: Option<Vec<String>>,
}

fn rules() -> String {
    let rules: Vec<_> = RULES.iter().map(|(rule, says)| format!("  {rule:20} {says}")).collect();
    format!("Faults: {}\n\nRules:\n{}", FAULTS.join(", "), rules.join("\n"))
}

fn main() -> anyhow::Result<()> {
    let Arguments { seed, report, from, seconds, jobs, faults, rules } = Arguments::parse();
    let all: Vec<_> = RULES.iter().map(|(rule, _)| *rule).collect();
    let unknown = |given: &Option<Vec<String>>, known: &[&str]| {
        given.iter().flatten().find(|name| !known.contains(&name.as_str())).cloned()
    };
    if let Some(name) = unknown(&faults, FAULTS).or_else(|| unknown(&rules, &all)) {
        bail!("`{name}` is not known; see --help");
    }
    let options = Options { faults, rules, trace: seed.is_some() };
    match seed {
        Some(seed) if report => {
            println!("{}", serde_json::to_string(&run(seed, &options))?);
            Ok(())
        }
        Some(seed) => {
            let played = run(seed, &options);
            played.trace.iter().for_each(|line| println!("{line}"));
            println!("digest {}", played.digest);
            told(seed, &played)
        }
        None => {
            let first = from.unwrap_or_else(|| rand::random::<u32>().into());
            let jobs = jobs.or_else(|| thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get);
            many(first, Duration::from_secs(seconds), jobs, &options)
        }
    }
}

/// Plays seeds from the first on, some at once, until one finds something or the time is over.
fn many(first: u64, time: Duration, jobs: usize, options: &Options) -> anyhow::Result<()> {
    let program = std::env::current_exe().context("this program does not know where it is")?;
    let (began, next, over) = (Instant::now(), AtomicU64::new(first), AtomicBool::new(false));
    println!("from seed {first}, for {} s, {jobs} at once", time.as_secs());
    thread::scope(|scope| {
        let (sender, played) = mpsc::channel();
        for _ in 0..jobs {
            let (sender, program, next, over) = (sender.clone(), &program, &next, &over);
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) && began.elapsed() < time {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    let _ = sender.send((seed, run_apart(program, seed, options)));
                }
            });
        }
        drop(sender);
        let (mut totals, mut told_at) = (Totals::default(), Instant::now());
        for (seed, played) in played {
            let judged = played.and_then(|played| {
                totals.add(&played);
                if played.violation.is_some() { told(seed, &played) } else { Ok(()) }
            });
            if judged.is_err() {
                over.store(true, Ordering::Relaxed);
                totals.tell(began);
                return judged;
            }
            if told_at.elapsed() >= TELL_EVERY {
                told_at = Instant::now();
                totals.tell(began);
            }
        }
        totals.tell(began);
        println!("nothing found");
        Ok(())
    })
}

/// What was found, and how to see it again.
fn told(seed: u64, played: &Run) -> anyhow::Result<()> {
    let Some(violation) = &played.violation else {
        println!("seed {seed}: nothing found in {} steps", played.steps);
        return Ok(());
    };
    println!("the last steps:");
    let from = played.trace.len().saturating_sub(STEPS_SHOWN);
    played.trace[from..].iter().for_each(|line| println!("{line}"));
    println!("seed {seed}, step {}: {violation}", played.steps);
    println!("again: make chaos ARGS=\"--seed {seed}\"");
    bail!("seed {seed}: {}", violation.kind)
}

#[derive(Debug, Default)]
struct Totals {
    seeds: u64,
    steps: u64,
    requests: u64,
    faults: BTreeMap<String, u64>,
}

impl Totals {
    fn add(&mut self, played: &Run) {
        self.seeds += 1;
        self.steps += played.steps;
        self.requests += played.requests;
        for (kind, count) in &played.faults {
            *self.faults.entry(kind.clone()).or_default() += count;
        }
    }

    fn tell(&self, began: Instant) {
        let seconds = began.elapsed().as_secs_f64();
        let faults: Vec<_> = self.faults.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        #[allow(clippy::cast_precision_loss)]
        let per_second = self.seeds as f64 / seconds;
        let Self { seeds, steps, requests, .. } = self;
        let faults = faults.join(", ");
        println!("{seconds:>6.0} s: {seeds} seeds ({per_second:.1}/s), {steps} steps, {requests} requests; {faults}");
    }
}
