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

mod presolve;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::ControlFlow;

use self::presolve::Presolved;
pub(crate) use self::presolve::zeros;
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

/// So many times one part is searched for a value of a sum over several.
const SEARCHES_MAX: usize = 8;

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
        // What is known already is looked at before anything is looked for.
        for (nth, looks) in (0..pieces.len()).map(|nth| (nth, false)).chain((0..pieces.len()).map(|nth| (nth, true))) {
            let of_others = pieces.iter().enumerate().filter(|(other, _)| *other != nth);
            let others = of_others.fold(BTreeSet::from([0]), |sums, (_, (part, piece))| {
                let values = &self.parts[*part].pieces[*piece].values;
                let sums = sums.iter().flat_map(|sum| values.iter().map(move |value| sum + value));
                sums.take(VALUES_MAX).collect()
            });
            let (part, piece) = pieces[nth];
            for other in others.iter().take(if looks { SEARCHES_MAX } else { VALUES_MAX }) {
                let value = value - constant - other;
                let part = &mut self.parts[part];
                if part.pieces[piece].values.contains(&value) || looks && part.can_be(&mut self.whole, piece, value)? {
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

    /// Notes what a whole world has for each piece, if it is one; whether it is.
    fn record(&mut self, whole: &mut Whole, steps: &[i64]) -> bool {
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
            return false;
        }
        let mut tells = false;
        for piece in &mut self.pieces {
            tells |= piece.see(steps);
        }
        if tells {
            self.worlds.push(steps.to_vec());
        }
        true
    }

    /// Whether a world is found that has a piece at this value.
    fn can_be(&mut self, whole: &mut Whole, piece: usize, value: i64) -> Result<bool, Stopped> {
        let found = match self.simplex.whole_between(&self.pieces[piece].row, value, Some(value)) {
            Err(Stopped::TooLong | Stopped::TooWide) => None,
            other => other?,
        };
        // Held against what is known like any other: of a world that is none nothing is noted.
        let Some(world) = found else { return Ok(false) };
        Ok(self.record(whole, &world))
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
            first = match self.simplex.whole_between(&Row::sum([]), 0, None) {
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
            match self.simplex.whole_between(&goal, until, None) {
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
