//! Addresses to which calendar programs subscribe: they show when and where the groups meet to which somebody is
//! assigned. A program sends no token, so the address is the secret; it shows no member, and ends when it is revoked,
//! and with all tokens of its subject when those are.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Event, Refusal, State};
use crate::{CalendarId, Subject, text::Text};

/// Most addresses that one organisation ever gives out, a count.
pub const CALENDARS_MAX: usize = 50_000;
/// Most addresses of one subject that are good at the same time, a count: one for each device.
pub const CALENDARS_OF_ONE_MAX: usize = 10;

/// Somebody got an address for calendar programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CalendarIssued {
    /// Which.
    pub calendar: CalendarId,
    /// Whose groups it shows: those that they are assigned to when it is asked.
    pub subject: Subject,
    /// BLAKE3 of its secret, in hexadecimal. The secret is 256 random bits: nobody can try them.
    pub key_hash: Text<64>,
    /// When.
    pub at: Timestamp,
}

/// An address for calendar programs was revoked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CalendarRevoked {
    /// Which.
    pub calendar: CalendarId,
}

/// An address for calendar programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calendar {
    /// As issued.
    pub issued: CalendarIssued,
    /// Whether it was revoked.
    pub revoked: bool,
}

pub(super) fn issue(issue: &CalendarIssued, state: &State) -> Result<Vec<Event>, Refusal> {
    let good = |known: &Calendar| !known.revoked && known.issued.subject == issue.subject;
    match () {
        () if state.calendars.contains_key(&issue.calendar) => Ok(vec![]),
        () if state.groups_of(&issue.subject, issue.at).next().is_none() => Err(Refusal::NoGroups),
        () if state.calendars.values().filter(|known| good(known)).count() >= CALENDARS_OF_ONE_MAX => {
            Err(Refusal::Full("10 calendars of one subject: revoke one"))
        }
        () if state.calendars.len() >= CALENDARS_MAX => Err(Refusal::Full("50,000 calendars")),
        () => Ok(vec![Event::CalendarIssued(issue.clone())]),
    }
}

pub(super) fn revoke(calendar: CalendarId, of: Option<&Subject>, state: &State) -> Result<Vec<Event>, Refusal> {
    let known = state.calendars.get(&calendar).filter(|known| of.is_none_or(|of| known.issued.subject == *of));
    match known {
        None => Err(Refusal::UnknownCalendar),
        Some(known) if known.revoked => Ok(vec![]),
        Some(_) => Ok(vec![Event::CalendarRevoked(CalendarRevoked { calendar })]),
    }
}

/// Whoever is shut out is shut out of what their programs read, too.
pub(super) fn revoke_all(calendars: &mut BTreeMap<CalendarId, Calendar>, of: &Subject) {
    for calendar in calendars.values_mut().filter(|calendar| calendar.issued.subject == *of) {
        calendar.revoked = true;
    }
}
