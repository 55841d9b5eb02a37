//! Prints what agencies' rule books leak on board reports, as tables for a README.
//!
//!     cargo run -p attacks --bin presets -- [organisations, 50]
//!
//! Two rounded releases together take minutes for each organisation: they are left out.

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context, Result};
use attacks::{
    board::Board,
    organisation::{Codes, Organisation, State},
    presets::{Leak, Leaks, agencies, leaks},
};
use disclosure_control::preset::Rounding;

/// The seed of the 60 groups whose releases are looked at together, and of random rounding.
const SEED: u64 = 20_260_702;

/// Of how many organisations of chance two releases are looked at together.
const PAIRS_MAX: usize = 10;

/// What is attacked: a name, and lists of boards that are looked at together.
type Case = (String, Vec<Vec<Board>>);

fn main() -> Result<()> {
    let organisations = std::env::args().nth(1).map_or(Ok(50), |number| number.parse());
    for (name, lists) in cases(organisations.context("how many organisations?")?)? {
        println!("\n{name}\n");
        println!("| rule book | cells | hidden | K0 | K1 | K2 | protected | worked out | releases that leak |");
        println!("|---|---|---|---|---|---|---|---|---|");
        for preset in agencies() {
            if preset.rounding != Rounding::None && lists.iter().any(|boards| boards.len() > 1) {
                continue;
            }
            let begun = Instant::now();
            let (mut sum, mut stopped) = (Leaks::default(), 0);
            for (number, boards) in lists.iter().enumerate() {
                match leaks(&preset, &boards.iter().collect::<Vec<_>>(), SEED + u64::try_from(number)?) {
                    Ok(leaks) => sum += leaks,
                    Err(error) => {
                        eprintln!("{} on {name}, {number}: {error:#}", preset.name);
                        stopped += 1;
                    }
                }
            }
            eprintln!("{}: {:?}", preset.name, begun.elapsed());
            println!("{}", line(&preset.name, &sum, stopped));
        }
    }
    Ok(())
}

/// Exact (of them small) + down to two values.
fn line(name: &str, leaks: &Leaks, stopped: usize) -> String {
    let leak = |leak: &Leak| format!("{} ({}) + {}", leak.exact, leak.exact_small, leak.narrow);
    let [k0, k1, k2] = leaks.levels.each_ref().map(leak);
    let stopped = if stopped > 0 { format!(", {stopped} not finished") } else { String::new() };
    format!(
        "| `{name}` | {} | {} | {k0} | {k1} | {k2} | {} | {} | {} of {}{stopped} |",
        leaks.cells,
        leaks.hidden,
        leaks.protected,
        leak(&leaks.undone),
        leaks.leaking,
        leaks.releases
    )
}

fn cases(organisations: u64) -> Result<Vec<Case>> {
    let data = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("data");
    let [half, three, year, _] = Board::releases(&Organisation::read(&data.join("small"))?);
    let large = year_of(&data.join("large"))?;
    let mut cases = vec![
        ("18 groups, half a year".to_owned(), vec![vec![half.clone()]]),
        ("18 groups, the year".to_owned(), vec![vec![year]]),
        ("18 groups, half a year and three quarters together".to_owned(), vec![vec![half, three]]),
        ("60 groups, the year".to_owned(), vec![vec![large]]),
    ];
    let [half, three, _, _] = Board::releases(&Organisation::random(SEED, 60));
    cases.push(("60 groups of chance, half a year".to_owned(), vec![vec![half.clone()]]));
    cases.push(("60 groups of chance, half a year and three quarters together".to_owned(), vec![vec![half, three]]));
    let groups = |seed: u64| u16::try_from(12 + 48 * seed / organisations.max(2).saturating_sub(1)).map(|n| n.min(60));
    let (mut halves, mut pairs) = (Vec::new(), Vec::new());
    for seed in 0..organisations {
        let [half, three, _, _] = Board::releases(&Organisation::random(seed, groups(seed)?));
        halves.push(vec![half.clone()]);
        if pairs.len() < PAIRS_MAX {
            pairs.push(vec![half, three]);
        }
    }
    cases.push((format!("{organisations} organisations of chance of 12 to 60 groups, half a year"), halves));
    cases.push((format!("The first {}, half a year and three quarters together", pairs.len()), pairs));
    Ok(cases)
}

/// Of the large organisation only the second state is kept.
fn year_of(folder: &Path) -> Result<Board> {
    let codes = Codes::read(folder)?;
    let state = State::read(&folder.join("state-2"), &codes)?;
    Ok(Board::new("release-2", &codes, &state, 4))
}
