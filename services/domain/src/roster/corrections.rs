//! What was recorded wrong, or late: days of an enrolment are corrected, another end is given to what had one, and what is
//! over is recorded as it was.
//!
//! A place is needed only for days that are added, and of these only from today on: what is past was so, whoever has the
//! place now. Whoever got a place that somebody else's wrong end made free keeps it.

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Act, BeyondReason, CorrectionReason, Event, IfFull, Person, Places, Refusal, Roster, gives_up,
    state::{End, Enrolment, Known, State},
};
use crate::{Decider, MemberId, Subject};

/// A time on the roster was recorded of which both ends are known: one that is over, or whose end is agreed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Recorded {
    /// Who.
    pub member: MemberId,
    /// First day on the roster.
    pub starts_on: Date,
    /// How it ended, or will.
    pub end: End,
    /// Who recorded it, if that opens nothing: somebody who wants to read, and whom nobody has confirmed yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposed_by: Option<Subject>,
    /// Why, if there was no place for it, and somebody decided that there is one more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beyond: Option<BeyondReason>,
}

impl Recorded {
    pub(super) fn enrolment(&self) -> Enrolment {
        let Self { starts_on, end, proposed_by, .. } = self;
        Enrolment { starts_on: *starts_on, end: Some(*end), confirmed: proposed_by.is_none(), was: None }
    }
}

/// The first or last day of an enrolment was corrected: from now on these count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Corrected {
    /// Who.
    pub member: MemberId,
    /// Which: the one that began on this day, as was recorded.
    pub since: Date,
    /// First day on the roster.
    pub starts_on: Date,
    /// How it ended, or will; none if it lasts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<End>,
    /// Why.
    pub reason: CorrectionReason,
    /// Why, if there was no place for the days that this adds, and somebody decided that there is one more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beyond: Option<BeyondReason>,
}

/// What is right of an enrolment. What is not said stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Correction {
    /// First day on the roster.
    pub starts_on: Option<Date>,
    /// Last day on the roster; or that it has none.
    #[allow(clippy::option_option)] // not said, said that there is none, said which
    pub ends_on: Option<Option<Date>>,
    /// Whether its end is the one that was agreed. Without effect while it lasts.
    pub completed: Option<bool>,
}

impl Correction {
    fn of(self, Enrolment { starts_on, end, .. }: Enrolment) -> (Date, Option<End>) {
        let ends_on = self.ends_on.unwrap_or(end.map(|end| end.on));
        let completed = self.completed.or(end.map(|end| end.completed)).unwrap_or(false);
        (self.starts_on.unwrap_or(starts_on), ends_on.map(|on| End { on, completed }))
    }
}

/// Days from one to another; without the other, they go on.
type Days = (Date, Option<Date>);

pub(super) fn record(
    state: &State,
    act: Act<'_>,
    (member, starts_on, end): (MemberId, Date, End),
    if_full: IfFull,
) -> Result<Vec<Event>, Refusal> {
    if end.on < starts_on {
        return Err(Refusal::EndsBeforeStart { starts_on });
    }
    let person = state.person(act.persons, member);
    let there: Vec<_> = person.iter().flat_map(Person::enrolments).collect();
    let is_it = |(_, one): &&(MemberId, Enrolment)| (one.starts_on, one.end) == (starts_on, Some(end));
    if let Some((record, one)) = there.iter().find(is_it) {
        return Ok(act.said_again(*record, starts_on, one.confirmed));
    }
    apart((starts_on, Some(end.on)), there.into_iter().map(|(_, one)| one))?;
    let (member, proposed_by) = (act.persons.of(member), act.by.cloned());
    let recorded = |beyond| {
        let proposed_by = proposed_by.clone();
        vec![Event::Recorded(Recorded { member, starts_on, end, proposed_by, beyond })]
    };
    with_places(state, act, if_full, recorded)
}

/// What was taken back is recorded again, as far as it is over: with the end that it had. None if there is no such thing.
pub(super) fn as_it_was(state: &State, act: Act<'_>, member: MemberId, starts_on: Date) -> Option<Vec<Event>> {
    let person = state.person(act.persons, member)?;
    let is_there =
        |known: &Known| known.again == Some(starts_on) && known.enrolments.iter().any(|one| one.starts_on == starts_on);
    if person.0.iter().any(|(_, known)| is_there(known)) {
        return Some(vec![]);
    }
    let over = |known: &Known| known.taken_back?.end.filter(|end| end.on < act.today && starts_on <= end.on);
    let (member, end) = person.0.iter().find_map(|(record, known)| Some((*record, over(known)?)))?;
    apart((starts_on, Some(end.on)), person.enrolments().map(|(_, one)| one)).ok()?;
    let (proposed_by, beyond) = (act.by.cloned(), None);
    Some(vec![Event::Recorded(Recorded { member, starts_on, end, proposed_by, beyond })])
}

pub(super) fn correct(
    state: &State,
    act: Act<'_>,
    (member, since): (MemberId, Date),
    (to, reason): (&Correction, CorrectionReason),
    if_full: IfFull,
) -> Result<Vec<Event>, Refusal> {
    let person = state.person(act.persons, member).ok_or(Refusal::NotEnrolled)?;
    let (those, others) = which(&person, since, to.starts_on);
    if those.is_empty() {
        return Err(Refusal::NothingSince { since });
    }
    let (mut changed, mut lasts) = (vec![], false);
    for (record, one) in those {
        let (starts_on, end) = to.of(one);
        if end.is_some_and(|end| end.on < starts_on) {
            return Err(Refusal::EndsBeforeStart { starts_on });
        }
        for days in added(one, (starts_on, end.map(|end| end.on))) {
            apart(days, others.iter().copied())?;
        }
        lasts |= one.end.is_some() && end.is_none();
        changed.extend(((starts_on, end) != (one.starts_on, one.end)).then_some((
            record,
            one.starts_on,
            starts_on,
            end,
        )));
    }
    // While they have a place, they wait for none.
    let given_up = person.open().filter(|_| lasts).map(|(record, _)| gives_up(record)).collect::<Vec<_>>();
    let corrected = |beyond| {
        let changed = changed.iter().map(|&(member, since, starts_on, end)| {
            Event::Corrected(Corrected { member, since, starts_on, end, reason, beyond })
        });
        given_up.iter().cloned().chain(changed).collect()
    };
    with_places(state, act, if_full, corrected)
}

/// The enrolments that began on a day, or did before that was corrected to this other one; and the person's others.
fn which(person: &Person<'_>, since: Date, corrected: Option<Date>) -> (Vec<(MemberId, Enrolment)>, Vec<Enrolment>) {
    let began = |one: &Enrolment| one.starts_on == since;
    let is_so = |one: &Enrolment| one.was == Some(since) && Some(one.starts_on) == corrected;
    let any = person.enrolments().any(|(_, one)| began(&one));
    let (those, others): (Vec<_>, Vec<_>) =
        person.enrolments().partition(|(_, one)| if any { began(one) } else { is_so(one) });
    (those, others.into_iter().map(|(_, one)| one).collect())
}

/// Another end for a person whose last enrolment has one: it comes forward, or comes later. What ends on the same day, but
/// otherwise, is corrected as such.
pub(super) fn end_again(
    state: &State,
    act: Act<'_>,
    person: &Person<'_>,
    end: End,
    event: impl Fn(MemberId) -> Event,
) -> Result<Vec<Event>, Refusal> {
    let ended_on = person.ended().ok_or(Refusal::NotEnrolled)?.on;
    let comes_later = end.on > ended_on;
    // Days that are added open a record to those who lead the group, and who asks again is not to be there again unasked.
    if comes_later && (act.by.is_some() || person.open().next().is_some()) {
        return Err(Refusal::Ended { ended_on });
    }
    let lasts: Vec<_> =
        person.0.iter().filter_map(|(record, known)| Some((*record, *known.enrolments.last()?))).collect();
    if end.on == ended_on {
        let is_so = lasts.iter().any(|(_, last)| last.end == Some(end));
        return if is_so { Ok(vec![]) } else { Err(Refusal::Ended { ended_on }) };
    }
    let mut events = vec![];
    for (record, last) in lasts {
        let Some(was) = last.end else { continue };
        if was.on > end.on && last.starts_on > end.on {
            return Err(Refusal::EndsBeforeStart { starts_on: last.starts_on });
        }
        events.extend((was.on > end.on || was.on == ended_on).then(|| event(record)));
    }
    with_places(state, act, IfFull::Refuse, |_| events.clone())
}

/// Refuses days on which there is one of the person's others.
fn apart(days: Days, mut others: impl Iterator<Item = Enrolment>) -> Result<(), Refusal> {
    match others.find(|other| other.meets(days)) {
        Some(Enrolment { starts_on, end, .. }) => Err(Refusal::Meets { starts_on, ends_on: end.map(|end| end.on) }),
        None => Ok(()),
    }
}

/// The days that it has then, and has not now.
fn added(now: Enrolment, (from, until): Days) -> impl Iterator<Item = Days> {
    let the_day_before = now.starts_on.yesterday().unwrap_or(Date::MIN);
    let earlier =
        (from < now.starts_on).then(|| (from, Some(until.map_or(the_day_before, |until| until.min(the_day_before)))));
    let later = now.end.and_then(|end| end.on.tomorrow().ok()).map(|next| (next.max(from), until));
    let later = later.filter(|(next, until)| until.is_none_or(|until| *next <= until));
    earlier.into_iter().chain(later)
}

/// The events, if there are places from today on for what they add, or if somebody decides that there are.
fn with_places(
    state: &State,
    act: Act<'_>,
    if_full: IfFull,
    events: impl Fn(Option<BeyondReason>) -> Vec<Event>,
) -> Result<Vec<Event>, Refusal> {
    let within = events(None);
    let after = within.iter().fold(state.clone(), Roster::evolve);
    let beyond = |places| after.beyond(state, act.persons, act.today, places);
    if beyond(Places::MOST).is_some() {
        return Err(Refusal::Full);
    }
    match (state.capacity.and_then(|places| Some((places, beyond(places)?))), if_full) {
        (None, _) => Ok(within),
        (Some(_), IfFull::Exceed(reason)) => Ok(events(Some(reason))),
        (Some((places, day)), IfFull::Refuse | IfFull::Wait) => {
            Err(Refusal::NoPlace { places, on: Some(day), free_from: None })
        }
    }
}
