//! Who came to which meetings: people by dates, for some groups over some days; read of registers and of enrolments.
//!
//! A rate says of what it is one: of the held meetings while somebody had a place, or of those of them for which something
//! was recorded. Who has no mark is not recorded, and never absent.

mod read;

use domain::{
    GroupId, MeetingId, MemberId,
    meeting::{AttendanceMode, Mark, Status},
};
use jiff::civil::DateTime;
use serde::Serialize;
use utoipa::ToSchema;

pub(crate) use read::{Asked, NoTable, read};

/// Most groups in one table, a count.
pub(crate) const GROUPS_MAX: usize = 20;
/// Most days of one table, a count: a year, and some more.
pub(crate) const DAYS_MAX: i32 = 400;
/// Most meetings in one table, a count.
pub(crate) const MEETINGS_MAX: usize = 1_000;
/// Most people in one table, a count.
pub(crate) const PEOPLE_MAX: usize = 4_000;
/// Most cells of one table, a count: people times meetings.
pub(crate) const CELLS_MAX: usize = 400_000;

/// Attendance as a table.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct AttendanceTable {
    /// In the order in which they were asked for.
    pub groups: Vec<TableGroup>,
    /// Held meetings, and those whose register is open, by when they began.
    pub meetings: Vec<TableMeeting>,
    /// Who had a place in one of the groups on one of the days, or was marked; by what they are called.
    pub people: Vec<TablePerson>,
}

/// A group of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct TableGroup {
    pub group: GroupId,
    pub name: String,
}

/// A meeting of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct TableMeeting {
    pub meeting: MeetingId,
    pub group: GroupId,
    /// Where the group meets.
    #[schema(value_type = String, format = "local-date-time")]
    pub starts_at_local: DateTime,
    /// Held, or open: what is recorded at an open one counts in no rate yet.
    pub status: Status,
    /// People who had a place that day; unit: person.
    pub enrolled: u32,
    /// How many of them have a mark.
    pub recorded: u32,
    /// How many of them came, on time or late.
    pub came: u32,
    /// People who came without a place that day.
    pub walk_ins: u32,
    /// How many marks are of people who were erased since: they count, and are nobody's any more.
    pub erased: u32,
}

/// A person of a table, under the record under which they go on.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct TablePerson {
    pub member: MemberId,
    /// What they are called, of those who may see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub called: Option<String>,
    /// Whether what is known of them cannot be read: it was damaged, or their key is missing.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unreadable: bool,
    /// One for each of the `meetings`, in their order; null where they had no place and no mark.
    pub cells: Vec<Option<Cell>>,
    #[serde(flatten)]
    pub counts: Counts,
}

/// What a person was at a meeting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = AttendanceCell)]
pub(crate) struct Cell {
    /// Missing if it is not recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mark: Option<Mark>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<AttendanceMode>,
    /// Was marked without having a place that day, as the enrolments say now.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub walk_in: bool,
}

/// How somebody came to held meetings; unit: meeting.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, ToSchema)]
pub(crate) struct Counts {
    /// Held while they had a place.
    pub held: u32,
    /// Of these, the ones with a mark.
    pub recorded: u32,
    /// Of these, the ones to which they came, on time or late.
    pub came: u32,
    /// Of these, the ones to which they came late.
    pub late: u32,
    /// Of these, the ones for which they were excused.
    pub excused: u32,
    /// Held ones to which they came without a place.
    pub walk_ins: u32,
    /// `came` of `held`, 0 to 1; none if none was held.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of_held: Option<f64>,
    /// `came` of `recorded`, 0 to 1; none if nothing was recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of_recorded: Option<f64>,
}

fn came(mark: Mark) -> bool {
    matches!(mark, Mark::Present | Mark::Late)
}

impl Counts {
    /// Of the cells of the meetings that were held.
    fn of(held: impl Iterator<Item = Cell>) -> Self {
        let mut counts = Self::default();
        for cell in held {
            match (cell.walk_in, cell.mark) {
                (true, mark) => counts.walk_ins += u32::from(mark.is_some_and(came)),
                (false, None) => counts.held += 1,
                (false, Some(mark)) => {
                    counts.held += 1;
                    counts.recorded += 1;
                    counts.came += u32::from(came(mark));
                    counts.late += u32::from(mark == Mark::Late);
                    counts.excused += u32::from(mark == Mark::Excused);
                }
            }
        }
        let of = |all: u32| (all > 0).then(|| f64::from(counts.came) / f64::from(all));
        Self { of_held: of(counts.held), of_recorded: of(counts.recorded), ..counts }
    }
}

impl TableMeeting {
    fn counts(&mut self, cells: impl Iterator<Item = Cell>) {
        for cell in cells {
            let is_here = cell.mark.is_some_and(came);
            if cell.walk_in {
                self.walk_ins += u32::from(is_here);
            } else {
                self.enrolled += 1;
                self.recorded += u32::from(cell.mark.is_some());
                self.came += u32::from(is_here);
            }
        }
    }
}
