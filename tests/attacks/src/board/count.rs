//! Counting: each unit adds to the cells that it belongs to.

use disclosure_control::release::{Line, TOTAL};

use super::{Dim, Unit};
use crate::organisation::{Codes, MemberId};

/// A cell of a table of counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// Codes in the order of the table's dimensions; [`TOTAL`] for a margin.
    pub codes: Vec<String>,
    /// The number.
    pub value: i64,
    /// How many distinct members contribute to it.
    pub members: u32,
    /// How many distinct groups contribute to it, as far as they are known.
    pub groups: u32,
}

impl Counted {
    /// The cell as it is published if it is not hidden.
    pub fn line(&self) -> Line {
        let value = i32::try_from(self.value).expect("counts are small");
        Line { codes: self.codes.clone(), value: Some(value.into()), mark: String::new() }
    }
}

/// A dimension as a side of tables.
#[derive(Debug)]
pub(super) struct Axis {
    dim: Dim,
    /// The codes in the order of the lines, each with the finest codes under it.
    pub codes: Vec<(String, Vec<String>)>,
    /// Of each finest code, in which lines it counts; 0 is the margin.
    lines: Vec<Vec<usize>>,
}

impl Axis {
    fn new(dim: Dim, codes: Vec<(String, Vec<String>)>, finest: &[String]) -> Self {
        let lines = |code: &String| {
            let under = codes.iter().zip(1..).filter(|((_, finest), _)| finest.contains(code));
            [0].into_iter().chain(under.map(|(_, line)| line)).collect()
        };
        let lines = finest.iter().map(lines).collect();
        Self { dim, codes, lines }
    }

    fn flat(dim: Dim, codes: &[String]) -> Self {
        Self::new(dim, codes.iter().map(|code| (code.clone(), vec![code.clone()])).collect(), codes)
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        [TOTAL].into_iter().chain(self.codes.iter().map(|(code, _)| code.as_str()))
    }
}

/// All of them, in the order of [`Dim::ALL`].
pub(super) fn axes(codes: &Codes, last_quarter: u8) -> [Axis; 6] {
    let quarters: Vec<_> = (1..=last_quarter).map(|quarter| format!("Q{quarter}")).collect();
    Dim::ALL.map(|dim| match dim {
        Dim::Quarter => Axis::flat(dim, &quarters),
        Dim::Programme => Axis::flat(dim, &codes.programmes),
        Dim::Area => {
            let areas: Vec<_> = codes.areas().cloned().collect();
            let finest = areas.iter().map(|area| (area.clone(), vec![area.clone()]));
            Axis::new(dim, codes.regions.iter().cloned().chain(finest).collect(), &areas)
        }
        Dim::AgeBand => Axis::flat(dim, &codes.age_bands),
        Dim::Gender => Axis::flat(dim, &codes.genders),
        Dim::Stage => Axis::flat(dim, &codes.stages),
    })
}

/// The table of these sides. Units are in order of member; each is split by all of the sides.
pub(super) fn count(units: &[Unit], axes: &[&Axis], groups: usize) -> Vec<Counted> {
    let mut sums = vec![Sum::new(groups); axes.iter().map(|axis| axis.names().count()).product()];
    let (mut cells, mut wider) = (Vec::new(), Vec::new());
    for (number, unit) in units.iter().enumerate() {
        for place in &unit.places {
            cells.clear();
            cells.push(0);
            for axis in axes {
                let code = place.codes[axis.dim as usize].expect("split by each side of the table");
                let lines = &axis.lines[usize::from(code)];
                let width = axis.codes.len() + 1;
                wider.clear();
                wider.extend(cells.iter().flat_map(|cell| lines.iter().map(move |line| cell * width + line)));
                std::mem::swap(&mut cells, &mut wider);
            }
            for &cell in &cells {
                sums[cell].add(number, unit, place.group.map(usize::from));
            }
        }
    }
    codes(axes).into_iter().zip(sums).map(|(codes, sum)| sum.counted(codes)).collect()
}

/// The codes of each cell, the last dimension running fastest.
fn codes(axes: &[&Axis]) -> Vec<Vec<String>> {
    axes.iter().fold(vec![Vec::new()], |shorter, axis| {
        let longer = |codes: Vec<String>| {
            axis.names().map(move |name| codes.iter().cloned().chain([name.to_owned()]).collect()).collect::<Vec<_>>()
        };
        shorter.into_iter().flat_map(longer).collect()
    })
}

/// What has been added to a cell so far.
#[derive(Clone)]
struct Sum {
    value: i64,
    members: u32,
    /// A bit per group.
    groups: Vec<u64>,
    last_unit: Option<usize>,
    last_member: Option<MemberId>,
}

impl Sum {
    fn new(groups: usize) -> Self {
        Self { value: 0, members: 0, groups: vec![0; groups.div_ceil(64)], last_unit: None, last_member: None }
    }

    /// One place of a unit: the unit counts once, its member once, and each of its groups.
    fn add(&mut self, number: usize, unit: &Unit, group: Option<usize>) {
        if self.last_unit.replace(number) != Some(number) {
            self.value += unit.weight;
        }
        if self.last_member.replace(unit.member) != Some(unit.member) {
            self.members += 1;
        }
        if let Some(group) = group {
            self.groups[group / 64] |= 1 << (group % 64);
        }
    }

    fn counted(self, codes: Vec<String>) -> Counted {
        let groups = self.groups.iter().map(|word| word.count_ones()).sum();
        Counted { codes, value: self.value, members: self.members, groups }
    }
}
