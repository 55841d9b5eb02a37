//! Who may call for an organisation, as far as its tokens do not say it themselves: tokens revoked before their end,
//! API clients, facilitators assigned to groups.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp, civil::Date};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    ClientId, Decider, GroupId, LocalDay, OrgId, RefusalKind, Role, Subject, TokenId, event::events, text::Text,
};

/// Stream kind of access: one for each organisation, under [`id`].
#[derive(Debug)]
pub struct Access;

/// Longest life of a token: whoever issued it, it is not accepted longer after it was issued.
pub const TOKEN_TTL_MAX: SignedDuration = SignedDuration::from_hours(24);
/// How long a revocation is needed: as long as a token can live, and an hour for clocks that differ.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(25);
/// Most tokens of one organisation that are revoked and could still live, a count; of subjects logged out, the same.
pub const REVOCATIONS_MAX: usize = 10_000;
/// Longest life of an API client's key: a year and a day, so that it can be renewed once a year.
pub const CLIENT_TTL_MAX: SignedDuration = SignedDuration::from_hours(24 * 367);
/// Most API clients that one organisation ever registers, a count.
pub const CLIENTS_MAX: usize = 1_000;
/// Most assignments that one organisation ever makes, a count: one for each subject and group.
pub const ASSIGNMENTS_MAX: usize = 50_000;

/// The id of the organisation's stream.
pub fn id(org: &OrgId) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("kith access {org}").as_bytes())
}

/// What a facilitator is to a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Duty {
    /// Leads its meetings.
    Facilitator,
    /// Looks after it.
    Coordinator,
}

/// One token was revoked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TokenRevoked {
    /// Its `jti`.
    pub jti: TokenId,
    /// When.
    pub at: Timestamp,
}

/// All tokens of a subject were revoked that were issued up to then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LoggedOut {
    /// Whose.
    pub subject: Subject,
    /// When.
    pub at: Timestamp,
}

/// A token was revoked by mistake: it is accepted again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TokenRestored {
    /// Its `jti`.
    pub jti: TokenId,
}

/// A subject was logged out by mistake: their tokens are accepted again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Readmitted {
    /// Whose.
    pub subject: Subject,
}

/// Something was recorded with a time that has not come yet: a clock had been ahead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClockCorrected {
    /// What time it is.
    pub at: Timestamp,
}

/// An API client was registered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClientRegistered {
    /// Which.
    pub client: ClientId,
    /// What it is.
    pub name: Text<100>,
    /// As what it calls.
    pub role: Role,
    /// Of a facilitator: the groups that it reaches.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<GroupId>,
    /// Ids of the operations that it may call.
    pub scopes: Vec<Text<64>>,
    /// BLAKE3 of its key, in hexadecimal. The key is 256 random bits: nobody can try them, so it needs no slow hash.
    pub key_hash: Text<64>,
    /// When the key ends.
    pub expires_at: Timestamp,
}

/// An API client's key was revoked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClientRevoked {
    /// Whose.
    pub client: ClientId,
}

/// Somebody was assigned to a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Assigned {
    /// Who, as their tokens say.
    pub subject: Subject,
    /// To which.
    pub group: GroupId,
    /// As what.
    pub duty: Duty,
    /// First day.
    pub starts_on: Date,
}

/// An assignment ended, at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AssignmentEnded {
    /// Whose.
    pub subject: Subject,
    /// To which group.
    pub group: GroupId,
}

events! {
    /// What can have happened to an organisation's access.
    pub enum Event of "access" {
        /// One token was revoked.
        TokenRevoked = "token.revoked" v 1,
        /// All tokens of a subject were.
        LoggedOut = "subject.logged_out" v 1,
        /// An API client was registered.
        ClientRegistered = "client.registered" v 1,
        /// Its key was revoked.
        ClientRevoked = "client.revoked" v 1,
        /// Somebody was assigned to a group.
        Assigned = "facilitator.assigned" v 1,
        /// An assignment ended.
        AssignmentEnded = "assignment.ended" v 1,
        /// A revocation of one token was taken back.
        TokenRestored = "token.restored" v 1,
        /// A revocation of all tokens of a subject was.
        Readmitted = "subject.readmitted" v 1,
        /// A clock had been ahead.
        ClockCorrected = "clock.corrected" v 1,
    }
}

/// An API client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// As registered.
    pub registered: ClientRegistered,
    /// Whether its key was revoked.
    pub revoked: bool,
}

/// Somebody's assignment to a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Assignment {
    /// As what.
    pub duty: Duty,
    /// First day.
    pub starts_on: Date,
    /// Whether it has ended.
    pub ended: bool,
}

impl Assignment {
    /// Whether it holds now: from when its first day begins anywhere. Where the group meets, the gate would have to look
    /// up at each request, to keep out for some hours whom an admin has named; and no day ends an assignment.
    pub fn holds(&self, now: Timestamp) -> bool {
        !self.ended && self.starts_on <= LocalDay::begun_anywhere(now).date()
    }
}

/// What is known of an organisation's access.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct State {
    revoked: BTreeMap<TokenId, Timestamp>,
    logged_out: BTreeMap<Subject, Timestamp>,
    clients: BTreeMap<ClientId, Client>,
    assignments: BTreeMap<Subject, BTreeMap<GroupId, Assignment>>,
}

impl State {
    /// Whether a token was revoked: by its own id, or with all that its subject had been issued by then.
    pub fn revoked(&self, jti: Option<&TokenId>, subject: &Subject, issued_at: Timestamp) -> bool {
        jti.is_some_and(|jti| self.revoked.contains_key(jti))
            || self.logged_out.get(subject).is_some_and(|at| issued_at <= *at)
    }

    /// Whether a revocation of this token or subject was recorded by a clock that was ahead, so far that no token of then
    /// lives: it would hold for as long as the clock was wrong.
    pub fn revoked_ahead(&self, jti: Option<&TokenId>, subject: &Subject, now: Timestamp) -> bool {
        let of_token = jti.and_then(|jti| self.revoked.get(jti));
        of_token.into_iter().chain(self.logged_out.get(subject)).any(|at| ahead(*at, now))
    }

    /// The client, unless its key was revoked or has ended.
    pub fn client(&self, client: ClientId, now: Timestamp) -> Option<&ClientRegistered> {
        let client = self.clients.get(&client)?;
        let end = client.registered.expires_at;
        // One that ends later than any can was registered by a clock that was ahead.
        let possible = end.duration_since(now) <= CLIENT_TTL_MAX + REMEMBERED;
        (!client.revoked && now < end && possible).then_some(&client.registered)
    }

    /// All clients, by id.
    pub fn clients(&self) -> impl Iterator<Item = (ClientId, &Client)> {
        self.clients.iter().map(|(id, client)| (*id, client))
    }

    /// The groups that somebody is assigned to now.
    pub fn groups_of(&self, subject: &Subject, now: Timestamp) -> impl Iterator<Item = GroupId> {
        let own = self.assignments.get(subject).into_iter().flatten();
        own.filter(move |(_, assignment)| assignment.holds(now)).map(|(group, _)| *group)
    }

    /// All assignments to a group that have not ended, by subject.
    pub fn assigned_to(&self, group: GroupId) -> impl Iterator<Item = (&Subject, Assignment)> {
        self.assignments.iter().filter_map(move |(subject, own)| {
            own.get(&group).filter(|assignment| !assignment.ended).map(|assignment| (subject, *assignment))
        })
    }

    fn assignment(&self, subject: &Subject, group: GroupId) -> Option<Assignment> {
        self.assignments.get(subject)?.get(&group).copied()
    }
}

/// What can be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Revoke one token.
    RevokeToken(TokenRevoked),
    /// Revoke all tokens of a subject.
    LogOut(LoggedOut),
    /// Register an API client.
    RegisterClient(ClientRegistered),
    /// Revoke a client's key.
    RevokeClient(ClientId),
    /// Assign somebody to a group.
    Assign(Assigned),
    /// End an assignment.
    EndAssignment(AssignmentEnded),
    /// Take back that one token was revoked.
    RestoreToken(TokenRestored),
    /// Take back that all tokens of a subject were revoked.
    Readmit(Readmitted),
    /// Make of revocations that a clock recorded that was ahead such of now.
    CorrectClock(ClockCorrected),
}

/// Why something was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No such client.
    #[error("there is no such client")]
    UnknownClient,
    /// Never assigned.
    #[error("this subject was never assigned to this group")]
    NotAssigned,
    /// As many as can be kept.
    #[error("the organisation has {0}, the most that are possible")]
    Full(&'static str),
}

impl crate::Refusal for Refusal {
    fn code(&self) -> &'static str {
        match self {
            Self::UnknownClient => "unknown-client",
            Self::NotAssigned => "not-assigned",
            Self::Full(_) => "access-full",
        }
    }
    fn kind(&self) -> RefusalKind {
        match self {
            Self::UnknownClient => RefusalKind::Absent,
            Self::NotAssigned | Self::Full(_) => RefusalKind::Conflict,
        }
    }
}

impl Decider for Access {
    type Command = Command;
    type Event = Event;
    type State = State;
    type Refusal = Refusal;

    fn decide(command: &Command, state: &State) -> Result<Vec<Event>, Refusal> {
        match command {
            Command::RevokeToken(revoke) => {
                let again = state.revoked.contains_key(&revoke.jti);
                room_for_revocation(&state.revoked, again, revoke.at)?;
                Ok(if again { vec![] } else { vec![Event::TokenRevoked(revoke.clone())] })
            }
            Command::LogOut(log_out) => {
                let known = state.logged_out.get(&log_out.subject);
                room_for_revocation(&state.logged_out, known.is_some(), log_out.at)?;
                let again = known.is_some_and(|at| log_out.at <= *at && !ahead(*at, log_out.at));
                Ok(if again { vec![] } else { vec![Event::LoggedOut(log_out.clone())] })
            }
            Command::RegisterClient(client) if state.clients.contains_key(&client.client) => Ok(vec![]),
            Command::RegisterClient(_) if state.clients.len() >= CLIENTS_MAX => Err(Refusal::Full("1,000 clients")),
            Command::RegisterClient(client) => Ok(vec![Event::ClientRegistered(client.clone())]),
            Command::RevokeClient(client) => match state.clients.get(client) {
                None => Err(Refusal::UnknownClient),
                Some(known) if known.revoked => Ok(vec![]),
                Some(_) => Ok(vec![Event::ClientRevoked(ClientRevoked { client: *client })]),
            },
            Command::Assign(assign) => decide_assign(assign, state),
            Command::EndAssignment(end) => match state.assignment(&end.subject, end.group) {
                None => Err(Refusal::NotAssigned),
                Some(known) if known.ended => Ok(vec![]),
                Some(_) => Ok(vec![Event::AssignmentEnded(end.clone())]),
            },
            Command::RestoreToken(restore) => {
                let known = state.revoked.contains_key(&restore.jti);
                Ok(if known { vec![Event::TokenRestored(restore.clone())] } else { vec![] })
            }
            Command::Readmit(readmit) => {
                let known = state.logged_out.contains_key(&readmit.subject);
                Ok(if known { vec![Event::Readmitted(readmit.clone())] } else { vec![] })
            }
            Command::CorrectClock(clock) => {
                let mut all = state.revoked.values().chain(state.logged_out.values());
                Ok(if all.any(|at| ahead(*at, clock.at)) { vec![Event::ClockCorrected(clock.clone())] } else { vec![] })
            }
        }
    }

    fn evolve(mut state: State, event: &Event) -> State {
        match event {
            Event::TokenRevoked(TokenRevoked { jti, at }) => remember(&mut state.revoked, jti, *at),
            Event::LoggedOut(LoggedOut { subject, at }) => remember(&mut state.logged_out, subject, *at),
            Event::ClientRegistered(registered) => {
                let client = Client { registered: registered.clone(), revoked: false };
                state.clients.insert(registered.client, client);
            }
            Event::ClientRevoked(ClientRevoked { client }) => {
                if let Some(client) = state.clients.get_mut(client) {
                    client.revoked = true;
                }
            }
            Event::Assigned(Assigned { subject, group, duty, starts_on }) => {
                let assignment = Assignment { duty: *duty, starts_on: *starts_on, ended: false };
                state.assignments.entry(subject.clone()).or_default().insert(*group, assignment);
            }
            Event::AssignmentEnded(AssignmentEnded { subject, group }) => {
                let own = state.assignments.get_mut(subject);
                if let Some(assignment) = own.and_then(|own| own.get_mut(group)) {
                    assignment.ended = true;
                }
            }
            Event::TokenRestored(TokenRestored { jti }) => {
                state.revoked.remove(jti);
            }
            Event::Readmitted(Readmitted { subject }) => {
                state.logged_out.remove(subject);
            }
            // Whatever was revoked was revoked before this: tokens of until now stay revoked.
            Event::ClockCorrected(ClockCorrected { at: now }) => {
                let all = state.revoked.values_mut().chain(state.logged_out.values_mut());
                all.filter(|at| ahead(**at, *now)).for_each(|at| *at = *now);
            }
        }
        state
    }
}

fn decide_assign(assign: &Assigned, state: &State) -> Result<Vec<Event>, Refusal> {
    let asked = Assignment { duty: assign.duty, starts_on: assign.starts_on, ended: false };
    match state.assignment(&assign.subject, assign.group) {
        Some(known) if known == asked => Ok(vec![]),
        None if state.assignments.values().map(BTreeMap::len).sum::<usize>() >= ASSIGNMENTS_MAX => {
            Err(Refusal::Full("50,000 assignments"))
        }
        _ => Ok(vec![Event::Assigned(assign.clone())]),
    }
}

/// Whether a time was said by a clock that was ahead: further than clocks differ that can both be right about a token.
fn ahead(at: Timestamp, now: Timestamp) -> bool {
    at.duration_since(now) > REMEMBERED
}

/// Whether a revocation can be forgotten: every token that it speaks of has ended.
fn forgotten(revoked_at: Timestamp, now: Timestamp) -> bool {
    now.duration_since(revoked_at) > REMEMBERED
}

fn room_for_revocation<K>(known: &BTreeMap<K, Timestamp>, again: bool, now: Timestamp) -> Result<(), Refusal> {
    let full = known.len() >= REVOCATIONS_MAX && !known.values().any(|at| forgotten(*at, now));
    if full && !again { Err(Refusal::Full("10,000 revocations within 25 hours")) } else { Ok(()) }
}

/// Forgets only when there is no room: a clock that was once wrong shall not bring a revoked token back.
fn remember<K: Ord + Clone>(known: &mut BTreeMap<K, Timestamp>, what: &K, now: Timestamp) {
    if known.len() >= REVOCATIONS_MAX {
        known.retain(|_, at| !forgotten(*at, now));
    }
    known.insert(what.clone(), now);
}

#[cfg(test)]
mod tests {
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
            state.revoked(Some(&text("a")), &text("ann"), NOON)
                && state.revoked(Some(&text("a")), &text("ann"), after(60))
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
        let events = [&restore, &readmit]
            .into_iter()
            .flat_map(|command| Access::decide(command, &state(history.clone())).unwrap());
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
}
