//! Import check-ins.

mod carry_out;
mod plan;

use axum::{extract::State, response::Response};
use domain::{
    GroupId, MemberId,
    instrument::{self, Given, Language},
    member::ExternalId,
};
use eventlog::Position;
use jiff::civil::{Date, date};
use serde::Deserialize;
use utoipa::ToSchema;
use web::{ImportCommand, ImportFile, ImportLine, ImportReport, Importer, LineReport, Private, Problem, Problems, Run};

use crate::{CheckIn, op};

/// First day of which check-ins are imported: what is before it is a day that a program made up, such as 1900-01-00.
const EARLIEST: Date = date(1980, 1, 1);
/// How long ago an answer may be for which a concern is raised, in days: as long as it takes to type in a month's forms.
const CONCERN_DAYS: i64 = 31;
/// What sealing answers counts as among the work of an import, in bytes: after a few, others go on.
const SEALED_BYTES: usize = 4 * 1024;

/// One time that somebody answered an instrument.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CheckInLine {
    /// Where in the file; no two lines have the same.
    #[schema(minimum = 0)]
    line: u32,
    /// Who; or:
    #[serde(default)]
    member: Option<MemberId>,
    /// Who, as another system calls them.
    #[serde(default)]
    #[schema(value_type = Option<ExternalId>)]
    external_id: Option<Private<ExternalId>>,
    /// With which instrument.
    instrument: instrument::Id,
    /// Which version of it, from 1; the one in use if it is not given.
    #[serde(default)]
    version: Option<u16>,
    /// On which day, where it was; not before 1980.
    on: Date,
    /// What was answered, item by item, or only scores, where the instrument allows it.
    #[schema(value_type = Given)]
    given: Private<Given>,
    /// In which language it was asked.
    #[serde(default)]
    language: Option<Language>,
    /// In which group, if in one.
    #[serde(default)]
    group: Option<GroupId>,
}

/// Import check-ins
///
/// Records check-ins of the past of members who are here. The whole file is planned in its order, then done. The same
/// check-in is never there twice: one person, instrument, version and day, and the same answers. Another one of that
/// person, instrument and day is a duplicate. Where an answer of the last 31 days says that somebody may be in danger, a
/// concern is raised; of older ones the answer says so in a remark. An answer that takes long begins with white space and
/// has no `Kith-Position`: the same command sent again has.
#[utoipa::path(post, path = "/v1/imports/check-ins", tag = "check-ins", request_body = ImportFile<CheckInLine>,
    responses((status = 200, description = "What became of each line, or would", body = ImportReport), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn import_check_ins(
    State(check_in): State<CheckIn>,
    command: ImportCommand<op::ImportCheckIns, CheckInLine>,
) -> Result<Response, Problem> {
    let imports = check_in.imports.clone();
    imports.run(Lines(check_in), command).await
}

/// How lines about check-ins are planned and done.
#[derive(Debug, Clone)]
struct Lines(CheckIn);

impl ImportLine for CheckInLine {
    fn number(&self) -> u32 {
        self.line
    }

    fn misfit(&self) -> Option<String> {
        let nobody = self.member.is_none() && self.external_id.is_none();
        nobody.then(|| "names neither `member` nor `external_id`".into())
    }

    fn shape(&self) -> String {
        let items: Vec<_> = match self.given.in_clear() {
            Given::Answers(answers) => answers.keys().collect(),
            Given::Stated(scores) => scores.keys().collect(),
        };
        let Self { line, member, external_id, instrument, version, on, language, group, .. } = self;
        let by_id = external_id.is_some();
        format!("{line} {member:?} {by_id} {instrument} {version:?} {on} {language:?} {group:?} {items:?}")
    }
}

impl Importer for Lines {
    type Line = CheckInLine;
    type Planned = plan::Line;
    const OPERATION: &'static str = "import_check_ins";
    const REGISTERS: bool = false;

    async fn plan(&self, run: &Run, lines: Vec<CheckInLine>) -> Result<Vec<plan::Line>, Problem> {
        self.0.plan_lines(run, lines).await
    }

    async fn carry_out(&self, run: &Run, lines: &[plan::Line]) -> Result<(Vec<LineReport>, Position), Problem> {
        self.0.record_lines(run, lines).await
    }
}
