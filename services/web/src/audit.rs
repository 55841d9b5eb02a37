//! The audit: nobody is shown a member before it is written down.
//!
//! Who stands on a list is named once. As long as it is the same people, openings of it name the earlier one: then a
//! register of a thousand costs as little as one of ten. What one caller can have written in a day is bounded.

use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex},
};

use domain::{
    DomainEvent, MemberId, Text,
    audit::{self, List},
    member::Field,
};
use eventlog::{Append, EventLog, Expected, NewEvent, Position, StreamName};
use jiff::tz::TimeZone;
use lru::LruCache;
use tokio::time::Instant;
use uuid::Uuid;

use crate::{Authenticator, Caller, Clock, Problem, rate_limits::Rates, room::Rooms};

/// Lists of people that are known to be in the log, a count; one that is not known is named again.
const LISTS_KNOWN: NonZeroUsize = NonZeroUsize::new(16_384).expect("not zero");

/// An answer that shows members: to be written down.
#[derive(Debug, Clone)]
pub struct Opening {
    /// By which operation. What for is said by it.
    pub operation: &'static str,
    /// Which list it is, if it is one.
    pub list: Option<List>,
    /// Up to where in the log it is shown.
    pub at: Position,
    /// Who is shown.
    pub members: Vec<MemberId>,
    /// Which fields of theirs are opened; none if it is only that they are here, or something else that was sealed,
    /// such as a reason.
    pub fields: Vec<Field>,
    /// Whether only broken glass allows it.
    pub glass: bool,
}

impl Opening {
    /// An answer that names members and opens nothing.
    pub fn naming(operation: &'static str, members: Vec<MemberId>) -> Self {
        Self { operation, list: None, at: Position::START, members, fields: vec![], glass: false }
    }
}

/// Writes down who is shown whom.
#[derive(Debug, Clone)]
pub struct Audit {
    log: Arc<dyn EventLog>,
    clock: Clock,
    rates: Rates,
    new_id: fn() -> Uuid,
    rooms: Rooms,
    /// Where each list of people was named, by digest.
    named: Arc<Mutex<LruCache<[u8; 32], Position>>>,
}

impl Audit {
    /// The audit in `log`, of callers whom `authenticator` lets in. `new_id` makes ids of events: chance is an argument.
    pub fn new(log: Arc<dyn EventLog>, authenticator: &Authenticator, new_id: fn() -> Uuid) -> Self {
        let named = Arc::new(Mutex::new(LruCache::new(LISTS_KNOWN)));
        Self {
            log,
            clock: authenticator.clock.clone(),
            rates: authenticator.rates(),
            new_id,
            rooms: authenticator.rooms.clone(),
            named,
        }
    }

    /// Writes an opening down. One that shows nobody is none.
    ///
    /// # Errors
    /// 503 if it cannot be written, 429 if the caller has had as much written as one may: then nothing must be shown.
    pub async fn opened(&self, caller: &Caller, opening: Opening) -> Result<(), Problem> {
        let mut members = opening.members.clone();
        members.sort_unstable();
        members.dedup();
        for members in members.chunks(audit::MEMBERS_MAX) {
            let digest = opening.list.map(|_| digest(caller, members));
            let named = digest.and_then(|digest| self.named().get(&digest).copied());
            let at = self.write(caller, audit::Event::Opened(opened(caller, &opening, members, named)?)).await?;
            if let (Some(digest), None) = (digest, named) {
                self.named().put(digest, at);
            }
        }
        Ok(())
    }

    /// Writes down that what many people said was opened to be counted: how many they are, but not who, as none of them is
    /// shown. `at`: up to where in the log.
    ///
    /// # Errors
    /// As [`Audit::opened`].
    pub async fn counted(
        &self,
        caller: &Caller,
        operation: &'static str,
        at: Position,
        people: usize,
    ) -> Result<(), Problem> {
        let opening = Opening { at, ..Opening::naming(operation, vec![]) };
        let mut opened = opened(caller, &opening, &[], None)?;
        opened.people = Some(u32::try_from(people).unwrap_or(u32::MAX));
        self.write(caller, audit::Event::Opened(opened)).await?;
        Ok(())
    }

    async fn write(&self, caller: &Caller, event: audit::Event) -> Result<Position, Problem> {
        self.rooms.reading()?;
        let at = self.clock.now();
        let month = at.to_zoned(TimeZone::UTC).strftime("%Y-%m").to_string();
        let stream = Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("audit {} {month}", caller.org).as_bytes());
        let (event_type, version) = event.event_type();
        let append = Append {
            stream: StreamName::new(audit::Event::CATEGORY, &caller.org, stream),
            // Nobody decides whether it happened.
            expected: Expected::Any,
            events: vec![NewEvent { id: (self.new_id)(), event_type, version, data: event.encode() }],
            metadata: serde_json::to_vec(
                &serde_json::json!({ "actor": caller.subject.as_str(), "role": caller.role.as_str() }),
            )
            .expect("two strings"),
            at,
            receipt: None,
        };
        let bytes = u32::try_from(append.bytes()).unwrap_or(u32::MAX);
        self.rates.audit(&caller.org, &caller.subject, bytes, Instant::now()).map_err(Problem::rate_limited)?;
        let appended = self.log.append(append).await.map_err(|error| Problem::unavailable(&error))?;
        Ok(appended.position)
    }

    fn named(&self) -> std::sync::MutexGuard<'_, LruCache<[u8; 32], Position>> {
        self.named.lock().expect("nothing panics while it is held")
    }
}

fn opened(
    caller: &Caller,
    opening: &Opening,
    members: &[MemberId],
    named: Option<Position>,
) -> Result<audit::Opened, Problem> {
    Ok(audit::Opened {
        subject: caller.subject.clone(),
        role: short(caller.role.as_str())?,
        operation: short(opening.operation)?,
        list: opening.list,
        at: opening.at.0,
        members: if named.is_some() { vec![] } else { members.to_vec() },
        same_as: named.map(|position| position.0),
        people: named.map(|_| u32::try_from(members.len()).unwrap_or(u32::MAX)),
        fields: opening.fields.clone(),
        glass: opening.glass,
    })
}

/// Of these people of the caller's organisation. Kept in memory only.
fn digest(caller: &Caller, members: &[MemberId]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(caller.org.as_str().as_bytes());
    for member in members {
        hasher.update(member.0.as_bytes());
    }
    hasher.finalize().into()
}

/// Names of ours, all shorter than this.
fn short<const MAX: usize>(text: &str) -> Result<Text<MAX>, Problem> {
    text.parse().map_err(|error| Problem::internal(&error))
}
