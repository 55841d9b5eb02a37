//! A peer-support organisation as microdata: who comes to which group, since when, how often; what was found out later.
//!
//! Three states of it. State 1 is what was known when the first report was made: January to September. State 2 is four
//! months later: a fourth quarter, and of the first three a late register, corrected marks, one merge of two records
//! and two erasures. State 3 is a week after state 2: one erasure and one correction, nothing else.

mod chance;
mod files;
mod random;

use std::{fmt, path::PathBuf, str::FromStr};

use anyhow::{Context, Error, bail};
use serde::{Deserialize, Serialize};

/// The fewest groups of an organisation of chance.
pub const GROUPS_MIN: u16 = 12;
/// The most groups of an organisation of chance.
pub const GROUPS_MAX: u16 = 60;
/// The year that is reported; a state has facts of its months only.
pub const YEAR: i32 = 2025;

/// An organisation: what its codes are, what was known of it and when, and what changed in between.
#[derive(Clone, PartialEq)]
pub struct Organisation {
    /// Where it is from: enough to have it again.
    pub origin: Origin,
    /// The codes of its dimensions, and its groups.
    pub codes: Codes,
    /// What was known at three times.
    pub states: [State; 3],
    /// What made state 2 of state 1 (newcomers aside) and state 3 of state 2, in order.
    pub changes: Vec<Change>,
}

/// Where an organisation is from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Chance.
    Seed(u64),
    /// Files.
    Folder(PathBuf),
}

/// The place of a finest code in its dimension's list.
pub type Code = u8;
/// The place of a group in [`Codes::groups`].
pub type GroupIndex = u16;

/// The codes of each dimension, in the order in which tables list them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Codes {
    /// Regions and their areas. A [`Code`] of an area counts through all regions.
    pub regions: Vec<(String, Vec<String>)>,
    /// Bands of age.
    pub age_bands: Vec<String>,
    /// Genders.
    pub genders: Vec<String>,
    /// Programmes.
    pub programmes: Vec<String>,
    /// How far a referral can get.
    pub stages: Vec<String>,
    /// The groups.
    pub groups: Vec<Group>,
}

impl Codes {
    /// The finest areas.
    pub fn areas(&self) -> impl Iterator<Item = &String> {
        self.regions.iter().flat_map(|(_, areas)| areas)
    }
}

/// A group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// What it is called.
    pub name: String,
    /// Where it meets.
    pub area: Code,
    /// What it is about.
    pub programme: Code,
}

/// What was known at some time. Each list is in order of member.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// Who has been to at least one session.
    pub members: Vec<Member>,
    /// Who came where and when.
    pub attendance: Vec<Attendance>,
    /// Who was referred, whether they came or not.
    pub referrals: Vec<Referral>,
}

/// A member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub id: MemberId,
    /// The own group.
    pub group: GroupIndex,
    /// What the own group is about.
    pub programme: Code,
    /// Where.
    pub area: Code,
    /// The age.
    pub age_band: Code,
    /// The gender.
    pub gender: Code,
    /// Since when.
    pub joined: Month,
    /// The CORE-10 score at first, 0 to 40; none: not asked.
    pub baseline: Option<i32>,
    /// The last CORE-10 score; none: not asked.
    pub last: Option<i32>,
}

/// A member's sessions in a group in a month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attendance {
    /// Who.
    pub member: MemberId,
    /// Where: the own group or another one.
    pub group: GroupIndex,
    /// When.
    pub month: Month,
    /// How often, at least once.
    pub sessions: u32,
}

/// A referral.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Referral {
    /// Who.
    pub member: MemberId,
    /// Their own group. Files do not say it of someone who never came.
    pub group: Option<GroupIndex>,
    /// Where.
    pub area: Code,
    /// In which quarter, from 0.
    pub quarter: Code,
    /// How far it got.
    pub stage: Code,
}

/// What came to be known later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Someone was marked once too often in a month.
    Correction {
        /// Who.
        member: MemberId,
        /// Where.
        group: String,
        /// When.
        month: Month,
        /// The sessions that were noted before.
        was: u32,
    },
    /// A register came in late.
    LateRegister {
        /// Who.
        member: MemberId,
        /// Where.
        group: String,
        /// When.
        month: Month,
        /// The sessions that it adds.
        added: u32,
    },
    /// Two records were one person.
    Merge {
        /// The record that is no more.
        gone: MemberId,
        /// The record that stands for both.
        into: MemberId,
    },
    /// Someone wants to be forgotten.
    Erasure {
        /// Who.
        member: MemberId,
    },
}

/// A member's number; `m0042` in files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MemberId(pub u32);

/// A month, counted from January of [`YEAR`]; `2025-01` in files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Month(pub i32);

impl Month {
    /// The quarter of [`YEAR`], from 0; none in another year.
    pub fn quarter(self) -> Option<Code> {
        (0..12).contains(&self.0).then(|| Code::try_from(self.0 / 3).expect("0 to 3"))
    }
}

impl fmt::Display for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "m{:04}", self.0)
    }
}

impl FromStr for MemberId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let number = text.strip_prefix('m').and_then(|number| number.parse().ok());
        Ok(Self(number.with_context(|| format!("{text:?} is no member"))?))
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", YEAR + self.0.div_euclid(12), self.0.rem_euclid(12) + 1)
    }
}

impl FromStr for Month {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let parts = text.split_once('-').and_then(|(year, month)| Some((year.parse().ok()?, month.parse().ok()?)));
        match parts {
            Some((year @ 1900..=2100, month @ 1..=12)) => Ok(Self((year - YEAR) * 12 + month - 1)),
            _ => bail!("{text:?} is no month"),
        }
    }
}

impl TryFrom<String> for MemberId {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl TryFrom<String> for Month {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<MemberId> for String {
    fn from(member: MemberId) -> Self {
        member.to_string()
    }
}

impl From<Month> for String {
    fn from(month: Month) -> Self {
        month.to_string()
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seed(seed) => write!(f, "of seed {seed}"),
            Self::Folder(folder) => write!(f, "of {}", folder.display()),
        }
    }
}

impl fmt::Display for Organisation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [_, year, _] = &self.states;
        let (groups, members) = (self.codes.groups.len(), year.members.len());
        write!(f, "organisation {} ({groups} groups, {members} members)", self.origin)
    }
}

/// As [`Display`](fmt::Display): a failed test shall print a seed, not thousands of rows.
impl fmt::Debug for Organisation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{self}>")
    }
}
