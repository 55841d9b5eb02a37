//! The view of mailboxes: where it may be time to write. Whether it is, the log says.

use std::collections::BTreeMap;

use domain::{
    AnyEvent, DomainEvent, MemberId, OrgId, Subject,
    mailbox::{Event, Queued, Set},
};
use host::{Folding, View, row};
use jiff::Timestamp;
use rusqlite::{Connection, ToSql, params};
use uuid::Uuid;

/// Mailboxes.
pub(crate) const MAILBOXES: View = View {
    name: "mailboxes",
    version: 1,
    schema: "
        CREATE TABLE mailboxes (
            org TEXT NOT NULL,
            id BLOB NOT NULL,
            key BLOB NOT NULL,
            subject TEXT NOT NULL,
            confirmed INTEGER NOT NULL,
            rejected INTEGER NOT NULL,
            waiting INTEGER NOT NULL, -- messages, a count
            due INTEGER NOT NULL, -- seconds since 1970: when what waits is tried
            through INTEGER NOT NULL, -- seconds since 1970: of all that came up until then it was told
            PRIMARY KEY (org, id)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE mailbox_keys (
            position INTEGER PRIMARY KEY, -- where its mailbox went
            org TEXT NOT NULL,
            id BLOB NOT NULL, -- of the mailbox
            key BLOB NOT NULL
        ) STRICT;",
    tables: &[
        (
            "mailboxes",
            "SELECT org, hex(id), hex(key), subject, confirmed, rejected, waiting, due, through FROM mailboxes
             ORDER BY org, id",
        ),
        ("mailbox_keys", "SELECT position, org, hex(id), hex(key) FROM mailbox_keys ORDER BY position"),
    ],
    once_caught_up: "",
    kinds: &[Event::CATEGORY],
    fold: || Box::new(fold),
    forgets: &[],
    keeps: &[],
};

fn fold(folding: &Folding<'_>, event: &AnyEvent) -> rusqlite::Result<()> {
    let Some(event) = event.of() else { return Ok(()) };
    match event {
        Event::Set(Set { subject, key, at, .. }) => {
            gone(folding)?;
            let sql = "INSERT INTO mailboxes VALUES (?1, ?2, ?3, ?4, 0, 0, 1, ?5, ?5)";
            folding.run(sql, &[&key.as_bytes(), &subject.as_str(), &at.as_second()])
        }
        Event::Removed(_) => gone(folding),
        Event::Confirmed(_) => change(folding, "confirmed = 1", &[]),
        Event::Rejected(_) => change(folding, "rejected = 1", &[]),
        Event::Queued(Queued { through, at, .. }) => {
            change(folding, "waiting = waiting + 1, through = ?3, due = ?4", &[&through.as_second(), &at.as_second()])
        }
        Event::Claimed(claimed) => change(folding, "due = ?3", &[&claimed.until.as_second()]),
        Event::Failed(failed) => change(folding, "due = ?3", &[&failed.again_at.unwrap_or(failed.at).as_second()]),
        Event::Delivered(_) | Event::GivenUp(_) => change(folding, "waiting = waiting - 1", &[]),
        Event::CodeRefused(_) => Ok(()),
    }
}

/// What there was is no more, and its key has to go.
fn gone(folding: &Folding<'_>) -> rusqlite::Result<()> {
    let keys = "INSERT INTO mailbox_keys SELECT ?3, org, id, key FROM mailboxes WHERE org = ?1 AND id = ?2";
    folding.run(keys, &[&folding.position()])?;
    folding.run("DELETE FROM mailboxes WHERE org = ?1 AND id = ?2", &[])
}

fn change(folding: &Folding<'_>, assign: &str, values: &[&dyn ToSql]) -> rusqlite::Result<()> {
    folding.run(&format!("UPDATE mailboxes SET {assign} WHERE org = ?1 AND id = ?2"), values)
}

/// Mailboxes of which something waits for its time, which has come.
pub(crate) fn due(connection: &Connection, now: Timestamp) -> rusqlite::Result<Vec<(OrgId, Uuid)>> {
    let mut statement = connection.prepare_cached(
        "SELECT org, id FROM mailboxes WHERE NOT rejected AND waiting > 0 AND due <= ?1 ORDER BY due",
    )?;
    let rows = statement.query_map(params![now.as_second()], |row| Ok((row::text(row, 0)?, row::uuid(row, 1)?)))?;
    rows.collect()
}

/// A mailbox to which may be written: whose it is, and up to when they were told what had come up.
#[derive(Debug, Clone)]
pub(crate) struct Idle {
    pub mailbox: Uuid,
    pub subject: Subject,
    pub told_through: Timestamp,
}

/// Mailboxes to which may be written and of which nothing waits, by organisation.
pub(crate) fn idle(connection: &Connection) -> rusqlite::Result<BTreeMap<OrgId, Vec<Idle>>> {
    let mut statement = connection.prepare_cached(
        "SELECT org, id, subject, through FROM mailboxes WHERE NOT rejected AND waiting = 0 AND confirmed",
    )?;
    let rows = statement.query_map([], |row| {
        let idle = Idle { mailbox: row::uuid(row, 1)?, subject: row::text(row, 2)?, told_through: row::time(row, 3)? };
        Ok((row::text(row, 0)?, idle))
    })?;
    let mut idle = BTreeMap::<OrgId, Vec<Idle>>::new();
    for row in rows {
        let (org, mailbox) = row?;
        idle.entry(org).or_default().push(mailbox);
    }
    Ok(idle)
}

/// A mailbox that is no more, and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Gone {
    /// Where in the log it went.
    pub position: i64,
    pub org: OrgId,
    pub mailbox: Uuid,
    /// In the vault, keys have ids as members do.
    pub key: MemberId,
}

/// Mailboxes that went after this position.
pub(crate) fn keys_to_destroy(connection: &Connection, after: i64) -> rusqlite::Result<Vec<Gone>> {
    let mut statement = connection
        .prepare_cached("SELECT position, org, id, key FROM mailbox_keys WHERE position > ?1 ORDER BY position")?;
    let rows = statement.query_map(params![after], |row| {
        Ok(Gone {
            position: row.get(0)?,
            org: row::text(row, 1)?,
            mailbox: row::uuid(row, 2)?,
            key: MemberId(row::uuid(row, 3)?),
        })
    })?;
    rows.collect()
}
