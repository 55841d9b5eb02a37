//! What waits for whoever leads a group: registers that nobody has closed.

use async_trait::async_trait;
use domain::OrgId;
use host::{Change, Found, Item, Kind, Of, Queue, Urgency, Views};
use jiff::{SignedDuration, Timestamp};
use projections::{Unreported, topics};
use web::Operation;

use crate::op;

/// How long after a meeting its register is overdue. Our choice: whoever was there still knows.
const OVERDUE_AFTER: SignedDuration = SignedDuration::from_hours(24);

/// A meeting is over, and nobody said what became of it.
static REGISTER_NOT_REPORTED: Kind = Kind {
    name: "register_not_reported",
    about: "meetings",
    why: "the meeting is over, and nobody has said whether it took place",
    resolved_by: &[op::ReportMeeting::MAY, op::CloseRegister::MAY, op::MeetingDidNotOccur::MAY, op::CancelMeeting::MAY],
};

/// Registers that wait.
pub(crate) struct Registers(pub Views);

#[async_trait]
impl Queue for Registers {
    fn kinds(&self) -> &'static [&'static Kind] {
        const { &[&REGISTER_NOT_REPORTED] }
    }

    fn touched_by(&self, change: &Change) -> Option<Of> {
        change.is_of(&[&topics::MEETINGS]).then_some(Of::Everything)
    }

    async fn find(&self, org: &OrgId, _: Of, now: Timestamp) -> anyhow::Result<Found> {
        let org = org.clone();
        let read = move |connection: &_| projections::unreported(connection, org.as_str(), now);
        let (unreported, next) = self.0.look(read).await??;
        let item = |Unreported { meeting, group, ends_at }| Item {
            kind: &REGISTER_NOT_REPORTED,
            about: meeting.0,
            member: None,
            other: None,
            group: Some(group),
            for_leaders: true,
            not_for: None,
            owner: None,
            urgency: Urgency::Routine,
            since: ends_at,
            due_at: Some(ends_at + OVERDUE_AFTER),
        };
        let items = unreported.into_iter().map(item).collect();
        Ok(Found { next, ..Found::items(Of::Everything, items) })
    }
}
