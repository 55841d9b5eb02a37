//! The view of what may have to be sent: endpoints, and of each topic where in the log something last changed. Whether
//! something has to be sent, the log says.

use std::collections::BTreeSet;

use domain::{
    AnyEvent, EndpointId, OrgId,
    endpoint::{Changed, Event, Queued, Registered, Removed, Replayed, Says, Topic, Why},
};
use host::{Folding, View, row};
use jiff::Timestamp;
use rusqlite::{Connection, params, types::ToSqlOutput};

use crate::{backlog_view::Backlog, topics::topics_of};

/// Endpoints, and what has changed.
pub(crate) const WEBHOOKS: View = View {
    name: "webhooks",
    version: 2,
    schema: "
        CREATE TABLE endpoints (
            org TEXT NOT NULL,
            id BLOB NOT NULL,
            topics TEXT NOT NULL, -- JSON; all if empty
            enabled INTEGER NOT NULL,
            given_up INTEGER NOT NULL, -- it is not, and nobody asked for that
            through INTEGER NOT NULL, -- up to where in the log it was told
            last BLOB, -- the last message that something has changed
            last_from INTEGER NOT NULL, -- after where in the log it said so: where it was told to, if that is given up
            waiting INTEGER NOT NULL, -- messages, a count
            since INTEGER NOT NULL, -- seconds since 1970: when what waits came to stand first
            due INTEGER NOT NULL, -- seconds since 1970: when what waits is tried
            PRIMARY KEY (org, id)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE changes (
            org TEXT NOT NULL,
            topic TEXT NOT NULL,
            position INTEGER NOT NULL, -- where it last changed
            PRIMARY KEY (org, topic)
        ) STRICT, WITHOUT ROWID;",
    tables: &[
        (
            "endpoints",
            "SELECT org, hex(id), topics, enabled, given_up, through, hex(last), last_from, waiting, since, due FROM endpoints
             ORDER BY org, id",
        ),
        ("changes", "SELECT org, topic, position FROM changes ORDER BY org, topic"),
    ],
    once_caught_up: "",
    kinds: &[
        "programme",
        "group",
        "roster",
        "meeting",
        "member",
        "people",
        "protocol",
        "care",
        "partner",
        "route",
        "referral",
        "endpoint",
    ],
    fold: || Box::new(fold),
    forgets: &[],
    keeps: &[],
};

fn fold(folding: &Folding<'_>, event: &AnyEvent) -> rusqlite::Result<()> {
    let Some(event) = event.of() else { return has_changed(folding) };
    match event {
        Event::Registered(Registered { topics, from, at, .. }) => {
            let from = i64::try_from(*from).unwrap_or(i64::MAX);
            let values: [ToSqlOutput<'_>; 3] = [json(topics).into(), from.into(), at.as_second().into()];
            set(folding, "INSERT INTO endpoints VALUES (?1, ?2, ?3, 1, 0, ?4, NULL, ?4, 0, ?5, ?5)", values)
        }
        Event::Removed(Removed {}) => set(folding, "DELETE FROM endpoints WHERE org = ?1 AND id = ?2", []),
        Event::Changed(Changed { topics, .. }) => change(folding, "topics = ?3", [json(topics).into()]),
        Event::Queued(Queued { message, says, at }) => {
            if let Says::Changed { from, through, .. } = says {
                let [from, through] = [from, through].map(|at| i64::try_from(*at).unwrap_or(i64::MAX));
                let values = [through.into(), ToSqlOutput::from(&message.0.as_bytes()[..]), from.into()];
                change(folding, "through = ?3, last = ?4, last_from = ?5", values)?;
            }
            more(folding, 1, *at)
        }
        Event::Replayed(Replayed { messages, at }) => more(folding, messages.len(), *at),
        Event::Claimed(claimed) => change(folding, "due = ?3", [claimed.until.as_second().into()]),
        Event::Failed(failed) => {
            let again_at = failed.again_at.unwrap_or(failed.at);
            change(folding, "due = ?3", [again_at.as_second().into()])
        }
        Event::Delivered(delivered) => less(folding, delivered.at),
        Event::GivenUp(given_up) => {
            let message = ToSqlOutput::from(&given_up.message.0.as_bytes()[..]);
            change(folding, "through = iif(last = ?3, last_from, through)", [message])?;
            less(folding, given_up.at)
        }
        Event::Disabled(disabled) => {
            change(folding, "enabled = 0, given_up = ?3", [(disabled.why != Why::Asked).into()])
        }
        Event::Enabled(enabled) => {
            change(folding, "enabled = 1, given_up = 0, due = ?3", [enabled.at.as_second().into()])
        }
        Event::SecretRotated(_) => Ok(()),
    }
}

/// Keeps where a topic last changed, for organisations that have an endpoint: others are told from then on, and not before.
fn has_changed(folding: &Folding<'_>) -> rusqlite::Result<()> {
    for topic in topics_of(folding.event) {
        let mut keep = folding.rows.prepare_cached(
            "INSERT INTO changes SELECT ?1, ?2, ?3 WHERE EXISTS (SELECT 1 FROM endpoints WHERE org = ?1)
             ON CONFLICT DO UPDATE SET position = ?3",
        )?;
        keep.execute(params![folding.org(), topic, folding.position()])?;
    }
    Ok(())
}

fn json(topics: &impl serde::Serialize) -> String {
    serde_json::to_string(topics).expect("a list of texts")
}

/// More waits. What waits alone is tried at once.
fn more(folding: &Folding<'_>, messages: usize, at: Timestamp) -> rusqlite::Result<()> {
    let messages = i64::try_from(messages).unwrap_or(i64::MAX);
    let set = "due = iif(waiting = 0, ?4, due), since = iif(waiting = 0, ?4, since), waiting = waiting + ?3";
    change(folding, set, [messages.into(), at.as_second().into()])
}

/// One waits no more, and the next one is tried at once.
fn less(folding: &Folding<'_>, at: Timestamp) -> rusqlite::Result<()> {
    change(folding, "waiting = waiting - 1, since = ?3, due = ?3", [at.as_second().into()])
}

fn change<const N: usize>(folding: &Folding<'_>, assign: &str, values: [ToSqlOutput<'_>; N]) -> rusqlite::Result<()> {
    set(folding, &format!("UPDATE endpoints SET {assign} WHERE org = ?1 AND id = ?2"), values)
}

fn set<const N: usize>(folding: &Folding<'_>, sql: &str, values: [ToSqlOutput<'_>; N]) -> rusqlite::Result<()> {
    let id = folding.event.stream.id();
    let of = [folding.org().into(), ToSqlOutput::from(&id.as_bytes()[..])];
    let values = of.into_iter().chain(values);
    folding.rows.prepare_cached(sql)?.execute(rusqlite::params_from_iter(values))?;
    Ok(())
}

/// How much waits, of endpoints that are sent to, and how many are not because they took nothing.
pub(crate) fn waiting(connection: &Connection) -> rusqlite::Result<Backlog> {
    let sql = "SELECT coalesce(sum(waiting) FILTER (WHERE enabled), 0),
                      min(since) FILTER (WHERE enabled AND waiting > 0),
                      count(*) FILTER (WHERE given_up)
               FROM endpoints";
    Backlog::by(connection, sql)
}

/// Endpoints at which something may be due: what waits is to be tried, or nothing waits and something has changed.
pub(crate) fn due(connection: &Connection, now: Timestamp) -> rusqlite::Result<Vec<(OrgId, EndpointId)>> {
    let mut statement = connection.prepare_cached(
        "SELECT org, id FROM endpoints
         WHERE enabled AND (
            (waiting > 0 AND due <= ?1)
            OR (waiting = 0 AND EXISTS (
                SELECT 1 FROM changes WHERE changes.org = endpoints.org AND position > through
                AND (topics = '[]' OR topic IN (SELECT value FROM json_each(topics))))))
         ORDER BY due",
    )?;
    let rows = statement
        .query_map(params![now.as_second()], |row| Ok((row::text(row, 0)?, EndpointId(row::uuid(row, 1)?))))?;
    rows.collect()
}

/// What has changed that an endpoint is told of since it was last told, and up to where in the log.
pub(crate) fn since(
    connection: &Connection,
    org: &OrgId,
    endpoint: EndpointId,
) -> rusqlite::Result<(BTreeSet<Topic>, u64)> {
    let mut statement = connection.prepare_cached(
        "SELECT topic, position FROM changes JOIN endpoints ON endpoints.org = changes.org
         WHERE endpoints.org = ?1 AND endpoints.id = ?2 AND position > through
           AND (topics = '[]' OR topic IN (SELECT value FROM json_each(topics)))",
    )?;
    let rows = statement.query_map(params![org.as_str(), endpoint.0.as_bytes()], |row| {
        Ok((row::text::<Topic>(row, 0)?, row.get::<_, i64>(1)?.unsigned_abs()))
    })?;
    let mut found = (BTreeSet::new(), 0);
    for row in rows {
        let (topic, position) = row?;
        found.0.insert(topic);
        found.1 = found.1.max(position);
    }
    Ok(found)
}
