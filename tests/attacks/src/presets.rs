//! What agencies' rule books leak on board reports; the figures are in the documentation of
//! [`disclosure_control::preset`].
//!
//! Two questions. What [`attack`] finds: which **hidden** numbers are known, exactly or down to two values. And what
//! somebody finds who also reads the rule book: that a shown number was not small before it was rounded, and a shown
//! zero was a zero; asked of all numbers that the rule book protects, also of those that it shows rounded.

use std::ops::AddAssign;

use anyhow::{Result, ensure};
use disclosure_control::{
    Row,
    attack::{Found, attack},
    audit::{Attacker, Level},
    edition::Tables,
    preset::{Preset, Rounding},
    release::{Release, TOTAL, Zeros},
    rule::{Name, Threshold},
    simplex::Constraint,
    world::{World, WorldCell},
};

use crate::{board::Board, campaign::tables};

/// What lies in an interval of fewer steps than this is narrow: two values.
pub const WIDTH: i64 = 2;

/// The rule books of agencies, and the rule of three and of five.
pub fn agencies() -> Vec<Preset> {
    let known = Preset::ALL.into_iter().filter(|preset| preset.audit.is_none()).cloned();
    let rules_of = [3, 5].map(|n| Preset::rule_of(Threshold::fewer_than(n).expect("3 and 5 are thresholds")));
    known.chain(rules_of).collect()
}

/// How many cells, and what is known of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Leak {
    /// Known exactly.
    pub exact: usize,
    /// Exactly, and they are small.
    pub exact_small: usize,
    /// Down to two values.
    pub narrow: usize,
}

/// What a rule book leaks, added up over releases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Leaks {
    /// How many releases (or pairs of them) were attacked.
    pub releases: usize,
    /// Releases that leak anything.
    pub leaking: usize,
    /// Distinct cells.
    pub cells: usize,
    /// Of them hidden.
    pub hidden: usize,
    /// Of the hidden ones by level.
    pub levels: [Leak; 3],
    /// Numbers that the rule book protects, hidden or rounded.
    pub protected: usize,
    /// Of these, known to who reads the rule book.
    pub undone: Leak,
}

impl AddAssign for Leak {
    fn add_assign(&mut self, other: Leak) {
        self.exact += other.exact;
        self.exact_small += other.exact_small;
        self.narrow += other.narrow;
    }
}

impl AddAssign for Leaks {
    fn add_assign(&mut self, other: Leaks) {
        self.releases += other.releases;
        self.leaking += other.leaking;
        self.cells += other.cells;
        self.hidden += other.hidden;
        self.levels.iter_mut().zip(other.levels).for_each(|(leak, other)| *leak += other);
        self.protected += other.protected;
        self.undone += other.undone;
    }
}

/// A number that is always the same for a cell: chance of random rounding. The cell is known by the finest codes that
/// it stands for.
fn uniform(release: &Release, seed: u64, (measure, key): &Name) -> u64 {
    let mut words = vec![measure.as_str()];
    for dim in release.manifest.dimensions.keys() {
        let code = key.iter().find(|(name, _)| name == dim).map_or(TOTAL, |(_, code)| code);
        words.push(dim);
        words.extend(release.finest(dim, code));
    }
    // FNV-1a, then the finish of splitmix64: the same everywhere, and its first bits are as good as its last.
    let bytes = words.into_iter().flat_map(|word| word.bytes().chain([0]));
    let hash =
        bytes.fold(seed ^ 0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    let hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

/// What a rule book leaks of board reports of the same facts, looked at together.
pub fn leaks(preset: &Preset, boards: &[&Board], seed: u64) -> Result<Leaks> {
    let mut released = Vec::new();
    let mut truths = Vec::new();
    for (number, board) in boards.iter().enumerate() {
        let Tables { truth, by } = tables(board)?;
        let published = preset.publish(&truth, &by, &|name| uniform(&truth, seed, name))?.release;
        released.push(published.apart(number));
        truths.push(truth.apart(number));
    }
    let found = attack(&released, WIDTH)?;
    let levels = [&found.k0, &found.k1, &found.k2].map(Leak::of);
    let (protected, undone) = undone(preset, &released, &truths)?;
    let leaking = levels.iter().chain([&undone]).any(|leak| leak.exact + leak.narrow > 0);
    Ok(Leaks {
        releases: 1,
        leaking: usize::from(leaking),
        cells: found.cells,
        hidden: found.hidden,
        levels,
        protected,
        undone,
    })
}

impl Leak {
    fn of(found: &Found) -> Leak {
        Leak { exact: found.exact, exact_small: found.exact_small, narrow: found.narrow }
    }
}

/// How many numbers a rule book protects, and what who reads it knows of them.
fn undone(preset: &Preset, released: &[Release], truths: &[Release]) -> Result<(usize, Leak)> {
    let (world, truth) = (World::new(released)?, World::new(truths)?);
    ensure!(world.cells.len() == truth.cells.len(), "the same cells");
    // Random rounding hides nothing; what it is for are the numbers that it never shows.
    let small = preset.small().map_or(3, Threshold::get);
    let least = i64::from(preset.zeros == Zeros::Public);
    let is_protected = |(cell, truth): (&WorldCell, &WorldCell)| {
        let rounded = preset.rounding == Rounding::None || cell.rounded_to.is_some();
        cell.value.is_none() || (rounded && (1..small).contains(&truth.value.unwrap_or_default()))
    };
    let targets: Vec<usize> =
        (0..world.cells.len()).filter(|at| is_protected((&world.cells[*at], &truth.cells[*at]))).collect();
    let mut known = world.known(Level::K2);
    known.extend(world.cells.iter().filter_map(|cell| read(preset, cell)));
    let counts = |at: &usize| truth.cells[*at].value;
    let rows: Vec<Row> = targets.iter().map(|at| world.cells[*at].atoms.clone()).collect();
    let mut attacker = Attacker::new(world.atoms, known, &rows)?;
    let mut leak = Leak::default();
    for (target, at) in targets.iter().enumerate() {
        let interval = attacker.interval(target)?;
        let Some(width) = interval.width() else { continue };
        let value = counts(at).unwrap_or_default();
        ensure!(interval.low <= value && interval.high >= Some(value), "{} is {value}", world.cells[*at].name());
        leak.exact += usize::from(width == 0);
        leak.exact_small += usize::from(width == 0 && (least..small).contains(&value));
        leak.narrow += usize::from(width > 0 && width < WIDTH);
    }
    Ok((targets.len(), leak))
}

/// What the rule book says of a shown number, beyond what it was rounded to: it is not small.
fn read(preset: &Preset, cell: &WorldCell) -> Option<Constraint> {
    let (small, value) = (preset.small()?, cell.value?);
    (cell.rounded_to.is_some() && value > 0).then(|| Constraint::at_least(cell.atoms.clone(), small.get()))
}
