//! How a meeting went: its phases, what it was about, who led it. It says nothing of members.
//!
//! Phases have times, not minutes after the planned start: that a meeting began late is part of how it went.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::vocabulary::Plan;
use crate::{Subject, sealed::Sealed, text::Text};

/// Most phases of one meeting, a count.
pub const PHASES_MAX: usize = 20;
/// Most facilitators of one meeting, a count.
pub const FACILITATORS_MAX: usize = 20;
/// How long before the meeting's planned start a phase can start, and after its planned end a phase can end.
pub const PHASE_OUTSIDE_MAX: SignedDuration = SignedDuration::from_hours(12);

/// What a meeting was about: as it is written, before it is sealed.
pub type Topic = Text<300>;

/// What was kept of how a meeting went; all of it is optional.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Structure {
    /// Its phases, in their order; none overlaps another.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub phases: Vec<Phase>,
    /// What it was about; sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<Sealed>,
    /// Who was there to lead it, as their tokens say.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub facilitators: BTreeSet<Subject>,
}

/// A part of a meeting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Phase {
    /// What was done.
    pub kind: PhaseKind,
    /// Start, at most 12 hours before the meeting's planned start.
    #[schema(example = "2026-06-02T23:00:00Z")]
    pub starts_at: Timestamp,
    /// End, at most 12 hours after the meeting's planned end.
    #[schema(example = "2026-06-02T23:15:00Z")]
    pub ends_at: Timestamp,
}

/// What is done in a part of a meeting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PhaseKind {
    /// Each says how they are.
    CheckIn,
    /// All talk about the topic.
    Discussion,
    /// One after the other tells of themselves.
    Sharing,
    /// Each says what they take with them.
    Closing,
}

/// Why a phase cannot be one of a meeting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PhaseRefusal {
    /// It takes no time, or less.
    #[error("does not end after it starts")]
    NoTime,
    /// Not then.
    #[error("is more than {hours} hours outside of the meeting", hours = PHASE_OUTSIDE_MAX.as_hours())]
    Outside,
    /// Not in order, or two at once.
    #[error("starts before the one before it ends")]
    Overlap,
}

impl Structure {
    /// The first of the phases that cannot be one of a meeting with this plan, counted from 1, and why.
    pub(super) fn impossible(&self, plan: &Plan) -> Option<(usize, PhaseRefusal)> {
        let before = [None].into_iter().chain(self.phases.iter().map(Some));
        (1..).zip(self.phases.iter().zip(before)).find_map(|(nth, (phase, before))| {
            let early = plan.starts_at.duration_since(phase.starts_at) > PHASE_OUTSIDE_MAX;
            let late = phase.ends_at.duration_since(plan.ends_at) > PHASE_OUTSIDE_MAX;
            match () {
                () if phase.ends_at <= phase.starts_at => Some((nth, PhaseRefusal::NoTime)),
                () if early || late => Some((nth, PhaseRefusal::Outside)),
                () if before.is_some_and(|before| phase.starts_at < before.ends_at) => {
                    Some((nth, PhaseRefusal::Overlap))
                }
                () => None,
            }
        })
    }
}
