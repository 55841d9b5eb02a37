//! The tables of a board report: true values, before anything is hidden. A port of `data/board.py`.

mod count;
mod units;

use std::{collections::BTreeMap, path::Path};

use anyhow::Result;
use disclosure_control::release::{Dimension, Line, Manifest, Measure, Percent, Table, Zeros};

pub use count::Counted;
pub use units::{BETTER_BY, Place, Unit, Units, units};

use crate::{
    folder,
    organisation::{Codes, Organisation, State},
};
use count::{Axis, axes};

/// Counts below this are small.
pub const THRESHOLD: i64 = 5;

/// Which state each of the four releases is about, and its last quarter (1 to 4): half a year; three quarters, of the
/// same facts; the year, four months later; the year once more, a week later.
pub const RELEASES: [(usize, u8); 4] = [(1, 2), (1, 3), (2, 4), (3, 4)];

/// A dimension of the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dim {
    /// Of the year.
    Quarter,
    /// What a group is about.
    Programme,
    /// Where a member is at home.
    Area,
    /// How old a member is.
    AgeBand,
    /// A member's gender.
    Gender,
    /// How far a referral got.
    Stage,
}

impl Dim {
    /// All of them, in order.
    pub const ALL: [Self; 6] = [Self::Quarter, Self::Programme, Self::Area, Self::AgeBand, Self::Gender, Self::Stage];

    /// What it is called in a release.
    pub fn name(self) -> &'static str {
        match self {
            Self::Quarter => "quarter",
            Self::Programme => "programme",
            Self::Area => "area",
            Self::AgeBand => "age_band",
            Self::Gender => "gender",
            Self::Stage => "stage",
        }
    }
}

/// What a table counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Count {
    /// Distinct people; one can come in several quarters and to several programmes.
    People,
    /// Sessions that someone was at.
    Attendances,
    /// People who joined in the year, in the quarter in which they first came.
    New,
    /// Referrals, by the stage that they reached last.
    Referrals,
    /// People with a score at first and a later one.
    Paired,
    /// Those of them whose score fell by [`BETTER_BY`] or more.
    Better,
}

impl Count {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::People, Self::Attendances, Self::New, Self::Referrals, Self::Paired, Self::Better];

    /// What it is called in a release.
    pub fn name(self) -> &'static str {
        match self {
            Self::People => "people",
            Self::Attendances => "attendances",
            Self::New => "new people",
            Self::Referrals => "referrals",
            Self::Paired => "paired",
            Self::Better => "reliably better",
        }
    }

    fn measure(self) -> Measure {
        let unit = match self {
            Self::Attendances => "attendance",
            Self::Referrals => "referral",
            Self::People | Self::New | Self::Paired | Self::Better => "person",
        };
        let overlapping: &[Dim] = if self == Self::People { &[Dim::Quarter, Dim::Programme] } else { &[] };
        Measure {
            unit: unit.to_owned(),
            overlapping: overlapping.iter().map(|dim| dim.name().to_owned()).collect(),
            part_of: (self == Self::Better).then(|| Self::Paired.name().to_owned()),
            per_release: matches!(self, Self::Paired | Self::Better),
        }
    }
}

const TABLES: [(&str, Count, &[Dim]); 14] = [
    ("people-quarter-programme.csv", Count::People, &[Dim::Quarter, Dim::Programme]),
    ("people-area-age.csv", Count::People, &[Dim::Area, Dim::AgeBand]),
    ("people-area-gender.csv", Count::People, &[Dim::Area, Dim::Gender]),
    ("people-age-gender.csv", Count::People, &[Dim::AgeBand, Dim::Gender]),
    ("people-programme-age.csv", Count::People, &[Dim::Programme, Dim::AgeBand]),
    ("attendances-quarter-programme.csv", Count::Attendances, &[Dim::Quarter, Dim::Programme]),
    ("attendances-area.csv", Count::Attendances, &[Dim::Area]),
    ("new-quarter-area.csv", Count::New, &[Dim::Quarter, Dim::Area]),
    ("funnel-area-stage.csv", Count::Referrals, &[Dim::Area, Dim::Stage]),
    ("funnel-quarter-stage.csv", Count::Referrals, &[Dim::Quarter, Dim::Stage]),
    ("paired-programme.csv", Count::Paired, &[Dim::Programme]),
    ("better-programme.csv", Count::Better, &[Dim::Programme]),
    ("paired-area.csv", Count::Paired, &[Dim::Area]),
    ("better-area.csv", Count::Better, &[Dim::Area]),
];
const PAIRED_BY_PROGRAMME: usize = 10;
const BETTER_BY_PROGRAMME: usize = 11;
const PERCENT: &str = "better-percent-programme.csv";

/// A report.
#[derive(Debug, Clone, PartialEq)]
pub struct Board {
    /// What the tables are: first those of counts, then one of percentages.
    pub manifest: Manifest,
    /// The tables of counts, in the manifest's order.
    pub tables: Vec<Vec<Counted>>,
    /// How many per cent of those with two scores are better, by programme; no value where there are none.
    pub percents: Vec<Line>,
    /// What was counted, for who protects the tables: never part of a release.
    pub units: Units,
}

impl Board {
    /// The report on the quarters up to the last one (1 to 4).
    pub fn new(release: &str, codes: &Codes, state: &State, last_quarter: u8) -> Self {
        let (axes, units) = (axes(codes, last_quarter), units(codes, state, last_quarter));
        let table = |&(_, count, dims): &(_, Count, &[Dim])| {
            let axes: Vec<_> = dims.iter().map(|&dim| &axes[dim as usize]).collect();
            count::count(&units[&count], &axes, codes.groups.len())
        };
        let tables: Vec<_> = TABLES.iter().map(table).collect();
        let percents = percents(&tables[BETTER_BY_PROGRAMME], &tables[PAIRED_BY_PROGRAMME]);
        Self { manifest: manifest(release, &axes), tables, percents, units }
    }

    /// The [`RELEASES`] `release-0` to `release-3` of an organisation.
    pub fn releases(organisation: &Organisation) -> [Self; 4] {
        std::array::from_fn(|number| {
            let (state, last_quarter) = RELEASES[number];
            let state = &organisation.states[state - 1];
            Self::new(&format!("release-{number}"), &organisation.codes, state, last_quarter)
        })
    }

    /// All tables in the manifest's order, with nothing hidden.
    pub fn lines(&self) -> Vec<Vec<Line>> {
        let counts = self.tables.iter().map(|table| table.iter().map(Counted::line).collect());
        counts.chain([self.percents.clone()]).collect()
    }

    /// Writes the true tables as a release.
    pub fn write(&self, folder: &Path) -> Result<()> {
        folder::write(folder, &self.manifest, &self.lines())
    }
}

fn manifest(release: &str, axes: &[Axis]) -> Manifest {
    let dims = |dims: &[Dim]| dims.iter().map(|dim| dim.name().to_owned()).collect();
    let counts = TABLES.iter().map(|&(file, count, of)| Table {
        file: file.to_owned(),
        dims: dims(of),
        measure: Some(count.name().to_owned()),
        rounded_to: None,
        percent: None,
    });
    let percent = Table {
        file: PERCENT.to_owned(),
        dims: dims(&[Dim::Programme]),
        measure: None,
        rounded_to: None,
        percent: Some(Percent {
            numerator: Count::Better.name().to_owned(),
            denominator: Count::Paired.name().to_owned(),
            step: 1.0,
        }),
    };
    let dimension = |axis: &Axis| Dimension { codes: axis.codes.iter().cloned().collect() };
    Manifest {
        format: 1,
        release: release.to_owned(),
        threshold: THRESHOLD,
        zeros: Zeros::Public,
        marker: String::new(),
        marks: BTreeMap::new(),
        dimensions: Dim::ALL.iter().zip(axes).map(|(dim, axis)| (dim.name().to_owned(), dimension(axis))).collect(),
        measures: Count::ALL.iter().map(|count| (count.name().to_owned(), count.measure())).collect(),
        tables: counts.chain([percent]).collect(),
    }
}

/// In whole per cent; a half goes to the even neighbour.
fn percents(better: &[Counted], paired: &[Counted]) -> Vec<Line> {
    let percent = |(better, paired): (&Counted, &Counted)| {
        let (better, paired) = (better.line(), paired.line());
        let value = better.value.zip(paired.value).filter(|(_, paired)| *paired > 0.0);
        let value = value.map(|(better, paired)| (100.0 * better / paired).round_ties_even());
        Line { value, ..paired }
    };
    better.iter().zip(paired).map(percent).collect()
}
