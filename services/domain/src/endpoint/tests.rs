use proptest::prelude::*;

use super::*;
use crate::{
    decider::spec::{asking_twice_changes_nothing, given},
    outgoing::{CLAIM, SCHEDULE},
};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn sealed(text: &str) -> Sealed {
    let Ok(sealed) = text.parse();
    sealed
}

fn topics(names: &[&str]) -> BTreeSet<Topic> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

fn message(n: u128) -> MessageId {
    MessageId(Uuid::from_u128(n))
}

fn claim(n: u128) -> Uuid {
    Uuid::from_u128(1_000 + n)
}

fn registered(names: &[&str]) -> Event {
    Event::Registered(Registered {
        address: sealed("a"),
        topics: topics(names),
        secret: sealed("s"),
        from: 10,
        at: at(0),
    })
}

fn work(n: u128, names: &[&str], through: u64, seconds: i64) -> Command {
    Command::Work(Work { topics: topics(names), through, message: message(n), claim: claim(n), at: at(seconds) })
}

fn queued(n: u128, names: &[&str], from: u64, through: u64, seconds: i64) -> Event {
    let says = Says::Changed { topics: topics(names), from, through };
    Event::Queued(Queued { message: message(n), says, at: at(seconds) })
}

fn claimed(n: u128, by: u128, attempt: u32, seconds: i64) -> Event {
    Event::Claimed(Claimed { message: message(n), n: attempt, claim: claim(by), until: at(seconds) + CLAIM })
}

fn end(n: u128, by: u128, outcome: Outcome, seconds: i64) -> Command {
    Command::End { message: message(n), claim: claim(by), outcome, at: at(seconds) }
}

fn delivered(n: u128, attempt: u32, seconds: i64) -> Event {
    Event::Delivered(Delivered { message: message(n), n: attempt, code: 204, at: at(seconds) })
}

#[test]
fn what_changed_is_told_once_and_only_of_what_the_endpoint_is_told() {
    let history = [registered(&["referrals"])];
    given::<Endpoint>([]).when(&work(1, &["referrals"], 20, 5)).then_nothing();
    given::<Endpoint>(history.clone()).when(&work(1, &["groups"], 20, 5)).then_nothing();
    given::<Endpoint>(history.clone()).when(&work(1, &["referrals"], 10, 5)).then_nothing();
    given::<Endpoint>(history.clone())
        .when(&work(1, &["groups", "referrals"], 20, 5))
        .then(&[queued(1, &["referrals"], 10, 20, 5), claimed(1, 1, 1, 5)]);
    asking_twice_changes_nothing::<Endpoint>(&history, &work(1, &["referrals"], 20, 5));
}

#[test]
fn as_long_as_one_waits_no_other_is_made_and_then_one_says_all_that_came_since() {
    let mut history = vec![registered(&[]), queued(1, &["groups"], 10, 20, 5), claimed(1, 1, 1, 5)];
    given::<Endpoint>(history.clone()).when(&work(2, &["groups", "members"], 30, 9)).then_nothing();
    history.push(delivered(1, 1, 10));
    given::<Endpoint>(history.clone())
        .when(&work(3, &["groups", "members"], 30, 10))
        .then(&[queued(3, &["groups", "members"], 20, 30, 10), claimed(3, 3, 1, 10)]);
    history.extend([queued(3, &["groups"], 20, 30, 10), claimed(3, 3, 1, 10), delivered(3, 1, 10)]);
    given::<Endpoint>(history.clone()).when(&work(4, &["groups"], 31, 10)).then_nothing();
    given::<Endpoint>(history)
        .when(&work(4, &["groups"], 31, 11))
        .then(&[queued(4, &["groups"], 30, 31, 11), claimed(4, 4, 1, 11)]);
}

#[test]
fn a_claim_that_has_ended_is_somebody_elses_and_what_its_holder_says_late_counts_only_if_it_arrived() {
    let mut history = vec![registered(&[]), queued(1, &["groups"], 10, 20, 0), claimed(1, 1, 1, 0)];
    given::<Endpoint>(history.clone()).when(&work(2, &[], 0, 19)).then_nothing();
    given::<Endpoint>(history.clone()).when(&work(2, &[], 0, 20)).then(&[claimed(1, 2, 2, 20)]);
    history.push(claimed(1, 2, 2, 20));
    given::<Endpoint>(history.clone()).when(&end(1, 1, Err(Fault::Timeout), 21)).then_nothing();
    given::<Endpoint>(history.clone()).when(&end(1, 1, Ok(204), 21)).then(&[delivered(1, 2, 21)]);
    history.push(delivered(1, 2, 21));
    given::<Endpoint>(history.clone()).when(&end(1, 2, Ok(204), 22)).then_nothing();
    given::<Endpoint>(history).when(&end(1, 2, Err(Fault::Timeout), 22)).then_nothing();
}

#[test]
fn who_takes_nothing_for_three_days_is_disabled_and_who_is_gone_at_once() {
    let gone = [registered(&[]), queued(1, &["groups"], 10, 20, 0), claimed(1, 1, 1, 0)];
    let failed = |n, fault, at, again_at| Event::Failed(Failed { message: message(1), n, fault, at, again_at });
    given::<Endpoint>(gone).when(&end(1, 1, Err(Fault::Code(410)), 1)).then(&[
        failed(1, Fault::Code(410), at(1), None),
        Event::GivenUp(GivenUp { message: message(1), at: at(1) }),
        Event::Disabled(Disabled { why: Why::Gone, at: at(1) }),
    ]);
    let (mut state, mut now, mut by) = (Endpoint::evolve(None, &registered(&[])), at(0), 0);
    let known = loop {
        let due = Work { topics: topics(&["groups"]), through: 20, message: message(1), claim: claim(by), at: now };
        let ended = Command::End { message: message(1), claim: claim(by), outcome: Err(Fault::Unreachable), at: now };
        for command in [Command::Work(due), ended] {
            let events = Endpoint::decide(&command, &state).unwrap();
            state = events.iter().fold(state, Endpoint::evolve);
        }
        let known = state.as_ref().unwrap();
        match known.line.again_at() {
            Some(again) => (now, by) = (again, by + 1),
            None => break state.unwrap(),
        }
    };
    assert_eq!(usize::try_from(by).unwrap(), SCHEDULE.len());
    assert_eq!(known.disabled, Some(Disabled { why: Why::Failing, at: now }));
    assert!(known.line.is_empty());
    // What was given up is told with what came since once it is enabled, and can be sent once more.
    let state = Some(known);
    let later = now + SignedDuration::from_hours(24 * 30);
    let due = Work { topics: topics(&["groups"]), through: 99, message: message(2), claim: claim(0), at: later };
    assert_eq!(Endpoint::decide(&Command::Work(due.clone()), &state), Ok(vec![]));
    let enabled = Endpoint::evolve(state, &Event::Enabled(Enabled { at: later }));
    let told = Endpoint::decide(&Command::Work(due), &enabled).unwrap();
    assert!(matches!(&told[0], Event::Queued(Queued { says: Says::Changed { from: 10, through: 99, .. }, .. })));
    let replay = Endpoint::decide(&Command::Replay(Which::One(message(1)), later), &enabled);
    assert_eq!(replay, Ok(vec![Event::Replayed(Replayed { messages: vec![message(1)], at: later })]));
}

#[test]
fn what_was_given_up_is_told_again_unless_something_later_was_told_since() {
    let given_up = |n, seconds| {
        [
            Event::GivenUp(GivenUp { message: message(n), at: at(seconds) }),
            Event::Disabled(Disabled { why: Why::Gone, at: at(seconds) }),
            Event::Enabled(Enabled { at: at(seconds) }),
        ]
    };
    let mut history = vec![registered(&[]), queued(1, &["groups"], 10, 20, 0), claimed(1, 1, 1, 0)];
    history.extend(given_up(1, 1));
    let again = [queued(2, &["groups"], 10, 20, 5), claimed(2, 2, 1, 5)];
    given::<Endpoint>(history.clone()).when(&work(2, &["groups"], 20, 5)).then(&again);
    // Once that was told, the first one can be sent once more and given up without anything being told again.
    history.extend(again);
    history.extend([delivered(2, 1, 6), queued(3, &["groups"], 20, 30, 9), delivered(3, 1, 9)]);
    history.push(Event::Replayed(Replayed { messages: vec![message(1)], at: at(10) }));
    history.extend(given_up(1, 11));
    given::<Endpoint>(history.clone()).when(&work(4, &["groups"], 30, 20)).then_nothing();
    given::<Endpoint>(history)
        .when(&work(4, &["groups"], 31, 20))
        .then(&[queued(4, &["groups"], 30, 31, 20), claimed(4, 4, 1, 20)]);
}

#[test]
fn the_secret_before_signs_for_a_day_as_well() {
    let rotate = |secret: &str, seconds| SecretRotated { secret: sealed(secret), at: at(seconds) };
    let history = [registered(&[]), Event::SecretRotated(rotate("t", 0))];
    let known = history.iter().fold(None, Endpoint::evolve).unwrap();
    let signing = |seconds| known.secrets(at(seconds)).map(Sealed::as_str).collect::<Vec<_>>();
    assert_eq!(signing(86_399), ["t", "s"]);
    assert_eq!(signing(86_400), ["t"]);
    asking_twice_changes_nothing::<Endpoint>(&history, &Command::Rotate(rotate("u", 5)));
    let many = (0..10).map(|n| Event::SecretRotated(rotate(&format!("x{n}"), n)));
    let known = history.iter().cloned().chain(many).fold(None, |state, event| Endpoint::evolve(state, &event)).unwrap();
    assert_eq!(known.secrets(at(10)).count(), SECRETS_MAX);
}

#[test]
fn an_endpoint_is_registered_changed_disabled_enabled_and_removed() {
    let history = [registered(&["groups"])];
    let Event::Registered(first) = registered(&["groups"]) else { unreachable!() };
    let change = Changed { address: sealed("b"), topics: topics(&["groups"]) };
    for command in [
        Command::Register(first.clone()),
        Command::Change(change.clone()),
        Command::Disable(at(5)),
        Command::Enable(at(5)),
        Command::Remove,
        Command::Ping(message(7), at(5)),
    ] {
        asking_twice_changes_nothing::<Endpoint>(&history, &command);
    }
    given::<Endpoint>([]).when(&Command::Change(change)).then_refused(&Refusal::Unknown);
    let other = Registered { secret: sealed("other"), ..first.clone() };
    given::<Endpoint>(history.clone()).when(&Command::Register(other.clone())).then_refused(&Refusal::Full);
    let removed = history.clone().into_iter().chain([Event::Removed(Removed {})]);
    given::<Endpoint>(removed).when(&Command::Register(other.clone())).then(&[Event::Registered(other)]);
    let many = (0..=TOPICS_MAX).map(|n| format!("t{n}").parse().unwrap()).collect();
    let many = Registered { topics: many, ..first };
    given::<Endpoint>([]).when(&Command::Register(many)).then_refused(&Refusal::Topics);
    let disabled = Event::Disabled(Disabled { why: Why::Asked, at: at(1) });
    let disabled: Vec<_> = history.into_iter().chain([disabled]).collect();
    given::<Endpoint>(disabled.clone()).when(&Command::Ping(message(7), at(5))).then_refused(&Refusal::IsDisabled);
    given::<Endpoint>(disabled.clone()).when(&work(1, &["groups"], 20, 5)).then_nothing();
    given::<Endpoint>(disabled).when(&Command::Enable(at(5))).then(&[Event::Enabled(Enabled { at: at(5) })]);
}

#[test]
fn what_is_sent_once_more_waits_in_order_and_what_waits_already_does_not_wait_twice() {
    let mut history = vec![registered(&[])];
    for n in 1..=3 {
        let seconds = i64::try_from(n).unwrap() * 10;
        history.extend([
            queued(n, &["groups"], 10, 20, seconds),
            claimed(n, n, 1, seconds),
            delivered(n, 1, seconds + 1),
        ]);
    }
    let replay = |which| Command::Replay(which, at(50));
    let all = Event::Replayed(Replayed { messages: vec![message(2), message(3)], at: at(50) });
    given::<Endpoint>(history.clone()).when(&replay(Which::Since(at(20)))).then(std::slice::from_ref(&all));
    given::<Endpoint>(history.clone()).when(&replay(Which::One(message(9)))).then_refused(&Refusal::UnknownMessage);
    asking_twice_changes_nothing::<Endpoint>(&history, &replay(Which::Since(at(0))));
    history.push(all);
    given::<Endpoint>(history.clone()).when(&work(9, &["groups"], 30, 60)).then(&[claimed(2, 9, 1, 60)]);
    given::<Endpoint>(history).when(&replay(Which::One(message(3)))).then_nothing();
}

#[derive(Debug, Clone)]
enum Act {
    Changes(u64),
    Works,
    Ends { recent: usize, outcome: Outcome },
    Waits(i64),
    Replays,
    Enables,
    Disables,
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        7 => Just(Ok(204)),
        2 => Just(Err(Fault::Timeout)),
        1 => Just(Err(Fault::Code(410))),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => (1u64..5).prop_map(Act::Changes),
        6 => Just(Act::Works),
        6 => (0usize..4, outcome()).prop_map(|(recent, outcome)| Act::Ends { recent, outcome }),
        4 => (0i64..30).prop_map(Act::Waits),
        1 => Just(Act::Replays),
        1 => Just(Act::Enables),
        1 => Just(Act::Disables),
    ]
}

proptest! {
    #[test]
    fn whatever_fails_and_whoever_works_each_change_is_told_in_order_without_a_gap(
        acts in prop::collection::vec(act(), 0..200),
    ) {
        let mut state = Endpoint::evolve(None, &registered(&[]));
        let (mut now, mut head, mut turn, mut told) = (at(0), 10, 0, 10);
        let (mut claims, mut arrived) = (Vec::<Claimed>::new(), Vec::<MessageId>::new());
        let mut made = Vec::<(MessageId, u64, u64)>::new();
        let mut given_up = Vec::<MessageId>::new();
        for act in acts {
            let command = match act {
                Act::Changes(more) => { head += more; continue }
                Act::Waits(seconds) => { now += SignedDuration::from_secs(seconds); continue }
                Act::Works => {
                    turn += 1;
                    let topics = topics(&["groups"]);
                    Command::Work(Work { topics, through: head, message: message(turn), claim: claim(turn), at: now })
                }
                Act::Ends { recent, outcome } => {
                    let Some(Claimed { message, claim, .. }) = claims.iter().rev().nth(recent).cloned() else { continue };
                    Command::End { message, claim, outcome, at: now }
                }
                Act::Replays => Command::Replay(Which::Since(at(0)), now),
                Act::Enables => Command::Enable(now),
                Act::Disables => Command::Disable(now),
            };
            let events = Endpoint::decide(&command, &state).unwrap();
            for event in &events {
                match event {
                    Event::Queued(Queued { message, says: Says::Changed { from, through, .. }, .. }) => {
                        prop_assert!(from < through);
                        prop_assert_eq!(*from, told, "a gap");
                        told = *through;
                        made.push((*message, *from, *through));
                    }
                    Event::GivenUp(of) => {
                        let last = made.last().filter(|(message, ..)| *message == of.message);
                        told = last.map_or(told, |(_, from, _)| *from);
                        given_up.push(of.message);
                    }
                    Event::Claimed(claimed) => {
                        prop_assert!(state.as_ref().unwrap().disabled.is_none());
                        claims.push(claimed.clone());
                    }
                    Event::Delivered(delivered) if !arrived.contains(&delivered.message) => {
                        arrived.push(delivered.message);
                    }
                    _ => {}
                }
            }
            state = events.iter().fold(state, Endpoint::evolve);
            let known = state.as_ref().unwrap();
            prop_assert!(known.line.waiting().len() <= MESSAGES_KEPT_MAX + 2);
        }
        // What was given up can be sent once more, after what told of it again.
        arrived.retain(|message| !given_up.contains(message));
        let order: Vec<_> = made.iter().map(|(message, ..)| *message).filter(|made| arrived.contains(made)).collect();
        prop_assert_eq!(order, arrived, "one overtook another");
    }
}
