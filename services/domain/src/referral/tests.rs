use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use uuid::Uuid;

use super::{clocks::Clock, reason::Party, *};
use crate::{
    NeedId, PartnerId, ServiceId, Subject,
    decider::spec::{asking_twice_changes_nothing, given},
    partner::{self, Day, Details, Partner, Service, ServiceDescribed, Status},
    route::Urgency,
};

mod due;
mod laws;
mod table;

/// A Tuesday, at noon in Greenwich.
const NOON: Timestamp = Timestamp::constant(1_772_539_200, 0);
const HOUR: SignedDuration = SignedDuration::from_hours(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);
/// What is told in these tests.
const ITEMS: [Item; 2] = [Item::Alias, Item::Phone];

fn sealed(text: &str) -> Sealed {
    let Ok(sealed) = text.parse();
    sealed
}

fn attempt_id(n: u128) -> AttemptId {
    AttemptId(Uuid::from_u128(n))
}

fn consent_id(n: u128) -> ConsentId {
    ConsentId(Uuid::from_u128(n))
}

fn need_id(n: u128) -> NeedId {
    NeedId(Uuid::from_u128(n))
}

fn partner_id(n: u128) -> PartnerId {
    PartnerId(Uuid::from_u128(n))
}

fn by(actor: Actor) -> By {
    let subject: Option<Subject> = (actor != Actor::Clock).then(|| <&str>::from(actor).parse().unwrap());
    By { actor, subject, link: None }
}

fn digest(digit: char) -> Digest {
    digit.to_string().repeat(64).parse().unwrap()
}

fn calendar() -> Calendar {
    let working_days = [Day::Mo, Day::Tu, Day::We, Day::Th, Day::Fr].into();
    Calendar { time_zone: "America/New_York".parse().unwrap(), working_days, closed_on: BTreeSet::new() }
}

/// A partner's only service, which may be told all but ethnicity.
fn recipient(n: u128, treats: bool, intermediary: bool) -> Recipient {
    let name = "Counselling".parse().unwrap();
    let details =
        Details { name, calendar: calendar(), mailbox: None, treats, intermediary, hipaa: false, source: None };
    let may_receive = [Item::Alias, Item::Phone, Item::Ask].into();
    let service: Service = serde_json::from_value(serde_json::json!({ "name": "Counselling", "status": Status::Active, "may_receive": may_receive_json(&may_receive) })).unwrap();
    let described = ServiceDescribed { service: ServiceId(Uuid::from_u128(n)), details: service };
    let history =
        [partner::Event::Registered(partner::Registered { details }), partner::Event::ServiceDescribed(described)];
    let known = history.iter().fold(None, Partner::evolve).unwrap();
    known.recipient(partner_id(n), ServiceId(Uuid::from_u128(n))).unwrap()
}

fn may_receive_json(items: &BTreeSet<Item>) -> serde_json::Value {
    serde_json::to_value(items).unwrap()
}

fn allowed(n: u128, partner: u128) -> Allowed {
    Allowed {
        consent: consent_id(n),
        takes_over: None,
        law: Law::Part2,
        partners: [partner_id(partner)].into(),
        treating: false,
        items: ITEMS.into(),
        from: NOON,
        until: Some(NOON + DAY * 365),
        text: "referral-2026-03".parse().unwrap(),
        means: Means::Written,
        elements: Law::Part2.elements(true),
        details: None,
        by: by(Actor::Coordinator),
    }
}

fn stated(n: u128) -> NeedStated {
    NeedStated {
        need: need_id(n),
        based_on: None,
        urgency: Urgency::Routine,
        says: sealed("counselling"),
        by: by(Actor::Facilitator),
        at: NOON,
    }
}

/// Of need 1, to the partner of that number.
fn drafted(n: u128, partner: u128) -> Drafted {
    Drafted {
        attempt: attempt_id(n),
        need: need_id(1),
        partner: partner_id(partner),
        service: ServiceId(Uuid::from_u128(partner)),
        parent: None,
        note: None,
        by: by(Actor::Facilitator),
        at: NOON,
    }
}

fn send(n: u128, partner: u128) -> Sending {
    Sending {
        attempt: attempt_id(n),
        recipient: recipient(partner, true, false),
        items: ITEMS.into(),
        projection: sealed("what is read"),
        preview: digest('a'),
        clocks: Clocks::default(),
        standing: Standing::default(),
        rests: Rests::new(),
        overriding: None,
        link: None,
        by: by(Actor::Coordinator),
        at: NOON,
    }
}

fn overriding(n: u128, partner: u128) -> Sending {
    let overriding = Some((sealed("in danger"), NOON + DAY * 7));
    Sending { overriding, by: by(Actor::DutyLead), ..send(n, partner) }
}

fn sending(asked: Sending) -> Command {
    Command::Send(Box::new(asked))
}

fn ask(n: u128, actor: Actor, what: What) -> Ask {
    Ask { attempt: attempt_id(n), what, rest_days: None, note: None, by: by(actor), at: NOON + HOUR }
}

fn act(n: u128, actor: Actor, what: What) -> Command {
    Command::Act(ask(n, actor, what))
}

fn withdraw(consent: Option<u128>, actor: Actor) -> Command {
    let consent = consent.map(consent_id);
    Command::Withdraw { consent, means: Means::Verbal, by: by(actor), at: NOON + HOUR * 2 }
}

fn link(n: u128, purpose: Purpose) -> LinkIssued {
    LinkIssued {
        link: LinkId(Uuid::from_u128(n)),
        attempt: attempt_id(1),
        purpose,
        secret: digest(char::from_digit(u32::try_from(n).unwrap(), 16).unwrap()),
        until: NOON + DAY * 14,
        by: by(Actor::Coordinator),
        at: NOON,
    }
}

/// What follows from commands, none of which is refused.
fn after(commands: impl IntoIterator<Item = Command>) -> Vec<Event> {
    let mut history = vec![];
    for command in commands {
        let state = state(&history);
        history.extend(Referral::decide(&command, &state).unwrap_or_else(|refusal| panic!("{command:?}: {refusal}")));
    }
    history
}

fn state(history: &[Event]) -> State {
    history.iter().fold(State::default(), Referral::evolve)
}

/// Need 1, with a consent for partner 1 and a draft of attempt 1 to it.
fn a_draft() -> Vec<Command> {
    vec![Command::Allow(allowed(1, 1)), Command::StateNeed(stated(1), None), Command::Draft(drafted(1, 1))]
}

fn sent() -> Vec<Command> {
    with(a_draft(), [sending(send(1, 1))])
}

fn with(commands: Vec<Command>, more: impl IntoIterator<Item = Command>) -> Vec<Command> {
    commands.into_iter().chain(more).collect()
}

/// Attempt 1, taken on, and then that.
fn accepted(more: impl IntoIterator<Item = Command>) -> Vec<Command> {
    with(with(sent(), [act(1, Actor::Partner, What::Accept {})]), more)
}

#[track_caller]
fn refused(history: &[Event], command: &Command) -> Refusal {
    Referral::decide(command, &state(history)).expect_err("refused")
}

#[test]
fn nothing_is_sent_but_what_the_member_allowed_that_partner_to_be_told() {
    let history = after(a_draft());
    let clauses = Basis::Consent(ITEMS.map(|item| (item, consent_id(1))).into());
    let events = Referral::decide(&sending(send(1, 1)), &state(&history)).unwrap();
    let [Event::Sent(sent)] = &events[..] else { panic!("{events:?}") };
    assert_eq!((&sent.basis, sent.to.partner, sent.urgency), (&clauses, partner_id(1), Urgency::Routine));
    asking_twice_changes_nothing::<Referral>(&history, &sending(send(1, 1)));
    let more = Sending { items: [Item::Alias, Item::Ask].into(), ..send(1, 1) };
    assert_eq!(refused(&history, &sending(more)), Refusal::NotAllowed([Item::Ask].into()));
    let more = Sending { items: [Item::Alias, Item::Ethnicity].into(), ..send(1, 1) };
    assert_eq!(refused(&history, &sending(more)), Refusal::NotForService([Item::Ethnicity].into()));
    for (at, allowed) in [(-1, false), (0, true), (24 * 365 - 1, true), (24 * 365, false)] {
        let then = Sending { at: NOON + HOUR * at, ..send(1, 1) };
        assert_eq!(Referral::decide(&sending(then), &state(&history)).is_ok(), allowed, "after {at} hours");
    }
    let elsewhere = after(with(a_draft(), [Command::Draft(drafted(2, 2))]));
    assert_eq!(refused(&elsewhere, &sending(send(2, 2))), Refusal::NotAllowed(ITEMS.into()));
    assert_eq!(refused(&elsewhere, &sending(send(1, 2))), Refusal::OtherRecipient);
    let restricted = Sending { standing: Standing { restricted: true, objected: false }, ..send(1, 1) };
    assert_eq!(refused(&history, &sending(restricted)), Refusal::Restricted);
    let objected = Sending { standing: Standing { restricted: false, objected: true }, ..send(1, 1) };
    assert_eq!(refused(&history, &sending(objected)), Refusal::Objected);
    let nothing = Sending { items: BTreeSet::new(), ..send(1, 1) };
    assert_eq!(refused(&history, &sending(nothing)), Refusal::Nothing);
}

#[test]
fn facilitators_draft_and_coordinators_send() {
    let history = after(a_draft());
    let facilitator = Sending { by: by(Actor::Facilitator), ..send(1, 1) };
    let refusal = refused(&history, &sending(facilitator));
    assert_eq!(refusal.to_string(), "a facilitator cannot send a referral that is draft");
    let coordinator = Sending { by: by(Actor::Coordinator), ..overriding(1, 1) };
    let refusal = refused(&history, &sending(coordinator));
    assert_eq!(refusal.to_string(), "a coordinator cannot override a referral that is draft");
}

#[test]
fn a_consent_says_what_its_law_asks_for_and_a_class_is_not_for_who_does_not_treat() {
    let less = Allowed { elements: [Element::Subject].into(), ..allowed(1, 1) };
    let missing = Law::Part2.elements(false).into_iter().filter(|element| *element != Element::Subject).collect();
    given::<Referral>([]).when(&Command::Allow(less)).then_refused(&Refusal::Incomplete(missing));
    let mut endless = Allowed { until: None, ..allowed(1, 1) };
    endless.elements.remove(&Element::End);
    given::<Referral>([])
        .when(&Command::Allow(endless.clone()))
        .then_refused(&Refusal::Incomplete([Element::End].into()));
    let gdpr = Allowed { law: Law::Gdpr, ..endless };
    given::<Referral>([]).when(&Command::Allow(gdpr.clone())).then(&[Event::Allowed(gdpr.clone())]);
    asking_twice_changes_nothing::<Referral>(&[], &Command::Allow(gdpr.clone()));
    given::<Referral>([Event::Allowed(gdpr)])
        .when(&Command::Allow(allowed(1, 1)))
        .then_refused(&Refusal::There("consent"));
    let nobody = Allowed { partners: BTreeSet::new(), ..allowed(1, 1) };
    given::<Referral>([]).when(&Command::Allow(nobody.clone())).then_refused(&Refusal::Nothing);
    let backwards = Allowed { until: Some(NOON), ..allowed(1, 1) };
    given::<Referral>([]).when(&Command::Allow(backwards)).then_refused(&Refusal::ConsentDates);

    let class = Allowed { treating: true, ..nobody };
    let by_name = Allowed { treating: false, ..allowed(1, 1) };
    let silent = Allowed { elements: Law::Part2.elements(false), ..allowed(1, 1) };
    for (consent, treats, intermediary, goes) in [
        (&class, true, false, true),
        (&class, false, false, false),
        (&class, true, true, false),
        (&by_name, false, false, true),
        (&by_name, false, true, true),
        (&silent, false, true, false),
    ] {
        let history = after([Command::Allow(consent.clone())].into_iter().chain(a_draft().into_iter().skip(1)));
        let to = Sending { recipient: recipient(1, treats, intermediary), ..send(1, 1) };
        assert_eq!(Referral::decide(&sending(to), &state(&history)).is_ok(), goes, "{treats} {intermediary}");
    }
}

#[test]
fn who_withdraws_closes_the_partners_access_in_the_same_append() {
    let history = after(accepted([Command::IssueLink(link(1, Purpose::Partner))]));
    let at = NOON + HOUR * 2;
    let before = state(&history);
    assert_eq!(
        before.open_to_partner(attempt_id(1), Standing::default(), at).unwrap().projection,
        sealed("what is read")
    );
    assert!(before.link(&digest('1'), at).is_ok());
    for command in [withdraw(Some(1), Actor::Member), withdraw(None, Actor::Coordinator)] {
        asking_twice_changes_nothing::<Referral>(&history, &command);
        let events = Referral::decide(&command, &before).unwrap();
        assert!(matches!(&events[..], [Event::Withdrawn(_), Event::Moved(Moved { to: Stage::Withdrawn, .. })]));
        let state = events.iter().fold(before.clone(), Referral::evolve);
        assert_eq!(state.open_to_partner(attempt_id(1), Standing::default(), at), Err(Refusal::Closed));
        assert_eq!(state.link(&digest('1'), at).err(), Some(Refusal::NoLink));
        let attempt = state.attempt(attempt_id(1)).unwrap();
        assert_eq!((attempt.closing, attempt.attribution().unwrap().party), (Some(Closing::Withdrawn), Party::Client));
    }
    assert_eq!(refused(&history, &withdraw(Some(7), Actor::Member)), Refusal::UnknownConsent);
    assert_eq!(refused(&history, &withdraw(Some(1), Actor::Partner)), Refusal::NotFor(Actor::Partner));
}

#[test]
fn a_withdrawn_referral_is_entered_in_error_only_once_the_partner_has_acknowledged() {
    let history = after(accepted([withdraw(Some(1), Actor::Member)]));
    let error = act(1, Actor::Coordinator, What::EnterInError { reason: Reason::Duplicate });
    assert!(matches!(refused(&history, &error), Refusal::NotPossible { from: Some(Stage::Withdrawn), .. }));
    let acknowledged =
        after(accepted([withdraw(Some(1), Actor::Member), act(1, Actor::Partner, What::AcknowledgeWithdrawal {})]));
    assert!(Referral::decide(&error, &state(&acknowledged)).is_ok());
}

#[test]
fn a_consent_that_was_given_before_is_entered_anew_and_withdrawn_by_either_id() {
    let anew = Allowed { takes_over: Some(consent_id(9)), ..allowed(1, 1) };
    let rest = sent().into_iter().skip(1);
    let history = after([Command::Allow(anew)].into_iter().chain(rest));
    let events = Referral::decide(&withdraw(Some(9), Actor::Member), &state(&history)).unwrap();
    assert_eq!(events.len(), 2);
}

#[test]
fn a_consent_that_ends_closes_access_at_its_instant_and_what_another_allows_goes_on() {
    let history = after(sent());
    let end = NOON + DAY * 365;
    let open = |history: &[Event], at| state(history).open_to_partner(attempt_id(1), Standing::default(), at).is_ok();
    assert!(open(&history, end - HOUR) && !open(&history, end), "before anything is written");
    let late = Ask { at: end, ..ask(1, Actor::Partner, What::Accept {}) };
    assert_eq!(refused(&history, &Command::Act(late)), Refusal::Closed);
    given::<Referral>(history.clone()).when(&Command::Expire(end - HOUR)).then_nothing();
    asking_twice_changes_nothing::<Referral>(&history, &Command::Expire(end));
    let events = Referral::decide(&Command::Expire(end), &state(&history)).unwrap();
    assert!(matches!(&events[..], [Event::Withdrawn(_), Event::Moved(_)]));
    let longer = Allowed { until: None, ..allowed(2, 1) };
    let history = after(with(sent(), [Command::Allow(longer)]));
    let events = Referral::decide(&Command::Expire(end), &state(&history)).unwrap();
    assert!(matches!(&events[..], [Event::Withdrawn(_)]) && open(&history, end));
}

#[test]
fn restriction_closes_reading_for_as_long_as_it_lasts() {
    let history = after(sent());
    let restricted = Standing { restricted: true, objected: false };
    assert_eq!(state(&history).open_to_partner(attempt_id(1), restricted, NOON), Err(Refusal::Closed));
    assert!(state(&history).open_to_partner(attempt_id(1), Standing::default(), NOON).is_ok());
}

#[test]
fn what_is_sent_without_consent_has_a_reason_an_end_and_a_review_by_somebody_else() {
    let history = after(a_draft().into_iter().skip(1).chain([sending(overriding(1, 1))]));
    assert!(matches!(&history[history.len() - 2..], [Event::Overridden(_), Event::Sent(_)]));
    let open = |history: &[Event], at| state(history).open_to_partner(attempt_id(1), Standing::default(), at).is_ok();
    assert!(open(&history, NOON + DAY * 6) && !open(&history, NOON + DAY * 7));
    let review = |actor, justified| {
        Command::Review(OverrideReviewed { attempt: attempt_id(1), justified, by: by(actor), at: NOON + HOUR })
    };
    assert_eq!(refused(&history, &review(Actor::DutyLead, true)), Refusal::OwnOverride);
    asking_twice_changes_nothing::<Referral>(&history, &review(Actor::Coordinator, true));
    let events = Referral::decide(&review(Actor::Coordinator, false), &state(&history)).unwrap();
    let found: Vec<_> = history.iter().cloned().chain(events).collect();
    assert!(!open(&found, NOON + HOUR));
    assert_eq!(state(&found).attempt(attempt_id(1)).unwrap().closing, Some(Closing::OverrideUnjustified));
    let ended = Referral::decide(&Command::Expire(NOON + DAY * 7), &state(&history)).unwrap();
    let [Event::Moved(Moved { what: What::CloseAccess { why: Closing::OverrideEnded }, .. })] = &ended[..] else {
        panic!()
    };
    let long = Sending { overriding: Some((sealed("in danger"), NOON + DAY * 31)), ..overriding(1, 1) };
    assert_eq!(refused(&after(a_draft()), &sending(long)), Refusal::OverrideTime);
}

#[test]
fn a_decline_ends_an_attempt_and_not_the_need_and_the_next_one_knows_it() {
    let decline = act(1, Actor::Partner, What::Decline { reason: Reason::NoCapacity });
    let history = after(with(sent(), [decline]));
    let known = state(&history);
    let attempt = known.attempt(attempt_id(1)).unwrap();
    assert_eq!((attempt.stage, attempt.attribution().unwrap().party), (Stage::DeclinedByService, Party::Provider));
    assert_eq!(known.needs[&need_id(1)].request_status(true), fhir::RequestStatus::Active);
    let again = Drafted { parent: Some(attempt_id(1)), by: by(Actor::Coordinator), ..drafted(2, 1) };
    assert_eq!(refused(&history, &Command::Draft(again.clone())), Refusal::NoWords);
    let again = Drafted { note: Some(sealed("there is room again")), ..again };
    let theirs = Drafted { by: by(Actor::Facilitator), ..again.clone() };
    assert_eq!(refused(&history, &Command::Draft(theirs)), Refusal::NoParent);
    let history: Vec<_> = history.into_iter().chain([Event::Drafted(again)]).collect();
    let until = NOON + HOUR + DAY * 14;
    let soon = Refusal::NotAgainBefore { until, reason: Reason::NoCapacity };
    assert_eq!(refused(&history, &sending(send(2, 1))), soon);
    let later = Sending { at: until, ..send(2, 1) };
    assert!(Referral::decide(&sending(later), &state(&history)).is_ok());
    let lifted = RestLifted {
        partner: partner_id(1),
        reason: Reason::NoCapacity,
        note: sealed("they called"),
        by: by(Actor::Coordinator),
        at: NOON,
    };
    let lifted: Vec<_> = history.iter().cloned().chain([Event::RestLifted(lifted)]).collect();
    assert!(Referral::decide(&sending(send(2, 1)), &state(&lifted)).is_ok());
    // What another record of the person says holds as well.
    let rests = Rests::from([((partner_id(1), Reason::BarredFromService), NOON + DAY)]);
    let barred = Refusal::NotAgainBefore { until: NOON + DAY, reason: Reason::BarredFromService };
    assert_eq!(refused(&lifted, &sending(Sending { rests, ..send(2, 1) })), barred);
}

#[test]
fn a_need_has_several_partners_and_not_one_twice() {
    let two = [Command::Allow(allowed(2, 2)), Command::Draft(drafted(2, 2)), Command::Draft(drafted(3, 1))];
    let history = after(with(sent(), with(two.into(), [sending(send(2, 2))])));
    assert_eq!(refused(&history, &sending(send(3, 1))), Refusal::AlreadyWith(attempt_id(1)));
    let known = state(&history);
    assert_eq!(known.rivals(known.attempt(attempt_id(1)).unwrap()), [attempt_id(2)]);
    let drop = |end| NeedClosed { need: need_id(1), end, note: None, by: by(Actor::Coordinator), at: NOON + HOUR };
    let under_way = Refusal::UnderWay(vec![attempt_id(1), attempt_id(2)]);
    assert_eq!(refused(&history, &Command::CloseNeed(drop(NeedEnd::Dropped), None)), under_way);
    assert_eq!(crate::Refusal::parts(&under_way).len(), 2, "it lists what is open");
    assert_eq!(refused(&history, &Command::CloseNeed(drop(NeedEnd::Met), None)), Refusal::NotMet);
    let accept = act(2, Actor::Partner, What::Accept {});
    let history: Vec<_> = history.iter().cloned().chain(Referral::decide(&accept, &known).unwrap()).collect();
    let close = Command::CloseNeed(drop(NeedEnd::Dropped), Some(Reason::MemberRequest));
    asking_twice_changes_nothing::<Referral>(&history, &close);
    let closed = Referral::decide(&close, &state(&history)).unwrap();
    let known = closed.iter().fold(state(&history), Referral::evolve);
    assert_eq!(known.attempt(attempt_id(1)).unwrap().stage, Stage::Withdrawn);
    assert_eq!(known.attempt(attempt_id(2)).unwrap().stage, Stage::CancelRequested, "the partner is asked");
    assert_eq!(known.needs[&need_id(1)].request_status(true), fhir::RequestStatus::Revoked);
}

#[test]
fn a_reason_is_one_for_what_it_is_given_for() {
    let history = after(sent());
    let decline = |reason| act(1, Actor::Partner, What::Decline { reason });
    let refusal = Refusal::NotAReason { reason: Reason::Forgot, step: Step::Decline };
    assert_eq!(refused(&history, &decline(Reason::Forgot)), refusal);
    assert_eq!(refused(&history, &decline(Reason::Other)), Refusal::NoWords);
    let refusal = Refusal::NotAReason { reason: Reason::Disengaged, step: Step::Decline };
    assert_eq!(refused(&history, &decline(Reason::Disengaged)), refusal, "before anything was taken on");
    assert!(Referral::decide(&decline(Reason::Disengaged), &state(&after(accepted([])))).is_ok());
    let long = Ask { rest_days: Some(731), ..ask(1, Actor::Partner, What::Decline { reason: Reason::NoCapacity }) };
    assert!(matches!(refused(&history, &Command::Act(long)), Refusal::OutOfRange { what: "rest_days", .. }));
    // The same word is of another party where it is said for something else.
    let party = |step| reason::attribution(step, false, Reason::Duplicate).unwrap().party;
    assert_eq!((party(Step::Decline), party(Step::Withdraw)), (Party::Neither, Party::Requester));
}

#[test]
fn no_show_twice_then_unreachable_takes_tries_and_says_at_whom_it_failed() {
    let schedule = |hours| act(1, Actor::Partner, What::Schedule { starts_at: NOON + HOUR * hours });
    let missed = |reason| act(1, Actor::Partner, What::RecordNoShow { reason });
    let twice = [schedule(48), missed(Some(Reason::Transport)), schedule(72), missed(None)];
    let history = after(accepted(twice));
    let give_up = |tries| act(1, Actor::Partner, What::GiveUp { tries, channels: [Channel::Phone].into() });
    assert_eq!(refused(&history, &give_up(1)), Refusal::TooFewTries);
    let events = Referral::decide(&give_up(3), &state(&history)).unwrap();
    let known = events.iter().fold(state(&history), Referral::evolve);
    let attempt = known.attempt(attempt_id(1)).unwrap();
    let attribution = attempt.attribution().unwrap();
    assert_eq!((attempt.stage, attempt.no_shows), (Stage::Unreachable, 2));
    assert_eq!((attribution.party, attribution.hmis), (Party::Provider, Some(3)));
}

#[test]
fn the_members_word_stands_beside_the_partners_and_never_over_it() {
    let complete = act(1, Actor::Partner, What::Complete { outcome: Outcome::ServiceReceived });
    let say = |actor, answer| act(1, actor, What::Answer { answer });
    let history = after(accepted([act(1, Actor::Partner, What::Engage {}), complete, say(Actor::Member, Answer::Not)]));
    let known = state(&history);
    let attempt = known.attempt(attempt_id(1)).unwrap();
    assert_eq!((attempt.outcome, attempt.answer), (Some(Outcome::ServiceReceived), Some(Answer::Not)));
    assert_eq!(attempt.stage, Stage::Completed);
    assert!(attempt.is_discordant());
    assert_eq!(known.open_to_partner(attempt_id(1), Standing::default(), NOON + HOUR), Err(Refusal::Closed));
    assert!(matches!(refused(&history, &say(Actor::Partner, Answer::Helped)), Refusal::NotPossible { .. }));
    let met = NeedClosed { need: need_id(1), end: NeedEnd::Met, note: None, by: by(Actor::Coordinator), at: NOON };
    assert!(Referral::decide(&Command::CloseNeed(met, None), &known).is_ok());
    let referred_on = act(1, Actor::Partner, What::Complete { outcome: Outcome::ReferredOn });
    assert_eq!(refused(&after(accepted([])), &referred_on), Refusal::NoWords);
}

#[test]
fn a_link_is_for_one_purpose_of_one_referral_and_has_an_end() {
    let links = [Command::IssueLink(link(1, Purpose::Partner)), Command::IssueLink(link(2, Purpose::Member))];
    let history = after(with(with(sent(), [Command::Draft(drafted(2, 1))]), links));
    let through = |n, link, actor, what, at| {
        let by = By { actor, subject: None, link: Some(LinkId(Uuid::from_u128(link))) };
        Command::Act(Ask { by, at, ..ask(n, actor, what) })
    };
    let accept = |link, at| through(1, link, Actor::Partner, What::Accept {}, at);
    let end = NOON + DAY * 14;
    assert!(Referral::decide(&accept(1, NOON + HOUR), &state(&history)).is_ok());
    for refused_one in [
        accept(2, NOON + HOUR),
        accept(7, NOON + HOUR),
        accept(1, end),
        through(2, 1, Actor::Partner, What::Accept {}, NOON + HOUR),
        through(1, 2, Actor::Member, What::DeclineForMember { reason: Reason::Moved }, NOON + HOUR),
    ] {
        assert_eq!(refused(&history, &refused_one), Refusal::NoLink, "{refused_one:?}");
    }
    assert!(state(&history).link(&digest('1'), end).is_err() && state(&history).link(&digest('5'), NOON).is_err());
    let revoke = LinkRevoked { link: LinkId(Uuid::from_u128(1)), by: by(Actor::Coordinator), at: NOON };
    asking_twice_changes_nothing::<Referral>(&history, &Command::RevokeLink(revoke.clone()));
    let revoked: Vec<_> = history.iter().cloned().chain([Event::LinkRevoked(revoke)]).collect();
    assert_eq!(refused(&revoked, &accept(1, NOON + HOUR)), Refusal::NoLink);
    let too_long = LinkIssued { until: NOON + DAY * 91, ..link(3, Purpose::Partner) };
    assert_eq!(refused(&history, &Command::IssueLink(too_long)), Refusal::LinkTime);
    let same_secret = LinkIssued { secret: digest('1'), ..link(3, Purpose::Partner) };
    assert_eq!(refused(&history, &Command::IssueLink(same_secret)), Refusal::There("link"));
    assert_eq!(refused(&history, &Command::IssueLink(link(3, Purpose::Acknowledge))), Refusal::Closed);
    let facilitators = LinkIssued { by: by(Actor::Facilitator), ..link(3, Purpose::Partner) };
    assert_eq!(refused(&history, &Command::IssueLink(facilitators)), Refusal::NotFor(Actor::Facilitator));
}

#[test]
fn opening_a_link_again_and_again_writes_at_most_once_a_day_and_never_makes_it_last_for_ever() {
    let mut history = after(with(sent(), [Command::IssueLink(link(1, Purpose::Partner))]));
    let open = |at| Command::OpenLink { link: LinkId(Uuid::from_u128(1)), at };
    for minutes in 0..10 {
        given::<Referral>(history.clone()).when(&open(NOON + SignedDuration::from_mins(minutes))).then_nothing();
    }
    let mut days = 0;
    while let Ok(events) = Referral::decide(&open(NOON + DAY * days), &state(&history)) {
        history.extend(events);
        days += 1;
    }
    assert_eq!(NOON + DAY * days, NOON + LINK_LIFE_MAX);
}

#[test]
fn who_was_erased_has_no_referrals_and_their_partners_are_told() {
    let history =
        after(with(accepted([]), [Command::Draft(drafted(2, 2)), Command::IssueLink(link(1, Purpose::Partner))]));
    let told = BTreeMap::from([(attempt_id(1), partner_id(1))]);
    let erased = Event::Erased(Erased { told, at: NOON + DAY });
    given::<Referral>(history.clone()).when(&Command::Forget(NOON + DAY)).then(std::slice::from_ref(&erased));
    asking_twice_changes_nothing::<Referral>(&history, &Command::Forget(NOON + DAY));
    let after: Vec<_> = history.into_iter().chain([erased]).collect();
    assert_eq!(state(&after), State { erased: true, ..State::default() });
    assert!(state(&after).link(&digest('1'), NOON).is_err());
    for command in [withdraw(None, Actor::Member), sending(send(1, 1)), Command::StateNeed(stated(3), None)] {
        assert_eq!(refused(&after, &command), Refusal::UnknownAttempt);
    }
    let nothing = Event::Erased(Erased { told: BTreeMap::new(), at: NOON });
    given::<Referral>([]).when(&Command::Forget(NOON)).then(&[nothing]);
}

#[test]
fn what_there_can_be_has_a_limit() {
    let needs = (0..NEEDS_MAX as u128).map(|n| Event::NeedStated(stated(n)));
    given::<Referral>(needs)
        .when(&Command::StateNeed(stated(7_777), None))
        .then_refused(&Refusal::Full("needs", NEEDS_MAX));
    let drafts = (0..ATTEMPTS_MAX as u128).map(|n| Event::Drafted(drafted(n, 1)));
    let full = Refusal::Full("referrals of one need", ATTEMPTS_MAX);
    given::<Referral>([Event::NeedStated(stated(1))].into_iter().chain(drafts))
        .when(&Command::Draft(drafted(7_777, 1)))
        .then_refused(&full);
    let mut history = after(sent());
    let deliver = |n: usize| {
        let what = What::Deliver { channel: Channel::Email };
        Command::Act(Ask { note: Some(sealed(&n.to_string())), ..ask(1, Actor::Clock, what) })
    };
    let Some(Event::Moved(moved)) = Referral::decide(&deliver(0), &state(&history)).unwrap().pop() else { panic!() };
    history.extend(std::iter::repeat_n(Event::Moved(moved), MOVES_MAX));
    assert_eq!(refused(&history, &deliver(1)), Refusal::Full("steps of one referral", MOVES_MAX));
    let decline = act(1, Actor::Partner, What::Decline { reason: Reason::NoCapacity });
    assert!(Referral::decide(&decline, &state(&history)).is_ok(), "it can always end");
    assert!(Referral::decide(&withdraw(None, Actor::Member), &state(&history)).is_ok());
}

#[test]
fn a_referral_that_somebody_filled_up_can_still_be_ended_and_its_withdrawal_told() {
    let mut history = after(accepted([]));
    let place = |n| What::Waitlist { position: Some(n), expected_on: None };
    let mut state = state(&history);
    for n in 1.. {
        let Ok(events) = Referral::decide(&act(1, Actor::Partner, place(n)), &state) else { break };
        state = events.iter().fold(state, Referral::evolve);
        history.extend(events);
    }
    let full = Refusal::Full("steps of one referral", MOVES_MAX);
    assert_eq!(refused(&history, &act(1, Actor::Partner, place(0x4000))), full);
    let cancel = act(1, Actor::Coordinator, What::RequestCancel { reason: Reason::MemberRequest });
    assert!(Referral::decide(&cancel, &state).is_ok());
    let withdrawn = Referral::decide(&withdraw(None, Actor::Member), &state).unwrap();
    let state = withdrawn.iter().fold(state, Referral::evolve);
    let tell = act(1, Actor::Coordinator, What::TellWithdrawal { channel: Channel::Email });
    let told = Referral::decide(&tell, &state).unwrap();
    let state = told.iter().fold(state, Referral::evolve);
    assert!(Referral::decide(&act(1, Actor::Partner, What::AcknowledgeWithdrawal {}), &state).is_ok());
}
