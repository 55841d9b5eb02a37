//! A person's journey as it is kept, sealed: read of several views.

use domain::{
    GroupId, MemberId,
    meeting::{Status, Streaks},
};
use host::View;
use jiff::civil::Date;
use projections::{ENROLMENTS, GROUPS, MemberAttendance, RECORDS, REGISTERS, SealedMood};
use rusqlite::Connection;
use serde::Serialize;
use utoipa::ToSchema;

use crate::care_view::{self, CARE, CheckInRow, ConcernRow, GoalRow};

/// What is read for it.
pub(crate) const READ: &[&View] = &[&CARE, &RECORDS, &REGISTERS, &GROUPS, &ENROLMENTS];

/// All that is kept of a person's journey, sealed.
pub(crate) struct Found {
    pub member: MemberId,
    pub records: Vec<MemberId>,
    pub streaks: Vec<GroupStreaks>,
    pub attendances: Vec<MemberAttendance>,
    pub moods: Vec<SealedMood>,
    pub check_ins: Vec<CheckInRow>,
    pub goals: Vec<GoalRow>,
    pub concerns: Vec<ConcernRow>,
}

/// Streaks and lapses of a person in a group, of one time in which they have, or had, a place there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct GroupStreaks {
    pub group: GroupId,
    /// First day of that time, where the group meets.
    pub starts_on: Date,
    /// Last day of it, if it ends.
    #[schema(value_type = Option<String>, format = Date)]
    pub ends_on: Option<Date>,
    #[serde(flatten)]
    pub streaks: Streaks,
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
    // One that was called off, or did not occur, is no part of the way.
    moods.retain(|mood: &SealedMood| matches!(mood.status, Status::Open | Status::Held));
    Ok(Some(Found {
        member,
        moods,
        streaks: streaks(connection, org, member, &records)?,
        attendances: projections::attendances(connection, org, member)?,
        check_ins: care_view::check_ins(connection, org, &records)?,
        goals: care_view::goals(connection, org, &records)?,
        concerns: care_view::concerns(connection, org, &records)?,
        records,
    }))
}

/// By group, and in each oldest first.
fn streaks(
    connection: &Connection,
    org: &str,
    member: MemberId,
    records: &[MemberId],
) -> rusqlite::Result<Vec<GroupStreaks>> {
    let placed = projections::placed(connection, org, (None, Some(member)))?.into_iter();
    let of_time = placed.map(|placed| {
        let streaks = projections::streaks(connection, org, &placed, records)?;
        let projections::Placed { group, starts_on, ends_on, .. } = placed;
        Ok(GroupStreaks { group, starts_on, ends_on, streaks })
    });
    of_time.collect()
}
