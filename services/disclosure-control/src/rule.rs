//! Which numbers break a rule themselves, and which one: rules as data.
//!
//! | rule | of | source |
//! |---|---|---|
//! | [`Rule::Members`] | distinct members behind a number, not rows or attendances | Handbook on SDC, 2nd edition, 5.2 (threshold rule) |
//! | [`Rule::Groups`] | distinct groups: a number of one group is known in that group | tau-Argus manual, "holding" |
//! | [`Rule::Count`] | the number itself: what agencies do who have no contributors | the agencies of [`crate::preset`] |
//! | [`Rule::Class`] | all of a class are alike: 100 %, 0 %, a total that equals one of its cells | Handbook 5.2 (group disclosure); SAMHSA R-DAS refuses such rows |
//! | [`Rule::Dominance`] | the n largest contributions are more than k % | Handbook 4.2; AI-SDC/ACRO `acro/default.yaml` (2, 90 %) |
//! | [`Rule::Within`] | the largest can be estimated to within p % by the second largest | Handbook 4.2 (p % rule); ACRO (10 %) |
//! | [`MeanRule`] | means, medians, rates | [`mean`] |
//!
//! A rule says which numbers must not be shown; what else must be hidden so that they cannot be worked out is
//! [`crate::protect`]'s. What is not known of a number fails closed: [`Why::Unknown`].
//!
//! **Invariant:** a [`Why`] is for signed-in staff. It is nowhere in what is published: there, all that is hidden looks
//! the same.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::release::{Key, Release, TOTAL, Zeros, named};

pub mod mean;
mod threshold;

pub use mean::{MeanRule, NotShown, Printed, Scale};
pub use threshold::{THRESHOLD_MAX, Threshold, ThresholdError};

/// Which cell of a release: measure and key.
pub type Name = (String, Key);

/// The most contributions that a dominance rule looks at.
pub const LARGEST_MAX: u8 = 10;

/// A part of a hundred: 1 to 100, in per cent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Percentage(u8);

/// Not a percentage of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} %: a rule takes 1 to 100 %")]
pub struct PercentageError(u8);

impl TryFrom<u8> for Percentage {
    type Error = PercentageError;

    fn try_from(percent: u8) -> Result<Percentage, PercentageError> {
        if (1..=100).contains(&percent) { Ok(Percentage(percent)) } else { Err(PercentageError(percent)) }
    }
}

impl From<Percentage> for u8 {
    fn from(percentage: Percentage) -> u8 {
        percentage.0
    }
}

/// A rule for single numbers. A number that is zero breaks none of them but [`Rule::Class`]: see [`Rules::zeros`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// Too few distinct members.
    Members(Threshold),
    /// Too few distinct groups.
    Groups(Threshold),
    /// Too small a number, whoever is behind it.
    Count(Threshold),
    /// All of a class are alike. Needs zeros that are hidden: a row of shown zeros tells the same.
    Class {
        /// Of these dimensions; where they overlap, a code that all of the class have.
        dimensions: BTreeSet<String>,
        /// And of measures that are parts of others: all or none of them.
        parts: bool,
    },
    /// A few contribute nearly all.
    Dominance {
        /// How many are looked at: 1 to [`LARGEST_MAX`].
        largest: u8,
        /// More than this is nearly all.
        percent: Percentage,
        /// Of these measures.
        measures: BTreeSet<String>,
    },
    /// What is left without the two largest contributions is less than this part of the largest.
    Within {
        /// Of the largest contribution.
        percent: Percentage,
        /// Of these measures.
        measures: BTreeSet<String>,
    },
}

/// The rules of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// Each of them holds.
    pub rules: Vec<Rule>,
    /// Whether a zero is shown, or hidden like a small number.
    pub zeros: Zeros,
}

/// Who stands behind a number.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Contributors {
    /// Distinct members.
    pub members: u32,
    /// Distinct groups.
    pub groups: u32,
    /// The largest contributions of single members, the largest first: all of them or at least as many as a rule looks
    /// at. None: not known, unless the number is that of the members.
    pub largest: Option<Vec<i64>>,
}

/// Why a number must not be shown.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// Too few members.
    Members(Threshold),
    /// Too few groups.
    Groups(Threshold),
    /// Too small.
    Count(Threshold),
    /// A zero, where zeros are hidden.
    Zero,
    /// All of a class are in it.
    Everybody {
        /// The class.
        of: Name,
    },
    /// None of a class is in it, as all are elsewhere.
    Nobody {
        /// The class.
        of: Name,
    },
    /// A few contribute nearly all.
    Dominance {
        /// How many.
        largest: u8,
        /// More than this.
        percent: Percentage,
    },
    /// The largest contribution can be estimated.
    Within {
        /// To within this part of it.
        percent: Percentage,
    },
    /// It is not known who is behind it, or what they contribute.
    Unknown,
}

/// Why rules cannot be applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// Shown zeros tell what a class rule hides.
    #[error("a rule on classes needs hidden zeros: where the others are shown as 0, everybody sees that all are alike")]
    ClassWithPublicZeros,
    /// Out of range.
    #[error("a dominance rule looks at 1 to {LARGEST_MAX} contributions, not {0}")]
    Largest(u8),
    /// No such dimension or measure in the release.
    #[error("the release has no {what} `{name}`, which a rule names")]
    NoSuch {
        /// A dimension or a measure.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// Rules are for true numbers.
    #[error("{0} is hidden or rounded: rules are for true numbers")]
    NotTrue(String),
}

impl Rules {
    /// The largest threshold of members or of numbers; 1, if there is none: then no number is small.
    pub fn threshold(&self) -> i64 {
        let of = |rule: &Rule| match rule {
            Rule::Members(threshold) | Rule::Count(threshold) => Some(threshold.get()),
            Rule::Groups(_) | Rule::Class { .. } | Rule::Dominance { .. } | Rule::Within { .. } => None,
        };
        self.rules.iter().filter_map(of).max().unwrap_or(1)
    }

    /// The cells that break a rule, and which: the primary ones of [`crate::edition::decide`]. `truth` has the true
    /// numbers, `by` who is behind each.
    ///
    /// # Errors
    /// [`RuleError`]
    ///
    /// ```
    /// use disclosure_control::release::Zeros;
    /// use disclosure_control::rule::{Rule, Rules, Threshold};
    /// let five = Rules { rules: vec![Rule::Members(Threshold::fewer_than(5)?)], zeros: Zeros::Public };
    /// let json = serde_json::to_string(&five)?;
    /// assert_eq!(json, r#"{"rules":[{"members":"fewer than 5"}],"zeros":"public"}"#);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn broken(
        &self,
        truth: &Release,
        by: &BTreeMap<Name, Contributors>,
    ) -> Result<BTreeMap<Name, BTreeSet<Why>>, RuleError> {
        self.check(truth)?;
        let mut broken: BTreeMap<Name, BTreeSet<Why>> = BTreeMap::new();
        for (name, cell) in &truth.cells {
            let value = cell.value.filter(|_| !cell.hidden && cell.rounded_to.is_none());
            let value = value.ok_or_else(|| RuleError::NotTrue(named(&name.0, &name.1)))?;
            let by = by.get(name);
            let why: BTreeSet<Why> = match value {
                0 => (self.zeros == Zeros::Hidden).then_some(Why::Zero).into_iter().collect(),
                _ => self.rules.iter().filter_map(|rule| rule.broken(&name.0, value, by)).collect(),
            };
            if !why.is_empty() {
                broken.insert(name.clone(), why);
            }
        }
        for rule in &self.rules {
            if let Rule::Class { dimensions, parts } = rule {
                alike(truth, dimensions, *parts, &mut |name, why| {
                    broken.entry(name.clone()).or_default().insert(why);
                });
            }
        }
        Ok(broken)
    }

    fn check(&self, truth: &Release) -> Result<(), RuleError> {
        let known = |what, name: &String, is_known: bool| {
            if is_known { Ok(()) } else { Err(RuleError::NoSuch { what, name: name.clone() }) }
        };
        for rule in &self.rules {
            match rule {
                Rule::Class { .. } if self.zeros == Zeros::Public => return Err(RuleError::ClassWithPublicZeros),
                Rule::Class { dimensions, .. } => {
                    let is_known = |dim: &String| truth.manifest.dimensions.contains_key(dim);
                    dimensions.iter().try_for_each(|dim| known("dimension", dim, is_known(dim)))?;
                }
                Rule::Dominance { largest, .. } if !(1..=LARGEST_MAX).contains(largest) => {
                    return Err(RuleError::Largest(*largest));
                }
                Rule::Dominance { measures, .. } | Rule::Within { measures, .. } => {
                    let is_known = |measure: &String| truth.manifest.measures.contains_key(measure);
                    measures.iter().try_for_each(|measure| known("measure", measure, is_known(measure)))?;
                }
                Rule::Members(_) | Rule::Groups(_) | Rule::Count(_) => {}
            }
        }
        Ok(())
    }
}

impl Rule {
    /// Whether a number that is not zero breaks the rule by itself.
    fn broken(&self, measure: &str, value: i64, by: Option<&Contributors>) -> Option<Why> {
        let few = |threshold: &Threshold, count: u32, why: fn(Threshold) -> Why| {
            threshold.is_small(count.into()).then(|| why(*threshold))
        };
        match (self, by) {
            (Rule::Count(threshold), _) => threshold.is_small(value).then_some(Why::Count(*threshold)),
            (Rule::Class { .. }, _) => None,
            (Rule::Dominance { measures, .. } | Rule::Within { measures, .. }, _) if !measures.contains(measure) => {
                None
            }
            (_, None) => Some(Why::Unknown),
            (Rule::Members(threshold), Some(by)) => few(threshold, by.members, Why::Members),
            (Rule::Groups(threshold), Some(by)) => few(threshold, by.groups, Why::Groups),
            (Rule::Dominance { largest, percent, .. }, Some(by)) => {
                let Some(top) = by.top(value, (*largest).into()) else { return Some(Why::Unknown) };
                let dominated = top.iter().sum::<i128>() * 100 > i128::from(value) * i128::from(percent.0);
                dominated.then_some(Why::Dominance { largest: *largest, percent: *percent })
            }
            (Rule::Within { percent, .. }, Some(by)) => {
                let Some(top) = by.top(value, 2) else { return Some(Why::Unknown) };
                let rest = i128::from(value) - top.iter().sum::<i128>();
                (rest * 100 < top[0] * i128::from(percent.0)).then_some(Why::Within { percent: *percent })
            }
        }
    }
}

impl Contributors {
    /// The `most` largest contributions to a value, or all if there are fewer; none if they are not known.
    fn top(&self, value: i64, most: usize) -> Option<Vec<i128>> {
        let members = usize::try_from(self.members).ok()?;
        let needed = most.min(members).max(1);
        let ones = i64::from(self.members) == value && self.largest.is_none();
        let largest = if ones { vec![1; needed] } else { self.largest.clone()? };
        let top: Vec<i128> = largest.iter().take(needed).map(|one| i128::from(*one)).collect();
        let sum: i128 = top.iter().sum();
        let in_order = top.windows(2).all(|two| two[0] >= two[1]) && top.iter().all(|one| *one >= 0);
        let all = top.len() == members;
        let fits = if all { sum == i128::from(value) } else { sum <= i128::from(value) };
        (top.len() == needed && members > 0 && in_order && fits).then_some(top)
    }
}

/// Tells of cells that have all of a class that contains them, and of zeros of which that follows.
fn alike(truth: &Release, dimensions: &BTreeSet<String>, parts: bool, tell: &mut dyn FnMut(&Name, Why)) {
    let value = |name: &Name| truth.cells.get(name).and_then(|cell| cell.value).filter(|value| *value > 0);
    // Of a class, in a dimension: the codes that all of it have.
    let mut all_in: BTreeMap<(Name, &str), Vec<&str>> = BTreeMap::new();
    let mut zeros = Vec::new();
    for (name, cell) in &truth.cells {
        for (dim, code) in name.1.iter().filter(|(dim, _)| dimensions.contains(dim)) {
            let finest = truth.finest(dim, code);
            for class in classes(truth, name, dim, &finest) {
                match cell.value {
                    Some(0) => zeros.push((name, class, dim.as_str(), finest.clone())),
                    Some(count) if value(&class) == Some(count) => {
                        tell(name, Why::Everybody { of: class.clone() });
                        all_in.insert((class, dim.as_str()), finest.clone());
                    }
                    _ => {}
                }
            }
        }
        let whole = truth.manifest.measures.get(&name.0).and_then(|of| of.part_of.clone()).filter(|_| parts);
        let Some((of, count)) =
            whole.map(|whole| (whole, name.1.clone())).and_then(|of| Some((of.clone(), value(&of)?)))
        else {
            continue;
        };
        match cell.value {
            Some(0) => tell(name, Why::Nobody { of }),
            Some(part) if part == count => tell(name, Why::Everybody { of }),
            _ => {}
        }
    }
    for (name, of, dim, finest) in zeros {
        let elsewhere = all_in.get(&(of.clone(), dim)).is_some_and(|all| all.iter().all(|code| !finest.contains(code)));
        if elsewhere {
            tell(name, Why::Nobody { of });
        }
    }
}

/// The cells that contain a cell by its code of a dimension: those of wider codes, and the margin.
fn classes(truth: &Release, name: &Name, dim: &str, finest: &[&str]) -> Vec<Name> {
    let codes = truth.manifest.dimensions.get(dim).into_iter().flat_map(|dimension| dimension.codes.keys());
    let wider = |code: &&str| {
        let all = truth.finest(dim, code);
        all.len() > finest.len() && finest.iter().all(|one| all.contains(one))
    };
    let wider = codes.map(String::as_str).chain([TOTAL]).filter(wider);
    let of = |code: &str| {
        let codes = name.1.iter().map(|(other, old)| (other.clone(), if other == dim { code } else { old }.to_owned()));
        (name.0.clone(), codes.filter(|(_, code)| code != TOTAL).collect())
    };
    wider.map(of).filter(|class| truth.cells.contains_key(class)).collect()
}

impl fmt::Display for Why {
    /// In words, for staff.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::Members(threshold) => write!(f, "{threshold} people"),
            Why::Groups(threshold) => write!(f, "{threshold} groups"),
            Why::Count(threshold) => write!(f, "{threshold}"),
            Why::Zero => write!(f, "zero, and zeros are hidden"),
            Why::Everybody { of } => write!(f, "it is everybody of {}", named(&of.0, &of.1)),
            Why::Nobody { of } => write!(f, "it is nobody of {}", named(&of.0, &of.1)),
            Why::Dominance { largest: 1, percent } => write!(f, "one person is more than {} % of it", percent.0),
            Why::Dominance { largest, percent } => write!(f, "{largest} people are more than {} % of it", percent.0),
            Why::Within { percent } => write!(f, "one person's part can be estimated to within {} %", percent.0),
            Why::Unknown => write!(f, "it is not known who is behind it"),
        }
    }
}

#[cfg(test)]
mod tests;
