//! The view of letters to members: of whom there is news, what waits, what was sent, and what was withheld and why.

use domain::{
    AnyEvent, DomainEvent, MemberId, MessageId, OrgId,
    letter::{About, Event, LETTERS_EVERY, Queued, Why, Withheld},
    outgoing::{Anew, Failed, Fault},
    referral::{self, Actor, Moved, What},
};
use host::{Folding, View, row};
use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;
use utoipa::ToSchema;

use crate::{
    backlog_view::Backlog,
    turns::{Due, Haste},
};

/// Of what is older, nobody is written to any more: that is noted, so that somebody can call.
const NEWS_AGE_MAX: SignedDuration = SignedDuration::from_hours(24);
/// What is older is no news at all: it happened before there was a mail server.
const NEWS_NOTED_MAX: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Letters.
pub(crate) const LETTERS: View = View {
    name: "letters",
    version: 3,
    schema: "
        CREATE TABLE letter_news (
            org TEXT NOT NULL,
            member BLOB NOT NULL,
            position INTEGER NOT NULL, -- where the latest happened
            at INTEGER NOT NULL, -- seconds since 1970
            PRIMARY KEY (org, member)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE letters (
            org TEXT NOT NULL,
            id BLOB NOT NULL,
            member BLOB NOT NULL,
            position INTEGER NOT NULL,
            about TEXT NOT NULL,
            state TEXT NOT NULL,
            why TEXT, -- it was withheld
            queued_at INTEGER NOT NULL, -- seconds since 1970
            at INTEGER NOT NULL, -- seconds since 1970: when it came to this state
            due INTEGER NOT NULL, -- seconds since 1970: when it is tried, if it waits
            fault TEXT, -- JSON: why the last attempt failed, if it did
            again_at INTEGER, -- seconds since 1970: when it is tried again, if it failed
            failed INTEGER, -- seconds since 1970: when the last attempt failed, if nobody has begun another one
            PRIMARY KEY (org, id)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX letters_by_position ON letters (org, position);
        CREATE INDEX letters_of_member ON letters (org, member);
        CREATE INDEX letters_waiting ON letters (due) WHERE state = 'waiting';",
    tables: &[
        ("letter_news", "SELECT org, hex(member), position, at FROM letter_news ORDER BY org, member"),
        (
            "letters",
            "SELECT org, hex(id), hex(member), position, about, state, why, queued_at, at, due, fault,
                    again_at, failed
             FROM letters ORDER BY org, id",
        ),
    ],
    once_caught_up: "",
    kinds: &[Event::CATEGORY, referral::Event::CATEGORY],
    fold: || Box::new(fold),
    forgets: &["letter_news", "letters"],
    keeps: &[],
};

/// How far a letter has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema, IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub(crate) enum LetterState {
    /// It is to be sent.
    Waiting,
    /// A mail server took it.
    Sent,
    /// It is not sent, because of what the member said or did not say.
    Withheld,
    /// No mail server took it.
    GivenUp,
}

fn fold(folding: &Folding<'_>, event: &AnyEvent) -> rusqlite::Result<()> {
    if folding.is_erased(MemberId(folding.event.stream.id()))? {
        return Ok(());
    }
    match (event.of::<Event>(), event.of::<referral::Event>()) {
        (Some(event), _) => letter(folding, event),
        (_, Some(referral::Event::Moved(moved))) if is_news(moved) => {
            let sql =
                "INSERT INTO letter_news VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET position = ?3, at = ?4";
            folding.run(sql, &[&folding.position(), &moved.at.as_second()])
        }
        _ => Ok(()),
    }
}

/// Whether a partner answered, or there is an appointment or none any more; unless the member said so.
fn is_news(moved: &Moved) -> bool {
    let answers = matches!(
        moved.what,
        What::Accept {} | What::Decline { .. } | What::Waitlist { .. } | What::Schedule { .. } | What::CancelSlot {}
    );
    answers && moved.by.actor != Actor::Member
}

fn letter(folding: &Folding<'_>, event: &Event) -> rusqlite::Result<()> {
    match event {
        Event::Queued(Queued { message, about, through, at }) => {
            let through = i64::try_from(*through).unwrap_or(i64::MAX);
            folding.run("DELETE FROM letter_news WHERE org = ?1 AND member = ?2 AND position <= ?3", &[&through])?;
            let about: &'static str = about.into();
            let sql = "INSERT INTO letters VALUES (?1, ?3, ?2, ?4, ?5, 'waiting', NULL, ?6, ?6, ?6, NULL, NULL, NULL)";
            folding.run(sql, &[&message.0.as_bytes(), &folding.position(), &about, &at.as_second()])
        }
        Event::Claimed(claimed) => due(folding, claimed.message, claimed.until),
        Event::Failed(failed) => fails(folding, failed),
        Event::Withheld(Withheld { message, why, at }) => {
            let why: &'static str = why.into();
            ends(folding, *message, LetterState::Withheld, Some(why), *at)
        }
        Event::Delivered(delivered) => ends(folding, delivered.message, LetterState::Sent, None, delivered.at),
        Event::GivenUp(given_up) => ends(folding, given_up.message, LetterState::GivenUp, None, given_up.at),
    }
}

fn due(folding: &Folding<'_>, message: MessageId, at: Timestamp) -> rusqlite::Result<()> {
    let sql = "UPDATE letters SET due = ?4, failed = NULL WHERE org = ?1 AND member = ?2 AND id = ?3";
    folding.run(sql, &[&message.0.as_bytes(), &at.as_second()])
}

fn fails(folding: &Folding<'_>, Failed { message, fault, at, again_at, .. }: &Failed) -> rusqlite::Result<()> {
    let fault = serde_json::to_string(fault).expect("a word and a code");
    let (due, again_at) = (again_at.unwrap_or(*at).as_second(), again_at.map(Timestamp::as_second));
    let sql = "UPDATE letters SET due = ?4, fault = ?5, again_at = ?6, failed = ?7
               WHERE org = ?1 AND member = ?2 AND id = ?3";
    folding.run(sql, &[&message.0.as_bytes(), &due, &fault, &again_at, &at.as_second()])
}

fn ends(
    folding: &Folding<'_>,
    message: MessageId,
    state: LetterState,
    why: Option<&'static str>,
    at: Timestamp,
) -> rusqlite::Result<()> {
    let state: &'static str = state.into();
    let sql = "UPDATE letters SET state = ?4, why = ?5, at = ?6, again_at = NULL, failed = NULL,
                      fault = iif(?4 = 'given_up', fault, NULL)
               WHERE org = ?1 AND member = ?2 AND id = ?3";
    folding.run(sql, &[&message.0.as_bytes(), &state, &why, &at.as_second()])
}

/// Members to whom it is time to write, as far as one of their records says: what waits longest first.
pub(crate) fn to_be_written(
    connection: &Connection,
    recovered: Option<Timestamp>,
    now: Timestamp,
) -> rusqlite::Result<Vec<Due<MemberId>>> {
    let mut due = Vec::new();
    let mut waiting = connection
        .prepare_cached("SELECT org, member, due, failed, fault FROM letters WHERE state = 'waiting' ORDER BY due")?;
    let mut rows = waiting.query([])?;
    while let Some(row) = rows.next()? {
        let failed: Option<Timestamp> = row.get::<_, Option<i64>>(3)?.map(|_| row::time(row, 3)).transpose()?;
        let failed = failed.zip(row::maybe_json::<Fault>(row, 4)?);
        let anew = Anew { urgent: None, recovered };
        if now >= row::time(row, 2)? || failed.is_some_and(|(failed, fault)| anew.after(failed, fault, now)) {
            due.push(Due { haste: Haste::Due, org: row::text(row, 0)?, to: MemberId(row::uuid(row, 1)?) });
        }
    }
    // Not what waits for a letter before it, or for the hour after it.
    let mut news = connection.prepare_cached(
        "SELECT org, member, at FROM letter_news AS news WHERE at > ?1
         AND NOT EXISTS (SELECT 1 FROM letters WHERE letters.org = news.org AND letters.member = news.member
             AND (state = 'waiting' OR news.at > ?2 AND state <> 'withheld' AND queued_at > ?3))
         ORDER BY at",
    )?;
    let since = |age: SignedDuration| (now - age).as_second();
    let mut rows = news.query(params![since(NEWS_NOTED_MAX), since(NEWS_AGE_MAX), since(LETTERS_EVERY)])?;
    while let Some(row) = rows.next()? {
        let haste = if is_too_late(row.get(2)?, now) { Haste::Last } else { Haste::Due };
        due.push(Due { haste, org: row::text(row, 0)?, to: MemberId(row::uuid(row, 1)?) });
    }
    Ok(due)
}

fn is_too_late(at: i64, now: Timestamp) -> bool {
    at <= (now - NEWS_AGE_MAX).as_second()
}

/// How much waits. Nobody is shut out by it.
pub(crate) fn waiting(connection: &Connection) -> rusqlite::Result<Backlog> {
    Backlog::by(connection, "SELECT count(*), min(queued_at), 0 FROM letters WHERE state = 'waiting'")
}

/// Up to where in the log there is news for a member, and whether it is too late to write of it.
pub(crate) fn news(
    connection: &Connection,
    org: &OrgId,
    member: MemberId,
    now: Timestamp,
) -> rusqlite::Result<Option<(u64, bool)>> {
    let found: Option<(i64, i64)> = connection
        .prepare_cached("SELECT position, at FROM letter_news WHERE org = ?1 AND member = ?2 AND at > ?3")?
        .query_row(params![org.as_str(), member.0.as_bytes(), (now - NEWS_NOTED_MAX).as_second()], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    Ok(found.map(|(position, at)| (position.unsigned_abs(), is_too_late(at, now))))
}

/// A letter, as it is listed.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct LetterRow {
    pub message: MessageId,
    /// To whom.
    pub member: MemberId,
    /// What there is to see; the letter does not say it.
    pub about: About,
    /// How far it has come.
    pub state: LetterState,
    /// Why it is not sent, if it is not: somebody can call instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<Why>,
    /// What the mail server answered the last attempt, if that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Why there was no answer, if there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
    /// When it is tried again, if it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_attempt_at: Option<Timestamp>,
    /// When it was made.
    pub queued_at: Timestamp,
    /// When it came to this state.
    pub at: Timestamp,
    #[serde(skip)]
    pub position: i64,
}

/// Letters, the latest first, before this position.
pub(crate) fn list(
    connection: &Connection,
    org: &str,
    state: Option<LetterState>,
    before: Option<i64>,
    rows: usize,
) -> rusqlite::Result<Vec<LetterRow>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, member, about, state, why, queued_at, at, position, fault, again_at FROM letters
         WHERE org = ?1 AND (?2 IS NULL OR state = ?2) AND (?3 IS NULL OR position < ?3)
         ORDER BY position DESC LIMIT ?4",
    )?;
    let state: Option<&'static str> = state.map(Into::into);
    let found = statement.query_map(params![org, state, before, row::limit(rows)], |row| {
        let fault: Option<Fault> = row::maybe_json(row, 8)?;
        let (status, fault) = match fault {
            Some(Fault::Code(code)) => (Some(code), None),
            fault => (None, fault),
        };
        Ok(LetterRow {
            message: MessageId(row::uuid(row, 0)?),
            member: MemberId(row::uuid(row, 1)?),
            about: row::word(row, 2)?,
            state: row::word(row, 3)?,
            why: row::maybe_word(row, 4)?,
            status,
            fault,
            next_attempt_at: row.get::<_, Option<i64>>(9)?.map(|_| row::time(row, 9)).transpose()?,
            queued_at: row::time(row, 5)?,
            at: row::time(row, 6)?,
            position: row.get(7)?,
        })
    })?;
    found.collect()
}
