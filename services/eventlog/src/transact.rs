//! How a command is carried out: read, fold, decide, append at the expected revision.

use std::sync::Arc;

use domain::{Decider, DomainEvent, OrgId};
use jiff::Timestamp;
use lru::LruCache;
use serde::Serialize;
use tokio::{sync::Mutex, time::Instant};
use uuid::Uuid;

use crate::{
    Append, AppendError, EventLog, Expected, LogError, NewEvent, Position, Receipt, ReceiptKey, Recorded, StreamName,
    give_way,
};

/// Most times that a command is decided anew after it lost a race, a count.
pub const RACES_MAX: usize = 8;
/// Most streams of one kind whose state is kept in memory, a count.
pub const CACHED_STREAMS_MAX: usize = 8_192;
/// Events read at once when a state is loaded, a count.
const READ_EVENTS: usize = 1_000;

/// Who asks, and how the answer will be recognised when the same is asked again.
#[derive(Debug, Clone)]
pub struct Cause {
    /// Ids of events are derived from this one: UUID v5 of it, the stream and the revision.
    pub id: Uuid,
    /// Subject of the caller's token, or the name of the process inside Kith.
    pub actor: Arc<str>,
    /// The caller's role.
    pub role: &'static str,
    /// When.
    pub at: Timestamp,
    /// Key and fingerprint of the command, if the answer is to be kept.
    pub key: Option<(ReceiptKey, [u8; 16])>,
}

impl Cause {
    /// Of what a process inside Kith does of itself: nobody asks for its answer again.
    pub fn of_process(name: &str, id: Uuid, at: Timestamp) -> Self {
        Self { id, actor: name.into(), role: "kith", at, key: None }
    }

    /// A part of the command: the receipt is the whole's, until which the same command goes through here again.
    #[must_use]
    pub fn part(&self) -> Self {
        Self { key: None, ..self.clone() }
    }
}

/// The answer to a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// JSON, or nothing.
    pub body: Vec<u8>,
}

impl Reply {
    /// Done, and there is nothing to say.
    pub const DONE: Self = Self { status: 204, body: Vec::new() };

    /// Done, and this came of it.
    pub fn json(status: u16, body: &impl Serialize) -> Self {
        Self { status, body: serde_json::to_vec(body).expect("answers have string keys only") }
    }
}

/// How a command is answered.
pub enum Answers<S> {
    /// So, whatever it meets.
    Known(Reply),
    /// By what is known when it is carried out, before what follows from it.
    Of(Box<dyn Fn(&S) -> Reply + Send + Sync>),
}

impl<S> From<Reply> for Answers<S> {
    fn from(reply: Reply) -> Self {
        Self::Known(reply)
    }
}

impl<S> Answers<S> {
    fn to(&self, state: &S) -> Reply {
        match self {
            Self::Known(reply) => reply.clone(),
            Self::Of(answer) => answer(state),
        }
    }
}

/// A command that was carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// Up to where to read to see its effect.
    pub position: Position,
    /// How many events it led to.
    pub events: usize,
    /// What to answer.
    pub reply: Reply,
    /// Whether it was done before and this is the answer of then.
    pub replayed: bool,
}

/// A command that was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum TransactError<R> {
    /// The domain forbids it.
    #[error("{0}")]
    Refused(R),
    /// Another command was done before under the same key.
    #[error("another command was done before with this idempotency key")]
    KeyReused,
    /// Others were faster, again and again.
    #[error("{RACES_MAX} attempts lost a race with other commands")]
    LostRace,
    /// More than one append can hold.
    #[error(transparent)]
    TooLarge(AppendError),
    /// The log does not answer.
    #[error("{0}")]
    Unavailable(String),
    /// The log holds what this build cannot read.
    #[error("stream {stream} cannot be read")]
    Unreadable {
        /// Which.
        stream: StreamName,
        /// Why.
        source: domain::DecodeError,
    },
}

impl<R> From<LogError> for TransactError<R> {
    fn from(error: LogError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

/// A stream's state and where it stands.
#[derive(Debug, Clone, Default)]
pub struct Loaded<S> {
    /// What is known.
    pub state: S,
    /// Revision of the last event, if there is one.
    pub revision: Option<u64>,
    /// Position of the last event.
    pub position: Position,
    known: bool,
    /// When reading what is known began.
    read_at: Option<Instant>,
}

type Entry<D> = Arc<Mutex<Loaded<<D as Decider>::State>>>;
type Cache<D> = LruCache<(OrgId, Uuid), Entry<D>>;

/// All streams of one kind. Make one value for each kind and clone it: the clones share what they have cached.
#[derive(Debug)]
pub struct Streams<D: Decider>(Arc<Shared<D>>);

#[derive(Debug)]
struct Shared<D: Decider> {
    log: Arc<dyn EventLog>,
    cache: std::sync::Mutex<Cache<D>>,
}

impl<D: Decider> Clone for Streams<D> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<D: Decider> Streams<D> {
    /// All streams of this kind in `log`.
    pub fn new(log: Arc<dyn EventLog>) -> Self {
        Self(Arc::new(Shared { log, cache: std::sync::Mutex::new(LruCache::unbounded()) }))
    }

    /// All events of a stream, in order.
    ///
    /// # Errors
    /// If the log does not answer.
    pub async fn events(&self, org: &OrgId, id: impl Into<Uuid>) -> Result<Vec<Recorded>, TransactError<D::Refusal>> {
        let stream = StreamName::new(D::Event::CATEGORY, org, id.into());
        let mut events = Vec::new();
        loop {
            let more = self.0.log.read_stream(&stream, events.len() as u64, READ_EVENTS).await?;
            if more.is_empty() {
                return Ok(events);
            }
            events.extend(more);
        }
    }

    /// What is known of a stream, seen by `look`.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub async fn look<T>(
        &self,
        org: &OrgId,
        id: impl Into<Uuid>,
        look: impl FnOnce(&Loaded<D::State>) -> T,
    ) -> Result<T, TransactError<D::Refusal>> {
        let id = id.into();
        let asked = Instant::now();
        let mut entry = self.entry(org, id).lock_owned().await;
        // Of many who wait, the first reads for all: it began to read after they had asked.
        let read_since = entry.read_at.is_some_and(|read_at| read_at > asked);
        if !entry.known || !(self.0.log.exclusive() || read_since) {
            let mut loaded = std::mem::take(&mut *entry);
            self.refresh(&StreamName::new(D::Event::CATEGORY, org, id), &mut loaded).await?;
            *entry = loaded;
        }
        Ok(look(&entry))
    }

    /// Carries out a command. It goes on to its end even if the caller stops waiting.
    ///
    /// # Errors
    /// If it was not carried out, says why.
    pub async fn transact(
        &self,
        org: &OrgId,
        id: impl Into<Uuid>,
        cause: Cause,
        command: D::Command,
        answers: impl Into<Answers<D::State>>,
    ) -> Result<Done, TransactError<D::Refusal>>
    where
        D::Command: 'static,
        D::State: 'static,
    {
        let (streams, org, id, answers) = (self.clone(), org.clone(), id.into(), answers.into());
        let task = tokio::spawn(async move {
            let mut entry = streams.entry(&org, id).lock_owned().await;
            // What a panic interrupts is read anew: only what came to its end is put back.
            let mut loaded = std::mem::take(&mut *entry);
            let done = streams
                .run(StreamName::new(D::Event::CATEGORY, &org, id), &mut loaded, &cause, &command, &answers)
                .await;
            *entry = loaded;
            done
        });
        task.await.unwrap_or_else(|panic| Err(TransactError::Unavailable(panic.to_string())))
    }

    async fn run(
        &self,
        stream: StreamName,
        entry: &mut Loaded<D::State>,
        cause: &Cause,
        command: &D::Command,
        answers: &Answers<D::State>,
    ) -> Result<Done, TransactError<D::Refusal>> {
        let mut fresh = self.0.log.exclusive();
        if !entry.known {
            self.refresh(&stream, entry).await?;
            fresh = true;
        }
        for _ in 0..RACES_MAX {
            let decided = D::decide(command, &entry.state);
            let writes = decided.as_ref().is_ok_and(|events| !events.is_empty());
            if !fresh && !writes {
                // What would be appended names the revision; everything else is said of what is so now.
                self.refresh(&stream, entry).await?;
                fresh = true;
                continue;
            }
            let events = match decided {
                Ok(events) => events,
                Err(refusal) => return self.replayed(cause).await?.ok_or(TransactError::Refused(refusal)),
            };
            let reply = answers.to(&entry.state);
            if events.is_empty() && cause.key.is_none() {
                return Ok(Done { position: entry.position, events: 0, reply, replayed: false });
            }
            match self.0.log.append(append(&stream, entry, cause, &events, &reply)).await {
                Ok(appended) => {
                    for event in &events {
                        entry.state = D::evolve(std::mem::take(&mut entry.state), event);
                    }
                    if !events.is_empty() {
                        entry.revision = appended.revision;
                        entry.position = appended.position;
                    }
                    return Ok(Done { position: appended.position, events: events.len(), reply, replayed: false });
                }
                Err(AppendError::WrongExpectedRevision { .. }) => self.refresh(&stream, entry).await?,
                Err(AppendError::Receipted(receipt)) => return again(cause, *receipt),
                Err(error @ AppendError::TooLarge(_)) => return Err(TransactError::TooLarge(error)),
                Err(AppendError::Unavailable(why)) => {
                    // Whether it took effect is not known: what is cached may be old.
                    *entry = Loaded::default();
                    return Err(TransactError::Unavailable(why));
                }
            }
        }
        Err(TransactError::LostRace)
    }

    /// The answer that the same command got before, if it was done before. Needed only where something else than
    /// doing it stands to be said: an append recognises a repetition by itself.
    ///
    /// # Errors
    /// If another command was done under the same key, or the log cannot be read.
    pub async fn replayed(&self, cause: &Cause) -> Result<Option<Done>, TransactError<D::Refusal>> {
        let Some((key, _)) = cause.key else { return Ok(None) };
        self.0.log.receipt(&key).await?.map(|receipt| again(cause, receipt)).transpose()
    }

    /// Keeps the answer to a command that was carried out by several others, whose positions reach to `position`.
    /// Nothing is decided: a state that would refuse the command by now does not take back what was answered.
    ///
    /// # Errors
    /// If another command was done under the same key, or the log cannot be written.
    pub async fn keep(
        &self,
        org: &OrgId,
        id: impl Into<Uuid>,
        cause: &Cause,
        reply: Reply,
        position: Position,
    ) -> Result<Done, TransactError<D::Refusal>> {
        if cause.key.is_some() {
            let entry = Loaded::<D::State> { position, ..Loaded::default() };
            let nothing =
                append::<_, D::Event>(&StreamName::new(D::Event::CATEGORY, org, id.into()), &entry, cause, &[], &reply);
            match self.0.log.append(Append { expected: Expected::Any, ..nothing }).await {
                Ok(_) => {}
                Err(AppendError::Receipted(receipt)) => return again(cause, *receipt),
                Err(error @ AppendError::TooLarge(_)) => return Err(TransactError::TooLarge(error)),
                Err(error) => return Err(TransactError::Unavailable(error.to_string())),
            }
        }
        Ok(Done { position, events: 0, reply, replayed: false })
    }

    async fn refresh(
        &self,
        stream: &StreamName,
        entry: &mut Loaded<D::State>,
    ) -> Result<(), TransactError<D::Refusal>> {
        let read_at = Instant::now();
        loop {
            let from = entry.revision.map_or(0, |revision| revision + 1);
            let events = self.0.log.read_stream(stream, from, READ_EVENTS).await?;
            for Recorded { event_type, version, data, revision, position, .. } in &events {
                let event = D::Event::decode(event_type, *version, data)
                    .map_err(|source| TransactError::Unreadable { stream: stream.clone(), source })?;
                entry.state = D::evolve(std::mem::take(&mut entry.state), &event);
                entry.revision = Some(*revision);
                entry.position = *position;
                give_way(data.len()).await;
            }
            if events.len() < READ_EVENTS {
                (entry.known, entry.read_at) = (true, Some(read_at));
                return Ok(());
            }
        }
    }

    fn entry(&self, org: &OrgId, id: Uuid) -> Entry<D> {
        let mut cache = self.0.cache.lock().expect("nothing panics while it is held");
        let entry = cache.get_or_insert((org.clone(), id), Entry::<D>::default).clone();
        // An entry in use must stay: a second one beside it could miss what the first is writing.
        let mut in_use = 0;
        while cache.len() > CACHED_STREAMS_MAX + in_use {
            match cache.pop_lru() {
                Some((key, oldest)) if Arc::strong_count(&oldest) > 1 => {
                    cache.put(key, oldest);
                    in_use += 1;
                }
                Some(_) => {}
                None => break,
            }
        }
        entry
    }
}

fn again<R>(cause: &Cause, receipt: Receipt) -> Result<Done, TransactError<R>> {
    let Receipt { key, fingerprint, status, body, position } = receipt;
    if cause.key != Some((key, fingerprint)) {
        return Err(TransactError::KeyReused);
    }
    Ok(Done { position, events: 0, reply: Reply { status, body }, replayed: true })
}

fn append<S, E: DomainEvent>(
    stream: &StreamName,
    entry: &Loaded<S>,
    cause: &Cause,
    events: &[E],
    reply: &Reply,
) -> Append {
    #[derive(Serialize)]
    struct Metadata<'a> {
        actor: &'a str,
        role: &'a str,
    }
    let metadata = Metadata { actor: &cause.actor, role: cause.role };
    let first = entry.revision.map_or(0, |revision| revision + 1);
    let new_event = |(revision, event): (u64, &E)| {
        let (event_type, version) = event.event_type();
        let id = Uuid::new_v5(&cause.id, format!("{stream}@{revision}").as_bytes());
        NewEvent { id, event_type, version, data: event.encode() }
    };
    Append {
        stream: stream.clone(),
        expected: entry.revision.map_or(Expected::NoStream, Expected::Exact),
        events: (first..).zip(events).map(new_event).collect(),
        metadata: serde_json::to_vec(&metadata).expect("two strings"),
        at: cause.at,
        receipt: cause.key.map(|(key, fingerprint)| Receipt {
            key,
            fingerprint,
            status: reply.status,
            body: reply.body.clone(),
            position: entry.position,
        }),
    }
}
