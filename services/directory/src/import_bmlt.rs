//! Import a BMLT listing.

use axum::extract::State;
use domain::{
    Decider, OrgId, Text,
    group::{self, Focus, Group},
    programme::{self, Programme},
};
use eventlog::{Cause, Done, Position, Reply, TransactError};
use futures::{Stream, StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use web::{Answer, Caller, Guarded, LargeCommand, Permitted, Problem, Problems, Query, scrubbed};

use crate::{
    Directory, WRITES_AT_ONCE,
    bmlt::{self, LISTING_BYTES_MAX, Listing, ListingError, Origin, Remark},
    op,
};

/// Most remarks in a report, a count; a listing that is wrong throughout says so in the first ones.
pub const REMARKS_MAX: usize = 1_000;
/// Name of the server if there is only one.
const SOURCE_DEFAULT: &str = "bmlt";

/// How to read the listing.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct ImportQuery {
    /// Say what would be done, but do nothing.
    #[serde(default)]
    dry_run: bool,
    /// IANA time zone of meetings that do not name theirs.
    #[param(example = "America/New_York")]
    time_zone: String,
    /// Short name of the server (a-z, 0-9, `-`, `.`), `bmlt` if it is not given. Ids of meetings are taken to be its
    /// own, so two servers need two names.
    #[serde(default)]
    source: Option<String>,
    /// What the groups are about, `addiction` if it is not given.
    #[serde(default)]
    #[param(inline)]
    focus: Option<Focus>,
}

/// What an import did to things of one kind, each a count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, ToSchema)]
pub struct Imported {
    /// Not here before.
    pub created: usize,
    /// Listed otherwise than they were here.
    pub changed: usize,
    /// Listed as they were here.
    pub unchanged: usize,
    /// Not usable; each has a remark.
    pub rejected: usize,
}

/// What an import did, or would do.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, ToSchema)]
pub struct Report {
    /// Whether nothing was done.
    pub dry_run: bool,
    /// Programmes, one for each service body in use.
    pub programmes: Imported,
    /// Groups, one for each meeting of the listing.
    pub groups: Imported,
    /// Groups, of those listed, that are not to be shown in public; a count.
    pub unlisted: usize,
    /// What is odd about the listing; at most the first 1,000.
    pub remarks: Vec<Remark>,
    /// Remarks beyond those; a count.
    pub remarks_left_out: usize,
    /// Up to where to read to see the effect.
    #[serde(skip)]
    pub position: Position,
}

/// Import a BMLT listing
///
/// Takes the JSON that a BMLT server answers to `GetSearchResults` (with `get_used_formats`), optionally with its
/// `service_bodies`, up to 16 MiB. Each meeting becomes a group, each service body in use a programme. What is
/// already here as listed is not written again; a group that is no longer listed stays as it is. Odd values are left
/// out with a remark and never stop the rest.
#[utoipa::path(post, path = "/v1/imports/bmlt", tag = "directory", params(ImportQuery),
    request_body(content = serde_json::Value, description = "The listing", content_type = "application/json"),
    responses((status = 200, description = "The listing is imported, or would be", body = Report), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn import_bmlt(
    State(directory): State<Directory>,
    Query(query): Query<ImportQuery>,
    command: LargeCommand<op::ImportBmlt, LISTING_BYTES_MAX>,
) -> Result<Answer, Problem> {
    let LargeCommand { caller, cause, body, .. } = command;
    if let Some(done) = directory.groups.replayed(&cause).await? {
        return Ok(Answer(done));
    }
    let origin = origin(caller.org.clone(), &query)?;
    // Reading megabytes takes a while, others wait for this thread.
    let listing = directory.authenticator.compute.run(caller.asking(), move || bmlt::read(&body, &origin)).await?;
    let listing = listing.map_err(|error| match error {
        ListingError::Json(error) => {
            Problem::malformed(format!("the listing is not one of BMLT: {}", scrubbed(&error)))
        }
        error => Problem::malformed(error.to_string()),
    })?;
    let last = listing.groups.last().map(|group| group.id);
    let report = import(&directory, &caller, listing, &cause, query.dry_run).await?;
    let reply = Reply::json(200, &report);
    let position = report.position;
    let Some(last) = last.filter(|_| !query.dry_run) else {
        return Ok(Answer(Done { position, events: 0, reply, replayed: false }));
    };
    // The answer is kept with the last group: it is known only now.
    Ok(directory.groups.keep(&caller.within_organisation(last), &cause, reply, position).await?)
}

fn origin(org: OrgId, query: &ImportQuery) -> Result<Origin, Problem> {
    let time_zone: Text<64> =
        query.time_zone.parse().map_err(|error| Problem::malformed(format!("time_zone: {error}")))?;
    let source = query.source.as_deref().unwrap_or(SOURCE_DEFAULT);
    let source = source.parse().map_err(|error: bmlt::SourceNameError| Problem::malformed(error.to_string()))?;
    Ok(Origin { org, source, time_zone, focus: query.focus.unwrap_or(Focus::Addiction) })
}

/// Imports what was read of a listing, or says what that would do. A failure leaves what was before it imported;
/// importing again does the rest.
///
/// # Errors
/// If the log does not answer.
pub async fn import(
    directory: &Directory,
    caller: &Caller,
    listing: Listing,
    cause: &Cause,
    dry_run: bool,
) -> Result<Report, Problem> {
    let Listing { programmes, groups, mut remarks, rejected } = listing;
    let unlisted = groups.iter().filter(|group| !group.details.listed).count();
    let cause = cause.part();
    let programmes =
        programmes.into_iter().map(|listed| (listed.id.0, programme::Command::Describe(listed.details))).collect();
    let programmes = tally(each::<Programme>(&directory.programmes, caller, &cause, programmes, dry_run)).await?;
    let groups = groups
        .into_iter()
        .map(|listed| (listed.id.0, group::Command::Import(listed.details, listed.schedule)))
        .collect();
    let groups =
        each::<Group>(&directory.groups, caller, &cause, groups, dry_run).and_then(|(outcome, position, id)| {
            let (cause, is_changed) = (&cause, matches!(outcome, Outcome::Changed) && !dry_run);
            async move {
                let settled = if is_changed {
                    directory.settled(&caller.org, domain::GroupId(id), cause, position).await
                } else {
                    position
                };
                Ok((outcome, settled, id))
            }
        });
    let groups = tally(groups).await?;
    let remarks_left_out = remarks.len().saturating_sub(REMARKS_MAX);
    remarks.truncate(REMARKS_MAX);
    let position = programmes.1.max(groups.1);
    let groups = Imported { rejected, ..groups.0 };
    Ok(Report { dry_run, programmes: programmes.0, groups, unlisted, remarks, remarks_left_out, position })
}

/// What became of one thing.
enum Outcome {
    Created,
    Changed,
    Unchanged,
}

/// Carries out each command on its stream, [`WRITES_AT_ONCE`] at a time.
fn each<D: Decider>(
    streams: &Guarded<D>,
    caller: &Caller,
    cause: &Cause,
    commands: Vec<(Uuid, D::Command)>,
    dry_run: bool,
) -> impl Stream<Item = Result<(Outcome, Position, Uuid), TransactError<D::Refusal>>>
where
    D::Command: 'static,
{
    let (streams, caller, cause) = (streams.clone(), caller.clone(), cause.clone());
    stream::iter(commands)
        .map(move |(id, command)| {
            let (streams, permitted, cause) = (streams.clone(), caller.within_organisation(id), cause.clone());
            async move {
                let (outcome, position) = one(&streams, &permitted, cause, command, dry_run).await?;
                Ok((outcome, position, id))
            }
        })
        .buffer_unordered(WRITES_AT_ONCE)
}

async fn one<D: Decider>(
    streams: &Guarded<D>,
    permitted: &Permitted<Uuid>,
    cause: Cause,
    command: D::Command,
    dry_run: bool,
) -> Result<(Outcome, Position), TransactError<D::Refusal>>
where
    D::Command: 'static,
{
    let look = streams
        .look(permitted.org(), permitted.id(), |now| (now.revision, now.position, D::decide(&command, &now.state)));
    let (revision, position, decided) = look.await?;
    let outcome = match (revision, decided.map_err(TransactError::Refused)?.is_empty()) {
        (_, true) => return Ok((Outcome::Unchanged, position)),
        (None, false) => Outcome::Created,
        (Some(_), false) => Outcome::Changed,
    };
    if dry_run {
        return Ok((outcome, position));
    }
    let Answer(done) = streams.transact(permitted, cause, command, Reply::DONE).await?;
    Ok((outcome, done.position))
}

async fn tally<E>(
    outcomes: impl Stream<Item = Result<(Outcome, Position, Uuid), E>>,
) -> Result<(Imported, Position), E> {
    let count = |(mut imported, reached): (Imported, Position), (outcome, position, _): (Outcome, Position, Uuid)| {
        match outcome {
            Outcome::Created => imported.created += 1,
            Outcome::Changed => imported.changed += 1,
            Outcome::Unchanged => imported.unchanged += 1,
        }
        std::future::ready(Ok((imported, reached.max(position))))
    };
    outcomes.try_fold((Imported::default(), Position::START), count).await
}
