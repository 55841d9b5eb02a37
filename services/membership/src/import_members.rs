//! Import members.

mod carry_out;
mod plan;

use axum::{extract::State, response::Response};
use domain::{
    GroupId, MemberId,
    member::{Field, Profile},
};
use eventlog::Position;
use jiff::civil::Date;
use serde::Deserialize;
use utoipa::ToSchema;
use web::{ImportCommand, ImportFile, ImportLine, ImportReport, Importer, LineReport, Problem, Problems, Run};

use crate::{Membership, op};

/// Most groups that one line enrols a member in, a count.
pub const LINE_ENROLMENTS_MAX: usize = 16;

/// What sealing a profile counts as among the work of an import, in bytes: after a few, others go on.
const SEALED_BYTES: usize = 16 * 1024;

/// One person.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MemberLine {
    /// Where in the file; no two lines have the same.
    #[schema(minimum = 0)]
    line: u32,
    /// A member who is here, or a random id for a new one.
    #[serde(default)]
    member: Option<MemberId>,
    /// What is known of them. Of somebody who is here, what is not given stays.
    #[serde(default)]
    profile: Profile,
    /// Groups to enrol them in, at most 16.
    #[serde(default)]
    #[schema(max_items = 16)]
    enrolments: Vec<LineEnrolment>,
}

/// A group and a day.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LineEnrolment {
    group: GroupId,
    /// First day on the roster; may be in the past.
    starts_on: Date,
}

/// Import members
///
/// Registers members, changes those who are here already (by an external id, by their own, or because all of the line
/// is known of them), and enrols them. The whole file is planned in its order, then done; a line is done whole or not at
/// all. Sending the same lines again makes nobody twice. An answer that takes long begins with white space and has no
/// `Kith-Position`: the same command sent again has.
#[utoipa::path(post, path = "/v1/imports/members", tag = "membership", request_body = ImportFile<MemberLine>,
    responses((status = 200, description = "What became of each line, or would", body = ImportReport), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn import_members(
    State(membership): State<Membership>,
    command: ImportCommand<op::ImportMembers, MemberLine>,
) -> Result<Response, Problem> {
    let imports = membership.imports.clone();
    imports.run(Lines(membership), command).await
}

/// How lines about members are planned and done.
#[derive(Debug, Clone)]
struct Lines(Membership);

impl ImportLine for MemberLine {
    fn number(&self) -> u32 {
        self.line
    }

    fn misfit(&self) -> Option<String> {
        (self.enrolments.len() > LINE_ENROLMENTS_MAX).then(|| format!("has more than {LINE_ENROLMENTS_MAX} enrolments"))
    }

    fn shape(&self) -> String {
        let fields: Vec<_> = self.profile.fields().into_iter().map(Field::as_str).collect();
        let Self { line, member, enrolments, .. } = self;
        format!("{line} {member:?} {fields:?} {enrolments:?}")
    }
}

impl Importer for Lines {
    type Line = MemberLine;
    type Planned = plan::Line;
    const OPERATION: &'static str = "import_members";
    const REGISTERS: bool = true;

    async fn plan(&self, run: &Run, lines: Vec<MemberLine>) -> Result<Vec<plan::Line>, Problem> {
        self.0.plan_lines(run, lines).await
    }

    async fn carry_out(&self, run: &Run, lines: &[plan::Line]) -> Result<(Vec<LineReport>, Position), Problem> {
        self.0.write_lines(run, lines).await
    }
}
