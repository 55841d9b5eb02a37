//! What a roster promises of what was recorded wrong, or late.

use super::*;

fn record(member: MemberId, starts_on: Date, ends_on: Date) -> Command {
    let end = End { on: ends_on, completed: false };
    ask(Ask::Record { member, starts_on, end, if_full: IfFull::Refuse })
}
fn recorded(member: MemberId, starts_on: Date, ends_on: Date) -> Event {
    let end = End { on: ends_on, completed: false };
    Event::Recorded(Recorded { member, starts_on, end, proposed_by: None, beyond: None })
}
fn correct(member: MemberId, since: Date, to: Correction) -> Command {
    ask(Ask::Correct { member, since, to, reason: CorrectionReason::TypedWrong, if_full: IfFull::Refuse })
}
fn corrected(member: MemberId, since: Date, starts_on: Date, ends_on: Option<Date>) -> Event {
    let end = ends_on.map(|on| End { on, completed: false });
    let (reason, beyond) = (CorrectionReason::TypedWrong, None);
    Event::Corrected(Corrected { member, since, starts_on, end, reason, beyond })
}
fn starts(starts_on: Date) -> Correction {
    Correction { starts_on: Some(starts_on), ..Correction::default() }
}
fn ends(ends_on: Date) -> Correction {
    Correction { ends_on: Some(Some(ends_on)), ..Correction::default() }
}
fn lasts() -> Correction {
    Correction { ends_on: Some(None), ..Correction::default() }
}
/// The same by a decision that there is one more place.
fn beyond(mut command: Command) -> Command {
    match &mut command.ask {
        Ask::Enrol { if_full, .. } | Ask::Record { if_full, .. } | Ask::Correct { if_full, .. } => {
            *if_full = IfFull::Exceed(BeyondReason::OurMistake);
        }
        other => panic!("{other:?}"),
    }
    command
}
fn move_turn(member: MemberId, after: Option<MemberId>) -> Command {
    ask(Ask::MoveTurn { member, after, reason: BTreeMap::new() })
}
fn turn_moved(member: MemberId, after: Option<MemberId>) -> Event {
    Event::TurnMoved(TurnMoved { member, after, reason: None })
}

/// One place, which Alice left on the last of January; Bob has it from today on.
fn left() -> Vec<Event> {
    vec![
        capacity(1),
        enrolled(ALICE, day(1, 5)),
        waitlisted(BOB, day(2, 1)),
        withdrawn(ALICE, day(1, 31)),
        promoted(BOB, day(2, 1)),
    ]
}

#[test]
fn an_end_that_was_typed_wrong_is_corrected_and_who_got_the_place_keeps_it() {
    given::<Roster>(left()).when(&withdraw(ALICE, day(1, 20))).then(&[withdrawn(ALICE, day(1, 20))]);
    let shorter = [corrected(ALICE, day(1, 5), day(1, 5), Some(day(1, 20)))];
    given::<Roster>(left()).when(&correct(ALICE, day(1, 5), ends(day(1, 20)))).then(&shorter);
    // Bob has the place from today on: not a day of that, unless somebody decides so.
    for to in [ends(day(2, 1)), ends(day(6, 1)), lasts()] {
        let taken = Refusal::NoPlace { places: of(1), on: Some(day(2, 1)), free_from: None };
        given::<Roster>(left()).when(&correct(ALICE, day(1, 5), to)).then_refused(&taken);
        let command = beyond(correct(ALICE, day(1, 5), to));
        let events = Roster::decide(&command, &left().iter().fold(State::default(), Roster::evolve)).unwrap();
        assert!(matches!(&events[..], [Event::Corrected(now)] if now.beyond == Some(BeyondReason::OurMistake)));
        asking_twice_changes_nothing::<Roster>(&left(), &command);
    }
    let taken = Refusal::NoPlace { places: of(1), on: Some(day(2, 1)), free_from: None };
    given::<Roster>(left()).when(&withdraw(ALICE, day(2, 3))).then_refused(&taken);
    // Yesterday is past, whoever has the place now.
    let earlier = [left(), vec![withdrawn(ALICE, day(1, 9))]].concat();
    given::<Roster>(earlier).when(&withdraw(ALICE, day(1, 31))).then(&[withdrawn(ALICE, day(1, 31))]);
}

#[test]
fn an_end_in_the_future_comes_forward_and_the_place_goes_to_whoever_waits() {
    let planned = || [one_place(), vec![completed(ALICE, day(6, 30))]].concat();
    let sooner = [withdrawn(ALICE, day(2, 9)), promoted(BOB, day(2, 10))];
    given::<Roster>(planned()).when(&withdraw(ALICE, day(2, 9))).then(&sooner);
    asking_twice_changes_nothing::<Roster>(&planned(), &withdraw(ALICE, day(2, 9)));
    // Bob was to come from July on already: he still is.
    let known = || [planned(), vec![promoted(BOB, day(7, 1))]].concat();
    given::<Roster>(known()).when(&withdraw(ALICE, day(2, 9))).then(&sooner[..1]);
    let later = Refusal::NoPlace { places: of(1), on: Some(day(7, 1)), free_from: None };
    given::<Roster>(known()).when(&complete(ALICE, day(7, 9))).then_refused(&later);
}

#[test]
fn a_start_that_was_typed_wrong_is_corrected_and_needs_no_place_for_what_is_past() {
    for right in [day(1, 1), day(1, 9)] {
        let command = correct(ALICE, day(1, 5), starts(right));
        let to = [corrected(ALICE, day(1, 5), right, Some(day(1, 31)))];
        given::<Roster>(left()).when(&command).then(&to);
        asking_twice_changes_nothing::<Roster>(&left(), &command);
        // Who has it from now on is named by the day that counts.
        let after = [left(), to.to_vec()].concat();
        let gone = Refusal::NothingSince { since: day(1, 5) };
        given::<Roster>(after.clone()).when(&correct(ALICE, day(1, 5), starts(day(1, 7)))).then_refused(&gone);
        given::<Roster>(after.clone()).when(&take_back(ALICE, day(1, 5))).then_refused(&gone);
        given::<Roster>(after).when(&take_back(ALICE, right)).then(&[taken_back(ALICE, right)]);
    }
    let before = Refusal::EndsBeforeStart { starts_on: day(2, 3) };
    given::<Roster>(left()).when(&correct(ALICE, day(1, 5), starts(day(2, 3)))).then_refused(&before);
    given::<Roster>(left()).when(&correct(CID, day(1, 5), starts(day(2, 3)))).then_refused(&Refusal::NotEnrolled);
    // What is to come later leaves the days before to others, and comes earlier only if nobody has them.
    let soon = || vec![capacity(1), enrolled(ALICE, day(3, 1)), enrolled(BOB, day(1, 5)), withdrawn(BOB, day(2, 20))];
    let free = [corrected(ALICE, day(3, 1), day(2, 21), None)];
    given::<Roster>(soon()).when(&correct(ALICE, day(3, 1), starts(day(2, 21)))).then(&free);
    let taken = Refusal::NoPlace { places: of(1), on: Some(day(2, 20)), free_from: None };
    given::<Roster>(soon()).when(&correct(ALICE, day(3, 1), starts(day(2, 20)))).then_refused(&taken);
}

#[test]
fn a_correction_never_meets_another_enrolment_of_the_member() {
    let twice = || {
        let first = [enrolled(ALICE, day(1, 5)), withdrawn(ALICE, day(1, 9))];
        [&first[..], &[enrolled(ALICE, day(1, 20)), withdrawn(ALICE, day(1, 31))]].concat()
    };
    let second = Refusal::Meets { starts_on: day(1, 20), ends_on: Some(day(1, 31)) };
    for to in [ends(day(1, 20)), ends(day(2, 9)), lasts()] {
        given::<Roster>(twice()).when(&correct(ALICE, day(1, 5), to)).then_refused(&second);
    }
    let first = Refusal::Meets { starts_on: day(1, 5), ends_on: Some(day(1, 9)) };
    given::<Roster>(twice()).when(&correct(ALICE, day(1, 20), starts(day(1, 9)))).then_refused(&first);
    given::<Roster>(twice()).when(&record(ALICE, day(1, 9), day(1, 12))).then_refused(&first);
    let between = [recorded(ALICE, day(1, 10), day(1, 19))];
    given::<Roster>(twice()).when(&record(ALICE, day(1, 10), day(1, 19))).then(&between);
    let next_to = [corrected(ALICE, day(1, 5), day(1, 1), Some(day(1, 19)))];
    let both = Correction { starts_on: Some(day(1, 1)), ..ends(day(1, 19)) };
    given::<Roster>(twice()).when(&correct(ALICE, day(1, 5), both)).then(&next_to);
}

#[test]
fn who_lasts_by_a_correction_waits_no_more() {
    let waits = [capacity(2), enrolled(ALICE, day(1, 5)), withdrawn(ALICE, day(1, 9)), waitlisted(ALICE, day(3, 1))];
    let gives_up = Event::Cancelled(Cancelled { member: ALICE, reason: CancelReason::NotSaid });
    let history = [&waits[..1], &[enrolled(BOB, day(1, 5)), enrolled(CID, day(1, 5))], &waits[1..]].concat();
    let taken = Refusal::NoPlace { places: of(2), on: Some(day(2, 1)), free_from: None };
    given::<Roster>(history.clone()).when(&correct(ALICE, day(1, 5), lasts())).then_refused(&taken);
    let history = [history, vec![capacity(3)]].concat();
    let there = [gives_up, corrected(ALICE, day(1, 5), day(1, 5), None)];
    given::<Roster>(history).when(&correct(ALICE, day(1, 5), lasts())).then(&there);
}

#[test]
fn a_stay_of_the_past_is_recorded_in_a_group_that_is_full_today() {
    given::<Roster>(left()).when(&record(CID, day(1, 6), day(1, 31))).then(&[recorded(CID, day(1, 6), day(1, 31))]);
    asking_twice_changes_nothing::<Roster>(&left(), &record(CID, day(1, 6), day(1, 31)));
    let today = Refusal::NoPlace { places: of(1), on: Some(day(2, 1)), free_from: None };
    given::<Roster>(left()).when(&record(CID, day(1, 6), day(2, 1))).then_refused(&today);
    let before = Refusal::EndsBeforeStart { starts_on: day(1, 6) };
    given::<Roster>(left()).when(&record(CID, day(1, 6), day(1, 5))).then_refused(&before);
    // Who waits keeps the turn; who is there now was there before, too.
    let waits = [left(), vec![waitlisted(CID, day(2, 1)), recorded(CID, day(1, 6), day(1, 9))]].concat();
    let next = [withdrawn(BOB, day(2, 9)), promoted(CID, day(2, 10))];
    given::<Roster>(waits).when(&withdraw(BOB, day(2, 9))).then(&next);
    given::<Roster>(left()).when(&record(BOB, day(1, 6), day(1, 31))).then(&[recorded(BOB, day(1, 6), day(1, 31))]);
    let now = Refusal::Meets { starts_on: day(2, 1), ends_on: None };
    given::<Roster>(left()).when(&record(BOB, day(1, 6), day(2, 1))).then_refused(&now);
}

#[test]
fn what_a_facilitator_records_of_the_past_opens_nothing_until_it_is_confirmed() {
    let state = after([proposing(record(ALICE, day(1, 6), day(2, 9)))]);
    assert!(state.covers(ALICE, day(2, 1)) && !state.is_open(ALICE, &here(day(2, 1))));
    let state = after([proposing(record(ALICE, day(1, 6), day(2, 9))), confirms(ALICE, day(1, 6))]);
    assert!(state.is_open(ALICE, &here(day(2, 1))));
}

#[test]
fn what_was_taken_back_and_is_over_is_recorded_again_with_its_end_if_there_is_no_place_now() {
    let taken_back = || [left(), vec![taken_back(ALICE, day(1, 5))]].concat();
    for right in [day(1, 5), day(1, 9)] {
        let again = [recorded(ALICE, right, day(1, 31))];
        given::<Roster>(taken_back()).when(&enrol(ALICE, right)).then(&again);
        asking_twice_changes_nothing::<Roster>(&taken_back(), &enrol(ALICE, right));
    }
    let full = Refusal::NoPlace { places: of(1), on: None, free_from: None };
    given::<Roster>(taken_back()).when(&enrol(ALICE, day(2, 1))).then_refused(&full);
    given::<Roster>(taken_back()).when(&enrol(CID, day(1, 5))).then_refused(&full);
    let room = [taken_back(), vec![capacity(2)]].concat();
    given::<Roster>(room).when(&enrol(ALICE, day(1, 5))).then(&[enrolled(ALICE, day(1, 5))]);
}

#[test]
fn somebody_decides_that_there_is_one_more_place_and_nobody_is_promoted_until_there_is_room() {
    let command = beyond(enrol(DAN, day(2, 1)));
    let one_more = Event::Enrolled(Enrolled {
        member: DAN,
        starts_on: day(2, 1),
        proposed_by: None,
        beyond: Some(BeyondReason::OurMistake),
    });
    given::<Roster>(one_place()).when(&command).then(std::slice::from_ref(&one_more));
    asking_twice_changes_nothing::<Roster>(&one_place(), &command);
    let two = [one_place(), vec![one_more]].concat();
    given::<Roster>(two.clone()).when(&withdraw(ALICE, day(2, 9))).then(&[withdrawn(ALICE, day(2, 9))]);
    let none = [two, vec![withdrawn(ALICE, day(2, 9))]].concat();
    let next = [withdrawn(DAN, day(2, 9)), promoted(BOB, day(2, 10))];
    given::<Roster>(none).when(&withdraw(DAN, day(2, 9))).then(&next);
    // A place that there is is none beyond the number, and more than a roster can hold are never.
    given::<Roster>([capacity(1)]).when(&command).then(&[enrolled(DAN, day(2, 1))]);
    let member = |n: u16| MemberId(Uuid::from_u128(u128::from(n) + 100));
    let most: Vec<_> = (0..MEMBERS_MAX).map(|n| enrolled(member(n), day(1, 1))).collect();
    given::<Roster>(most.clone()).when(&command).then_refused(&Refusal::Full);
    given::<Roster>([most, vec![capacity(1)]].concat()).when(&command).then_refused(&Refusal::Full);
}

#[test]
fn a_turn_is_moved_behind_somebody_and_whoever_is_first_then_gets_the_place() {
    let waits = || [one_place(), vec![waitlisted(DAN, day(2, 1))]].concat();
    given::<Roster>(waits()).when(&move_turn(DAN, Some(BOB))).then(&[turn_moved(DAN, Some(BOB))]);
    given::<Roster>(waits()).when(&move_turn(DAN, None)).then(&[turn_moved(DAN, None)]);
    given::<Roster>(waits()).when(&move_turn(DAN, Some(CID))).then_nothing();
    given::<Roster>(waits()).when(&move_turn(BOB, None)).then_nothing();
    for nobody in [ALICE, DAN, MemberId(Uuid::from_u128(9))] {
        given::<Roster>(waits()).when(&move_turn(DAN, Some(nobody))).then_refused(&Refusal::NotWaiting);
    }
    given::<Roster>(waits()).when(&move_turn(ALICE, None)).then_refused(&Refusal::NotAsking);
    given::<Roster>([]).when(&move_turn(ALICE, None)).then_refused(&Refusal::NotEnrolled);
    let moved = [waits(), vec![turn_moved(DAN, None), turn_moved(BOB, Some(CID))]].concat();
    let three = [capacity(3), promoted(DAN, day(2, 1)), promoted(CID, day(2, 1))];
    given::<Roster>(moved).when(&set_capacity(Some(3))).then(&three);
}

#[test]
fn a_person_who_waits_twice_has_one_turn_that_is_moved() {
    // Dan is Bob: their turn is Bob's.
    let waits = || {
        [one_place(), vec![waitlisted(DAN, day(2, 1)), waitlisted(MemberId(Uuid::from_u128(5)), day(2, 1))]].concat()
    };
    let five = MemberId(Uuid::from_u128(5));
    for record in [BOB, DAN] {
        let behind = [turn_moved(BOB, Some(CID)), turn_moved(DAN, Some(BOB))];
        given::<Roster>(waits()).when(&as_one(move_turn(record, Some(CID)))).then(&behind);
        asking_twice_changes_nothing::<Roster>(&waits(), &as_one(move_turn(record, Some(five))));
        given::<Roster>(waits()).when(&as_one(move_turn(five, Some(record)))).then(&[turn_moved(five, Some(BOB))]);
    }
    given::<Roster>(waits()).when(&as_one(move_turn(BOB, Some(DAN)))).then_refused(&Refusal::NotWaiting);
}

#[test]
fn what_a_person_has_twice_is_corrected_under_each_record() {
    let twice = || {
        vec![enrolled(BOB, day(1, 5)), enrolled(DAN, day(1, 5)), withdrawn(BOB, day(1, 31)), withdrawn(DAN, day(1, 31))]
    };
    let both = [corrected(BOB, day(1, 5), day(1, 5), None), corrected(DAN, day(1, 5), day(1, 5), None)];
    given::<Roster>(twice()).when(&as_one(correct(DAN, day(1, 5), lasts()))).then(&both);
    asking_twice_changes_nothing::<Roster>(&twice(), &as_one(correct(DAN, day(1, 5), lasts())));
    let both = [withdrawn(BOB, day(1, 9)), withdrawn(DAN, day(1, 9))];
    given::<Roster>(twice()).when(&as_one(withdraw(DAN, day(1, 9)))).then(&both);
    given::<Roster>(twice())
        .when(&as_one(record(DAN, day(1, 31), day(2, 9))))
        .then_refused(&Refusal::Meets { starts_on: day(1, 5), ends_on: Some(day(1, 31)) });
}

proptest! {
    /// Whatever is recorded wrong, there is a way to what is right: here, that one correction after another of one stay
    /// leads to the days that are wanted, past or to come, with places for everybody.
    #[test]
    fn any_days_become_any_other_days(
        first in (0i16..60, 0i16..40), then in prop::collection::vec((0i16..60, prop::option::of(0i16..40)), 1..6),
    ) {
        let days = |(from, long): (i16, i16)| (FIRST + from.days(), FIRST + (from + long).days());
        let (starts_on, ends_on) = days(first);
        let mut state = after([record(ALICE, starts_on, ends_on)]);
        let mut since = starts_on;
        for (from, long) in then {
            let (starts_on, ends_on) = (FIRST + from.days(), long.map(|long| FIRST + (from + long).days()));
            let to = Correction { starts_on: Some(starts_on), ends_on: Some(ends_on), completed: None };
            for event in Roster::decide(&correct(ALICE, since, to), &state).expect("nobody is in the way") {
                state = Roster::evolve(state, &event);
            }
            since = starts_on;
            for day in Naive::days() {
                let is = starts_on <= day && ends_on.is_none_or(|end| day <= end);
                prop_assert_eq!(state.covers(ALICE, day), is, "{}", day);
            }
        }
    }
}
