//! The view of reasons: what was written about members, as it was sealed, for their whole record.

use domain::{
    AnyEvent, MemberId, Sealed,
    meeting::{self, AttendanceCorrected},
    member::{self, GlassBroken, HoldPlaced},
    roster::{self, Withdrawn},
};
use jiff::Timestamp;
use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{row, views::Folding};

/// What a reason was given for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ReasonFor {
    /// A mark was corrected.
    Correction,
    /// An enrolment ended early.
    Withdrawal,
    /// A legal hold was placed.
    Hold,
    /// The glass was broken.
    Glass,
}

impl ReasonFor {
    /// As stored, and as the field that it was sealed as.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Correction => "correction",
            Self::Withdrawal => "withdrawal",
            Self::Hold => "hold",
            Self::Glass => "glass",
        }
    }
}

pub(crate) fn fold(folding: &mut Folding<'_>, event: &AnyEvent) -> rusqlite::Result<()> {
    if let Some(meeting::Event::AttendanceCorrected(AttendanceCorrected { member, reason, .. })) = event.of() {
        return store(folding, *member, ReasonFor::Correction, reason);
    }
    if let Some(roster::Event::Withdrawn(Withdrawn { member, reason: Some(reason), .. })) = event.of() {
        return store(folding, *member, ReasonFor::Withdrawal, reason);
    }
    Ok(())
}

/// What is said of one record.
pub(crate) fn fold_record(folding: &mut Folding<'_>, member: MemberId, event: &member::Event) -> rusqlite::Result<()> {
    match event {
        member::Event::HoldPlaced(HoldPlaced { reason, .. }) => store(folding, member, ReasonFor::Hold, reason),
        member::Event::GlassBroken(GlassBroken { reason, .. }) => store(folding, member, ReasonFor::Glass, reason),
        member::Event::Erased(_) => forget(folding, member),
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
        what.as_str(),
        reason.as_str(),
    ])?;
    Ok(())
}

fn forget(folding: &Folding<'_>, member: MemberId) -> rusqlite::Result<()> {
    folding
        .rows
        .prepare_cached("DELETE FROM reasons WHERE org = ?1 AND member = ?2")?
        .execute(params![folding.org(), member.0.as_bytes()])?;
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
