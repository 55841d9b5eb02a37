//! What follows from what is known without a programme, and which atoms hang together.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::Part;
use crate::row::{Atom, Row};
use crate::simplex::{Constraint, Release, Simplex, Stopped};

/// What follows from what is known without a programme: atoms that are zero, that are at least something, that lie in
/// the same sums, and which hang together.
pub(super) struct Presolved {
    /// What each atom is at least.
    pub(super) least: Vec<i64>,
    /// For each atom another than which it is not less, if there is one: what is looked for is the step between them.
    pub(super) above: Vec<Option<Atom>>,
    /// The part of each atom and its place there; none: it is what it is at least.
    pub(super) name: Vec<Option<(usize, Atom)>>,
    /// For each part its atoms, and the constraints on their steps by place.
    members: Vec<Vec<Atom>>,
    constraints: Vec<Vec<Constraint>>,
}

impl Presolved {
    /// `fixed`: no equation is released later.
    pub(super) fn new(atoms: usize, known: &[Constraint], targets: &[Row], fixed: bool) -> Result<Presolved, Stopped> {
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
    pub(super) fn in_steps(&self, row: &Row) -> Row {
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
    pub(super) fn parts(
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
