//! What is promised of people.

use jiff::civil::date;
use proptest::prelude::*;

use super::*;
use crate::decider::spec::{asking_twice_changes_nothing, given};

fn member(n: u128) -> MemberId {
    MemberId(Uuid::from_u128(n))
}

fn merged(from: u128, into: u128) -> Merged {
    Merged { from: member(from), into: member(into), objections: BTreeSet::new(), restricted: false }
}

fn merge(from: u128, into: u128) -> Command {
    Command::Merge { from: member(from), into: member(into) }
}

fn unmerged(from: u128, into: u128) -> Event {
    Event::Unmerged(Unmerged { from: member(from), into: member(into) })
}

fn held(of: u128, n: u128) -> HoldPlaced {
    let Ok(reason) = "a claim".parse();
    HoldPlaced { member: member(of), hold: HoldId(Uuid::from_u128(n)), reason, review_on: date(2027, 1, 1) }
}

fn lifted(of: u128, n: u128) -> HoldLifted {
    HoldLifted { member: member(of), hold: HoldId(Uuid::from_u128(n)) }
}

fn erased(records: &[u128]) -> Event {
    Event::Erased(Erased { records: records.iter().map(|n| member(*n)).collect() })
}

#[test]
fn whoever_was_erased_is_unknown() {
    for command in [
        merge(1, 2),
        merge(2, 1),
        Command::Unmerge(member(1)),
        Command::PlaceHold(held(1, 1)),
        Command::LiftHold(lifted(1, 1)),
        Command::Restrict(member(1), true),
        Command::Object(member(1), Purpose::Contact, true),
        Command::Erase(member(1)),
    ] {
        given::<People>([erased(&[1])]).when(&command).then_refused(&Refusal::Unknown);
    }
}

#[test]
fn a_merge_that_is_refused_leaves_no_trace_on_anybody() {
    let history = || vec![Event::Merged(merged(1, 2))];
    given::<People>(history()).when(&merge(1, 3)).then_refused(&Refusal::Merged { into: member(2) });
    let apart = [history(), vec![unmerged(1, 2)]].concat();
    given::<People>(apart).when(&Command::Erase(member(3))).then(&[erased(&[3])]);
}

#[test]
fn nobody_is_merged_in_a_circle_or_into_themselves_or_into_a_second_record() {
    given::<People>([]).when(&merge(1, 1)).then_refused(&Refusal::Itself);
    let history = || vec![Event::Merged(merged(1, 2))];
    given::<People>(history()).when(&merge(2, 1)).then_refused(&Refusal::Merged { into: member(2) });
    given::<People>(history()).when(&merge(3, 1)).then_refused(&Refusal::Merged { into: member(2) });
    given::<People>(history()).when(&merge(2, 3)).then(&[Event::Merged(merged(2, 3))]);
}

#[test]
fn a_person_is_erased_with_all_records_at_once() {
    let history = vec![Event::Merged(merged(1, 2)), Event::Merged(merged(2, 3)), Event::Merged(merged(4, 3))];
    given::<People>(history.clone())
        .when(&Command::Erase(member(2)))
        .then_refused(&Refusal::Merged { into: member(3) });
    given::<People>(history.clone()).when(&Command::Erase(member(3))).then(&[erased(&[3, 2, 4, 1])]);
    let state = history.iter().chain([&erased(&[3, 2, 4, 1])]).fold(State::default(), People::evolve);
    assert_eq!(state.erased_by(member(3)), [3, 1, 2, 4].map(member));
    assert!(state.erased_by(member(1)).is_empty() && state.is_erased(member(1)));
}

#[test]
fn a_legal_hold_on_any_record_keeps_the_person_from_being_erased_until_it_is_lifted() {
    let refusal = Refusal::Held { count: 1, review_on: date(2027, 1, 1) };
    let history = vec![Event::Merged(merged(1, 2)), Event::HoldPlaced(held(1, 7))];
    given::<People>(history.clone()).when(&Command::Erase(member(2))).then_refused(&refusal);
    let lifted = [history, vec![Event::HoldLifted(lifted(1, 7))]].concat();
    given::<People>(lifted.clone()).when(&Command::Erase(member(2))).then(&[erased(&[2, 1])]);
    given::<People>(lifted).when(&Command::LiftHold(super::tests::lifted(1, 7))).then_refused(&Refusal::NoHold);
}

#[test]
fn what_a_second_record_forbids_stays_forbidden_when_the_merge_is_undone() {
    let objected = Event::Objected(Objected { member: member(1), purpose: Purpose::Contact });
    let history = vec![objected, Event::Restricted(Restricted { member: member(1) })];
    let taken = Merged { objections: BTreeSet::from([Purpose::Contact]), restricted: true, ..merged(1, 2) };
    given::<People>(history.clone()).when(&merge(1, 2)).then(&[Event::Merged(taken.clone())]);
    let state = history.iter().chain([&Event::Merged(taken), &unmerged(1, 2)]).fold(State::default(), People::evolve);
    for n in [1, 2] {
        let Person { objections, restricted, .. } = state.person(member(n));
        assert!(*restricted && objections.contains(&Purpose::Contact), "{n}");
    }
}

#[test]
fn a_second_record_takes_no_wishes_but_holds() {
    let history = || vec![Event::Merged(merged(1, 2))];
    let refusal = Refusal::Merged { into: member(2) };
    given::<People>(history()).when(&Command::Restrict(member(1), true)).then_refused(&refusal);
    given::<People>(history()).when(&Command::Object(member(1), Purpose::Contact, true)).then_refused(&refusal);
    given::<People>(history()).when(&Command::PlaceHold(held(1, 1))).then(&[Event::HoldPlaced(held(1, 1))]);
}

#[test]
fn an_erasure_that_is_repeated_is_of_that_record_alone() {
    let history = vec![Event::Merged(merged(1, 2)), Event::Merged(merged(2, 3)), Event::HoldPlaced(held(2, 7))];
    given::<People>(history).when(&Command::EraseAgain(member(2))).then(&[
        Event::HoldLifted(lifted(2, 7)),
        unmerged(2, 3),
        unmerged(1, 2),
        erased(&[2]),
    ]);
}

#[test]
fn records_of_one_person_are_one_until_they_are_parted_and_also_when_they_are_erased() {
    let person = |history: &[Event], n| {
        let state = history.iter().cloned().fold(State::default(), |state, event| People::evolve(state, &event));
        state.persons().records(&member(n)).to_vec()
    };
    let one = vec![Event::Merged(merged(1, 2)), Event::Merged(merged(2, 3))];
    assert!([1, 2, 3].into_iter().all(|n| person(&one, n) == [3, 2, 1].map(member)));
    let parted = [one.clone(), vec![unmerged(2, 3)]].concat();
    assert!([1, 2].into_iter().all(|n| person(&parted, n) == [2, 1].map(member)));
    assert_eq!(person(&parted, 3), [member(3)]);
    let gone = [one, vec![erased(&[3, 2, 1])]].concat();
    assert!([1, 2, 3].into_iter().all(|n| person(&gone, n) == [3, 2, 1].map(member)));
    let of = |into| Person { merged_into: Some(member(into)), ..Person::default() };
    let has = |from| Person { absorbed: BTreeSet::from([member(from)]), ..Person::default() };
    let second = Person { merged_into: Some(member(3)), ..has(1) };
    let people = BTreeMap::from([(member(1), of(2)), (member(2), second), (member(3), has(2))]);
    let adopted = [Event::Adopted(Adopted { people, erased: BTreeSet::new() })];
    assert!([1, 2, 3].into_iter().all(|n| person(&adopted, n) == [3, 2, 1].map(member)));
}

#[test]
fn what_was_taken_over_is_not_taken_over_again() {
    let person = Person { merged_into: Some(member(2)), ..Person::default() };
    let adopted = Adopted { people: BTreeMap::from([(member(1), person)]), erased: BTreeSet::from([member(9)]) };
    given::<People>([]).when(&Command::Adopt(adopted.clone())).then(&[Event::Adopted(adopted.clone())]);
    let later = vec![Event::Adopted(adopted.clone()), unmerged(1, 2)];
    given::<People>(later).when(&Command::Adopt(adopted.clone())).then_nothing();
    let gone = Adopted { people: BTreeMap::new(), erased: BTreeSet::from([member(9)]) };
    given::<People>([erased(&[1])]).when(&Command::Adopt(adopted)).then(&[Event::Adopted(gone)]);
}

fn command() -> impl Strategy<Value = Command> {
    let one = || 1u128..7;
    let purpose = || prop::sample::select(vec![Purpose::Contact, Purpose::Statistics]);
    prop_oneof![
        4 => (one(), one()).prop_map(|(from, into)| merge(from, into)),
        2 => one().prop_map(|n| Command::Unmerge(member(n))),
        1 => (one(), 1u128..4).prop_map(|(of, n)| Command::PlaceHold(held(of, n))),
        1 => (one(), 1u128..4).prop_map(|(of, n)| Command::LiftHold(lifted(of, n))),
        1 => (one(), any::<bool>()).prop_map(|(n, restrict)| Command::Restrict(member(n), restrict)),
        1 => (one(), purpose(), any::<bool>()).prop_map(|(n, purpose, objects)| Command::Object(member(n), purpose, objects)),
        1 => one().prop_map(|n| Command::Erase(member(n))),
        1 => one().prop_map(|n| Command::EraseAgain(member(n))),
    ]
}

/// What holds whatever happened.
fn sound(state: &State) -> Result<(), TestCaseError> {
    for n in 1..7 {
        let person = state.person(member(n));
        if let Some(into) = person.merged_into {
            prop_assert!(state.person(into).absorbed.contains(&member(n)) && !state.is_erased(into));
        }
        for from in &person.absorbed {
            prop_assert_eq!(state.person(*from).merged_into, Some(member(n)));
        }
        prop_assert!(!state.is_erased(member(n)) || *person == NOBODY);
        // Whoever follows the merges comes to an end.
        let mut at = member(n);
        for _ in 0..7 {
            at = state.person(at).merged_into.unwrap_or(at);
        }
        prop_assert!(state.person(at).merged_into.is_none());
        if !state.is_erased(member(n)) {
            let (named, mut records) = (member(n), state.records(at));
            prop_assert_eq!(state.persons().of(named), at);
            let mut one = state.persons().records(&named).to_vec();
            one.sort_unstable();
            records.sort_unstable();
            prop_assert_eq!(one, records);
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn whatever_is_asked_merges_agree_from_both_sides_and_nobody_erased_is_part_of_anybody(
        asked in prop::collection::vec(command(), 1..60),
    ) {
        let mut state = State::default();
        for command in asked {
            let holds = |state: &State, n| state.records(member(n)).iter().any(|one| !state.person(*one).holds.is_empty());
            let events = People::decide(&command, &state).unwrap_or_default();
            if let Command::Erase(asked) = command && !events.is_empty() {
                prop_assert!(!holds(&state, asked.0.as_u128()), "a hold holds");
                prop_assert_eq!(&events, &[Event::Erased(Erased { records: state.records(asked) })]);
            }
            state = events.iter().fold(state, People::evolve);
            sound(&state)?;
        }
    }

    /// What is said of each record alone leads to the same as what is said of all.
    #[test]
    fn who_keeps_records_knows_what_who_keeps_people_does(asked in prop::collection::vec(command(), 1..60)) {
        let (mut state, mut records) = (State::default(), BTreeMap::<MemberId, member::State>::new());
        for n in 1..7 {
            records.insert(member(n), member::State::Known(Box::default()));
        }
        for command in asked {
            for event in People::decide(&command, &state).unwrap_or_default() {
                for (record, said) in event.of_records() {
                    let known = records.remove(&record).unwrap_or_default();
                    records.insert(record, member::Member::evolve(known, &said));
                }
                state = People::evolve(state, &event);
            }
        }
        for (member, known) in records {
            prop_assert_eq!(known.record().cloned(), state.complete(member, Record::default()));
        }
    }

    /// Undoing (unmerge, lifting, erasing) is told apart by its receipt, not by the domain.
    #[test]
    fn whatever_is_asked_asking_twice_changes_nothing(asked in prop::collection::vec(command(), 1..30)) {
        let mut history = vec![];
        for command in asked {
            if !matches!(command, Command::Unmerge(_) | Command::LiftHold(_) | Command::Erase(_)) {
                asking_twice_changes_nothing::<People>(&history, &command);
            }
            let state = history.iter().fold(State::default(), People::evolve);
            history.extend(People::decide(&command, &state).unwrap_or_default());
        }
    }
}
