//! One organisation publishes four releases, as `peer-5` decides; then everybody attacks.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use disclosure_control::{
    attack::{Findings, attack},
    edition::{Edition, EditionError, Tables, decide},
    preset::Preset,
    release::{Key, Line, Release, TOTAL},
    rule::{Contributors, Name, Rules},
};

use crate::{board::Board, organisation::Organisation};

/// What came of one release.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Cells, margins among them.
    pub cells: usize,
    /// Of them hidden.
    pub hidden: usize,
    /// The sum of all numbers.
    pub value: i64,
    /// The sum of those that are shown.
    pub shown: i64,
    /// Hidden cells that follow exactly, alone or together with earlier releases of the same facts.
    pub exact: usize,
    /// Hidden cells in an interval of two numbers, alone or together.
    pub narrow: usize,
    /// Small hidden cells whose upper end is below what the rule says.
    pub below_rule: usize,
}

/// What came of an organisation's releases: of each one, or that it was held back.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Campaign {
    /// By the number of the release, each beside those before; none: held back.
    pub releases: Vec<Option<Outcome>>,
    /// The same, each as if it were the first; none: not to be protected.
    pub alone: Vec<Option<Outcome>>,
}

/// The rules of `peer-5`.
pub fn peer_5() -> Rules {
    Preset::PEER_5.rules()
}

/// True tables of a board report with who is behind each number.
///
/// # Errors
/// Tables that do not go together.
pub fn tables(board: &Board) -> Result<Tables> {
    let truth = Release::new(board.manifest.clone(), &board.lines())?;
    let mut by = BTreeMap::new();
    for (table, counted) in board.manifest.tables.iter().zip(&board.tables) {
        let Some(measure) = &table.measure else { continue };
        for cell in counted {
            let named = table.dims.iter().cloned().zip(cell.codes.iter().cloned());
            let mut key: Key = named.filter(|(_, code)| code != TOTAL).collect();
            key.sort();
            let contributors = Contributors { members: cell.members, groups: cell.groups, largest: None };
            by.insert((measure.clone(), key), contributors);
        }
    }
    Ok(Tables { truth, by })
}

/// What everybody reads: the tables of a board report with hidden numbers left out.
pub fn published(board: &Board, edition: &Edition) -> Vec<Vec<Line>> {
    let mut tables = board.lines();
    for (table, lines) in board.manifest.tables.iter().zip(&mut tables) {
        let hidden = |measure: &str, line: &Line| edition.hidden.contains(&(measure.to_owned(), table.key(line)));
        for line in lines {
            let percent = table.percent.as_ref();
            let of = table.measure.iter().chain(percent.iter().flat_map(|of| [&of.numerator, &of.denominator]));
            if of.into_iter().any(|measure| hidden(measure, line)) {
                line.value = None;
            }
        }
    }
    tables
}

impl Campaign {
    /// Publishes the four releases one after the other, each beside those before, and attacks each alone and together
    /// with those of the same facts. What is held back, or cannot be protected, is not published.
    ///
    /// # Errors
    /// An attack that has no result.
    pub fn run(organisation: &Organisation) -> Result<Campaign> {
        let (mut campaign, mut ledger) = (Campaign::default(), Vec::<Edition>::new());
        for board in Board::releases(organisation) {
            let tables = tables(&board)?;
            let first = decide(&[], tables.clone(), &peer_5()).ok();
            campaign.alone.push(first.map(|edition| outcome(&[], &edition)).transpose()?);
            let edition = match decide(&ledger, tables, &peer_5()) {
                Ok(edition) => edition,
                Err(EditionError::HeldBack { .. } | EditionError::Protect(_)) => {
                    campaign.releases.push(None);
                    continue;
                }
                Err(error) => return Err(error).context(organisation.to_string()),
            };
            let outcome =
                outcome(&ledger, &edition).with_context(|| format!("{organisation}, {}", board.manifest.release))?;
            campaign.releases.push(Some(outcome));
            ledger.push(edition);
        }
        Ok(campaign)
    }

    /// Whether no attack found anything.
    pub fn is_safe(&self) -> bool {
        self.releases
            .iter()
            .chain(&self.alone)
            .flatten()
            .all(|outcome| outcome.exact + outcome.narrow + outcome.below_rule == 0)
    }
}

fn outcome(ledger: &[Edition], edition: &Edition) -> Result<Outcome> {
    let value = |name: &Name| edition.truth.cells[name].value.unwrap_or_default();
    let hidden: i64 = edition.hidden.iter().map(value).sum();
    let all: i64 = edition.truth.cells.keys().map(value).sum();
    let alone = attack(&[edition.published()], 2)?;
    let mut out = Outcome {
        cells: edition.truth.cells.len(),
        hidden: edition.hidden.len(),
        value: all,
        shown: all - hidden,
        ..Outcome::default()
    };
    let mut take = |found: &Findings| {
        let levels = [&found.k0, &found.k1, &found.k2];
        out.exact += found.span.len() + levels.iter().map(|level| level.exact).sum::<usize>();
        out.narrow += levels.iter().map(|level| level.narrow).sum::<usize>();
    };
    take(&alone);
    let same: Vec<&Edition> = ledger.iter().filter(|earlier| agrees(earlier, edition)).collect();
    if !same.is_empty() {
        let all = same.into_iter().chain([edition]).enumerate();
        take(&attack(&all.map(|(number, edition)| edition.published().apart(number)).collect::<Vec<_>>(), 2)?);
    }
    Ok(out)
}

/// Whether nothing that both have has changed.
fn agrees(a: &Edition, b: &Edition) -> bool {
    let releases = [a.truth.clone().apart(0), b.truth.clone().apart(1)];
    disclosure_control::world::World::new(&releases).is_ok()
}
