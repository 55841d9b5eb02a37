//! What is due when, and who is silent.

use jiff::civil::date;

use super::*;

fn at(time: &str) -> Timestamp {
    time.parse().unwrap()
}

fn due(history: &[Event], calendar: &Calendar) -> Vec<(Clock, Timestamp, Party)> {
    let state = state(history);
    let due = state.attempt(attempt_id(1)).unwrap().due(calendar);
    due.into_iter().map(|due| (due.clock, due.at, due.silent)).collect()
}

#[test]
fn a_routine_referral_is_due_in_working_days_of_the_partner_and_no_more_once_its_cause_is_gone() {
    let history = after(sent());
    // Noon in Greenwich is seven in New York; its clocks go forward on 8 March.
    let receipt = at("2026-03-05T07:00:00-05:00");
    let decision = at("2026-03-10T07:00:00-04:00");
    assert_eq!(
        due(&history, &calendar()),
        [(Clock::Receipt, receipt, Party::Provider), (Clock::Decision, decision, Party::Provider)]
    );
    let overdue = |now| state(&history).attempt(attempt_id(1)).unwrap().overdue(&calendar(), now).len();
    let minute = SignedDuration::from_mins(1);
    assert_eq!((overdue(receipt - minute), overdue(receipt), overdue(decision)), (0, 1, 2));
    let opened = after(with(sent(), [act(1, Actor::Partner, What::Open {})]));
    assert_eq!(due(&opened, &calendar()), [(Clock::Decision, decision, Party::Provider)]);
    let mut holiday = calendar();
    holiday.closed_on.insert(date(2026, 3, 4));
    assert_eq!(due(&history, &holiday)[0].1, at("2026-03-06T07:00:00-05:00"));
}

#[test]
fn an_emergency_does_not_wait_for_a_working_day_and_a_clock_that_is_off_is_never_due() {
    let urgent = NeedStated { urgency: Urgency::Emergency, ..stated(1) };
    let commands = [Command::Allow(allowed(1, 1)), Command::StateNeed(urgent, None), Command::Draft(drafted(1, 1))];
    let saturday = at("2026-03-07T12:00:00-05:00");
    let history = after(with(commands.clone().into(), [sending(Sending { at: saturday, ..send(1, 1) })]));
    let all = due(&history, &calendar());
    assert_eq!((all[0].1, all[1].1), (saturday + HOUR * 4, at("2026-03-08T12:00:00-04:00")));
    let mut clocks = Clocks::default();
    clocks.emergency.received = crate::route::Within::Hours(0);
    clocks.emergency.decided = crate::route::Within::Days(0);
    let off = after(with(commands.into(), [sending(Sending { clocks, ..send(1, 1) })]));
    assert_eq!(due(&off, &calendar()), []);
    let never = Command::Lapse { attempt: attempt_id(1), calendar: calendar(), at: NOON + DAY * 3_000 };
    given::<Referral>(off).when(&never).then_nothing();
}

#[test]
fn contact_is_due_from_when_it_was_taken_on_but_not_before_an_appointment() {
    let accept = NOON + HOUR;
    let contact = calendar().after_working_days(accept, 15);
    assert_eq!(due(&after(accepted([])), &calendar()), [(Clock::Contact, contact, Party::Provider)]);
    let schedule = |days| act(1, Actor::Partner, What::Schedule { starts_at: NOON + DAY * days });
    assert_eq!(due(&after(accepted([schedule(2)])), &calendar())[0].1, contact);
    assert_eq!(due(&after(accepted([schedule(90)])), &calendar())[0].1, NOON + DAY * 90);
    let missed = act(1, Actor::Partner, What::RecordNoShow { reason: None });
    assert_eq!(due(&after(accepted([schedule(90), missed])), &calendar())[0].1, contact);
    let engaged = due(&after(accepted([act(1, Actor::Partner, What::Engage {})])), &calendar());
    let question = calendar().after_days(accept, 30);
    assert_eq!(engaged, [(Clock::MemberQuestion, question, Party::Requester)]);
    let wait = || act(1, Actor::Partner, What::Waitlist { position: None, expected_on: None });
    let update = calendar().after_days(accept, 30);
    assert_eq!(due(&after(accepted([wait()])), &calendar()), [(Clock::WaitlistUpdate, update, Party::Provider)]);
    // Who leaves the list late is not late at once.
    let left = NOON + DAY * 100;
    let off_the_list = Ask { at: left, ..ask(1, Actor::Partner, What::Schedule { starts_at: left }) };
    let history = after(accepted([wait(), Command::Act(off_the_list)]));
    assert_eq!(due(&history, &calendar())[0].1, calendar().after_working_days(left, 15));
}

#[test]
fn the_member_is_asked_until_they_say_something() {
    let complete = || act(1, Actor::Partner, What::Complete { outcome: Outcome::ServiceReceived });
    let question = calendar().after_days(NOON + HOUR, 14);
    let history = after(accepted([complete()]));
    assert_eq!(due(&history, &calendar()), [(Clock::MemberQuestion, question, Party::Requester)]);
    let answer = act(1, Actor::Coordinator, What::Answer { answer: Answer::NoAnswer });
    assert_eq!(due(&after(accepted([complete(), answer])), &calendar()), []);
}

#[test]
fn who_withdrew_is_known_to_the_partner_within_days_and_until_then_the_silent_party_is_named() {
    let withdrawn = || withdraw(Some(1), Actor::Member);
    let tell = || act(1, Actor::Clock, What::TellWithdrawal { channel: Channel::Email });
    let acknowledge = || act(1, Actor::Partner, What::AcknowledgeWithdrawal {});
    let by = calendar().after_days(NOON + HOUR * 2, 2);
    let history = after(accepted([withdrawn()]));
    assert_eq!(due(&history, &calendar()), [(Clock::WithdrawalAck, by, Party::Requester)]);
    let history = after(accepted([withdrawn(), tell()]));
    assert_eq!(due(&history, &calendar()), [(Clock::WithdrawalAck, by, Party::Provider)]);
    let link = Command::IssueLink(link(1, Purpose::Acknowledge));
    let history = after(accepted([withdrawn(), tell(), link, acknowledge()]));
    assert_eq!(due(&history, &calendar()), []);
}

#[test]
fn time_ends_what_nobody_answers_at_its_minute() {
    let lapse = |at| Command::Lapse { attempt: attempt_id(1), calendar: calendar(), at };
    let history = after(sent());
    // Five working days to decide, and five more.
    let expires = at("2026-03-17T07:00:00-04:00");
    assert_eq!(refused(&history, &lapse(expires - SignedDuration::from_mins(1))), Refusal::NotYet);
    asking_twice_changes_nothing::<Referral>(&history, &lapse(expires));
    let events = Referral::decide(&lapse(expires), &state(&history)).unwrap();
    let known = events.iter().fold(state(&history), Referral::evolve);
    let attempt = known.attempt(attempt_id(1)).unwrap();
    assert_eq!((attempt.stage, attempt.attribution().unwrap().party), (Stage::Expired, Party::Provider));
    let cancel = act(1, Actor::Coordinator, What::RequestCancel { reason: Reason::MemberRequest });
    let history = after(accepted([cancel]));
    let grace = calendar().after_days(NOON + HOUR, 5);
    assert_eq!(due(&history, &calendar()), [(Clock::Cancellation, grace, Party::Provider)]);
    assert_eq!(refused(&history, &lapse(grace - HOUR)), Refusal::NotYet);
    let events = Referral::decide(&lapse(grace), &state(&history)).unwrap();
    let known = events.iter().fold(state(&history), Referral::evolve);
    let attempt = known.attempt(attempt_id(1)).unwrap();
    assert_eq!((attempt.stage, attempt.attribution().unwrap().reason), (Stage::Withdrawn, Reason::MemberRequest));
    // A partner may still report what came of it.
    let done = act(1, Actor::Partner, What::Complete { outcome: Outcome::ServiceReceived });
    let known = Referral::decide(&done, &state(&history)).unwrap().iter().fold(state(&history), Referral::evolve);
    assert_eq!(known.attempt(attempt_id(1)).unwrap().attribution(), None, "nothing failed");
}
