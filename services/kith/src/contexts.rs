//! The contexts of a process, as far as its services need them.

use std::{path::Path, sync::Arc};

use access::Access;
use attendance::Attendance;
use axum::middleware::from_fn_with_state;
use directory::Directory;
use eventlog::{EventLog, Position, Streams, sqlite::Readers};
use membership::{Membership, Settled};
use projections::{Personal, Projections};
use reporting::{Facts, Reports};
use tokio::sync::watch;
use utoipa_axum::router::OpenApiRouter;
use vault::{Names, Vault};
use web::{Attester, Audit, Gate};

use crate::{DataDir, Service, Services, serve::Chance};

/// The contexts. Streams of one kind are one value, shared by all who use them.
pub struct Contexts {
    pub directory: Directory,
    access: Access,
    /// If people's keys are here.
    pub people: Option<People>,
}

/// What needs people's keys.
pub struct People {
    pub membership: Membership,
    attendance: Attendance,
    personal: Personal,
}

/// Up to where everything that is read has come. Of what does not run in this process, nothing is asked.
#[derive(Debug, Clone)]
pub struct Reads {
    pub views: watch::Receiver<Position>,
    pub facts: watch::Receiver<Position>,
    pub people: watch::Receiver<Position>,
    pub named: watch::Receiver<Position>,
    pub erasures: watch::Receiver<Position>,
    pub settled: watch::Receiver<Settled>,
    /// Who reads the file of the views.
    pub file: Arc<Readers>,
}

impl Reads {
    /// Of nothing.
    pub fn none() -> Self {
        let (_, nothing) = watch::channel(Position::START);
        let [views, facts, people, named, erasures] = std::array::from_fn(|_| nothing.clone());
        let (_, settled) = watch::channel(Settled::default());
        Self { views, facts, people, named, erasures, settled, file: Arc::new(Readers::new(Path::new(""))) }
    }
}

impl Contexts {
    pub fn new(
        log: &Arc<dyn EventLog>,
        gate: &Gate,
        access: Streams<domain::access::Access>,
        vaulted: Option<(&Vault, Attester)>,
        reads: &Reads,
        Chance { new_id, new_secret, .. }: Chance,
    ) -> Self {
        let (programmes, groups) = (Streams::new(log.clone()), Streams::new(log.clone()));
        let (rosters, meetings) = (Streams::new(log.clone()), Streams::new(log.clone()));
        let (members, people, names) = (Streams::new(log.clone()), Streams::new(log.clone()), Names::default());
        let access = Access { gate: gate.clone(), access, groups: groups.clone(), log: log.clone(), new_secret };
        let directory =
            Directory { gate: gate.clone(), programmes, groups: groups.clone(), meetings: meetings.clone() };
        let audit = Audit::new(log.clone(), gate, new_id);
        let people = vaulted.map(|(vault, attester)| People {
            membership: Membership {
                gate: gate.clone(),
                rosters: rosters.clone(),
                groups,
                members: members.clone(),
                people: people.clone(),
                vault: vault.clone(),
                audit: audit.clone(),
                attester,
                names: names.clone(),
                erasures: reads.erasures.clone(),
                settled: reads.settled.clone(),
                imports: membership::Turns::default(),
            },
            attendance: Attendance { gate: gate.clone(), meetings, rosters, members, people, vault: vault.clone() },
            personal: Personal {
                vault: vault.clone(),
                audit,
                names,
                people: reads.people.clone(),
                named: reads.named.clone(),
            },
        });
        Self { directory, access, people }
    }

    /// The operations of the services.
    pub fn routes(&self, services: &Services, gate: &Gate, data: &DataDir, reads: &Reads) -> OpenApiRouter {
        let mut router = OpenApiRouter::new();
        if services.has(Service::Directory) {
            router = router.merge(directory::routes(self.directory.clone()));
        }
        if let Some(People { membership, attendance, .. }) = &self.people {
            if services.has(Service::Membership) {
                router = router.merge(membership::routes(membership.clone()));
            }
            if services.has(Service::Attendance) {
                router = router.merge(attendance::routes(attendance.clone()));
            }
        }
        if services.has(Service::Access) {
            router = router.merge(access::routes(self.access.clone()));
        }
        if let (true, Some(People { personal, .. })) = (services.has(Service::Projections), &self.people) {
            let (views, personal) = (reads.views.clone(), personal.clone());
            router =
                router.merge(projections::routes(Projections::new(gate.clone(), reads.file.clone(), views, personal)));
        }
        if services.has(Service::Reporting) {
            let reports = Reports::new(Facts::at(data.path()), reads.facts.clone(), gate.clone());
            router = router.merge(reporting::routes(reports));
        }
        // The relay has none.
        if router.get_openapi().paths.paths.is_empty() {
            return router;
        }
        router.route_layer(from_fn_with_state(gate.clone(), web::authenticate))
    }
}
