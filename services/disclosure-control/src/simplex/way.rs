//! From what a sum comes to with all equations held to where it is to come, equation by equation.

use super::line::ENTRY_MAX;
use super::{ARTIFICIAL, Line, PIVOTS_MAX, STALLED_MAX, Simplex, Slack, Stopped};
use crate::row::Row;

/// A corner from which equations are departed from, upwards or downwards, each at its price.
pub(super) struct Way<'a> {
    pub(super) free: Simplex,
    prices: &'a [i64],
    /// Of each variable behind the atoms the equation that it departs from, if it is one that can be released.
    release: Vec<Option<usize>>,
    /// What is paid, as a loss.
    paid: Line,
    /// The sum that is to come to a goal.
    pub(super) reach: Line,
    stalled: usize,
}

impl<'a> Way<'a> {
    pub(super) fn new(simplex: &'a Simplex, sum: &Row) -> Result<Way<'a>, Stopped> {
        let mut free = simplex.clone();
        let mut release = vec![None; free.slacks.len()];
        for (at, variable) in simplex.held.iter().enumerate().filter(|(_, variable)| simplex.is_held(**variable)) {
            release[variable - free.atoms] = Some(at);
            free.slacks[variable - free.atoms] = Slack::Free;
        }
        let of = |variable: usize| variable.checked_sub(simplex.atoms).and_then(|slack| *release.get(slack)?);
        let paid = free.goal(&|variable| of(variable).map_or(0, |release| -simplex.prices[release]))?;
        let reach = free.goal(&simplex.price(sum))?;
        let mut way = Way { free, prices: &simplex.prices, release, paid, reach, stalled: 0 };
        for _ in 0..PIVOTS_MAX {
            let Some((column, turned)) = way.saving() else { return Ok(way) };
            if turned {
                way.turn(column)?;
            }
            let at = way.free.leaving(column).ok_or(Stopped::TooLong)?;
            way.take(at, column)?;
        }
        Err(Stopped::TooLong)
    }

    /// The equation that a variable departs from.
    fn release_of(&self, variable: usize) -> Option<usize> {
        if variable == ARTIFICIAL {
            return None;
        }
        variable.checked_sub(self.free.atoms).and_then(|slack| *self.release.get(slack)?)
    }

    /// What a column costs and gains as it grows or, turned, as it sinks below zero.
    fn rates(&self, column: usize) -> [Option<(i128, i128)>; 2] {
        let variable = self.free.columns[column];
        if variable == ARTIFICIAL || self.free.is_held(variable) {
            return [None; 2];
        }
        let (cost, gain) = (i128::from(self.paid.entries[column]), -i128::from(self.reach.entries[column]));
        let turned = self.release_of(variable).map(|release| (self.turned(column, release).into(), -gain));
        [Some((cost, gain)), turned]
    }

    /// What it costs to depart the other way.
    fn turned(&self, column: usize, release: usize) -> i64 {
        2 * self.prices[release] * self.paid.denominator - self.paid.at(column)
    }

    /// The ways on from here, each with whether it is turned, and what it costs and gains.
    fn ways(&self) -> impl Iterator<Item = ((usize, bool), (i128, i128))> {
        (0..self.free.columns.len()).flat_map(|column| {
            let both = [false, true].into_iter().zip(self.rates(column));
            both.filter_map(move |(turned, rates)| Some(((column, turned), rates?)))
        })
    }

    /// A way that costs less than nothing: so it is only as long as what is not departed from hides what it costs.
    fn saving(&self) -> Option<(usize, bool)> {
        let saving = self.ways().filter(|(_, (cost, _))| *cost < 0);
        let first = |way: &((usize, bool), (i128, i128))| self.free.columns[way.0.0];
        let best = if self.stalled > STALLED_MAX {
            saving.min_by_key(first)
        } else {
            saving.min_by_key(|way| (way.1.0, first(way)))
        };
        best.map(|(way, _)| way)
    }

    /// The way that gains at the least price; of several that which gains most.
    pub(super) fn cheapest(&self) -> Option<(usize, bool)> {
        let gaining = self.ways().filter(|(_, (_, gain))| *gain > 0);
        let better = |a: &((usize, bool), (i128, i128)), b: &((usize, bool), (i128, i128))| {
            let (((column, _), (cost, gain)), ((other, _), (least, most))) = (a, b);
            let by_rate = (cost * most).cmp(&(least * gain));
            let by_gain = if self.stalled > STALLED_MAX { std::cmp::Ordering::Equal } else { most.cmp(gain) };
            by_rate.then(by_gain).then(self.free.columns[*column].cmp(&self.free.columns[*other]))
        };
        gaining.min_by(better).map(|(way, _)| way)
    }

    /// Counts a departure the other way from now on.
    pub(super) fn turn(&mut self, column: usize) -> Result<(), Stopped> {
        let Some(release) = self.release_of(self.free.columns[column]) else { return Ok(()) };
        let cost = self.turned(column, release);
        if cost.abs() >= ENTRY_MAX {
            return Err(Stopped::TooWide);
        }
        self.paid.entries[column] = i32::try_from(cost).map_err(|_| Stopped::TooWide)?;
        self.paid.widest = self.paid.widest.max(cost.abs());
        self.reach.entries[column] = -self.reach.entries[column];
        self.free.lines.iter_mut().for_each(|line| line.entries[column] = -line.entries[column]);
        Ok(())
    }

    pub(super) fn take(&mut self, at: usize, column: usize) -> Result<(), Stopped> {
        let moves = self.free.lines[at].right != 0;
        self.stalled = if moves { 0 } else { self.stalled + 1 };
        self.free.pivot(at, column, &mut self.paid)?;
        self.reach.eliminate(&self.free.lines[at], column)
    }

    /// The equations that are departed from, at this corner or on the way from it.
    pub(super) fn departed(&self, on: Option<(usize, i128, i128)>) -> Result<Vec<usize>, Stopped> {
        let mut departed = Vec::new();
        for line in &self.free.lines {
            let Some(release) = self.release_of(line.basic) else { continue };
            let far = match on {
                Some((column, missing, gain)) => {
                    let back = missing.checked_mul(line.entries[column].into()).ok_or(Stopped::TooWide)?;
                    line.right.checked_mul(gain).and_then(|far| far.checked_sub(back)).ok_or(Stopped::TooWide)?
                }
                None => line.right,
            };
            departed.extend((far > 0).then_some(release));
        }
        departed.extend(on.and_then(|(column, ..)| self.release_of(self.free.columns[column])));
        Ok(departed)
    }
}
