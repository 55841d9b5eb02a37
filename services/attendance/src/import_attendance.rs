//! Import attendance of the past.

mod carry_out;
mod days;
mod plan;

use axum::{extract::State, response::Response};
use domain::{
    GroupId, MemberId,
    meeting::{AttendanceMode, Mark},
    member::{ExternalId, Profile},
};
use eventlog::Position;
use jiff::civil::{Date, date};
use serde::Deserialize;
use utoipa::ToSchema;
use web::{ImportCommand, ImportFile, ImportLine, ImportReport, Importer, LineReport, Private, Problem, Problems, Run};

use crate::{Attendance, op};

/// First day of which attendance is imported: what is before it is a day that a program made up, such as 1900-01-00.
const EARLIEST: Date = date(1980, 1, 1);

/// Whether somebody came to a group's meeting on a day.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AttendanceLine {
    /// Where in the file; no two lines have the same.
    #[schema(minimum = 0)]
    line: u32,
    /// Who; or:
    #[serde(default)]
    member: Option<MemberId>,
    /// Who, as another system calls them; or:
    #[serde(default)]
    #[schema(value_type = Option<ExternalId>)]
    external_id: Option<Private<ExternalId>>,
    /// Who, by `email` or `phone`, as in a profile.
    #[serde(default)]
    #[schema(value_type = Option<Profile>)]
    contact: Option<Private<Profile>>,
    /// Which group met.
    group: GroupId,
    /// On which day, where it met; not before 1980.
    on: Date,
    /// Whether they came.
    mark: Mark,
    /// How they took part, if they came; in the usual way if it is not given.
    #[serde(default)]
    mode: Option<AttendanceMode>,
    /// Whether they are recorded as a walk-in, if they had no place that day; else the line is left out.
    #[serde(default)]
    walk_in: bool,
    /// Whether the meeting is recorded although the calendar has none that day, at the calendar's time; else the line is
    /// left out.
    #[serde(default)]
    extra_meeting: bool,
}

/// Import attendance
///
/// Records who came to meetings of the past, for members who are here. The whole file is planned in its order, then done:
/// each meeting at once, planned by the group's calendar if it never was, opened, filled in and closed. Where the register
/// is closed already, marks that it lacks are corrections. The same mark again changes nothing; another one that stands is
/// a duplicate, left out unless asked for. An answer that takes long begins with white space and has no `Kith-Position`:
/// the same command sent again has.
#[utoipa::path(post, path = "/v1/imports/attendance", tag = "attendance", request_body = ImportFile<AttendanceLine>,
    responses((status = 200, description = "What became of each line, or would", body = ImportReport), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn import_attendance(
    State(attendance): State<Attendance>,
    command: ImportCommand<op::ImportAttendance, AttendanceLine>,
) -> Result<Response, Problem> {
    let imports = attendance.imports.clone();
    imports.run(Lines(attendance), command).await
}

/// How lines about attendance are planned and done.
#[derive(Debug, Clone)]
struct Lines(Attendance);

impl ImportLine for AttendanceLine {
    fn number(&self) -> u32 {
        self.line
    }

    fn misfit(&self) -> Option<String> {
        let nobody = self.member.is_none() && self.external_id.is_none() && self.contact.is_none();
        nobody.then(|| "names neither `member` nor `external_id` nor `contact`".into())
    }

    fn shape(&self) -> String {
        let Self { line, member, external_id, contact, group, on, mark, mode, walk_in, extra_meeting } = self;
        let by = (external_id.is_some(), contact.is_some());
        format!("{line} {member:?} {by:?} {group} {on} {mark:?} {mode:?} {walk_in} {extra_meeting}")
    }
}

impl Importer for Lines {
    type Line = AttendanceLine;
    type Planned = plan::Line;
    const OPERATION: &'static str = "import_attendance";
    const REGISTERS: bool = false;

    async fn plan(&self, run: &Run, lines: Vec<AttendanceLine>) -> Result<Vec<plan::Line>, Problem> {
        self.0.plan_lines(run, lines).await
    }

    async fn carry_out(&self, run: &Run, lines: &[plan::Line]) -> Result<(Vec<LineReport>, Position), Problem> {
        self.0.record_lines(run, lines).await
    }
}
