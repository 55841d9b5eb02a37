//! Which records are one person's.

use std::{collections::BTreeMap, slice, sync::Arc};

use crate::MemberId;

/// Which records are one person's, of all who have several. Cheap to clone.
///
/// Who was erased stays one person: what is left of them is one person's, too.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Persons(Arc<BTreeMap<MemberId, Arc<[MemberId]>>>);

impl Persons {
    /// All records of the person whose record this is: the one under which they go on, then the others.
    pub fn records<'a>(&'a self, record: &'a MemberId) -> &'a [MemberId] {
        match self.0.get(record) {
            Some(records) => records,
            None => slice::from_ref(record),
        }
    }

    /// Under which record the person goes on.
    pub fn of(&self, record: MemberId) -> MemberId {
        self.records(&record).first().copied().unwrap_or(record)
    }

    /// These are one person's from now on, and nobody else is.
    pub(super) fn are_one(&mut self, records: &[MemberId]) {
        let persons = Arc::make_mut(&mut self.0);
        if let [alone] = records {
            persons.remove(alone);
            return;
        }
        let all: Arc<[MemberId]> = records.into();
        persons.extend(records.iter().map(|record| (*record, all.clone())));
    }
}
