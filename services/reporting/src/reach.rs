//! Reach: how many people an organisation's meetings reached, and how sure that is.
//!
//! **Who counts.** A member with a present or late mark at a meeting that was held, once per cell of the report however
//! often they came. A member who is not recorded is not absent; an absent or excused one was not reached. A cell's
//! people are counted afresh from the marks: cells share people, so their sum means nothing.
//!
//! **As whom.** Records that were merged are one person, who is at a meeting once. Who objects to statistics, or whose
//! record is restricted, is one of the anonymous heads: their seat was taken, and nothing else of them is used.
//!
//! **The bounds.** Anonymous heads are people too, but which ones is not known. The upper bound takes each head for a
//! new person: people + all heads. The lower bound must hold without any assumption. Those at one meeting are distinct
//! people, named or not, so there were at least `named + heads` of the fullest meeting; and at least as many as have a
//! name. Hence max(people, max over meetings of (named + heads)). The usual `people + most heads at one meeting`
//! takes for granted that no head at one meeting is a named member of another, which is
//! just what somebody does who comes once without giving a name and then enrols. No higher bound can be had from one
//! meeting at a time: its heads may be the very members who have no mark there.
//!
//! **Where a meeting belongs.** To the month of its local start, in its own mode, and to the programme that its group
//! belonged to when it was recorded as held: a group that moves takes none of its past along, and a report on the past
//! stays as it was.

use std::collections::HashMap;

use domain::{OrgId, ProgrammeId, group::MeetingMode};
use eventlog::Position;
use polars::prelude::*;
use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    facts::{Cause, Facts, FactsError, Kind, Snapshot},
    month::{Month, Period},
    persons::Persons,
};

/// By what the cells of a report differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[derive(Display, EnumString, IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case", parse_err_ty = UnknownDimension, parse_err_fn = unknown)]
pub enum Dimension {
    /// Month of the meeting's local start.
    Month,
    /// Programme that the group belonged to when the meeting was recorded as held.
    Programme,
    /// How the meeting was held.
    Mode,
}

/// Not a [`Dimension`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be month, programme or mode, or several of them")]
pub struct UnknownDimension(String);

impl Dimension {
    /// As asked for and shown; the name of its column.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

fn unknown(dimension: &str) -> UnknownDimension {
    UnknownDimension(dimension.chars().take(40).collect())
}

/// One cell of a report. Of month, programme and mode it has those that were asked for; a programme is also missing
/// if the group had none when the meeting was held.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReachRow {
    /// Month of the meetings' local start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub month: Option<Month>,
    /// Programme.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub programme: Option<ProgrammeId>,
    /// The programme's name today.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub programme_name: Option<String>,
    /// How the meetings were held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<MeetingMode>,
    /// Different members who came, in persons. Not to be added up.
    pub people: u64,
    /// Times a member came, in attendances.
    pub attendances: u64,
    /// Of these in the room.
    pub attendances_in_person: u64,
    /// Of these by video.
    pub attendances_video: u64,
    /// Of these by phone.
    pub attendances_phone: u64,
    /// Meetings held, in meetings.
    pub meetings_held: u64,
    /// People counted without a name, and members who object to statistics, in anonymous heads: one person may be
    /// counted at several meetings.
    pub anonymous_heads: u64,
    /// Fewest different people there can have been, in persons. Not to be added up.
    pub reach_lower: u64,
    /// Most different people there can have been, in persons. Not to be added up.
    pub reach_upper: u64,
}

/// Reach at one position in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// Everything up to here is counted, and nothing after.
    pub position: Position,
    /// Cells with at least one held meeting, by month, name of the programme, mode; just one, maybe of zeros, if the
    /// total was asked for.
    pub rows: Vec<ReachRow>,
}

impl Facts {
    /// Reach of `org` in `period`, a row per combination of the dimensions `by`; without any, the total. Blocks on the
    /// disk and the processor.
    ///
    /// # Errors
    /// If the facts cannot be read.
    pub fn reach(&self, org: &OrgId, period: Period, by: &[Dimension]) -> Result<Reach, FactsError> {
        self.read(|facts| Ok(Reach { position: facts.manifest.position, rows: rows(facts, org, period, by)? }))
    }
}

fn rows(facts: &Snapshot, org: &OrgId, period: Period, by: &[Dimension]) -> Result<Vec<ReachRow>, Cause> {
    // Each is asked for twice below, and polars would compute it twice.
    let meetings = held(facts, org, period)?.collect()?;
    let marks = attended(facts, org, &meetings)?.collect()?;
    let cells = cells(&marks, per_meeting(facts, org, &meetings, &marks)?, by);
    let mut rows = read_rows(&cells.collect()?, by)?;
    if by.contains(&Dimension::Programme) {
        name_programmes(facts, org, &mut rows)?;
    }
    rows.sort_by(|a, b| order(a).cmp(&order(b)));
    if by.is_empty() && rows.is_empty() {
        rows.push(ReachRow::default());
    }
    Ok(rows)
}

fn order(row: &ReachRow) -> impl Ord + use<'_> {
    (row.month, row.programme_name.as_deref(), row.programme, row.mode)
}

/// Meetings held in the period: `meeting`, `month`, `programme`, `mode`.
pub(crate) fn held(facts: &Snapshot, org: &OrgId, period: Period) -> Result<LazyFrame, Cause> {
    let within = col("month").gt_eq(lit(period.from().code())).and(col("month").lt_eq(lit(period.through().code())));
    let plans = facts.current(org, Kind::Plans)?.filter(within);
    let held = facts.current(org, Kind::Statuses)?.filter(col("status").eq(lit("held")));
    let meetings = plans.select([col("meeting"), col("group"), col("month"), col("mode")]).inner_join(
        held.select([col("meeting"), col("position").alias("held_at")]),
        col("meeting"),
        col("meeting"),
    );
    let then = programmes_then(facts, org, meetings.clone(), ("meeting", "held_at"))?;
    Ok(meetings.left_join(then, col("meeting"), col("meeting")).select([
        col("meeting"),
        col("month"),
        col("programme"),
        col("mode"),
    ]))
}

/// The programme that the group of each row belonged to at a position in the log. `rows` has a column `group`, one that
/// says what the row is about and one with the position; the answer has the former and `programme`.
pub(crate) fn programmes_then(
    facts: &Snapshot,
    org: &OrgId,
    rows: LazyFrame,
    (key, at): (&str, &str),
) -> Result<LazyFrame, Cause> {
    let groups =
        facts.scan(org, Kind::Groups)?.select([col("group"), col("programme"), col("position").alias("since")]);
    Ok(rows
        .select([col(key), col("group"), col(at)])
        .inner_join(groups, col("group"), col("group"))
        .filter(col("since").lt_eq(col(at)))
        .sort(["since"], SortMultipleOptions::default())
        .unique_stable(Some(cols([key])), UniqueKeepStrategy::Last)
        .select([col(key), col("programme")]))
}

/// The present and late marks at these meetings, one for each person: the meetings' columns, `person`, whether they are
/// `counted` as one, `participation`.
fn attended(facts: &Snapshot, org: &OrgId, meetings: &DataFrame) -> Result<LazyFrame, Cause> {
    let marks = facts.scan(org, Kind::Attendances)?;
    let at_these = marks
        .select([col("meeting"), col("member"), col("mark"), col("participation")])
        .join_builder()
        .with(meetings.clone().lazy())
        .on([col("meeting")])
        .how(JoinType::Inner)
        // The order of the log says which mark holds.
        .maintain_order(MaintainOrderJoin::Left)
        .finish();
    let came = col("mark").eq(lit("present")).or(col("mark").eq(lit("late")));
    let marks = Kind::Attendances.current(at_these).filter(came);
    let of_people = marks
        .join_builder()
        .with(Persons::of(facts, org)?.table()?.lazy())
        .on([col("member")])
        .how(JoinType::Left)
        .maintain_order(MaintainOrderJoin::Left)
        .finish()
        .with_columns([col("person").fill_null(col("member")), col("counted").fill_null(lit(true))]);
    Ok(of_people.unique_stable(Some(cols(["meeting", "person"])), UniqueKeepStrategy::Last))
}

/// The meetings' columns, and of each `heads` and `there`: how many people it had, named or not.
fn per_meeting(facts: &Snapshot, org: &OrgId, meetings: &DataFrame, marks: &DataFrame) -> Result<LazyFrame, Cause> {
    let named = marks.clone().lazy().group_by([col("meeting")]).agg([
        col("counted").sum().cast(DataType::UInt64).alias("named"),
        col("counted").not().sum().cast(DataType::UInt64).alias("uncounted"),
    ]);
    let categories = ["visitor", "supporter", "child", "other"].into_iter().map(col);
    let heads = categories.fold(col("newcomer"), |sum, category| sum + category).cast(DataType::UInt64).alias("heads");
    let heads = facts.current(org, Kind::Headcounts)?.select([col("meeting"), heads]);
    let or_none = |name| col(name).fill_null(lit(0_u64));
    Ok(meetings
        .clone()
        .lazy()
        .left_join(named, col("meeting"), col("meeting"))
        .left_join(heads, col("meeting"), col("meeting"))
        .with_columns([(or_none("heads") + or_none("uncounted")).alias("heads")])
        .with_columns([(col("heads") + or_none("named")).alias("there")]))
}

/// A row per combination of the dimensions, with the columns that [`read_rows`] reads.
fn cells(marks: &DataFrame, meetings: LazyFrame, by: &[Dimension]) -> LazyFrame {
    // Without a dimension everything is in one cell, named by a constant.
    let one = lit(0_i32).alias("total");
    let key: Vec<Expr> = if by.is_empty() { vec![col("total")] } else { by.iter().map(|d| col(d.as_str())).collect() };
    let took_part = |how: &'static str| col("participation").eq(lit(how)).sum().alias(how);
    let named = marks.clone().lazy().filter(col("counted")).with_column(one.clone()).group_by(&key).agg([
        col("person").n_unique().alias("people"),
        len().alias("attendances"),
        took_part("in_person"),
        took_part("video"),
        took_part("phone"),
    ]);
    let all = meetings.with_column(one).group_by(&key).agg([
        len().alias("meetings_held"),
        col("heads").sum(),
        col("there").max(),
    ]);
    all.join_builder().with(named).on(&key).how(JoinType::Left).join_nulls(true).finish()
}

fn read_rows(cells: &DataFrame, by: &[Dimension]) -> Result<Vec<ReachRow>, Cause> {
    let mut rows = vec![ReachRow::default(); cells.height()];
    let mut set = |name: &str, set: fn(&mut ReachRow, u64)| -> Result<(), Cause> {
        let numbers = cells.column(name)?.cast(&DataType::UInt64)?;
        rows.iter_mut().zip(numbers.u64()?.iter()).for_each(|(row, number)| set(row, number.unwrap_or(0)));
        Ok(())
    };
    set("people", |row, n| row.people = n)?;
    set("attendances", |row, n| row.attendances = n)?;
    set("in_person", |row, n| row.attendances_in_person = n)?;
    set("video", |row, n| row.attendances_video = n)?;
    set("phone", |row, n| row.attendances_phone = n)?;
    set("meetings_held", |row, n| row.meetings_held = n)?;
    set("heads", |row, n| row.anonymous_heads = n)?;
    set("there", |row, n| row.reach_lower = n)?;
    for row in &mut rows {
        row.reach_lower = row.reach_lower.max(row.people);
        row.reach_upper = row.people + row.anonymous_heads;
    }
    for dimension in by {
        read_dimension(cells, *dimension, &mut rows)?;
    }
    Ok(rows)
}

fn read_dimension(cells: &DataFrame, dimension: Dimension, rows: &mut [ReachRow]) -> Result<(), Cause> {
    let column = cells.column(dimension.as_str())?;
    match dimension {
        Dimension::Month => {
            rows.iter_mut().zip(column.i32()?.iter()).for_each(|(row, code)| row.month = code.map(Month::from_code));
        }
        Dimension::Programme => {
            for (row, id) in rows.iter_mut().zip(column.binary()?.iter()) {
                row.programme = id.map(Uuid::from_slice).transpose()?.map(ProgrammeId);
            }
        }
        Dimension::Mode => {
            rows.iter_mut()
                .zip(column.str()?.iter())
                .for_each(|(row, mode)| row.mode = mode.and_then(|mode| mode.parse().ok()));
        }
    }
    Ok(())
}

fn name_programmes(facts: &Snapshot, org: &OrgId, rows: &mut [ReachRow]) -> Result<(), Cause> {
    let names = programme_names(facts, org)?;
    for row in rows.iter_mut() {
        row.programme_name = row.programme.and_then(|programme| names.get(&programme).cloned());
    }
    Ok(())
}

/// The names of the programmes today.
pub(crate) fn programme_names(facts: &Snapshot, org: &OrgId) -> Result<HashMap<ProgrammeId, String>, Cause> {
    let programmes = facts.current(org, Kind::Programmes)?.collect()?;
    let ids = programmes.column("programme")?.binary()?;
    let names = programmes.column("name")?.str()?;
    let programmes = ids.iter().zip(names.iter()).filter_map(|(id, name)| id.zip(name));
    programmes.map(|(id, name)| Ok((ProgrammeId(Uuid::from_slice(id)?), name.to_owned()))).collect()
}

#[cfg(test)]
mod tests;
