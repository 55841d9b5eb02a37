//! What the cells of releases have in common: one problem over all their tables.
//!
//! **Contexts.** Where one unit can have several codes of a dimension (a person comes in two quarters), margins are no
//! sums: the people of Q1, of Q2 and of the year are three populations, and known is only that none is larger than one
//! that contains it, nor than all its parts together. Each is a context with atoms of its own.
//!
//! **Cliques.** Within a context atoms are kept by cliques of the dimensions that share a table, joined by equal
//! margins, not by the product of all dimensions: the graph of the dimensions is made chordal, and by the running
//! intersection property of its cliques what fits the cliques and their joins fits some joint counts, and the other
//! way round (S. Lauritzen, *Graphical Models*, 1996, section 2.1). Intervals are the same, a thousand times cheaper.

use std::collections::{BTreeMap, BTreeSet};

use crate::audit::Level;
use crate::release::{Key, Release, Zeros, named};
use crate::row::{Atom, Row, gcd};
use crate::simplex::Constraint;

/// The largest number of atoms of one world.
pub const ATOMS_MAX: usize = 2_000_000;

/// Finest codes by their number in the dimension, in order.
type Codes = Vec<u16>;

/// A population: a measure, and the codes of its overlapping dimensions.
type Context = (String, Vec<(usize, Codes)>);

/// A cell in one normal form, whatever it is called: its context, and the codes of the other dimensions.
type Place = (Context, Vec<(usize, Codes)>);

/// A cell of the world.
#[derive(Debug, Clone)]
pub struct WorldCell {
    /// What it counts.
    pub measure: String,
    /// Which cell, as the first release that has it calls it.
    pub key: Key,
    /// The releases that have it.
    pub releases: BTreeSet<usize>,
    /// The number, if any release shows it.
    pub value: Option<i64>,
    /// The base that it was rounded to.
    pub rounded_to: Option<i64>,
    /// Whether a release hides it.
    pub hidden: bool,
    /// What the releases that hide it print instead.
    pub marks: BTreeSet<(usize, String)>,
    /// Its atoms.
    pub atoms: Row,
}

impl WorldCell {
    /// The cell in words.
    pub fn name(&self) -> String {
        named(&self.measure, &self.key)
    }
}

/// The atoms of all measures, the cells over them and how they compare.
#[derive(Debug)]
pub struct World {
    /// How many atoms there are.
    pub atoms: usize,
    /// The distinct cells.
    pub cells: Vec<WorldCell>,
    /// Differences that are zero: margins of two cliques.
    pub joins: Vec<Row>,
    /// Differences that are not negative: what contains less what is contained, and parts less their whole.
    pub orders: Vec<Row>,
    /// Cells and the cells of which they are a part.
    pub parts: Vec<(usize, usize)>,
    /// Percentages: numerator, denominator, and the lowest and highest share as fractions over the last number.
    pub percents: Vec<(usize, usize, [i64; 2], i64)>,
    /// Which cell each cell of each release is.
    pub at: BTreeMap<(usize, String, Key), usize>,
    zeros: Vec<Zeros>,
    marks: Vec<BTreeMap<String, (i64, Option<i64>)>>,
}

/// What is wrong with releases that are looked at together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WorldError {
    /// One cell has two values.
    #[error("{cell} is {value} in one release and {other} in another: these are not the same facts")]
    Differ {
        /// The cell.
        cell: String,
        /// Its value in a later release.
        value: i64,
        /// Its value in an earlier one.
        other: i64,
    },
    /// Too many dimensions share tables.
    #[error("more than {ATOMS_MAX} atoms: fewer dimensions must share a table")]
    TooMany,
    /// A step of a percentage that is not a decimal.
    #[error("the percentage of {cell} has the value {value} and the step {step}: at most six decimals are read")]
    Percent {
        /// The cell.
        cell: String,
        /// The value, in percent.
        value: String,
        /// The step, in percent.
        step: String,
    },
}

/// A clique's atoms: the product of its dimensions' finest codes.
#[derive(Debug)]
struct Block {
    start: usize,
    /// Dimensions with how many finest codes each has.
    axes: Vec<(usize, usize)>,
}

impl Block {
    fn size(&self) -> usize {
        self.axes.iter().fold(1, |size: usize, (_, codes)| size.saturating_mul(*codes))
    }

    fn has(&self, dim: usize) -> bool {
        self.axes.iter().any(|(axis, _)| *axis == dim)
    }

    /// The atoms with these codes; dimensions that are not named are summed over.
    fn pick(&self, want: &[(usize, Codes)]) -> Vec<Atom> {
        let mut at = vec![0];
        for (dim, size) in &self.axes {
            let codes = want.iter().find(|(other, _)| other == dim).map(|(_, codes)| codes);
            let all = (0..*size)
                .filter(|code| codes.is_none_or(|codes| u16::try_from(*code).is_ok_and(|code| codes.contains(&code))));
            let all: Vec<usize> = all.collect();
            at = at.iter().flat_map(|before| all.iter().map(move |code| before * size + code)).collect();
        }
        at.iter().map(|at| Atom::try_from(self.start + at).expect("fewer atoms than 2^32")).collect()
    }
}

/// The names of all releases, as numbers.
struct Names<'a> {
    dims: Vec<&'a str>,
    finest: Vec<Vec<&'a str>>,
    /// Dimensions of which a unit can have several codes, by measure.
    overlapping: BTreeMap<&'a str, BTreeSet<usize>>,
    /// All dimensions of the tables of a measure.
    of: BTreeMap<&'a str, BTreeSet<usize>>,
}

impl<'a> Names<'a> {
    fn new(releases: &'a [Release]) -> Names<'a> {
        let dims: BTreeSet<&str> =
            releases.iter().flat_map(|r| r.manifest.dimensions.keys()).map(String::as_str).collect();
        let dims: Vec<&str> = dims.into_iter().collect();
        let finest = dims.iter().map(|dim| {
            let all = releases
                .iter()
                .filter_map(|r| r.manifest.dimensions.get(*dim))
                .flat_map(|d| d.codes.values().flatten());
            all.map(String::as_str).collect::<BTreeSet<_>>().into_iter().collect()
        });
        let mut names = Names { finest: finest.collect(), dims, overlapping: BTreeMap::new(), of: BTreeMap::new() };
        for release in releases {
            for (measure, of) in &release.manifest.measures {
                let dims: Vec<usize> = of.overlapping.iter().filter_map(|dim| names.dim(dim)).collect();
                names.overlapping.entry(measure).or_default().extend(dims);
            }
            for table in &release.manifest.tables {
                let dims: Vec<usize> = table.dims.iter().filter_map(|dim| names.dim(dim)).collect();
                table.measure.iter().for_each(|measure| names.of.entry(measure).or_default().extend(&dims));
            }
        }
        names
    }

    fn dim(&self, name: &str) -> Option<usize> {
        self.dims.binary_search(&name).ok()
    }

    fn codes(&self, dim: usize, release: &Release, code: &str) -> Codes {
        let finest = release.finest(self.dims[dim], code);
        let place = |code: &str| self.finest[dim].binary_search(&code).ok().and_then(|at| u16::try_from(at).ok());
        finest.into_iter().filter_map(place).collect()
    }

    /// Where a cell is, whatever the release calls it.
    fn place(&self, measure: &str, release: &Release, key: &Key) -> Option<Place> {
        let of = self.of.get(measure)?;
        let code = |dim: usize| {
            key.iter().find(|(name, _)| name == self.dims[dim]).map_or(crate::release::TOTAL, |(_, code)| code)
        };
        let all = of.iter().map(|dim| (*dim, self.codes(*dim, release, code(*dim))));
        let overlapping = self.overlapping.get(measure);
        let (context, rest) =
            all.partition(|(dim, _)| overlapping.is_some_and(|overlapping| overlapping.contains(dim)));
        Some(((measure.to_owned(), context), rest))
    }

    /// Without dimensions of which all codes are meant.
    fn narrowed(&self, rest: &[(usize, Codes)]) -> Vec<(usize, Codes)> {
        rest.iter().filter(|(dim, codes)| codes.len() != self.finest[*dim].len()).cloned().collect()
    }
}

impl World {
    /// One release, or several of the same facts.
    ///
    /// # Errors
    /// [`WorldError`]
    pub fn new(releases: &[Release]) -> Result<World, WorldError> {
        let names = Names::new(releases);
        let mut tables: BTreeMap<Context, BTreeSet<BTreeSet<usize>>> = BTreeMap::new();
        let mut placed = Vec::new();
        for (number, release) in releases.iter().enumerate() {
            for ((measure, key), seen) in &release.cells {
                let Some((context, rest)) = names.place(measure, release, key) else { continue };
                let want = names.narrowed(&rest);
                tables.entry(context.clone()).or_default().insert(want.iter().map(|(dim, _)| *dim).collect());
                placed.push((number, measure, key, seen, (context, rest), want));
            }
        }
        let mut world = World {
            atoms: 0,
            cells: Vec::new(),
            joins: Vec::new(),
            orders: Vec::new(),
            parts: Vec::new(),
            percents: Vec::new(),
            at: BTreeMap::new(),
            zeros: releases.iter().map(|release| release.manifest.zeros).collect(),
            marks: releases.iter().map(|release| release.manifest.marks.clone()).collect(),
        };
        let mut blocks: BTreeMap<&Context, Vec<Block>> = BTreeMap::new();
        for (context, tables) in &tables {
            blocks.insert(context, world.context(&names, tables)?);
        }
        world.compare(&names, &blocks);
        let mut index: BTreeMap<Place, usize> = BTreeMap::new();
        for (number, measure, key, seen, place, want) in placed {
            let block = blocks[&place.0].iter().find(|block| want.iter().all(|(dim, _)| block.has(*dim)));
            let atoms = Row::sum(block.map(|block| block.pick(&want)).unwrap_or_default());
            world.see(
                &mut index,
                place,
                WorldCell {
                    measure: measure.clone(),
                    key: key.clone(),
                    releases: [number].into(),
                    value: seen.value,
                    rounded_to: seen.rounded_to,
                    hidden: seen.hidden,
                    marks: seen.hidden.then(|| (number, seen.mark.clone())).into_iter().collect(),
                    atoms,
                },
            )?;
        }
        world.couple(&names, releases, &index)?;
        Ok(world)
    }

    /// Takes a cell, or what another release says of it.
    fn see(&mut self, index: &mut BTreeMap<Place, usize>, place: Place, cell: WorldCell) -> Result<(), WorldError> {
        let number = *cell.releases.first().expect("a cell is in a release");
        let at = index.get(&place).copied();
        self.at.insert((number, cell.measure.clone(), cell.key.clone()), at.unwrap_or(self.cells.len()));
        let Some(old) = at.map(|at| &mut self.cells[at]) else {
            index.insert(place, self.cells.len());
            self.cells.push(cell);
            return Ok(());
        };
        if let (Some(value), Some(other)) = (cell.value, old.value)
            && value != other
            && cell.rounded_to.is_none()
        {
            return Err(WorldError::Differ { cell: cell.name(), value, other });
        }
        old.hidden |= cell.hidden || cell.value.is_none() != old.value.is_none();
        old.value = old.value.or(cell.value);
        old.releases.extend(cell.releases);
        old.marks.extend(cell.marks);
        Ok(())
    }

    /// The blocks of a context, joined.
    fn context(&mut self, names: &Names<'_>, tables: &BTreeSet<BTreeSet<usize>>) -> Result<Vec<Block>, WorldError> {
        let (cliques, joins) = cliques(tables);
        let mut blocks = Vec::new();
        for clique in &cliques {
            let axes = clique.iter().map(|dim| (*dim, names.finest[*dim].len())).collect();
            let block = Block { start: self.atoms, axes };
            self.atoms = self.atoms.saturating_add(block.size());
            if self.atoms > ATOMS_MAX {
                return Err(WorldError::TooMany);
            }
            blocks.push(block);
        }
        for (a, b, common) in joins {
            for want in combinations(names, &common) {
                self.joins.push(difference(&[blocks[a].pick(&want)], &[blocks[b].pick(&want)]));
            }
        }
        Ok(blocks)
    }

    /// What contains what: the people of a quarter are among those of the year, who are in one of the quarters.
    fn compare(&mut self, names: &Names<'_>, blocks: &BTreeMap<&Context, Vec<Block>>) {
        for (whole, of_whole) in blocks {
            for (at, (_, codes)) in whole.1.iter().enumerate() {
                let is_part = |context: &&&Context| {
                    let differ = context.1.iter().zip(&whole.1).enumerate().filter(|(_, (a, b))| a != b);
                    let inside = context
                        .1
                        .get(at)
                        .is_some_and(|(_, part)| part.len() < codes.len() && part.iter().all(|c| codes.contains(c)));
                    context.0 == whole.0 && inside && differ.map(|(at, _)| at).eq([at])
                };
                let parts: Vec<_> = blocks.keys().filter(is_part).copied().collect();
                for part in &parts {
                    self.within(names, &blocks[part], of_whole);
                }
                let single: Vec<_> = parts.iter().filter(|part| part.1[at].1.len() == 1).collect();
                let covered: BTreeSet<u16> = single.iter().map(|part| part.1[at].1[0]).collect();
                if codes.iter().copied().collect::<BTreeSet<_>>() == covered {
                    let parts: Vec<_> = single.iter().map(|part| &blocks[**part]).collect();
                    self.covered(names, of_whole, &parts);
                }
            }
        }
    }

    fn within(&mut self, names: &Names<'_>, part: &[Block], whole: &[Block]) {
        for x in part {
            let y = nearest(whole, x);
            let common: Vec<usize> = x.axes.iter().map(|(dim, _)| *dim).filter(|dim| y.has(*dim)).collect();
            for want in combinations(names, &common) {
                self.orders.push(difference(&[y.pick(&want)], &[x.pick(&want)]));
            }
        }
    }

    fn covered(&mut self, names: &Names<'_>, whole: &[Block], parts: &[&Vec<Block>]) {
        for y in whole {
            let xs: Vec<&Block> = parts.iter().map(|part| nearest(part, y)).collect();
            let common: Vec<usize> =
                y.axes.iter().map(|(dim, _)| *dim).filter(|dim| xs.iter().all(|x| x.has(*dim))).collect();
            for want in combinations(names, &common) {
                let parts: Vec<_> = xs.iter().map(|x| x.pick(&want)).collect();
                self.orders.push(difference(&parts, &[y.pick(&want)]));
            }
        }
    }

    /// Counts that are parts of others, and percentages of two.
    fn couple(
        &mut self,
        names: &Names<'_>,
        releases: &[Release],
        index: &BTreeMap<Place, usize>,
    ) -> Result<(), WorldError> {
        for release in releases {
            let cell = |measure: &str, key: &Key| {
                names.place(measure, release, key).and_then(|place| index.get(&place)).copied()
            };
            for (measure, key) in release.cells.keys() {
                let Some(whole) = release.manifest.measures.get(measure).and_then(|of| of.part_of.as_ref()) else {
                    continue;
                };
                self.parts.extend(cell(measure, key).zip(cell(whole, key)));
            }
            for (percent, key, value) in &release.percents {
                let Some((above, below)) = cell(&percent.numerator, key).zip(cell(&percent.denominator, key)) else {
                    continue;
                };
                let share = share(*value, percent.step).ok_or_else(|| WorldError::Percent {
                    cell: named(&percent.numerator, key),
                    value: value.to_string(),
                    step: percent.step.to_string(),
                })?;
                self.percents.push((above, below, share.0, share.1));
            }
        }
        Ok(())
    }

    /// What everybody knows of the atoms: how cliques join, what contains what.
    pub(crate) fn frame(&self) -> Vec<Constraint> {
        let joins = self.joins.iter().map(|row| Constraint::equal(row.clone(), 0));
        joins.chain(self.orders.iter().map(|row| Constraint::at_least(row.clone(), 0))).collect()
    }

    /// What somebody knows at a level who sees the releases.
    pub fn known(&self, level: Level) -> Vec<Constraint> {
        let mut known = self.frame();
        for cell in &self.cells {
            let bounds = match cell.value {
                Some(value) => {
                    let off = cell.rounded_to.map_or(0, |base| base / 2);
                    (Some((value - off).max(0)), Some(value + off))
                }
                None => self.of_hidden(cell, level),
            };
            if let (None, None) = bounds {
                continue;
            }
            known.push(Constraint { row: cell.atoms.clone(), low: bounds.0, high: bounds.1 });
        }
        known.extend(self.part_of());
        let at = |cell: usize, x: i64| self.cells[cell].atoms.entries().iter().map(move |(atom, y)| (*atom, x * y));
        let is_exact = |cell: usize| self.cells[cell].value.is_some() && self.cells[cell].rounded_to.is_none();
        for (above, below, [low, high], scale) in &self.percents {
            if is_exact(*above) && is_exact(*below) {
                continue;
            }
            known.push(Constraint::at_least(Row::new(at(*above, *scale).chain(at(*below, -low))), 0));
            known.push(Constraint::at_least(Row::new(at(*above, -scale).chain(at(*below, *high))), 0));
        }
        known
    }

    /// What is part of what.
    pub(crate) fn part_of(&self) -> impl Iterator<Item = Constraint> + '_ {
        let at = |cell: usize, x: i64| self.cells[cell].atoms.entries().iter().map(move |(atom, y)| (*atom, x * y));
        self.parts
            .iter()
            .map(move |(part, whole)| Constraint::at_least(Row::new(at(*whole, 1).chain(at(*part, -1))), 0))
    }

    fn of_hidden(&self, cell: &WorldCell, level: Level) -> (Option<i64>, Option<i64>) {
        let (mut low, mut high) = (None, None);
        for (release, mark) in &cell.marks {
            if level >= Level::K1 && self.zeros[*release] == Zeros::Public {
                low = low.max(Some(1));
            }
            if level == Level::K2
                && let Some((least, most)) = self.marks[*release].get(mark)
            {
                low = low.max(Some(*least));
                high = match (high, *most) {
                    (Some(a), Some(b)) => Some(i64::min(a, b)),
                    (a, b) => a.or(b),
                };
            }
        }
        (low, high)
    }

    /// Rows that are exactly known: joins, and the cells that are shown and not rounded, by their place.
    pub fn equations(&self) -> (Vec<Row>, Vec<usize>) {
        let shown = |(at, cell): (usize, &WorldCell)| (cell.value.is_some() && cell.rounded_to.is_none()).then_some(at);
        (self.joins.clone(), self.cells.iter().enumerate().filter_map(shown).collect())
    }

    /// What is known for the purpose of finding zeros: joins, comparisons, and shown zeros.
    pub fn zeros(&self) -> Vec<Constraint> {
        let mut known = self.frame();
        let zeros = self.cells.iter().filter(|cell| cell.value == Some(0) && cell.rounded_to.is_none());
        known.extend(zeros.map(|cell| Constraint::equal(cell.atoms.clone(), 0)));
        known
    }
}

/// The block with the most dimensions in common; of several the first.
fn nearest<'a>(blocks: &'a [Block], to: &Block) -> &'a Block {
    let common = |block: &Block| block.axes.iter().filter(|(dim, _)| to.has(*dim)).count();
    let mut best = &blocks[0];
    for block in blocks {
        if common(block) > common(best) {
            best = block;
        }
    }
    best
}

/// All combinations of single codes of these dimensions.
fn combinations(names: &Names<'_>, dims: &[usize]) -> Vec<Vec<(usize, Codes)>> {
    let mut all = vec![Vec::new()];
    for dim in dims {
        let codes = 0..u16::try_from(names.finest[*dim].len()).expect("fewer codes than 2^16");
        all = all
            .iter()
            .flat_map(|before: &Vec<(usize, Codes)>| {
                codes.clone().map(move |code| before.iter().cloned().chain([(*dim, vec![code])]).collect())
            })
            .collect();
    }
    all
}

/// The sum of the one atoms less the sum of the others.
fn difference(plus: &[Vec<Atom>], minus: &[Vec<Atom>]) -> Row {
    let plus = plus.iter().flatten().map(|atom| (*atom, 1));
    Row::new(plus.chain(minus.iter().flatten().map(|atom| (*atom, -1))))
}

/// The lowest and highest share that a printed percentage stands for, over a common number.
#[expect(clippy::cast_possible_truncation, reason = "a whole number below 10^9 fits")]
fn share(value: f64, step: f64) -> Option<([i64; 2], i64)> {
    let scale = (0..=6).map(|decimals| 10_i32.pow(decimals)).find(|scale| {
        let scaled = |x: f64| x * f64::from(*scale);
        let whole = |x: f64| (scaled(x) - scaled(x).round()).abs() < 1e-6;
        whole(value) && whole(step)
    })?;
    let scaled = |x: f64| (x * f64::from(scale)).round() as i64;
    let (value, step, scale) = (scaled(value), scaled(step), 200 * i64::from(scale));
    let divisor = gcd(gcd(2 * value - step, 2 * value + step), scale).max(1);
    Some(([(2 * value - step) / divisor, (2 * value + step) / divisor], scale / divisor))
}

/// Two cliques and the dimensions that they have in common.
type Join = (usize, usize, Vec<usize>);

/// Dimensions that must be looked at together: the cliques of the tables' graph once it is chordal, and how they join.
fn cliques(tables: &BTreeSet<BTreeSet<usize>>) -> (Vec<Vec<usize>>, Vec<Join>) {
    let mut left: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    for table in tables {
        for dim in table {
            left.entry(*dim).or_default().extend(table.iter().filter(|other| *other != dim));
        }
    }
    if left.is_empty() {
        return (vec![Vec::new()], Vec::new());
    }
    let mut out: Vec<BTreeSet<usize>> = Vec::new();
    // The next is the dimension whose neighbours lack the fewest edges among them (minimum fill).
    let lacks = |left: &BTreeMap<usize, BTreeSet<usize>>, dim: &usize| {
        let near: Vec<_> = left[dim].iter().collect();
        let pairs = near.iter().enumerate().flat_map(|(at, a)| near[at + 1..].iter().map(move |b| (*a, *b)));
        pairs.filter(|(a, b)| !left[a].contains(b)).count()
    };
    while let Some(dim) = left.keys().min_by_key(|dim| (lacks(&left, dim), left[dim].len(), **dim)).copied() {
        let near = left.remove(&dim).unwrap_or_default();
        let clique: BTreeSet<usize> = near.iter().copied().chain([dim]).collect();
        if !out.iter().any(|other| clique.is_subset(other)) {
            out.push(clique);
        }
        for a in &near {
            if let Some(of) = left.get_mut(a) {
                of.extend(near.iter().filter(|b| *b != a));
                of.remove(&dim);
            }
        }
    }
    let (mut tree, mut joins) = (vec![0], Vec::new());
    while tree.len() < out.len() {
        let common = |a: usize, b: usize| out[a].intersection(&out[b]).copied().collect::<Vec<_>>();
        let mut best: Option<Join> = None;
        for a in &tree {
            for b in (0..out.len()).filter(|b| !tree.contains(b)) {
                let common = common(*a, b);
                if best.as_ref().is_none_or(|(_, _, most)| common.len() > most.len()) {
                    best = Some((*a, b, common));
                }
            }
        }
        let Some(join) = best else { break };
        tree.push(join.1);
        joins.push(join);
    }
    (out.into_iter().map(|clique| clique.into_iter().collect()).collect(), joins)
}
