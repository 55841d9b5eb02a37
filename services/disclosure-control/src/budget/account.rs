//! The account of a programme for a year: what is spent of its budget, in whole millionths, for ever.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{BudgetError, Loss, Query};

/// The most queries in one account.
pub const QUERIES_MAX: usize = 10_000;
/// The longest name of a release or a programme, in bytes.
pub const NAME_BYTES_MAX: usize = 200;

/// How far a query in an account has come. Both count; nothing is ever given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Set aside. Whether anybody saw a number is not known, so it counts.
    Reserved,
    /// Somebody may have seen the numbers.
    Released,
}

/// What came of asking for a reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reservation {
    /// Set aside now: draw the noise.
    New,
    /// Set aside before, nothing released yet: draw the noise, nothing more is spent.
    Again,
    /// Released before: show what was released, **do not draw again**.
    Released,
}

/// A query in an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Spent {
    query: Query,
    state: State,
}

/// The account of a programme for a year. The caller keeps it, as serialised, and lets one writer at a time change it.
///
/// **Invariant:** all losses are measured as the limit is, and together are not above it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RawYearBudget", into = "RawYearBudget")]
pub struct YearBudget {
    programme: String,
    year: i16,
    limit: Loss,
    queries: BTreeMap<String, Spent>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawYearBudget {
    programme: String,
    year: i16,
    limit: Loss,
    queries: BTreeMap<String, Spent>,
}

impl TryFrom<RawYearBudget> for YearBudget {
    type Error = BudgetError;

    fn try_from(raw: RawYearBudget) -> Result<YearBudget, BudgetError> {
        let mut budget = YearBudget::new(&raw.programme, raw.year, raw.limit)?;
        for (release, Spent { query, state }) in &raw.queries {
            budget.reserve(release, *query)?;
            if *state == State::Released {
                budget.commit(release)?;
            }
        }
        Ok(budget)
    }
}

impl From<YearBudget> for RawYearBudget {
    fn from(YearBudget { programme, year, limit, queries }: YearBudget) -> RawYearBudget {
        RawYearBudget { programme, year, limit, queries }
    }
}

impl YearBudget {
    /// An empty account.
    ///
    /// # Errors
    /// [`BudgetError::Name`], [`BudgetError::Loss`] out of range.
    pub fn new(programme: &str, year: i16, limit: Loss) -> Result<YearBudget, BudgetError> {
        limit.in_range()?;
        Ok(YearBudget { programme: name(programme)?, year, limit, queries: BTreeMap::new() })
    }

    /// Whose it is.
    pub fn programme(&self) -> &str {
        &self.programme
    }

    /// For which year.
    pub fn year(&self) -> i16 {
        self.year
    }

    /// What is spent, in millionths: all that was ever reserved.
    pub fn spent(&self) -> u64 {
        self.queries.values().map(|spent| spent.query.loss.micro()).sum()
    }

    /// What is left, in millionths.
    pub fn left(&self) -> u64 {
        self.limit.micro() - self.spent()
    }

    /// How far a release has come.
    pub fn state(&self, release: &str) -> Option<State> {
        self.queries.get(release).map(|spent| spent.state)
    }

    /// Sets the loss of a query aside, before noise is drawn. Said twice, it is spent once.
    ///
    /// # Errors
    /// [`BudgetError::Exhausted`], [`BudgetError::Measure`], [`BudgetError::Different`], [`BudgetError::Queries`],
    /// [`BudgetError::Name`]; then the account is as before.
    ///
    /// ```
    /// use disclosure_control::budget::{Contribution, Level, Loss, Query, Reservation, YearBudget};
    /// let mut budget = YearBudget::new("peer support", 2026, Loss::MicroEpsilon(1_000_000))?;
    /// let query = Query::new(Level::Programme, Contribution::ONCE, Loss::MicroEpsilon(600_000))?;
    /// assert_eq!(budget.reserve("annual", query)?, Reservation::New);
    /// budget.commit("annual")?;
    /// assert_eq!(budget.reserve("annual", query)?, Reservation::Released);
    /// assert_eq!(budget.left(), 400_000);
    /// assert!(budget.reserve("by area", query).is_err());
    /// # Ok::<(), disclosure_control::budget::BudgetError>(())
    /// ```
    pub fn reserve(&mut self, release: &str, query: Query) -> Result<Reservation, BudgetError> {
        if let Some(spent) = self.queries.get(release) {
            return match spent.state {
                _ if spent.query != query => Err(BudgetError::Different(release.to_owned())),
                State::Reserved => Ok(Reservation::Again),
                State::Released => Ok(Reservation::Released),
            };
        }
        let release = name(release)?;
        if self.queries.len() >= QUERIES_MAX {
            return Err(BudgetError::Queries);
        }
        if !query.loss.is_like(self.limit) {
            return Err(BudgetError::Measure { programme: self.programme.clone() });
        }
        let (left, asked) = (self.left(), query.loss.micro());
        if asked > left {
            return Err(BudgetError::Exhausted { programme: self.programme.clone(), year: self.year, left, asked });
        }
        self.queries.insert(release, Spent { query, state: State::Reserved });
        Ok(Reservation::New)
    }

    /// Marks a release as seen, before it is shown. Said twice, nothing changes.
    ///
    /// # Errors
    /// [`BudgetError::NotReserved`]
    pub fn commit(&mut self, release: &str) -> Result<(), BudgetError> {
        let spent = self.queries.get_mut(release).ok_or_else(|| BudgetError::NotReserved(release.to_owned()))?;
        spent.state = State::Released;
        Ok(())
    }
}

fn name(name: &str) -> Result<String, BudgetError> {
    let good = (1..=NAME_BYTES_MAX).contains(&name.len());
    if good { Ok(name.to_owned()) } else { Err(BudgetError::Name(name.len())) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::budget::{Contribution, LOSS_MIN, Level};

    fn query(loss: Loss) -> Query {
        Query::new(Level::Programme, Contribution::ONCE, loss).unwrap()
    }

    #[test]
    fn ten_tenths_are_exactly_one() {
        let mut budget = YearBudget::new("p", 2026, Loss::MicroEpsilon(1_000_000)).unwrap();
        for k in 0..10 {
            assert_eq!(budget.reserve(&format!("r{k}"), query(Loss::MicroEpsilon(100_000))), Ok(Reservation::New));
        }
        assert_eq!(budget.left(), 0);
        let refused = budget.reserve("more", query(Loss::MicroEpsilon(LOSS_MIN))).unwrap_err();
        let (programme, year) = ("p".to_owned(), 2026);
        assert_eq!(refused, BudgetError::Exhausted { programme, year, left: 0, asked: LOSS_MIN });
    }

    #[test]
    fn a_reservation_said_twice_is_spent_once_and_never_comes_back() {
        let mut budget = YearBudget::new("p", 2026, Loss::MicroRho(500_000)).unwrap();
        let asked = query(Loss::MicroRho(200_000));
        assert_eq!(budget.reserve("r", asked), Ok(Reservation::New));
        assert_eq!(budget.reserve("r", asked), Ok(Reservation::Again));
        assert_eq!(budget.reserve("r", query(Loss::MicroRho(100_000))), Err(BudgetError::Different("r".to_owned())));
        assert_eq!((budget.commit("r"), budget.commit("r")), (Ok(()), Ok(())));
        assert_eq!(budget.reserve("r", asked), Ok(Reservation::Released));
        assert_eq!((budget.spent(), budget.left(), budget.state("r")), (200_000, 300_000, Some(State::Released)));
        assert_eq!(budget.commit("other"), Err(BudgetError::NotReserved("other".to_owned())));
    }

    #[test]
    fn epsilon_and_rho_are_not_added_up() {
        let mut budget = YearBudget::new("p", 2026, Loss::MicroRho(500_000)).unwrap();
        let refused = budget.reserve("r", query(Loss::MicroEpsilon(1_000)));
        assert_eq!(refused, Err(BudgetError::Measure { programme: "p".to_owned() }));
    }

    #[test]
    fn an_account_is_read_as_it_was_written() {
        let mut budget = YearBudget::new("p", 2026, Loss::MicroEpsilon(1_000_000)).unwrap();
        budget.reserve("seen", query(Loss::MicroEpsilon(300_000))).unwrap();
        budget.reserve("kept", query(Loss::MicroEpsilon(300_000))).unwrap();
        budget.commit("seen").unwrap();
        let written = serde_json::to_string(&budget).unwrap();
        let golden = concat!(
            r#"{"programme":"p","year":2026,"limit":{"micro_epsilon":1000000},"queries":{"#,
            r#""kept":{"query":{"level":"programme","contribution":{"cells":1,"per_cell":1},"#,
            r#""loss":{"micro_epsilon":300000}},"state":"reserved"},"#,
            r#""seen":{"query":{"level":"programme","contribution":{"cells":1,"per_cell":1},"#,
            r#""loss":{"micro_epsilon":300000}},"state":"released"}}}"#,
        );
        assert_eq!(written, golden);
        assert_eq!(serde_json::from_str::<YearBudget>(golden).unwrap(), budget);
        let overdrawn = golden.replace("1000000", "500000");
        assert!(serde_json::from_str::<YearBudget>(&overdrawn).is_err());
    }

    #[test]
    fn names_have_limits() {
        assert_eq!(YearBudget::new("", 2026, Loss::MicroRho(1_000)), Err(BudgetError::Name(0)));
        let mut budget = YearBudget::new("p", 2026, Loss::MicroRho(1_000)).unwrap();
        let long = "x".repeat(NAME_BYTES_MAX + 1);
        assert_eq!(budget.reserve(&long, query(Loss::MicroRho(1_000))), Err(BudgetError::Name(201)));
    }

    proptest! {
        #[test]
        fn no_order_of_asking_spends_more_than_the_limit(
            asked in prop::collection::vec((LOSS_MIN..400_000, 0..8_u8, any::<bool>()), 0..40),
        ) {
            let mut budget = YearBudget::new("p", 2026, Loss::MicroEpsilon(1_000_000)).unwrap();
            let mut before = 0;
            for (micro, release, seen) in asked {
                let release = release.to_string();
                let taken = budget.reserve(&release, query(Loss::MicroEpsilon(micro)));
                if seen {
                    let _ = budget.commit(&release);
                }
                prop_assert!(budget.spent() <= 1_000_000 && budget.spent() >= before);
                prop_assert_eq!(budget.spent() > before, taken == Ok(Reservation::New));
                before = budget.spent();
            }
        }
    }
}
