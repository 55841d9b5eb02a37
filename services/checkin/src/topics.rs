//! What can be read again when it has changed.

use host::Topic;
use web::Operation;

use crate::op;

/// Check-ins, and which are due.
pub(crate) static CHECK_INS: Topic = Topic {
    name: "check_ins",
    reads: &[op::ListCheckInsDue::MAY, op::ListMemberCheckInsDue::MAY, op::ShowJourney::MAY],
};

/// Goals.
pub(crate) static GOALS: Topic = Topic { name: "goals", reads: &[op::ShowJourney::MAY] };

/// Concerns.
pub(crate) static CONCERNS: Topic = Topic { name: "concerns", reads: &[op::ListConcerns::MAY] };

/// What is asked of members, and who is told when somebody may be in danger.
pub(crate) static PROTOCOL: Topic = Topic { name: "protocol", reads: &[op::ShowProtocol::MAY] };
