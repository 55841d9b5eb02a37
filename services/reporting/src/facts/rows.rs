//! From events to rows.

mod care;
mod referral;

use std::collections::BTreeMap;

use domain::{
    AnyEvent, GroupId, MeetingId, MemberId, OrgId, ProgrammeId, group,
    meeting::{self, Entry, HeadCategory, Headcount, Plan, Status},
    member::{self, Purpose},
    people, programme,
};
use eventlog::{Position, Recorded};
use messaging::ApplyError;
use polars::prelude::*;
use strum::IntoStaticStr;
use uuid::Uuid;

use self::{
    care::{CareRows, local_date},
    referral::ReferralRows,
};
use super::kind::Kind;
use crate::month::Month;

/// Rows of one batch of events, by organisation.
#[derive(Default)]
pub(super) struct Batch {
    pub orgs: BTreeMap<OrgId, Rows>,
}

impl Batch {
    /// Adds what `event` says.
    pub fn add(&mut self, event: &Recorded) -> Result<(), ApplyError> {
        let decoded = event.decode().map_err(|error| ApplyError::event(event, &error))?;
        let rows = self.orgs.entry(event.stream.org()).or_default();
        rows.add(event.stream.id(), &decoded, event.position);
        Ok(())
    }
}

/// Rows of one organisation, in the order of the log, each with its position.
#[derive(Default)]
pub(super) struct Rows {
    plans: Vec<(MeetingId, Plan, Position)>,
    statuses: Vec<(MeetingId, Status, Position)>,
    attendances: Vec<(MeetingId, Attendance, Position)>,
    headcounts: Vec<(MeetingId, Headcount, Position)>,
    groups: Vec<(GroupId, ProgrammeId, Position)>,
    programmes: Vec<(ProgrammeId, String, Position)>,
    merges: Vec<(MemberId, Option<MemberId>, Position)>,
    objections: Vec<(MemberId, Ground, bool, Position)>,
    care: CareRows,
    referral: ReferralRows,
}

/// Why a member is not counted as a person: with them, `Permissions::allow` says no to statistics.
#[derive(Clone, Copy)]
#[derive(IntoStaticStr)]
#[strum(serialize_all = "snake_case", const_into_str)]
enum Ground {
    /// They objected to statistics.
    Objection,
    /// Use of their record is restricted.
    Restriction,
}

struct Attendance {
    member: MemberId,
    entry: Option<Entry>,
    /// Unknown of a correction: the event does not say it.
    walk_in: Option<bool>,
}

impl Rows {
    fn add(&mut self, id: Uuid, event: &AnyEvent, at: Position) {
        if let Some(event) = event.of::<meeting::Event>() {
            self.add_meeting(MeetingId(id), event, at);
        } else if let Some(said) = event.of::<member::Event>() {
            self.add_member(MemberId(id), said, at);
        } else if let Some(event) = event.of::<people::Event>() {
            for (member, said) in event.of_records() {
                self.add_member(member, &said, at);
            }
        } else if let Some(event) = event.of::<group::Event>() {
            self.add_group(GroupId(id), event, at);
        } else if let Some(event) = event.of::<domain::care::Event>() {
            self.care.add(MemberId(id), event, at);
        } else if let Some(event) = event.of::<domain::referral::Event>() {
            self.referral.add(MemberId(id), event, at);
        } else if let Some(
            programme::Event::Registered(programme::Registered { details })
            | programme::Event::Changed(programme::Changed { details }),
        ) = event.of()
        {
            self.programmes.push((ProgrammeId(id), details.name.to_string(), at));
        }
    }

    fn add_group(&mut self, id: GroupId, event: &group::Event, at: Position) {
        use group::Event;
        match event {
            Event::Registered(group::Registered { details }) | Event::Changed(group::Changed { details }) => {
                self.groups.push((id, details.programme, at));
            }
            Event::Scheduled(_)
            | Event::Unscheduled(_)
            | Event::JoiningSet(_)
            | Event::OccurrenceChanged(_)
            | Event::OccurrenceRestored(_) => {}
        }
    }

    /// Of a person, only whether and as whom they count.
    fn add_member(&mut self, id: MemberId, event: &member::Event, at: Position) {
        use member::Event;
        let mut objection = |ground, stands| self.objections.push((id, ground, stands, at));
        match event {
            Event::Merged(member::Merged { into }) => self.merges.push((id, Some(*into), at)),
            Event::Unmerged(_) => self.merges.push((id, None, at)),
            Event::Restricted(_) => objection(Ground::Restriction, true),
            Event::Unrestricted(_) => objection(Ground::Restriction, false),
            Event::Objected(member::Objected { purpose: Purpose::Statistics }) => objection(Ground::Objection, true),
            Event::ObjectionWithdrawn(member::ObjectionWithdrawn { purpose: Purpose::Statistics }) => {
                objection(Ground::Objection, false);
            }
            _ => {}
        }
    }

    fn add_meeting(&mut self, meeting: MeetingId, event: &meeting::Event, at: Position) {
        use meeting::Event;
        let mut status = |status| self.statuses.push((meeting, status, at));
        match event {
            // What had been taken away stays so here until something is said of it: what is ahead is not counted.
            Event::Planned(meeting::Planned { plan }) | Event::Replanned(meeting::Replanned { plan }) => {
                self.plans.push((meeting, *plan, at));
            }
            Event::Unplanned(_) => status(Status::Unplanned),
            Event::Opened(_) | Event::Reopened(_) => status(Status::Open),
            Event::Held(_) => status(Status::Held),
            Event::Cancelled(_) => status(Status::Cancelled),
            Event::DidNotOccur(_) => status(Status::DidNotOccur),
            Event::Reinstated(_) => status(Status::Planned),
            Event::AttendanceRecorded(now) => {
                let row = Attendance { member: now.member, entry: Some(now.entry), walk_in: Some(now.walk_in) };
                self.attendances.push((meeting, row, at));
            }
            Event::AttendanceTakenBack(now) => {
                let row = Attendance { member: now.member, entry: None, walk_in: None };
                self.attendances.push((meeting, row, at));
            }
            Event::AttendanceCorrected(now) => {
                let row = Attendance { member: now.member, entry: now.now, walk_in: None };
                self.attendances.push((meeting, row, at));
            }
            Event::HeadcountRecorded(now) => self.headcounts.push((meeting, now.heads.clone(), at)),
            Event::MoodRecorded(said) => self.care.add_mood(meeting, said, at),
            Event::StructureRecorded(kept) => self.care.add_structure(meeting, kept, at),
        }
    }

    /// A table for each kind that has rows.
    pub fn tables(&self) -> PolarsResult<Vec<(Kind, DataFrame)>> {
        Ok(self.all_tables()?.into_iter().filter(|(_, table)| table.height() > 0).collect())
    }

    fn all_tables(&self) -> PolarsResult<Vec<(Kind, DataFrame)>> {
        let mut tables = vec![
            (Kind::Plans, plans(&self.plans)?),
            (Kind::Statuses, statuses(&self.statuses)?),
            (Kind::Attendances, attendances(&self.attendances)?),
            (Kind::Headcounts, headcounts(&self.headcounts)?),
            (Kind::Groups, groups(&self.groups)?),
            (Kind::Programmes, programmes(&self.programmes)?),
            (Kind::Merges, merges(&self.merges)?),
            (Kind::Objections, objections(&self.objections)?),
        ];
        tables.extend(self.care.tables()?);
        tables.extend(self.referral.tables()?);
        Ok(tables)
    }
}

fn plans(rows: &[(MeetingId, Plan, Position)]) -> PolarsResult<DataFrame> {
    table(vec![
        ids("meeting", rows.iter().map(|row| row.0.0)),
        ids("group", rows.iter().map(|row| row.1.group.0)),
        numbers::<Int64Type>("starts_at", rows.iter().map(|row| row.1.starts_at.as_second())),
        numbers::<Int32Type>("local_date", rows.iter().map(|row| local_date(row.1.starts_at_local.date()))),
        numbers::<Int32Type>("month", rows.iter().map(|row| Month::of(row.1.starts_at_local.date()).code())),
        words("mode", rows.iter().map(|row| Some(row.1.mode.as_str()))),
        positions(rows.iter().map(|row| row.2)),
    ])
}

fn statuses(rows: &[(MeetingId, Status, Position)]) -> PolarsResult<DataFrame> {
    table(vec![
        ids("meeting", rows.iter().map(|row| row.0.0)),
        words("status", rows.iter().map(|row| Some(row.1.as_str()))),
        positions(rows.iter().map(|row| row.2)),
    ])
}

fn attendances(rows: &[(MeetingId, Attendance, Position)]) -> PolarsResult<DataFrame> {
    let participation = |row: &Attendance| row.entry?.mode.map(<&str>::from);
    table(vec![
        ids("meeting", rows.iter().map(|row| row.0.0)),
        ids("member", rows.iter().map(|row| row.1.member.0)),
        words("mark", rows.iter().map(|row| row.1.entry.map(|entry| entry.mark.as_str()))),
        words("participation", rows.iter().map(|row| participation(&row.1))),
        BooleanChunked::from_iter_options("walk_in".into(), rows.iter().map(|row| row.1.walk_in)).into_column(),
        positions(rows.iter().map(|row| row.2)),
    ])
}

fn headcounts(rows: &[(MeetingId, Headcount, Position)]) -> PolarsResult<DataFrame> {
    let heads = |name, category| {
        let of = |row: &(_, Headcount, _)| u32::from(row.1.get(&category).copied().unwrap_or(0));
        numbers::<UInt32Type>(name, rows.iter().map(of))
    };
    table(vec![
        ids("meeting", rows.iter().map(|row| row.0.0)),
        heads("newcomer", HeadCategory::Newcomer),
        heads("visitor", HeadCategory::Visitor),
        heads("supporter", HeadCategory::Supporter),
        heads("child", HeadCategory::Child),
        heads("other", HeadCategory::Other),
        positions(rows.iter().map(|row| row.2)),
    ])
}

fn groups(rows: &[(GroupId, ProgrammeId, Position)]) -> PolarsResult<DataFrame> {
    table(vec![
        ids("group", rows.iter().map(|row| row.0.0)),
        ids("programme", rows.iter().map(|row| row.1.0)),
        positions(rows.iter().map(|row| row.2)),
    ])
}

fn programmes(rows: &[(ProgrammeId, String, Position)]) -> PolarsResult<DataFrame> {
    table(vec![
        ids("programme", rows.iter().map(|row| row.0.0)),
        words("name", rows.iter().map(|row| Some(row.1.as_str()))),
        positions(rows.iter().map(|row| row.2)),
    ])
}

fn merges(rows: &[(MemberId, Option<MemberId>, Position)]) -> PolarsResult<DataFrame> {
    table(vec![
        ids("member", rows.iter().map(|row| row.0.0)),
        maybe_ids("into", rows.iter().map(|row| row.1.map(|into| into.0))),
        positions(rows.iter().map(|row| row.2)),
    ])
}

fn objections(rows: &[(MemberId, Ground, bool, Position)]) -> PolarsResult<DataFrame> {
    table(vec![
        ids("member", rows.iter().map(|row| row.0.0)),
        words("ground", rows.iter().map(|row| Some(row.1.into_str()))),
        BooleanChunked::from_iter_values("stands".into(), rows.iter().map(|row| row.2)).into_column(),
        positions(rows.iter().map(|row| row.3)),
    ])
}

fn table(columns: Vec<Column>) -> PolarsResult<DataFrame> {
    DataFrame::new_infer_height(columns)
}

/// Ids as their 16 bytes: a third of the text's size, and one column, which joins and counts without being packed.
fn ids(name: &str, ids: impl Iterator<Item = Uuid>) -> Column {
    BinaryChunked::from_iter_values(name.into(), ids.map(Uuid::into_bytes)).into_column()
}

fn maybe_ids(name: &str, ids: impl Iterator<Item = Option<Uuid>>) -> Column {
    BinaryChunked::from_iter_options(name.into(), ids.map(|id| id.map(Uuid::into_bytes))).into_column()
}

fn words<'a>(name: &str, words: impl Iterator<Item = Option<&'a str>>) -> Column {
    StringChunked::from_iter_options(name.into(), words).into_column()
}

fn numbers<T: PolarsNumericType>(name: &str, numbers: impl Iterator<Item = T::Native>) -> Column
where
    ChunkedArray<T>: IntoColumn,
{
    ChunkedArray::<T>::from_iter_values(name.into(), numbers).into_column()
}

fn positions(positions: impl Iterator<Item = Position>) -> Column {
    numbers::<UInt64Type>("position", positions.map(|position| position.0))
}

#[cfg(test)]
mod tests {
    use strum::IntoEnumIterator;

    use super::*;

    #[test]
    fn every_table_has_the_columns_of_its_kind() {
        let tables = Rows::default().all_tables().unwrap();
        assert_eq!(tables.len(), Kind::iter().count());
        for (kind, table) in tables {
            assert_eq!(**table.schema(), kind.schema(), "{kind:?}");
        }
    }
}
