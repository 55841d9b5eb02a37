//! Hides what must be hidden until it is proven that every hidden number is open enough.
//!
//! Suppression leaves no primary cell in the span of the published ones; that is not yet safe. Somebody who knows that
//! numbers are whole, not negative and, where zeros are shown, not zero, may still find a hidden cell in a narrow
//! interval. So each hidden cell is audited at [`crate::audit::Level::K1`]; for one that is too narrow the published
//! numbers are found that would have to be others for it to be open, at the least cost (a linear programme), these are
//! hidden as well, and all is audited again. What is proven stays proven: hiding more only opens.
//!
//! With one mark for all hidden cells nobody knows more than K1 by the marks, and who knows less sees wider intervals.

use std::collections::{BTreeMap, BTreeSet};

use crate::audit::{Attacker, Interval};
use crate::problem::Problem;
use crate::row::{Row, TooWide};
use crate::simplex::{Constraint, Release, Stopped};
use crate::suppress::{Singletons, suppress};

/// The largest number of rounds of audit and repair for one release.
pub const ROUNDS_MAX: usize = 1_000;

/// Up to so many hidden sums worlds between corners are looked for as well before one more is shown.
const BRANCHED_MAX: usize = 300;

/// So many values of a hidden sum are looked at, from its least on: whoever breaks a rule may be as large as a cell can be,
/// and gaps are of few units.
const VALUES_TRIED_MAX: i64 = 32;

/// How far beyond its goal an interval is pushed where no world of whole numbers is found at the goal.
const ROOM_MAX: i64 = 8;

/// How open a hidden cell must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Openness {
    /// Numbers below this, other than zero, are small. A hidden cell that breaks a rule can be each of them at least, from
    /// what zeros alone give away on (the first 32 of them and the last, if there are more).
    pub threshold: i64,
    /// The smallest distance between the ends of the interval of any hidden cell, which can be so many different numbers
    /// and one more.
    pub width: i64,
}

impl Openness {
    /// Whoever sees the tables learns no more of a hidden small cell than the rule says, and knows no hidden cell to
    /// within one.
    pub fn full(threshold: i64) -> Openness {
        Openness { threshold, width: 2 }
    }
}

/// What is published, and that it is proven safe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Protection {
    /// Cells that are hidden though they break no rule.
    pub secondary: BTreeSet<usize>,
    /// For each hidden cell what it can be, by worlds that were found: the real interval is this or wider.
    pub open: BTreeMap<usize, Interval>,
    /// How many rounds of audit it took.
    pub rounds: usize,
}

/// Why nothing is published.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProtectError {
    /// What was published before gives these cells away.
    #[error("what was published before gives {} away", count(cells))]
    Revealed {
        /// The cells, by place.
        cells: Vec<usize>,
    },
    /// It was not proven that a cell is open enough, whatever else is hidden.
    #[error("cell {cell} cannot be proven open: {why}")]
    NotProven {
        /// The cell, by place.
        cell: usize,
        /// What stopped the proof.
        why: Stopped,
    },
}

fn count(cells: &[usize]) -> String {
    if cells.len() == 1 { "a protected cell".to_owned() } else { format!("{} protected cells", cells.len()) }
}

/// Decides which cells are hidden, and proves that each of them is open enough at [`crate::audit::Level::K1`], zeros
/// being public.
///
/// # Errors
/// [`ProtectError`]: then nothing may be published.
pub fn protect(problem: &Problem, openness: Openness) -> Result<Protection, ProtectError> {
    let all = |why: Stopped| ProtectError::NotProven { cell: 0, why };
    let opened = problem.without_zeros();
    let suppression = suppress(&opened, Singletons::Ignored).map_err(|wide| all(wide.into()))?;
    if !suppression.revealed.is_empty() {
        return Err(ProtectError::Revealed { cells: suppression.revealed.into_iter().collect() });
    }
    let known = known_already(&opened);
    if !known.is_empty() {
        return Err(ProtectError::Revealed { cells: known });
    }
    let mut work = Work::new(&opened, openness, &suppression.secondary).map_err(all)?;
    work.repair(&opened)?;
    work.give_back(&opened);
    work.show_what_follows(&opened).map_err(|wide| all(wide.into()))?;
    Ok(work.finished(problem))
}

/// Which hidden cells would be too narrow if one more were shown: what that one protects.
///
/// # Errors
/// [`ProtectError`]
pub fn protected_by(
    problem: &Problem,
    openness: Openness,
    hidden: &BTreeSet<usize>,
    cell: usize,
) -> Result<BTreeSet<usize>, ProtectError> {
    let why = |why: Stopped| ProtectError::NotProven { cell, why };
    let opened = problem.without_zeros();
    let mut work = Work::new(&opened, openness, hidden).map_err(why)?;
    let Some(class) = work.classes.iter().position(|class| class.cells.contains(&cell)) else {
        return Ok(BTreeSet::new());
    };
    if work.classes[class].is_primary {
        return Ok(BTreeSet::new());
    }
    work.attacker.settle();
    if work.attacker.hold(class, work.classes[class].value).map_err(why)?.is_none() {
        return Ok(BTreeSet::new());
    }
    work.classes[class].hidden = false;
    let narrow: Vec<usize> =
        (0..work.classes.len()).filter(|class| work.stays_open(*class, true) != Ok(true)).collect();
    Ok(narrow.into_iter().flat_map(|class| work.classes[class].cells.clone()).collect())
}

/// Hidden cells that are nothing but a published one, as soon as everybody knows which atoms are zero.
fn known_already(opened: &Problem) -> Vec<usize> {
    let out: BTreeSet<&Row> = opened.forced.iter().map(|cell| &opened.cells[*cell].atoms).collect();
    let hidden = opened.primary.union(&opened.withheld).copied();
    hidden.filter(|cell| !opened.cells[*cell].atoms.is_empty() && out.contains(&opened.cells[*cell].atoms)).collect()
}

/// Cells of the same atoms: they share one fate.
#[derive(Debug)]
struct Class {
    cells: Vec<usize>,
    row: Row,
    value: i64,
    is_primary: bool,
    hidden: bool,
    /// The number of its release, if it is shown and may be hidden.
    release: Option<usize>,
    /// What zeros alone tell of it: it is at least this.
    floor: i64,
}

struct Work {
    openness: Openness,
    classes: Vec<Class>,
    attacker: Attacker,
    rounds: usize,
    floors_are_exact: bool,
}

impl Work {
    fn new(problem: &Problem, openness: Openness, secondary: &BTreeSet<usize>) -> Result<Work, Stopped> {
        let mut classes = classes(problem, secondary);
        floors(problem, &mut classes, false)?;
        let forced: BTreeSet<usize> = problem.forced.iter().copied().collect();
        let (mut known, mut releases) = (problem.frame.clone(), Vec::new());
        for class in classes.iter_mut().filter(|class| !class.row.is_empty()) {
            if class.hidden {
                // Whoever sees that zeros are shown takes what is hidden for one or more.
                if class.value < 1 {
                    return Err(Stopped::Contradiction);
                }
                known.push(Constraint::at_least(class.row.clone(), 1));
                continue;
            }
            if class.value > 0 && class.cells.iter().all(|cell| !forced.contains(cell)) {
                class.release = Some(releases.len());
                releases.push(Release { equation: known.len(), at_least: 1, price: price(class) });
            }
            known.push(Constraint::equal(class.row.clone(), class.value));
        }
        let targets: Vec<Row> = classes.iter().map(|class| class.row.clone()).collect();
        let attacker = Attacker::with_releases(problem.atoms, known, &targets, &releases)?;
        Ok(Work { openness, classes, attacker, rounds: 0, floors_are_exact: false })
    }

    /// How low and how high a hidden cell must be able to be.
    fn need(&self, class: usize) -> (i64, i64) {
        let Class { value, floor, is_primary, .. } = self.classes[class];
        let Openness { threshold, width } = self.openness;
        if is_primary { (floor, (threshold - 1).max(value + 1).max(floor + width)) } else { (value, value) }
    }

    /// Audits, and hides more, until all is open.
    fn repair(&mut self, problem: &Problem) -> Result<(), ProtectError> {
        loop {
            let before = self.rounds;
            for class in 0..self.classes.len() {
                if self.classes[class].hidden && !self.classes[class].row.is_empty() {
                    self.open(problem, class)?;
                }
            }
            // Whatever was hidden on the way is to be looked at as well.
            if self.rounds == before {
                return Ok(());
            }
        }
    }

    /// Hides what is in the way until one class is open.
    fn open(&mut self, problem: &Problem, class: usize) -> Result<(), ProtectError> {
        let cell = self.classes[class].cells[0];
        let (low, high) = self.need(class);
        let why = |why| ProtectError::NotProven { cell, why };
        for (sign, goal) in [(-1, low), (1, high)] {
            while !self.reaches(class, sign, goal).map_err(why)? {
                let way = self.attacker.in_the_way(class, sign, goal).map_err(why)?;
                if way.is_none() && sign < 0 && !self.floors_are_exact {
                    floors(problem, &mut self.classes, true).map_err(why)?;
                    self.floors_are_exact = true;
                    return self.open(problem, class);
                }
                let way = self.other_way(class, (sign, goal), way).map_err(why)?;
                self.hide(way).map_err(why)?;
            }
        }
        while let Some((up, down)) = self.too_narrow(class) {
            if self.reaches(class, 1, up).map_err(why)? || self.reaches(class, -1, down).map_err(why)? {
                continue;
            }
            let to = [(1, up), (-1, down)];
            let [up, down] = to.map(|(sign, goal)| self.attacker.in_the_way(class, sign, goal));
            let [up, down] = [up.map_err(why)?, down.map_err(why)?];
            let mut ways: Vec<_> = [up, down].into_iter().flatten().filter(|way| !way.is_empty()).collect();
            if ways.is_empty() {
                for to in to {
                    ways.extend(self.other_way(class, to, None).map_err(why)?);
                }
            }
            let way = ways.into_iter().min_by_key(|way| self.cost(way));
            self.hide(way).map_err(why)?;
        }
        while self.has_gaps(class).map_err(why)? {
            let mut way = None;
            for sign in [1, -1] {
                way = way.or(self.attacker.tightest(class, sign).map_err(why)?);
            }
            self.hide(way).map_err(why)?;
        }
        Ok(())
    }

    /// Whether a hidden class cannot be all that it must be able to be: each number from its least on, if it breaks a rule
    /// itself, of [`VALUES_TRIED_MAX`] at most; and three different ones.
    fn has_gaps(&mut self, class: usize) -> Result<bool, Stopped> {
        if !self.classes[class].hidden || self.classes[class].row.is_empty() {
            return Ok(false);
        }
        if self.classes[class].is_primary {
            let (low, high) = self.need(class);
            for value in low..=high.min(low.saturating_add(VALUES_TRIED_MAX - 1)) {
                if !self.attacker.can_be(class, value)? {
                    return Ok(true);
                }
            }
        }
        let Some(Interval { low, high }) = self.attacker.seen(class) else { return Ok(true) };
        let beyond = low.saturating_add(VALUES_TRIED_MAX - 1);
        let mut different = 0;
        for value in low..=high.unwrap_or(beyond).min(beyond) {
            different += i64::from(self.attacker.can_be(class, value)?);
            if different > self.openness.width {
                return Ok(false);
            }
        }
        Ok(different <= self.openness.width)
    }

    /// A way that hides something, if `way` does not.
    fn other_way(
        &mut self,
        class: usize,
        (sign, goal): (i64, i64),
        way: Option<Vec<usize>>,
    ) -> Result<Option<Vec<usize>>, Stopped> {
        // Where only whole numbers are missing, more room is made.
        let more = (1..=ROOM_MAX).map(|room| self.attacker.in_the_way(class, sign, goal + sign * room));
        let mut ways = std::iter::once(Ok(way)).chain(more);
        match ways.find(|way| !matches!(way, Ok(Some(way)) if way.is_empty())) {
            Some(Ok(Some(way))) => Ok(Some(way)),
            // And where that does not help, what it depends on most goes.
            _ => self.attacker.tightest(class, sign),
        }
    }

    fn cost(&self, way: &[usize]) -> i64 {
        let classes = self.classes.iter().filter(|class| class.release.is_some_and(|release| way.contains(&release)));
        classes.map(price).sum()
    }

    /// Where the upper or the lower end must come to, for the interval to be wide enough.
    fn too_narrow(&self, class: usize) -> Option<(i64, i64)> {
        let seen = self.attacker.seen(class)?;
        let high = seen.high?;
        (high - seen.low < self.openness.width).then_some((seen.low + self.openness.width, high - self.openness.width))
    }

    /// Whether a world was found; where the search ended early there is none.
    fn reaches(&mut self, class: usize, sign: i64, goal: i64) -> Result<bool, Stopped> {
        match self.attacker.reaches(class, sign, goal) {
            Err(Stopped::TooLong | Stopped::TooWide) => Ok(false),
            other => other,
        }
    }

    /// Hides what is in the way of something.
    fn hide(&mut self, way: Option<Vec<usize>>) -> Result<(), Stopped> {
        self.rounds += 1;
        if self.rounds > ROUNDS_MAX {
            return Err(Stopped::TooLong);
        }
        // Where nothing tells what is in the way, all goes; what is hidden in vain is given back.
        let all = || self.classes.iter().filter_map(|class| class.release).collect();
        let way: Vec<usize> = way.filter(|way| !way.is_empty()).unwrap_or_else(all);
        if way.is_empty() {
            return Err(Stopped::TooLong);
        }
        for release in way {
            self.attacker.release(release)?;
            if let Some(class) = self.classes.iter_mut().find(|class| class.release == Some(release)) {
                class.hidden = true;
                class.release = None;
            }
        }
        Ok(())
    }

    /// Shows again, from the dearest on, what can be shown with all others still open; nothing at all, if then a number
    /// has gaps.
    fn give_back(&mut self, problem: &Problem) {
        let hidden: Vec<bool> = self.classes.iter().map(|class| class.hidden).collect();
        let before = self.attacker.clone();
        self.attacker.settle();
        self.show_again(problem, hidden.iter().filter(|hidden| **hidden).count() <= BRANCHED_MAX);
        for class in 0..self.classes.len() {
            // What cannot be worked out is taken for a gap.
            if self.has_gaps(class) != Ok(false) {
                self.attacker = before;
                self.classes.iter_mut().zip(hidden).for_each(|(class, hidden)| class.hidden = hidden);
                break;
            }
        }
    }

    fn show_again(&mut self, problem: &Problem, thoroughly: bool) {
        let may = |class: &Class| {
            class.hidden && !class.is_primary && !class.cells.iter().any(|cell| problem.withheld.contains(cell))
        };
        let mut order: Vec<usize> = (0..self.classes.len()).filter(|class| may(&self.classes[*class])).collect();
        order.sort_by_key(|class| (-price(&self.classes[*class]), -self.classes[*class].value, *class));
        // Whatever forbade it last is asked first.
        let mut ask: Vec<usize> = (0..self.classes.len()).collect();
        for class in order {
            // What cannot be worked out here stays hidden.
            let Ok(Some(before)) = self.attacker.hold(class, self.classes[class].value) else { continue };
            self.classes[class].hidden = false;
            let Some(at) = ask.iter().position(|class| self.stays_open(*class, thoroughly) != Ok(true)) else {
                continue;
            };
            ask[..=at].rotate_right(1);
            self.classes[class].hidden = true;
            self.attacker.undo(before);
        }
    }

    /// Whether a class is open, if it is hidden at all, without hiding more. Not thoroughly: as far as corners tell.
    fn stays_open(&mut self, class: usize, thoroughly: bool) -> Result<bool, Stopped> {
        if !self.classes[class].hidden || self.classes[class].row.is_empty() {
            return Ok(true);
        }
        let reaches = if thoroughly { Attacker::reaches } else { Attacker::reaches_a_corner };
        let (low, high) = self.need(class);
        if !reaches(&mut self.attacker, class, -1, low)? || !reaches(&mut self.attacker, class, 1, high)? {
            return Ok(false);
        }
        let Some((up, down)) = self.too_narrow(class) else { return Ok(true) };
        let reaches = reaches(&mut self.attacker, class, 1, up)? || reaches(&mut self.attacker, class, -1, down)?;
        Ok(reaches || self.too_narrow(class).is_none())
    }

    /// Shows again what follows from what is shown: hiding it protects nobody.
    fn show_what_follows(&mut self, problem: &Problem) -> Result<(), TooWide> {
        let mut basis = crate::span::Basis::default();
        let exact = problem.frame.iter().filter(|known| known.low.is_some() && known.low == known.high);
        let shown = self.classes.iter().filter(|class| !class.hidden).map(|class| &class.row);
        let mut rows: Vec<&Row> = exact.map(|known| &known.row).chain(shown).collect();
        rows.sort_by_key(|row| row.entries().len());
        for row in rows {
            basis.learn(row)?;
        }
        for class in &mut self.classes {
            let withheld = class.cells.iter().any(|cell| problem.withheld.contains(cell));
            if class.hidden && !class.is_primary && !withheld && basis.implies(&class.row)? {
                class.hidden = false;
            }
        }
        Ok(())
    }

    fn finished(self, problem: &Problem) -> Protection {
        let mut protection = Protection { secondary: BTreeSet::new(), open: BTreeMap::new(), rounds: self.rounds };
        for (at, class) in self.classes.iter().enumerate().filter(|(_, class)| class.hidden) {
            for cell in &class.cells {
                protection.open.extend(self.attacker.seen(at).map(|seen| (*cell, seen)));
                if !problem.primary.contains(cell) && !problem.withheld.contains(cell) {
                    protection.secondary.insert(*cell);
                }
            }
        }
        protection
    }
}

/// What it costs to hide cells: many are dearer than one, a large number is dearer than a small one.
fn price(class: &Class) -> i64 {
    let cells = i64::try_from(class.cells.len()).unwrap_or(1);
    cells * (2 + i64::from(class.value.max(1).ilog2()))
}

fn classes(problem: &Problem, secondary: &BTreeSet<usize>) -> Vec<Class> {
    let (mut classes, mut of) = (Vec::<Class>::new(), BTreeMap::new());
    for (at, cell) in problem.cells.iter().enumerate() {
        let class = *of.entry(&cell.atoms).or_insert_with(|| {
            let (cells, row, value) = (Vec::new(), cell.atoms.clone(), cell.value);
            classes.push(Class { cells, row, value, is_primary: false, hidden: false, release: None, floor: 0 });
            classes.len() - 1
        });
        let class = &mut classes[class];
        class.cells.push(at);
        class.is_primary |= problem.primary.contains(&at);
        class.hidden |= problem.primary.contains(&at) || secondary.contains(&at) || problem.withheld.contains(&at);
    }
    classes
}

/// What zeros alone tell of each primary cell: the least that it can be if each cell that is not zero is 1 or more. Of the
/// frame only equal margins are reckoned with, so that a floor may be too low; [`Work::open`] asks again where that matters.
fn floors(problem: &Problem, classes: &mut [Class], frame: bool) -> Result<(), Stopped> {
    let is_equal = |known: &&Constraint| frame || known.low == known.high;
    let mut known: Vec<Constraint> = problem.frame.iter().filter(is_equal).cloned().collect();
    let some = classes.iter().filter(|class| class.value > 0 && !class.row.is_empty());
    known.extend(some.map(|class| Constraint::at_least(class.row.clone(), 1)));
    let targets: Vec<Row> = classes.iter().filter(|class| class.is_primary).map(|class| class.row.clone()).collect();
    let mut attacker = Attacker::new(problem.atoms, known, &targets)?;
    for (target, class) in classes.iter_mut().filter(|class| class.is_primary).enumerate() {
        class.floor = attacker.least(target)?;
    }
    Ok(())
}
