//! A programme: what an organisation runs groups under, and reports by.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Decider, RefusalKind, event::events, text::Text};

/// Stream kind of programmes.
#[derive(Debug)]
pub struct Programme;

/// What describes a programme.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ProgrammeDetails)]
pub struct Details {
    /// Its name.
    pub name: Text<200>,
    /// Where it was imported from, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Text<200>>,
}

/// A programme was registered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Registered {
    /// As registered.
    pub details: Details,
}

/// A programme's details were changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Changed {
    /// As they are now.
    pub details: Details,
}

events! {
    /// What can have happened to a programme.
    pub enum Event of "programme" {
        /// It was registered.
        Registered = "programme.registered" v 1,
        /// Its details were changed.
        Changed = "programme.changed" v 1,
    }
}

/// What is known of a programme: nothing before it is registered.
pub type State = Option<Details>;

/// What can be asked.
#[derive(Debug, Clone)]
pub enum Command {
    /// Register it, or change its details to these.
    Describe(Details),
    /// Change nothing, but be refused if there is no such programme.
    Require,
}

/// Why something was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No such programme.
    #[error("there is no such programme")]
    Unknown,
}

impl crate::Refusal for Refusal {
    fn code(&self) -> &'static str {
        match self {
            Self::Unknown => "unknown-programme",
        }
    }
    fn kind(&self) -> RefusalKind {
        match self {
            Self::Unknown => RefusalKind::Absent,
        }
    }
}

impl Decider for Programme {
    type Command = Command;
    type Event = Event;
    type State = State;
    type Refusal = Refusal;

    fn decide(command: &Command, state: &State) -> Result<Vec<Event>, Refusal> {
        Ok(match (command, state) {
            (Command::Describe(details), None) => vec![Event::Registered(Registered { details: details.clone() })],
            (Command::Describe(details), Some(now)) if now == details => vec![],
            (Command::Describe(details), Some(_)) => vec![Event::Changed(Changed { details: details.clone() })],
            (Command::Require, Some(_)) => vec![],
            (Command::Require, None) => return Err(Refusal::Unknown),
        })
    }

    fn evolve(_: State, event: &Event) -> State {
        match event {
            Event::Registered(Registered { details }) | Event::Changed(Changed { details }) => Some(details.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decider::spec::{asking_twice_changes_nothing, given};

    fn named(name: &str) -> Details {
        Details { name: name.parse().unwrap(), source: None }
    }

    #[test]
    fn a_programme_is_registered_once_and_then_changed() {
        let first = Command::Describe(named("Recovery"));
        given::<Programme>([]).when(&first).then(&[Event::Registered(Registered { details: named("Recovery") })]);
        let history = [Event::Registered(Registered { details: named("Recovery") })];
        given::<Programme>(history.clone()).when(&first).then_nothing();
        given::<Programme>(history.clone())
            .when(&Command::Describe(named("Renewal")))
            .then(&[Event::Changed(Changed { details: named("Renewal") })]);
        asking_twice_changes_nothing::<Programme>(&history, &Command::Describe(named("Renewal")));
        given::<Programme>([]).when(&Command::Require).then_refused(&Refusal::Unknown);
    }
}
