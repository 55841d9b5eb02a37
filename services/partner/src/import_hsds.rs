//! Import partners from an HSDS directory.

use std::collections::BTreeMap;

use axum::extract::State;
use domain::{
    Decider, Refusal, ServiceId, Text,
    partner::{self, Calendar, Day, Event, Listed, ListedService, Partner, ServiceDescribed},
    zone_name,
};
use eventlog::{Cause, Done, Loaded, Position, Reply};
use futures::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use web::{Answer, Caller, Command, Problem, Problems, Query};

use crate::{
    Partners,
    hsds::{self, DIRECTORY_BYTES_MAX, Directory, File, FoundPartner, Origin, Remark, Remarks},
    op,
};

/// Most partners that are written at the same time, a count.
const WRITES_AT_ONCE: usize = 32;
/// Most services that are written at once, a count: the longest that are possible fit into one append.
const SERVICES_AT_ONCE: usize = 16;
/// Name of the directory if there is only one.
const SOURCE_DEFAULT: &str = "hsds";
/// On which days a new partner works, until somebody says otherwise.
const WORKING_DAYS: [Day; 5] = [Day::Mo, Day::Tu, Day::We, Day::Th, Day::Fr];

/// How to read the directory.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct HsdsQuery {
    /// Say what would be done, but do nothing.
    #[serde(default)]
    dry_run: bool,
    /// IANA time zone of partners that are new: directories do not say in which they work.
    #[param(value_type = String, max_length = 64, example = "America/New_York")]
    time_zone: Text<64>,
    /// Short name of the directory, `hsds` if it is not given. Ids are taken to be its own, so two directories need two
    /// names.
    #[serde(default)]
    #[param(value_type = Option<String>, min_length = 1, max_length = 80)]
    source: Option<Text<80>>,
}

/// A directory, file by file.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HsdsDirectory {
    /// At most 1,000.
    #[schema(max_items = 1_000)]
    files: Vec<File>,
}

/// What an import did to things of one kind, each a count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, ToSchema)]
pub(crate) struct HsdsImported {
    /// Not here before.
    created: usize,
    /// In the directory otherwise than they were here.
    changed: usize,
    /// In the directory as they were here.
    unchanged: usize,
    /// Not usable; each has a remark.
    rejected: usize,
}

/// What an import did, or would do.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct HsdsReport {
    /// Whether nothing was done.
    dry_run: bool,
    /// Partners, one for each organization.
    partners: HsdsImported,
    /// Their services.
    services: HsdsImported,
    /// What is odd about the directory; at most the first 500.
    remarks: Vec<Remark>,
    /// Remarks beyond those; a count.
    remarks_left_out: usize,
}

/// Import an HSDS directory
///
/// Takes files of HSDS 3.0, up to 16 MiB: documents of organizations, services, locations and services at locations, whole
/// ones and lists, all tables in one JSON, or tables of the datapackage as CSV. Each organization becomes a partner. What is
/// here already as the directory says is not written again; what it does not say stays as it is, and so does what is not
/// in it any more. Contacts, addresses and numbers are not kept. Odd values are left out with a remark and never stop
/// the rest.
#[utoipa::path(post, path = "/v1/imports/hsds", tag = "partners", params(HsdsQuery), request_body = HsdsDirectory,
    responses((status = 200, description = "The directory is imported, or would be", body = HsdsReport), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn import_hsds(
    State(partners): State<Partners>,
    Query(HsdsQuery { dry_run, time_zone: zone, source }): Query<HsdsQuery>,
    command: Command<op::ImportHsds, HsdsDirectory, DIRECTORY_BYTES_MAX>,
) -> Result<Answer, Problem> {
    let Command { caller, cause, body: HsdsDirectory { files }, .. } = command;
    if let Some(done) = partners.streams.replayed(&cause).await? {
        return Ok(Answer(done));
    }
    let Some(zone) = zone_name(zone.as_str()).and_then(|name| name.parse().ok()) else {
        return Err(Problem::malformed(format!("query, at `time_zone`: {}", partner::Refusal::TimeZone)));
    };
    let calendar = Calendar { time_zone: zone, working_days: WORKING_DAYS.into(), closed_on: [].into() };
    let directory = source.unwrap_or_else(|| SOURCE_DEFAULT.parse().expect("a text"));
    let origin = Origin { org: caller.org.clone(), directory };
    // Reading megabytes takes a while, others wait for this thread.
    let read = partners.authenticator.compute.run(caller.asking(), move || hsds::read(&files, &origin)).await?;
    let read = read.map_err(|error| Problem::malformed(error.to_string()))?;
    let last = read.partners.iter().rfind(|found| found.name.is_some()).map(|found| found.id);
    let (report, position) = import(&partners, &caller, read, (&calendar, &cause), dry_run).await?;
    let reply = Reply::json(200, &report);
    let Some(last) = last.filter(|_| !dry_run) else {
        return Ok(Answer(Done { position, events: 0, reply, replayed: false }));
    };
    // The answer is kept with the last partner: it is known only now.
    Ok(partners.streams.keep(&caller.within_organisation(last), &cause, reply, position).await?)
}

/// Imports what was read, or says what that would do. A failure leaves what was before it imported; importing again does
/// the rest.
async fn import(
    partners: &Partners,
    caller: &Caller,
    read: Directory,
    (calendar, cause): (&Calendar, &Cause),
    dry_run: bool,
) -> Result<(HsdsReport, Position), Problem> {
    let Directory { partners: found, mut remarks, partners_rejected, services_rejected } = read;
    let cause = cause.part();
    let each = found.into_iter().map(|found| {
        let (partners, caller, calendar, cause) = (partners.clone(), caller.clone(), calendar.clone(), cause.clone());
        async move { one(&partners, &caller, (found, calendar), cause, dry_run).await }
    });
    // In their order, so that remarks are.
    let done: Vec<Became> = stream::iter(each).buffered(WRITES_AT_ONCE).try_collect().await?;
    let mut report = HsdsReport { dry_run, ..HsdsReport::default() };
    let mut position = Position::START;
    for became in done {
        became.count(&mut report, &mut remarks);
        position = position.max(became.position);
    }
    report.partners.rejected += partners_rejected;
    report.services.rejected += services_rejected;
    let Remarks { kept, left_out } = remarks;
    Ok((HsdsReport { remarks: kept, remarks_left_out: left_out, ..report }, position))
}

/// What became of a partner.
struct Became {
    found: FoundPartner,
    planned: Planned,
    position: Position,
}

/// What is to be done with a partner.
enum Planned {
    /// It is to be as the directory says.
    Written { is_new: bool, changes: bool, new_services: usize, changed_services: usize, is_closed: bool },
    /// Only its services are in the directory, and it is not here.
    NotHere,
    /// It cannot be so.
    Refused(partner::Refusal),
}

async fn one(
    partners: &Partners,
    caller: &Caller,
    (found, calendar): (FoundPartner, Calendar),
    cause: Cause,
    dry_run: bool,
) -> Result<Became, Problem> {
    let permitted = caller.within_organisation(found.id);
    let look = |now: &Loaded<partner::State>| {
        let name = found.name.clone().or_else(|| now.state.as_ref().map(|known| known.details.name.clone()));
        let listed = name.map(|name| listed(&found, name, &calendar));
        (listed.clone(), now.position, plan(listed, &now.state))
    };
    let (listed, mut position, planned) = partners.streams.look(&caller.org, found.id, look).await?;
    if let (Planned::Written { .. }, Some(listed), false) = (&planned, listed, dry_run) {
        for listed in in_parts(listed) {
            let import = partner::Command::Import(listed);
            let Answer(done) = partners.streams.transact(&permitted, cause.clone(), import, Reply::DONE).await?;
            position = position.max(done.position);
        }
    }
    Ok(Became { found, planned, position })
}

fn listed(found: &FoundPartner, name: Text<200>, calendar: &Calendar) -> Listed {
    let (source, services) = (found.source.clone(), found.services.clone());
    Listed { name, calendar: calendar.clone(), source, services }
}

/// The same in pieces that fit into an append each.
fn in_parts(listed: Listed) -> impl Iterator<Item = Listed> {
    let Listed { name, calendar, source, services } = listed;
    let mut rest: Vec<(ServiceId, ListedService)> = services.into_iter().collect();
    let mut parts: Vec<BTreeMap<_, _>> = Vec::new();
    while rest.len() > SERVICES_AT_ONCE {
        parts.push(rest.drain(..SERVICES_AT_ONCE).collect());
    }
    parts.push(rest.into_iter().collect());
    parts.into_iter().map(move |services| {
        let (name, calendar, source) = (name.clone(), calendar.clone(), source.clone());
        Listed { name, calendar, source, services }
    })
}

fn plan(listed: Option<Listed>, now: &partner::State) -> Planned {
    let Some(listed) = listed else { return Planned::NotHere };
    let events = match Partner::decide(&partner::Command::Import(listed), now) {
        Ok(events) => events,
        Err(refusal) => return Planned::Refused(refusal),
    };
    let (mut is_new, mut changes, mut new_services, mut changed_services) = (false, false, 0, 0);
    for event in &events {
        match event {
            Event::Registered(_) => is_new = true,
            Event::Changed(_) => changes = true,
            Event::ServiceDescribed(ServiceDescribed { service, .. }) => {
                let is_known = now.as_ref().is_some_and(|known| known.services.contains_key(service));
                if is_known { changed_services += 1 } else { new_services += 1 }
            }
            // No directory does that.
            Event::Closed(_) | Event::Reopened(_) | Event::CapacityAsked(_) | Event::CapacityStated(_) => {}
        }
    }
    let is_closed = now.as_ref().is_some_and(|known| known.closed);
    Planned::Written { is_new, changes, new_services, changed_services, is_closed }
}

impl Became {
    fn count(&self, report: &mut HsdsReport, remarks: &mut Remarks) {
        let Self { found: FoundPartner { place, services, name, .. }, planned, .. } = self;
        match planned {
            Planned::Written { is_new, changes, new_services, changed_services, is_closed } => {
                // Of which only services are listed, it is not counted.
                if name.is_some() {
                    let partners = &mut report.partners;
                    let count = match (is_new, changes) {
                        (true, _) => &mut partners.created,
                        (false, true) => &mut partners.changed,
                        (false, false) => &mut partners.unchanged,
                    };
                    *count += 1;
                }
                report.services.created += new_services;
                report.services.changed += changed_services;
                report.services.unchanged += services.len() - new_services - changed_services;
                if *is_closed && !services.is_empty() {
                    remarks.note(place, "", "is a partner that was closed here: its services stay as they are");
                }
            }
            Planned::NotHere => {
                report.services.rejected += services.len();
                let what =
                    format!("names nothing usable in the directory or here: {} services are left out", services.len());
                remarks.reject(place, "organization_id", what);
            }
            Planned::Refused(refusal) => {
                report.partners.rejected += usize::from(name.is_some());
                report.services.rejected += services.len();
                remarks.reject(place, "", format!("cannot be imported ({}): {refusal}", refusal.code()));
            }
        }
    }
}
