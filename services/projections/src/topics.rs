//! What can be read again when it has changed.

use host::Topic;
use web::Operation;

use crate::op;

/// Programmes.
pub static PROGRAMMES: Topic = Topic { name: "programmes", reads: &[op::ListProgrammes::MAY] };

/// Groups, and their calendars.
pub static GROUPS: Topic = Topic { name: "groups", reads: &[op::ListGroups::MAY, op::ShowGroup::MAY] };

/// Who has a place, waits for one or asks for one.
pub static ENROLMENTS: Topic = Topic { name: "enrolments", reads: &[op::ShowRoster::MAY] };

/// Meetings, and what became of them; also what a register says that was closed before.
pub static MEETINGS: Topic =
    Topic { name: "meetings", reads: &[op::ListMeetings::MAY, op::ListGroupMeetings::MAY, op::ShowVitality::MAY] };

/// What registers say.
pub static REGISTERS: Topic = Topic { name: "registers", reads: &[op::ShowRegister::MAY] };

/// What is known of members.
pub static MEMBERS: Topic = Topic { name: "members", reads: &[op::ShowMember::MAY, op::SearchMembers::MAY] };

/// Which records are one person's, and who is there no more. Nobody watches it but what follows from it.
pub static PERSONS: Topic = Topic { name: "persons", reads: &[] };

/// Who opened records.
pub static AUDIT: Topic = Topic { name: "audit", reads: &[op::ListAudit::MAY] };

/// All that can be followed.
pub(crate) const ALL: &[&Topic] =
    &[&PROGRAMMES, &GROUPS, &ENROLMENTS, &MEETINGS, &REGISTERS, &MEMBERS, &AUDIT, &host::QUEUE];
