//! The view of reasons: what was written about members, as it was sealed, for their whole record.

use domain::{
    AnyEvent, DomainEvent, MemberId, Sealed,
    meeting::{self, AttendanceCorrected},
    member::{self, GlassBroken, HoldPlaced},
    people,
    roster::{self, TurnMoved, Withdrawn},
};
use host::{Folding, View, row};
use jiff::Timestamp;
use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use vault::SealedAs;

use crate::record_view::said_of_records;

/// Reasons that were written about members.
pub(crate) const REASONS: View = View {
    name: "reasons",
    version: 2,
    schema: "
        CREATE TABLE reasons (
            org TEXT NOT NULL,
            member BLOB NOT NULL,
            position INTEGER NOT NULL,
            at INTEGER NOT NULL, -- seconds since 1970 (UTC)
            what TEXT NOT NULL,
            sealed TEXT NOT NULL,
            PRIMARY KEY (org, member, position)
        ) STRICT, WITHOUT ROWID;",
    tables: &[(
        "reasons",
        "SELECT org, hex(member), position, at, what, sealed FROM reasons ORDER BY org, member, position",
    )],
    once_caught_up: "",
    kinds: &[meeting::Event::CATEGORY, roster::Event::CATEGORY, member::Event::CATEGORY, people::Event::CATEGORY],
    fold: || Box::new(fold),
    forgets: &["reasons"],
    keeps: &[],
};

/// What a reason was given for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ReasonFor {
    /// A mark was corrected.
    Correction,
    /// An enrolment ended early.
    Withdrawal,
    /// Somebody got another turn on a waiting list.
    Turn,
    /// A legal hold was placed.
    Hold,
    /// The glass was broken.
    Glass,
}

impl ReasonFor {
    /// As what it was sealed.
    pub fn sealed_as(self) -> SealedAs {
        match self {
            Self::Correction => SealedAs::Correction,
            Self::Withdrawal => SealedAs::Withdrawal,
            Self::Turn => SealedAs::Turn,
            Self::Hold => SealedAs::Hold,
            Self::Glass => SealedAs::Glass,
        }
    }
}

fn fold(folding: &Folding<'_>, event: &AnyEvent) -> rusqlite::Result<()> {
    if let Some(meeting::Event::AttendanceCorrected(AttendanceCorrected { member, reason, .. })) = event.of() {
        return store(folding, *member, ReasonFor::Correction, reason);
    }
    if let Some(roster::Event::Withdrawn(Withdrawn { member, reason: Some(reason), .. })) = event.of() {
        return store(folding, *member, ReasonFor::Withdrawal, reason);
    }
    if let Some(roster::Event::TurnMoved(TurnMoved { member, reason: Some(reason), .. })) = event.of() {
        return store(folding, *member, ReasonFor::Turn, reason);
    }
    said_of_records(folding, event).into_iter().try_for_each(|(member, said)| fold_record(folding, member, &said))
}

fn fold_record(folding: &Folding<'_>, member: MemberId, event: &member::Event) -> rusqlite::Result<()> {
    match event {
        member::Event::HoldPlaced(HoldPlaced { reason, .. }) => store(folding, member, ReasonFor::Hold, reason),
        member::Event::GlassBroken(GlassBroken { reason, .. }) => store(folding, member, ReasonFor::Glass, reason),
        _ => Ok(()),
    }
}

fn store(folding: &Folding<'_>, member: MemberId, what: ReasonFor, reason: &Sealed) -> rusqlite::Result<()> {
    let at = folding.event.recorded_at.as_second();
    folding.rows.prepare_cached("INSERT INTO reasons VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?.execute(params![
        folding.org(),
        member.0.as_bytes(),
        folding.position(),
        at,
        what.sealed_as().as_str(),
        reason.as_str(),
    ])?;
    Ok(())
}

/// A reason, and when it was given for what.
pub(crate) type Reason = (Timestamp, ReasonFor, Sealed);

/// Reasons that were written about a member, oldest first.
pub(crate) fn of_member(connection: &Connection, org: &str, member: MemberId) -> rusqlite::Result<Vec<Reason>> {
    let mut statement = connection
        .prepare_cached("SELECT at, what, sealed FROM reasons WHERE org = ?1 AND member = ?2 ORDER BY position")?;
    let rows = statement.query_map(params![org, member.0.as_bytes()], |row| {
        Ok((row::time(row, 0)?, row::word(row, 1)?, row::text(row, 2)?))
    })?;
    rows.collect()
}
