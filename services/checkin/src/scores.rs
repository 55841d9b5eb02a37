//! What was sealed, opened to be read: answers with their scores, goals, what concerns are for. Kept nowhere.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use domain::{
    MemberId, OrgId, Sealed,
    instrument::{self, Given, Instrument, Scored},
    protocol::{self, Edition},
};
use serde::de::DeserializeOwned;
use uuid::Uuid;
use vault::{Key, SealedAs};
use web::{Caller, Problem};

use crate::CheckIn;

/// Keys of some members, and instruments by edition: what opening and scoring needs.
pub(crate) struct Reader {
    org: OrgId,
    keys: HashMap<MemberId, Key>,
    instruments: BTreeMap<(instrument::Id, u16), Instrument>,
}

impl CheckIn {
    /// What reading the care of these members needs; of those who were erased, nothing opens.
    pub(crate) async fn reader(
        &self,
        caller: &Caller,
        members: &[MemberId],
        editions: impl Iterator<Item = &Edition>,
    ) -> Result<Reader, Problem> {
        let keys = self.vault.keys(&caller.org, members).await?.into_iter().collect();
        let wanted: BTreeSet<_> = editions.map(|edition| (edition.instrument.clone(), edition.version)).collect();
        let find = |protocol: &protocol::State| {
            let found = wanted.into_iter().filter_map(|(id, version)| {
                let instrument = protocol.instrument(&id, version)?.clone();
                Some(((id, version), instrument))
            });
            found.collect()
        };
        Ok(Reader { org: caller.org.clone(), keys, instruments: self.look(caller, find).await? })
    }
}

impl Reader {
    /// What was sealed with the member's key; none if it does not open.
    pub fn open<T: DeserializeOwned>(
        &self,
        member: MemberId,
        of: impl Into<Uuid>,
        what: SealedAs,
        sealed: &Sealed,
    ) -> Option<T> {
        let opened = self.keys.get(&member)?.open(&self.org, of.into(), what, sealed).ok()?;
        serde_json::from_slice(&opened).ok()
    }

    /// As [`Self::open`], of words.
    pub fn open_text(&self, member: MemberId, of: impl Into<Uuid>, what: SealedAs, sealed: &Sealed) -> Option<String> {
        let opened = self.keys.get(&member)?.open(&self.org, of.into(), what, sealed).ok()?;
        String::from_utf8(opened.to_vec()).ok()
    }

    /// The instruments of the editions that were asked for.
    pub fn instruments(&self) -> impl Iterator<Item = &Instrument> {
        self.instruments.values()
    }

    /// The scores of what was given, read as they were taken to be read.
    pub fn scored(&self, edition: &Edition, given: &Given) -> Option<Scored> {
        let instrument = self.instruments.get(&(edition.instrument.clone(), edition.version))?;
        let norm_set = edition.norm_set.as_ref().and_then(|id| instrument.norm_sets.iter().find(|set| set.id == *id));
        Some(instrument::score(instrument, given, norm_set))
    }
}
