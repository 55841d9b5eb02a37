//! The view of letters to members: of whom there is news, what waits, what was sent, and what was withheld and why.

use domain::{
    AnyEvent, DomainEvent, MemberId, MessageId, OrgId,
    letter::{About, Event, Queued, Why, Withheld},
    referral::{self, Actor, Moved, What},
};
use host::{Folding, View, row};
use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;
use utoipa::ToSchema;

/// What is older is no news: nobody is written to of what happened before there was a mail server.
const NEWS_AGE_MAX: SignedDuration = SignedDuration::from_hours(24);

/// Letters.
pub(crate) const LETTERS: View = View {
    name: "letters",
    version: 1,
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
            PRIMARY KEY (org, id)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX letters_by_position ON letters (org, position);
        CREATE INDEX letters_of_member ON letters (org, member);
        CREATE INDEX letters_waiting ON letters (due) WHERE state = 'waiting';",
    tables: &[
        ("letter_news", "SELECT org, hex(member), position, at FROM letter_news ORDER BY org, member"),
        (
            "letters",
            "SELECT org, hex(id), hex(member), position, about, state, why, queued_at, at, due FROM letters ORDER BY org, id",
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
            let sql = "INSERT INTO letters VALUES (?1, ?3, ?2, ?4, ?5, 'waiting', NULL, ?6, ?6, ?6)";
            folding.run(sql, &[&message.0.as_bytes(), &folding.position(), &about, &at.as_second()])
        }
        Event::Claimed(claimed) => due(folding, claimed.message, claimed.until),
        Event::Failed(failed) => due(folding, failed.message, failed.again_at.unwrap_or(failed.at)),
        Event::Withheld(Withheld { message, why, at }) => {
            let why: &'static str = why.into();
            ends(folding, *message, LetterState::Withheld, Some(why), *at)
        }
        Event::Delivered(delivered) => ends(folding, delivered.message, LetterState::Sent, None, delivered.at),
        Event::GivenUp(given_up) => ends(folding, given_up.message, LetterState::GivenUp, None, given_up.at),
    }
}

fn due(folding: &Folding<'_>, message: MessageId, at: Timestamp) -> rusqlite::Result<()> {
    let sql = "UPDATE letters SET due = ?4 WHERE org = ?1 AND member = ?2 AND id = ?3";
    folding.run(sql, &[&message.0.as_bytes(), &at.as_second()])
}

fn ends(
    folding: &Folding<'_>,
    message: MessageId,
    state: LetterState,
    why: Option<&'static str>,
    at: Timestamp,
) -> rusqlite::Result<()> {
    let state: &'static str = state.into();
    let sql = "UPDATE letters SET state = ?4, why = ?5, at = ?6 WHERE org = ?1 AND member = ?2 AND id = ?3";
    folding.run(sql, &[&message.0.as_bytes(), &state, &why, &at.as_second()])
}

/// Members to whom it may be time to write.
pub(crate) fn to_be_written(connection: &Connection, now: Timestamp) -> rusqlite::Result<Vec<(OrgId, MemberId)>> {
    let mut statement = connection.prepare_cached(
        "SELECT org, member FROM letters WHERE state = 'waiting' AND due <= ?1
         UNION SELECT org, member FROM letter_news WHERE at > ?2",
    )?;
    let rows = statement.query_map(params![now.as_second(), (now - NEWS_AGE_MAX).as_second()], |row| {
        Ok((row::text(row, 0)?, MemberId(row::uuid(row, 1)?)))
    })?;
    rows.collect()
}

/// Up to where in the log there is news for a member.
pub(crate) fn news(
    connection: &Connection,
    org: &OrgId,
    member: MemberId,
    now: Timestamp,
) -> rusqlite::Result<Option<u64>> {
    let found: Option<i64> = connection
        .prepare_cached("SELECT position FROM letter_news WHERE org = ?1 AND member = ?2 AND at > ?3")?
        .query_row(params![org.as_str(), member.0.as_bytes(), (now - NEWS_AGE_MAX).as_second()], |row| row.get(0))
        .optional()?;
    Ok(found.map(i64::unsigned_abs))
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
        "SELECT id, member, about, state, why, queued_at, at, position FROM letters
         WHERE org = ?1 AND (?2 IS NULL OR state = ?2) AND (?3 IS NULL OR position < ?3)
         ORDER BY position DESC LIMIT ?4",
    )?;
    let state: Option<&'static str> = state.map(Into::into);
    let found = statement.query_map(params![org, state, before, row::limit(rows)], |row| {
        Ok(LetterRow {
            message: MessageId(row::uuid(row, 0)?),
            member: MemberId(row::uuid(row, 1)?),
            about: row::word(row, 2)?,
            state: row::word(row, 3)?,
            why: row::maybe_word(row, 4)?,
            queued_at: row::time(row, 5)?,
            at: row::time(row, 6)?,
            position: row.get(7)?,
        })
    })?;
    found.collect()
}
