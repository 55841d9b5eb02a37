//! Who set the marks of a register, and when: read of the log, because whose command an event was leaves it nowhere else.

use std::{borrow::Cow, collections::BTreeMap};

use domain::{
    MeetingId, MemberId, OrgId,
    meeting::{AttendanceCorrected, AttendanceRecorded, AttendanceTakenBack, Event},
};
use eventlog::{Position, Recorded};
use jiff::Timestamp;
use serde::Deserialize;

use crate::Projections;

/// That a mark was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MarkSet {
    /// By whom: the subject of their token.
    pub by: Option<String>,
    pub at: Timestamp,
}

impl Projections {
    /// Who set each mark of a meeting that stands at this position. None of it where the log does not answer: what the
    /// register says is shown all the same.
    pub(crate) async fn recorded(
        &self,
        org: &OrgId,
        (meeting, position): (MeetingId, Position),
    ) -> BTreeMap<MemberId, MarkSet> {
        let events = self.meetings.events(org, meeting).await;
        let events = events.inspect_err(|error| tracing::warn!(%meeting, %error, "who set the marks is not shown"));
        set(events.iter().flatten().filter(|event| event.position <= position))
    }
}

/// The marks that stand after these events, by the record under which they were made.
fn set<'a>(events: impl Iterator<Item = &'a Recorded>) -> BTreeMap<MemberId, MarkSet> {
    let mut stand = BTreeMap::new();
    for event in events {
        let set = || MarkSet { by: actor(&event.metadata), at: event.recorded_at };
        match event.of::<Event>() {
            Ok(Some(
                Event::AttendanceRecorded(AttendanceRecorded { member, .. })
                | Event::AttendanceCorrected(AttendanceCorrected { member, now: Some(_), .. }),
            )) => _ = stand.insert(member, set()),
            Ok(Some(
                Event::AttendanceTakenBack(AttendanceTakenBack { member, .. })
                | Event::AttendanceCorrected(AttendanceCorrected { member, now: None, .. }),
            )) => _ = stand.remove(&member),
            _ => {}
        }
    }
    stand
}

/// Whose command led to an event.
fn actor(metadata: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct By<'a> {
        #[serde(borrow)]
        actor: Cow<'a, str>,
    }
    serde_json::from_slice::<By<'_>>(metadata).ok().map(|by| by.actor.into_owned())
}
