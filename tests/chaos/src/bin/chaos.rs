//! `make chaos`: plays one seed after another, until one finds a fault or the time is over.

use std::time::{Duration, Instant};

use anyhow::bail;
use chaos::{FAULTS, Options, RULES, Run, run};
use clap::Parser;

/// How often it says how far it is.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// Plays the command side by seeds, with faults, and looks whether what must hold does.
#[derive(Debug, Parser)]
#[command(after_help = rules())]
struct Arguments {
    /// Play this seed only, and say every step.
    #[arg(long)]
    seed: Option<u64>,
    /// The first of many seeds; by chance if it is not given.
    #[arg(long)]
    from: Option<u64>,
    /// How long to play, in seconds.
    #[arg(long, env = "CHAOS_SECONDS", default_value_t = 1_800)]
    seconds: u64,
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
    let Arguments { seed, from, seconds, faults, rules } = Arguments::parse();
    let unknown = |given: &Option<Vec<String>>, known: &[&str]| {
        given.iter().flatten().find(|name| !known.contains(&name.as_str())).cloned()
    };
    let all: Vec<_> = RULES.iter().map(|(rule, _)| *rule).collect();
    if let Some(name) = unknown(&faults, FAULTS).or_else(|| unknown(&rules, &all)) {
        bail!("`{name}` is not known; see --help");
    }
    let options = Options { faults, rules, trace: seed.is_some() };
    if let Some(seed) = seed {
        let played = run(seed, &options);
        played.trace.iter().for_each(|line| println!("{line}"));
        println!("digest {}", played.digest);
        return told(seed, &played);
    }
    let first = from.unwrap_or_else(|| rand::random::<u32>().into());
    let (began, mut told_at, mut totals) = (Instant::now(), Instant::now(), Totals::default());
    println!("from seed {first}, for {seconds} s");
    for seed in first.. {
        let played = run(seed, &options);
        totals.add(&played);
        if played.violation.is_some() {
            totals.tell(began);
            return told(seed, &played);
        }
        let over = began.elapsed() >= Duration::from_secs(seconds);
        if over || told_at.elapsed() >= TELL_EVERY {
            told_at = Instant::now();
            totals.tell(began);
        }
        if over {
            break;
        }
    }
    Ok(())
}

/// What was found, and how to see it again.
fn told(seed: u64, played: &Run) -> anyhow::Result<()> {
    let Some(violation) = &played.violation else {
        println!("seed {seed}: nothing found in {} steps", played.steps);
        return Ok(());
    };
    let from = played.trace.len().saturating_sub(25);
    println!("the last steps:");
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
    faults: Vec<(&'static str, u64)>,
}

impl Totals {
    fn add(&mut self, played: &Run) {
        self.seeds += 1;
        self.steps += played.steps;
        self.requests += played.requests;
        for (kind, count) in &played.faults {
            match self.faults.iter_mut().find(|(known, _)| known == kind) {
                Some((_, sum)) => *sum += count,
                None => self.faults.push((kind, *count)),
            }
        }
    }

    fn tell(&self, began: Instant) {
        let seconds = began.elapsed().as_secs_f64();
        let faults: Vec<_> = self.faults.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        #[allow(clippy::cast_precision_loss)]
        let per_second = self.seeds as f64 / seconds;
        println!(
            "{seconds:>6.0} s: {} seeds ({per_second:.1}/s), {} steps, {} requests; faults: {}",
            self.seeds,
            self.steps,
            self.requests,
            faults.join(", ")
        );
    }
}
