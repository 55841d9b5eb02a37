//! What is promised of taking back.

use proptest::prelude::*;

use super::*;
use crate::{
    Decider,
    decider::spec::{asking_twice_changes_nothing, given},
    meeting::{
        AttendanceCorrected, Cancelled, Command, DidNotOccur, Mark, Meeting, State,
        tests::{
            ALICE, BOB, cancelled, commands, correct, count, entry, held, mood_of, mood_recorded, moods, of_one,
            opened, plan, planned, record, recorded, walked_in, why,
        },
    },
};

fn reopen() -> Command {
    Command::Reopen { reason: why("closed too soon") }
}
fn reopened() -> Event {
    Event::Reopened(Reopened { reason: why("closed too soon") })
}
fn did_not_occur() -> Command {
    Command::DidNotOccur { reason: why("nobody came") }
}
fn take_back(member: MemberId) -> Command {
    Command::TakeBack(of_one(&[member], Mark::Present, true).person)
}
fn taken_back(member: MemberId, was: Mark) -> Event {
    Event::AttendanceTakenBack(AttendanceTakenBack { member, was: entry(was) })
}
fn after(history: &[Event]) -> State {
    history.iter().fold(State::default(), Meeting::evolve)
}

#[test]
fn a_register_that_was_closed_by_mistake_is_opened_again_and_goes_on_as_it_was() {
    let history = vec![planned(), opened(), recorded(ALICE, Mark::Late), held()];
    given::<Meeting>(history.clone()).when(&reopen()).then(&[reopened()]);
    asking_twice_changes_nothing::<Meeting>(&history, &reopen());
    let open = [history, vec![reopened()]].concat();
    given::<Meeting>(open.clone()).when(&record(ALICE, Mark::Absent)).then(&[recorded(ALICE, Mark::Absent)]);
    given::<Meeting>(open.clone()).when(&record(ALICE, Mark::Late)).then_nothing();
    given::<Meeting>(open.clone()).when(&correct(ALICE, None)).then_refused(&Refusal::NotClosed);
    given::<Meeting>(open).when(&Command::Hold).then(&[held()]);
}

#[test]
fn only_a_register_that_was_closed_is_opened_again() {
    given::<Meeting>([]).when(&reopen()).then_refused(&Refusal::Unknown);
    given::<Meeting>([planned()]).when(&reopen()).then_refused(&Refusal::NotOpen { status: Status::Planned });
    given::<Meeting>([planned(), opened()]).when(&reopen()).then_nothing();
    given::<Meeting>([planned(), cancelled()])
        .when(&reopen())
        .then_refused(&Refusal::NotPossible { status: Status::Cancelled, to: Status::Open });
}

#[test]
fn moods_that_ended_when_the_register_was_closed_do_not_come_back() {
    let history = [planned(), opened(), mood_recorded(ALICE, "7", "fay"), held(), reopened()];
    let State::Known(register) = after(&history) else { panic!("it is known") };
    assert!(register.moods.is_empty());
    // The same as before is said anew: whether it is the same, nobody can find out.
    let asked = moods("fay", vec![mood_of(&[ALICE], true, "7")]);
    given::<Meeting>(history).when(&asked).then(&[mood_recorded(ALICE, "7", "fay")]);
}

#[test]
fn a_meeting_that_was_held_by_mistake_did_not_occur_once_nothing_says_that_somebody_came() {
    let refused = Refusal::AttendanceRecorded { to: Status::DidNotOccur };
    let history = vec![planned(), opened(), recorded(ALICE, Mark::Late), recorded(BOB, Mark::Absent), held()];
    given::<Meeting>(history.clone()).when(&did_not_occur()).then_refused(&refused);
    let corrected = AttendanceCorrected {
        member: ALICE,
        was: Some(entry(Mark::Late)),
        now: None,
        reason: why("she was elsewhere"),
    };
    let nobody = [history, vec![Event::AttendanceCorrected(corrected)]].concat();
    let ended = Event::DidNotOccur(DidNotOccur { reason: why("nobody came") });
    given::<Meeting>(nobody.clone()).when(&did_not_occur()).then(std::slice::from_ref(&ended));
    let heads = Meeting::decide(&count(1, Some("by the door")), &after(&nobody)).unwrap();
    given::<Meeting>([nobody.clone(), heads].concat()).when(&did_not_occur()).then_refused(&refused);
    asking_twice_changes_nothing::<Meeting>(&nobody, &did_not_occur());
    given::<Meeting>([nobody, vec![ended]].concat())
        .when(&Command::Reinstate { reason: why("they were in the garden") })
        .then(&[Event::Reinstated(crate::meeting::Reinstated { reason: why("they were in the garden") })]);
    given::<Meeting>([planned(), opened(), held()])
        .when(&Command::Cancel { reason: why("snow") })
        .then(&[Event::Cancelled(Cancelled { reason: why("snow") })]);
}

#[test]
fn a_mark_is_taken_back_while_the_register_is_open_and_corrected_afterwards() {
    let history = vec![planned(), opened(), recorded(ALICE, Mark::Late), walked_in(BOB)];
    given::<Meeting>(history.clone()).when(&take_back(ALICE)).then(&[taken_back(ALICE, Mark::Late)]);
    given::<Meeting>(history.clone()).when(&take_back(BOB)).then(&[taken_back(BOB, Mark::Present)]);
    asking_twice_changes_nothing::<Meeting>(&history, &take_back(BOB));
    given::<Meeting>([planned()]).when(&take_back(ALICE)).then_refused(&Refusal::NotOpen { status: Status::Planned });
    let closed = [history, vec![held()]].concat();
    given::<Meeting>(closed.clone()).when(&take_back(BOB)).then_refused(&Refusal::RegisterClosed);
    let corrected =
        AttendanceCorrected { member: BOB, was: Some(entry(Mark::Present)), now: None, reason: why("told us") };
    let correct = Command::Correct { records: vec![(BOB, why("told us"))], to: None, enrolled: false };
    given::<Meeting>(closed).when(&correct).then(&[Event::AttendanceCorrected(corrected)]);
}

#[test]
fn taking_back_is_of_all_that_is_said_of_a_person_and_nothing_is_told_of_nobody() {
    let history = vec![planned(), opened(), recorded(ALICE, Mark::Late), recorded(BOB, Mark::Absent)];
    let both = Command::TakeBack(of_one(&[ALICE, BOB], Mark::Present, true).person);
    given::<Meeting>(history.clone()).when(&both).then(&[taken_back(ALICE, Mark::Late), taken_back(BOB, Mark::Absent)]);
    let erased = Person { erased: true, ..of_one(&[ALICE], Mark::Present, true).person };
    given::<Meeting>(history.clone()).when(&Command::TakeBack(erased.clone())).then_nothing();
    given::<Meeting>([history, vec![held()]].concat()).when(&Command::TakeBack(erased)).then_nothing();
}

proptest! {
    #[test]
    fn whatever_happened_a_way_leads_back_to_a_meeting_that_is_ahead(asked in prop::collection::vec(commands(), 1..40)) {
        let decided = |state: &State, command: &Command| Meeting::decide(command, state).unwrap_or_default();
        let mut state = asked.iter().fold(after(&[planned()]), |state, command| {
            decided(&state, command).iter().fold(state, Meeting::evolve)
        });
        let no_mark = |member| Command::Correct { records: vec![(member, why("nobody came"))], to: None, enrolled: false };
        let way = [
            Command::Plan(plan()),
            Command::Open { at: plan().starts_at },
            Command::Hold,
            no_mark(ALICE),
            no_mark(BOB),
            count(0, Some("nobody came")),
            did_not_occur(),
            Command::Reinstate { reason: why("it is next week") },
        ];
        for command in way {
            state = decided(&state, &command).iter().fold(state, Meeting::evolve);
        }
        let State::Known(register) = state else { panic!("it is known") };
        prop_assert_eq!(register.status, Status::Planned);
    }

    #[test]
    fn reopening_and_closing_again_leaves_a_register_as_it_was(asked in prop::collection::vec(commands(), 1..40)) {
        let history = asked.iter().fold(vec![planned(), opened()], |mut history, command| {
            history.extend(Meeting::decide(command, &after(&history)).unwrap_or_default());
            history
        });
        let mut closed = after(&history);
        if let State::Known(register) = &closed && register.status != Status::Held {
            closed = Meeting::evolve(closed, &held());
        }
        let again = [reopened(), held()].iter().fold(closed.clone(), Meeting::evolve);
        prop_assert_eq!(again, closed);
    }
}
