//! Histories for tests: events as the log records them, without the rules of the domain, so that anything may come
//! after anything.

use std::collections::BTreeMap;

use domain::{
    DomainEvent, GroupId, MeetingId, MemberId, OrgId, ProgrammeId,
    group::{self, Focus, MeetingMode},
    meeting::{self, AttendanceMode, Entry, HeadCategory, Mark, Plan},
    member, programme,
};
use eventlog::{Position, Recorded, StreamName};
use jiff::{Timestamp, civil::DateTime};
use uuid::Uuid;

/// Events of a log, oldest first.
#[derive(Debug, Clone, Default)]
pub(crate) struct History {
    pub events: Vec<Recorded>,
    /// How many positions the next event leaves out, as `KurrentDB` does.
    pub gap: u64,
}

pub(crate) fn org(name: &str) -> OrgId {
    name.parse().unwrap()
}
pub(crate) fn id(kind: u8, number: u64) -> Uuid {
    Uuid::from_u64_pair(u64::from(kind) << 56 | 0x0dec_af00, number << 8 | 0x80)
}
pub(crate) fn programme(number: u64) -> ProgrammeId {
    ProgrammeId(id(1, number))
}
pub(crate) fn group(number: u64) -> GroupId {
    GroupId(id(2, number))
}
pub(crate) fn meeting(number: u64) -> MeetingId {
    MeetingId(id(3, number))
}
pub(crate) fn member(number: u64) -> MemberId {
    MemberId(id(4, number))
}

impl History {
    pub fn push<E: DomainEvent>(&mut self, org: &OrgId, id: Uuid, event: &E) {
        let last = self.events.last().map_or(0, |event| event.position.0);
        let (event_type, version) = event.event_type();
        self.events.push(Recorded {
            position: Position(last + 1 + self.gap),
            stream: StreamName::new(E::CATEGORY, org, id),
            revision: 0,
            id: Uuid::from_u64_pair(0, last),
            event_type: event_type.into(),
            version,
            recorded_at: Timestamp::UNIX_EPOCH,
            data: event.encode().into(),
            metadata: b"{}".as_slice().into(),
        });
    }

    fn meeting(&mut self, org: &OrgId, meeting: MeetingId, event: &meeting::Event) {
        self.push(org, meeting.0, event);
    }

    pub fn member(&mut self, org: &OrgId, member: MemberId, event: &member::Event) {
        self.push(org, member.0, event);
    }

    pub fn merge(&mut self, org: &OrgId, from: MemberId, into: MemberId) {
        self.member(org, from, &member::Event::Merged(member::Merged { into }));
    }

    pub fn programme(&mut self, org: &OrgId, programme: ProgrammeId, name: &str) {
        let details = programme::Details { name: name.parse().unwrap(), source: None };
        let event = programme::Event::Changed(programme::Changed { details });
        self.push(org, programme.0, &event);
    }

    pub fn group(&mut self, org: &OrgId, group: GroupId, programme: ProgrammeId) {
        let details = group::Details {
            name: "Tuesdays".parse().unwrap(),
            programme,
            focus: Focus::Other,
            formats: vec![],
            mode: MeetingMode::Hybrid,
            venue: None,
            language: None,
            comments: None,
            accessibility: vec![],
            cost: None,
            cost_details: None,
            website: None,
            listed: false,
            source: None,
        };
        self.push(org, group.0, &group::Event::Changed(group::Changed { details }));
    }

    pub fn plan(&mut self, org: &OrgId, meeting: MeetingId, group: GroupId, local: DateTime, mode: MeetingMode) {
        let starts_at = local.to_zoned(domain::time_zone("America/New_York").unwrap()).unwrap().timestamp();
        let plan = Plan { group, starts_at_local: local, starts_at, ends_at: starts_at, mode, place: None };
        self.meeting(org, meeting, &meeting::Event::Replanned(meeting::Replanned { plan }));
    }

    pub fn status(&mut self, org: &OrgId, meeting: MeetingId, status: meeting::Status) {
        use meeting::{Event, Status};
        let Ok(reason) = "why".parse::<domain::Sealed>();
        let event = match status {
            Status::Planned => Event::Reinstated(meeting::Reinstated { reason }),
            Status::Open => Event::Opened(meeting::Opened {}),
            Status::Held => Event::Held(meeting::Held {}),
            Status::Cancelled => Event::Cancelled(meeting::Cancelled { reason }),
            Status::DidNotOccur => Event::DidNotOccur(meeting::DidNotOccur { reason }),
            Status::Unplanned => Event::Unplanned(meeting::Unplanned {}),
        };
        self.meeting(org, meeting, &event);
    }

    pub fn held(&mut self, org: &OrgId, meeting: MeetingId) {
        self.status(org, meeting, meeting::Status::Held);
    }

    pub fn reopened(&mut self, org: &OrgId, meeting: MeetingId) {
        let reason = "why".parse().unwrap();
        self.meeting(org, meeting, &meeting::Event::Reopened(meeting::Reopened { reason }));
    }

    pub fn take_back(&mut self, org: &OrgId, meeting: MeetingId, member: MemberId, was: Entry) {
        let taken = meeting::AttendanceTakenBack { member, was };
        self.meeting(org, meeting, &meeting::Event::AttendanceTakenBack(taken));
    }

    pub fn mark(&mut self, org: &OrgId, meeting: MeetingId, member: MemberId, entry: Entry) {
        let recorded = meeting::AttendanceRecorded { member, entry, walk_in: false };
        self.meeting(org, meeting, &meeting::Event::AttendanceRecorded(recorded));
    }

    pub fn correct(&mut self, org: &OrgId, meeting: MeetingId, member: MemberId, now: Option<Entry>) {
        let corrected = meeting::AttendanceCorrected { member, was: None, now, reason: "why".parse().unwrap() };
        self.meeting(org, meeting, &meeting::Event::AttendanceCorrected(corrected));
    }

    pub fn heads(&mut self, org: &OrgId, meeting: MeetingId, heads: &[(HeadCategory, u16)]) {
        let heads = heads.iter().copied().collect::<BTreeMap<_, _>>();
        let recorded = meeting::HeadcountRecorded { heads, reason: None };
        self.meeting(org, meeting, &meeting::Event::HeadcountRecorded(recorded));
    }
}

/// Came, in the room.
pub(crate) fn present() -> Entry {
    Entry { mark: Mark::Present, mode: Some(AttendanceMode::InPerson) }
}

/// Did not come.
pub(crate) fn absent() -> Entry {
    Entry { mark: Mark::Absent, mode: None }
}
