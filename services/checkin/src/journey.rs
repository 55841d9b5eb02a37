//! A person's journey as it is kept, sealed: read of several views.

use domain::MemberId;
use host::View;
use projections::{GROUPS, MemberAttendance, RECORDS, REGISTERS, SealedMood};
use rusqlite::Connection;

use crate::care_view::{self, CARE, CheckInRow, ConcernRow, GoalRow};

/// What is read for it.
pub(crate) const READ: &[&View] = &[&CARE, &RECORDS, &REGISTERS, &GROUPS];

/// All that is kept of a person's journey, sealed.
pub(crate) struct Found {
    pub member: MemberId,
    pub records: Vec<MemberId>,
    pub attendances: Vec<MemberAttendance>,
    pub moods: Vec<SealedMood>,
    pub check_ins: Vec<CheckInRow>,
    pub goals: Vec<GoalRow>,
    pub concerns: Vec<ConcernRow>,
}

/// A person's journey; none if they are not registered.
pub(crate) fn find(connection: &Connection, org: &str, member: MemberId) -> rusqlite::Result<Option<Found>> {
    if !projections::is_registered(connection, org, member)? {
        return Ok(None);
    }
    let records = projections::same_person(connection, org, member)?;
    let mut moods = Vec::new();
    for record in &records {
        moods.extend(projections::moods_of(connection, org, *record)?);
    }
    Ok(Some(Found {
        member,
        moods,
        attendances: projections::attendances(connection, org, member)?,
        check_ins: care_view::check_ins(connection, org, &records)?,
        goals: care_view::goals(connection, org, &records)?,
        concerns: care_view::concerns(connection, org, &records)?,
        records,
    }))
}
