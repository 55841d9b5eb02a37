use proptest::prelude::*;

use super::*;
use crate::decider::spec::{asking_twice_changes_nothing, given};

fn at(minutes: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + minutes * 60).unwrap()
}

fn id(n: u128) -> MessageId {
    MessageId(Uuid::from_u128(n))
}

fn set(n: u128, minutes: i64) -> Set {
    let sealed = |text: String| {
        let Ok(sealed) = text.parse();
        sealed
    };
    Set {
        subject: "ann".parse().unwrap(),
        key: Uuid::from_u128(n),
        address: sealed(format!("a{n}")),
        code: sealed(format!("c{n}")),
        message: id(n),
        at: at(minutes),
    }
}

fn delivered(n: u128, minutes: i64) -> Event {
    Event::Delivered(Delivered { message: id(n), n: 1, code: 250, at: at(minutes) })
}

/// A mailbox that is written to.
fn confirmed() -> Vec<Event> {
    vec![Event::Set(set(1, 0)), delivered(1, 1), Event::Confirmed(Confirmed { at: at(2) })]
}

fn work(n: u128, (urgent, any): (Option<i64>, Option<i64>), today: i64, minutes: i64) -> Command {
    let waiting = Waiting { urgent: urgent.map(at), any: any.or(urgent).map(at) };
    let (message, claim) = (id(n), Uuid::from_u128(1_000 + n));
    Command::Work { waiting, today: at(today), recovered: None, message, claim, at: at(minutes) }
}

fn told(n: u128, through: i64, minutes: i64) -> [Event; 2] {
    let claimed = Claimed {
        message: id(n),
        n: 1,
        claim: Uuid::from_u128(1_000 + n),
        until: at(minutes) + crate::outgoing::CLAIM,
    };
    [Event::Queued(Queued { message: id(n), through: at(through), at: at(minutes) }), Event::Claimed(claimed)]
}

#[test]
fn an_address_is_written_to_once_somebody_said_the_code_that_went_there() {
    let say = |right| Command::Confirm { key: Uuid::from_u128(1), right, at: at(3) };
    given::<Mailbox>([]).when(&say(true)).then_refused(&Refusal::None);
    let history = [Event::Set(set(1, 0)), delivered(1, 1)];
    given::<Mailbox>(history.clone()).when(&work(7, (Some(2), None), 0, 3)).then_nothing();
    given::<Mailbox>(history.clone()).when(&say(true)).then(&[Event::Confirmed(Confirmed { at: at(3) })]);
    given::<Mailbox>(history.clone()).when(&say(false)).then(&[Event::CodeRefused(CodeRefused { at: at(3) })]);
    let guessed = history.iter().cloned().chain(vec![Event::CodeRefused(CodeRefused { at: at(3) }); TRIES_MAX.into()]);
    given::<Mailbox>(guessed).when(&say(true)).then_refused(&Refusal::TooManyTries);
    let late = Command::Confirm { key: Uuid::from_u128(1), right: true, at: at(24 * 60 + 1) };
    given::<Mailbox>(history.clone()).when(&late).then_refused(&Refusal::CodeEnded);
    asking_twice_changes_nothing::<Mailbox>(&history, &say(true));
    asking_twice_changes_nothing::<Mailbox>(&history, &Command::Remove(at(5)));
    asking_twice_changes_nothing::<Mailbox>(&history, &Command::Set(set(2, 5)));
}

#[test]
fn a_code_confirms_the_mailbox_it_was_sent_to_and_none_that_was_set_meanwhile() {
    let say = |key, right| Command::Confirm { key: Uuid::from_u128(key), right, at: at(3) };
    let history = [Event::Set(set(1, 0)), Event::Set(set(2, 1))];
    given::<Mailbox>(history.clone()).when(&say(1, true)).then_refused(&Refusal::WrongCode);
    given::<Mailbox>(history.clone()).when(&say(1, false)).then_refused(&Refusal::WrongCode);
    given::<Mailbox>(history).when(&say(2, true)).then(&[Event::Confirmed(Confirmed { at: at(3) })]);
}

#[test]
fn tries_are_counted_also_once_a_mailbox_is_confirmed() {
    let say = |right| Command::Confirm { key: Uuid::from_u128(1), right, at: at(3) };
    given::<Mailbox>(confirmed()).when(&say(true)).then_nothing();
    given::<Mailbox>(confirmed()).when(&say(false)).then(&[Event::CodeRefused(CodeRefused { at: at(3) })]);
    let refused = Event::CodeRefused(CodeRefused { at: at(3) });
    let guessed: Vec<_> = confirmed().into_iter().chain(vec![refused; TRIES_MAX.into()]).collect();
    given::<Mailbox>(guessed.clone()).when(&say(false)).then_refused(&Refusal::TooManyTries);
    given::<Mailbox>(guessed).when(&say(true)).then_refused(&Refusal::TooManyTries);
}

#[test]
fn what_is_urgent_does_not_wait_for_the_next_attempt_of_what_failed() {
    let mut history: Vec<_> = confirmed().into_iter().chain(told(2, 10, 10)).collect();
    history.push(Event::Failed(Failed {
        message: id(2),
        n: 1,
        fault: Fault::Timeout,
        at: at(11),
        again_at: Some(at(20)),
    }));
    given::<Mailbox>(history.clone()).when(&work(3, (Some(10), None), 999, 12)).then_nothing();
    given::<Mailbox>(history.clone()).when(&work(3, (None, Some(12)), 999, 12)).then_nothing();
    let again = Claimed { message: id(2), n: 2, claim: Uuid::from_u128(1_003), until: at(12) + crate::outgoing::CLAIM };
    given::<Mailbox>(history).when(&work(3, (Some(12), None), 999, 12)).then(&[Event::Claimed(again)]);
}

#[test]
fn five_codes_are_sent_within_a_day_also_to_what_was_removed_meanwhile() {
    let mut history = Vec::new();
    for n in 0..5 {
        history.push(Event::Set(set(n, i64::try_from(n).unwrap())));
        history.push(Event::Removed(Removed { at: at(i64::try_from(n).unwrap()) }));
    }
    given::<Mailbox>(history.clone()).when(&Command::Set(set(9, 10))).then_refused(&Refusal::TooManyCodes);
    given::<Mailbox>(history.clone()).when(&Command::Set(set(9, 24 * 60 - 1))).then_refused(&Refusal::TooManyCodes);
    given::<Mailbox>(history).when(&Command::Set(set(9, 24 * 60))).then(&[Event::Set(set(9, 24 * 60))]);
}

#[test]
fn what_is_urgent_is_told_at_once_and_not_again_for_a_quarter_of_an_hour() {
    let mut history = confirmed();
    given::<Mailbox>(history.clone()).when(&work(2, (Some(10), None), 999, 10)).then(&told(2, 10, 10));
    history.extend(told(2, 10, 10));
    history.push(delivered(2, 11));
    given::<Mailbox>(history.clone()).when(&work(3, (Some(10), None), 999, 60)).then_nothing();
    given::<Mailbox>(history.clone()).when(&work(3, (Some(12), None), 999, 24)).then_nothing();
    given::<Mailbox>(history).when(&work(3, (Some(12), None), 999, 25)).then(&told(3, 12, 25));
}

#[test]
fn what_is_not_is_told_once_a_day_from_its_hour_on() {
    let mut history = confirmed();
    given::<Mailbox>(history.clone()).when(&work(2, (None, Some(5)), 100, 99)).then_nothing();
    given::<Mailbox>(history.clone()).when(&work(2, (None, Some(5)), 100, 100)).then(&told(2, 5, 100));
    history.extend(told(2, 5, 100));
    history.push(delivered(2, 101));
    given::<Mailbox>(history.clone()).when(&work(3, (None, Some(110)), 100, 500)).then_nothing();
    given::<Mailbox>(history.clone()).when(&work(3, (None, Some(110)), 1_540, 1_539)).then_nothing();
    given::<Mailbox>(history.clone()).when(&work(3, (None, Some(110)), 1_540, 1_540)).then(&told(3, 110, 1_540));
    // What was there before is not told again.
    given::<Mailbox>(history).when(&work(3, (None, Some(5)), 1_540, 1_540)).then_nothing();
}

#[test]
fn an_address_that_is_refused_for_good_is_written_to_no_more() {
    let history: Vec<_> = confirmed().into_iter().chain(told(2, 10, 10)).collect();
    let end = |code, rejected| Command::End {
        message: id(2),
        claim: Uuid::from_u128(1_002),
        outcome: Err(Fault::Code(code)),
        rejected,
        at: at(11),
    };
    let events = Mailbox::decide(
        &end(550, true),
        &history.iter().cloned().fold(State::default(), |s, e| Mailbox::evolve(s, &e)),
    );
    let events = events.unwrap();
    assert!(matches!(&events[..], [Event::Failed(_), Event::GivenUp(_), Event::Rejected(Rejected { code: 550, .. })]));
    let rejected = history.iter().cloned().chain(events);
    given::<Mailbox>(rejected).when(&work(3, (Some(50), None), 0, 60)).then_nothing();
    let later = Mailbox::decide(
        &end(451, false),
        &history.iter().cloned().fold(State::default(), |s, e| Mailbox::evolve(s, &e)),
    );
    assert!(matches!(&later.unwrap()[..], [Event::Failed(Failed { again_at: Some(_), .. })]));
}

proptest! {
    #[test]
    fn nobody_is_told_more_often_than_every_quarter_of_an_hour_and_of_nothing_twice(
        steps in prop::collection::vec((0i64..40, prop::option::of(0i64..60), prop::option::of(0i64..60)), 0..80),
    ) {
        let mut state = confirmed().iter().fold(State::default(), Mailbox::evolve);
        let (mut now, mut last, mut through) = (2, None::<i64>, at(0));
        for (n, (wait, urgent, any)) in steps.into_iter().enumerate() {
            now += wait;
            let since = |ago: Option<i64>| ago.map(|ago| (now - ago).max(0));
            let today = now - now % 1_440;
            let n = 10 + n as u128;
            let events = Mailbox::decide(&work(n, (since(urgent), since(any)), today, now), &state).unwrap();
            for event in &events {
                if let Event::Queued(queued) = event {
                    prop_assert!(last.is_none_or(|last| now - last >= 15 || last < today), "{:?} {}", last, now);
                    prop_assert!(queued.through > through, "told twice");
                    (last, through) = (Some(now), queued.through);
                }
            }
            state = events.iter().fold(state, Mailbox::evolve);
            let first = state.known.as_ref().unwrap().line.waiting().next().map(|(message, _)| *message);
            if let Some(message) = first {
                let (claim, outcome) = (Uuid::nil(), Ok(250));
                let end = Command::End { message, claim, outcome, rejected: false, at: at(now) };
                let ended = Mailbox::decide(&end, &state).unwrap();
                state = ended.iter().fold(state, Mailbox::evolve);
            }
        }
    }
}
