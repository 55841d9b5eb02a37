//! Moods and answers, opened in memory.

use std::{collections::HashMap, num::NonZero, thread};

use domain::{
    CheckInId, MemberId, OrgId, ProgrammeId, Sealed,
    instrument::{Given, Instrument, Value, values},
    meeting::Mood,
};
use vault::{Key, SealedAs};

use super::{Edition, SealedCheckIn, SealedMood};

/// Most threads that open at once, a count.
const THREADS_MAX: usize = 8;

/// What opening needs: people's keys, and the instruments that answers are scored with.
#[derive(Debug)]
pub struct Opener {
    org: OrgId,
    keys: HashMap<MemberId, Key>,
    /// In the order of the editions; none if there is no such instrument.
    instruments: Vec<Option<Instrument>>,
}

/// How somebody said that they felt; none if they declined to say.
pub(super) struct OpenedMood {
    pub programme: Option<ProgrammeId>,
    pub person: MemberId,
    pub mood: Option<u8>,
}

/// The scores of a check-in, in the order of the instrument's; none where there is none.
pub(super) struct OpenedCheckIn {
    pub programme: Option<ProgrammeId>,
    pub person: MemberId,
    pub edition: usize,
    pub day: i32,
    pub position: u64,
    pub values: Vec<Option<Value>>,
}

impl Opener {
    /// With the keys of these members; `instruments` in the order of [`super::SealedOutcomes::editions`].
    pub fn new(org: OrgId, keys: Vec<(MemberId, Key)>, instruments: Vec<Option<Instrument>>) -> Self {
        Self { org, keys: keys.into_iter().collect(), instruments }
    }

    pub(super) fn instrument(&self, edition: usize) -> Option<&Instrument> {
        self.instruments.get(edition)?.as_ref()
    }

    pub(super) fn mood(&self, row: &SealedMood) -> Option<OpenedMood> {
        let opened = self.keys.get(&row.member)?.open(&self.org, row.meeting.0, SealedAs::Mood, &row.mood).ok()?;
        let mood = match serde_json::from_slice(&opened).ok()? {
            Mood::Rated(rating) => Some(rating.get()),
            Mood::Declined => None,
        };
        Some(OpenedMood { programme: row.programme, person: row.person, mood })
    }

    pub(super) fn check_in(&self, row: &SealedCheckIn) -> Option<OpenedCheckIn> {
        let values = self.values(row.member, row.check_in, row.edition, &row.answers)?;
        let SealedCheckIn { programme, person, edition, day, position, .. } = *row;
        Some(OpenedCheckIn { programme, person, edition, day, position, values })
    }

    fn values(
        &self,
        member: MemberId,
        check_in: CheckInId,
        edition: Edition,
        answers: &Sealed,
    ) -> Option<Vec<Option<Value>>> {
        let opened = self.keys.get(&member)?.open(&self.org, check_in.0, SealedAs::Answers, answers).ok()?;
        let given: Given = serde_json::from_slice(&opened).ok()?;
        Some(values(self.instrument(edition)?, &given))
    }
}

/// All that opens, in the order in which it was given.
pub(super) fn all<T: Sync, R: Send>(sealed: &[T], open: impl Fn(&T) -> Option<R> + Sync) -> Vec<R> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(THREADS_MAX);
    let part = sealed.len().div_ceil(threads).max(1);
    let open = &open;
    thread::scope(|scope| {
        let opened = |part| scope.spawn(move || <[T]>::iter(part).filter_map(open).collect::<Vec<_>>());
        let parts: Vec<_> = sealed.chunks(part).map(opened).collect();
        parts.into_iter().flat_map(|part| part.join().expect("opening does not panic")).collect()
    })
}
