//! Which services run in a process: contexts, and the relay.

use std::{collections::BTreeSet, fmt, str::FromStr, sync::LazyLock};

use anyhow::bail;
use clap::{ValueEnum, builder::PossibleValue};
use host::{Context, Need};
use serde::{Deserialize, Deserializer, Serialize, de::Error};

use crate::{Config, contexts::CONTEXTS};

/// What copies the log to NATS: the one service that is no context.
const RELAY: &str = "relay";

/// Contexts by what they need, so that a new one is in some process wherever processes name these.
const GROUPS: [Group; 2] = [
    Group {
        name: "commands",
        about: "All contexts that need neither views nor NATS",
        has: |context| !context.needs.contains(&Need::Views) && !context.needs.contains(&Need::Nats),
    },
    Group {
        name: "people",
        about: "All contexts that need views",
        has: |context| context.needs.contains(&Need::Views),
    },
];

struct Group {
    name: &'static str,
    about: &'static str,
    has: fn(&Context) -> bool,
}

static ALL: LazyLock<Vec<Service>> = LazyLock::new(|| {
    let groups = GROUPS.iter().map(|group| group.name);
    CONTEXTS.iter().map(|context| context.name).chain([RELAY]).chain(groups).map(Service).collect()
});

/// A part of Kith that can run in a process of its own, or a name for several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Service(&'static str);

/// Some of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Services(BTreeSet<Service>);

/// What is called like no service.
#[derive(Debug, thiserror::Error)]
#[error("there is no service {0}; there are: {known}", known = ALL.iter().map(|one| one.0).collect::<Vec<_>>().join(", "))]
pub struct UnknownService(String);

impl FromStr for Service {
    type Err = UnknownService;
    fn from_str(name: &str) -> Result<Self, UnknownService> {
        ALL.iter().find(|service| service.0 == name).copied().ok_or_else(|| UnknownService(name.into()))
    }
}

impl<'de> Deserialize<'de> for Service {
    fn deserialize<D: Deserializer<'de>>(name: D) -> Result<Self, D::Error> {
        String::deserialize(name)?.parse().map_err(Error::custom)
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl ValueEnum for Service {
    fn value_variants<'a>() -> &'a [Self] {
        &ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let about = self.context().map(|context| context.about).or(self.group().map(|group| group.about));
        let about = about.unwrap_or("Copies the log to NATS");
        Some(PossibleValue::new(self.0).help(about))
    }
}

impl Service {
    /// Each that is no name for several.
    pub fn each() -> impl Iterator<Item = Self> {
        ALL.iter().copied().filter(|service| service.group().is_none())
    }

    /// Those that it names: itself, unless it is a name for several.
    pub fn named(self) -> impl Iterator<Item = Self> {
        Self::each().filter(move |one| match (self.group(), one.context()) {
            (Some(group), context) => context.is_some_and(group.has),
            (None, _) => *one == self,
        })
    }

    /// The context, unless it is the relay or a name for several.
    pub fn context(self) -> Option<&'static Context> {
        CONTEXTS.iter().find(|context| context.name == self.0).copied()
    }

    fn group(self) -> Option<&'static Group> {
        GROUPS.iter().find(|group| group.name == self.0)
    }

    fn needs(self, need: Need) -> bool {
        self.context().is_some_and(|context| context.needs.contains(&need))
    }

    /// Whether it hears from NATS: what brings views up to date does, too.
    fn hears(self) -> bool {
        self.needs(Need::Nats) || self.needs(Need::Views)
    }
}

impl Services {
    /// Those that `config` asks for: all of them, unless it names some.
    ///
    /// # Errors
    /// If they cannot run like that; says what is missing.
    pub fn of(config: &Config) -> anyhow::Result<Self> {
        if config.services.is_empty() {
            return Ok(Self::all());
        }
        let services = Self::these(config.services.iter().flat_map(|service| service.named()));
        if config.eventstore.is_none() {
            bail!(
                "services: the log in the data directory serves one process, with all services; for several, give \
                 --eventstore"
            );
        }
        if let Some(service) = services.0.iter().find(|service| service.hears())
            && config.nats.is_none()
        {
            bail!("service {service} needs the NATS server that all processes share: give --nats");
        }
        if services.have(RELAY) && !config.nats_given() {
            bail!("service relay needs the NATS server that all processes share: give --nats-relay");
        }
        Ok(services)
    }

    /// Every one.
    pub fn all() -> Self {
        Self::these(Service::each())
    }

    /// These.
    pub fn these(services: impl IntoIterator<Item = Service>) -> Self {
        Self(services.into_iter().collect())
    }

    /// Whether the one of this name is among them.
    pub fn have(&self, name: &str) -> bool {
        self.0.iter().any(|service| service.0 == name)
    }

    /// Whether one of them copies the log to NATS.
    pub fn relay(&self) -> bool {
        self.have(RELAY)
    }

    /// Whether one of them hears from NATS.
    pub fn hear(&self) -> bool {
        self.0.iter().any(|service| service.hears())
    }

    /// Whether one of them needs the views.
    pub fn need_views(&self) -> bool {
        self.0.iter().any(|service| service.needs(Need::Views))
    }

    /// Whether one of them needs people's keys: what follows the views does, too.
    pub fn need_vault(&self) -> bool {
        self.need_views() || self.0.iter().any(|service| service.needs(Need::Vault))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn services(names: &[&str], eventstore: bool, nats: bool) -> Result<Services, String> {
        let config = Config {
            services: names.iter().map(|name| name.parse().unwrap()).collect(),
            eventstore: eventstore.then(|| "esdb://localhost".into()),
            nats: nats.then(|| "nats://localhost".into()),
            ..Config::default()
        };
        Services::of(&config).map_err(|error| error.to_string())
    }

    #[test]
    fn a_process_has_all_services_unless_it_names_some() {
        assert_eq!(services(&[], false, false), Ok(Services::all()));
        let some = services(&["attendance", "directory"], true, false).unwrap();
        assert!(some.have("attendance") && !some.relay() && some.need_vault() && !some.need_views());
        assert!("attendence".parse::<Service>().unwrap_err().to_string().contains("attendance"));
    }

    #[test]
    fn each_context_but_reporting_is_in_one_group() {
        let groups = GROUPS.iter().flat_map(|group| Service(group.name).named());
        let mut grouped: Vec<_> = groups.map(|service| service.0).collect();
        grouped.sort_unstable();
        let mut others: Vec<_> =
            CONTEXTS.iter().map(|context| context.name).filter(|name| *name != "reporting").collect();
        others.sort_unstable();
        assert_eq!(grouped, others);
    }

    #[test]
    fn what_is_missing_is_said() {
        let said = |names: &[&str], eventstore, nats| services(names, eventstore, nats).unwrap_err();
        assert!(said(&["relay"], false, true).contains("--eventstore"));
        for needy in ["relay", "projections", "membership", "reporting"] {
            assert!(said(&[needy], true, false).contains(&format!("service {needy} needs")));
        }
    }
}
