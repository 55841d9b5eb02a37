use std::{fmt::Debug, str::FromStr};

use jiff::civil::date;

use super::*;
use crate::{
    DomainEvent,
    decider::spec::{asking_twice_changes_nothing, given},
};

const NOON: Timestamp = Timestamp::constant(1_800_000_000, 0);

fn text<T: FromStr<Err: Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

fn after(seconds: i64) -> Timestamp {
    NOON + SignedDuration::from_secs(seconds)
}

fn state(history: impl IntoIterator<Item = Event>) -> State {
    history.into_iter().fold(State::default(), |state, event| Access::evolve(state, &event))
}

fn client(id: u128) -> ClientRegistered {
    ClientRegistered {
        client: ClientId(Uuid::from_u128(id)),
        name: text("export"),
        role: Role::Analyst,
        groups: vec![],
        scopes: vec![text("list_groups")],
        key_hash: text("00"),
        expires_at: after(60),
    }
}

fn assigned(group: u128) -> Assigned {
    let group = GroupId(Uuid::from_u128(group));
    Assigned { subject: text("fay"), group, duty: Duty::Facilitator, starts_on: date(2027, 1, 16) }
}

fn ended(group: u128) -> AssignmentEnded {
    AssignmentEnded { subject: text("fay"), group: GroupId(Uuid::from_u128(group)) }
}

#[test]
fn a_revoked_token_stays_revoked_and_no_other_is() {
    let revoke = Command::RevokeToken(TokenRevoked { jti: text("a"), at: NOON });
    let events = Access::decide(&revoke, &State::default()).unwrap();
    asking_twice_changes_nothing::<Access>(&[], &revoke);
    let state = state(events);
    assert!(
        state.revoked(Some(&text("a")), &text("ann"), NOON) && state.revoked(Some(&text("a")), &text("ann"), after(60))
    );
    assert!(!state.revoked(Some(&text("b")), &text("ann"), NOON) && !state.revoked(None, &text("ann"), NOON));
}

#[test]
fn who_is_logged_out_keeps_only_what_was_issued_afterwards() {
    let log_out = |at| Command::LogOut(LoggedOut { subject: text("ann"), at });
    let history = Access::decide(&log_out(NOON), &State::default()).unwrap();
    asking_twice_changes_nothing::<Access>(&history, &log_out(after(9)));
    given::<Access>(history.clone()).when(&log_out(after(-9))).then_nothing();
    let state = state(history);
    assert!(state.revoked(None, &text("ann"), after(-60)) && state.revoked(Some(&text("x")), &text("ann"), NOON));
    assert!(!state.revoked(None, &text("ann"), after(1)) && !state.revoked(None, &text("bob"), after(-60)));
}

#[test]
fn what_the_log_says_in_another_form_holds_for_whom_it_is_about() {
    let id = "018f3c7a-0000-7000-8000-00000000000a";
    for (said, holder) in
        [("EVE\u{301} ", "EV\u{c9}"), ("{018F3C7A-0000-7000-8000-00000000000A}", id), ("e\u{200b}ve", "eve")]
    {
        let said = serde_json::json!({ "subject": said, "at": NOON, "group": id, "duty": "facilitator", "starts_on": "2027-01-01" });
        let said = serde_json::to_vec(&said).unwrap();
        let history = ["subject.logged_out", "facilitator.assigned"];
        let state = state(history.map(|name| Event::decode(name, 1, &said).unwrap()));
        assert!(state.revoked(None, &text(holder), NOON), "{holder}");
        assert_eq!(state.groups_of(&text(holder), after(0)).count(), 1, "{holder}");
    }
    let said =
        serde_json::to_vec(&serde_json::json!({ "jti": format!(" {}", id.to_uppercase()), "at": NOON })).unwrap();
    let state = state([Event::decode("token.revoked", 1, &said).unwrap()]);
    assert!(state.revoked(Some(&text(id)), &text("ann"), after(60)));
}

#[test]
fn a_clock_that_was_ahead_locks_nobody_out_for_longer_than_it_was() {
    let log_out = |at| Command::LogOut(LoggedOut { subject: text("ann"), at });
    let in_a_year = after(400 * 86_400);
    let history = Access::decide(&log_out(in_a_year), &State::default()).unwrap();
    let locked = state(history.clone());
    let (ann, issued) = (text("ann"), after(60));
    assert!(locked.revoked(None, &ann, issued) && locked.revoked_ahead(None, &ann, NOON));
    assert!(!locked.revoked_ahead(None, &text("bob"), NOON));
    let correct = Command::CorrectClock(ClockCorrected { at: NOON });
    asking_twice_changes_nothing::<Access>(&history, &correct);
    let corrected = Access::decide(&correct, &locked).unwrap();
    let open = Access::evolve(locked.clone(), &corrected[0]);
    assert!(!open.revoked(None, &ann, issued), "what was issued since");
    assert!(open.revoked(None, &ann, NOON) && open.revoked(None, &ann, after(-60)), "what was revoked stays so");
    // Also said again, by a clock that is right.
    let again = Access::decide(&log_out(NOON), &locked).unwrap();
    assert!(!Access::evolve(locked, &again[0]).revoked(None, &ann, issued));
    // A day is no matter: a clock that is behind must not bring back what was revoked.
    let today = state(Access::decide(&log_out(after(86_400)), &State::default()).unwrap());
    assert!(!today.revoked_ahead(None, &ann, NOON));
    given::<Access>([]).when(&correct).then_nothing();
}

#[test]
fn a_revocation_can_be_taken_back() {
    let revoke = Command::RevokeToken(TokenRevoked { jti: text("a"), at: NOON });
    let log_out = Command::LogOut(LoggedOut { subject: text("ann"), at: NOON });
    let history: Vec<_> = [&revoke, &log_out]
        .into_iter()
        .flat_map(|command| Access::decide(command, &State::default()).unwrap())
        .collect();
    let restore = Command::RestoreToken(TokenRestored { jti: text("a") });
    let readmit = Command::Readmit(Readmitted { subject: text("ann") });
    for command in [&restore, &readmit] {
        asking_twice_changes_nothing::<Access>(&history, command);
        given::<Access>([]).when(command).then_nothing();
    }
    let events =
        [&restore, &readmit].into_iter().flat_map(|command| Access::decide(command, &state(history.clone())).unwrap());
    let open = state(history.clone().into_iter().chain(events.collect::<Vec<_>>()));
    assert!(!open.revoked(Some(&text("a")), &text("ann"), NOON));
}

#[test]
fn a_key_that_ends_later_than_any_can_is_none() {
    let far = ClientRegistered { expires_at: NOON + CLIENT_TTL_MAX + SignedDuration::from_hours(26), ..client(1) };
    let there = state(Access::decide(&Command::RegisterClient(far.clone()), &State::default()).unwrap());
    assert!(there.client(far.client, NOON).is_none(), "a clock that was ahead made it");
    assert!(there.client(far.client, after(86_400)).is_some());
}

#[test]
fn revocations_are_forgotten_when_there_is_no_room_and_no_token_can_live_that_they_speak_of() {
    let revoked = |n: usize, at| TokenRevoked { jti: text(&format!("t{n}")), at };
    let full = state((0..REVOCATIONS_MAX).map(|n| Event::TokenRevoked(revoked(n, NOON))));
    let more = |at| Access::decide(&Command::RevokeToken(revoked(REVOCATIONS_MAX, at)), &full);
    let day = after(TOKEN_TTL_MAX.as_secs());
    assert_eq!(more(day), Err(Refusal::Full("10,000 revocations within 25 hours")));
    let later = more(after(26 * 3_600)).unwrap();
    assert_eq!(Access::evolve(full, &later[0]).revoked.len(), 1);
}

#[test]
fn a_client_is_there_until_it_is_revoked_or_its_key_ends() {
    let register = Command::RegisterClient(client(1));
    let id = client(1).client;
    let history = Access::decide(&register, &State::default()).unwrap();
    asking_twice_changes_nothing::<Access>(&[], &register);
    let there = state(history.clone());
    assert!(there.client(id, after(59)).is_some() && there.client(id, after(60)).is_none());
    let revoke = Command::RevokeClient(id);
    given::<Access>([]).when(&revoke).then_refused(&Refusal::UnknownClient);
    asking_twice_changes_nothing::<Access>(&history, &revoke);
    let gone = Access::evolve(there, &Event::ClientRevoked(ClientRevoked { client: id }));
    assert!(gone.client(id, NOON).is_none());
    assert_eq!(gone.clients().map(|(_, client)| client.revoked).collect::<Vec<_>>(), [true]);
    given::<Access>((0..1_000).map(|n| Event::ClientRegistered(client(n + 2))))
        .when(&register)
        .then_refused(&Refusal::Full("1,000 clients"));
}

#[test]
fn an_assignment_holds_from_the_day_it_starts_anywhere_until_it_ends() {
    let assign = Command::Assign(assigned(1));
    let history = Access::decide(&assign, &State::default()).unwrap();
    asking_twice_changes_nothing::<Access>(&[], &assign);
    let held = |state: &State, at: &str| state.groups_of(&text("fay"), at.parse().unwrap()).count();
    let there = state(history.clone());
    assert_eq!(held(&there, "2027-01-15T09:59:59Z"), 0);
    assert_eq!(held(&there, "2027-01-15T10:00:00Z"), 1);
    assert_eq!(there.assigned_to(assigned(1).group).map(|(who, _)| who.as_str()).collect::<Vec<_>>(), ["fay"]);
    let end = Command::EndAssignment(ended(1));
    asking_twice_changes_nothing::<Access>(&history, &end);
    given::<Access>(history).when(&Command::EndAssignment(ended(2))).then_refused(&Refusal::NotAssigned);
    let gone = Access::evolve(there, &Event::AssignmentEnded(ended(1)));
    assert_eq!((held(&gone, "2027-02-01T00:00:00Z"), gone.assigned_to(assigned(1).group).count()), (0, 0));
    let again = Access::decide(&assign, &gone).unwrap();
    assert_eq!(held(&Access::evolve(gone, &again[0]), "2027-02-01T00:00:00Z"), 1);
}

fn calendar(number: u128, of: &str, at: &str) -> CalendarIssued {
    let key_hash = "0".repeat(64).parse().unwrap();
    let calendar = CalendarId(Uuid::from_u128(number));
    CalendarIssued { calendar, subject: of.parse().unwrap(), key_hash, at: at.parse().unwrap() }
}

#[test]
fn an_address_for_calendars_is_for_whoever_leads_something_and_ends_when_it_is_revoked_or_they_are_shut_out() {
    let group = GroupId(Uuid::from_u128(9));
    let (subject, now): (Subject, _) = ("ben".parse().unwrap(), "2026-03-01T12:00:00Z");
    let issue = Command::IssueCalendar(calendar(1, "ben", now));
    given::<Access>([]).when(&issue).then_refused(&Refusal::NoGroups);
    let starts_on = "2026-01-01".parse().unwrap();
    let assigned = Event::Assigned(Assigned { subject: subject.clone(), group, duty: Duty::Facilitator, starts_on });
    let ended = Event::AssignmentEnded(AssignmentEnded { subject: subject.clone(), group });
    given::<Access>([assigned.clone(), ended]).when(&issue).then_refused(&Refusal::NoGroups);
    let issued = Event::CalendarIssued(calendar(1, "ben", now));
    given::<Access>([assigned.clone()]).when(&issue).then(std::slice::from_ref(&issued));
    let history = [assigned.clone(), issued.clone()];
    asking_twice_changes_nothing::<Access>(&history, &issue);
    let id = CalendarId(Uuid::from_u128(1));
    let revoked = Event::CalendarRevoked(CalendarRevoked { calendar: id });
    for of in [None, Some(subject.clone())] {
        given::<Access>(history.clone()).when(&Command::RevokeCalendar(id, of)).then(std::slice::from_ref(&revoked));
    }
    let of_another = Command::RevokeCalendar(id, Some("ann".parse().unwrap()));
    given::<Access>(history.clone()).when(&of_another).then_refused(&Refusal::UnknownCalendar);
    let logged_out = Event::LoggedOut(LoggedOut { subject, at: now.parse().unwrap() });
    for end in [revoked, logged_out] {
        let state = [assigned.clone(), issued.clone(), end].iter().fold(State::default(), Access::evolve);
        assert_eq!(state.calendar(id), None);
    }
}

#[test]
fn nobody_has_more_addresses_for_calendars_than_devices() {
    let (group, starts_on) = (GroupId(Uuid::from_u128(9)), "2026-01-01".parse().unwrap());
    let assigned = Assigned { subject: "ben".parse().unwrap(), group, duty: Duty::Facilitator, starts_on };
    let now = "2026-03-01T12:00:00Z";
    let issued = |number| Event::CalendarIssued(calendar(number, "ben", now));
    let history: Vec<_> = [Event::Assigned(assigned)].into_iter().chain((0..10).map(issued)).collect();
    let more = Command::IssueCalendar(calendar(10, "ben", now));
    given::<Access>(history.clone())
        .when(&more)
        .then_refused(&Refusal::Full("10 calendars of one subject: revoke one"));
    let revoked = Event::CalendarRevoked(CalendarRevoked { calendar: CalendarId(Uuid::from_u128(3)) });
    given::<Access>([history, vec![revoked]].concat()).when(&more).then(&[issued(10)]);
}
