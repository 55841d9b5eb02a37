//! Disclosure control: how long it takes to decide what may be published, and to prove it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use attacks::{
    board::Board,
    campaign::{peer_5, tables},
    linked,
    organisation::Organisation,
};
use disclosure_control::{
    Problem, Row, Singletons,
    audit::{Attacker, Level},
    coarsen::{merges, propose},
    edition::decide,
    protect::{Openness, protect},
    suppress,
};

use super::{Bench, Figures};

/// How often what is short is done, a count: the median counts.
const TIMES: usize = 5;
/// The threshold of the large table.
const THRESHOLD: i64 = 5;
/// Organisations of 60 groups.
const SEEDS: [u64; 5] = [48, 97, 146, 195, 244];
/// People and areas of the linked tables: 100,000 cells.
const LINKED: (u64, u64) = (120_000, 240);

/// Measures suppression, audit and protection.
///
/// # Errors
/// If something cannot be protected.
pub async fn run(bench: &Bench, figures: &mut Figures) -> anyhow::Result<()> {
    let divisor = u64::from(bench.divisor);
    let measured = tokio::task::spawn_blocking(move || {
        let mut figures = Figures::default();
        // First, while little memory is in use.
        linked_tables(divisor, &mut figures)?;
        cube(&mut figures)?;
        board(&mut figures)?;
        anyhow::Ok(figures)
    });
    figures.lines.extend(measured.await??.lines);
    Ok(())
}

/// The median time of something.
fn median<T>(mut of: impl FnMut() -> anyhow::Result<T>) -> anyhow::Result<(Duration, T)> {
    let mut all = Vec::new();
    for _ in 0..TIMES {
        let started = Instant::now();
        let done = of()?;
        all.push((started.elapsed(), done));
    }
    all.sort_by_key(|(took, _)| *took);
    Ok(all.swap_remove(TIMES / 2))
}

fn milliseconds(took: Duration) -> f64 {
    took.as_secs_f64() * 1000.0
}

/// One table of three dimensions with all margins.
fn cube(figures: &mut Figures) -> anyhow::Result<()> {
    let problem = linked::cube();
    let (took, _) = median(|| Ok(suppress(&problem, Singletons::Handled)?))?;
    figures.add("suppress_720x1428_ms", milliseconds(took), "goal ≤ 20; median of 5");
    let (took, protection) = median(|| Ok(protect(&problem, Openness::full(THRESHOLD))?))?;
    let hidden: BTreeSet<usize> = problem.primary.union(&protection.secondary).copied().collect();
    let (audited, narrow) = median(|| audit(&problem, &hidden))?;
    ensure!(narrow == 0, "{narrow} cells are known to two numbers");
    let beside = format!("goal ≤ 2; median of 5, intervals of {} hidden cells", hidden.len());
    figures.add("audit_720x1428_s", audited.as_secs_f64(), beside);
    figures.add("protect_720x1428_s", took.as_secs_f64(), "goal ≤ 4; median of 5, audit and proof in it");
    Ok(())
}

/// How many hidden cells have an interval of two numbers or one.
fn audit(problem: &Problem, hidden: &BTreeSet<usize>) -> anyhow::Result<usize> {
    let rows: Vec<Row> = hidden.iter().map(|cell| problem.cells[*cell].atoms.clone()).collect();
    let known = problem.known(hidden, Level::K1, THRESHOLD);
    let mut attacker = Attacker::new(problem.atoms, known, &rows)?;
    let mut narrow = 0;
    for target in 0..rows.len() {
        narrow += usize::from(attacker.interval(target)?.width().is_some_and(|width| width < 2));
    }
    Ok(narrow)
}

/// Board reports of 60 groups, each beside another of the same facts; and which codes to merge.
fn board(figures: &mut Figures) -> anyhow::Result<()> {
    let (mut all, mut first) = (Vec::new(), None);
    for seed in SEEDS {
        let boards = Board::releases(&Organisation::random(seed, 60));
        let boards: Vec<_> = boards[..2].iter().map(tables).collect::<Result<_, _>>()?;
        let ledger = [decide(&[], boards[0].clone(), &peer_5())?];
        let (took, _) = median(|| Ok(decide(&ledger, boards[1].clone(), &peer_5())?))?;
        all.push(milliseconds(took));
        first.get_or_insert(boards);
    }
    all.sort_by(f64::total_cmp);
    let beside =
        format!("goal ≤ 300; the middle one of {} organisations, the slowest {:.0}", all.len(), all[all.len() - 1]);
    figures.add("protect_board_ms", all[all.len() / 2], beside);

    let boards = first.context("an organisation")?;
    let ages = ["18-24", "25-34", "35-44", "45-54", "55-64", "65+"].map(str::to_owned).to_vec();
    let all = merges(&boards[0].truth, &BTreeMap::from([("age_band".to_owned(), ages)]));
    let (started, mut tried) = (Instant::now(), 0);
    let proposals = propose(&boards[0], &peer_5(), &all, &mut |_, of| tried = of)?;
    ensure!(!proposals.is_empty(), "something can be merged");
    let beside = format!("goal ≤ 10; all {} merges and their pairs, {tried} in all", all.len());
    figures.add("coarsen_board_s", started.elapsed().as_secs_f64(), beside);
    Ok(())
}

/// Five linked tables.
fn linked_tables(divisor: u64, figures: &mut Figures) -> anyhow::Result<()> {
    let problem = linked::tables(LINKED.0 / divisor, LINKED.1 / divisor);
    // From here on the peak is this part's.
    fs::write("/proc/self/clear_refs", "5").context("the peak of memory cannot be set back")?;
    let started = Instant::now();
    suppress(&problem, Singletons::Handled)?;
    let took = started.elapsed().as_secs_f64();
    figures.add("suppress_100k_s", took, format!("goal ≤ 30; {} cells, singletons too", problem.cells.len()));
    let status = fs::read_to_string("/proc/self/status").context("how much memory there is")?;
    let peak =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().split(' ').next()?.parse::<f64>().ok());
    figures.add("suppress_100k_mib", peak.context("a peak")? / 1024.0, "goal ≤ 1,024; peak of the process");
    Ok(())
}
