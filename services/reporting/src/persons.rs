//! As which person a member is counted, and whether as one.

use std::collections::{HashMap, HashSet};

use domain::{MemberId, OrgId};
use polars::prelude::*;
use uuid::Uuid;

use crate::facts::{Cause, Kind, Snapshot};

/// Who is counted as whom. Whoever is not named is counted as themselves.
#[derive(Debug, Default)]
pub(crate) struct Persons {
    /// Members who are not simply themselves: as whom they go on.
    persons: HashMap<MemberId, MemberId>,
    /// Persons who object to statistics, or whose record is restricted.
    uncounted: HashSet<MemberId>,
}

impl Persons {
    /// Those of an organisation.
    pub fn of(facts: &Snapshot, org: &OrgId) -> Result<Self, Cause> {
        let merges = facts.current(org, Kind::Merges)?.filter(col("into").is_not_null()).collect()?;
        let from = members(&merges, "member")?;
        let into: HashMap<_, _> = from.into_iter().zip(members(&merges, "into")?).collect();
        // No record is merged into one that is merged into it; were it so, this would end all the same.
        let person =
            |member| (0..into.len()).try_fold(member, |at, _| into.get(&at).copied().ok_or(at)).unwrap_or_else(|at| at);
        let objections = facts.current(org, Kind::Objections)?.filter(col("stands")).collect()?;
        let objectors = members(&objections, "member")?;
        let uncounted = objectors.iter().copied().map(person).collect();
        let all = into.iter().flat_map(|(from, into)| [*from, *into]).chain(objectors);
        Ok(Self { persons: all.map(|member| (member, person(member))).collect(), uncounted })
    }

    /// As whom a member goes on.
    pub fn person(&self, member: MemberId) -> MemberId {
        self.persons.get(&member).copied().unwrap_or(member)
    }

    /// Whether a person is counted as one.
    pub fn is_counted(&self, person: MemberId) -> bool {
        !self.uncounted.contains(&person)
    }

    /// Those who are not simply themselves, as a table: `member`, `person`, whether `counted`.
    pub fn table(&self) -> Result<DataFrame, Cause> {
        let ids = |name: &str, ids: Vec<MemberId>| {
            BinaryChunked::from_iter_values(name.into(), ids.iter().map(|id| *id.0.as_bytes())).into_column()
        };
        let counted = self.persons.values().map(|person| self.is_counted(*person));
        Ok(DataFrame::new_infer_height(vec![
            ids("member", self.persons.keys().copied().collect()),
            ids("person", self.persons.values().copied().collect()),
            BooleanChunked::from_iter_values("counted".into(), counted).into_column(),
        ])?)
    }
}

/// A column of ids of members, all of which are there.
pub(crate) fn members(rows: &DataFrame, column: &str) -> Result<Vec<MemberId>, Cause> {
    let ids = rows.column(column)?.binary()?.iter();
    ids.map(|id| Ok(MemberId(Uuid::from_slice(id.ok_or("an id is missing")?)?))).collect()
}
