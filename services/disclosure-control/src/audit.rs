//! What somebody who sees the published numbers can work out about a hidden one: its interval, exactly.
//!
//! An attacker knows sums of atoms ([`Constraint`]) and that no atom is negative. The interval of a hidden cell is what
//! the cell can be in the worlds that satisfy all of it. Two things are kept apart: what *may* be possible (bounds of a
//! linear programme, for whoever attacks) and what *is* possible (worlds of whole numbers that were found and checked
//! against every constraint, for whoever publishes). A cell is called open only by such worlds; so a solver that stops
//! early, or is wrong, fails closed.
//!
//! Source: M. Fischetti and J. J. Salazar, *Solving the cell suppression problem on tabular data with linear
//! constraints*, Management Science 47 (2001), for the attacker's programmes.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::ControlFlow;

use crate::row::{Atom, Row};
use crate::simplex::{Constraint, Fraction, Most, Release, Simplex, Stopped};

/// What a cell can be, both ends among it. No upper end: it has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    /// The lower end.
    pub low: i64,
    /// The upper end.
    pub high: Option<i64>,
}

impl Interval {
    /// The distance between the ends; none without an upper end.
    pub fn width(self) -> Option<i64> {
        Some(self.high? - self.low)
    }
}

/// Up to so many equations that can be released the cheapest way is looked for, beyond it a way.
const LARGE: usize = 400;

/// So many values of a sum are kept of which worlds were found.
const VALUES_MAX: usize = 64;

/// What somebody knows beside the published numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Numbers are not negative.
    K0,
    /// Moreover, where zeros are public, what is hidden is not zero.
    K1,
    /// Moreover, each mark means what it stands for.
    K2,
}

impl Level {
    /// All, from who knows least to who knows most.
    pub const ALL: [Level; 3] = [Level::K0, Level::K1, Level::K2];
}

/// Somebody who knows constraints and asks about sums of atoms.
#[derive(Debug, Clone)]
pub struct Attacker {
    whole: Whole,
    parts: Vec<Part>,
    targets: Vec<Target>,
    /// For each release its equation, what it is at least then, and its part and number there.
    releases: Vec<(Release, Option<(usize, usize)>)>,
}

/// What is known, as it was given, before anything was concluded from it: each world is held against it.
#[derive(Debug, Clone)]
struct Whole {
    known: Vec<Constraint>,
    /// Counts of all atoms: what they are at least, but for those of the part that is looked at.
    counts: Vec<i64>,
}

/// Atoms that hang together by what is known, and nothing else with them.
#[derive(Debug, Clone)]
struct Part {
    simplex: Simplex,
    constraints: Vec<Constraint>,
    /// The place in the problem of each atom of the part.
    atoms: Vec<Atom>,
    /// What is looked for are steps: an atom's place here, and that of another than which it is not less; in the order in
    /// which steps add up.
    above: Vec<(usize, usize)>,
    /// Which of what is known names an atom of the part.
    touching: Vec<usize>,
    /// The releases of its equations, those that happened too.
    releases: Vec<Release>,
    /// The distinct sums that are asked about, and the range that whole worlds have shown of each.
    pieces: Vec<Piece>,
    /// The worlds that were found, as steps.
    worlds: Vec<Vec<i64>>,
}

#[derive(Debug, Clone)]
struct Piece {
    row: Row,
    seen: Option<(i64, i64)>,
    /// Some of the values in between that worlds have, [`VALUES_MAX`] at most.
    values: BTreeSet<i64>,
    endless: bool,
    /// What is possible at least and at most, once it was worked out.
    most: [Option<Most>; 2],
}

/// A sum that is asked about: a constant and pieces of the parts.
#[derive(Debug, Clone)]
struct Target {
    constant: i64,
    pieces: Vec<(usize, usize)>,
}

impl Attacker {
    /// Somebody who knows `known` of `atoms` atoms and asks about `targets`.
    ///
    /// # Errors
    /// [`Stopped`]
    pub fn new(atoms: usize, known: Vec<Constraint>, targets: &[Row]) -> Result<Attacker, Stopped> {
        Attacker::with_releases(atoms, known, targets, &[])
    }

    /// The same, of whose equations some can be released later. No two of them are of the same sum.
    ///
    /// # Errors
    /// [`Stopped`]
    pub fn with_releases(
        atoms: usize,
        known: Vec<Constraint>,
        targets: &[Row],
        releases: &[Release],
    ) -> Result<Attacker, Stopped> {
        let presolved = Presolved::new(atoms, &known, targets, releases.is_empty())?;
        let (mut parts, releases) = presolved.parts(&known, releases)?;
        let whole = Whole { known, counts: presolved.least.clone() };
        let mut place: Vec<HashMap<Row, usize>> = vec![HashMap::new(); parts.len()];
        let targets = targets.iter().map(|row| {
            let mut by_part: BTreeMap<usize, Vec<(Atom, i64)>> = BTreeMap::new();
            let constant = row.of(&presolved.least);
            for (atom, x) in presolved.in_steps(row).entries() {
                if let Some((part, local)) = presolved.name[*atom as usize] {
                    by_part.entry(part).or_default().push((local, *x));
                }
            }
            let pieces = by_part.into_iter().map(|(part, entries)| {
                let row = Row::new(entries);
                let pieces = &mut parts[part].pieces;
                let at = *place[part].entry(row).or_insert_with_key(|row| {
                    pieces.push(Piece {
                        row: row.clone(),
                        seen: None,
                        values: BTreeSet::new(),
                        endless: false,
                        most: [None; 2],
                    });
                    pieces.len() - 1
                });
                (part, at)
            });
            Target { constant, pieces: pieces.collect() }
        });
        let targets = targets.collect();
        Ok(Attacker { whole, parts, targets, releases })
    }

    /// What a target can be at least and at most, if atoms need not be whole; rounded inwards to whole numbers.
    ///
    /// # Errors
    /// [`Stopped`]
    pub fn interval(&mut self, target: usize) -> Result<Interval, Stopped> {
        Ok(Interval {
            low: self.least(target)?,
            high: self.most(target, 1)?.map(|high| self.targets[target].constant + high),
        })
    }

    /// The lower end of a target's interval alone.
    ///
    /// # Errors
    /// [`Stopped`]
    pub fn least(&mut self, target: usize) -> Result<i64, Stopped> {
        Ok(self.targets[target].constant - self.most(target, -1)?.ok_or(Stopped::TooWide)?)
    }

    /// The most that a target, or (`sign` −1) its negative, comes to beyond its constant; none: without end.
    fn most(&mut self, target: usize, sign: i64) -> Result<Option<i64>, Stopped> {
        let mut sum = Fraction { numerator: 0, denominator: 1 };
        for at in 0..self.targets[target].pieces.len() {
            let (part, piece) = self.targets[target].pieces[at];
            match self.parts[part].most(&mut self.whole, piece, sign)? {
                Most::Bound(value) => sum = sum.plus(value).ok_or(Stopped::TooWide)?,
                Most::Unbounded | Most::Enough => return Ok(None),
            }
        }
        i64::try_from(sum.floor()).map(Some).map_err(|_| Stopped::TooWide)
    }

    /// Releases an equation. What was possible stays possible.
    ///
    /// # Errors
    /// [`Stopped`]
    pub fn release(&mut self, release: usize) -> Result<(), Stopped> {
        let (Release { equation, at_least, .. }, place) = self.releases[release];
        let row = self.whole.known[equation].row.clone();
        self.whole.known[equation] = Constraint::at_least(row, at_least);
        let Some((part, local)) = place else { return Ok(()) };
        self.parts[part].release(local)
    }

    /// Says that nothing is released any more.
    pub(crate) fn settle(&mut self) {
        self.releases.clear();
        for part in &mut self.parts {
            part.releases.clear();
            part.simplex.settle();
        }
    }

    /// Holds one sum at a value: from now on it is what it would be to who sees that number as well. Answers for how it
    /// was before; none: the sum cannot be that, and nothing has changed.
    ///
    /// # Errors
    /// [`Stopped`]: nothing has changed.
    pub(crate) fn hold(&mut self, target: usize, value: i64) -> Result<Option<Before>, Stopped> {
        let [(part, piece)] = self.targets[target].pieces[..] else { return Ok(None) };
        let value = value - self.targets[target].constant;
        let before = Before { part, was: self.parts[part].clone() };
        let held = self.parts[part].hold(piece, value);
        if held == Ok(true) {
            return Ok(Some(before));
        }
        self.undo(before);
        held.map(|_| None)
    }

    /// Lets go what was held last.
    pub(crate) fn undo(&mut self, Before { part, was }: Before) {
        self.parts[part] = was;
    }

    /// Which equations must be released for a target to come to `goal`, upwards (`sign` 1) or downwards (−1), at the
    /// least price; none: nothing helps.
    ///
    /// # Errors
    /// [`Stopped`]
    pub fn in_the_way(&mut self, target: usize, sign: i64, goal: i64) -> Result<Option<Vec<usize>>, Stopped> {
        for (part, _) in &self.targets[target].pieces {
            self.parts[*part].begin(&mut self.whole, true)?;
        }
        let seen = self.seen(target).ok_or(Stopped::TooLong)?;
        let missing = if sign > 0 { goal - seen.high.unwrap_or(goal) } else { seen.low - goal };
        for (part, piece) in self.targets[target].pieces.clone() {
            let of = &mut self.parts[part];
            let Some(until) = of.until(piece, sign, Some(missing)) else { continue };
            let sum = of.directed(piece, sign);
            let cheapest =
                if of.releases.len() <= LARGE { of.simplex.in_the_way(&sum, until) } else { Err(Stopped::TooLong) };
            match cheapest {
                // A way that is not the cheapest is better than none.
                Err(Stopped::TooLong | Stopped::TooWide) => return self.tightest(target, sign),
                Ok(Some(local)) => return Ok(Some(self.releases_of(part, &local))),
                Ok(None) => {}
                Err(stopped) => return Err(stopped),
            }
        }
        Ok(None)
    }

    /// One equation on which it depends most how far a target goes, upwards (`sign` 1) or downwards (−1); none: on none.
    ///
    /// # Errors
    /// [`Stopped`]
    pub fn tightest(&mut self, target: usize, sign: i64) -> Result<Option<Vec<usize>>, Stopped> {
        for (part, piece) in self.targets[target].pieces.clone() {
            let of = &mut self.parts[part];
            let sum = of.directed(piece, sign);
            let tightest = of.simplex.tightest(&sum);
            if let Some(local) = of.sound(tightest)? {
                return Ok(Some(self.releases_of(part, &[local])));
            }
        }
        Ok(None)
    }

    /// The numbers of releases that are these in a part.
    fn releases_of(&self, part: usize, local: &[usize]) -> Vec<usize> {
        let is_one =
            |at: &usize| self.releases[*at].1.is_some_and(|(other, number)| other == part && local.contains(&number));
        (0..self.releases.len()).filter(is_one).collect()
    }

    /// The range of a target over the whole worlds that were found so far; none before the first.
    pub fn seen(&self, target: usize) -> Option<Interval> {
        let Target { constant, pieces } = &self.targets[target];
        let (mut low, mut high) = (*constant, Some(*constant));
        for (part, piece) in pieces {
            let piece = &self.parts[*part].pieces[*piece];
            let (least, most) = piece.seen?;
            low += least;
            high = if piece.endless { None } else { high.map(|high| high + most) };
        }
        Some(Interval { low, high })
    }

    /// Whether a target can be as low as `low` and as high as `high`: whether there are such whole worlds.
    ///
    /// # Errors
    /// [`Stopped`]: not proven.
    pub fn is_open(&mut self, target: usize, low: i64, high: i64) -> Result<bool, Stopped> {
        Ok(self.reaches(target, 1, high)? && self.reaches(target, -1, low)?)
    }

    /// Whether a whole world has the target at `goal` or beyond, upwards (`sign` 1) or downwards (−1).
    pub(crate) fn reaches(&mut self, target: usize, sign: i64, goal: i64) -> Result<bool, Stopped> {
        self.reaches_by(target, sign, goal, &[false, true])
    }

    /// The same, looking at corners only, which is quicker and misses some worlds.
    pub(crate) fn reaches_a_corner(&mut self, target: usize, sign: i64, goal: i64) -> Result<bool, Stopped> {
        self.reaches_by(target, sign, goal, &[false])
    }

    fn reaches_by(&mut self, target: usize, sign: i64, goal: i64, looks: &[bool]) -> Result<bool, Stopped> {
        let enough = |attacker: &Attacker| {
            attacker
                .seen(target)
                .is_some_and(|seen| if sign > 0 { seen.high.is_none_or(|high| high >= goal) } else { seen.low <= goal })
        };
        let pieces = self.targets[target].pieces.clone();
        for whole in looks.iter().copied() {
            for (part, piece) in &pieces {
                if enough(self) {
                    return Ok(true);
                }
                self.parts[*part].begin(&mut self.whole, whole)?;
                let seen = self.seen(target);
                let missing =
                    seen.map(|seen| if sign > 0 { goal - seen.high.unwrap_or(goal) } else { seen.low - goal });
                let part = &mut self.parts[*part];
                let look = if whole { Part::look_whole } else { Part::look };
                look(part, &mut self.whole, *piece, sign, missing)?;
            }
            if enough(self) {
                return Ok(true);
            }
            // Between whole numbers there may be more than at corners, but never beyond the bound.
            let constant = self.targets[target].constant;
            if self.most(target, sign)?.is_some_and(|most| most < sign * (goal - constant)) {
                return Ok(false);
            }
        }
        Ok(enough(self))
    }

    /// Whether there is a whole world in which a target has this value. Of a sum over several parts it is looked for in one
    /// part after the other, with the others as they are in worlds that were found, which misses some.
    ///
    /// # Errors
    /// [`Stopped`]
    pub(crate) fn can_be(&mut self, target: usize, value: i64) -> Result<bool, Stopped> {
        let Target { constant, pieces } = self.targets[target].clone();
        for nth in 0..pieces.len() {
            let of_others = pieces.iter().enumerate().filter(|(other, _)| *other != nth);
            let others = of_others.fold(BTreeSet::from([0]), |sums, (_, (part, piece))| {
                let values = &self.parts[*part].pieces[*piece].values;
                let sums = sums.iter().flat_map(|sum| values.iter().map(move |value| sum + value));
                sums.take(VALUES_MAX).collect()
            });
            let (part, piece) = pieces[nth];
            for other in &others {
                if self.parts[part].can_be(&mut self.whole, piece, value - constant - other)? {
                    return Ok(true);
                }
            }
        }
        Ok(pieces.is_empty() && value == constant)
    }

    /// What a target can be at least and at most in whole worlds.
    ///
    /// # Errors
    /// [`Stopped`]: more branches than [`crate::simplex::BRANCHES_MAX`].
    pub fn whole_interval(&mut self, target: usize) -> Result<Interval, Stopped> {
        for (part, piece) in self.targets[target].pieces.clone() {
            self.parts[part].begin(&mut self.whole, true)?;
            for sign in [1, -1] {
                self.parts[part].look(&mut self.whole, piece, sign, None)?;
                self.parts[part].look_whole(&mut self.whole, piece, sign, None)?;
            }
        }
        self.seen(target).ok_or(Stopped::Contradiction)
    }
}

/// How it was before a sum was held.
pub(crate) struct Before {
    part: usize,
    was: Part,
}

impl Piece {
    /// Takes a world. Whether it goes further than those before.
    fn see(&mut self, counts: &[i64]) -> bool {
        let value = self.row.of(counts);
        let (low, high) = self.seen.unwrap_or((value, value));
        let tells = self.seen.is_none() || value < low || value > high;
        self.seen = Some((low.min(value), high.max(value)));
        if self.values.len() < VALUES_MAX {
            self.values.insert(value);
        }
        tells
    }
}

impl Part {
    /// The most (`sign` 1) or, negated, the least (−1) that a piece can be.
    fn most(&mut self, whole: &mut Whole, piece: usize, sign: i64) -> Result<Most, Stopped> {
        let side = usize::from(sign < 0);
        if let Some(most) = self.pieces[piece].most[side] {
            return Ok(most);
        }
        let most = self.climb(whole, &self.directed(piece, sign), piece, None)?;
        self.pieces[piece].most[side] = Some(most);
        Ok(most)
    }

    /// Climbs towards a goal; the last whole corner on the way is a world.
    fn climb(&mut self, whole: &mut Whole, goal: &Row, piece: usize, until: Option<i64>) -> Result<Most, Stopped> {
        let mut last = None;
        let most = self.simplex.most(goal, &mut |simplex| {
            let Some(counts) = simplex.whole() else { return ControlFlow::Continue(()) };
            let enough = until.is_some_and(|until| goal.of(&counts) >= until);
            last = Some(counts);
            if enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        let most = self.sound(most)?;
        if let Some(counts) = last {
            self.record(whole, &counts);
        }
        // From a whole world a ray of whole steps never ends: where there is no end, directions are fractions.
        let upwards = *goal == self.pieces[piece].row;
        self.pieces[piece].endless |= upwards && most == Most::Unbounded && !self.worlds.is_empty();
        Ok(most)
    }

    /// Notes what a whole world has for each piece, if it is one.
    fn record(&mut self, whole: &mut Whole, steps: &[i64]) {
        let mut counts = steps.to_vec();
        self.above.iter().for_each(|(atom, below)| counts[*atom] += counts[*below]);
        let add = |whole: &mut Whole, sign: i64| {
            self.atoms.iter().zip(&counts).for_each(|(atom, count)| whole.counts[*atom as usize] += sign * count);
        };
        add(whole, 1);
        let positive = steps.iter().all(|step| *step >= 0);
        let is_world = positive
            && self.touching.iter().all(|known| whole.known[*known].holds(&whole.counts))
            && self.constraints.iter().all(|known| known.holds(steps));
        add(whole, -1);
        debug_assert!(is_world, "a corner satisfies what is known");
        if !is_world {
            return;
        }
        let mut tells = false;
        for piece in &mut self.pieces {
            tells |= piece.see(steps);
        }
        if tells {
            self.worlds.push(steps.to_vec());
        }
    }

    /// Whether a world has a piece at this value.
    fn can_be(&mut self, whole: &mut Whole, piece: usize, value: i64) -> Result<bool, Stopped> {
        if !self.pieces[piece].values.contains(&value) {
            let found = self.simplex.whole_between(&self.pieces[piece].row, value, Some(value));
            let found = match self.sound(found) {
                Err(Stopped::TooLong | Stopped::TooWide) => None,
                other => other?,
            };
            let Some(world) = found else { return Ok(false) };
            let full = self.pieces[piece].values.len() >= VALUES_MAX;
            self.record(whole, &world);
            return Ok(full || self.pieces[piece].values.contains(&value));
        }
        Ok(true)
    }

    /// Holds a piece at a value: only worlds in which it has that value are left.
    fn hold(&mut self, piece: usize, value: i64) -> Result<bool, Stopped> {
        let row = self.pieces[piece].row.clone();
        if !self.simplex.hold(&row, value)? {
            return Ok(false);
        }
        self.simplex.settle();
        self.constraints.push(Constraint::equal(row.clone(), value));
        self.worlds.retain(|world| row.of(world) == value);
        for piece in &mut self.pieces {
            (piece.seen, piece.endless, piece.most) = (None, false, [None; 2]);
            piece.values.clear();
            self.worlds.iter().for_each(|world| _ = piece.see(world));
        }
        Ok(true)
    }

    /// After a number that did not fit the simplex starts anew: it was left in the middle of a step.
    fn sound<T>(&mut self, result: Result<T, Stopped>) -> Result<T, Stopped> {
        if matches!(result, Err(Stopped::TooWide)) {
            self.simplex = Simplex::with_releases(self.atoms.len(), &self.constraints, &self.releases)?;
        }
        result
    }

    fn release(&mut self, release: usize) -> Result<(), Stopped> {
        let Release { equation, at_least, .. } = self.releases[release];
        let row = self.constraints[equation].row.clone();
        self.constraints[equation] = Constraint::at_least(row, at_least);
        self.pieces.iter_mut().for_each(|piece| piece.most = [None; 2]);
        self.simplex.release(release)
    }

    /// How far `seen` is to go: the goal for the piece alone, in the direction of the sign.
    fn until(&self, piece: usize, sign: i64, missing: Option<i64>) -> Option<i64> {
        let (low, high) = self.pieces[piece].seen?;
        Some(missing? + if sign > 0 { high } else { -low })
    }

    fn directed(&self, piece: usize, sign: i64) -> Row {
        Row::new(self.pieces[piece].row.entries().iter().map(|(atom, x)| (*atom, sign * x)))
    }

    /// Looks for a world in which a piece goes further by `missing`, or as far as it goes, from corner to corner.
    fn look(&mut self, whole: &mut Whole, piece: usize, sign: i64, missing: Option<i64>) -> Result<(), Stopped> {
        let until = self.until(piece, sign, missing);
        let most = self.climb(whole, &self.directed(piece, sign), piece, until)?;
        if most != Most::Enough {
            self.pieces[piece].most[usize::from(sign < 0)] = Some(most);
        }
        Ok(())
    }

    /// Finds a first world, so that it is known how far each piece has to go: this corner or, by branching, any.
    fn begin(&mut self, whole: &mut Whole, branching: bool) -> Result<(), Stopped> {
        if !self.worlds.is_empty() {
            return Ok(());
        }
        let mut first = self.simplex.whole();
        if first.is_none() && branching {
            let any = self.simplex.whole_between(&Row::sum([]), 0, None);
            first = match self.sound(any) {
                // On the way to what is asked for there may be one.
                Err(Stopped::TooLong | Stopped::TooWide) => None,
                other => other?,
            };
        }
        if let Some(world) = first {
            self.record(whole, &world);
        }
        Ok(())
    }

    /// The same among whole numbers only, by branching.
    fn look_whole(&mut self, whole: &mut Whole, piece: usize, sign: i64, missing: Option<i64>) -> Result<(), Stopped> {
        let goal = self.directed(piece, sign);
        let until = self.until(piece, sign, missing);
        let mut worlds = Vec::new();
        if let Some(until) = until {
            let found = self.simplex.whole_between(&goal, until, None);
            match self.sound(found) {
                Err(Stopped::TooLong | Stopped::TooWide) => {}
                found => {
                    if let Some(world) = found? {
                        self.record(whole, &world);
                    }
                    return Ok(());
                }
            }
        }
        // From the most downwards other worlds are met first.
        let best = self.pieces[piece].seen.map(|(low, high)| if sign > 0 { high } else { -low });
        let most = self.simplex.whole_most(&goal, best, &mut |world| worlds.push(world));
        let most = self.sound(most);
        for world in &worlds {
            self.record(whole, world);
        }
        self.pieces[piece].endless |= sign > 0 && most? == Most::Unbounded && !self.worlds.is_empty();
        Ok(())
    }
}

/// What follows from what is known without a programme: atoms that are zero, that are at least something, that lie in
/// the same sums, and which hang together.
struct Presolved {
    /// What each atom is at least.
    least: Vec<i64>,
    /// For each atom another than which it is not less, if there is one: what is looked for is the step between them.
    above: Vec<Option<Atom>>,
    /// The part of each atom and its place there; none: it is what it is at least.
    name: Vec<Option<(usize, Atom)>>,
    /// For each part its atoms, and the constraints on their steps by place.
    members: Vec<Vec<Atom>>,
    constraints: Vec<Vec<Constraint>>,
}

impl Presolved {
    /// `fixed`: no equation is released later.
    fn new(atoms: usize, known: &[Constraint], targets: &[Row], fixed: bool) -> Result<Presolved, Stopped> {
        let (rows, zero) = without_zeros(atoms, known)?;
        let mut least = vec![0; atoms];
        for constraint in &rows {
            let low = constraint.low.filter(|low| fixed || constraint.high != Some(*low));
            if let ([(atom, 1)], Some(low)) = (constraint.row.entries(), low) {
                least[*atom as usize] = least[*atom as usize].max(low);
            }
        }
        let rows = shifted(rows, &least)?;
        let kept = distinct_atoms(atoms, &rows, targets, &zero);
        let rows: Vec<_> = rows
            .into_iter()
            .map(|c| Constraint { row: c.row.without(|atom| !kept[atom as usize]), ..c })
            .filter(|c| !c.row.is_empty())
            .collect();
        let (above, rows) = nested(atoms, rows);
        let (name, members, constraints) = (Vec::new(), Vec::new(), Vec::new());
        let mut presolved = Presolved { least, above, name, members, constraints };
        let rows = rows.into_iter().map(|c| Constraint { row: presolved.in_steps(&c.row), ..c });
        let rows = shifted(rows.collect(), &vec![0; atoms])?;
        presolved.split(atoms, rows, targets, &kept);
        Ok(presolved)
    }

    /// A sum of atoms as one of steps.
    fn in_steps(&self, row: &Row) -> Row {
        let below = |atom: &Atom| self.above[*atom as usize];
        let steps = |(atom, x): &(Atom, i64)| {
            let x = *x;
            std::iter::successors(Some(*atom), below).map(move |step| (step, x))
        };
        Row::new(row.entries().iter().flat_map(steps))
    }

    /// Which atoms hang together.
    fn split(&mut self, atoms: usize, rows: Vec<Constraint>, targets: &[Row], kept: &[bool]) {
        let mut parent: Vec<usize> = (0..atoms).collect();
        let root = |parent: &mut Vec<usize>, mut at: usize| {
            while parent[at] != at {
                parent[at] = parent[parent[at]];
                at = parent[at];
            }
            at
        };
        let steps: Vec<Row> = targets.iter().map(|row| self.in_steps(row)).collect();
        let pairs = (0..).zip(&self.above).filter_map(|(atom, above)| Some(Row::sum([atom, (*above)?])));
        let pairs: Vec<Row> = pairs.collect();
        for row in rows.iter().map(|c| &c.row).chain(&pairs) {
            let mut all = row.atoms().map(|atom| atom as usize);
            let Some(first) = all.next() else { continue };
            for other in all {
                let (a, b) = (root(&mut parent, first), root(&mut parent, other));
                parent[b] = a;
            }
        }
        let asked: HashSet<Atom> = steps.iter().flat_map(Row::atoms).collect();
        let bound: HashSet<Atom> = rows.iter().map(|c| &c.row).chain(&pairs).flat_map(Row::atoms).collect();
        let (mut part_of, mut name) = (HashMap::new(), vec![None; atoms]);
        let (mut members, mut constraints): (Vec<Vec<Atom>>, Vec<Vec<Constraint>>) = (Vec::new(), Vec::new());
        for (at, atom) in (0..).take(atoms).enumerate() {
            if !kept[at] || !(asked.contains(&atom) || bound.contains(&atom)) {
                continue;
            }
            let part = *part_of.entry(root(&mut parent, at)).or_insert_with(|| {
                members.push(Vec::new());
                constraints.push(Vec::new());
                members.len() - 1
            });
            let local = Atom::try_from(members[part].len()).expect("fewer atoms than 2^32");
            name[at] = Some((part, local));
            members[part].push(atom);
        }
        for constraint in rows {
            let part = constraint.row.atoms().find_map(|atom| name[atom as usize]).map(|(part, _)| part);
            let row = constraint.row.renamed(|atom| name[atom as usize].map(|(_, local)| local));
            if let Some(part) = part {
                constraints[part].push(Constraint { row, ..constraint });
            }
        }
        for constraints in &mut constraints {
            constraints.sort_by(|a, b| a.row.cmp(&b.row));
        }
        (self.name, self.members, self.constraints) = (name, members, constraints);
    }

    /// Of these atoms those that are not less than another, each with it by their places, the lowest first.
    fn order(&self, atoms: &[Atom]) -> Vec<(usize, usize)> {
        let place = |atom: Atom| self.name[atom as usize].map(|(_, local)| local as usize);
        let depth = |atom: &Atom| std::iter::successors(Some(*atom), |at| self.above[*at as usize]).count();
        let mut order: Vec<Atom> = atoms.to_vec();
        order.sort_by_key(|atom| (depth(atom), *atom));
        order.into_iter().filter_map(|atom| Some((place(atom)?, place(self.above[atom as usize]?)?))).collect()
    }

    /// The parts, and for each release its part and its number there.
    #[expect(clippy::type_complexity, reason = "parts, and where each release went")]
    fn parts(
        &self,
        known: &[Constraint],
        releases: &[Release],
    ) -> Result<(Vec<Part>, Vec<(Release, Option<(usize, usize)>)>), Stopped> {
        // What lies in several parts follows from what lies in one.
        let local = |constraint: &Constraint| {
            let row = self.in_steps(&constraint.row);
            let mut parts = row.atoms().filter_map(|atom| self.name[atom as usize]).map(|(part, _)| part);
            let part = parts.next().filter(|part| parts.all(|other| other == *part))?;
            Some((part, row.renamed(|atom| self.name[atom as usize].map(|(_, local)| local))))
        };
        let locals: Vec<Option<(usize, Row)>> = known.iter().map(local).collect();
        let mut touching: Vec<Vec<usize>> = vec![Vec::new(); self.members.len()];
        let mut sayings: HashMap<&(usize, Row), usize> = HashMap::new();
        for ((at, constraint), local) in known.iter().enumerate().zip(&locals) {
            let Some(local) = local else { continue };
            touching[local.0].push(at);
            let positive = local.1.entries().iter().all(|(_, x)| *x > 0);
            let least = constraint.row.of(&self.least);
            let says_nothing = positive && constraint.high.is_none() && constraint.low.is_none_or(|low| low <= least);
            *sayings.entry(local).or_default() += usize::from(!says_nothing);
        }
        let mut own: Vec<Vec<Release>> = vec![Vec::new(); self.members.len()];
        let place = |release: &Release| {
            // Where something else is known of the same sum, that would go with it.
            let local = locals[release.equation].as_ref().filter(|local| sayings.get(local) == Some(&1))?;
            let (part, row) = local;
            let equation = self.constraints[*part].binary_search_by(|constraint| constraint.row.cmp(row)).ok()?;
            let at_least = release.at_least - known[release.equation].row.of(&self.least);
            let positive = row.entries().iter().all(|(_, x)| *x > 0);
            let at_least = if positive { at_least.max(0) } else { at_least };
            own[*part].push(Release { equation, at_least, price: release.price });
            Some((*part, own[*part].len() - 1))
        };
        let mut place = place;
        let placed = releases.iter().map(|release| (*release, place(release))).collect();
        let mut parts = Vec::new();
        for (((atoms, constraints), touching), releases) in
            self.members.iter().zip(&self.constraints).zip(touching).zip(own)
        {
            let simplex = Simplex::with_releases(atoms.len(), constraints, &releases)?;
            let (above, atoms, constraints) = (self.order(atoms), atoms.clone(), constraints.clone());
            parts.push(Part {
                simplex,
                constraints,
                above,
                atoms,
                touching,
                releases,
                pieces: Vec::new(),
                worlds: Vec::new(),
            });
        }
        Ok((parts, placed))
    }
}

/// Which atoms can only be zero, by what is known: those under a shown zero, and what follows from them.
pub(crate) fn zeros(atoms: usize, known: &[Constraint]) -> Vec<bool> {
    without_zeros(atoms, known).map_or_else(|_| vec![false; atoms], |(_, zero)| zero)
}

/// The constraints without atoms that can only be zero, and which atoms those are.
fn without_zeros(atoms: usize, known: &[Constraint]) -> Result<(Vec<Constraint>, Vec<bool>), Stopped> {
    let mut zero = vec![false; atoms];
    let mut rows: Vec<Constraint> = known.to_vec();
    loop {
        let mut grew = false;
        for constraint in &mut rows {
            if constraint.row.atoms().any(|atom| zero[atom as usize]) {
                constraint.row = constraint.row.without(|atom| zero[atom as usize]);
            }
            let entries = constraint.row.entries();
            let up = constraint.high == Some(0) && entries.iter().all(|(_, x)| *x > 0);
            let down = constraint.low == Some(0) && entries.iter().all(|(_, x)| *x < 0);
            if (up || down) && !entries.is_empty() {
                for (atom, _) in entries {
                    zero[*atom as usize] = true;
                }
                grew = true;
            }
        }
        if !grew {
            break;
        }
    }
    if rows.iter().any(|c| c.row.is_empty() && !c.holds(&[])) {
        return Err(Stopped::Contradiction);
    }
    rows.retain(|c| !c.row.is_empty());
    Ok((rows, zero))
}

/// For each atom another than which it is not less, with nothing going round in a circle; and the constraints that do not
/// say so.
fn nested(atoms: usize, rows: Vec<Constraint>) -> (Vec<Option<Atom>>, Vec<Constraint>) {
    let mut above: Vec<Option<Atom>> = vec![None; atoms];
    let mut rest = Vec::new();
    for constraint in rows {
        let pair = match (constraint.row.entries(), constraint.low, constraint.high) {
            ([(a, 1), (b, -1)] | [(b, -1), (a, 1)], Some(0), None) => Some((*a, *b)),
            _ => None,
        };
        let is_free = |(a, b): &(Atom, Atom)| {
            above[*a as usize].is_none()
                && std::iter::successors(Some(*b), |at| above[*at as usize]).all(|below| below != *a)
        };
        match pair.filter(is_free) {
            Some((a, b)) => above[a as usize] = Some(b),
            None => rest.push(constraint),
        }
    }
    (above, rest)
}

/// The constraints on what each atom is beyond what it is at least; without those that follow from others.
fn shifted(rows: Vec<Constraint>, least: &[i64]) -> Result<Vec<Constraint>, Stopped> {
    let mut by_row: BTreeMap<Row, (Option<i64>, Option<i64>)> = BTreeMap::new();
    for Constraint { row, low, high } in rows {
        let shift = row.of(least);
        let positive = row.entries().iter().all(|(_, x)| *x > 0);
        let (low, high) = (low.map(|low| low - shift), high.map(|high| high - shift));
        let low = low.filter(|low| Some(*low) == high || !(positive && *low <= 0));
        if positive && high.is_some_and(|high| high < 0) {
            return Err(Stopped::Contradiction);
        }
        let bounds = by_row.entry(row).or_default();
        bounds.0 = bounds.0.max(low);
        bounds.1 = match (bounds.1, high) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        if let (Some(low), Some(high)) = *bounds
            && low > high
        {
            return Err(Stopped::Contradiction);
        }
    }
    by_row.retain(|_, (low, high)| low.is_some() || high.is_some());
    let within = |small: &Row, large: &Row| {
        small.entries().len() < large.entries().len()
            && small.entries().iter().all(|(atom, x)| (1..=large.at(*atom)).contains(x))
    };
    let lows: Vec<(Row, i64)> = by_row.iter().filter_map(|(row, (low, _))| Some((row.clone(), (*low)?))).collect();
    let follows = |row: &Row, low: i64| {
        row.entries().iter().all(|(_, x)| *x > 0)
            && lows.iter().any(|(small, least)| *least >= low && within(small, row))
    };
    for (row, (low, high)) in &mut by_row {
        // An equation stays whole: its lower side is half of what it says.
        if *low != *high && low.is_some_and(|low| follows(row, low)) {
            *low = None;
        }
    }
    by_row.retain(|_, (low, high)| low.is_some() || high.is_some());
    Ok(by_row.into_iter().map(|(row, (low, high))| Constraint { row, low, high }).collect())
}

/// Of the atoms that lie in the same sums the first, and none that is zero.
fn distinct_atoms(atoms: usize, rows: &[Constraint], targets: &[Row], zero: &[bool]) -> Vec<bool> {
    let mut lies_in: Vec<Vec<(usize, i64)>> = vec![Vec::new(); atoms];
    for (at, row) in rows.iter().map(|c| &c.row).chain(targets).enumerate() {
        row.entries().iter().for_each(|(atom, x)| lies_in[*atom as usize].push((at, *x)));
    }
    let mut known = HashSet::new();
    (0..atoms).map(|atom| !zero[atom] && known.insert(lies_in[atom].as_slice())).collect()
}
