//! The simplex method over whole numbers: what a sum can come to at most, exactly.
//!
//! Not from a library: what is decided here is whether somebody can be found, so no floating point, no tolerance, and
//! one start for many questions. The tables of releases keep the numbers tiny (determinants of a few units), so each
//! row of the tableau is kept as whole numbers without a common divisor. Source: G. Dantzig, *Linear Programming and
//! Extensions*, 1963, chapters 5 and 6; against cycling R. Bland, *New finite pivoting rules for the simplex method*,
//! Mathematics of Operations Research 2 (1977).
//!
//! **Invariant:** what does not fit or takes too long is an error, never an answer.

mod line;
mod way;
mod worlds;

use std::ops::ControlFlow;

use self::line::{ENTRY_MAX, Line};
use self::way::Way;
use crate::row::{Row, gcd};

/// The largest number of entries of one tableau: 4 bytes each.
pub const TABLEAU_ENTRIES_MAX: usize = 1 << 25;
/// The largest number of steps for one question.
pub const PIVOTS_MAX: usize = 50_000;
/// The largest number of branches on the way to a world of whole numbers.
pub const BRANCHES_MAX: usize = 400;
/// After so many steps of the dual method the rule that cannot cycle takes over.
const STEPS_MAX: usize = 500;
/// Of so many columns that gain the best is taken.
const LOOKED_AT_MAX: usize = 16;
/// After so many steps without progress the rule that cannot cycle takes over.
const STALLED_MAX: usize = 400;

/// Why a question has no answer. Who asked must take it as "not safe".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Stopped {
    /// Nothing satisfies all constraints.
    #[error("the tables contradict each other")]
    Contradiction,
    /// A number left the range in which it is exact.
    #[error("a coefficient does not fit 64 bits")]
    TooWide,
    /// More steps or more memory than the limits.
    #[error("more than {PIVOTS_MAX} steps or {TABLEAU_ENTRIES_MAX} entries")]
    TooLong,
}

impl From<crate::row::TooWide> for Stopped {
    fn from(_: crate::row::TooWide) -> Stopped {
        Stopped::TooWide
    }
}

/// What is known of a sum of atoms, none of which is negative.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Constraint {
    /// The sum.
    pub row: Row,
    /// It is at least this.
    pub low: Option<i64>,
    /// It is at most this.
    pub high: Option<i64>,
}

impl Constraint {
    /// The sum is this.
    pub fn equal(row: Row, value: i64) -> Constraint {
        Constraint { row, low: Some(value), high: Some(value) }
    }

    /// The sum is this or more.
    pub fn at_least(row: Row, low: i64) -> Constraint {
        Constraint { row, low: Some(low), high: None }
    }

    /// Whether these counts satisfy it.
    pub fn holds(&self, counts: &[i64]) -> bool {
        let value = self.row.of(counts);
        self.low.is_none_or(|low| low <= value) && self.high.is_none_or(|high| value <= high)
    }
}

/// A number as a fraction in lowest terms; the denominator is positive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fraction {
    /// Above the line.
    pub numerator: i128,
    /// Below it.
    pub denominator: i128,
}

impl Fraction {
    /// The largest whole number that is not above.
    pub fn floor(self) -> i128 {
        self.numerator.div_euclid(self.denominator)
    }

    /// The sum of both, if it fits.
    pub fn plus(self, other: Fraction) -> Option<Fraction> {
        let left = self.numerator.checked_mul(other.denominator)?;
        let numerator = left.checked_add(other.numerator.checked_mul(self.denominator)?)?;
        let denominator = self.denominator.checked_mul(other.denominator)?;
        let divisor = gcd_wide(numerator, denominator).max(1);
        Some(Fraction { numerator: numerator / divisor, denominator: denominator / divisor })
    }
}

fn gcd_wide(a: i128, b: i128) -> i128 {
    let (mut a, mut b) = (a.abs(), b.abs());
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// How far a sum can go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Most {
    /// It reaches this and no more.
    Bound(Fraction),
    /// It has no bound.
    Unbounded,
    /// Who watched has seen enough.
    Enough,
}

/// A variable: an atom, a slack, or what stands in for a constraint that is not yet satisfied.
const ARTIFICIAL: usize = usize::MAX;

/// What a variable beside the atoms is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slack {
    /// How far a bound is from being reached: zero or more.
    Free,
    /// How far an equation is from holding: nothing, as long as it is not released; then it may go this far below zero.
    Held(i64),
}

/// An equation that can be released: its sum is then only known to be `at_least`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Release {
    /// The place of the equation among the constraints.
    pub equation: usize,
    /// What the sum is at least, once it is released.
    pub at_least: i64,
    /// What it costs to depart from it by one.
    pub price: i64,
}

/// A corner of what the constraints leave open, from which questions are answered one after the other.
#[derive(Debug, Clone)]
pub struct Simplex {
    atoms: usize,
    lines: Vec<Line>,
    /// The variable of each column; [`ARTIFICIAL`] = none any more.
    columns: Vec<usize>,
    /// What the variables behind the atoms are for.
    slacks: Vec<Slack>,
    /// The variable of each equation that can be released, in the order of the releases.
    held: Vec<usize>,
    prices: Vec<i64>,
}

impl Simplex {
    /// A corner of what satisfies all constraints, with no atom below zero.
    ///
    /// # Errors
    /// [`Stopped`]
    pub fn new(atoms: usize, constraints: &[Constraint]) -> Result<Simplex, Stopped> {
        Simplex::with_releases(atoms, constraints, &[])
    }

    /// The same, of which some equations can be released later.
    ///
    /// # Errors
    /// [`Stopped`]
    pub fn with_releases(atoms: usize, constraints: &[Constraint], releases: &[Release]) -> Result<Simplex, Stopped> {
        let mut releasable = vec![None; constraints.len()];
        releases.iter().enumerate().for_each(|(at, release)| releasable[release.equation] = Some(at));
        let mut sides: Vec<(&Row, i64, i64)> = Vec::new();
        let (mut slacks, mut held) = (Vec::new(), vec![ARTIFICIAL; releases.len()]);
        for (constraint, releasable) in constraints.iter().zip(releasable) {
            match (constraint.low, constraint.high) {
                (Some(low), Some(high)) if low == high => {
                    if let Some(at) = releasable {
                        held[at] = atoms + slacks.len();
                        slacks.push(Slack::Held((low - releases[at].at_least).max(0)));
                    }
                    sides.push((&constraint.row, -i64::from(releasable.is_some()), low));
                }
                (low, high) => {
                    let both = low
                        .map(|low| (&constraint.row, -1, low))
                        .into_iter()
                        .chain(high.map(|high| (&constraint.row, 1, high)));
                    both.for_each(|side| {
                        slacks.push(Slack::Free);
                        sides.push(side);
                    });
                }
            }
        }
        let width = atoms + slacks.len();
        if width.saturating_mul(sides.len()) > TABLEAU_ENTRIES_MAX {
            return Err(Stopped::TooLong);
        }
        let prices = releases.iter().map(|release| release.price).collect();
        let mut simplex = Simplex { atoms, lines: Vec::new(), columns: (0..width).collect(), slacks, held, prices };
        let mut slack_at = atoms;
        for (row, slack, value) in sides {
            let line = simplex.line(row, (slack != 0).then_some((slack_at, slack)), value, width)?;
            slack_at += usize::from(slack != 0);
            simplex.lines.push(line);
        }
        simplex.satisfy()?;
        Ok(simplex)
    }

    /// A constraint as a line, with the slack of a bound as its basic variable.
    fn line(&mut self, row: &Row, slack: Option<(usize, i64)>, value: i64, width: usize) -> Result<Line, Stopped> {
        let (mut entries, mut right, mut basic) = (vec![0; width], i128::from(value), ARTIFICIAL);
        let sign = match slack {
            Some((at, sign)) if self.slacks[at - self.atoms] == Slack::Free => {
                right *= i128::from(sign);
                basic = at;
                self.columns[at] = ARTIFICIAL;
                sign
            }
            Some((at, sign)) => {
                entries[at] = if sign < 0 { -1 } else { 1 };
                1
            }
            None => 1,
        };
        for (atom, x) in row.entries() {
            entries[*atom as usize] = i32::try_from(x * sign).map_err(|_| Stopped::TooWide)?;
        }
        let mut line = Line::new(basic, 1, right, entries)?;
        line.widest = line.widest.max(1);
        Ok(line)
    }

    /// Whether a variable stays at zero.
    fn is_held(&self, variable: usize) -> bool {
        variable != ARTIFICIAL
            && variable >= self.atoms
            && self.slacks.get(variable - self.atoms).is_some_and(|slack| *slack != Slack::Free)
    }

    /// From a start that satisfies nothing yet to a corner that satisfies all: first equations get a variable each, then
    /// what is below zero goes up, at a price of each column so that no step is for nothing.
    fn satisfy(&mut self) -> Result<(), Stopped> {
        let mut price = Line::new(ARTIFICIAL, 1, 0, vec![0; self.columns.len()])?;
        let mut at = 0;
        while at < self.lines.len() {
            let line = &self.lines[at];
            let way = if line.basic == ARTIFICIAL { self.way_out(line) } else { None };
            let is_held = way.is_none_or(|column| self.is_held(self.columns[column]));
            match (line.basic, way) {
                (ARTIFICIAL, _) if is_held && line.right != 0 => return Err(Stopped::Contradiction),
                (ARTIFICIAL, None) => _ = self.lines.swap_remove(at),
                (ARTIFICIAL, Some(column)) => {
                    self.pivot(at, column, &mut price)?;
                    at += 1;
                }
                _ => at += 1,
            }
        }
        let open: Vec<usize> = (0..self.columns.len()).filter(|column| self.columns[*column] != ARTIFICIAL).collect();
        for line in &mut self.lines {
            line.entries = open.iter().map(|column| line.entries[*column]).collect();
        }
        self.columns = open.iter().map(|column| self.columns[*column]).collect();
        if self.restore(&mut self.steps()?)? { Ok(()) } else { Err(Stopped::Contradiction) }
    }

    /// A column that can take the place of what stood in for a constraint; rather one that is not held.
    fn way_out(&self, line: &Line) -> Option<usize> {
        let some =
            || line.entries.iter().enumerate().filter(|(column, x)| **x != 0 && self.columns[*column] != ARTIFICIAL);
        some()
            .find(|(column, _)| !self.is_held(self.columns[*column]))
            .or_else(|| some().next())
            .map(|(column, _)| column)
    }

    /// The most that a sum of atoms can come to. `watch` sees each corner on the way, the first and the last too, and
    /// may end the climb.
    ///
    /// # Errors
    /// [`Stopped`]
    pub fn most(&mut self, sum: &Row, watch: &mut impl FnMut(&Simplex) -> ControlFlow<()>) -> Result<Most, Stopped> {
        let mut goal = self.goal(&self.price(sum))?;
        if watch(self).is_break() {
            return Ok(Most::Enough);
        }
        self.climb(&mut goal, watch)
    }

    /// A sum of variables in terms of the columns: its value − the entries × the variables.
    fn goal(&self, of: &dyn Fn(usize) -> i64) -> Result<Line, Stopped> {
        let of_column = |variable: &usize| if *variable == ARTIFICIAL { 0 } else { -of(*variable) };
        let entries = self.columns.iter().map(|variable| i32::try_from(of_column(variable)));
        let entries = entries.collect::<Result<_, _>>().map_err(|_| Stopped::TooWide)?;
        let mut goal = Line::new(ARTIFICIAL, 1, 0, entries)?;
        for line in self.lines.iter().filter(|line| line.basic != ARTIFICIAL) {
            let x = of(line.basic);
            if x == 0 {
                continue;
            }
            let x = x.checked_mul(goal.denominator).ok_or(Stopped::TooWide)?;
            let divisor = gcd(line.denominator, x);
            let (by, times) = (line.denominator / divisor, x / divisor);
            if times.abs() >= ENTRY_MAX {
                return Err(Stopped::TooWide);
            }
            goal.combine(by, line, -times)?;
        }
        Ok(goal)
    }

    /// Goes from corner to corner, upwards, as long as there is one.
    fn climb(&mut self, goal: &mut Line, watch: &mut impl FnMut(&Simplex) -> ControlFlow<()>) -> Result<Most, Stopped> {
        let mut stalled = 0;
        for _ in 0..PIVOTS_MAX {
            let (column, line) = match self.entering(goal, stalled > STALLED_MAX) {
                Some((column, Some(line))) => (column, line),
                Some((_, None)) => return Ok(Most::Unbounded),
                None => {
                    let divisor = gcd_wide(goal.right, goal.denominator.into()).max(1);
                    let (numerator, denominator) = (goal.right / divisor, i128::from(goal.denominator) / divisor);
                    return Ok(Most::Bound(Fraction { numerator, denominator }));
                }
            };
            let moves = self.lines[line].right != 0;
            self.pivot(line, column, goal)?;
            stalled = if moves { 0 } else { stalled + 1 };
            if moves && watch(self).is_break() {
                return Ok(Most::Enough);
            }
        }
        Err(Stopped::TooLong)
    }

    /// The column that grows, and the line that limits it first: the one that gains most, of those rather that leave the
    /// denominators as they are, so that corners stay whole. When nothing moves, the first that gains (Bland).
    fn entering(&self, goal: &Line, first: bool) -> Option<(usize, Option<usize>)> {
        let gains =
            goal.entries.iter().enumerate().filter(|(column, x)| **x < 0 && !self.is_held(self.columns[*column]));
        if first {
            let column = gains.min_by_key(|(column, _)| self.columns[*column])?.0;
            return Some((column, self.leaving(column)));
        }
        let mut gains: Vec<(i32, usize)> = gains.map(|(column, x)| (*x, column)).collect();
        if gains.len() > LOOKED_AT_MAX {
            gains.select_nth_unstable(LOOKED_AT_MAX);
            gains.truncate(LOOKED_AT_MAX);
        }
        gains.sort_unstable();
        let mut best = None;
        for (_, column) in gains {
            let leaving = self.leaving(column);
            if leaving.is_none_or(|line| self.lines[line].at(column).abs() <= self.lines[line].denominator) {
                return Some((column, leaving));
            }
            best = best.or(Some((column, leaving)));
        }
        best
    }

    /// The line that limits a column first, as it grows; of several that of the first variable, those not yet satisfied
    /// before all. A variable that is held lets nothing move.
    fn leaving(&self, column: usize) -> Option<usize> {
        let mut best: Option<(usize, i128, i64)> = None;
        for (at, line) in self.lines.iter().enumerate() {
            let entry = line.at(column);
            let held = entry != 0 && self.is_held(line.basic);
            if entry <= 0 && !held {
                continue;
            }
            let (right, entry) = if held { (0, 1) } else { (line.right, entry) };
            let order = |at: usize| self.lines[at].basic.wrapping_add(1);
            let better = best.is_none_or(|(other, theirs, by)| {
                let by_right = match (i32::try_from(right), i32::try_from(theirs)) {
                    (Ok(mine), Ok(theirs)) => (i64::from(mine) * by).cmp(&(i64::from(theirs) * entry)),
                    _ => (right * i128::from(by)).cmp(&(theirs * i128::from(entry))),
                };
                by_right.then_with(|| order(at).cmp(&order(other))).is_lt()
            });
            if better {
                best = Some((at, right, entry));
            }
        }
        best.map(|(at, _, _)| at)
    }

    /// Releases an equation: from now on its sum is only known to be what the release says.
    ///
    /// # Errors
    /// [`Stopped`]
    pub fn release(&mut self, release: usize) -> Result<(), Stopped> {
        let variable = self.held[release];
        if !self.is_held(variable) {
            return Ok(());
        }
        let Slack::Held(room) = std::mem::replace(&mut self.slacks[variable - self.atoms], Slack::Free) else {
            return Ok(());
        };
        let room = i128::from(room);
        if let Some(column) = self.columns.iter().position(|other| *other == variable) {
            // What follows from others and is held takes its place, so that nothing that moves moves what is held; else it
            // sinks as far as it may, or until something stands in the way and takes its place.
            let is_dependent = |line: &Line| line.entries[column] != 0 && self.is_held(line.basic);
            let Some(at) = self.lines.iter().position(is_dependent).or_else(|| self.sinking(column, room)) else {
                self.lines.iter_mut().for_each(|line| line.right += i128::from(line.entries[column]) * room);
                return Ok(());
            };
            let mut none = Line::new(ARTIFICIAL, 1, 0, vec![0; self.columns.len()])?;
            self.pivot(at, column, &mut none)?;
        }
        let line = self.lines.iter_mut().find(|line| line.basic == variable).ok_or(Stopped::TooLong)?;
        line.right += i128::from(line.denominator) * room;
        Ok(())
    }

    /// Keeps what is held held for good: there is less to reckon with then, and nothing is released any more.
    pub fn settle(&mut self) {
        let open: Vec<usize> = (0..self.columns.len()).filter(|column| !self.is_held(self.columns[*column])).collect();
        for line in &mut self.lines {
            line.entries = open.iter().map(|column| line.entries[*column]).collect();
        }
        self.columns = open.iter().map(|column| self.columns[*column]).collect();
        let atoms = self.atoms;
        self.lines.retain(|line| line.basic < atoms || line.entries.iter().any(|x| *x != 0));
        self.held.clear();
    }

    /// The line that limits a column first as it sinks, before it has sunk by `room`.
    fn sinking(&self, column: usize, room: i128) -> Option<usize> {
        let mut best: Option<(usize, i128, i128)> = None;
        for (at, line) in self.lines.iter().enumerate() {
            let (right, entry) = (line.right, -i128::from(line.entries[column]));
            if entry <= 0 {
                continue;
            }
            if right < room * entry && best.is_none_or(|(_, theirs, by)| right * by < theirs * entry) {
                best = Some((at, right, entry));
            }
        }
        best.map(|(at, _, _)| at)
    }

    /// The equation on which the most of a sum depends most, for its price: where a linear programme of all of them would
    /// take too long. None: it depends on none.
    ///
    /// # Errors
    /// [`Stopped`]
    pub fn tightest(&mut self, sum: &Row) -> Result<Option<usize>, Stopped> {
        let mut goal = self.goal(&self.price(sum))?;
        self.climb(&mut goal, &mut |_| ControlFlow::Continue(()))?;
        let rate = |release: usize| {
            let column =
                self.columns.iter().position(|variable| self.is_held(*variable) && *variable == self.held[release])?;
            Some(goal.at(column).abs()).filter(|rate| *rate > 0)
        };
        let rates = (0..self.held.len()).filter_map(|release| Some((release, rate(release)?)));
        let better = |(a, x): &(usize, i64), (b, y): &(usize, i64)| {
            (i128::from(*x) * i128::from(self.prices[*b]))
                .cmp(&(i128::from(*y) * i128::from(self.prices[*a])))
                .then(b.cmp(a))
        };
        Ok(rates.max_by(better).map(|(release, _)| release))
    }

    /// Holds a sum at a value from now on. Whether it can be held there.
    ///
    /// # Errors
    /// [`Stopped`]
    pub fn hold(&mut self, sum: &Row, value: i64) -> Result<bool, Stopped> {
        let atom = |variable: usize, sign: i64| {
            u32::try_from(variable).map_or(0, |at| if variable < self.atoms { sign * sum.at(at) } else { 0 })
        };
        let mut reach = self.goal(&|variable| atom(variable, 1))?;
        let mut missing = i128::from(value) * i128::from(reach.denominator) - reach.right;
        let sign = if missing < 0 { -1 } else { 1 };
        if sign < 0 {
            reach = self.goal(&|variable| atom(variable, -1))?;
            missing = -missing;
        }
        let cap = self.atoms + self.slacks.len();
        let entries = reach.entries.iter().map(|x| -x).collect();
        self.slacks.push(Slack::Free);
        self.lines.push(Line::new(cap, reach.denominator, missing, entries)?);
        let at_cap = |simplex: &Simplex| simplex.lines.iter().all(|line| line.basic != cap || line.right == 0);
        let stop = |simplex: &Simplex| if at_cap(simplex) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
        if !at_cap(self) {
            self.climb(&mut reach, &mut |simplex| stop(simplex))?;
        }
        let reached = at_cap(self);
        self.slacks[cap - self.atoms] = Slack::Held(0);
        // A line of a variable that is held has nothing in the columns that move: so nothing moves it.
        let at = self.lines.iter().position(|line| line.basic == cap);
        let way = at.and_then(|at| Some((at, self.way_out(&self.lines[at])?)));
        if let Some((at, column)) = way.filter(|(_, column)| reached && !self.is_held(self.columns[*column])) {
            self.pivot(at, column, &mut reach)?;
        }
        Ok(reached)
    }

    /// Which equations must be departed from for a sum to reach a goal, at the least price; none: it cannot reach it.
    ///
    /// The price that each further unit of the sum costs only grows, so the cheapest way on is taken again and again until
    /// the goal is reached (S. Gass and T. Saaty, *The computational algorithm for the parametric objective function*,
    /// Naval Research Logistics Quarterly 2, 1955).
    ///
    /// # Errors
    /// [`Stopped`]
    pub fn in_the_way(&self, sum: &Row, goal: i64) -> Result<Option<Vec<usize>>, Stopped> {
        let mut way = Way::new(self, sum)?;
        for _ in 0..PIVOTS_MAX {
            let missing = i128::from(goal) * i128::from(way.reach.denominator) - way.reach.right;
            if missing <= 0 {
                return Ok(Some(way.departed(None)?));
            }
            let Some((column, turned)) = way.cheapest() else { return Ok(None) };
            if turned {
                way.turn(column)?;
            }
            let leaving = way.free.leaving(column);
            let gain = -i128::from(way.reach.entries[column]);
            let reaches = |line: &Line| {
                let (entry, right) = (i128::from(line.entries[column]), line.right);
                Some(right.checked_mul(gain)? >= missing.checked_mul(entry)?)
            };
            let is_enough = gain > 0 && leaving.is_none_or(|at| reaches(&way.free.lines[at]) == Some(true));
            let Some(at) = leaving.filter(|_| !is_enough) else {
                return if gain > 0 { way.departed(Some((column, missing, gain))).map(Some) } else { Ok(None) };
            };
            way.take(at, column)?;
        }
        Err(Stopped::TooLong)
    }

    fn pivot(&mut self, at: usize, column: usize, goal: &mut Line) -> Result<(), Stopped> {
        let none = Line { basic: ARTIFICIAL, denominator: 1, right: 0, entries: Vec::new(), widest: 0 };
        let mut line = std::mem::replace(&mut self.lines[at], none);
        let leaving = std::mem::replace(&mut self.columns[column], line.basic);
        let entry = if line.basic == ARTIFICIAL { 0 } else { line.denominator };
        let entry = i32::try_from(entry).map_err(|_| Stopped::TooWide)?;
        line.denominator = std::mem::replace(&mut line.entries[column], entry).into();
        line.basic = leaving;
        // What all others take over is worth knowing exactly.
        line.reduce();
        line.widest = line.widest_entry();
        if line.denominator < 0 {
            line.denominator = -line.denominator;
            line.right = -line.right;
            line.entries.iter_mut().for_each(|x| *x = -*x);
        }
        for other in self.lines.iter_mut().enumerate().filter(|(other, _)| *other != at).map(|(_, other)| other) {
            other.eliminate(&line, column)?;
        }
        goal.eliminate(&line, column)?;
        self.lines[at] = line;
        Ok(())
    }

    /// What a sum of atoms asks of each variable.
    fn price(&self, sum: &Row) -> impl Fn(usize) -> i64 {
        let atoms = self.atoms;
        move |variable| u32::try_from(variable).map_or(0, |atom| if variable < atoms { sum.at(atom) } else { 0 })
    }

    /// A price of each column, so that no step of [`Simplex::restore`] is for nothing.
    fn steps(&self) -> Result<Line, Stopped> {
        let prices = self.columns.iter().map(|variable| i32::try_from(variable % 97).unwrap_or(0) + 1);
        Line::new(ARTIFICIAL, 1, 0, prices.collect())
    }

    /// From a corner where the goal is at its most but lines were added that do not hold, to one where all hold (the dual
    /// simplex method: C. Lemke, *The dual method of solving the linear programming problem*, 1954). Whether there is one.
    fn restore(&mut self, goal: &mut Line) -> Result<bool, Stopped> {
        for step in 0..PIVOTS_MAX {
            let negative = self.lines.iter().enumerate().filter(|(_, line)| line.right < 0);
            // The first, once it has taken long, so that it comes to an end.
            let lower =
                |a: &Line, b: &Line| (a.right * i128::from(b.denominator)).cmp(&(b.right * i128::from(a.denominator)));
            let low = if step < STEPS_MAX {
                negative.min_by(|(_, a), (_, b)| lower(a, b).then(a.basic.cmp(&b.basic)))
            } else {
                negative.min_by_key(|(_, line)| line.basic)
            };
            let Some((at, line)) = low else { return Ok(true) };
            let mut best: Option<(usize, i128, i128)> = None;
            for (column, entry) in line.entries.iter().enumerate().filter(|(_, entry)| **entry < 0) {
                if self.is_held(self.columns[column]) {
                    continue;
                }
                let (cost, by) = (i128::from(goal.entries[column]), -i128::from(*entry));
                // Of equals that with the larger entry, which goes further; in the end the first, as Bland says.
                let order = |column: usize| self.columns[column];
                let better = best.is_none_or(|(other, least, of)| match (cost * of).cmp(&(least * by)) {
                    std::cmp::Ordering::Equal if step < STEPS_MAX => (by, order(other)) > (of, order(column)),
                    std::cmp::Ordering::Equal => order(column) < order(other),
                    unequal => unequal.is_lt(),
                });
                if better {
                    best = Some((column, cost, by));
                }
            }
            let Some((column, _, _)) = best else { return Ok(false) };
            self.pivot(at, column, goal)?;
        }
        Err(Stopped::TooLong)
    }

    /// The counts of the atoms at this corner, if they are whole.
    pub fn whole(&self) -> Option<Vec<i64>> {
        let mut counts = vec![0; self.atoms];
        for line in self.lines.iter().filter(|line| line.basic < self.atoms) {
            let denominator = i128::from(line.denominator);
            if line.right % denominator != 0 {
                return None;
            }
            counts[line.basic] = i64::try_from(line.right / denominator).ok()?;
        }
        Some(counts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn most(simplex: &mut Simplex, sum: &Row) -> Most {
        simplex.most(sum, &mut |_| ControlFlow::Continue(())).expect("fits")
    }

    fn whole(value: i128) -> Most {
        Most::Bound(Fraction { numerator: value, denominator: 1 })
    }

    #[test]
    fn a_row_and_a_column_leave_two_cells_the_freedom_of_the_smaller_margin() {
        // a b | 7
        // c d | 9
        // 5 11
        let constraints = [
            Constraint::equal(Row::sum([0, 1]), 7),
            Constraint::equal(Row::sum([2, 3]), 9),
            Constraint::equal(Row::sum([0, 2]), 5),
            Constraint::equal(Row::sum([1, 3]), 11),
        ];
        let mut simplex = Simplex::new(4, &constraints).expect("feasible");
        assert_eq!(most(&mut simplex, &Row::sum([0])), whole(5));
        assert_eq!(most(&mut simplex, &Row::new([(0, -1)])), whole(0));
        assert_eq!(most(&mut simplex, &Row::new([(3, -1)])), whole(-4));
        assert_eq!(most(&mut simplex, &Row::sum([0, 3])), whole(14));
        assert!(simplex.whole().is_some_and(|counts| constraints.iter().all(|c| c.holds(&counts))));
    }

    #[test]
    fn a_corner_can_lie_between_whole_numbers() {
        let pairs = [[0, 1], [1, 2], [0, 2]].map(|pair| Constraint { row: Row::sum(pair), low: None, high: Some(1) });
        let mut simplex = Simplex::new(3, &pairs).expect("feasible");
        let half = Most::Bound(Fraction { numerator: 3, denominator: 2 });
        assert_eq!(most(&mut simplex, &Row::sum([0, 1, 2])), half);
        assert_eq!(simplex.whole(), None);
        let mut worlds = Vec::new();
        simplex.whole_most(&Row::sum([0, 1, 2]), None, &mut |world| worlds.push(world)).expect("few branches");
        assert!(worlds.iter().all(|world| world.iter().sum::<i64>() == 1), "{worlds:?}");
    }

    #[test]
    fn what_contradicts_itself_and_what_has_no_end_is_told() {
        let twice = [Constraint::equal(Row::sum([0]), 1), Constraint::equal(Row::sum([0]), 2)];
        assert_eq!(Simplex::new(1, &twice).err(), Some(Stopped::Contradiction));
        let mut simplex = Simplex::new(2, &[Constraint::at_least(Row::new([(0, 1), (1, -1)]), 3)]).expect("feasible");
        assert_eq!(most(&mut simplex, &Row::sum([0])), Most::Unbounded);
        assert_eq!(most(&mut simplex, &Row::new([(0, -1)])), whole(-3));
    }
}
