//! Moods and answers, opened in memory.

use std::{collections::HashMap, num::NonZero, sync::Mutex, thread};

use domain::{
    MemberId, OrgId, ProgrammeId,
    instrument::{Instrument, Value, values_in_json},
    meeting::Mood,
};
use vault::{Buffer, Key, SealedAs};

use super::{SealedCheckIn, SealedMood};

/// Most threads that open at once, a count.
const THREADS_MAX: usize = 8;
/// Values that a thread takes at once, a count: few, so that none has much left to do when the others are done.
const PIECE: usize = 512;

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

    pub(super) fn mood(&self, row: &SealedMood, buffer: &mut Buffer) -> Option<OpenedMood> {
        let of = (&self.org, row.meeting.0, SealedAs::Mood);
        let opened = self.keys.get(&row.member)?.open_into(buffer, of, &row.mood).ok()?;
        let mood = match serde_json::from_slice(opened).ok()? {
            Mood::Rated(rating) => Some(rating.get()),
            Mood::Declined => None,
        };
        Some(OpenedMood { programme: row.programme, person: row.person, mood })
    }

    pub(super) fn check_in(&self, row: &SealedCheckIn, buffer: &mut Buffer) -> Option<OpenedCheckIn> {
        let SealedCheckIn { programme, person, member, check_in, edition, day, position, .. } = *row;
        let of = (&self.org, check_in.0, SealedAs::Answers);
        let given = self.keys.get(&member)?.open_into(buffer, of, &row.answers).ok()?;
        let values = values_in_json(self.instrument(edition)?, given).ok()?;
        Some(OpenedCheckIn { programme, person, edition, day, position, values })
    }
}

/// All that opens, in the order in which it was given.
pub(super) fn all<T: Sync, R: Send>(sealed: &[T], open: impl Fn(&T, &mut Buffer) -> Option<R> + Sync) -> Vec<R> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(THREADS_MAX);
    let pieces = Mutex::new(sealed.chunks(PIECE).enumerate());
    let next = || pieces.lock().expect("nothing panics while it is held").next();
    let work = || {
        let (mut buffer, mut done) = (Buffer::default(), Vec::new());
        while let Some((n, piece)) = next() {
            let mut opened = Vec::with_capacity(piece.len());
            opened.extend(piece.iter().filter_map(|value| open(value, &mut buffer)));
            done.push((n, opened));
        }
        done
    };
    let mut done: Vec<_> = thread::scope(|scope| {
        let working: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        working.into_iter().flat_map(|thread| thread.join().expect("opening does not panic")).collect()
    });
    done.sort_unstable_by_key(|(n, _)| *n);
    let mut all = Vec::with_capacity(done.iter().map(|(_, opened)| opened.len()).sum());
    all.extend(done.into_iter().flat_map(|(_, opened)| opened));
    all
}
