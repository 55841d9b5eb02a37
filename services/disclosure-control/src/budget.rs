//! Differential privacy for totals of a programme or more: what noise is due, how wide it makes a number, and how much
//! of a year's budget it spends.
//!
//! **Invariant:** this library never draws noise. It says which noise to draw (as exact fractions, for an exact
//! sampler), takes whole numbers that were drawn elsewhere, and keeps the account in whole millionths.
//!
//! The steps, in this order:
//!
//! 1. [`Contribution::check`]: no member counts more often than was promised.
//! 2. [`Query::new`] refuses totals below a programme; [`Query::noise`] and [`Noise::half_width_95`] say the ± before
//!    anything is spent.
//! 3. [`YearBudget::reserve`], then the noise is drawn, [`noisy_counts`] adds it, and [`YearBudget::commit`] comes
//!    before anybody sees a number.
//!
//! Sources: Dwork & Roth, The Algorithmic Foundations of Differential Privacy (2014), for the Laplace mechanism and basic
//! composition; Ghosh, Roughgarden & Sundararajan (STOC 2009) for its discrete form; Canonne, Kamath & Steinke, The
//! Discrete Gaussian for Differential Privacy (2020), and Bun & Steinke (TCC 2016) for zero-concentrated privacy (zCDP):
//! ρ = Δ₂² ÷ 2σ², losses add up.
//!
//! What the account does not know: that somebody is a member of two programmes or in two years. Their losses add up
//! over the accounts. A total over several programmes is reserved in the account of each.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

mod account;
mod noise;

pub use account::{NAME_BYTES_MAX, QUERIES_MAX, Reservation, State, YearBudget};
pub use noise::{Fraction, KEYS_MAX, Noise, NoisyCount, noisy_counts};

/// The most cells that one member may count in, a count.
pub const CELLS_MAX: u32 = 10_000;
/// The most that one member may count in one cell.
pub const PER_CELL_MAX: u32 = 10_000;
/// The smallest loss of one query, in millionths of ε or ρ.
pub const LOSS_MIN: u64 = 1_000;
/// The largest loss of one query and the largest budget of a year, in millionths of ε or ρ: an ε of 10 promises little.
pub const LOSS_MAX: u64 = 10_000_000;

/// What a total is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// One group, or a meeting of it: refused.
    Group,
    /// All groups of a programme.
    Programme,
    /// All programmes of an area.
    Region,
    /// All of an organisation.
    Organisation,
}

/// How much one member can change: in how many cells of all tables of a query, and by how much in each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contribution {
    /// C₀: the most cells, 1 to [`CELLS_MAX`], a count.
    pub cells: u32,
    /// C∞: the most in one cell, 1 to [`PER_CELL_MAX`], a count.
    pub per_cell: u32,
}

impl Contribution {
    /// One member, one cell, once.
    pub const ONCE: Contribution = Contribution { cells: 1, per_cell: 1 };

    /// The L1 sensitivity, C₀ × C∞: by how much one member changes all counts together.
    pub fn l1(&self) -> u64 {
        u64::from(self.cells) * u64::from(self.per_cell)
    }

    /// The square of the L2 sensitivity, (√C₀ × C∞)².
    pub fn l2_squared(&self) -> u64 {
        u64::from(self.cells) * u64::from(self.per_cell) * u64::from(self.per_cell)
    }

    /// Whether all keep to it: for each fact counted, who it is about, in which cell, and how much it adds.
    ///
    /// Members and cells by any numbers that tell them apart. Facts of one member in one cell are added up.
    ///
    /// # Errors
    /// [`BudgetError::Contribution`] if the bounds are out of range; [`BudgetError::Cells`], [`BudgetError::PerCell`] for
    /// a member beyond them: who asks leaves out the surplus facts, by a rule that does not depend on the noise.
    ///
    /// ```
    /// use disclosure_control::budget::Contribution;
    /// let bound = Contribution { cells: 2, per_cell: 1 };
    /// assert!(bound.check([(7, 0, 1), (7, 1, 1), (8, 1, 1)]).is_ok());
    /// assert!(bound.check([(7, 0, 1), (7, 1, 1), (7, 2, 1)]).is_err());
    /// ```
    pub fn check(&self, facts: impl IntoIterator<Item = (u64, u64, u64)>) -> Result<(), BudgetError> {
        self.in_range()?;
        let mut members: BTreeMap<u64, BTreeMap<u64, u64>> = BTreeMap::new();
        for (member, cell, adds) in facts.into_iter().filter(|(_, _, adds)| *adds > 0) {
            let cells = members.entry(member).or_default();
            let sum = cells.entry(cell).or_default();
            *sum = sum.saturating_add(adds);
            if *sum > self.per_cell.into() {
                return Err(BudgetError::PerCell { member, cell, sum: *sum, most: self.per_cell });
            }
            if cells.len() > usize::try_from(self.cells).unwrap_or(usize::MAX) {
                return Err(BudgetError::Cells { member, cells: cells.len(), most: self.cells });
            }
        }
        Ok(())
    }

    fn in_range(self) -> Result<(), BudgetError> {
        let good = (1..=CELLS_MAX).contains(&self.cells) && (1..=PER_CELL_MAX).contains(&self.per_cell);
        if good { Ok(()) } else { Err(BudgetError::Contribution(self.cells, self.per_cell)) }
    }
}

/// How much privacy a query costs or a year has, in millionths: exact, so that nothing is lost by adding up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// Pure differential privacy: millionths of ε. Noise: discrete Laplace.
    MicroEpsilon(u64),
    /// Zero-concentrated differential privacy: millionths of ρ. Noise: discrete Gaussian.
    MicroRho(u64),
}

impl Loss {
    /// Millionths of whatever it is measured in.
    pub fn micro(self) -> u64 {
        match self {
            Loss::MicroEpsilon(micro) | Loss::MicroRho(micro) => micro,
        }
    }

    /// Whether both are measured in the same.
    fn is_like(self, other: Loss) -> bool {
        matches!((self, other), (Loss::MicroEpsilon(_), Loss::MicroEpsilon(_)) | (Loss::MicroRho(_), Loss::MicroRho(_)))
    }

    fn in_range(self) -> Result<(), BudgetError> {
        let good = (LOSS_MIN..=LOSS_MAX).contains(&self.micro());
        if good { Ok(()) } else { Err(BudgetError::Loss(self.micro())) }
    }
}

/// A set of counts to be published together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RawQuery", into = "RawQuery")]
pub struct Query {
    level: Level,
    contribution: Contribution,
    loss: Loss,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawQuery {
    level: Level,
    contribution: Contribution,
    loss: Loss,
}

impl TryFrom<RawQuery> for Query {
    type Error = BudgetError;

    fn try_from(raw: RawQuery) -> Result<Query, BudgetError> {
        Query::new(raw.level, raw.contribution, raw.loss)
    }
}

impl From<Query> for RawQuery {
    fn from(Query { level, contribution, loss }: Query) -> RawQuery {
        RawQuery { level, contribution, loss }
    }
}

impl Query {
    /// Counts at this level, to which each member contributes at most so much, for this loss.
    ///
    /// # Errors
    /// [`BudgetError::BelowProgramme`] with the ± that the noise would have; [`BudgetError::Contribution`],
    /// [`BudgetError::Loss`] out of range.
    pub fn new(level: Level, contribution: Contribution, loss: Loss) -> Result<Query, BudgetError> {
        contribution.in_range()?;
        loss.in_range()?;
        let query = Query { level, contribution, loss };
        match level {
            Level::Group => Err(BudgetError::BelowProgramme { half_width: query.noise().half_width_95() }),
            Level::Programme | Level::Region | Level::Organisation => Ok(query),
        }
    }

    /// What the counts are about.
    pub fn level(&self) -> Level {
        self.level
    }

    /// What it costs.
    pub fn loss(&self) -> Loss {
        self.loss
    }

    /// Which noise it takes.
    pub fn noise(&self) -> Noise {
        let Query { contribution, loss, .. } = self;
        match loss {
            Loss::MicroEpsilon(micro) => Noise::DiscreteLaplace {
                scale: Fraction { numerator: contribution.l1() * 1_000_000, denominator: *micro },
            },
            Loss::MicroRho(micro) => Noise::DiscreteGaussian {
                variance: Fraction { numerator: contribution.l2_squared() * 1_000_000, denominator: 2 * micro },
            },
        }
    }
}

/// Why a query, a reservation or noise is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BudgetError {
    /// A total of less than a programme.
    #[error(
        "differential privacy is refused below a programme: a group has 5 to 12 members and this noise is ±{half_width}, \
         so its numbers would say nothing; publish the programme's total, or hide small counts instead"
    )]
    BelowProgramme {
        /// The ± that one count would have.
        half_width: u64,
    },
    /// Bounds out of range.
    #[error("a member in {0} cells, {1} in each: 1 to {CELLS_MAX} cells and 1 to {PER_CELL_MAX} in each are taken")]
    Contribution(u32, u32),
    /// Loss out of range.
    #[error("a loss of {0} millionths: {LOSS_MIN} to {LOSS_MAX} millionths are taken")]
    Loss(u64),
    /// A member in too many cells.
    #[error("member {member} counts in {cells} cells, {most} are promised: leave out the others, or promise more")]
    Cells {
        /// Who, by the caller's number.
        member: u64,
        /// In how many.
        cells: usize,
        /// Promised.
        most: u32,
    },
    /// A member too often in a cell.
    #[error("member {member} counts {sum} in cell {cell}, {most} are promised: leave out the others, or promise more")]
    PerCell {
        /// Who, by the caller's number.
        member: u64,
        /// Which, by the caller's number.
        cell: u64,
        /// How much.
        sum: u64,
        /// Promised.
        most: u32,
    },
    /// ε and ρ in one account.
    #[error(
        "the account of {programme} and the loss are measured differently (epsilon, rho): use the account's measure"
    )]
    Measure {
        /// Whose account.
        programme: String,
    },
    /// Not enough left.
    #[error(
        "{programme} has {left} millionths left for {year}, this takes {asked}: ask less precisely or wait for the next year"
    )]
    Exhausted {
        /// Whose account.
        programme: String,
        /// Which year.
        year: i16,
        /// What is left.
        left: u64,
        /// What was asked for.
        asked: u64,
    },
    /// Another query under the same name.
    #[error("release {0} is reserved for another query: take a new name")]
    Different(String),
    /// Nothing reserved.
    #[error("release {0} is not reserved: reserve it before noise is drawn")]
    NotReserved(String),
    /// Too many queries.
    #[error("the account holds {QUERIES_MAX} queries: ask for several tables in one query")]
    Queries,
    /// A name empty or too long.
    #[error("a name has {0} bytes: 1 to {NAME_BYTES_MAX} are taken")]
    Name(usize),
    /// A key twice, or too many.
    #[error("the domain has {keys} keys, {different} of them different: each once, 1 to {KEYS_MAX}")]
    Domain {
        /// How many.
        keys: usize,
        /// How many different ones.
        different: usize,
    },
    /// A count outside the domain.
    #[error(
        "a count has the key {0}, which is not in the public domain: add it there for every release, or leave it out"
    )]
    Key(String),
    /// Not one noise for each key.
    #[error("{noise} noises for {keys} keys: draw one for each, zeros included")]
    Noises {
        /// How many noises.
        noise: usize,
        /// How many keys.
        keys: usize,
    },
    /// A count and its noise leave the range.
    #[error("the count of {0} with its noise does not fit 64 bits")]
    TooLarge(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(loss: Loss) -> Query {
        Query::new(Level::Programme, Contribution::ONCE, loss).unwrap()
    }

    #[test]
    fn one_count_at_usual_epsilons_is_as_wide_as_it_says() {
        let widths = [100_000, 250_000, 500_000, 1_000_000, 2_000_000]
            .map(|micro| query(Loss::MicroEpsilon(micro)).noise().half_width_95());
        assert_eq!(widths, [30, 12, 6, 3, 1]);
    }

    #[test]
    fn six_tables_in_four_quarters_make_72_of_3() {
        let contribution = Contribution { cells: 24, per_cell: 1 };
        let query = Query::new(Level::Programme, contribution, Loss::MicroEpsilon(1_000_000)).unwrap();
        assert_eq!(
            query.noise(),
            Noise::DiscreteLaplace { scale: Fraction { numerator: 24_000_000, denominator: 1_000_000 } }
        );
        assert_eq!(query.noise().half_width_95(), 72);
    }

    #[test]
    fn sensitivities_are_products_of_the_bounds() {
        let bound = Contribution { cells: 9, per_cell: 2 };
        assert_eq!((bound.l1(), bound.l2_squared()), (18, 36));
    }

    #[test]
    fn gaussian_noise_has_the_variance_of_its_rho() {
        // ρ = Δ₂² ÷ 2σ²: 0.25 with Δ₂² = 2 is σ = 2
        let query = Query::new(Level::Region, Contribution { cells: 2, per_cell: 1 }, Loss::MicroRho(250_000)).unwrap();
        assert_eq!(
            query.noise(),
            Noise::DiscreteGaussian { variance: Fraction { numerator: 2_000_000, denominator: 500_000 } }
        );
        assert_eq!(query.noise().half_width_95(), 4);
    }

    #[test]
    fn a_group_is_refused_with_the_reason() {
        let refused = Query::new(Level::Group, Contribution::ONCE, Loss::MicroEpsilon(500_000)).unwrap_err();
        assert_eq!(refused, BudgetError::BelowProgramme { half_width: 6 });
        assert!(refused.to_string().contains("a group has 5 to 12 members and this noise is ±6"), "{refused}");
        let stored = r#"{"level":"group","contribution":{"cells":1,"per_cell":1},"loss":{"micro_epsilon":500000}}"#;
        assert!(serde_json::from_str::<Query>(stored).is_err(), "nor read from a file");
    }

    #[test]
    fn bounds_and_losses_have_limits() {
        let new =
            |cells, per_cell, loss| Query::new(Level::Programme, Contribution { cells, per_cell }, loss).unwrap_err();
        let epsilon = Loss::MicroEpsilon(1_000_000);
        assert_eq!(new(0, 1, epsilon), BudgetError::Contribution(0, 1));
        assert_eq!(new(1, PER_CELL_MAX + 1, epsilon), BudgetError::Contribution(1, PER_CELL_MAX + 1));
        assert_eq!(new(1, 1, Loss::MicroEpsilon(0)), BudgetError::Loss(0));
        assert_eq!(new(1, 1, Loss::MicroRho(LOSS_MAX + 1)), BudgetError::Loss(LOSS_MAX + 1));
        let widest = Contribution { cells: CELLS_MAX, per_cell: PER_CELL_MAX };
        let widest = |loss| Query::new(Level::Programme, widest, loss).unwrap().noise().half_width_95();
        assert!(widest(Loss::MicroEpsilon(LOSS_MIN)) > widest(Loss::MicroRho(LOSS_MIN)));
    }

    #[test]
    fn a_member_beyond_the_bounds_is_named() {
        let bound = Contribution { cells: 2, per_cell: 3 };
        assert_eq!(bound.check([(1, 0, 2), (1, 0, 1), (1, 5, 3), (1, 9, 0), (2, 9, 1)]), Ok(()));
        let often = bound.check([(1, 0, 2), (1, 0, 2)]);
        assert_eq!(often, Err(BudgetError::PerCell { member: 1, cell: 0, sum: 4, most: 3 }));
        let wide = bound.check([(4, 0, 1), (4, 1, 1), (4, 2, 1)]);
        assert_eq!(wide, Err(BudgetError::Cells { member: 4, cells: 3, most: 2 }));
    }
}
