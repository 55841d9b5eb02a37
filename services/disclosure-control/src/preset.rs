//! Rule books as data: those of agencies, as they are, and ours.
//!
//! An agency's preset is applied by [`Preset::publish`]: each number for itself, as the agency does it. **None of them
//! is safe on small linked tables, and none is offered as such**: the table says what is found. Ours,
//! [`Preset::PEER_5`], is applied by [`crate::edition::decide`]; it is not in the table.
//!
//! Measured (`cargo run -p attacks --bin presets`) on board reports of 14 tables and a percentage. Worked out: known
//! exactly + down to two values, by who knows the tables, that zeros are public, what the mark means and what the rule
//! book says ([`Level::K2`] and that what is rounded was not small); in brackets the cells that are protected, hidden or
//! rounded. Two releases: half a year, then three quarters of the same year, read together (of rounded ones the program
//! leaves that out, as it takes minutes each). The 50 are seeds 0 to 49.
//!
//! | preset | 18 groups, half a year | two releases | 60 groups, the year | 50 organisations of 12 to 60 groups, half a year | of which leak |
//! |---|---|---|---|---|---|
//! | `nhs-mhsds` | 0 + 15 (139) | 0 + 20 (268) | 0 + 0 (19) | 23 + 69 (4080) | 29 |
//! | `nhs-hes` | 0 + 4 (119) | 0 + 29 (222) | 0 + 0 (43) | 8 + 109 (4819) | 36 |
//! | `cms-11` | 36 + 21 (144) | 73 + 42 (265) | 20 + 2 (62) | 1790 + 448 (6149) | 50 |
//! | `opensafely` | 0 + 17 (180) | 0 + 17 (336) | 0 + 0 (43) | 1 + 97 (5845) | 33 |
//! | `ons-10-5` | 0 + 14 (197) | not measured | 0 + 0 (57) | 8 + 21 (6765) | 11 |
//! | `statsnz-rr3` | 0 + 0 (41) | not measured | 0 + 0 (9) | 10 + 70 (1606) | 23 |
//! | `rule-of-3` | 37 + 4 (41) | 80 + 0 (80) | 9 + 0 (9) | 1566 + 40 (1606) | 50 |
//! | `rule-of-5` | 43 + 22 (78) | 99 + 33 (154) | 15 + 4 (19) | 2143 + 511 (3054) | 50 |
//!
//! **Invariant:** no preset takes chance from anywhere: random rounding takes a number that the caller keeps for the
//! cell.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::audit::Level;
use crate::release::{Key, Percent, Release, Seen, Zeros, named};
use crate::rounding::{self, Base};
use crate::rule::{Contributors, MeanRule, Name, Rule, RuleError, Rules, Threshold};

/// A rule book.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Preset {
    /// Its name in a specification.
    pub name: Cow<'static, str>,
    /// Where it is written.
    pub source: Cow<'static, str>,
    /// Which numbers break a rule themselves.
    pub rules: Cow<'static, [Rule]>,
    /// Whether zeros are shown.
    pub zeros: Zeros,
    /// What becomes of the numbers that are shown.
    pub rounding: Rounding,
    /// What becomes of a measure's total.
    pub totals: Totals,
    /// What becomes of percentages.
    pub percents: Percents,
    /// When means, medians and rates are shown; none: the rule book does not say.
    pub means: Option<Means>,
    /// What is hidden beside what breaks a rule.
    pub secondary: Secondary,
    /// What is proved, before anything is published, of somebody who knows that much; none: nothing.
    pub audit: Option<Knowledge>,
    /// What is printed instead of a hidden number: one mark for all.
    pub mark: Mark,
    /// What can be worked out of it, as measured.
    pub leaks: Cow<'static, str>,
}

/// What becomes of the numbers that are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rounding {
    /// Nothing.
    None,
    /// Each to the nearest multiple.
    Nearest(Base),
    /// Each to one of the two neighbouring multiples: [`rounding::random`].
    Random(Base),
}

/// What becomes of a measure's total, of all there is: an agency's national figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Totals {
    /// The same as of all others.
    AsOthers,
    /// It is shown exactly, even if it is small.
    Exact,
}

/// What becomes of percentages. Each is hidden where one of its counts is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Percents {
    /// Of the true counts.
    OfTrue {
        /// The distance between two neighbouring printed values, in per cent: above 0, at most 100.
        step: f64,
    },
    /// Of the counts as they are shown: they say nothing that these do not.
    OfShown,
}

/// When a mean, a median or a rate is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Means {
    /// Of enough people, as it is.
    From(Threshold),
    /// Of enough people, not all alike, and rounded.
    Rounded(MeanRule),
}

/// What is hidden beside what breaks a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Secondary {
    /// Nothing.
    None,
    /// Whatever it takes until who sees all shown numbers learns no more of a hidden one than the rule says:
    /// [`crate::edition::decide`].
    Full,
}

/// What somebody knows beside the published numbers: [`Level`] as data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Knowledge {
    /// [`Level::K0`]
    K0,
    /// [`Level::K1`]
    K1,
    /// [`Level::K2`]
    K2,
}

impl From<Knowledge> for Level {
    fn from(knowledge: Knowledge) -> Level {
        match knowledge {
            Knowledge::K0 => Level::K0,
            Knowledge::K1 => Level::K1,
            Knowledge::K2 => Level::K2,
        }
    }
}

/// What is printed instead of a hidden number. It names no number and compares with none: a mark such as "<5" beside
/// another for the rest tells which are small.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Mark(Cow<'static, str>);

/// Not a mark.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no mark: a word or a sign that names no number, at most 40 bytes")]
pub struct MarkError(String);

impl Mark {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Mark {
    type Error = MarkError;

    fn try_from(mark: String) -> Result<Mark, MarkError> {
        let tells = |c: char| c.is_numeric() || c.is_control() || "<>≤≥=–-".contains(c);
        let is_mark = (1..=40).contains(&mark.len()) && mark.trim() == mark && !mark.contains(tells);
        if is_mark { Ok(Mark(mark.into())) } else { Err(MarkError(mark)) }
    }
}

impl From<Mark> for String {
    fn from(mark: Mark) -> String {
        mark.0.into_owned()
    }
}

/// What a preset publishes.
#[derive(Debug, Clone)]
pub struct Published {
    /// What everybody sees, as the attack reads it: shown numbers with what they were rounded to, hidden ones with the
    /// mark and what it stands for, and those percentages that say more than the counts.
    pub release: Release,
    /// All percentages, as they are printed; none where hidden.
    pub percents: Vec<(Percent, Key, Option<f64>)>,
}

/// Why a preset publishes nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PresetError {
    /// It is not for single numbers.
    #[error("{0} protects numbers by hiding others: decide an edition instead")]
    NeedsProtection(String),
    /// Its rules cannot be applied.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// A step that is none.
    #[error("percentages in steps of {0} %: it must be above 0 and at most 100")]
    Step(String),
}

const fn text(text: &'static str) -> Cow<'static, str> {
    Cow::Borrowed(text)
}

const ASTERISK: Mark = Mark(text("*"));

impl Preset {
    /// Mental Health Services Data Set: 0 to 4 are hidden, others to the nearest 5, percentages of true counts in whole
    /// per cent, the national total exact.
    pub const NHS_MHSDS: Preset = Preset {
        name: text("nhs-mhsds"),
        source: text("NHSDigital/mental-health-monthly-statistics, notebooks/02_Aggregate/95.Round_output.py"),
        rules: Cow::Borrowed(&[Rule::Count(Threshold::known(5))]),
        zeros: Zeros::Hidden,
        rounding: Rounding::Nearest(Base::FIVE),
        totals: Totals::Exact,
        percents: Percents::OfTrue { step: 1.0 },
        means: None,
        secondary: Secondary::None,
        audit: None,
        mark: ASTERISK,
        leaks: text(
            "board reports of 50 organisations: 23 of 4080 hidden numbers exactly, 69 down to two values; 29 of 50 leak",
        ),
    };

    /// Hospital Episode Statistics below national level: 1 to 7 are hidden, others to the nearest 5, percentages of
    /// what is shown, means of 8 or more as they are, the national total exact.
    pub const NHS_HES: Preset = Preset {
        name: text("nhs-hes"),
        source: text("NHS Digital, Disclosure control methodology for HES and ECDS, from September 2018"),
        rules: Cow::Borrowed(&[Rule::Count(Threshold::known(8))]),
        zeros: Zeros::Public,
        rounding: Rounding::Nearest(Base::FIVE),
        totals: Totals::Exact,
        percents: Percents::OfShown,
        means: Some(Means::From(Threshold::known(8))),
        secondary: Secondary::None,
        audit: None,
        mark: ASTERISK,
        leaks: text(
            "board reports of 50 organisations: 8 of 4819 hidden numbers exactly, 109 down to two values; 36 of 50 leak",
        ),
    };

    /// Centers for Medicare & Medicaid Services: 1 to 10 are hidden, others as they are. That none may be "derivable"
    /// is left to the author.
    pub const CMS_11: Preset = Preset {
        name: text("cms-11"),
        source: text("CMS cell size suppression policy, resdac.org/node/1506 (2024-01-26)"),
        rules: Cow::Borrowed(&[Rule::Count(Threshold::known(11))]),
        zeros: Zeros::Public,
        rounding: Rounding::None,
        totals: Totals::AsOthers,
        percents: Percents::OfTrue { step: 1.0 },
        means: Some(Means::From(Threshold::known(11))),
        secondary: Secondary::None,
        audit: None,
        mark: ASTERISK,
        leaks: text(
            "board reports of 50 organisations: 1790 of 6149 hidden numbers exactly, 448 down to two values; 50 of 50 leak",
        ),
    };

    /// `OpenSAFELY`: 0 to 7 are hidden, others to the nearest 5, rates of what is shown.
    pub const OPENSAFELY: Preset = Preset {
        name: text("opensafely"),
        source: text("opensafely/medication-reviews, analysis/redaction_utils.py (drop_and_round)"),
        rules: Cow::Borrowed(&[Rule::Count(Threshold::known(8))]),
        zeros: Zeros::Hidden,
        rounding: Rounding::Nearest(Base::FIVE),
        totals: Totals::AsOthers,
        percents: Percents::OfShown,
        means: None,
        secondary: Secondary::None,
        audit: None,
        mark: Mark(text("[REDACTED]")),
        leaks: text(
            "board reports of 50 organisations: 1 of 5845 hidden numbers exactly, 97 down to two values; 33 of 50 leak",
        ),
    };

    /// Office for National Statistics, "10-5 rule": 0 to 9 are hidden, others to the nearest 5, whatever the cell key
    /// ([`crate::cell_key::ons`]).
    pub const ONS_10_5: Preset = Preset {
        name: text("ons-10-5"),
        source: text("PyPI cell-key-perturbation 3.1.0 (ONSdigital/cell-key-perturbation), ptable_10_5_rule.csv"),
        rules: Cow::Borrowed(&[Rule::Count(Threshold::known(10))]),
        zeros: Zeros::Hidden,
        rounding: Rounding::Nearest(Base::FIVE),
        totals: Totals::AsOthers,
        percents: Percents::OfShown,
        means: None,
        secondary: Secondary::None,
        audit: None,
        mark: ASTERISK,
        leaks: text(
            "board reports of 50 organisations: 8 of 6765 hidden numbers exactly, 21 down to two values; 11 of 50 leak",
        ),
    };

    /// Stats NZ, random rounding to base 3: nothing is hidden, percentages of what is shown.
    pub const STATSNZ_RR3: Preset = Preset {
        name: text("statsnz-rr3"),
        source: text("Stats NZ, 2013 Census confidentiality rules (archive.stats.govt.nz)"),
        rules: Cow::Borrowed(&[]),
        zeros: Zeros::Public,
        rounding: Rounding::Random(Base::THREE),
        totals: Totals::AsOthers,
        percents: Percents::OfShown,
        means: None,
        secondary: Secondary::None,
        audit: None,
        mark: ASTERISK,
        leaks: text(
            "board reports of 50 organisations: 10 of 1606 numbers of 1 or 2 exactly, 70 down to two values; 23 of 50 leak",
        ),
    };

    /// Ours, and the default: fewer than 5 distinct members are hidden, and whatever it takes to keep them so for who
    /// knows that zeros are public and what marks mean, over all releases of the same facts.
    pub const PEER_5: Preset = Preset {
        name: text("peer-5"),
        source: text("this crate: crate::edition, crate::protect"),
        rules: Cow::Borrowed(&[Rule::Members(Threshold::known(5))]),
        zeros: Zeros::Public,
        rounding: Rounding::None,
        totals: Totals::AsOthers,
        percents: Percents::OfTrue { step: 1.0 },
        means: Some(Means::Rounded(MeanRule::beside(Threshold::known(5)))),
        secondary: Secondary::Full,
        audit: Some(Knowledge::K2),
        mark: Mark(text("hidden")),
        leaks: text("not measured here: crate::protect says what it guarantees"),
    };

    /// Hides 1 to n − 1 and nothing else: what many do, and what a funder means by "no numbers below 5".
    pub fn rule_of(threshold: Threshold) -> Preset {
        Preset {
            name: format!("rule-of-{}", threshold.get()).into(),
            source: text("S. Garfinkel, J. Abowd and C. Martindale, CACM 62 (2019) 46–53, for n = 3"),
            rules: vec![Rule::Count(threshold)].into(),
            zeros: Zeros::Public,
            rounding: Rounding::None,
            totals: Totals::AsOthers,
            percents: Percents::OfTrue { step: 1.0 },
            means: Some(Means::From(threshold)),
            secondary: Secondary::None,
            audit: None,
            mark: ASTERISK,
            leaks: text(
                "board reports of 50 organisations, n = 5: 2143 of 3054 hidden numbers exactly, 511 down to two values; 50 of 50 leak",
            ),
        }
    }

    /// All that have a name of their own; ours is first.
    pub const ALL: [&'static Preset; 7] = [
        &Preset::PEER_5,
        &Preset::NHS_MHSDS,
        &Preset::NHS_HES,
        &Preset::CMS_11,
        &Preset::OPENSAFELY,
        &Preset::ONS_10_5,
        &Preset::STATSNZ_RR3,
    ];

    /// The preset of a name: one of [`Preset::ALL`], or `rule-of-n`.
    ///
    /// ```
    /// use disclosure_control::preset::Preset;
    /// assert_eq!(Preset::named("nhs-hes"), Some(Preset::NHS_HES));
    /// assert_eq!(Preset::named("rule-of-3").map(|preset| preset.name.into_owned()), Some("rule-of-3".to_owned()));
    /// assert_eq!(Preset::named("rule-of-0"), None);
    /// ```
    pub fn named(name: &str) -> Option<Preset> {
        let known = Preset::ALL.into_iter().find(|preset| preset.name == name).cloned();
        known.or_else(|| {
            let count = name.strip_prefix("rule-of-")?.parse().ok()?;
            Some(Preset::rule_of(Threshold::fewer_than(count).ok()?))
        })
    }

    /// The rules with the policy for zeros.
    pub fn rules(&self) -> Rules {
        Rules { rules: self.rules.to_vec(), zeros: self.zeros }
    }

    /// What counts as a small number.
    pub fn small(&self) -> Option<Threshold> {
        self.rules
            .iter()
            .filter_map(|rule| match rule {
                Rule::Count(threshold) | Rule::Members(threshold) => Some(*threshold),
                _ => None,
            })
            .max()
    }

    /// The lowest and the highest number that a mark stands for: without secondary suppression, all that is hidden is
    /// small; none where the mark does not tell.
    pub fn mark_tells(&self) -> Option<(i64, i64)> {
        let [Rule::Count(threshold)] = self.rules[..] else { return None };
        let low = i64::from(self.zeros == Zeros::Public);
        (self.secondary == Secondary::None).then_some((low, threshold.get() - 1))
    }

    /// What is published of true tables, each number for itself. `by` has who is behind each number, for rules that
    /// ask; `uniform` is for random rounding, a number kept for the cell (see [`rounding::random`]).
    ///
    /// # Errors
    /// [`PresetError`]; [`PresetError::NeedsProtection`] for presets with [`Secondary::Full`].
    pub fn publish(
        &self,
        truth: &Release,
        by: &BTreeMap<Name, Contributors>,
        uniform: &dyn Fn(&Name) -> u64,
    ) -> Result<Published, PresetError> {
        if self.secondary == Secondary::Full {
            return Err(PresetError::NeedsProtection(self.name.clone().into_owned()));
        }
        let broken = self.rules().broken(truth, by)?;
        let mut release = truth.clone();
        for (name, cell) in &mut release.cells {
            let value = cell.value.ok_or_else(|| RuleError::NotTrue(named(&name.0, &name.1)))?;
            if self.totals == Totals::Exact && name.1.is_empty() {
                continue;
            }
            *cell = if broken.contains_key(name) {
                let mark = self.mark.as_str().to_owned();
                Seen { value: None, mark, hidden: true, rounded_to: None }
            } else {
                self.shown(value, uniform(name))
            };
        }
        self.describe(&mut release);
        let percents = self.percents(truth, &release)?;
        release.percents = match self.percents {
            Percents::OfTrue { .. } => {
                percents.iter().filter_map(|(of, key, value)| Some((of.clone(), key.clone(), (*value)?))).collect()
            }
            Percents::OfShown => Vec::new(),
        };
        Ok(Published { release, percents })
    }

    /// A number that breaks no rule, as it is shown.
    fn shown(&self, value: i64, uniform: u64) -> Seen {
        let rounded = match self.rounding {
            Rounding::None => value,
            Rounding::Nearest(base) => rounding::nearest(value, base),
            Rounding::Random(base) => rounding::random(value, base, uniform),
        };
        // Where all small numbers are hidden, a shown zero is a zero.
        let is_zero = value == 0 && self.small().is_some_and(|small| self.rounding.zero_below() <= small.get());
        let rounded_to = self.rounding.reads_as().filter(|_| !is_zero);
        Seen { value: Some(rounded), mark: String::new(), hidden: false, rounded_to }
    }

    /// Says in the manifest what was done.
    fn describe(&self, release: &mut Release) {
        let manifest = &mut release.manifest;
        manifest.threshold = self.small().map_or(1, Threshold::get);
        manifest.zeros = self.zeros;
        self.mark.as_str().clone_into(&mut manifest.marker);
        let tells = self.mark_tells().map(|(low, high)| (self.mark.as_str().to_owned(), (low, Some(high))));
        manifest.marks = tells.into_iter().collect();
        let counts = manifest.tables.iter_mut().filter(|table| table.measure.is_some());
        counts.for_each(|table| table.rounded_to = self.rounding.reads_as());
    }

    /// The percentages of the tables that are percentages, of each cell that both counts have.
    fn percents(&self, truth: &Release, shown: &Release) -> Result<Vec<(Percent, Key, Option<f64>)>, PresetError> {
        let mut percents = Vec::new();
        for table in &truth.manifest.tables {
            let Some(mut of) = table.percent.clone() else { continue };
            if let Percents::OfTrue { step } = self.percents {
                of.step = step;
            }
            if !(of.step > 0.0 && of.step <= 100.0) {
                return Err(PresetError::Step(of.step.to_string()));
            }
            let dims = |key: &Key| key.iter().all(|(dim, _)| table.dims.contains(dim));
            for (_, key) in truth.cells.keys().filter(|(measure, key)| *measure == of.numerator && dims(key)) {
                let count = |release: &Release, measure: &str| {
                    release.cells.get(&(measure.to_owned(), key.clone())).and_then(|cell| cell.value)
                };
                let both = |release| Some((count(release, &of.numerator)?, count(release, &of.denominator)?));
                let counts = match self.percents {
                    Percents::OfTrue { .. } => both(shown).and_then(|_| both(truth)),
                    Percents::OfShown => both(shown),
                };
                percents.push((of.clone(), key.clone(), counts.and_then(|counts| percent(counts, of.step))));
            }
        }
        Ok(percents)
    }
}

impl Rounding {
    /// The base of conventional rounding that leaves open what this one leaves open; the attack reads it. Random
    /// rounding to base b leaves b − 1 either way, as rounding to the nearest 2 b − 1 does; an even base has a number
    /// in the middle, which goes up.
    pub fn reads_as(self) -> Option<i64> {
        match self {
            Rounding::None => None,
            Rounding::Nearest(base) => Some(base.get() + 1 - base.get() % 2),
            Rounding::Random(base) => Some(2 * base.get() - 1),
        }
    }

    /// The lowest number that is not shown as 0, whatever happens.
    fn zero_below(self) -> i64 {
        match self {
            Rounding::None => 1,
            Rounding::Nearest(base) => (base.get() + 1) / 2,
            Rounding::Random(base) => base.get(),
        }
    }
}

/// In per cent, to the nearest multiple of a step; none of nobody.
#[expect(clippy::cast_precision_loss, reason = "counts are below 2⁵³, and what is printed has few digits")]
fn percent((above, below): (i64, i64), step: f64) -> Option<f64> {
    let percent = 100.0 * above as f64 / below as f64;
    (below > 0).then(|| (percent / step).round() * step)
}

#[cfg(test)]
mod tests;
