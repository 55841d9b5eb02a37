//! The waiting list: whoever has waited longest is first, unless somebody said otherwise.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Event, Refusal, state::State};
use crate::{MemberId, people::Persons, sealed::Sealed};

/// Somebody who waits got the turn directly after somebody else who waits, or the first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TurnMoved {
    /// Who.
    pub member: MemberId,
    /// Who comes directly before them; nobody, if they are first.
    pub after: Option<MemberId>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Sealed>,
}

/// A place in the line is named by who comes before it: a number would be another's place by the time that it is read.
pub(super) fn move_turn(
    state: &State,
    persons: &Persons,
    (member, after): (MemberId, Option<MemberId>),
    reason: &BTreeMap<MemberId, Sealed>,
) -> Result<Vec<Event>, Refusal> {
    state.person(persons, member).ok_or(Refusal::NotEnrolled)?;
    let turns = state.turns(persons);
    let turn_of = |who: MemberId| turns.iter().position(|turn| persons.of(turn[0]) == persons.of(who));
    let turn = turn_of(member).ok_or(Refusal::NotAsking)?;
    let before = match after {
        Some(other) => Some(turn_of(other).filter(|before| *before != turn).ok_or(Refusal::NotWaiting)?),
        None => None,
    };
    if turn.checked_sub(1) == before {
        return Ok(vec![]);
    }
    let mut after = before.map(|before| turns[before][0]);
    let moved = turns[turn].iter().map(|record| {
        let after = after.replace(*record);
        Event::TurnMoved(TurnMoved { member: *record, after, reason: reason.get(record).cloned() })
    });
    Ok(moved.collect())
}
