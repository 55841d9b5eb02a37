//! The view of mailboxes, and of what waits for people who work here: where it may be time to write. Whether it is, the log
//! says.

use domain::{
    AnyEvent, DomainEvent, MemberId, OrgId, care,
    care::{ConcernAcknowledged, ConcernRaised, ConcernResolved, Urgency},
    mailbox::{Event, Queued, Set},
    protocol::Seat,
};
use host::{Folding, View, row};
use jiff::Timestamp;
use rusqlite::{Connection, ToSql, params};
use uuid::Uuid;

/// Mailboxes, and concerns that nobody sees to.
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
        ) STRICT;
        CREATE TABLE concerns_waiting (
            org TEXT NOT NULL,
            member BLOB NOT NULL,
            id BLOB NOT NULL,
            seat TEXT NOT NULL, -- JSON
            urgent INTEGER NOT NULL,
            since INTEGER NOT NULL, -- seconds since 1970
            PRIMARY KEY (org, member, id)
        ) STRICT, WITHOUT ROWID;",
    tables: &[
        (
            "mailboxes",
            "SELECT org, hex(id), hex(key), subject, confirmed, rejected, waiting, due, through FROM mailboxes
             ORDER BY org, id",
        ),
        ("mailbox_keys", "SELECT position, org, hex(id), hex(key) FROM mailbox_keys ORDER BY position"),
        (
            "concerns_waiting",
            "SELECT org, hex(member), hex(id), seat, urgent, since FROM concerns_waiting ORDER BY org, member, id",
        ),
    ],
    once_caught_up: "",
    kinds: &[Event::CATEGORY, care::Event::CATEGORY],
    fold: || Box::new(fold),
    forgets: &["concerns_waiting"],
    keeps: &[],
};

fn fold(folding: &Folding<'_>, event: &AnyEvent) -> rusqlite::Result<()> {
    match (event.of::<Event>(), event.of::<care::Event>()) {
        (Some(event), _) => mailbox(folding, event),
        (_, Some(event)) => concern(folding, event),
        (None, None) => Ok(()),
    }
}

fn mailbox(folding: &Folding<'_>, event: &Event) -> rusqlite::Result<()> {
    match event {
        Event::Set(Set { subject, key, at, .. }) => {
            gone(folding)?;
            let sql = "INSERT INTO mailboxes VALUES (?1, ?2, ?3, ?4, 0, 0, 1, ?5, ?5)";
            run(folding, sql, &[&key.as_bytes(), &subject.as_str(), &at.as_second()])
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
    run(folding, keys, &[&folding.position()])?;
    run(folding, "DELETE FROM mailboxes WHERE org = ?1 AND id = ?2", &[])
}

fn concern(folding: &Folding<'_>, event: &care::Event) -> rusqlite::Result<()> {
    if folding.is_erased(MemberId(folding.event.stream.id()))? {
        return Ok(());
    }
    match event {
        care::Event::ConcernRaised(ConcernRaised { concern, urgency, seat, raised_at, .. }) => {
            let seat = serde_json::to_string(seat).expect("a word and an id");
            let sql = "INSERT INTO concerns_waiting VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
            let urgent = *urgency == Urgency::Prompt;
            run(folding, sql, &[&concern.0.as_bytes(), &seat, &urgent, &raised_at.as_second()])
        }
        care::Event::ConcernAcknowledged(ConcernAcknowledged { concern, .. })
        | care::Event::ConcernResolved(ConcernResolved { concern, .. }) => {
            let sql = "DELETE FROM concerns_waiting WHERE org = ?1 AND member = ?2 AND id = ?3";
            run(folding, sql, &[&concern.0.as_bytes()])
        }
        _ => Ok(()),
    }
}

fn change(folding: &Folding<'_>, assign: &str, values: &[&dyn ToSql]) -> rusqlite::Result<()> {
    run(folding, &format!("UPDATE mailboxes SET {assign} WHERE org = ?1 AND id = ?2"), values)
}

/// Runs SQL with the organisation, the stream's id, and these.
fn run(folding: &Folding<'_>, sql: &str, values: &[&dyn ToSql]) -> rusqlite::Result<()> {
    let (org, id) = (folding.org(), folding.event.stream.id());
    let id = &id.as_bytes()[..];
    let of: [&dyn ToSql; 2] = [&org, &id];
    let all: Vec<&dyn ToSql> = of.into_iter().chain(values.iter().copied()).collect();
    folding.rows.prepare_cached(sql)?.execute(&all[..])?;
    Ok(())
}

/// Mailboxes to which something may have to be written: something waits for its time, or something has come up.
pub(crate) fn due(connection: &Connection, now: Timestamp) -> rusqlite::Result<Vec<(OrgId, Uuid)>> {
    let mut statement = connection.prepare_cached(
        "SELECT org, id FROM mailboxes
         WHERE NOT rejected AND (
            (waiting > 0 AND due <= ?1)
            OR (waiting = 0 AND confirmed AND EXISTS (
                SELECT 1 FROM concerns_waiting
                WHERE concerns_waiting.org = mailboxes.org AND since > through)))
         ORDER BY due",
    )?;
    let rows = statement.query_map(params![now.as_second()], |row| Ok((row::text(row, 0)?, row::uuid(row, 1)?)))?;
    rows.collect()
}

/// Concerns of the organisation that nobody sees to: whose duty each is, whether it is urgent, since when.
pub(crate) fn concerns(connection: &Connection, org: &OrgId) -> rusqlite::Result<Vec<(Seat, bool, Timestamp)>> {
    let mut statement = connection.prepare_cached("SELECT seat, urgent, since FROM concerns_waiting WHERE org = ?1")?;
    let rows =
        statement.query_map(params![org.as_str()], |row| Ok((row::json(row, 0)?, row.get(1)?, row::time(row, 2)?)))?;
    rows.collect()
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
