//! What is taken back of a meeting: that it was held, and a mark while its register is open.
//!
//! | from | to | by |
//! |---|---|---|
//! | held | open | reopening, with a reason |
//! | held, open | cancelled, did not occur | saying so, if nothing says that somebody came |
//! | cancelled, did not occur | planned | reinstating, with a reason |
//!
//! So every state of a meeting that the calendar has, has a way out. Moods end with the register that was closed: opened again, it has none, and nobody reads
//! those of before any more.

use super::{
    AttendanceTakenBack, Event, Person, Refusal, Register, Reopened, end_of,
    vocabulary::{Entry, Headcount, Status},
};
use crate::{MemberId, sealed::Sealed};

/// Opens a register that was closed.
pub(super) fn reopen(register: &Register, reason: &Sealed) -> Result<Vec<Event>, Refusal> {
    match register.status {
        Status::Held => Ok(vec![Event::Reopened(Reopened { reason: reason.clone() })]),
        Status::Open => Ok(vec![]),
        status @ Status::Planned => Err(Refusal::NotOpen { status }),
        status @ (Status::Cancelled | Status::DidNotOccur | Status::Unplanned) => {
            Err(Refusal::NotPossible { status, to: Status::Open })
        }
    }
}

/// Ends a meeting that did not take place, also if it was closed by mistake: not if anything says that somebody came.
/// Marks of those who did not come may stay.
pub(super) fn end(register: &Register, to: Status, reason: &Sealed) -> Result<Vec<Event>, Refusal> {
    match register.status {
        Status::Open | Status::Held if says_somebody_came(register.entries.values(), &register.heads) => {
            Err(Refusal::AttendanceRecorded { to })
        }
        Status::Planned | Status::Open | Status::Held => Ok(vec![end_of(to, reason)]),
        status if status == to => Ok(vec![]),
        status @ (Status::Cancelled | Status::DidNotOccur | Status::Unplanned) => {
            Err(Refusal::NotPossible { status, to })
        }
    }
}

/// Whether these entries, or these heads, say that somebody came.
pub(super) fn says_somebody_came<'a>(entries: impl IntoIterator<Item = &'a Entry>, heads: &Headcount) -> bool {
    heads.values().any(|heads| *heads > 0) || entries.into_iter().any(|entry| entry.mark.attended())
}

/// Takes a person's marks back. Of whoever has none, nothing is said, also not whether there is such a member.
pub(super) fn take_back(register: &Register, person: &Person) -> Result<Vec<Event>, Refusal> {
    match register.status {
        Status::Open | Status::Held if person.erased || !register.has(&person.records) => Ok(vec![]),
        Status::Open => Ok(taken_back(register, &person.records)),
        Status::Held => Err(Refusal::RegisterClosed),
        status @ (Status::Planned | Status::Cancelled | Status::DidNotOccur | Status::Unplanned) => {
            Err(Refusal::NotOpen { status })
        }
    }
}

/// All marks under these records, taken back.
pub(super) fn taken_back(register: &Register, records: &[MemberId]) -> Vec<Event> {
    let marked = records.iter().filter_map(|record| Some((*record, *register.entries.get(record)?)));
    marked.map(|(member, was)| Event::AttendanceTakenBack(AttendanceTakenBack { member, was })).collect()
}

#[cfg(test)]
mod tests;
