//! The specification of Kith as code: what can be asked ([`Decider::Command`]), what may be refused and why
//! ([`Refusal`]), what then has happened ([`DomainEvent`]) and what follows from it ([`Decider::State`]).
//!
//! One file per kind of stream, each read top-down: events, state, commands, refusals, decisions, tests.
//!
//! **Invariant:** nothing here is async, does I/O, reads a clock or draws a random number.

pub mod access;
pub mod audit;
pub mod care;
mod day;
mod decider;
pub mod endpoint;
mod event;
pub mod group;
mod id;
pub mod instrument;
mod kinds;
pub mod letter;
pub mod mailbox;
pub mod meeting;
pub mod member;
pub mod outgoing;
pub mod partner;
pub mod people;
pub mod programme;
pub mod protocol;
pub mod referral;
mod role;
pub mod roster;
pub mod route;
mod schedule;
mod sealed;
mod subject;
mod text;

pub use day::{LocalDay, there, time_zone, zone_name};
pub use decider::{Decider, Refusal, RefusalKind};
pub use event::{DecodeError, DomainEvent, EventType, stored};
pub use id::{
    AttemptId, CalendarId, CheckInId, ClientId, ConcernId, ConsentId, EndpointId, GlassId, GoalId, GroupId, HoldId,
    IdError, LinkId, MeetingId, MemberId, MessageId, NeedId, OrgId, PartnerId, ProgrammeId, ServiceId, is_nobody,
};
pub use kinds::{AnyEvent, KINDS, Kind};
pub use role::Role;
pub use schedule::{Schedule, ScheduleError};
pub use sealed::Sealed;
pub use subject::{SUBJECT_CHARS_MAX, Subject, SubjectError, TokenId};
pub use text::{Text, TextError, is_invisible, mended};

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use serde::Serialize;
    use strum::VariantArray;

    use super::{Role, group, meeting, member, roster};

    fn are_named_as_stored<T: VariantArray + Serialize + Debug + Copy + Into<&'static str>>() {
        for value in T::VARIANTS {
            let name: &str = (*value).into();
            assert_eq!(serde_json::to_value(value).unwrap(), name, "{value:?}");
        }
    }

    #[test]
    fn names_are_the_same_in_events_and_wherever_else_they_are_shown() {
        are_named_as_stored::<Role>();
        are_named_as_stored::<group::MeetingMode>();
        are_named_as_stored::<meeting::AttendanceMode>();
        are_named_as_stored::<meeting::Mark>();
        are_named_as_stored::<meeting::Status>();
        are_named_as_stored::<member::Purpose>();
        are_named_as_stored::<roster::Stage>();
        assert_eq!(Role::VARIANTS, Role::ALL);
    }
}
