//! What a directory says of a partner: it becomes so here, and what a directory does not say stays as it is.

use std::collections::BTreeMap;

use super::{Calendar, Command, Details, Event, Partner, Refusal, Service, ServiceDescribed, Source, State};
use crate::{Decider, ServiceId, text::Text};

/// A partner as a directory lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: Text<200>,
    /// When it works, if it is not here yet: directories do not say that in a way that can be reckoned with.
    pub calendar: Calendar,
    /// Where it was found.
    pub source: Source,
    /// Services of it; others that it has here stay as they are.
    pub services: BTreeMap<ServiceId, ListedService>,
}

/// A service as a directory lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedService {
    /// As it is listed. What it may be told of members no directory says.
    pub details: Service,
    /// What was not asked of the directory, so that its silence says nothing.
    pub unsaid: Vec<Part>,
}

/// What directories say of a service apart from the service itself, or leave out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// When it is open.
    Hours,
    /// Which languages are spoken.
    Languages,
    /// How one gets in and around.
    Accessibility,
    /// What it costs, or options beside what is said of that: what begins with it stays.
    Fees,
}

impl Listed {
    /// What follows. A closed partner's services stay as they are: nobody is referred to them.
    pub(super) fn decide(&self, state: &State) -> Result<Vec<Event>, Refusal> {
        let mut events = Partner::decide(&Command::Describe(self.details(state)), state)?;
        let mut known = events.iter().fold(state.clone(), Partner::evolve).ok_or(Refusal::Unknown)?;
        if known.closed {
            return Ok(events);
        }
        for (service, listed) in &self.services {
            let details = listed.over(known.services.get(service));
            if let Some(event) = known.describe_service(&ServiceDescribed { service: *service, details })? {
                known.evolve(&event);
                events.push(event);
            }
        }
        Ok(events)
    }

    fn details(&self, state: &State) -> Details {
        let (name, source) = (self.name.clone(), Some(self.source.clone()));
        match state {
            Some(known) => Details { name, source, ..known.details.clone() },
            None => Details {
                name,
                calendar: self.calendar.clone(),
                mailbox: None,
                treats: false,
                intermediary: false,
                hipaa: false,
                source,
            },
        }
    }
}

impl ListedService {
    /// As it is from now on, if this is how it was.
    fn over(&self, known: Option<&Service>) -> Service {
        let mut details = self.details.clone();
        let Some(known) = known else { return details };
        details.may_receive.clone_from(&known.may_receive);
        for part in &self.unsaid {
            match part {
                Part::Hours => details.hours.clone_from(&known.hours),
                Part::Languages => details.languages.clone_from(&known.languages),
                Part::Accessibility => details.accessibility.clone_from(&known.accessibility),
                Part::Fees => {
                    let said = details.fees_description.as_ref().map_or("", Text::as_str);
                    if known.fees_description.as_ref().is_some_and(|known| known.as_str().starts_with(said)) {
                        details.fees_description.clone_from(&known.fees_description);
                    }
                }
            }
        }
        details
    }
}
