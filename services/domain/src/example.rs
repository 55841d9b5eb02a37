//! An example: what a group was counted to be, whatever that is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Decider, event::events};

/// Stream kind of examples; each group has one.
#[derive(Debug)]
pub struct Example;

/// Something was counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Counted {
    /// How many.
    pub count: u16,
}

events! {
    /// What can have happened.
    pub enum Event of "example" {
        /// Something was counted.
        Counted = "example.counted" v 1,
    }
}

/// What was counted last, if something was.
pub type State = Option<u16>;

/// What can be asked.
#[derive(Debug, Clone)]
pub enum Command {
    /// Count so many.
    Count(u16),
}

/// Why something was refused: nothing is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {}

impl crate::Refusal for Refusal {
    fn code(&self) -> &'static str {
        match *self {}
    }
}

impl Decider for Example {
    type Command = Command;
    type Event = Event;
    type State = State;
    type Refusal = Refusal;

    fn decide(Command::Count(count): &Command, state: &State) -> Result<Vec<Event>, Refusal> {
        let is_new = *state != Some(*count);
        Ok(is_new.then_some(Event::Counted(Counted { count: *count })).into_iter().collect())
    }

    fn evolve(_: State, Event::Counted(Counted { count }): &Event) -> State {
        Some(*count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decider::spec::{asking_twice_changes_nothing, given};

    #[test]
    fn the_same_count_again_changes_nothing() {
        let history = [Event::Counted(Counted { count: 3 })];
        given::<Example>([]).when(&Command::Count(3)).then(&history);
        given::<Example>(history.clone()).when(&Command::Count(3)).then_nothing();
        asking_twice_changes_nothing::<Example>(&history, &Command::Count(4));
    }
}
