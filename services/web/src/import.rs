//! An import: a file of lines about people. It is planned as a whole, in its order, and then done as it was planned; a dry
//! run ends after the plan. What differs from one kind of file to the next is an [`Importer`].
//!
//! **Invariant:** what is kept of an import, and the digest by which it is recognised, say nothing of a person.

mod answer;
mod report;

use std::{
    collections::BTreeSet,
    future::Future,
    marker::PhantomData,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    extract::{FromRef, FromRequest, FromRequestParts, Request},
    http::header::CONTENT_LENGTH,
    response::Response,
};
use domain::{
    MemberId, OrgId, Text,
    people::{self, People},
};
use eventlog::{Cause, Done, Position, Reply};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error, SeqAccess, Visitor},
};
use utoipa::ToSchema;
use vault::Key;

pub use self::report::{Became, ImportReport, LineReport};
use crate::{
    Answer, Audit, Authenticator, Caller, CallerMay, Guarded, Opening, Problem,
    authority::Operation,
    command::{self, BODY_BYTES_MAX},
    import_turns::Turn,
};

/// Most lines of one import, a count.
pub const IMPORT_LINES_MAX: usize = 50_000;
/// Longest body of an import, in bytes.
pub const IMPORT_BYTES_MAX: usize = 32 << 20;
/// Lines that are planned, or wait for the disk, at once; a count: their keys and events share its turns.
pub const IMPORT_LINES_AT_ONCE: usize = 256;
/// Lines that are carried out before the next are begun, a count: each roster that they name is written once.
const CARRIED_OUT_LINES: usize = 2 * IMPORT_LINES_AT_ONCE;

/// A file, line by line.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportFile<L> {
    /// Say what would be done, but do nothing.
    #[serde(default)]
    pub dry_run: bool,
    /// What to do if a line cannot be done; skip if not given.
    #[serde(default)]
    pub on_error: OnError,
    /// What to do with a line about something that may be here already; report if not given.
    #[serde(default)]
    pub duplicates: IfDuplicate,
    /// Of which file the lines are: anything that is the same when the same file is sent again, and only then, such as
    /// its digest. A line that names nobody is then the same member again. Kept nowhere as it is.
    #[serde(default)]
    pub file: Option<Text<128>>,
    /// At most 50,000, all with numbers of their own.
    #[serde(deserialize_with = "at_most", bound(deserialize = "L: Deserialize<'de>"))]
    #[schema(max_items = 50_000)]
    pub lines: Vec<L>,
}

/// What to do if a line cannot be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnError {
    /// Leave it out.
    #[default]
    Skip,
    /// Do nothing of the whole file.
    Stop,
}

/// What to do with a line about something that may be here already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum IfDuplicate {
    /// Say so, and leave the line out.
    #[default]
    Report,
    /// Take it as another one.
    Import,
}

/// No list is read further than it may be long: short lines take far more room in memory than in the body.
fn at_most<'de, L: Deserialize<'de>, D: Deserializer<'de>>(lines: D) -> Result<Vec<L>, D::Error> {
    struct AtMost<L>(PhantomData<L>);

    impl<'de, L: Deserialize<'de>> Visitor<'de> for AtMost<L> {
        type Value = Vec<L>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a list")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut lines: A) -> Result<Vec<L>, A::Error> {
            let mut all = Vec::new();
            while let Some(line) = lines.next_element()? {
                if all.len() == IMPORT_LINES_MAX {
                    return Err(A::Error::custom(format!("must have at most {IMPORT_LINES_MAX} lines")));
                }
                all.push(line);
            }
            Ok(all)
        }
    }

    lines.deserialize_seq(AtMost(PhantomData))
}

/// A line, whatever it is about.
pub trait ImportLine: DeserializeOwned + Send + 'static {
    /// Where in the file; no two lines have the same.
    fn number(&self) -> u32;

    /// What is wrong with its form, if something is.
    fn misfit(&self) -> Option<String>;

    /// By what it is recognised: what is said of whom, but not what that is. A digest of names or answers would be a way
    /// to try them, and no key that dies with one of these people could guard it.
    fn shape(&self) -> String;
}

/// A line, and what is to be done with it.
pub trait Planned: Send + Sync + 'static {
    /// What is to be said of it if all goes as planned.
    fn report(&self) -> LineReport;
}

/// How the lines of one kind of file are planned and done.
pub trait Importer: Clone + Send + Sync + 'static {
    /// A line as it is sent.
    type Line: ImportLine;
    /// A line as it was planned.
    type Planned: Planned;
    /// The operation's id.
    const OPERATION: &'static str;
    /// Whether a new line is about somebody who is registered by it.
    const REGISTERS: bool;

    /// What is to be done with each line, in their order. Nothing is done.
    fn plan(
        &self,
        run: &Run,
        lines: Vec<Self::Line>,
    ) -> impl Future<Output = Result<Vec<Self::Planned>, Problem>> + Send;

    /// Does some lines that follow one another; answers what became of each, and up to where to read to see it. Where
    /// somebody else wrote between the plan and now, what became of a line is not what was planned.
    fn carry_out(
        &self,
        run: &Run,
        lines: &[Self::Planned],
    ) -> impl Future<Output = Result<(Vec<LineReport>, Position), Problem>> + Send;
}

/// For whom something is imported, and how.
#[derive(Debug)]
pub struct Run {
    /// Who asks.
    pub caller: Caller,
    /// What happens is caused by it. The receipt is the whole import's.
    pub cause: Cause,
    /// What to do with what may be here already.
    pub duplicates: IfDuplicate,
    /// Of which file the lines are.
    pub file: Option<Text<128>>,
    /// The organisation's key.
    pub org_key: Key,
    /// How far it is.
    pub progress: Progress,
}

impl Run {
    /// Whose members it is about.
    pub fn org(&self) -> &OrgId {
        &self.caller.org
    }
}

/// How many lines were planned or done. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Progress(Arc<AtomicUsize>);

impl Progress {
    /// So many more.
    pub fn step(&self, lines: usize) {
        self.0.fetch_add(lines, Ordering::Relaxed);
    }

    fn lines(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// An import by someone who may do `Op`, in its turn. Its body is not read before that.
#[derive(Debug)]
pub struct ImportCommand<Op, L> {
    caller: Caller,
    cause: Cause,
    file: ImportFile<L>,
    turn: Turn,
    authenticator: Authenticator,
    op: PhantomData<Op>,
}

impl<S, Op: Operation, L: ImportLine> FromRequest<S> for ImportCommand<Op, L>
where
    S: Send + Sync,
    Authenticator: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let CallerMay { caller, .. } = CallerMay::<Op>::from_request_parts(&mut parts, state).await?;
        let (key, authenticator) = (command::idempotency_key(&parts)?.to_owned(), Authenticator::from_ref(state));
        authenticator.rooms.command(&Op::MAY).await?;
        let length = parts.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        let turn =
            authenticator.import_turns.turn(&caller.org, length.is_none_or(|is: usize| is > BODY_BYTES_MAX)).await?;
        let body = command::read_body(&parts, body, IMPORT_BYTES_MAX, Some("application/json")).await?;
        let cause = command::cause(&parts, &caller, &key, &body, &authenticator).await?;
        let file = command::parse_of(&caller, body, &authenticator).await?;
        check(&file)?;
        Ok(Self { caller, cause, file, turn, authenticator, op: PhantomData })
    }
}

fn check<L: ImportLine>(file: &ImportFile<L>) -> Result<(), Problem> {
    let distinct: BTreeSet<_> = file.lines.iter().map(L::number).collect();
    if distinct.len() < file.lines.len() {
        return Err(Problem::malformed("body, at `lines`: two have the same `line`"));
    }
    let misfit = file.lines.iter().find_map(|line| Some((line.number(), line.misfit()?)));
    match misfit {
        Some((line, what)) => Err(Problem::malformed(format!("body, at `lines`: line {line} {what}"))),
        None => Ok(()),
    }
}

/// What imports of all kinds need.
#[derive(Debug, Clone)]
pub struct Imports {
    /// Where it is written down whom an answer names.
    pub audit: Audit,
    /// Where answers are kept: with nobody's record. One that must not be touched by now would not take the answer.
    pub people: Guarded<People>,
    /// Whose organisations' keys make digests and ids.
    pub vault: vault::Vault,
}

impl Imports {
    /// Plans an import, and does it. What was begun goes on to its end, also if the caller stops waiting.
    ///
    /// # Errors
    /// If it cannot be planned or done, as long as no answer was begun.
    pub async fn run<I: Importer, Op: Operation>(
        &self,
        importer: I,
        command: ImportCommand<Op, I::Line>,
    ) -> Result<Response, Problem> {
        let (imports, progress) = (self.clone(), Progress::default());
        let seen = progress.clone();
        answer::when_done(async move { imports.done(importer, command, progress).await }, seen).await
    }

    async fn done<I: Importer, Op: Operation>(
        self,
        importer: I,
        command: ImportCommand<Op, I::Line>,
        progress: Progress,
    ) -> Result<Answer, Problem> {
        let ImportCommand { caller, mut cause, file, turn: _turn, authenticator, .. } = command;
        let org_key = self.vault.org_key(&caller.org).await?;
        let (key, is_long) = (org_key.clone(), file.lines.len() > IMPORT_LINES_AT_ONCE);
        let digest = move || (key.id(&shape(&file, I::OPERATION)).into_bytes(), file);
        let (fingerprint, file) = authenticator.compute.run_if(is_long, caller.asking(), digest).await?;
        if let Some((_, known_by)) = &mut cause.key {
            *known_by = fingerprint;
        }
        // Sent again while it is carried out, it is answered as the first time: who was new then may be erased by now.
        if let Some(done) = self.people.replayed(&cause).await? {
            return Ok(Answer(done));
        }
        let ImportFile { dry_run, on_error, duplicates, file, lines } = file;
        let run = Run { cause: cause.part(), caller, duplicates, file, org_key, progress };
        let planned = importer.plan(&run, lines).await?;
        let report = ImportReport::of(planned.iter().map(Planned::report));
        // Before anything is done, so that nothing is if it cannot be written down who is named.
        let named = Opening::naming(I::OPERATION, report.named(I::REGISTERS));
        self.audit.opened(&run.caller, named).await?;
        let stopped = !dry_run && on_error == OnError::Stop && report.lacks_something();
        let (report, reached) = if dry_run || stopped {
            (ImportReport { dry_run, stopped, ..report }, Position::START)
        } else {
            carry_out(&importer, &run, &planned).await?
        };
        let write = move || (Reply::json(200, &report), Reply::json(200, &report.kept()));
        let (reply, kept) = authenticator.compute.run_if(is_long, run.caller.asking(), write).await?;
        if dry_run || stopped {
            return Ok(Answer(Done { position: reached, events: 0, reply, replayed: false }));
        }
        let people = run.caller.within_organisation(people::stream_id(run.org()));
        let Answer(done) = self.people.keep(&people, &cause, kept, reached).await?;
        Ok(Answer(if done.replayed { done } else { Done { reply, ..done } }))
    }
}

/// Does what was planned, some lines after the other; answers up to where to read to see it.
async fn carry_out<I: Importer>(
    importer: &I,
    run: &Run,
    planned: &[I::Planned],
) -> Result<(ImportReport, Position), Problem> {
    let (mut became, mut reached) = (Vec::with_capacity(planned.len()), Position::START);
    for some in planned.chunks(CARRIED_OUT_LINES) {
        let (reports, position) = importer.carry_out(run, some).await?;
        became.extend(reports);
        reached = reached.max(position);
    }
    Ok((ImportReport::of(became), reached))
}

/// By what the import is recognised; what is kept is a digest with the organisation's key.
fn shape<L: ImportLine>(file: &ImportFile<L>, operation: &str) -> String {
    let ImportFile { dry_run, on_error, duplicates, file, lines } = file;
    let mut shape = format!("{operation} {dry_run} {on_error:?} {duplicates:?} {file:?}");
    for line in lines {
        shape.push('\n');
        shape.push_str(&line.shape());
    }
    shape
}

/// Members of reports; each once.
fn distinct(members: impl Iterator<Item = MemberId>) -> Vec<MemberId> {
    members.collect::<BTreeSet<_>>().into_iter().collect()
}
