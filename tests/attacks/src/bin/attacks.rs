//! Attacks board reports of organisations of chance, as anybody could.

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Result, ensure};
use attacks::{
    board::Board,
    campaign::{Campaign, Outcome, peer_5, published, tables},
    folder,
    organisation::{GROUPS_MAX, GROUPS_MIN, Organisation},
};
use disclosure_control::edition::decide;

const HELP: &str = "\
Publishes four releases each of organisations of chance with the preset peer-5, and attacks what was published.

usage: attacks [--organisations N] [--seed S] [--from FOLDER] [--write FOLDER]

  --organisations N  how many organisations; the first has the seed S, the next S + 1 … (1000)
  --seed S           (1)
  --from FOLDER      one organisation from the files of another generator instead
  --write FOLDER     writes the first organisation's first release there, true and published, for other attackers

Exit code 1: something was found.";

fn main() -> Result<ExitCode> {
    let (mut organisations, mut seed, mut from, mut write) = (1000_u64, 1_u64, None::<PathBuf>, None::<PathBuf>);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let value = args.next();
        match (arg.as_str(), value) {
            ("--organisations", Some(value)) => organisations = value.parse()?,
            ("--seed", Some(value)) => seed = value.parse()?,
            ("--from", Some(value)) => from = Some(value.into()),
            ("--write", Some(value)) => write = Some(value.into()),
            _ => {
                println!("{HELP}");
                return Ok(if arg == "--help" { ExitCode::SUCCESS } else { ExitCode::from(2) });
            }
        }
    }
    let count = if from.is_some() { 1 } else { organisations };
    ensure!(count > 0, "at least one organisation");
    let mut sums: Vec<(usize, Outcome)> = vec![(0, Outcome::default()); 8];
    let mut unsafe_seeds = Vec::new();
    for number in 0..count {
        let organisation = match &from {
            Some(folder) => Organisation::read(folder)?,
            None => Organisation::random(seed + number, groups(seed + number)),
        };
        if let Some(folder) = write.take() {
            write_releases(&organisation, &folder)?;
        }
        let campaign = Campaign::run(&organisation)?;
        if !campaign.is_safe() {
            println!("{organisation}: {campaign:?}");
            unsafe_seeds.push(seed + number);
        }
        add(&mut sums, &campaign);
        if from.is_some() || (number + 1) % 10 == 0 {
            eprintln!("{} of {count}", number + 1);
        }
    }
    print(&sums, count);
    println!("found in {} of {count}: {unsafe_seeds:?}", unsafe_seeds.len());
    Ok(ExitCode::from(u8::from(!unsafe_seeds.is_empty())))
}

/// From the smallest to the largest that there is, one after the other.
fn groups(seed: u64) -> u16 {
    let range = u64::from(GROUPS_MAX - GROUPS_MIN) + 1;
    GROUPS_MIN + u16::try_from(seed % range).expect("few groups")
}

fn add(sums: &mut [(usize, Outcome)], campaign: &Campaign) {
    for ((published, sum), outcome) in sums.iter_mut().zip(campaign.alone.iter().chain(&campaign.releases)) {
        let Some(outcome) = outcome else { continue };
        *published += 1;
        sum.cells += outcome.cells;
        sum.hidden += outcome.hidden;
        sum.value += outcome.value;
        sum.shown += outcome.shown;
        sum.exact += outcome.exact;
        sum.narrow += outcome.narrow;
        sum.below_rule += outcome.below_rule;
    }
}

#[expect(clippy::cast_precision_loss, reason = "for the eye")]
fn print(sums: &[(usize, Outcome)], count: u64) {
    println!("release                published  held back  hidden  value shown  exact  narrow  below the rule");
    let names = ["H1", "Q1-Q3", "year", "a week later"];
    let names =
        names.map(|name| format!("{name} alone")).into_iter().chain(names.map(|name| format!("{name} after all")));
    for (name, (published, sum)) in names.zip(sums) {
        let percent = |part: i64, whole: i64| 100.0 * part as f64 / whole.max(1) as f64;
        let cells = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        println!(
            "{name:<22} {published:>9} {:>10} {:>6.1}% {:>11.1}% {:>6} {:>7} {:>15}",
            count - *published as u64,
            percent(cells(sum.hidden), cells(sum.cells)),
            percent(sum.shown, sum.value),
            sum.exact,
            sum.narrow,
            sum.below_rule
        );
    }
}

fn write_releases(organisation: &Organisation, folder: &std::path::Path) -> Result<()> {
    let mut ledger = Vec::new();
    for board in Board::releases(organisation) {
        let Ok(edition) = decide(&ledger, tables(&board)?, &peer_5()) else { continue };
        let name = &board.manifest.release;
        board.write(&folder.join("truth").join(name))?;
        folder::write(&folder.join("published").join(name), &board.manifest, &published(&board, &edition))?;
        ledger.push(edition);
    }
    Ok(())
}
