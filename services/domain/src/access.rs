//! Who may call for an organisation, as far as its tokens do not say it themselves: tokens revoked before their end,
//! API clients, facilitators assigned to groups.

mod calendar;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp, civil::Date};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

pub use self::calendar::{CALENDARS_MAX, CALENDARS_OF_ONE_MAX, Calendar, CalendarIssued, CalendarRevoked};
use crate::{
    CalendarId, ClientId, Decider, GroupId, LocalDay, OrgId, RefusalKind, Role, Subject, TokenId, event::events,
    text::Text,
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
        /// Somebody got an address for calendar programs.
        CalendarIssued = "calendar.issued" v 1,
        /// It was revoked.
        CalendarRevoked = "calendar.revoked" v 1,
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
    /// Whether it holds now: from when its first day begins anywhere. Where the group meets, the authenticator would have to look
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
    calendars: BTreeMap<CalendarId, Calendar>,
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

    /// The address for calendar programs, unless it was revoked.
    pub fn calendar(&self, calendar: CalendarId) -> Option<&CalendarIssued> {
        self.calendars.get(&calendar).filter(|known| !known.revoked).map(|known| &known.issued)
    }

    /// All addresses for calendar programs, by id.
    pub fn calendars(&self) -> impl Iterator<Item = (CalendarId, &Calendar)> {
        self.calendars.iter().map(|(id, calendar)| (*id, calendar))
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
    /// Give somebody an address for calendar programs.
    IssueCalendar(CalendarIssued),
    /// Revoke one: somebody's own, or anybody's if nobody is named.
    RevokeCalendar(CalendarId, Option<Subject>),
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
    /// Leads nothing.
    #[error("this subject is assigned to no group: there is nothing to show in a calendar")]
    NoGroups,
    /// No such address.
    #[error("there is no such calendar")]
    UnknownCalendar,
    /// As many as can be kept.
    #[error("the organisation has {0}, the most that are possible")]
    Full(&'static str),
}

impl crate::Refusal for Refusal {
    fn code(&self) -> &'static str {
        match self {
            Self::UnknownClient => "unknown-client",
            Self::NotAssigned => "not-assigned",
            Self::NoGroups => "no-groups",
            Self::UnknownCalendar => "unknown-calendar",
            Self::Full(_) => "access-full",
        }
    }
    fn kind(&self) -> RefusalKind {
        match self {
            Self::UnknownClient | Self::UnknownCalendar => RefusalKind::Absent,
            Self::NotAssigned | Self::NoGroups | Self::Full(_) => RefusalKind::Conflict,
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
            Command::IssueCalendar(issue) => calendar::issue(issue, state),
            Command::RevokeCalendar(calendar, of) => calendar::revoke(*calendar, of.as_ref(), state),
        }
    }

    fn evolve(mut state: State, event: &Event) -> State {
        match event {
            Event::TokenRevoked(TokenRevoked { jti, at }) => remember(&mut state.revoked, jti, *at),
            Event::LoggedOut(LoggedOut { subject, at }) => {
                remember(&mut state.logged_out, subject, *at);
                calendar::revoke_all(&mut state.calendars, subject);
            }
            Event::CalendarIssued(issued) => {
                state.calendars.insert(issued.calendar, Calendar { issued: issued.clone(), revoked: false });
            }
            Event::CalendarRevoked(CalendarRevoked { calendar }) => {
                if let Some(calendar) = state.calendars.get_mut(calendar) {
                    calendar.revoked = true;
                }
            }
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
