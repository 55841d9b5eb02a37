//! Worlds of whole numbers, by branching from one corner to the next.

use std::ops::ControlFlow;

use super::{BRANCHES_MAX, Line, Most, Simplex, Slack, Stopped};
use crate::row::Row;

/// How a search goes on from a corner.
#[derive(Debug, Clone, Copy)]
enum Next {
    /// Further bounds may make it whole.
    Deeper,
    /// Nothing more is to be found here.
    Back,
    /// What was looked for is found.
    End,
}

/// An atom is at most `below`, or `above` it.
#[derive(Debug, Clone, Copy)]
struct Bound {
    atom: usize,
    below: i64,
    above: bool,
}

impl Simplex {
    /// Looks for the worlds of whole numbers in which a sum is more than `best`, more each time, and ends with the most.
    /// `found` takes each world.
    ///
    /// # Errors
    /// [`Stopped::TooLong`] after [`BRANCHES_MAX`]
    pub fn whole_most(
        &mut self,
        sum: &Row,
        mut best: Option<i64>,
        found: &mut impl FnMut(Vec<i64>),
    ) -> Result<Most, Stopped> {
        let mut goal = self.goal(&self.price(sum))?;
        let most = self.climb(&mut goal, &mut |_| ControlFlow::Continue(()))?;
        if most == Most::Unbounded {
            self.whole().into_iter().for_each(found);
            return Ok(most);
        }
        Simplex::branches((self.clone(), goal), |bound, world| {
            if best.is_some_and(|best| bound <= i128::from(best)) {
                return Next::Back;
            }
            let Some(world) = world else { return Next::Deeper };
            best = best.max(Some(sum.of(&world)));
            found(world);
            Next::Back
        })?;
        Ok(most)
    }

    /// A world of whole numbers in which a sum is `least` or more, and `most` or less; none, if there is none.
    ///
    /// # Errors
    /// [`Stopped::TooLong`] after [`BRANCHES_MAX`]
    pub fn whole_between(&self, sum: &Row, least: i64, most: Option<i64>) -> Result<Option<Vec<i64>>, Stopped> {
        let mut simplex = self.clone();
        let of = simplex.goal(&self.price(sum))?;
        simplex.bound(&of, least, true)?;
        if let Some(most) = most {
            simplex.bound(&of, most, false)?;
        }
        let mut steps = simplex.steps()?;
        let mut found = None;
        if simplex.restore(&mut steps)? {
            Simplex::branches((simplex, steps), |_, world| {
                found = world;
                if found.is_some() { Next::End } else { Next::Deeper }
            })?;
        }
        Ok(found)
    }

    /// Branches on an atom that is not whole, and goes on from the corner at hand (A. Land and A. Doig, *An automatic
    /// method of solving discrete programming problems*, Econometrica 28, 1960). `visit` is told of each corner the most
    /// that the goal comes to from there on, and the world, if it is whole.
    ///
    /// # Errors
    /// [`Stopped::TooLong`] after [`BRANCHES_MAX`]
    fn branches(start: (Simplex, Line), mut visit: impl FnMut(i128, Option<Vec<i64>>) -> Next) -> Result<(), Stopped> {
        let (mut open, mut bounds) = (Vec::<Vec<Bound>>::new(), Vec::<Bound>::new());
        let (mut root, mut here) = (None::<(Simplex, Line)>, Some(start));
        for _ in 0..BRANCHES_MAX {
            // Where it does not go on, back to the last branch that was not taken.
            let Some((simplex, goal)) = &mut here else {
                let (Some(back), Some((root, first))) = (open.pop(), &root) else { return Ok(()) };
                here = root.within(first, &back)?;
                bounds = back;
                continue;
            };
            let broken = simplex.broken();
            let world = if broken.is_none() { Some(simplex.whole().ok_or(Stopped::TooWide)?) } else { None };
            match (visit(goal.right.div_euclid(goal.denominator.into()), world), broken) {
                (Next::End, _) => return Ok(()),
                (Next::Deeper, Some((atom, below))) => {
                    root.get_or_insert_with(|| (simplex.clone(), goal.clone()));
                    open.push([&bounds[..], &[Bound { atom, below, above: false }]].concat());
                    let above = Bound { atom, below, above: true };
                    bounds.push(above);
                    // What grows too wide is given up: it only makes for fewer worlds.
                    match simplex.bind(above).and_then(|()| simplex.restore(goal)) {
                        Ok(true) => {}
                        Ok(false) | Err(Stopped::TooWide) => here = None,
                        Err(stopped) => return Err(stopped),
                    }
                }
                _ => here = None,
            }
        }
        Err(Stopped::TooLong)
    }

    /// The corner with the most within these bounds; none, if there is none or its numbers grow too wide.
    fn within(&self, goal: &Line, bounds: &[Bound]) -> Result<Option<(Simplex, Line)>, Stopped> {
        let (mut simplex, mut goal) = (self.clone(), goal.clone());
        let bound = bounds.iter().try_for_each(|bound| simplex.bind(*bound));
        match bound.and_then(|()| simplex.restore(&mut goal)) {
            Ok(is_there) => Ok(is_there.then_some((simplex, goal))),
            Err(Stopped::TooWide) => Ok(None),
            Err(stopped) => Err(stopped),
        }
    }

    /// Keeps an atom within a bound from now on. The corner may not satisfy it yet.
    fn bind(&mut self, Bound { atom, below, above }: Bound) -> Result<(), Stopped> {
        let of = self.goal(&|variable| i64::from(variable == atom))?;
        self.bound(&of, below + i64::from(above), above)
    }

    /// Keeps a sum of variables, in terms of the columns, at this or more, or at this or less. The corner may not satisfy
    /// it yet.
    fn bound(&mut self, of: &Line, limit: i64, or_more: bool) -> Result<(), Stopped> {
        let right = of.right - i128::from(of.denominator) * i128::from(limit);
        let sign = if or_more { 1 } else { -1 };
        let entries = of.entries.iter().map(|x| sign * x).collect();
        let slack = self.atoms + self.slacks.len();
        self.slacks.push(Slack::Free);
        self.lines.push(Line::new(slack, of.denominator, i128::from(sign) * right, entries)?);
        Ok(())
    }

    /// An atom that is not whole at this corner, and what it is rounded down.
    fn broken(&self) -> Option<(usize, i64)> {
        let lines = self.lines.iter().filter(|line| line.basic < self.atoms);
        let broken = lines.filter(|line| line.right % i128::from(line.denominator) != 0);
        let line = broken.min_by_key(|line| line.basic)?;
        Some((line.basic, i64::try_from(line.right.div_euclid(line.denominator.into())).ok()?))
    }
}
