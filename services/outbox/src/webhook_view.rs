//! The view of what may have to be sent: endpoints, and of each topic where in the log something last changed. Whether
//! something has to be sent, the log says.

use std::collections::BTreeSet;

use domain::{
    AnyEvent, EndpointId, OrgId,
    endpoint::{Changed, Event, Queued, Registered, Removed, Replayed, Says, Topic},
};
use host::{Folding, View, row};
use jiff::Timestamp;
use rusqlite::{Connection, params, types::ToSqlOutput};

use crate::topics::topics_of;

/// Endpoints, and what has changed.
pub(crate) const WEBHOOKS: View = View {
    name: "webhooks",
    version: 1,
    schema: "
        CREATE TABLE endpoints (
            org TEXT NOT NULL,
            id BLOB NOT NULL,
            topics TEXT NOT NULL, -- JSON; all if empty
            enabled INTEGER NOT NULL,
            through INTEGER NOT NULL, -- up to where in the log it was told
            waiting INTEGER NOT NULL, -- messages, a count
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
        ("endpoints", "SELECT org, hex(id), topics, enabled, through, waiting, due FROM endpoints ORDER BY org, id"),
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
            set(folding, "INSERT INTO endpoints VALUES (?1, ?2, ?3, 1, ?4, 0, ?5)", values)
        }
        Event::Removed(Removed {}) => set(folding, "DELETE FROM endpoints WHERE org = ?1 AND id = ?2", []),
        Event::Changed(Changed { topics, .. }) => change(folding, "topics = ?3", [json(topics).into()]),
        Event::Queued(Queued { says, at, .. }) => {
            if let Says::Changed { through, .. } = says {
                let through = i64::try_from(*through).unwrap_or(i64::MAX);
                change(folding, "through = ?3", [through.into()])?;
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
        Event::GivenUp(given_up) => less(folding, given_up.at),
        Event::Disabled(_) => change(folding, "enabled = 0", []),
        Event::Enabled(enabled) => change(folding, "enabled = 1, due = ?3", [enabled.at.as_second().into()]),
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
    let set = "due = iif(waiting = 0, ?4, due), waiting = waiting + ?3";
    change(folding, set, [messages.into(), at.as_second().into()])
}

/// One waits no more, and the next one is tried at once.
fn less(folding: &Folding<'_>, at: Timestamp) -> rusqlite::Result<()> {
    change(folding, "waiting = waiting - 1, due = ?3", [at.as_second().into()])
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
