//! What a roster promises.

mod corrections;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{ToSpan, civil::date, tz::TimeZone};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::{
    decider::spec::{asking_twice_changes_nothing, given},
    people::{self, People},
};

const ALICE: MemberId = MemberId(Uuid::from_u128(1));
const BOB: MemberId = MemberId(Uuid::from_u128(2));
const CID: MemberId = MemberId(Uuid::from_u128(3));
const DAN: MemberId = MemberId(Uuid::from_u128(4));

/// A day of 2026.
fn day(month: i8, day: i8) -> Date {
    date(2026, month, day)
}

/// That day where the group meets.
fn here(date: Date) -> LocalDay {
    LocalDay::new(date, TimeZone::UTC)
}

/// Asked on 1 February.
fn ask(ask: Ask) -> Command {
    Command { today: here(day(2, 1)), proposed_by: None, persons: Persons::default(), ask }
}
fn apply(member: MemberId) -> Command {
    ask(Ask::Apply { member })
}
fn enrol(member: MemberId, starts_on: Date) -> Command {
    ask(Ask::Enrol { member, starts_on, if_full: IfFull::Refuse })
}
fn enrol_or_wait(member: MemberId, starts_on: Date) -> Command {
    ask(Ask::Enrol { member, starts_on, if_full: IfFull::Wait })
}
fn withdraw(member: MemberId, ends_on: Date) -> Command {
    ask(Ask::Withdraw { member, ends_on, reason: BTreeMap::new() })
}
fn complete(member: MemberId, ends_on: Date) -> Command {
    ask(Ask::Complete { member, ends_on })
}
fn decline(member: MemberId) -> Command {
    ask(Ask::Decline { member, reason: DeclineReason::NoPlace })
}
fn cancel(member: MemberId) -> Command {
    ask(Ask::Cancel { member, reason: CancelReason::Moved })
}
fn take_back(member: MemberId, since: Date) -> Command {
    ask(Ask::TakeBack { member, since, reason: ErrorReason::WrongMember })
}
fn set_capacity(places: Option<u16>) -> Command {
    ask(Ask::SetCapacity { places: places.map(of) })
}

fn of(places: u16) -> Places {
    Places::try_from(places).unwrap()
}
fn applied(member: MemberId) -> Event {
    Event::Applied(Applied { member, on: day(2, 1), proposed_by: None })
}
fn waitlisted(member: MemberId, starts_on: Date) -> Event {
    Event::Waitlisted(Waitlisted { member, on: day(2, 1), starts_on, proposed_by: None })
}
fn enrolled(member: MemberId, starts_on: Date) -> Event {
    Event::Enrolled(Enrolled { member, starts_on, proposed_by: None, beyond: None })
}
fn promoted(member: MemberId, starts_on: Date) -> Event {
    Event::Promoted(Promoted { member, starts_on })
}
fn withdrawn(member: MemberId, ends_on: Date) -> Event {
    Event::Withdrawn(Withdrawn { member, ends_on, reason: None })
}
fn completed(member: MemberId, ends_on: Date) -> Event {
    Event::Completed(Completed { member, ends_on })
}
fn cancelled(member: MemberId) -> Event {
    Event::Cancelled(Cancelled { member, reason: CancelReason::Moved })
}
fn taken_back(member: MemberId, since: Date) -> Event {
    Event::EnteredInError(EnteredInError { member, since, reason: ErrorReason::WrongMember })
}
fn capacity(places: u16) -> Event {
    Event::CapacitySet(CapacitySet { places: Some(of(places)) })
}

/// One place, which Alice has; Bob waits, and after him Cid.
fn one_place() -> Vec<Event> {
    vec![capacity(1), enrolled(ALICE, day(1, 5)), waitlisted(BOB, day(2, 1)), waitlisted(CID, day(2, 1))]
}

#[test]
fn a_member_is_on_the_roster_from_the_first_day_to_the_last() {
    let history = [enrolled(ALICE, day(1, 5)), withdrawn(ALICE, day(3, 1)), enrolled(ALICE, day(6, 1))];
    let state = history.iter().fold(State::default(), Roster::evolve);
    let on = |on: Date| state.covers(ALICE, on);
    assert!(!on(day(1, 4)) && on(day(1, 5)) && on(day(3, 1)) && !on(day(3, 2)));
    assert!(!on(day(5, 31)) && on(day(6, 1)) && on(date(2036, 6, 1)));
}

#[test]
fn who_asks_or_waits_is_not_on_the_roster() {
    let history = [one_place(), vec![applied(DAN)]].concat();
    let state = history.iter().fold(State::default(), Roster::evolve);
    assert!(
        [BOB, CID, DAN].iter().all(|member| !state.covers(*member, day(2, 1)) && !state.covers(*member, day(9, 1)))
    );
}

#[test]
fn someone_enrolled_cannot_be_enrolled_from_another_day_and_cannot_apply() {
    let monday = day(1, 5);
    given::<Roster>([enrolled(ALICE, monday)]).when(&enrol(ALICE, monday)).then_nothing();
    let already = Refusal::AlreadyEnrolled { since: monday };
    given::<Roster>([enrolled(ALICE, monday)]).when(&enrol(ALICE, day(1, 6))).then_refused(&already);
    given::<Roster>([enrolled(ALICE, monday)]).when(&enrol_or_wait(ALICE, day(1, 6))).then_refused(&already);
    given::<Roster>([enrolled(ALICE, monday)]).when(&apply(ALICE)).then_refused(&already);
}

#[test]
fn enrolments_of_one_member_never_overlap() {
    let history = [enrolled(ALICE, day(1, 5)), withdrawn(ALICE, day(3, 1))];
    let overlaps = Refusal::Overlaps { ended_on: day(3, 1) };
    given::<Roster>(history.clone()).when(&enrol(ALICE, day(3, 1))).then_refused(&overlaps);
    given::<Roster>(history.clone()).when(&enrol_or_wait(ALICE, day(3, 1))).then_refused(&overlaps);
    given::<Roster>(history).when(&enrol(ALICE, day(3, 2))).then(&[enrolled(ALICE, day(3, 2))]);
}

#[test]
fn nobody_leaves_who_is_not_enrolled_or_before_they_came() {
    let before = Refusal::EndsBeforeStart { starts_on: day(1, 5) };
    for leave in [withdraw, complete] {
        given::<Roster>([]).when(&leave(ALICE, day(1, 1))).then_refused(&Refusal::NotEnrolled);
        given::<Roster>([applied(ALICE)]).when(&leave(ALICE, day(3, 1))).then_refused(&Refusal::NotEnrolled);
        given::<Roster>([enrolled(ALICE, day(1, 5))]).when(&leave(ALICE, day(1, 4))).then_refused(&before);
    }
}

#[test]
fn what_has_ended_ends_on_another_day_if_that_is_said_but_facilitators_make_nothing_longer() {
    let history = || [enrolled(ALICE, day(1, 5)), completed(ALICE, day(3, 1))];
    given::<Roster>(history()).when(&complete(ALICE, day(3, 1))).then_nothing();
    given::<Roster>(history()).when(&complete(ALICE, day(3, 2))).then(&[completed(ALICE, day(3, 2))]);
    given::<Roster>(history()).when(&withdraw(ALICE, day(3, 1))).then_refused(&Refusal::Ended { ended_on: day(3, 1) });
    given::<Roster>(history()).when(&withdraw(ALICE, day(1, 20))).then(&[withdrawn(ALICE, day(1, 20))]);
    let before = Refusal::EndsBeforeStart { starts_on: day(1, 5) };
    given::<Roster>(history()).when(&withdraw(ALICE, day(1, 4))).then_refused(&before);
    let ended = Refusal::Ended { ended_on: day(3, 1) };
    given::<Roster>(history()).when(&proposing(complete(ALICE, day(3, 2)))).then_refused(&ended);
    given::<Roster>(history()).when(&proposing(withdraw(ALICE, day(2, 9)))).then(&[withdrawn(ALICE, day(2, 9))]);
    let asks_again = [&history()[..], &[applied(ALICE)]].concat();
    given::<Roster>(asks_again).when(&withdraw(ALICE, day(3, 2))).then_refused(&ended);
}

#[test]
fn an_application_is_answered_by_a_place_a_turn_or_a_no() {
    given::<Roster>([]).when(&apply(ALICE)).then(&[applied(ALICE)]);
    given::<Roster>([applied(ALICE)]).when(&apply(ALICE)).then_nothing();
    given::<Roster>([applied(ALICE)]).when(&enrol(ALICE, day(2, 3))).then(&[enrolled(ALICE, day(2, 3))]);
    let no = Event::Declined(Declined { member: ALICE, reason: DeclineReason::NoPlace });
    given::<Roster>([applied(ALICE)]).when(&decline(ALICE)).then(std::slice::from_ref(&no));
    given::<Roster>([applied(ALICE), no.clone()]).when(&decline(ALICE)).then_nothing();
    given::<Roster>([applied(ALICE), no]).when(&apply(ALICE)).then(&[applied(ALICE)]);
    let full = [one_place(), vec![applied(DAN)]].concat();
    given::<Roster>(full).when(&enrol_or_wait(DAN, day(1, 1))).then(&[waitlisted(DAN, day(2, 1))]);
    given::<Roster>([]).when(&decline(ALICE)).then_refused(&Refusal::NotEnrolled);
    given::<Roster>([enrolled(ALICE, day(1, 5))]).when(&decline(ALICE)).then_refused(&Refusal::NotAsking);
}

#[test]
fn nobody_is_enrolled_beyond_the_places_unless_it_is_over() {
    let no_place = Refusal::NoPlace { places: of(1), on: None, free_from: None };
    assert!(no_place.to_string().ends_with("1 places and not one is free from that day on"), "{no_place}");
    given::<Roster>(one_place()).when(&enrol(DAN, day(2, 1))).then_refused(&no_place);
    given::<Roster>(one_place()).when(&enrol(BOB, day(9, 1))).then_refused(&no_place);
    // Alice leaves on 31 March: who comes the day after takes nobody's place.
    let leaves = [capacity(1), enrolled(ALICE, day(1, 5)), withdrawn(ALICE, day(3, 31))];
    let later = Refusal::NoPlace { places: of(1), on: None, free_from: Some(day(4, 1)) };
    assert!(later.to_string().ends_with("; one is free from 2026-04-01 on"), "{later}");
    given::<Roster>(leaves.clone()).when(&enrol(BOB, day(3, 31))).then_refused(&later);
    given::<Roster>(leaves.clone()).when(&enrol(BOB, day(4, 1))).then(&[enrolled(BOB, day(4, 1))]);
    // Who comes the day after another leaves sits on the same chair; there is one more.
    let same_chair = [leaves.to_vec(), vec![enrolled(BOB, day(4, 1)), capacity(2)]].concat();
    given::<Roster>(same_chair).when(&enrol(CID, day(2, 1))).then(&[enrolled(CID, day(2, 1))]);
    // There may have been more of them than places once: that is how it was.
    let left = [capacity(1), enrolled(ALICE, day(1, 5)), withdrawn(ALICE, day(1, 31))];
    given::<Roster>(left).when(&enrol(BOB, day(1, 6))).then(&[enrolled(BOB, day(1, 6))]);
}

#[test]
fn without_a_capacity_there_is_room_for_as_many_as_a_roster_can_hold() {
    let member = |n: u16| MemberId(Uuid::from_u128(n.into()));
    let most: Vec<_> = (0..MEMBERS_MAX).map(|n| enrolled(member(n), day(1, 1))).collect();
    let last = most[usize::from(MEMBERS_MAX) - 1..].to_vec();
    given::<Roster>(most[..most.len() - 1].to_vec()).when(&enrol(member(MEMBERS_MAX - 1), day(1, 1))).then(&last);
    given::<Roster>(most.clone()).when(&enrol(member(MEMBERS_MAX), day(1, 1))).then_refused(&Refusal::Full);
    let waits = waitlisted(member(MEMBERS_MAX), day(2, 1));
    given::<Roster>(most).when(&enrol_or_wait(member(MEMBERS_MAX), day(1, 1))).then(&[waits]);
    assert!(Places::try_from(0).is_err() && Places::try_from(MEMBERS_MAX + 1).is_err());
}

#[test]
fn whoever_has_waited_longest_gets_the_place_that_becomes_free_in_the_same_append() {
    for (leave, left) in [
        (withdraw(ALICE, day(2, 20)), withdrawn(ALICE, day(2, 20))),
        (complete(ALICE, day(2, 20)), completed(ALICE, day(2, 20))),
    ] {
        given::<Roster>(one_place()).when(&leave).then(&[left, promoted(BOB, day(2, 21))]);
    }
    // It was recorded late: nobody comes before they are told.
    let late = [withdrawn(ALICE, day(1, 20)), promoted(BOB, day(2, 1))];
    given::<Roster>(one_place()).when(&withdraw(ALICE, day(1, 20))).then(&late);
    let never = [taken_back(ALICE, day(1, 5)), promoted(BOB, day(2, 1))];
    given::<Roster>(one_place()).when(&take_back(ALICE, day(1, 5))).then(&never);
}

#[test]
fn whoever_gives_up_leaves_the_turn_or_the_place_to_the_next() {
    given::<Roster>(one_place()).when(&cancel(BOB)).then(&[cancelled(BOB)]);
    let history = [one_place(), vec![cancelled(BOB)]].concat();
    given::<Roster>(history.clone()).when(&cancel(BOB)).then_nothing();
    let next = [withdrawn(ALICE, day(2, 20)), promoted(CID, day(2, 21))];
    given::<Roster>(history).when(&withdraw(ALICE, day(2, 20))).then(&next);
    // Also a place that they were to have.
    let soon = [one_place(), vec![withdrawn(ALICE, day(2, 20)), promoted(BOB, day(2, 21))]].concat();
    given::<Roster>(soon.clone()).when(&cancel(BOB)).then(&[cancelled(BOB), promoted(CID, day(2, 21))]);
    let started = Refusal::Started { starts_on: day(2, 21) };
    let too_late = Command { today: here(day(2, 21)), ..cancel(BOB) };
    given::<Roster>(soon).when(&too_late).then_refused(&started);
    given::<Roster>([]).when(&cancel(BOB)).then_refused(&Refusal::NotEnrolled);
    let gone = [enrolled(BOB, day(1, 5)), withdrawn(BOB, day(1, 9))];
    given::<Roster>(gone).when(&cancel(BOB)).then_refused(&Refusal::NotAsking);
}

#[test]
fn more_places_are_for_those_who_wait_and_fewer_send_nobody_away() {
    let three = ask(Ask::SetCapacity { places: Some(of(3)) });
    let both = [capacity(3), promoted(BOB, day(2, 1)), promoted(CID, day(2, 1))];
    given::<Roster>(one_place()).when(&three).then(&both);
    given::<Roster>(one_place()).when(&set_capacity(Some(2))).then(&[capacity(2), promoted(BOB, day(2, 1))]);
    let unlimited = Event::CapacitySet(CapacitySet { places: None });
    given::<Roster>(one_place()).when(&set_capacity(None)).then(&[
        unlimited,
        promoted(BOB, day(2, 1)),
        promoted(CID, day(2, 1)),
    ]);
    let fewer = [one_place(), both.to_vec(), vec![capacity(1), waitlisted(DAN, day(2, 1))]].concat();
    given::<Roster>(fewer.clone()).when(&set_capacity(Some(1))).then_nothing();
    given::<Roster>(fewer.clone()).when(&withdraw(CID, day(2, 9))).then(&[withdrawn(CID, day(2, 9))]);
    let state = fewer.iter().fold(State::default(), Roster::evolve);
    assert!([ALICE, BOB, CID].iter().all(|member| state.covers(*member, day(5, 1))) && !state.covers(DAN, day(5, 1)));
}

#[test]
fn who_wants_to_come_later_gets_the_place_from_then_on() {
    let history = [capacity(1), enrolled(ALICE, day(1, 5)), waitlisted(BOB, day(3, 1)), waitlisted(CID, day(2, 1))];
    let expected = [withdrawn(ALICE, day(2, 5)), promoted(BOB, day(3, 1))];
    given::<Roster>(history).when(&withdraw(ALICE, day(2, 5))).then(&expected);
}

#[test]
fn who_waits_for_a_place_that_is_known_to_become_free_has_it_at_once() {
    let leaves = [capacity(1), enrolled(ALICE, day(1, 5)), withdrawn(ALICE, day(3, 31))];
    let expected = [waitlisted(BOB, day(2, 1)), promoted(BOB, day(4, 1))];
    given::<Roster>(leaves.clone()).when(&enrol_or_wait(BOB, day(2, 1))).then(&expected);
    asking_twice_changes_nothing::<Roster>(&leaves, &enrol_or_wait(BOB, day(2, 1)));
}

#[test]
fn what_was_entered_in_error_never_was() {
    let history = [enrolled(ALICE, day(1, 5)), withdrawn(ALICE, day(1, 9)), enrolled(ALICE, day(1, 20))];
    let after = [taken_back(ALICE, day(1, 5))];
    given::<Roster>(history.clone()).when(&take_back(ALICE, day(1, 5))).then(&after);
    let state = history.iter().chain(&after).fold(State::default(), Roster::evolve);
    assert!(!state.covers(ALICE, day(1, 6)) && state.covers(ALICE, day(1, 20)));
    let nothing = Refusal::NothingSince { since: day(1, 6) };
    given::<Roster>(history).when(&take_back(ALICE, day(1, 6))).then_refused(&nothing);
    given::<Roster>([]).when(&take_back(ALICE, day(1, 5))).then_refused(&Refusal::NotEnrolled);
    // From the right day, then.
    let wrong_day = [enrolled(ALICE, day(1, 5)), taken_back(ALICE, day(1, 5))];
    given::<Roster>(wrong_day).when(&enrol(ALICE, day(1, 4))).then(&[enrolled(ALICE, day(1, 4))]);
}

#[test]
fn an_old_enrolment_is_taken_back_without_the_turn_on_the_waiting_list() {
    let waits = [vec![enrolled(BOB, day(1, 5)), withdrawn(BOB, day(1, 9))], one_place()].concat();
    let history = [waits, vec![taken_back(BOB, day(1, 5))]].concat();
    given::<Roster>(history.clone()).when(&take_back(BOB, day(1, 5))).then_nothing();
    let expected = [withdrawn(ALICE, day(2, 5)), promoted(BOB, day(2, 6))];
    given::<Roster>(history.clone()).when(&withdraw(ALICE, day(2, 5))).then(&expected);
    let turn = [history, vec![taken_back(BOB, day(2, 1))]].concat();
    let expected = [withdrawn(ALICE, day(2, 5)), promoted(CID, day(2, 6))];
    given::<Roster>(turn).when(&withdraw(ALICE, day(2, 5))).then(&expected);
}

#[test]
fn only_so_many_can_ask() {
    let many: Vec<_> = (0..APPLICATIONS_MAX as u128).map(|n| applied(MemberId(Uuid::from_u128(100 + n)))).collect();
    given::<Roster>(many.clone()).when(&apply(ALICE)).then_refused(&Refusal::TooManyAsk);
    given::<Roster>(many.clone()).when(&apply(MemberId(Uuid::from_u128(100)))).then_nothing();
    let full = [vec![capacity(1), enrolled(BOB, day(1, 5))], many].concat();
    given::<Roster>(full.clone()).when(&enrol_or_wait(ALICE, day(2, 1))).then_refused(&Refusal::TooManyAsk);
    let first = MemberId(Uuid::from_u128(100));
    given::<Roster>(full).when(&enrol_or_wait(first, day(2, 1))).then(&[waitlisted(first, day(2, 1))]);
}

/// The first day of the days that are looked at, and how many.
const FIRST: Date = date(2026, 1, 1);
const DAYS: i16 = 120;

/// A roster as sets of days, kept in the simplest way.
#[derive(Default)]
struct Naive {
    /// Each enrolment: whose, since when, and its days.
    on: Vec<(MemberId, Date, BTreeSet<Date>)>,
    /// When those who have no answer asked.
    asked: BTreeMap<MemberId, Date>,
    line: Vec<MemberId>,
}

impl Naive {
    fn days() -> impl Iterator<Item = Date> {
        (0..DAYS).map(|n| FIRST + n.days())
    }

    fn covers(&self, member: MemberId, day: Date) -> bool {
        self.on.iter().any(|(whose, _, days)| *whose == member && days.contains(&day))
    }

    fn people(&self, day: Date) -> usize {
        self.on.iter().filter(|(_, _, days)| days.contains(&day)).count()
    }

    /// The member asks no more, or did not.
    fn answered(&mut self, member: MemberId) -> bool {
        self.line.retain(|other| *other != member);
        self.asked.remove(&member).is_some()
    }

    fn begins(&mut self, member: MemberId, from: Date) {
        self.answered(member);
        self.is_on(member, from, None);
    }

    fn is_on(&mut self, member: MemberId, from: Date, end: Option<End>) {
        let days: BTreeSet<_> =
            Self::days().filter(|day| *day >= from && end.is_none_or(|end| *day <= end.on)).collect();
        assert!(!days.iter().any(|day| self.covers(member, *day)), "{member} is on the roster twice");
        self.on.push((member, from, days));
    }

    /// The one that began on that day.
    fn is_off(&mut self, member: MemberId, since: Date) {
        let one = self.on.iter().position(|(whose, from, _)| (*whose, *from) == (member, since));
        self.on.remove(one.expect("an enrolment"));
    }

    fn happened(&mut self, event: &Event) {
        match event {
            Event::CapacitySet(_) | Event::Confirmed(_) => {}
            Event::Applied(now) => assert!(self.asked.insert(now.member, now.on).is_none()),
            Event::Waitlisted(now) => {
                self.asked.entry(now.member).or_insert(now.on);
                self.line.push(now.member);
            }
            Event::Enrolled(now) => self.begins(now.member, now.starts_on),
            Event::Promoted(now) => {
                assert_eq!(self.line.first(), Some(&now.member), "somebody has waited longer");
                self.begins(now.member, now.starts_on);
            }
            Event::Completed(Completed { member, ends_on }) | Event::Withdrawn(Withdrawn { member, ends_on, .. }) => {
                let last = self.on.iter().filter(|(whose, _, _)| whose == member).map(|(_, since, _)| *since).max();
                let since = last.expect("an enrolment");
                self.is_off(*member, since);
                self.is_on(*member, since, Some(End { on: *ends_on, completed: true }));
            }
            Event::Recorded(now) => self.is_on(now.member, now.starts_on, Some(now.end)),
            Event::Corrected(now) => {
                self.is_off(now.member, now.since);
                self.is_on(now.member, now.starts_on, now.end);
            }
            Event::TurnMoved(now) => {
                self.line.retain(|other| *other != now.member);
                let at = now.after.map_or(0, |after| 1 + self.line.iter().position(|one| *one == after).unwrap());
                self.line.insert(at, now.member);
            }
            Event::Declined(now) => assert!(self.answered(now.member)),
            Event::Cancelled(now) => {
                if !self.answered(now.member) {
                    let last = self.on.iter().filter(|(whose, _, _)| *whose == now.member).map(|(_, since, _)| *since);
                    let last = last.max().expect("an enrolment");
                    self.is_off(now.member, last);
                }
            }
            Event::EnteredInError(now) if self.asked.get(&now.member) == Some(&now.since) => {
                self.answered(now.member);
            }
            Event::EnteredInError(now) => {
                self.on.retain(|(whose, since, _)| (*whose, *since) != (now.member, now.since));
            }
        }
    }
}

fn asks() -> impl Strategy<Value = Ask> {
    let member = (1u128..6).prop_map(|n| MemberId(Uuid::from_u128(n)));
    let some_day = prop_oneof![0i16..60, 8i16..16].prop_map(|n| FIRST + n.days());
    let other = (1u128..6).prop_map(|n| MemberId(Uuid::from_u128(n)));
    (0..19, member, other, some_day, 1u16..4).prop_map(|(kind, member, other, day, places)| match kind {
        12 | 13 => {
            let end = End { on: day + (i64::from(places) * 9 - 10).days(), completed: places > 2 };
            Ask::Record { member, starts_on: day, end, if_full: exceeds(places > 2) }
        }
        14..17 => {
            let other = day + (i64::from(places) * 5 - 10).days();
            let to = Correction {
                starts_on: (kind != 15).then_some(other),
                ends_on: (kind != 14).then(|| (places > 1).then(|| other + 9.days())),
                completed: (places > 2).then_some(true),
            };
            let reason = CorrectionReason::TypedWrong;
            Ask::Correct { member, since: day, to, reason, if_full: exceeds(places > 2) }
        }
        17 => Ask::MoveTurn { member, after: Some(other).filter(|_| places > 1), reason: BTreeMap::new() },
        18 => Ask::Enrol { member, starts_on: day, if_full: exceeds(true) },
        0 => Ask::Apply { member },
        1 | 2 => Ask::Enrol { member, starts_on: day, if_full: IfFull::Refuse },
        3..6 => Ask::Enrol { member, starts_on: day, if_full: IfFull::Wait },
        6 => Ask::Complete { member, ends_on: day },
        7 => Ask::Withdraw { member, ends_on: day, reason: BTreeMap::new() },
        8 => Ask::Decline { member, reason: DeclineReason::NoPlace },
        9 => Ask::Cancel { member, reason: CancelReason::Time },
        10 => Ask::TakeBack { member, since: day, reason: ErrorReason::Other },
        _ => Ask::SetCapacity { places: (places < 3).then(|| of(places)) },
    })
}

fn exceeds(does: bool) -> IfFull {
    if does { IfFull::Exceed(BeyondReason::Urgent) } else { IfFull::Refuse }
}

/// Whether it gives a place beyond the number.
fn is_beyond(event: &Event) -> bool {
    match event {
        Event::Enrolled(now) => now.beyond.is_some(),
        Event::Recorded(now) => now.beyond.is_some(),
        Event::Corrected(now) => now.beyond.is_some(),
        _ => false,
    }
}

/// What is asked on one day after another: days that began something are named more often than by chance.
fn asked() -> impl Strategy<Value = Vec<Command>> {
    let step = (asks(), prop::bool::weighted(0.3));
    prop::collection::vec(step, 1..60).prop_map(|steps| {
        let mut today = FIRST + 10.days();
        let mut command = |(ask, passes): (Ask, bool)| {
            today = if passes { today + 1.day() } else { today };
            Command { today: here(today), proposed_by: None, persons: Persons::default(), ask }
        };
        steps.into_iter().map(&mut command).collect()
    })
}

proptest! {
    #[test]
    fn whatever_is_asked_the_roster_keeps_its_promises(commands in asked()) {
        let (mut history, mut state, mut naive) = (vec![], State::default(), Naive::default());
        for command in &commands {
            asking_twice_changes_nothing::<Roster>(&history, command);
            let decided = Roster::decide(command, &state);
            if let (Ask::Enrol { starts_on, .. }, Err(Refusal::NoPlace { places, .. })) = (&command.ask, &decided) {
                let mut days = Naive::days().filter(|day| *day >= command.today.date().max(*starts_on));
                prop_assert!(days.any(|day| naive.people(day) >= places.get().into()), "there is a place");
            }
            for event in decided.unwrap_or_default() {
                let before: Vec<_> = Naive::days().map(|day| naive.people(day)).collect();
                naive.happened(&event);
                state = Roster::evolve(state, &event);
                let places = state.capacity.unwrap_or(Places::MOST).get();
                for (day, before) in Naive::days().zip(before).filter(|(day, _)| *day >= command.today.date()) {
                    let people = naive.people(day);
                    let more = people > before && people > places.into();
                    prop_assert!(!more || is_beyond(&event), "more than {} on {}", places, day);
                }
                history.push(event);
            }
            prop_assert!(naive.line.is_empty() || state.next_in_line(&command.persons, command.today.date()).is_none(), "a place stays free");
            prop_assert_eq!(state.anybody_waits(), !naive.line.is_empty());
            for member in (1..6).map(|n| MemberId(Uuid::from_u128(n))) {
                for day in Naive::days() {
                    prop_assert_eq!(state.covers(member, day), naive.covers(member, day), "{} on {}", member, day);
                }
            }
        }
    }
}

#[test]
fn all_of_many_are_enrolled_or_nobody() {
    let all = |members: &[MemberId]| ask(Ask::EnrolAll(members.iter().map(|member| (*member, day(1, 1))).collect()));
    let two = [Event::CapacitySet(CapacitySet { places: Some(2.try_into().unwrap()) })];
    let state = two.iter().fold(State::default(), Roster::evolve);
    assert!(matches!(Roster::decide(&all(&[ALICE, BOB, CID]), &state), Err(Refusal::NoPlace { .. })));
    let events = Roster::decide(&all(&[ALICE, BOB, ALICE]), &state).unwrap();
    assert_eq!(events.len(), 2, "who is named twice is enrolled once");
    let state = events.iter().fold(state, Roster::evolve);
    assert_eq!(Roster::decide(&all(&[ALICE, BOB]), &state), Ok(vec![]), "the same again changes nothing");
}

/// The same, by somebody whose acts are to be confirmed.
fn proposing(command: Command) -> Command {
    Command { proposed_by: Some("fay".parse().unwrap()), ..command }
}

fn confirmed(member: MemberId, since: Date) -> Event {
    Event::Confirmed(Confirmed { member, since })
}

fn confirms(member: MemberId, since: Date) -> Command {
    ask(Ask::Confirm { member, since })
}

/// The state after these commands, one after the other.
fn after(commands: impl IntoIterator<Item = Command>) -> State {
    commands.into_iter().fold(State::default(), |state, command| {
        let events = Roster::decide(&command, &state).unwrap();
        events.iter().fold(state, Roster::evolve)
    })
}

#[test]
fn what_is_put_forward_opens_nothing_until_somebody_else_confirms_it() {
    let (first, today) = (day(1, 1), day(2, 1));
    let put_forward = || proposing(enrol(ALICE, first));
    let state = after([put_forward()]);
    assert!(state.covers(ALICE, today) && !state.is_open(ALICE, &here(today)));
    let history = Roster::decide(&put_forward(), &State::default()).unwrap();
    asking_twice_changes_nothing::<Roster>(&[], &put_forward());
    asking_twice_changes_nothing::<Roster>(&history, &confirms(ALICE, first));
    given::<Roster>(history.clone()).when(&confirms(ALICE, first)).then(&[confirmed(ALICE, first)]);
    given::<Roster>(history.clone()).when(&enrol(ALICE, first)).then(&[confirmed(ALICE, first)]);
    given::<Roster>(history.clone()).when(&confirms(BOB, first)).then_refused(&Refusal::NotEnrolled);
    let nothing = Refusal::NothingSince { since: today };
    given::<Roster>(history).when(&confirms(ALICE, today)).then_refused(&nothing);
    assert!(after([put_forward(), confirms(ALICE, first)]).is_open(ALICE, &here(today)));
    assert!(after([enrol(ALICE, first)]).is_open(ALICE, &here(today)));
}

#[test]
fn an_application_keeps_who_made_it_from_stage_to_stage() {
    let today = day(2, 1);
    let on = |state: &State| state.is_open(ALICE, &here(today));
    let by_fay = |command| proposing(command);
    assert!(!on(&after([by_fay(apply(ALICE)), by_fay(enrol(ALICE, today))])));
    assert!(on(&after([apply(ALICE), by_fay(enrol(ALICE, today))])), "asked for by somebody with authority");
    assert!(on(&after([by_fay(apply(ALICE)), enrol(ALICE, today)])), "enrolled by such");
    assert!(on(&after([by_fay(apply(ALICE)), apply(ALICE), by_fay(enrol(ALICE, today))])), "said again by such");
    assert!(on(&after([by_fay(apply(ALICE)), confirms(ALICE, today), by_fay(enrol(ALICE, today))])));
    let declined = [apply(ALICE), by_fay(decline(ALICE)), by_fay(apply(ALICE)), by_fay(enrol(ALICE, today))];
    assert!(!on(&after(declined)), "what was declined opens nothing later");
    for (wait, opens) in [(enrol_or_wait(ALICE, today), true), (by_fay(enrol_or_wait(ALICE, today)), false)] {
        let promoted = after([set_capacity(Some(1)), enrol(BOB, today), wait, set_capacity(None)]);
        assert_eq!((promoted.covers(ALICE, today), on(&promoted)), (true, opens));
    }
}

/// Bob and Dan are found to be one person, who goes on as Bob.
fn dan_is_bob() -> Persons {
    let merged = people::Merged { from: DAN, into: BOB, objections: BTreeSet::new(), restricted: false };
    People::evolve(people::State::default(), &people::Event::Merged(merged)).persons().clone()
}

/// The same, when Dan is Bob.
fn as_one(command: Command) -> Command {
    Command { persons: dan_is_bob(), ..command }
}

/// Two places, which Bob and Dan have; Alice waits, and after her Cid.
fn two_places() -> Vec<Event> {
    let full = vec![capacity(2), enrolled(BOB, day(1, 5)), enrolled(DAN, day(1, 20))];
    [full, vec![waitlisted(ALICE, day(2, 1)), waitlisted(CID, day(2, 1))]].concat()
}

#[test]
fn the_place_that_a_person_had_twice_goes_to_whoever_has_waited_longest_and_parting_them_sends_nobody_away() {
    let settle = || ask(Ask::Settle);
    given::<Roster>(two_places()).when(&settle()).then_nothing();
    given::<Roster>(two_places()).when(&as_one(settle())).then(&[promoted(ALICE, day(2, 1))]);
    let after = [two_places(), vec![promoted(ALICE, day(2, 1))]].concat();
    given::<Roster>(after.clone()).when(&as_one(settle())).then_nothing();
    given::<Roster>(after.clone()).when(&settle()).then_nothing();
    // Three on two places: the first who leaves makes no room, the second does.
    given::<Roster>(after.clone()).when(&withdraw(DAN, day(2, 9))).then(&[withdrawn(DAN, day(2, 9))]);
    let two_left = [after, vec![withdrawn(DAN, day(2, 9))]].concat();
    let leaves = [withdrawn(ALICE, day(2, 9)), promoted(CID, day(2, 10))];
    given::<Roster>(two_left).when(&withdraw(ALICE, day(2, 9))).then(&leaves);
}

#[test]
fn a_person_is_enrolled_or_asks_under_any_of_their_records() {
    let already = Refusal::AlreadyEnrolled { since: day(1, 5) };
    let history = || vec![enrolled(DAN, day(1, 5))];
    for record in [BOB, DAN] {
        given::<Roster>(history()).when(&as_one(enrol(record, day(2, 1)))).then_refused(&already);
        given::<Roster>(history()).when(&as_one(apply(record))).then_refused(&already);
        given::<Roster>(history()).when(&as_one(enrol(record, day(1, 5)))).then_nothing();
        // What begins, begins under the record of which it was asked, or else under the one under which they go on.
        given::<Roster>([]).when(&as_one(enrol(record, day(2, 1)))).then(&[enrolled(BOB, day(2, 1))]);
        given::<Roster>([]).when(&as_one(apply(record))).then(&[applied(BOB)]);
        given::<Roster>([applied(DAN)]).when(&as_one(apply(record))).then_nothing();
        given::<Roster>([applied(DAN)]).when(&as_one(enrol(record, day(2, 1)))).then(&[enrolled(DAN, day(2, 1))]);
        let overlaps = Refusal::Overlaps { ended_on: day(3, 1) };
        let left = [enrolled(DAN, day(1, 5)), withdrawn(DAN, day(3, 1))];
        given::<Roster>(left).when(&as_one(enrol(record, day(3, 1)))).then_refused(&overlaps);
    }
    let many: Vec<_> = (0..APPLICATIONS_MAX as u128 - 2).map(|n| applied(MemberId(Uuid::from_u128(100 + n)))).collect();
    let full = [many, vec![applied(BOB), applied(DAN)]].concat();
    given::<Roster>(full.clone()).when(&apply(ALICE)).then_refused(&Refusal::TooManyAsk);
    given::<Roster>(full).when(&as_one(apply(ALICE))).then(&[applied(ALICE)]);
}

#[test]
fn what_ends_for_a_person_ends_under_each_of_their_records() {
    for (leave, left) in [(withdraw as fn(_, _) -> _, withdrawn as fn(_, _) -> _), (complete, completed)] {
        let both = [left(BOB, day(2, 9)), left(DAN, day(2, 9)), promoted(ALICE, day(2, 1)), promoted(CID, day(2, 10))];
        for record in [BOB, DAN] {
            given::<Roster>(two_places()).when(&as_one(leave(record, day(2, 9)))).then(&both);
            asking_twice_changes_nothing::<Roster>(&two_places(), &as_one(leave(record, day(2, 9))));
        }
    }
    let history = || vec![enrolled(BOB, day(1, 5)), enrolled(DAN, day(2, 20))];
    let gives_up = Event::Cancelled(Cancelled { member: DAN, reason: CancelReason::NotSaid });
    given::<Roster>(history()).when(&as_one(withdraw(DAN, day(2, 9)))).then(&[withdrawn(BOB, day(2, 9)), gives_up]);
    let began = vec![enrolled(BOB, day(1, 5)), enrolled(DAN, day(1, 20))];
    let before = Refusal::EndsBeforeStart { starts_on: day(1, 20) };
    given::<Roster>(began.clone()).when(&as_one(withdraw(BOB, day(1, 9)))).then_refused(&before);
    let since = [taken_back(DAN, day(1, 20))];
    given::<Roster>(began).when(&as_one(take_back(BOB, day(1, 20)))).then(&since);
    let reason = |text: &str| -> Sealed { text.parse().unwrap() };
    let reasons = BTreeMap::from([(BOB, reason("of Bob")), (DAN, reason("of Dan"))]);
    let why = Ask::Withdraw { member: DAN, ends_on: day(2, 9), reason: reasons.clone() };
    let events =
        Roster::decide(&as_one(ask(why)), &two_places().iter().fold(State::default(), Roster::evolve)).unwrap();
    for event in &events[..2] {
        let Event::Withdrawn(Withdrawn { member, reason, .. }) = event else { panic!("{event:?}") };
        assert_eq!(reason.as_ref(), reasons.get(member), "each is sealed for the record that it is of");
    }
}

#[test]
fn a_person_has_one_turn_the_longest_and_none_while_they_have_a_place() {
    let one = || vec![capacity(1), enrolled(ALICE, day(1, 5))];
    let waits = || [one(), [DAN, CID, BOB].map(|member| waitlisted(member, day(2, 1))).to_vec()].concat();
    let freed = [withdrawn(ALICE, day(2, 9)), promoted(DAN, day(2, 10))];
    given::<Roster>(waits()).when(&as_one(withdraw(ALICE, day(2, 9)))).then(&freed);
    let two = [Event::CapacitySet(CapacitySet { places: Some(of(2)) }), promoted(DAN, day(2, 1))];
    given::<Roster>(waits()).when(&as_one(set_capacity(Some(2)))).then(&two);
    let three = [capacity(3), promoted(DAN, day(2, 1)), promoted(CID, day(2, 1))];
    given::<Roster>(waits()).when(&as_one(set_capacity(Some(3)))).then(&three);
    // Parted again, Bob has his turn; there is room for him.
    let after = [waits(), three.to_vec(), vec![capacity(4)]].concat();
    given::<Roster>(after.clone()).when(&as_one(ask(Ask::Settle))).then_nothing();
    given::<Roster>(after.clone()).when(&ask(Ask::Settle)).then(&[promoted(BOB, day(2, 1))]);
    // Who is told no, gives up or leaves does so whole.
    let no = |member| Event::Declined(Declined { member, reason: DeclineReason::NoPlace });
    given::<Roster>(waits()).when(&as_one(decline(BOB))).then(&[no(BOB), no(DAN)]);
    given::<Roster>(waits()).when(&as_one(cancel(DAN))).then(&[cancelled(BOB), cancelled(DAN)]);
    given::<Roster>(after.clone()).when(&as_one(decline(BOB))).then_refused(&Refusal::NotAsking);
    let never_mind = Event::Cancelled(Cancelled { member: BOB, reason: CancelReason::NotSaid });
    given::<Roster>(after).when(&as_one(withdraw(BOB, day(2, 9)))).then(&[withdrawn(DAN, day(2, 9)), never_mind]);
}

#[test]
fn whoever_waits_under_one_record_and_leaves_under_the_other_comes_after_that() {
    let history = [
        capacity(1),
        enrolled(BOB, day(1, 5)),
        Event::Withdrawn(Withdrawn { member: BOB, ends_on: day(3, 31), reason: None }),
        capacity(2),
        enrolled(ALICE, day(1, 5)),
        waitlisted(DAN, day(2, 1)),
    ];
    given::<Roster>(history).when(&as_one(ask(Ask::Settle))).then(&[promoted(DAN, day(4, 1))]);
}

#[test]
fn one_word_confirms_what_a_person_has_twice() {
    let put_forward = |member| {
        Event::Enrolled(Enrolled { member, starts_on: day(1, 5), proposed_by: "fay".parse().ok(), beyond: None })
    };
    let history = || vec![put_forward(BOB), put_forward(DAN)];
    let both = [confirmed(BOB, day(1, 5)), confirmed(DAN, day(1, 5))];
    given::<Roster>(history()).when(&as_one(confirms(DAN, day(1, 5)))).then(&both);
    given::<Roster>(history()).when(&confirms(DAN, day(1, 5))).then(&both[1..]);
    let asked = vec![Event::Applied(Applied { member: DAN, on: day(2, 1), proposed_by: None })];
    let enrols = proposing(as_one(enrol(BOB, day(2, 1))));
    given::<Roster>(asked).when(&enrols).then(&[enrolled(DAN, day(2, 1))]);
}

/// Who is who at a time: 2 is 1, 3 is 2 and so 1, 5 is 4, as far as it is so.
fn persons(merges: [bool; 3]) -> Persons {
    let member = |n| MemberId(Uuid::from_u128(n));
    let merges = [(3, 2), (2, 1), (5, 4)].into_iter().zip(merges).filter(|(_, is)| *is);
    let one = |((from, into), _)| people::Merged {
        from: member(from),
        into: member(into),
        objections: BTreeSet::new(),
        restricted: false,
    };
    merges
        .map(one)
        .map(people::Event::Merged)
        .fold(people::State::default(), |state, event| People::evolve(state, &event))
        .persons()
        .clone()
}

proptest! {
    /// While records are merged and parted, and the roster is settled after each time.
    #[test]
    fn whatever_is_asked_a_person_has_one_place_and_one_turn(
        steps in prop::collection::vec((asks(), prop::option::weighted(0.2, any::<[bool; 3]>())), 1..60),
    ) {
        let everybody: Vec<_> = (1..6).map(|n| MemberId(Uuid::from_u128(n))).collect();
        let (mut state, mut history, mut who, mut today) = (State::default(), vec![], Persons::default(), FIRST + 10.days());
        for (ask, merges) in steps {
            let settles = merges.is_some();
            who = merges.map_or(who, persons);
            today += 1.day();
            let asks = [settles.then_some(Ask::Settle), Some(ask)].into_iter().flatten();
            for ask in asks {
                let command = Command { today: here(today), proposed_by: None, persons: who.clone(), ask };
                asking_twice_changes_nothing::<Roster>(&history, &command);
                for event in Roster::decide(&command, &state).unwrap_or_default() {
                    let place = match &event {
                        Event::Enrolled(Enrolled { member, starts_on, beyond: None, .. })
                        | Event::Promoted(Promoted { member, starts_on }) => Some((*member, *starts_on)),
                        _ => None,
                    };
                    let on = |state: &State, member: MemberId, day| {
                        who.records(&member).iter().any(|record| state.covers(*record, day))
                    };
                    let days = |from: Date| Naive::days().filter(move |day| *day >= from);
                    if let Some((member, starts_on)) = place {
                        prop_assert!(!days(starts_on).any(|day| on(&state, member, day)), "{member} has a place twice");
                    }
                    state = Roster::evolve(state, &event);
                    if let Some((_, starts_on)) = place {
                        let places = state.capacity.unwrap_or(Places::MOST).get();
                        for day in days(starts_on.max(today)) {
                            let people: BTreeSet<_> =
                                everybody.iter().filter(|one| on(&state, **one, day)).map(|one| who.of(*one)).collect();
                            prop_assert!(people.len() <= places.into(), "more than {places} on {day}");
                        }
                    }
                    history.push(event);
                }
                prop_assert!(state.next_in_line(&who, today).is_none(), "a place stays free");
            }
        }
    }
}
