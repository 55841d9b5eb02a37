//! Follow what changes.

use std::{
    collections::{BTreeSet, HashMap},
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue},
    response::{
        IntoResponse, Response, Sse,
        sse::{Event, KeepAlive},
    },
};
use domain::{MemberId, OrgId, Subject};
use futures::{Stream, stream};
use host::{Changes, QUEUE, Told, Topic};
use serde::{Deserialize, Serialize};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};
use utoipa::{IntoParams, ToSchema};
use web::{Caller, CallerMay, Operation, Problem, Problems, Query, Role, Session};

use crate::{Projections, op, record_view, topics};

/// Streams of one caller at a time, a count: some windows on some devices.
pub const STREAMS_OF_CALLER_MAX: usize = 8;
/// Streams of one organisation at a time, a count.
pub const STREAMS_OF_ORG_MAX: usize = 2_560;
/// Streams of one process at a time, a count.
pub const STREAMS_MAX: usize = 4_096;
/// Longest time of a stream; then it is to be begun again where it ended.
pub const STREAM_TIME_MAX: Duration = Duration::from_hours(1);
/// How often it is looked whether the token is still good.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// Least time between two messages: what changes meanwhile is told at once.
const PAUSE: Duration = Duration::from_millis(500);
/// A comment is sent so often: proxies give up on connections that are silent.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);
/// When to come again if there is no room.
const CROWDED_WAIT: Duration = Duration::from_secs(10);

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// What is followed.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ChangesQuery {
    /// Topics, with commas between them; all that the caller may know of if not given.
    #[param(max_length = 400)]
    topics: Option<String>,
    /// End after so many seconds, 1 to 3600.
    #[param(minimum = 1, maximum = 3600)]
    seconds: Option<u16>,
}

/// What a message says.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Changed {
    /// What may have changed, and is to be read again.
    topics: Vec<&'static str>,
}

/// Follow changes
///
/// Server-sent events: each message names topics of which something has changed that the caller may see; what, it says to
/// nobody. Its id is a position: given as `Kith-After`, reads show at least what is told; given as `Last-Event-ID`, the
/// stream goes on from there. If it is not known what has changed since, all topics are named. The first message says where
/// the stream begins. It ends with the token, after an hour, and when the server stops: then it is to be begun again.
#[utoipa::path(get, path = "/v1/changes", tag = "views",
    params(ChangesQuery, ("last-event-id" = Option<String>, Header, description = "Go on after the message with this id")),
    responses((status = 200, description = "A stream of messages", content_type = "text/event-stream", body = Changed), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn follow_changes(
    State(projections): State<Projections>,
    CallerMay { caller, .. }: CallerMay<op::FollowChanges>,
    session: Session,
    headers: HeaderMap,
    Query(query): Query<ChangesQuery>,
) -> Result<Response, Problem> {
    let asked = asked(&projections.topics, query.topics.as_deref())?;
    let seconds = query.seconds.map_or(STREAM_TIME_MAX, |seconds| Duration::from_secs(seconds.into()));
    if seconds.is_zero() || seconds > STREAM_TIME_MAX {
        return Err(Problem::malformed(format!("seconds must be 1 to {}", STREAM_TIME_MAX.as_secs())));
    }
    let place = projections.streams.take(&caller)?;
    projections.boards.want(&caller.org);
    let changes = projections.views.changes().clone();
    let told = changes.told();
    let last = headers.get(LAST_EVENT_ID).map(|id| id.to_str().unwrap_or_default());
    let began = last.map(|id| caller.opened_position(id).and_then(|at| changes.after(at)));
    let own = projections.own_records(&caller).await?;
    let (now, next) = (Instant::now(), told.borrow().next);
    let mut following = Following {
        from: began.flatten().unwrap_or(next),
        // Of the queue it is not known what a process showed that was asked before.
        unsaid: if last.is_some() { BTreeSet::from([QUEUE.name]) } else { BTreeSet::new() },
        projections,
        caller,
        session,
        own,
        asked,
        changes,
        told,
        first: true,
        ends_at: now + seconds,
        look_at: now,
        quiet_until: now,
        _place: place,
    };
    if began == Some(None) {
        following.unsaid.extend(following.asked.iter().map(|topic| topic.name));
    }
    let sign = KeepAlive::new().interval(SIGN_OF_LIFE);
    let mut response = Sse::new(messages(following)).keep_alive(sign).into_response();
    // Else proxies keep messages until there are many.
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

/// The topics with these names, or all.
fn asked(all: &[&'static Topic], names: Option<&str>) -> Result<Vec<&'static Topic>, Problem> {
    let Some(names) = names else { return Ok(all.to_vec()) };
    let topic = |name: &str| {
        let found = all.iter().copied().find(|topic| topic.name == name);
        found.ok_or_else(|| {
            let known: Vec<_> = all.iter().map(|topic| topic.name).collect();
            Problem::malformed(format!("topics must be some of {}, with commas between them", known.join(", ")))
        })
    };
    names.split(',').map(str::trim).map(topic).collect()
}

/// Somebody who follows changes.
struct Following {
    projections: Projections,
    caller: Caller,
    session: Session,
    /// Of a member, their records.
    own: Vec<MemberId>,
    asked: Vec<&'static Topic>,
    changes: Changes,
    told: watch::Receiver<Told>,
    /// The next change to look at.
    from: u64,
    /// Topics to be named with the next message.
    unsaid: BTreeSet<&'static str>,
    /// Whether nothing was said yet.
    first: bool,
    ends_at: Instant,
    look_at: Instant,
    quiet_until: Instant,
    _place: Place,
}

fn messages(following: Following) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold(following, |mut following| async move {
        let message = following.next().await?;
        Some((Ok(message), following))
    })
}

impl Following {
    /// The next message; none when it is over.
    async fn next(&mut self) -> Option<Event> {
        let over = self.changes.over();
        loop {
            if self.first {
                self.first = false;
                return self.message(true).await;
            }
            let is_quiet = Instant::now() < self.quiet_until;
            tokio::select! {
                () = over.cancelled() => return None,
                () = sleep_until(self.look_at) => {}
                () = sleep_until(self.quiet_until), if is_quiet => continue,
                said = self.told.changed(), if !is_quiet => said.ok()?,
            }
            // Nobody learns of anything by a right that they had.
            self.look().await?;
            if !is_quiet && let Some(message) = self.message(false).await {
                return Some(message);
            }
        }
    }

    /// Looks whether the token is still good; none if it is not, or the time is over.
    async fn look(&mut self) -> Option<()> {
        let now = Instant::now();
        self.look_at = now + LOOK_AGAIN;
        let caller = self.session.again().await.ok().flatten()?;
        if caller.own_groups() != self.caller.own_groups() {
            // To whom other groups are assigned, all of it is another.
            self.unsaid.extend(self.asked.iter().map(|topic| topic.name));
        }
        self.caller = caller;
        (now < self.ends_at).then_some(())
    }

    /// What has changed, if it is to be said, or `always`.
    async fn message(&mut self, always: bool) -> Option<Event> {
        let told = *self.told.borrow_and_update();
        let (mut news, mut merged) = (BTreeSet::new(), false);
        let (caller, own, asked) = (&self.caller, &self.own, &self.asked);
        let seen = self.changes.look(self.from, |change| {
            merged |= change.is_of(&[&topics::PERSONS]) && change.org == caller.org;
            if change.is_of(asked) && change.is_for(caller, own) {
                news.insert(change.topic.name);
            }
        });
        if seen.is_none() {
            news.extend(self.asked.iter().map(|topic| topic.name));
        }
        self.from = seen.map_or(told.next, |seen| seen.next);
        if merged && self.caller.role == Role::Member {
            let own = self.projections.own_records(&self.caller).await.ok()?;
            if own.is_empty() {
                self.ends_at = Instant::now(); // they were erased
            }
            if own != self.own {
                // Of what was under their other records they may not have been told: all of it, then.
                self.own = own;
                news.extend(self.asked.iter().map(|topic| topic.name));
            }
        }
        news.extend(std::mem::take(&mut self.unsaid));
        let known = self.asked.iter().filter(|topic| may_know(&self.caller, topic)).map(|topic| topic.name);
        let topics: Vec<_> = known.filter(|name| news.contains(name)).collect();
        if topics.is_empty() && !always {
            return None;
        }
        if !topics.is_empty() {
            self.quiet_until = Instant::now() + PAUSE;
        }
        let now = self.projections.authenticator.clock.now();
        let id = self.caller.told_position(seen.unwrap_or(told).at, now)?;
        Event::default().event("changed").id(id).json_data(Changed { topics }).ok()
    }
}

/// Whether the caller may read anything of a topic.
fn may_know(caller: &Caller, topic: &Topic) -> bool {
    if topic.name == QUEUE.name {
        return caller.may_call(&op::ListQueue::MAY);
    }
    topic.reads.iter().any(|may| caller.may_call(may))
}

impl Projections {
    /// The records of a member who calls and is there; of others none.
    async fn own_records(&self, caller: &Caller) -> Result<Vec<MemberId>, Problem> {
        let member = caller.subject.as_str().parse().ok().filter(|_| caller.role == Role::Member);
        let Some(member) = member else { return Ok(vec![]) };
        let org = caller.org.clone();
        let read = move |connection: &_| {
            let mut records = record_view::person(connection, org.as_str(), member)?;
            records.sort_unstable();
            if !record_view::is_registered(connection, org.as_str(), member)? {
                records.clear();
            }
            Ok(records)
        };
        let records = self.views.look(read).await.map_err(|unfinished| Problem::internal(&unfinished))?;
        records.map_err(|error| Problem::unavailable(&error))
    }
}

/// Places of streams. Clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Streams(Arc<Mutex<Taken>>);

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_org: HashMap<OrgId, usize>,
    by_caller: HashMap<(OrgId, Subject), usize>,
}

/// The place of a stream, until it is dropped.
struct Place {
    streams: Streams,
    who: (OrgId, Subject),
}

impl Streams {
    fn take(&self, caller: &Caller) -> Result<Place, Problem> {
        let who = (caller.org.clone(), caller.subject.clone());
        let mut taken = self.taken();
        let of = |count: Option<&usize>| count.copied().unwrap_or_default();
        let full = taken.all >= STREAMS_MAX
            || of(taken.by_org.get(&who.0)) >= STREAMS_OF_ORG_MAX
            || of(taken.by_caller.get(&who)) >= STREAMS_OF_CALLER_MAX;
        if full {
            return Err(Problem::rate_limited(CROWDED_WAIT));
        }
        taken.all += 1;
        *taken.by_org.entry(who.0.clone()).or_default() += 1;
        *taken.by_caller.entry(who.clone()).or_default() += 1;
        drop(taken);
        Ok(Place { streams: self.clone(), who })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.streams.taken();
        taken.all -= 1;
        leave(&mut taken.by_org, &self.who.0);
        leave(&mut taken.by_caller, &self.who);
    }
}

/// One less; who has none is forgotten.
fn leave<K: Eq + std::hash::Hash>(counts: &mut HashMap<K, usize>, who: &K) {
    if let Some(count) = counts.get_mut(who) {
        *count -= 1;
        if *count == 0 {
            counts.remove(who);
        }
    }
}
