//! What all imports of listings have in common: the question, what is done, and the report.

mod missing;

use domain::{
    Decider, GroupId, ProgrammeId, Text,
    group::{self, Focus, Group, Online},
    programme::{self, Programme},
};
use eventlog::{Cause, Done, Position, Reply, TransactError};
use futures::{Stream, StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use vault::Key;
use vault::SealedAs;
use web::{Answer, Caller, Guarded, LargeCommand, Permitted, Problem, Sealable, scrubbed};

use crate::{
    Directory, WRITES_AT_ONCE,
    listing::{
        self, Kind, LISTING_BYTES_MAX, Links, ListedGroup, Listing, ListingError, Origin, Remark, SourceNameError,
    },
};
pub use missing::{Missing, MissingGroup};

/// Most remarks in a report, a count; a listing that is wrong throughout says so in the first ones.
pub const REMARKS_MAX: usize = 1_000;

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
    /// Short name of the server or file (a-z, 0-9, `-`, `.`); if it is not given, the name of the format. Ids of meetings are
    /// taken to be its own, so two servers need two names.
    #[serde(default)]
    source: Option<String>,
    /// What the groups are about, `addiction` if it is not given.
    #[serde(default)]
    #[param(inline)]
    focus: Option<Focus>,
    /// Who is shown how to join meetings online: `as_listed`, anybody if the listing publishes it; `private`, members of the
    /// group and those who run it.
    #[serde(default)]
    #[param(inline)]
    links: Links,
    /// What becomes of groups from this source that the listing does not name any more: `tell`, they stay as they are;
    /// `unlist`, they are not shown in public any more, but stay and go on meeting.
    #[serde(default)]
    #[param(inline)]
    missing: WhenMissing,
}

/// What becomes of groups that a listing does not name any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum WhenMissing {
    /// Nothing; the report tells them.
    #[default]
    Tell,
    /// They are not shown in public any more.
    Unlist,
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
    /// Programmes, one for each body in use that holds meetings.
    pub programmes: Imported,
    /// Groups, one for each meeting of the listing.
    pub groups: Imported,
    /// Groups, of those listed, that are not to be shown in public; a count.
    pub unlisted: usize,
    /// Meetings of the listing that are copies of groups of ours, as our own feeds have them: nothing of them is new. A
    /// count.
    pub copies: usize,
    /// Groups from this source that the listing does not name any more; none where the server cannot tell now.
    pub missing: Option<Missing>,
    /// What is odd about the listing; at most the first 1,000.
    pub remarks: Vec<Remark>,
    /// Remarks beyond those; a count.
    pub remarks_left_out: usize,
    /// Up to where to read to see the effect.
    #[serde(skip)]
    pub position: Position,
    /// The last of the groups that were looked at.
    #[serde(skip)]
    pub last: Option<GroupId>,
}

/// Reads a listing and imports it, or says what that would do.
pub(crate) async fn import_listing<Op>(
    directory: &Directory,
    kind: Kind,
    query: ImportQuery,
    LargeCommand { caller, cause, body, .. }: LargeCommand<Op, LISTING_BYTES_MAX>,
) -> Result<Answer, Problem> {
    if let Some(done) = directory.groups.replayed(&cause).await? {
        return Ok(Answer(done));
    }
    let origin = origin(&caller, kind, &query)?;
    let (read_as, asking) = (origin.clone(), caller.asking());
    // Reading megabytes takes a while, others wait for this thread.
    let listing = directory.authenticator.compute.run(asking, move || listing::read(&body, &read_as)).await?;
    let listing = listing.map_err(|error| match error {
        ListingError::Json(error) => Problem::malformed(format!(
            "the listing is neither a list of meetings nor an object with one: {}",
            scrubbed(&error)
        )),
        error => Problem::malformed(error.to_string()),
    })?;
    let import = Import { directory, caller: &caller, origin: &origin, cause: cause.part(), dry_run: query.dry_run };
    let report = import.run(listing, query.missing).await?;
    let reply = Reply::json(200, &report);
    let position = report.position;
    let Some(last) = report.last.filter(|_| !query.dry_run) else {
        return Ok(Answer(Done { position, events: 0, reply, replayed: false }));
    };
    // The answer is kept with the last group: it is known only now.
    Ok(directory.groups.keep(&caller.within_organisation(last), &cause, reply, position).await?)
}

fn origin(caller: &Caller, kind: Kind, query: &ImportQuery) -> Result<Origin, Problem> {
    let time_zone: Text<64> =
        query.time_zone.parse().map_err(|error| Problem::malformed(format!("time_zone: {error}")))?;
    let source = query.source.as_deref().unwrap_or(kind.as_str());
    let source = source.parse().map_err(|error: SourceNameError| Problem::malformed(error.to_string()))?;
    let focus = query.focus.unwrap_or(Focus::Addiction);
    Ok(Origin { org: caller.org.clone(), kind, source, time_zone, focus, links: query.links })
}

/// One import.
struct Import<'a> {
    directory: &'a Directory,
    caller: &'a Caller,
    origin: &'a Origin,
    cause: Cause,
    dry_run: bool,
}

impl Import<'_> {
    /// Imports what was read of a listing, or says what that would do. A failure leaves what was before it imported;
    /// importing again does the rest.
    async fn run(&self, listing: Listing, when_missing: WhenMissing) -> Result<Report, Problem> {
        let Listing { mut programmes, groups, named, mut remarks, rejected } = listing;
        let missing = self.missing(&named, when_missing).await?;
        let all = groups.len();
        let groups = self.without_copies(groups).await?;
        let copies = all - groups.len();
        let groups =
            self.of_programmes(groups, &programmes.iter().map(|one| one.id).collect::<Vec<_>>(), &mut remarks).await?;
        let rejected = rejected + all - copies - groups.len();
        programmes.retain(|listed| groups.iter().any(|group| group.details.programme == listed.id));
        let unlisted = groups.iter().filter(|group| !group.details.listed).count();
        let last = groups.last().map(|group| group.id).or_else(|| missing.as_ref()?.last());
        let programmes =
            programmes.into_iter().map(|listed| (listed.id.0, programme::Command::Describe(listed.details))).collect();
        let programmes = tally(self.each::<Programme>(&self.directory.programmes, programmes)).await?;
        let key = self.directory.vault.org_key(&self.caller.org).await?;
        let groups = groups.into_iter().map(|listed| (listed.id.0, self.command(listed, &key))).collect();
        let groups = self.groups(groups).await?;
        let (missing, unlisting) = self.unlist(missing, when_missing).await?;
        let remarks_left_out = remarks.len().saturating_sub(REMARKS_MAX);
        remarks.truncate(REMARKS_MAX);
        let position = programmes.1.max(groups.1).max(unlisting);
        let groups = Imported { rejected, ..groups.0 };
        Ok(Report {
            dry_run: self.dry_run,
            programmes: programmes.0,
            groups,
            unlisted,
            copies,
            missing,
            remarks,
            remarks_left_out,
            position,
            last,
        })
    }

    /// What is asked of the group that a meeting becomes. How to join is sealed unless anybody may know it.
    fn command(&self, listed: ListedGroup, key: &Key) -> group::Command {
        let ListedGroup { id, details, schedule, joining, joining_public, .. } = listed;
        let online = joining.map(|joining| {
            if joining_public {
                Online::Public(joining)
            } else {
                Online::Private(key.seal(&self.caller.org, id.0, SealedAs::Joining, &joining.bytes()))
            }
        });
        group::Command::List(details, schedule, online)
    }

    /// Those that are no copies of groups of ours: what we say of these ourselves stands.
    async fn without_copies(&self, groups: Vec<ListedGroup>) -> Result<Vec<ListedGroup>, Problem> {
        let mut others = Vec::with_capacity(groups.len());
        for listed in groups {
            let is_copy = match listed.copy_of {
                None => false,
                Some(group) => self.is_there(group).await?,
            };
            others.extend((!is_copy).then_some(listed));
        }
        Ok(others)
    }

    async fn is_there(&self, group: GroupId) -> Result<bool, Problem> {
        Ok(self.directory.groups.look(&self.caller.org, group, |group| group.state.details.is_some()).await?)
    }

    /// Those whose programme is listed, or is here already; the others are rejected.
    async fn of_programmes(
        &self,
        groups: Vec<ListedGroup>,
        listed: &[ProgrammeId],
        remarks: &mut Vec<Remark>,
    ) -> Result<Vec<ListedGroup>, Problem> {
        let mut others = Vec::with_capacity(groups.len());
        for group in groups {
            let programme = group.details.programme;
            let there = listed.contains(&programme)
                || self.directory.programmes.look(&self.caller.org, programme, |one| one.state.is_some()).await?;
            if there {
                others.push(group);
            } else {
                remarks.push(Remark::rejecting(&group, "programme", "is the id of no programme"));
            }
        }
        Ok(others)
    }

    /// Carries out each command on its group, and settles what is planned of those that changed.
    async fn groups(&self, commands: Vec<(Uuid, group::Command)>) -> Result<(Imported, Position), Problem> {
        let outcomes = self.each::<Group>(&self.directory.groups, commands).and_then(|(outcome, position, id)| {
            let is_changed = matches!(outcome, Outcome::Changed) && !self.dry_run;
            async move {
                let settled = if is_changed {
                    self.directory.settled(&self.caller.org, GroupId(id), &self.cause, position).await
                } else {
                    position
                };
                Ok((outcome, settled, id))
            }
        });
        Ok(tally(outcomes).await?)
    }

    /// Carries out each command on its stream, [`WRITES_AT_ONCE`] at a time.
    fn each<D: Decider>(
        &self,
        streams: &Guarded<D>,
        commands: Vec<(Uuid, D::Command)>,
    ) -> impl Stream<Item = Result<(Outcome, Position, Uuid), TransactError<D::Refusal>>> + use<D>
    where
        D::Command: 'static,
    {
        let (streams, caller, cause, dry_run) =
            (streams.clone(), self.caller.clone(), self.cause.clone(), self.dry_run);
        let outcomes = stream::iter(commands).map(move |(id, command)| {
            let (streams, permitted, cause) = (streams.clone(), caller.within_organisation(id), cause.clone());
            async move {
                let (outcome, position) = one(&streams, &permitted, cause, command, dry_run).await?;
                Ok((outcome, position, id))
            }
        });
        outcomes.buffer_unordered(WRITES_AT_ONCE)
    }
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

/// What became of one thing.
enum Outcome {
    Created,
    Changed,
    Unchanged,
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
