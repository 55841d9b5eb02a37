//! The view of mailboxes: where it may be time to write. Whether it is, the log says.

use domain::{
    AnyEvent, DomainEvent, MemberId, OrgId, Subject,
    mailbox::{self, Event, Queued, Set, Told},
    outgoing::{Anew, Fault},
};
use host::{Folding, View, row};
use jiff::Timestamp;
use rusqlite::{Connection, ToSql, params};
use uuid::Uuid;

use crate::backlog_view::Backlog;

/// Mailboxes.
pub(crate) const MAILBOXES: View = View {
    name: "mailboxes",
    version: 3,
    schema: "
        CREATE TABLE mailboxes (
            org TEXT NOT NULL,
            id BLOB NOT NULL,
            key BLOB NOT NULL,
            subject TEXT NOT NULL,
            confirmed INTEGER NOT NULL,
            rejected INTEGER NOT NULL,
            waiting INTEGER NOT NULL, -- messages, a count
            since INTEGER NOT NULL, -- seconds since 1970: when what waits came to stand first
            due INTEGER NOT NULL, -- seconds since 1970: when what waits is tried
            through INTEGER NOT NULL, -- nanoseconds since 1970: of all that came up until then it was told
            told INTEGER, -- nanoseconds since 1970: when it was told last
            failed INTEGER, -- nanoseconds since 1970: when the last attempt of what stands first failed, if one did
            fault TEXT, -- JSON: why
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
            "SELECT org, hex(id), hex(key), subject, confirmed, rejected, waiting, since, due, through,
                    told, failed, fault
             FROM mailboxes ORDER BY org, id",
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
            let sql = "INSERT INTO mailboxes VALUES (?1, ?2, ?3, ?4, 0, 0, 1, ?5, ?5, ?6, NULL, NULL, NULL)";
            folding.run(sql, &[&key.as_bytes(), &subject.as_str(), &at.as_second(), &nanos(*at)])
        }
        Event::Removed(_) => gone(folding),
        Event::Confirmed(_) => change(folding, "confirmed = 1", &[]),
        Event::Rejected(_) => change(folding, "rejected = 1", &[]),
        Event::Queued(Queued { through, at, .. }) => {
            let set = "since = iif(waiting = 0, ?4, since), waiting = waiting + 1, through = ?3, due = ?4,
                       told = ?5";
            change(folding, set, &[&nanos(*through), &at.as_second(), &nanos(*at)])
        }
        Event::Claimed(claimed) => {
            change(folding, "due = ?3, failed = NULL, fault = NULL", &[&claimed.until.as_second()])
        }
        Event::Failed(failed) => {
            let due = failed.again_at.unwrap_or(failed.at).as_second();
            let fault = serde_json::to_string(&failed.fault).expect("a word and a code");
            change(folding, "due = ?3, failed = ?4, fault = ?5", &[&due, &nanos(failed.at), &fault])
        }
        Event::Delivered(delivered) => less(folding, delivered.at),
        Event::GivenUp(given_up) => less(folding, given_up.at),
        Event::CodeRefused(_) => Ok(()),
    }
}

/// What there was is no more, and its key has to go.
fn gone(folding: &Folding<'_>) -> rusqlite::Result<()> {
    let keys = "INSERT INTO mailbox_keys SELECT ?3, org, id, key FROM mailboxes WHERE org = ?1 AND id = ?2";
    folding.run(keys, &[&folding.position()])?;
    folding.run("DELETE FROM mailboxes WHERE org = ?1 AND id = ?2", &[])
}

/// One waits no more.
fn less(folding: &Folding<'_>, at: Timestamp) -> rusqlite::Result<()> {
    change(folding, "waiting = waiting - 1, since = ?3, failed = NULL, fault = NULL", &[&at.as_second()])
}

fn change(folding: &Folding<'_>, assign: &str, values: &[&dyn ToSql]) -> rusqlite::Result<()> {
    folding.run(&format!("UPDATE mailboxes SET {assign} WHERE org = ?1 AND id = ?2"), values)
}

/// How much waits, of mailboxes that are written to, and how many are not because their server refused them.
pub(crate) fn waiting(connection: &Connection) -> rusqlite::Result<Backlog> {
    let sql = "SELECT coalesce(sum(waiting) FILTER (WHERE NOT rejected), 0),
                      min(since) FILTER (WHERE NOT rejected AND waiting > 0),
                      count(*) FILTER (WHERE rejected)
               FROM mailboxes";
    Backlog::by(connection, sql)
}

/// A mailbox to which may be written.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub org: OrgId,
    pub mailbox: Uuid,
    /// Whose it is.
    pub subject: Subject,
    /// Of what they were told.
    pub told: Told,
    /// Whether the code was said.
    confirmed: bool,
    /// Whether something waits, and when it is tried.
    tried_at: Option<Timestamp>,
    /// When its last attempt failed, and why, if it did.
    failed: Option<(Timestamp, Fault)>,
}

impl Row {
    /// Whether something is to be sent there now, as the log would decide it.
    pub fn is_due(
        &self,
        waiting: mailbox::Waiting,
        today: Timestamp,
        recovered: Option<Timestamp>,
        now: Timestamp,
    ) -> bool {
        match self.tried_at {
            None => self.confirmed && self.told.due(waiting, today, now).is_some(),
            Some(tried_at) => {
                let anew = Anew { urgent: self.told.urgent(waiting, now), recovered };
                now >= tried_at || self.failed.is_some_and(|(failed, fault)| anew.after(failed, fault, now))
            }
        }
    }
}

/// Mailboxes that may be written to: what waits longest first.
pub(crate) fn open(connection: &Connection) -> rusqlite::Result<Vec<Row>> {
    let mut statement = connection.prepare_cached(
        "SELECT org, id, subject, through, told, confirmed, waiting, due, failed, fault FROM mailboxes
         WHERE NOT rejected AND (waiting > 0 OR confirmed) ORDER BY due",
    )?;
    let rows = statement.query_map([], |row| {
        let failed = row.get::<_, Option<i64>>(8)?.map(instant).zip(row::maybe_json(row, 9)?);
        Ok(Row {
            org: row::text(row, 0)?,
            mailbox: row::uuid(row, 1)?,
            subject: row::text(row, 2)?,
            told: Told { at: row.get::<_, Option<i64>>(4)?.map(instant), through: instant(row.get(3)?) },
            confirmed: row.get(5)?,
            tried_at: if row.get::<_, i64>(6)? > 0 { Some(row::time(row, 7)?) } else { None },
            failed,
        })
    })?;
    rows.collect()
}

/// As it is kept: whoever was told of something was told of it to the nanosecond.
fn nanos(at: Timestamp) -> i64 {
    i64::try_from(at.as_nanosecond()).unwrap_or(i64::MAX)
}

fn instant(nanos: i64) -> Timestamp {
    Timestamp::from_nanosecond(nanos.into()).unwrap_or(Timestamp::MAX)
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
