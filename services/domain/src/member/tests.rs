//! What is promised of members.

use jiff::{
    civil::{Date, date},
    tz::TimeZone,
};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::{
    LocalDay,
    decider::spec::{asking_twice_changes_nothing, given},
};

const NOW: Timestamp = Timestamp::constant(1_780_000_000, 0);

fn here(date: Date) -> LocalDay {
    LocalDay::new(date, TimeZone::UTC)
}

fn sealed(text: &str) -> Sealed {
    let Ok(sealed) = text.parse();
    sealed
}

fn alias(text: &str) -> Fields {
    Fields::from([(Field::Alias, sealed(text))])
}

fn register(fields: Fields) -> Command {
    Command::Register { fields, typed_by: None }
}

fn registered() -> Event {
    Event::Registered(Registered { fields: alias("Bee"), typed_by: None })
}

fn consent(n: u128, purpose: Purpose) -> Given {
    Given {
        consent: ConsentId(Uuid::from_u128(n)),
        purpose,
        text: "referral-2026-03".parse().unwrap(),
        given_on: date(2026, 3, 1),
        means: Means::Written,
        expires_on: Some(date(2026, 6, 30)),
        details: None,
    }
}

fn broken(n: u128, subject: &str) -> GlassBroken {
    let subject = subject.parse().unwrap();
    GlassBroken { glass: GlassId(Uuid::from_u128(n)), subject, reason: sealed("fire"), until: NOW + GLASS_OPEN }
}

#[test]
fn a_member_can_be_registered_with_nothing_and_not_twice_as_somebody_else() {
    let nothing = register(Fields::new());
    given::<Member>([]).when(&nothing).then(&[Event::Registered(Registered { fields: Fields::new(), typed_by: None })]);
    given::<Member>([registered()]).when(&register(alias("Bee"))).then_nothing();
    given::<Member>([registered()]).when(&nothing).then_refused(&Refusal::Registered);
}

#[test]
fn only_what_differs_is_changed() {
    let change = |set: Fields, removed: &[Field]| Command::Change {
        set,
        removed: removed.iter().copied().collect(),
        typed: false,
    };
    given::<Member>([registered()]).when(&change(alias("Bee"), &[Field::Notes])).then_nothing();
    let event = Changed { set: alias("Bea"), removed: BTreeSet::new(), typed: false };
    given::<Member>([registered()]).when(&change(alias("Bea"), &[Field::Email])).then(&[Event::Changed(event)]);
    let event = Changed { set: Fields::new(), removed: BTreeSet::from([Field::Alias]), typed: false };
    given::<Member>([registered()]).when(&change(Fields::new(), &[Field::Alias])).then(&[Event::Changed(event)]);
}

#[test]
fn whoever_was_erased_is_as_unknown_as_whoever_never_came() {
    let erased = || vec![registered(), Event::Erased(Erased {})];
    for command in [
        register(alias("Bee")),
        Command::Change { set: alias("Bea"), removed: BTreeSet::new(), typed: false },
        Command::GiveConsent(consent(1, Purpose::Research)),
        Command::BreakGlass(broken(1, "fay")),
    ] {
        given::<Member>(erased()).when(&command).then_refused(&Refusal::Unknown);
        if !matches!(command, Command::Register { .. }) {
            given::<Member>([]).when(&command).then_refused(&Refusal::Unknown);
        }
    }
}

#[test]
fn what_needs_consent_is_allowed_from_the_day_it_was_given_to_the_day_it_ends() {
    let given_event = Event::Given(consent(1, Purpose::Referral));
    let state = [registered(), given_event.clone()].iter().fold(State::default(), Member::evolve);
    let allow = |state: &State, purpose, on| state.record().unwrap().permissions.allow(purpose, &here(on));
    assert_eq!(allow(&state, Purpose::Referral, date(2026, 2, 28)), Err(Denied::NoConsent(Purpose::Referral)));
    assert_eq!(allow(&state, Purpose::Referral, date(2026, 3, 1)), Ok(()));
    assert_eq!(allow(&state, Purpose::Referral, date(2026, 6, 30)), Ok(()));
    assert_eq!(allow(&state, Purpose::Referral, date(2026, 7, 1)), Err(Denied::NoConsent(Purpose::Referral)));
    assert_eq!(allow(&state, Purpose::Research, date(2026, 4, 1)), Err(Denied::NoConsent(Purpose::Research)));
    let withdrawn =
        Withdrawn { consent: ConsentId(Uuid::from_u128(1)), withdrawn_on: date(2026, 4, 1), means: Means::Verbal };
    let state = Member::evolve(state, &Event::Withdrawn(withdrawn.clone()));
    assert_eq!(allow(&state, Purpose::Referral, date(2026, 4, 1)), Err(Denied::NoConsent(Purpose::Referral)));
    let history = [registered(), given_event, Event::Withdrawn(withdrawn.clone())];
    given::<Member>(history).when(&Command::WithdrawConsent(withdrawn)).then_nothing();
}

#[test]
fn an_objection_or_a_restriction_stops_what_rests_on_no_consent_but_not_the_record_itself() {
    let on = here(date(2026, 4, 1));
    let objected = Event::Objected(Objected { purpose: Purpose::Contact });
    let state = [registered(), objected].iter().fold(State::default(), Member::evolve);
    let permissions = &state.record().unwrap().permissions;
    assert_eq!(permissions.allow(Purpose::Contact, &on), Err(Denied::Objected(Purpose::Contact)));
    assert_eq!(permissions.allow(Purpose::Statistics, &on), Ok(()));
    let state = Member::evolve(state.clone(), &Event::Restricted(Restricted {}));
    let permissions = &state.record().unwrap().permissions;
    assert_eq!(permissions.allow(Purpose::Statistics, &on), Err(Denied::Restricted));
    assert_eq!(permissions.allow(Purpose::Record, &on), Ok(()));
}

#[test]
fn broken_glass_is_open_for_three_hours_for_who_broke_it_and_reviewed_by_another() {
    let history = vec![registered(), Event::GlassBroken(broken(1, "fay"))];
    let state = history.iter().fold(State::default(), Member::evolve);
    let open = |subject: &str, at| state.record().unwrap().glass_open_for(&subject.parse().unwrap(), at);
    assert!(open("fay", NOW) && open("fay", NOW + GLASS_OPEN - SignedDuration::from_secs(1)));
    assert!(!open("fay", NOW + GLASS_OPEN) && !open("ann", NOW));
    // A clock that was ahead opened nothing for longer, not even until it will be right.
    assert!(
        !open("fay", NOW - SignedDuration::from_hours(24 * 400)) && open("fay", NOW - SignedDuration::from_mins(4))
    );
    let review = |reviewer: &str| Command::ReviewGlass {
        glass: GlassId(Uuid::from_u128(1)),
        reviewer: reviewer.parse().unwrap(),
        justified: true,
    };
    given::<Member>(history.clone()).when(&review("fay")).then_refused(&Refusal::OwnGlass);
    let reviewed = GlassReviewed { glass: GlassId(Uuid::from_u128(1)), justified: true };
    given::<Member>(history).when(&review("ann")).then(&[Event::GlassReviewed(reviewed)]);
    given::<Member>([registered()]).when(&review("ann")).then_refused(&Refusal::NoGlass);
}

fn command() -> impl Strategy<Value = Command> {
    let small = || 1u128..4;
    let purpose = || prop::sample::select(vec![Purpose::Contact, Purpose::Referral, Purpose::Research]);
    prop_oneof![
        "[ab]".prop_map(|text| register(alias(&text))),
        "[ab]".prop_map(|text| Command::Change { set: alias(&text), removed: BTreeSet::new(), typed: false }),
        Just(Command::Change { set: Fields::new(), removed: BTreeSet::from([Field::Alias]), typed: false }),
        (small(), purpose()).prop_map(|(n, purpose)| Command::GiveConsent(consent(n, purpose))),
        small().prop_map(|n| Command::WithdrawConsent(Withdrawn {
            consent: ConsentId(Uuid::from_u128(n)),
            withdrawn_on: date(2026, 4, 1),
            means: Means::Verbal,
        })),
        small().prop_map(|n| Command::BreakGlass(broken(n, "fay"))),
    ]
}

proptest! {
    /// Undoing (reviewing) is told apart by its receipt, not by the domain.
    #[test]
    fn whatever_is_asked_asking_twice_changes_nothing(asked in prop::collection::vec(command(), 1..30)) {
        let mut history = vec![];
        for command in asked {
            asking_twice_changes_nothing::<Member>(&history, &command);
            let state = history.iter().fold(State::default(), Member::evolve);
            history.extend(Member::decide(&command, &state).unwrap_or_default());
        }
    }
}

fn typist(subject: &str) -> TypedBy {
    TypedBy { subject: subject.parse().unwrap(), group: None }
}

#[test]
fn who_typed_a_member_in_changes_it_until_somebody_else_completes_it() {
    let history = [Event::Registered(Registered { fields: alias("Bee"), typed_by: Some(typist("fay")) })];
    let change = |set: &Fields, typed| Command::Change { set: set.clone(), removed: BTreeSet::new(), typed };
    let named = Fields::from([(Field::GivenName, sealed("Beata"))]);
    let changed = |typed| Event::Changed(Changed { set: named.clone(), removed: BTreeSet::new(), typed });
    let given_after = |event| given::<Member>(history.iter().cloned().chain([event]));
    given::<Member>(history.clone()).when(&change(&named, true)).then(&[changed(true)]);
    given_after(changed(true)).when(&change(&alias("Bea"), true)).then(&[Event::Changed(Changed {
        set: alias("Bea"),
        removed: BTreeSet::new(),
        typed: true,
    })]);
    given_after(changed(false)).when(&change(&alias("Bea"), true)).then_refused(&Refusal::Completed);
    given::<Member>([registered()]).when(&change(&named, true)).then_refused(&Refusal::Completed);
}

#[test]
fn registering_again_tells_nobody_what_is_known_who_may_not_read_it() {
    let by = |subject, fields| Command::Register { fields, typed_by: Some(typist(subject)) };
    given::<Member>([registered()]).when(&by("fay", alias("Bee"))).then_refused(&Refusal::Registered);
    let history = [Event::Registered(Registered { fields: alias("Bee"), typed_by: Some(typist("fay")) })];
    given::<Member>(history.clone()).when(&by("fay", alias("Bee"))).then_nothing();
    given::<Member>(history.clone()).when(&by("eve", alias("Bee"))).then_refused(&Refusal::Registered);
    given::<Member>(history).when(&register(alias("Bee"))).then_nothing();
}
