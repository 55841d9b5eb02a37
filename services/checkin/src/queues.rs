//! What waits for somebody about members' care: concerns, and check-ins that were missed.

use std::collections::BTreeMap;

use async_trait::async_trait;
use domain::{
    OrgId, care,
    protocol::{self, Protocol},
};
use eventlog::Streams;
use host::{Case, Change, Found, Item, Kind, Of, Queue, Scope, Urgency, Views};
use jiff::Timestamp;
use projections::topics as of_members;
use web::{Clock, Operation};

use crate::{
    care_view,
    due::{self, AllAsked, Missed},
    list_concerns::ConcernLine,
    op, topics,
};

/// Nobody has seen a concern.
static CONCERN_TO_ACKNOWLEDGE: Kind = Kind {
    name: "concern_to_acknowledge",
    about: "concerns",
    why: "somebody may be in danger, or left a question about it without an answer, and nobody has said that they have \
          seen it",
    resolved_by: &[op::AcknowledgeConcern::MAY, op::ResolveConcern::MAY],
};

/// Somebody sees to a concern.
static CONCERN_TO_RESOLVE: Kind = Kind {
    name: "concern_to_resolve",
    about: "concerns",
    why: "somebody sees to it, and it is not settled",
    resolved_by: &[op::ResolveConcern::MAY],
};

/// A check-in was not taken in its time.
static CHECK_IN_MISSED: Kind = Kind {
    name: "check_in_missed",
    about: "members",
    why: "a check-in that the programme asks for was not taken in its time; it goes after four weeks, or when the next \
          one opens",
    resolved_by: &[op::RecordCheckIn::MAY],
};

/// Concerns.
pub(crate) struct Concerns {
    pub views: Views,
    pub protocols: Streams<Protocol>,
}

#[async_trait]
impl Queue for Concerns {
    fn kinds(&self) -> &'static [&'static Kind] {
        const { &[&CONCERN_TO_ACKNOWLEDGE, &CONCERN_TO_RESOLVE] }
    }

    fn touched_by(&self, change: &Change) -> Option<Of> {
        change.is_of(&[&topics::CONCERNS, &topics::PROTOCOL, &of_members::PERSONS]).then_some(Of::Everything)
    }

    async fn find(&self, org: &OrgId, _: Of, now: Timestamp) -> anyhow::Result<Found> {
        let whose = org.clone();
        let read = move |connection: &_| care_view::all_open_concerns(connection, whose.as_str());
        let (rows, persons) = self.views.look(read).await??;
        let line = |protocol: &protocol::State| {
            let line = |row| ConcernLine::new(row, protocol, now);
            rows.iter().map(line).collect::<Vec<_>>()
        };
        let look = |protocol: &eventlog::Loaded<protocol::State>| line(&protocol.state);
        let lines = self.protocols.look(org, protocol::stream_id(org), look).await?;
        let mut cases = vec![];
        let item = |(line, member): (ConcernLine, _)| {
            let seen = line.acknowledged_at;
            if let (Some(_), Some(owner)) = (seen, &line.owner) {
                cases.push(Case { owner: owner.clone(), what: "concern", about: line.concern.0, member });
            }
            let since = seen.unwrap_or(came_at(&line));
            Item {
                kind: if seen.is_some() { &CONCERN_TO_RESOLVE } else { &CONCERN_TO_ACKNOWLEDGE },
                about: line.concern.0,
                member: Some(member),
                other: None,
                group: None,
                for_leaders: false,
                not_for: None,
                owner: line.owner,
                urgency: match line.urgency {
                    care::Urgency::Prompt => Urgency::Emergency,
                    care::Urgency::Routine => Urgency::Routine,
                },
                since,
                due_at: seen.is_none().then_some(line.acknowledge_by),
            }
        };
        let items = lines.into_iter().zip(persons).map(item).collect();
        Ok(Found { cases, ..Found::items(Of::Everything, items) })
    }
}

/// When a concern that nobody has seen came to whom it is with now: they are told of it from then on.
fn came_at(line: &ConcernLine) -> Timestamp {
    match line.escalation {
        care::Escalation::None => line.raised_at,
        care::Escalation::Organisation | care::Escalation::Everybody => line.acknowledge_by,
    }
}

/// Check-ins that were missed.
pub(crate) struct MissedCheckIns {
    pub views: Views,
    pub protocols: Streams<Protocol>,
    pub clock: Clock,
}

#[async_trait]
impl Queue for MissedCheckIns {
    fn kinds(&self) -> &'static [&'static Kind] {
        const { &[&CHECK_IN_MISSED] }
    }

    fn touched_by(&self, change: &Change) -> Option<Of> {
        match change.scope {
            Scope::Member(member) if change.is_of(&[&topics::CHECK_INS]) => Some(Of::Member(member)),
            Scope::Group(group) if change.is_of(&[&of_members::ENROLMENTS, &of_members::GROUPS]) => {
                Some(Of::Group(group))
            }
            _ => change.is_of(&[&topics::PROTOCOL, &of_members::PERSONS]).then_some(Of::Everything),
        }
    }

    async fn find(&self, org: &OrgId, of: Of, now: Timestamp) -> anyhow::Result<Found> {
        let look = |protocol: &eventlog::Loaded<protocol::State>| AllAsked::of(&protocol.state);
        let asked = self.protocols.look(org, protocol::stream_id(org), look).await?;
        let (org, now) = (org.clone(), self.clock.local(now));
        let read = move |connection: &_| {
            let (of, places) = match of {
                Of::Everything => (of, (None, None)),
                Of::Group(group) => (of, (Some(group), None)),
                Of::Member(member) => {
                    let person = projections::goes_on_as(connection, org.as_str(), member)?;
                    (Of::Member(person), (None, Some(person)))
                }
            };
            Ok((of, due::missed(connection, org.as_str(), places, (&asked, &now))?))
        };
        let (of, (missed, next)) = self.views.look(read).await??;
        // Of several that somebody missed in a group, the first.
        let mut items = BTreeMap::new();
        for Missed { member, group, since, left } in missed {
            let item = items.entry((member, group)).or_insert(Item {
                kind: &CHECK_IN_MISSED,
                about: member.0,
                member: Some(member),
                other: None,
                group: Some(group),
                for_leaders: !left,
                not_for: None,
                owner: None,
                urgency: Urgency::Routine,
                since,
                due_at: None,
            });
            item.since = item.since.min(since);
        }
        Ok(Found { next, ..Found::items(of, items.into_values().collect()) })
    }
}
