use std::collections::BTreeSet;

use jiff::{SignedDuration, civil::date};
use proptest::{prelude::*, sample::select};
use uuid::Uuid;

use super::*;
use crate::{
    ProgrammeId,
    decider::spec::{asking_twice_changes_nothing, given},
};

const NOON: Timestamp = Timestamp::constant(1_800_000_000, 0);
const HOUR: SignedDuration = SignedDuration::from_hours(1);

fn sealed(text: &str) -> Sealed {
    let Ok(sealed) = text.parse();
    sealed
}

fn subject(name: &str) -> Subject {
    name.parse().unwrap()
}

fn when() -> When {
    When { on: date(2026, 3, 3), group: None, meeting: None }
}

fn check_in(id: u128, answers: &str) -> CheckInRecorded {
    CheckInRecorded {
        check_in: CheckInId(Uuid::from_u128(id)),
        edition: Edition { instrument: "phq-9".parse().unwrap(), version: 1, norm_set: None },
        when: when(),
        language: None,
        entered_by: EnteredBy::Member,
        answers: sealed(answers),
    }
}

fn correction(id: u128, answers: &str) -> CheckInCorrected {
    CheckInCorrected { check_in: CheckInId(Uuid::from_u128(id)), answers: sealed(answers), reason: sealed("slip") }
}

fn taken_back(id: u128) -> CheckInEnteredInError {
    CheckInEnteredInError { check_in: CheckInId(Uuid::from_u128(id)), reason: sealed("another's") }
}

fn concern(id: u128) -> ConcernRaised {
    ConcernRaised {
        concern: ConcernId(Uuid::from_u128(id)),
        urgency: Urgency::Prompt,
        seat: Seat::Programme(ProgrammeId(Uuid::from_u128(1))),
        acknowledge_by: NOON + HOUR * 4,
        raised_at: NOON,
        says: sealed("item 9"),
    }
}

fn goal(id: u128, revises: Option<u128>) -> GoalSet {
    let of = |id| GoalId(Uuid::from_u128(id));
    GoalSet { goal: of(id), when: when(), revises: revises.map(of), words: sealed("walk") }
}

#[test]
fn a_check_in_and_the_concern_that_it_raises_are_one_append() {
    let record = Command::Record(check_in(1, "2"), Some(concern(9)));
    given::<Care>([]).when(&record).then(&[Event::CheckInRecorded(check_in(1, "2")), Event::ConcernRaised(concern(9))]);
    asking_twice_changes_nothing::<Care>(&[], &record);
    let other = Command::Record(check_in(1, "3"), None);
    given::<Care>([Event::CheckInRecorded(check_in(1, "2"))]).when(&other).then_refused(&Refusal::CheckInThere);
}

#[test]
fn check_ins_of_the_past_are_recorded_all_or_none_in_one_append() {
    let all = Command::RecordAll(vec![(check_in(1, "2"), Some(concern(9))), (check_in(2, "0"), None)]);
    let recorded = [
        Event::CheckInRecorded(check_in(1, "2")),
        Event::ConcernRaised(concern(9)),
        Event::CheckInRecorded(check_in(2, "0")),
    ];
    given::<Care>([]).when(&all).then(&recorded);
    asking_twice_changes_nothing::<Care>(&[], &all);
    given::<Care>([recorded[0].clone()]).when(&all).then(&recorded[2..]);
    given::<Care>([Event::CheckInRecorded(check_in(2, "1"))]).when(&all).then_refused(&Refusal::CheckInThere);
    let twice = Command::RecordAll(vec![(check_in(1, "2"), None), (check_in(1, "3"), None)]);
    given::<Care>([]).when(&twice).then_refused(&Refusal::CheckInThere);
}

#[test]
fn answers_are_corrected_and_the_right_ones_raise_a_concern_too() {
    let history = [Event::CheckInRecorded(check_in(1, "0")), Event::CheckInRecorded(check_in(2, "0"))];
    let correct = Command::Correct(correction(1, "2"), Some(concern(9)));
    given::<Care>(history.clone())
        .when(&correct)
        .then(&[Event::CheckInCorrected(correction(1, "2")), Event::ConcernRaised(concern(9))]);
    asking_twice_changes_nothing::<Care>(&history, &correct);
    let as_before = Command::Correct(correction(1, "0"), None);
    given::<Care>(history.clone()).when(&as_before).then_nothing();
    given::<Care>(history).when(&Command::Correct(correction(3, "2"), None)).then_refused(&Refusal::UnknownCheckIn);
}

#[test]
fn what_was_entered_in_error_is_taken_back_once_and_its_concern_stays() {
    let history = [Event::CheckInRecorded(check_in(1, "2")), Event::ConcernRaised(concern(9))];
    let take_back = Command::TakeBack(taken_back(1));
    given::<Care>(history.clone()).when(&take_back).then(&[Event::CheckInEnteredInError(taken_back(1))]);
    asking_twice_changes_nothing::<Care>(&history, &take_back);
    let state = [&history[..], &[Event::CheckInEnteredInError(taken_back(1))]].concat();
    given::<Care>(state.clone()).when(&Command::Correct(correction(1, "0"), None)).then_refused(&Refusal::InError);
    assert_eq!(state.iter().fold(State::default(), Care::evolve).concerns.len(), 1);
}

#[test]
fn a_member_has_few_goals_open_and_a_revised_one_makes_room_for_its_successor() {
    let set = |id, revises| Command::SetGoal(goal(id, revises));
    let three: Vec<_> = (1..=3).map(|id| Event::GoalSet(goal(id, None))).collect();
    given::<Care>(three.clone()).when(&set(4, None)).then_refused(&Refusal::TooManyOpen);
    let revised = GoalEnded { goal: GoalId(Uuid::from_u128(2)), end: GoalEnd::Revised, on: when().on };
    given::<Care>(three.clone())
        .when(&set(4, Some(2)))
        .then(&[Event::GoalEnded(revised), Event::GoalSet(goal(4, Some(2)))]);
    asking_twice_changes_nothing::<Care>(&three, &set(4, Some(2)));
    given::<Care>(three).when(&set(4, Some(7))).then_refused(&Refusal::UnknownGoal);
}

#[test]
fn a_goal_that_has_ended_is_rated_no_more() {
    let id = GoalId(Uuid::from_u128(1));
    let rated = |rating| GoalRated { goal: id, when: when(), entered_by: EnteredBy::Member, rating: sealed(rating) };
    let ended = |end| GoalEnded { goal: id, end, on: when().on };
    let set = Event::GoalSet(goal(1, None));
    let rate = Command::RateGoal(rated("4"));
    given::<Care>([set.clone()]).when(&rate).then(&[Event::GoalRated(rated("4"))]);
    asking_twice_changes_nothing::<Care>(std::slice::from_ref(&set), &rate);
    let over = [set, Event::GoalEnded(ended(GoalEnd::Achieved))];
    given::<Care>(over.clone()).when(&rate).then_refused(&Refusal::GoalEnded);
    given::<Care>(over.clone()).when(&Command::EndGoal(ended(GoalEnd::Achieved))).then_nothing();
    given::<Care>(over).when(&Command::EndGoal(ended(GoalEnd::LetGo))).then_refused(&Refusal::GoalEnded);
}

#[test]
fn a_concern_is_acknowledged_taken_over_and_resolved() {
    let id = concern(9).concern;
    let acknowledged = |by: &str| ConcernAcknowledged { concern: id, by: subject(by), at: NOON };
    let resolved = |by: &str| ConcernResolved {
        concern: id,
        by: subject(by),
        at: NOON,
        outcome: Outcome::Spoken,
        note: sealed("fine"),
    };
    let history = [Event::ConcernRaised(concern(9)), Event::ConcernAcknowledged(acknowledged("ann"))];
    given::<Care>(history.clone()).when(&Command::Acknowledge(acknowledged("ann"))).then_nothing();
    given::<Care>(history.clone())
        .when(&Command::Acknowledge(acknowledged("ben")))
        .then(&[Event::ConcernAcknowledged(acknowledged("ben"))]);
    let settled = [&history[..], &[Event::ConcernResolved(resolved("ben"))]].concat();
    given::<Care>(settled.clone()).when(&Command::Resolve(resolved("ben"))).then_nothing();
    given::<Care>(settled.clone()).when(&Command::Resolve(resolved("ann"))).then_refused(&Refusal::Resolved);
    let otherwise = ConcernResolved { outcome: Outcome::Emergency, ..resolved("ben") };
    given::<Care>(settled.clone()).when(&Command::Resolve(otherwise)).then_refused(&Refusal::Resolved);
    given::<Care>(settled).when(&Command::Acknowledge(acknowledged("ann"))).then_refused(&Refusal::Resolved);
    given::<Care>([]).when(&Command::Resolve(resolved("ann"))).then_refused(&Refusal::UnknownConcern);
}

#[test]
fn a_concern_goes_further_at_its_minute_and_not_before() {
    let concern = concern(9);
    let after = |hours| concern.escalation(NOON + HOUR * hours);
    let second = SignedDuration::from_secs(1);
    assert_eq!(concern.escalation(concern.acknowledge_by - second), Escalation::None);
    assert_eq!(after(4), Escalation::Organisation);
    assert_eq!(concern.escalation(NOON + HOUR * 8 - second), Escalation::Organisation);
    assert_eq!(after(8), Escalation::Everybody);
    let of_organisation = ConcernRaised { seat: Seat::Organisation, ..concern };
    assert_eq!(of_organisation.escalation(NOON + HOUR * 4), Escalation::Everybody);
}

#[test]
fn no_check_in_is_refused_because_there_are_many_concerns() {
    let many: Vec<_> = (0..CONCERNS_MAX as u128).map(|id| Event::ConcernRaised(concern(id))).collect();
    let raised = concern(u128::MAX);
    given::<Care>(many.clone())
        .when(&Command::Raise(raised.clone()))
        .then_refused(&Refusal::Full("concerns", CONCERNS_MAX));
    given::<Care>(many)
        .when(&Command::Record(check_in(1, "2"), Some(raised.clone())))
        .then(&[Event::CheckInRecorded(check_in(1, "2")), Event::ConcernRaised(raised)]);
}

fn commands() -> impl Strategy<Value = Command> {
    let (id, text) = (0u128..4, select(vec!["0", "1", "2"]));
    let by = select(vec!["ann", "ben"]);
    (id.clone(), id, text, by, 0usize..9, any::<bool>()).prop_map(|(id, other, text, by, which, risk)| {
        let raises = risk.then(|| concern(other));
        let goal_id = GoalId(Uuid::from_u128(id));
        match which {
            0 | 1 => Command::Record(check_in(id, text), raises),
            2 => Command::Correct(correction(id, text), raises),
            3 => Command::TakeBack(taken_back(id)),
            4 => Command::SetGoal(goal(id, risk.then_some(other))),
            5 => Command::RateGoal(GoalRated {
                goal: goal_id,
                when: when(),
                entered_by: EnteredBy::Member,
                rating: sealed(text),
            }),
            6 => Command::EndGoal(GoalEnded { goal: goal_id, end: GoalEnd::LetGo, on: when().on }),
            7 => Command::Acknowledge(ConcernAcknowledged { concern: concern(id).concern, by: subject(by), at: NOON }),
            _ => Command::Resolve(ConcernResolved {
                concern: concern(id).concern,
                by: subject(by),
                at: NOON,
                outcome: Outcome::Spoken,
                note: sealed(text),
            }),
        }
    })
}

proptest! {
    #[test]
    fn nothing_that_is_asked_loses_a_concern_or_changes_another_check_in(asked in prop::collection::vec(commands(), 0..40)) {
        let (mut state, mut raised) = (State::default(), BTreeSet::new());
        for command in asked {
            let Ok(events) = Care::decide(&command, &state) else { continue };
            let before = state.clone();
            state = events.iter().fold(state, Care::evolve);
            prop_assert_eq!(Care::decide(&command, &state).unwrap(), vec![], "said twice happens once: {:?}", command);
            for event in &events {
                if let Event::ConcernRaised(concern) = event {
                    raised.insert(concern.concern);
                }
            }
            let about = match &command {
                Command::Record(recorded, _) => Some(recorded.check_in),
                Command::Correct(corrected, _) => Some(corrected.check_in),
                Command::TakeBack(in_error) => Some(in_error.check_in),
                _ => None,
            };
            for (id, known) in before.check_ins.iter().filter(|(id, _)| Some(**id) != about) {
                prop_assert_eq!(state.check_ins.get(id), Some(known));
            }
            for (id, concern) in &before.concerns {
                prop_assert_eq!(&state.concerns[id].raised, &concern.raised);
                prop_assert!(state.concerns[id].resolved.is_some() || concern.resolved.is_none());
            }
            prop_assert!(state.goals.values().filter(|goal| goal.ended.is_none()).count() <= GOALS_OPEN_MAX);
        }
        prop_assert_eq!(state.concerns.keys().copied().collect::<BTreeSet<_>>(), raised);
        prop_assert!(state.concerns.values().all(|concern| concern.raised.acknowledge_by > concern.raised.raised_at));
    }
}
