//! What can be read again when it has changed.

use host::Topic;
use web::Operation;

use crate::op;

/// Partners, their services and what these have room for.
pub(crate) static PARTNERS: Topic = Topic { name: "partners", reads: &[op::ListPartners::MAY] };
