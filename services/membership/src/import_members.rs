//! Import members.

mod carry_out;
mod plan;

use std::{collections::BTreeSet, fmt::Write};

use axum::extract::State;
use domain::{
    GroupId, MemberId, Text,
    member::{Field, Profile},
    people,
};
use eventlog::{Done, Position, Reply};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use web::{Answer, Command, Problem, Problems};

use crate::{Membership, op};

/// Most lines of one import, a count.
pub const IMPORT_LINES_MAX: usize = 500;
/// Most groups that one line enrols a member in, a count.
pub const LINE_ENROLMENTS_MAX: usize = 16;
/// Lines that wait for the disk at once, a count: their keys and events share its turns.
const LINES_AT_ONCE: usize = 256;

/// What sealing a profile counts as among the work of a batch, in bytes: after a few, others go on.
const SEALED_BYTES: usize = 16 * 1024;

/// Lines of a file of members.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MembersFile {
    /// Say what would be done, but do nothing.
    #[serde(default)]
    dry_run: bool,
    /// What to do with a line about somebody who may be here already; report if not given.
    #[serde(default)]
    duplicates: IfDuplicate,
    /// Of which file the lines are: anything that is the same when the same file is sent again, and only then, such as
    /// its digest. A line that names nobody is then the same member again. Kept nowhere as it is.
    #[serde(default)]
    file: Option<Text<128>>,
    /// At most 500.
    #[schema(max_items = 500)]
    lines: Vec<ImportLine>,
}

/// One person.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ImportLine {
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

/// What to do with a line about somebody who may be here already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum IfDuplicate {
    /// Say so, and leave the line out.
    #[default]
    Report,
    /// Register another member.
    Import,
}

/// What became of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Became {
    /// Somebody who is here, with nothing new: nothing was done.
    Matched,
    /// Somebody who is here: what is new was set, or they were enrolled.
    Changed,
    /// Somebody who was registered.
    New,
    /// Somebody who may be here already: left out.
    Duplicate,
    /// Left out.
    Rejected,
}

/// What became of a line, and of whom. Says nothing that was in it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct LineReport {
    line: u32,
    became: Became,
    /// Who it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    member: Option<MemberId>,
    /// Who it may be.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    possible_duplicates: Vec<MemberId>,
    /// Which field a rejected line was left out for.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'static str>,
    /// What is wrong with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    what: Option<String>,
}

/// What an import did, or would do; counts of lines.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub(crate) struct MembersReport {
    /// Whether nothing was done.
    dry_run: bool,
    matched: usize,
    changed: usize,
    new: usize,
    duplicate: usize,
    rejected: usize,
    /// Each line, in the order in which they were sent.
    lines: Vec<LineReport>,
}

/// Import members
///
/// Registers members, changes those who are here already (by an external id, by their own, or because all of the line
/// is known of them), and enrols them. A line is done whole or not at all; lines that cannot be done are reported and
/// never stop the rest. Sending the same lines again makes nobody twice.
#[utoipa::path(post, path = "/v1/imports/members", tag = "membership", request_body = MembersFile,
    responses((status = 200, description = "What became of each line, or would", body = MembersReport), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn import_members(
    State(membership): State<Membership>,
    mut command: Command<op::ImportMembers, MembersFile>,
) -> Result<Answer, Problem> {
    check(&command.body)?;
    let org_key = membership.vault.org_key(&command.caller.org).await?;
    if let Some((_, fingerprint)) = &mut command.cause.key {
        *fingerprint = org_key.id(&shape(&command.body)).into_bytes();
    }
    let dry_run = command.body.dry_run;
    // Of two files at once about the same people, the second one must find whom the first one brought.
    let locks = membership.imports.clone();
    let _lock = if dry_run { None } else { Some(locks.lock(&command.caller.org).await) };
    // Sent again while it is carried out, it is answered as the first time: who was new then may be erased by now.
    if let Some(done) = membership.members.replayed(&command.cause).await? {
        return Ok(Answer(done));
    }
    let lines = membership.plan(&mut command).await?;
    let planned = MembersReport::of(dry_run, lines.iter().map(plan::Line::report));
    // Before anything is done, so that nothing is if it cannot be written down who is named.
    membership.shown(&command.caller, "import_members", planned.named()).await?;
    let Command { caller, cause, .. } = command;
    if dry_run {
        let reply = Reply::json(200, &planned);
        return Ok(Answer(Done { position: Position::START, events: 0, reply, replayed: false }));
    }
    let (lines, position) = membership.carry_out(&caller, &cause, lines).await?;
    let reply = Reply::json(200, &MembersReport::of(dry_run, lines));
    // With nobody's record: one that must not be touched by now would not take the answer.
    let people = caller.within_organisation(people::stream_id(&caller.org));
    Ok(membership.people.keep(&people, &cause, reply, position).await?)
}

fn check(file: &MembersFile) -> Result<(), Problem> {
    let is = file.lines.len();
    if is > IMPORT_LINES_MAX {
        return Err(Problem::malformed(format!("body, at `lines`: has {is}, at most {IMPORT_LINES_MAX} are possible")));
    }
    let distinct: BTreeSet<_> = file.lines.iter().map(|line| line.line).collect();
    if distinct.len() < is {
        return Err(Problem::malformed("body, at `lines`: two have the same `line`"));
    }
    match file.lines.iter().find(|line| line.enrolments.len() > LINE_ENROLMENTS_MAX) {
        Some(line) => Err(Problem::malformed(format!(
            "body, at `lines`: line {} has more than {LINE_ENROLMENTS_MAX} enrolments",
            line.line
        ))),
        None => Ok(()),
    }
}

/// By what the command is recognised: what is said of whom, but not what it is. A digest of names would be a way to
/// try names, and no key that dies with one of these people could guard it. What is kept is a digest with the
/// organisation's key.
fn shape(file: &MembersFile) -> String {
    let mut shape = format!("import_members {} {:?} {:?}", file.dry_run, file.duplicates, file.file);
    for line in &file.lines {
        let fields: Vec<_> = line.profile.fields().into_iter().map(Field::as_str).collect();
        let ImportLine { line, member, enrolments, .. } = line;
        let _ = write!(shape, "\n{line} {member:?} {fields:?} {enrolments:?}"); // text takes all
    }
    shape
}

impl MembersReport {
    fn of(dry_run: bool, lines: impl IntoIterator<Item = LineReport>) -> Self {
        let mut report = Self { dry_run, ..Self::default() };
        for line in lines {
            report.add(line);
        }
        report
    }

    /// Whom it says to be here already.
    fn named(&self) -> Vec<MemberId> {
        let of = |line: &LineReport, became: &[Became]| line.member.filter(|_| became.contains(&line.became));
        let new: BTreeSet<_> = self.lines.iter().filter_map(|line| of(line, &[Became::New])).collect();
        let known = self.lines.iter().filter_map(|line| of(line, &[Became::Matched, Became::Changed]));
        let known = known.chain(self.lines.iter().flat_map(|line| &line.possible_duplicates).copied());
        known.filter(|member| !new.contains(member)).collect()
    }

    fn add(&mut self, line: LineReport) {
        *match line.became {
            Became::Matched => &mut self.matched,
            Became::Changed => &mut self.changed,
            Became::New => &mut self.new,
            Became::Duplicate => &mut self.duplicate,
            Became::Rejected => &mut self.rejected,
        } += 1;
        self.lines.push(line);
    }
}

impl LineReport {
    fn rejected(line: u32, field: &'static str, what: String) -> Self {
        let (field, what) = (Some(field), Some(what));
        Self { line, became: Became::Rejected, member: None, possible_duplicates: vec![], field, what }
    }
}
