//! Which parts of Kith run in a process.

use std::{collections::BTreeSet, fmt};

use anyhow::bail;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::Config;

/// A part of Kith that can run in a process of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Service {
    /// Commands about programmes, groups, calendars
    Directory,
    /// Commands about members, enrolments, consents; with projections
    Membership,
    /// Commands about meetings, registers, headcounts
    Attendance,
    /// Commands about clients, assignments, revocations
    Access,
    /// Copies the log to NATS
    Relay,
    /// Views and what reads them, planning, what follows an erasure
    Projections,
    /// Facts and reports
    Reporting,
}

/// Some of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Services(BTreeSet<Service>);

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.to_possible_value().expect("none is hidden").get_name())
    }
}

impl Services {
    /// Those that `config` asks for: all of them, unless it names some.
    ///
    /// # Errors
    /// If they cannot run like that; says what is missing.
    pub fn of(config: &Config) -> anyhow::Result<Self> {
        if config.roles.is_empty() {
            return Ok(Self::all());
        }
        let services = Self(config.roles.iter().copied().collect());
        if config.eventstore.is_none() {
            bail!(
                "roles: the log in the data directory serves one process, with all roles; for several, give --eventstore"
            );
        }
        if config.nats.is_none()
            && let Some(service) = services.need_nats()
        {
            bail!("role {service} needs the NATS server that all processes share: give --nats");
        }
        if services.has(Service::Membership) && !services.has(Service::Projections) {
            bail!(
                "role membership needs role projections in the same process: it compares with the names that are kept there"
            );
        }
        Ok(services)
    }

    /// Every one.
    pub fn all() -> Self {
        Self(Service::value_variants().iter().copied().collect())
    }

    /// These.
    pub fn these(services: impl IntoIterator<Item = Service>) -> Self {
        Self(services.into_iter().collect())
    }

    /// This one.
    pub fn only(service: Service) -> Self {
        Self(BTreeSet::from([service]))
    }

    /// Whether this one is among them.
    pub fn has(&self, service: Service) -> bool {
        self.0.contains(&service)
    }

    /// One that needs NATS, if there is one.
    pub fn need_nats(&self) -> Option<Service> {
        [Service::Relay, Service::Projections, Service::Reporting].into_iter().find(|service| self.has(*service))
    }

    /// Whether one of them needs people's keys.
    pub fn need_vault(&self) -> bool {
        [Service::Membership, Service::Attendance, Service::Projections].iter().any(|service| self.has(*service))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn services(roles: &[Service], eventstore: bool, nats: bool) -> Result<Services, String> {
        let config = Config {
            roles: roles.to_vec(),
            eventstore: eventstore.then(|| "esdb://localhost".into()),
            nats: nats.then(|| "nats://localhost".into()),
            ..Config::default()
        };
        Services::of(&config).map_err(|error| error.to_string())
    }

    #[test]
    fn a_process_has_all_roles_unless_it_names_some() {
        assert_eq!(services(&[], false, false), Ok(Services::all()));
        let some = services(&[Service::Attendance, Service::Directory], true, false).unwrap();
        assert!(some.has(Service::Attendance) && !some.has(Service::Relay) && some.need_vault());
    }

    #[test]
    fn what_is_missing_is_said() {
        let said = |roles: &[Service], eventstore, nats| services(roles, eventstore, nats).unwrap_err();
        assert!(said(&[Service::Relay], false, true).contains("--eventstore"));
        for needy in [Service::Relay, Service::Projections, Service::Reporting] {
            assert!(said(&[needy], true, false).contains(&format!("role {needy} needs")));
        }
        assert!(said(&[Service::Membership], true, true).contains("projections in the same process"));
    }
}
