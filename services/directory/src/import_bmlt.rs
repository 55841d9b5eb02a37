//! Import a BMLT listing.

use axum::extract::State;
use domain::{
    Decider, OrgId, Text,
    group::{self, Focus, Group},
    programme::{self, Programme},
};
use eventlog::{Cause, Done, Position, Reply, Streams, TransactError};
use futures::{Stream, StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use web::{Answer, LargeCommand, Problem, Problems, Query, op, scrubbed};

use crate::{
    Directory, WRITES_AT_ONCE,
    bmlt::{self, LISTING_BYTES_MAX, Listing, ListingError, Origin, Remark},
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
    let listing = directory.gate.compute.run(caller.asking(), move || bmlt::read(&body, &origin)).await?;
    let listing = listing.map_err(|error| match error {
        ListingError::Json(error) => {
            Problem::malformed(format!("the listing is not one of BMLT: {}", scrubbed(&error)))
        }
        error => Problem::malformed(error.to_string()),
    })?;
    let last = listing.groups.last().map(|group| group.id);
    let report = import(&directory, &caller.org, listing, &cause, query.dry_run).await?;
    let reply = Reply::json(200, &report);
    let position = report.position;
    let Some(last) = last.filter(|_| !query.dry_run) else {
        return Ok(Answer(Done { position, events: 0, reply, replayed: false }));
    };
    // The answer is kept with the last group: it is known only now.
    Ok(Answer(directory.groups.keep(&caller.org, last, &cause, reply, position).await?))
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
    org: &OrgId,
    listing: Listing,
    cause: &Cause,
    dry_run: bool,
) -> Result<Report, Problem> {
    let Listing { programmes, groups, mut remarks, rejected } = listing;
    let unlisted = groups.iter().filter(|group| !group.details.listed).count();
    let cause = cause.part();
    let programmes =
        programmes.into_iter().map(|listed| (listed.id.0, programme::Command::Describe(listed.details))).collect();
    let programmes = tally(each::<Programme>(&directory.programmes, org, &cause, programmes, dry_run)).await?;
    let groups = groups
        .into_iter()
        .map(|listed| (listed.id.0, group::Command::Import(listed.details, listed.schedule)))
        .collect();
    let groups = tally(each::<Group>(&directory.groups, org, &cause, groups, dry_run)).await?;
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
    streams: &Streams<D>,
    org: &OrgId,
    cause: &Cause,
    commands: Vec<(Uuid, D::Command)>,
    dry_run: bool,
) -> impl Stream<Item = Result<(Outcome, Position), TransactError<D::Refusal>>>
where
    D::Command: 'static,
{
    let (streams, org, cause) = (streams.clone(), org.clone(), cause.clone());
    stream::iter(commands)
        .map(move |(id, command)| {
            let (streams, org, cause) = (streams.clone(), org.clone(), cause.clone());
            async move { one(&streams, &org, id, cause, command, dry_run).await }
        })
        .buffer_unordered(WRITES_AT_ONCE)
}

async fn one<D: Decider>(
    streams: &Streams<D>,
    org: &OrgId,
    id: Uuid,
    cause: Cause,
    command: D::Command,
    dry_run: bool,
) -> Result<(Outcome, Position), TransactError<D::Refusal>>
where
    D::Command: 'static,
{
    let look = streams.look(org, id, |now| (now.revision, now.position, D::decide(&command, &now.state)));
    let (revision, position, decided) = look.await?;
    let outcome = match (revision, decided.map_err(TransactError::Refused)?.is_empty()) {
        (_, true) => return Ok((Outcome::Unchanged, position)),
        (None, false) => Outcome::Created,
        (Some(_), false) => Outcome::Changed,
    };
    if dry_run {
        return Ok((outcome, position));
    }
    let done = streams.transact(org, id, cause, command, Reply::DONE).await?;
    Ok((outcome, done.position))
}

async fn tally<E>(outcomes: impl Stream<Item = Result<(Outcome, Position), E>>) -> Result<(Imported, Position), E> {
    let count = |(mut imported, reached): (Imported, Position), (outcome, position): (Outcome, Position)| {
        match outcome {
            Outcome::Created => imported.created += 1,
            Outcome::Changed => imported.changed += 1,
            Outcome::Unchanged => imported.unchanged += 1,
        }
        std::future::ready(Ok((imported, reached.max(position))))
    };
    outcomes.try_fold((Imported::default(), Position::START), count).await
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::world::{Response, World};

    const GREATER_NEW_YORK: &str = include_str!("../../../tests/data/bmlt-greater-new-york.json");
    const PATH: &str = "/v1/imports/bmlt?time_zone=America/New_York";

    async fn import(world: &World, key: &str, path: &str, listing: &str) -> Response {
        world.send("POST", key, path, listing.to_owned()).await
    }

    fn counts(of: &Value) -> [u64; 4] {
        ["created", "changed", "unchanged", "rejected"].map(|count| of[count].as_u64().unwrap())
    }

    fn small(names: [&str; 3]) -> String {
        let meeting = |(id, name): (usize, &str)| {
            json!({ "id_bigint": id, "service_body_bigint": id % 2, "weekday_tinyint": 2, "start_time": "19:00:00",
                "duration_time": "01:00:00", "published": id % 2, "meeting_name": name, "location_street": "1 Main St",
                "latitude": 40.7, "longitude": -73.9 })
        };
        let bodies = json!([{ "id": 0, "name": "North" }, { "id": 1, "name": "South" }]);
        json!({ "meetings": names.into_iter().enumerate().map(meeting).collect::<Value>(), "service_bodies": bodies })
            .to_string()
    }

    #[tokio::test]
    async fn the_real_listing_is_imported_once_and_importing_it_again_writes_nothing() {
        let world = World::new();
        let report = import(&world, "k1", PATH, GREATER_NEW_YORK).await.status(200);
        assert_eq!(counts(&report["groups"]), [1_115, 0, 0, 0]);
        assert_eq!(counts(&report["programmes"]), [27, 0, 0, 0]);
        assert_eq!((&report["unlisted"], report["remarks"].as_array().unwrap().len()), (&json!(40), 4));
        let written = world.written().await.len();
        assert_eq!(written, 27 + 2 * 1_115);
        assert_eq!(import(&world, "k1", PATH, GREATER_NEW_YORK).await.status(200), report, "the same command again");
        let again = import(&world, "k2", PATH, GREATER_NEW_YORK).await.status(200);
        assert_eq!(counts(&again["groups"]), [0, 0, 1_115, 0]);
        assert_eq!(counts(&again["programmes"]), [0, 0, 27, 0]);
        assert_eq!(world.written().await.len(), written);
    }

    #[tokio::test]
    async fn a_dry_run_says_the_same_and_writes_nothing() {
        let world = World::new();
        let dry = import(&world, "k1", &format!("{PATH}&dry_run=true"), &small(["A", "B", "C"])).await.status(200);
        assert_eq!(world.written().await, Vec::<String>::new());
        let mut wet = import(&world, "k2", PATH, &small(["A", "B", "C"])).await.status(200);
        assert_eq!(counts(&wet["groups"]), [3, 0, 0, 0]);
        wet["dry_run"] = true.into();
        assert_eq!(dry, wet);
    }

    #[tokio::test]
    async fn a_changed_listing_writes_only_what_changed() {
        let world = World::new();
        import(&world, "k1", PATH, &small(["A", "B", "C"])).await.status(200);
        let before = world.written().await.len();
        let report = import(&world, "k2", PATH, &small(["A", "B, renamed", "C"])).await.status(200);
        assert_eq!(counts(&report["groups"]), [0, 1, 2, 0]);
        assert_eq!(world.written().await[before..], ["group.changed"]);
        let later = small(["A", "B, renamed", "C"]).replace("19:00:00", "19:30:00");
        let report = import(&world, "k3", PATH, &later).await.status(200);
        assert_eq!(counts(&report["groups"]), [0, 3, 0, 0]);
        assert_eq!(world.written().await[before + 1..], ["group.scheduled"; 3]);
    }

    #[tokio::test]
    async fn a_meeting_that_cannot_be_used_is_reported_and_the_others_are_imported() {
        let world = World::new();
        let report = import(&world, "k", PATH, &small(["A", " ", "C"])).await.status(200);
        assert_eq!(counts(&report["groups"]), [2, 0, 0, 1]);
        let remark = json!({ "index": 1, "meeting": "1", "field": "meeting_name", "value": "", "what": "has no name",
            "severity": "rejected" });
        assert_eq!(report["remarks"], json!([remark]));
    }

    #[tokio::test]
    async fn organisations_and_servers_do_not_meet() {
        let world = World::new();
        import(&world, "k1", PATH, &small(["A", "B", "C"])).await.status(200);
        let there = import(&world.of("south-star"), "k1", PATH, &small(["A", "B", "C"])).await.status(200);
        assert_eq!(counts(&there["groups"]), [3, 0, 0, 0]);
        let other =
            import(&world, "k2", &format!("{PATH}&source=other.org"), &small(["A", "B", "C"])).await.status(200);
        assert_eq!(counts(&other["groups"]), [3, 0, 0, 0]);
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_refused_as_a_whole() {
        let world = World::new();
        for (key, path, listing) in [
            ("k1", PATH, "no JSON"),
            ("k2", PATH, "{}"),
            ("k3", "/v1/imports/bmlt", "[]"),
            ("k4", "/v1/imports/bmlt?time_zone=Mars/Olympus", "[]"),
            ("k5", "/v1/imports/bmlt?time_zone=America/New_York&source=a:b", "[]"),
            ("k6", "/v1/imports/bmlt?time_zone=America/New_York&sauce=bmlt", "[]"),
        ] {
            import(&world, key, path, listing).await.problem(422, "malformed");
        }
        import(&world, "k7", PATH, &" ".repeat(LISTING_BYTES_MAX + 1)).await.problem(413, "too-large");
        let empty = import(&world, "k8", PATH, "[]").await.status(200);
        assert_eq!(counts(&empty["groups"]), [0; 4]);
        assert_eq!(world.written().await, Vec::<String>::new());
    }

    #[tokio::test]
    async fn a_report_quotes_only_so_many_remarks() {
        let world = World::new();
        let listing = format!("[{}null]", "null,".repeat(REMARKS_MAX));
        let report = import(&world, "k", &format!("{PATH}&dry_run=true"), &listing).await.status(200);
        assert_eq!(report["remarks"].as_array().unwrap().len(), REMARKS_MAX);
        assert_eq!((&report["remarks_left_out"], &report["groups"]["rejected"]), (&json!(1), &json!(1_001)));
    }
}
