use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{
    decider::spec::{asking_twice_changes_nothing, given},
    member::{Denied, Profile, Purpose},
    outgoing::{CLAIM, Fault},
};

fn at(minutes: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + minutes * 60).unwrap()
}

fn id(n: u128) -> MessageId {
    MessageId(Uuid::from_u128(n))
}

fn claim(n: u128) -> Uuid {
    Uuid::from_u128(1_000 + n)
}

fn work(n: u128, through: u64, may: Result<(), Why>, minutes: i64) -> Command {
    Command::Work {
        news: Some(News { about: About::Referral, through, late: false }),
        may,
        others: Others::default(),
        recovered: None,
        message: id(n),
        claim: claim(n),
        at: at(minutes),
    }
}

fn queued(n: u128, through: u64, minutes: i64) -> Event {
    Event::Queued(Queued { message: id(n), about: About::Referral, through, at: at(minutes) })
}

fn claimed(n: u128, by: u128, attempt: u32, minutes: i64) -> Event {
    Event::Claimed(Claimed { message: id(n), n: attempt, claim: claim(by), until: at(minutes) + CLAIM })
}

fn withheld(n: u128, why: Why, minutes: i64) -> Event {
    Event::Withheld(Withheld { message: id(n), why, at: at(minutes) })
}

#[test]
fn whoever_may_be_written_to_is_and_of_the_same_only_once() {
    given::<Letters>([]).when(&work(1, 7, Ok(()), 0)).then(&[queued(1, 7, 0), claimed(1, 1, 1, 0)]);
    asking_twice_changes_nothing::<Letters>(&[], &work(1, 7, Ok(()), 0));
    let delivered = Event::Delivered(Delivered { message: id(1), n: 1, code: 250, at: at(0) });
    let history = [queued(1, 7, 0), claimed(1, 1, 1, 0), delivered];
    given::<Letters>(history.clone()).when(&work(2, 7, Ok(()), 500)).then_nothing();
    given::<Letters>(history.clone()).when(&work(2, 8, Ok(()), 59)).then_nothing();
    given::<Letters>(history).when(&work(2, 8, Ok(()), 60)).then(&[queued(2, 8, 60), claimed(2, 2, 1, 60)]);
}

#[test]
fn one_person_with_two_records_gets_one_letter_an_hour() {
    let history = [queued(1, 7, 0), claimed(1, 1, 1, 0)];
    let sent = Event::Delivered(Delivered { message: id(1), n: 1, code: 250, at: at(0) });
    let others = |history: &[Event]| Others::default().and(&history.iter().fold(State::default(), Letters::evolve));
    let work = |others: Others, minutes| {
        let Command::Work { news, may, recovered, message, claim, at, .. } = work(2, 9, Ok(()), minutes) else {
            unreachable!()
        };
        Command::Work { news, may, others, recovered, message, claim, at }
    };
    let waiting = others(&history);
    given::<Letters>([]).when(&work(waiting, 70)).then_nothing();
    let sent = others(&[history[0].clone(), history[1].clone(), sent]);
    given::<Letters>([]).when(&work(sent, 59)).then_nothing();
    given::<Letters>([]).when(&work(sent, 60)).then(&[queued(2, 9, 60), claimed(2, 2, 1, 60)]);
    // What waits under both waits under one, once the other was sent.
    let failed = Failed { message: id(2), n: 1, fault: Fault::Timeout, at: at(0), again_at: Some(at(10)) };
    let history = [queued(2, 9, 0), claimed(2, 2, 1, 0), Event::Failed(failed)];
    given::<Letters>(history.clone()).when(&work(sent, 10)).then_nothing();
    given::<Letters>(history).when(&work(sent, 60)).then(&[claimed(2, 2, 2, 60)]);
}

#[test]
fn what_came_too_late_to_be_written_is_withheld_and_what_was_written_before_still_counts() {
    let history = [
        queued(1, 7, 0),
        claimed(1, 1, 1, 0),
        Event::Delivered(Delivered { message: id(1), n: 1, code: 250, at: at(0) }),
    ];
    let late = [queued(2, 8, 30), withheld(2, Why::TooLate, 30)];
    let too_late = |n, minutes| {
        let Command::Work { news, may, others, recovered, message, claim, at } = work(n, 8, Ok(()), minutes) else {
            unreachable!()
        };
        let news = news.map(|news| News { late: true, ..news });
        Command::Work { news, may, others, recovered, message, claim, at }
    };
    given::<Letters>(history.clone()).when(&too_late(2, 30)).then(&late);
    // What waits is not too late by that.
    let waits = [queued(1, 7, 0)];
    given::<Letters>(waits).when(&too_late(2, 30)).then(&[claimed(1, 2, 1, 30)]);
    let history: Vec<_> = history.into_iter().chain(late).collect();
    given::<Letters>(history.clone()).when(&work(3, 9, Ok(()), 59)).then_nothing();
    given::<Letters>(history).when(&work(3, 9, Ok(()), 60)).then(&[queued(3, 9, 60), claimed(3, 3, 1, 60)]);
}

#[test]
fn what_is_withheld_is_not_sent_later_by_itself() {
    let history = [queued(1, 7, 0), withheld(1, Why::NotByEmail, 0)];
    given::<Letters>([]).when(&work(1, 7, Err(Why::NotByEmail), 0)).then(&history);
    given::<Letters>(history.clone()).when(&work(2, 7, Ok(()), 900)).then_nothing();
    given::<Letters>(history).when(&work(2, 8, Ok(()), 1)).then(&[queued(2, 8, 1), claimed(2, 2, 1, 1)]);
}

#[test]
fn what_waits_for_its_next_attempt_is_withheld_once_the_member_may_not_be_written_to() {
    let failed = Failed { message: id(1), n: 1, fault: Fault::Code(451), at: at(0), again_at: Some(at(5)) };
    let history = [queued(1, 7, 0), claimed(1, 1, 1, 0), Event::Failed(failed)];
    for why in [Why::Gone, Why::Objected, Why::Restricted, Why::Shared] {
        given::<Letters>(history.clone()).when(&work(2, 7, Err(why), 5)).then(&[withheld(1, why, 5)]);
    }
    given::<Letters>(history).when(&work(2, 7, Ok(()), 5)).then(&[claimed(1, 2, 2, 5)]);
}

#[test]
fn whoever_is_about_to_send_withholds_what_may_not_be_sent_any_more() {
    let history = [queued(1, 7, 0), claimed(1, 1, 1, 0)];
    let withhold = |by| Command::Withhold { claim: claim(by), why: Why::Objected, at: at(0) };
    given::<Letters>(history.clone()).when(&withhold(1)).then(&[withheld(1, Why::Objected, 0)]);
    given::<Letters>(history.clone()).when(&withhold(2)).then_nothing();
    asking_twice_changes_nothing::<Letters>(&history, &withhold(1));
}

/// As the vault folds, as far as these tests need.
fn fold(text: &str) -> Vec<String> {
    let plain = text.to_lowercase().replace('\u{e9}', "e");
    vec![plain.split(|c: char| !c.is_alphanumeric()).collect::<Vec<_>>().join(" ")]
}

fn profile(json: serde_json::Value) -> Profile {
    serde_json::from_value(json).unwrap()
}

const SAID: &[&str] = &[
    "There is something for you to see",
    "There is something for you to see: https://kith.harbour.example",
    "hello@harbour.example",
];

fn asked<'a>(
    allowed: Option<Result<(), Denied>>,
    (profile, others): (&'a Profile, &'a [Profile]),
    shared: bool,
) -> Asked<'a> {
    Asked { allowed, profile, others, shared, said: SAID, fold }
}

#[test]
fn each_rule_withholds_by_itself() {
    let safe = json!({ "channels": ["email"], "may_leave_message": true });
    let good = json!({ "email": "bee@example.org", "safe_contact": safe });
    let with = |field: &str, value: serde_json::Value| {
        let mut with = good.clone();
        with["safe_contact"][field] = value;
        with
    };
    let no = |denied| Some(Err(denied));
    let ok = Some(Ok(()));
    for (allowed, known, others, shared, expected) in [
        (ok, good.clone(), vec![], false, Ok(())),
        (ok, good.clone(), vec![], true, Ok(())),
        (None, good.clone(), vec![], false, Err(Why::Gone)),
        (no(Denied::Restricted), good.clone(), vec![], false, Err(Why::Restricted)),
        (no(Denied::Objected(Purpose::Contact)), good.clone(), vec![], false, Err(Why::Objected)),
        (no(Denied::NoConsent(Purpose::Contact)), good.clone(), vec![], false, Err(Why::NotAllowed)),
        (ok, json!({ "safe_contact": safe }), vec![], false, Err(Why::NoAddress)),
        (ok, json!({ "email": "bee@example.org" }), vec![], false, Err(Why::NotAsked)),
        (ok, with("channels", json!(["phone", "sms"])), vec![], false, Err(Why::NotByEmail)),
        (ok, with("channels", json!([])), vec![], false, Err(Why::NotByEmail)),
        (ok, with("channels", json!(["phone", "email"])), vec![], false, Ok(())),
        (ok, with("when", json!("after six")), vec![], false, Err(Why::OnlyWhen)),
        (ok, with("never_mention", json!(["Harbour"])), vec![], false, Err(Why::Mentions)),
        (ok, with("never_mention", json!(["the H\u{c9}LLO caf\u{e9}"])), vec![], false, Err(Why::Mentions)),
        (ok, with("never_mention", json!(["kith"])), vec![], false, Err(Why::Mentions)),
        (ok, with("never_mention", json!(["my group", "drinking"])), vec![], false, Ok(())),
        (ok, with("may_leave_message", json!(false)), vec![], false, Ok(())),
        (ok, with("may_leave_message", json!(false)), vec![], true, Err(Why::Shared)),
        // Of several records the most careful one wins.
        (ok, good.clone(), vec![with("channels", json!(["post"]))], false, Err(Why::NotByEmail)),
        (ok, good.clone(), vec![with("when", json!("never at night"))], false, Err(Why::OnlyWhen)),
        (ok, good.clone(), vec![with("never_mention", json!(["something"]))], false, Err(Why::Mentions)),
        (ok, good.clone(), vec![with("may_leave_message", json!(false))], true, Err(Why::Shared)),
        (ok, good.clone(), vec![json!({ "email": "old@example.org" })], false, Err(Why::NotAsked)),
        (ok, good.clone(), vec![json!({ "alias": "Bee" })], false, Ok(())),
        (ok, json!({ "alias": "Bee" }), vec![good.clone()], false, Err(Why::NoAddress)),
    ] {
        let (known, others): (_, Vec<_>) = (profile(known), others.into_iter().map(profile).collect());
        let may = may_be_written_to(&asked(allowed, (&known, &others), shared));
        assert_eq!(may, expected, "{known:?} {others:?} {shared}");
    }
}

fn any_profile() -> impl Strategy<Value = Profile> {
    let words = prop::sample::subsequence(vec!["harbour", "group", "Something", "the caf\u{e9}"], 0..3);
    let channels = prop::sample::subsequence(vec!["email", "phone", "sms", "post"], 0..4);
    let safe = (channels, prop::option::of(Just("later")), words, any::<bool>()).prop_map(|(channels, when, words, leave)| {
        json!({ "channels": channels, "when": when, "never_mention": words, "may_leave_message": leave })
    });
    (prop::option::of(Just("bee@example.org")), prop::option::of(safe))
        .prop_map(|(email, safe)| profile(json!({ "email": email, "safe_contact": safe })))
}

proptest! {
    #[test]
    fn another_record_never_makes_it_less_careful_nor_does_its_order_matter(
        known in any_profile(), others in prop::collection::vec(any_profile(), 0..4), more in any_profile(), shared in any::<bool>(),
    ) {
        let may = |others: &[Profile], shared| may_be_written_to(&asked(Some(Ok(())), (&known, others), shared)).is_ok();
        let all: Vec<_> = others.iter().cloned().chain([more]).collect();
        prop_assert!(!may(&all, shared) || may(&others, shared));
        prop_assert!(!may(&all, true) || may(&all, false));
        let reversed: Vec<_> = all.iter().cloned().rev().collect();
        prop_assert_eq!(may(&all, shared), may(&reversed, shared));
    }

    #[test]
    fn whoever_is_written_to_said_so_in_every_record(
        known in any_profile(), others in prop::collection::vec(any_profile(), 0..4), shared in any::<bool>(),
    ) {
        if may_be_written_to(&asked(Some(Ok(())), (&known, &others), shared)).is_ok() {
            prop_assert!(known.email.is_some() && known.safe_contact.is_some());
            for safe in std::iter::once(&known).chain(&others).filter_map(|profile| profile.safe_contact.as_ref()) {
                prop_assert!(safe.channels.contains(&crate::member::Channel::Email) && safe.when.is_none());
                prop_assert!(safe.may_leave_message || !shared);
                for never in &safe.never_mention {
                    prop_assert!(SAID.iter().all(|said| !fold(said)[0].contains(&fold(never.as_str())[0])));
                }
            }
        }
    }
}
