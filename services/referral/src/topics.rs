//! What can be read again when it has changed.

use host::Topic;
use web::Operation;

use crate::op;

/// Needs, what may be told of them to whom, and referrals.
pub(crate) static REFERRALS: Topic =
    Topic { name: "referrals", reads: &[op::ListReferrals::MAY, op::ShowReferrals::MAY] };
