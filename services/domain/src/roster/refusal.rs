//! Why something is refused about who has a place in a group.

use jiff::civil::Date;

use super::{APPLICATIONS_MAX, MEMBERS_MAX, vocabulary::Places};
use crate::RefusalKind;

/// Why something was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Enrolled already, from another day.
    #[error("the member is enrolled since {since}")]
    AlreadyEnrolled {
        /// First day of the enrolment that lasts.
        since: Date,
    },
    /// Would overlap an earlier enrolment.
    #[error("the member's last enrolment ended on {ended_on}; the next can start the day after at the earliest")]
    Overlaps {
        /// Last day of the earlier enrolment.
        ended_on: Date,
    },
    /// Would overlap another enrolment.
    #[error("the member has another enrolment on some of these days, from {starts_on}{}", until(*.ends_on))]
    Meets {
        /// Its first day.
        starts_on: Date,
        /// Its last day, if it has one.
        ends_on: Option<Date>,
    },
    /// Not enrolled.
    #[error("the member is not enrolled in this group")]
    NotEnrolled,
    /// Ended already, otherwise.
    #[error("the enrolment has ended already, on {ended_on}")]
    Ended {
        /// Its last day.
        ended_on: Date,
    },
    /// Ends before it starts.
    #[error("the enrolment started on {starts_on}, it cannot end before")]
    EndsBeforeStart {
        /// First day of the enrolment.
        starts_on: Date,
    },
    /// The roster is full.
    #[error("the group has {MEMBERS_MAX} members, the most that are possible")]
    Full,
    /// All places are taken.
    #[error("the group has {} places and not one is free {}{}", .places.get(), when(*.on), but_from(*.free_from))]
    NoPlace {
        /// How many there are.
        places: Places,
        /// The first day without one, of days of which both ends are known, or that a correction adds.
        on: Option<Date>,
        /// When one is free for good, as far as is known.
        free_from: Option<Date>,
    },
    /// Too many ask.
    #[error("{APPLICATIONS_MAX} people ask this group for a place, the most that are possible")]
    TooManyAsk,
    /// Neither asks nor waits.
    #[error("the member neither asks nor waits for a place in this group")]
    NotAsking,
    /// Whoever is to come before them does not wait.
    #[error("whoever is to come before the member does not wait for a place in this group")]
    NotWaiting,
    /// Too late to cancel.
    #[error("the enrolment has started on {starts_on}: the member can be withdrawn")]
    Started {
        /// First day of the enrolment.
        starts_on: Date,
    },
    /// Nothing began that day.
    #[error("nothing of the member in this group began on {since}")]
    NothingSince {
        /// The day that was asked for.
        since: Date,
    },
}

fn when(on: Option<Date>) -> String {
    on.map_or_else(|| "from that day on".to_owned(), |day| format!("on {day}, a day of today or later"))
}

fn until(ends_on: Option<Date>) -> String {
    ends_on.map(|day| format!(" to {day}")).unwrap_or_default()
}

fn but_from(free: Option<Date>) -> String {
    free.map(|day| format!("; one is free from {day} on")).unwrap_or_default()
}

impl crate::Refusal for Refusal {
    fn code(&self) -> &'static str {
        match self {
            Self::AlreadyEnrolled { .. } => "already-enrolled",
            Self::Overlaps { .. } => "enrolments-overlap",
            Self::Meets { .. } => "enrolments-meet",
            Self::NotEnrolled => "not-enrolled",
            Self::Ended { .. } => "enrolment-ended",
            Self::EndsBeforeStart { .. } => "ends-before-start",
            Self::Full => "roster-full",
            Self::NoPlace { .. } => "group-full",
            Self::TooManyAsk => "too-many-applications",
            Self::NotAsking => "not-asking",
            Self::NotWaiting => "not-waiting",
            Self::Started { .. } => "enrolment-started",
            Self::NothingSince { .. } => "no-such-enrolment",
        }
    }
    fn kind(&self) -> RefusalKind {
        match self {
            Self::NotEnrolled => RefusalKind::Absent,
            Self::AlreadyEnrolled { .. }
            | Self::Overlaps { .. }
            | Self::Meets { .. }
            | Self::Ended { .. }
            | Self::EndsBeforeStart { .. }
            | Self::Full
            | Self::NoPlace { .. }
            | Self::TooManyAsk
            | Self::NotAsking
            | Self::NotWaiting
            | Self::Started { .. }
            | Self::NothingSince { .. } => RefusalKind::Conflict,
        }
    }
}
