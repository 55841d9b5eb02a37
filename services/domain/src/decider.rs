//! What every kind of stream has in common.

use std::fmt::{Debug, Display};

use crate::event::DomainEvent;

/// What may happen next, given what has happened.
pub trait Decider: Debug + Send + Sync + 'static {
    /// What can be asked.
    type Command: Send + Sync;
    /// What can have happened: its type is the kind of stream.
    type Event: DomainEvent;
    /// What is known; the default is the state before the first event.
    type State: Default + Clone + Debug + Send + Sync;
    /// Why something was refused.
    type Refusal: Refusal;

    /// The events that follow from `command`, none if what it asks for already holds.
    ///
    /// # Errors
    /// A refusal, if the rules of the domain forbid it.
    fn decide(command: &Self::Command, state: &Self::State) -> Result<Vec<Self::Event>, Self::Refusal>;

    /// The state after `event`. Never fails: what happened, happened.
    fn evolve(state: Self::State, event: &Self::Event) -> Self::State;
}

/// A sentence of the domain that says why a command was refused. Not an error: nothing is broken.
pub trait Refusal: Debug + Display + Send + Sync + 'static {
    /// Name of the page in `schemas/problems/` that explains it.
    fn code(&self) -> &'static str;
    /// Whether the thing asked about is absent, or present and in the way.
    fn kind(&self) -> RefusalKind {
        RefusalKind::Conflict
    }
    /// For a command with many parts: each refused part and why.
    fn parts(&self) -> Vec<(String, String)> {
        Vec::new()
    }
}

/// How a refusal shows over HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// There is no such thing here (404).
    Absent,
    /// What holds now forbids it (409).
    Conflict,
}

/// Given / when / then for deciders.
#[cfg(test)]
pub(crate) mod spec {
    use super::Decider;

    /// A stream with a history, waiting for a command.
    pub struct Given<D: Decider>(D::State);
    /// What the command led to.
    pub struct When<D: Decider>(D::State, Result<Vec<D::Event>, D::Refusal>);

    pub fn given<D: Decider>(history: impl IntoIterator<Item = D::Event>) -> Given<D> {
        Given(history.into_iter().fold(D::State::default(), |state, event| D::evolve(state, &event)))
    }

    impl<D: Decider> Given<D> {
        pub fn when(self, command: &D::Command) -> When<D> {
            let outcome = D::decide(command, &self.0);
            When(self.0, outcome)
        }
    }

    impl<D: Decider> When<D>
    where
        D::Event: PartialEq,
        D::Refusal: PartialEq,
    {
        #[track_caller]
        pub fn then(self, expected: &[D::Event]) {
            assert_eq!(self.1.expect("not refused"), expected);
        }

        #[track_caller]
        pub fn then_nothing(self) {
            self.then(&[]);
        }

        #[track_caller]
        pub fn then_refused(self, expected: &D::Refusal) {
            assert_eq!(&self.1.expect_err("refused"), expected);
        }
    }

    /// The law of every command: once done, asking again changes nothing.
    #[track_caller]
    pub fn asking_twice_changes_nothing<D: Decider>(history: &[D::Event], command: &D::Command)
    where
        D::Event: PartialEq,
    {
        let state = history.iter().fold(D::State::default(), D::evolve);
        if let Ok(events) = D::decide(command, &state) {
            let after = events.iter().fold(state, D::evolve);
            assert_eq!(D::decide(command, &after).expect("not refused the second time"), []);
        }
    }
}
