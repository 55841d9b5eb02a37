//! What waits for somebody about members: who has lapsed, enrolments to be confirmed, glass to be reviewed, records that
//! may be one person's.

use std::{collections::BTreeSet, time::Duration};

use anyhow::Context;
use async_trait::async_trait;
use domain::{
    MemberId, OrgId,
    member::GLASS_OPEN,
    people::{self, People},
};
use eventlog::{Loaded, Position, Streams, blocking};
use host::{Change, Found, Item, Kind, Of, Queue, Scope, Urgency, Views};
use jiff::Timestamp;
use projections::{Glass, LapsedPlace, RECORDS, Unconfirmed, topics};
use tokio::{sync::watch, time::timeout};
use vault::{Names, Vault};
use web::{Clock, Operation};

use crate::op;

/// Most records that are named because they look like one, a count.
const NEAR_MAX: usize = 20;

/// Longest wait for names of whoever was just registered.
const NAMED_WAIT_MAX: Duration = Duration::from_secs(2);

/// Somebody stays away.
static MEMBER_LAPSED: Kind = Kind {
    name: "member_lapsed",
    about: "members",
    why: "they missed three held meetings of the group or more in a row; it goes when they come again, or when their \
          place ends",
    resolved_by: &[op::WithdrawMember::MAY, op::CompleteEnrolment::MAY],
};

/// A facilitator recorded something that somebody with authority has to confirm.
static ENROLMENT_UNCONFIRMED: Kind = Kind {
    name: "enrolment_unconfirmed",
    about: "groups",
    why: "a facilitator recorded it, and until it is confirmed the record stays shut to those who lead the group",
    resolved_by: &[op::ConfirmEnrolment::MAY, op::EnrolmentEnteredInError::MAY],
};

/// Somebody opened a record in an emergency.
static GLASS_TO_REVIEW: Kind = Kind {
    name: "glass_to_review",
    about: "glass",
    why: "somebody broke the glass to read a record, and nobody else has looked at why",
    resolved_by: &[op::ReviewGlass::MAY],
};

/// Two records may be one person's.
static POSSIBLE_DUPLICATE: Kind = Kind {
    name: "possible_duplicate",
    about: "members",
    why: "two records share what hardly two people share, or nearly the same name",
    resolved_by: &[op::MergeMember::MAY, op::TellApart::MAY],
};

/// An item that is nobody's in particular.
fn item(kind: &'static Kind, about: uuid::Uuid, since: Timestamp) -> Item {
    Item {
        kind,
        about,
        member: None,
        other: None,
        group: None,
        for_leaders: true,
        not_for: None,
        owner: None,
        urgency: Urgency::Routine,
        since,
        due_at: None,
    }
}

/// Those who have lapsed.
pub(crate) struct Lapsed {
    pub views: Views,
    pub clock: Clock,
}

#[async_trait]
impl Queue for Lapsed {
    fn kinds(&self) -> &'static [&'static Kind] {
        const { &[&MEMBER_LAPSED] }
    }

    fn touched_by(&self, change: &Change) -> Option<Of> {
        match change.scope {
            Scope::Group(group) if change.is_of(&[&topics::MEETINGS, &topics::ENROLMENTS, &topics::GROUPS]) => {
                Some(Of::Group(group))
            }
            _ => change.is_of(&[&topics::PERSONS]).then_some(Of::Everything),
        }
    }

    async fn find(&self, org: &OrgId, of: Of, now: Timestamp) -> anyhow::Result<Found> {
        let group = match of {
            Of::Group(group) => Some(group),
            Of::Everything | Of::Member(_) => None,
        };
        let (org, now) = (org.clone(), self.clock.local(now));
        let read = move |connection: &_| projections::lapsed(connection, org.as_str(), group, &now);
        let (lapsed, next) = self.views.look(read).await??;
        let line = |LapsedPlace { group, member, since }| Item {
            member: Some(member),
            group: Some(group),
            ..item(&MEMBER_LAPSED, member.0, since)
        };
        let of = group.map_or(Of::Everything, Of::Group);
        Ok(Found { next, ..Found::items(of, lapsed.into_iter().map(line).collect()) })
    }
}

/// Enrolments that nobody with authority has confirmed, and broken glass that nobody has reviewed.
pub(crate) struct ToConfirm(pub Views);

#[async_trait]
impl Queue for ToConfirm {
    fn kinds(&self) -> &'static [&'static Kind] {
        const { &[&ENROLMENT_UNCONFIRMED, &GLASS_TO_REVIEW] }
    }

    fn touched_by(&self, change: &Change) -> Option<Of> {
        change.is_of(&[&topics::ENROLMENTS, &topics::MEMBERS, &topics::PERSONS]).then_some(Of::Everything)
    }

    async fn find(&self, org: &OrgId, _: Of, _: Timestamp) -> anyhow::Result<Found> {
        let org = org.clone();
        let read = move |connection: &_| {
            let unconfirmed = projections::unconfirmed(connection, org.as_str())?;
            Ok((unconfirmed, projections::broken_glass(connection, org.as_str())?))
        };
        let (unconfirmed, glass) = self.0.look(read).await??;
        let enrolment = |Unconfirmed { group, member, at }| Item {
            member: Some(member),
            group: Some(group),
            ..item(&ENROLMENT_UNCONFIRMED, group.0, at)
        };
        let broken = |Glass { member, glass, subject, until }: Glass| Item {
            member: Some(member),
            not_for: Some(subject),
            ..item(&GLASS_TO_REVIEW, glass.0, until - GLASS_OPEN)
        };
        let items = unconfirmed.into_iter().map(enrolment).chain(glass.into_iter().map(broken));
        Ok(Found::items(Of::Everything, items.collect()))
    }
}

/// Records that may be one person's: those that share what hardly two people share, or nearly the same name.
///
/// To look at all takes long: it is done once, and then of each record that changes.
pub(crate) struct Duplicates {
    pub views: Views,
    pub vault: Vault,
    pub names: Names,
    /// Up to where names are known.
    pub named: watch::Receiver<Position>,
    pub people: Streams<People>,
}

#[async_trait]
impl Queue for Duplicates {
    fn kinds(&self) -> &'static [&'static Kind] {
        const { &[&POSSIBLE_DUPLICATE] }
    }

    fn touched_by(&self, change: &Change) -> Option<Of> {
        match change.scope {
            // What is said of several records is told of each.
            Scope::Member(member) if change.is_of(&[&topics::MEMBERS]) => Some(Of::Member(member)),
            _ => None,
        }
    }

    fn is_slow(&self) -> bool {
        true
    }

    async fn parts(&self, org: &OrgId) -> anyhow::Result<Vec<Of>> {
        let org = org.clone();
        let members = self.views.look(move |connection| projections::everybody(connection, org.as_str())).await??;
        Ok(members.into_iter().map(Of::Member).collect())
    }

    async fn find(&self, org: &OrgId, of: Of, _: Timestamp) -> anyhow::Result<Found> {
        let Of::Member(asked) = of else { return Ok(Found::items(of, vec![])) };
        let (changed, mut named) = (*self.views.changed(&RECORDS).borrow(), self.named.clone());
        let reached = timeout(NAMED_WAIT_MAX, named.wait_for(|named| *named >= changed)).await;
        reached.context("possible duplicates are not looked for, because names are not known")??;
        let people = people::stream_id(org);
        let of_person = |people: &Loaded<people::State>| {
            let persons = people.state.persons();
            (persons.of(asked) == asked).then(|| persons.records(&asked).to_vec())
        };
        // A second record is looked for under that of its person.
        let Some(records) = self.people.look(org, people, of_person).await? else {
            return Ok(Found::items(of, vec![]));
        };
        let mut others = BTreeSet::new();
        for record in records {
            others.extend(self.vault.sharing_with(org, record).await?);
        }
        let (known, whose) = (self.names.clone(), org.clone());
        others.extend(blocking(move || known.near_to(&whose, asked, NEAR_MAX)).await?);
        let found = self.people.look(org, people, |people| two_of(&people.state, asked, &others)).await?;
        let (whose, records) = (org.clone(), found.iter().flat_map(|(one, other)| [*one, *other]).collect());
        let read = move |connection: &_| projections::registered_since(connection, whose.as_str(), &records);
        let since = self.views.look(read).await??;
        let line = |(one, other): (MemberId, MemberId)| {
            // Of whom nothing is known any more: erased since.
            let since = *since.get(&one)?.max(since.get(&other)?);
            Some(Item { member: Some(one), other: Some(other), ..item(&POSSIBLE_DUPLICATE, other.0, since) })
        };
        Ok(Found::items(of, found.into_iter().filter_map(line).collect()))
    }
}

/// Pairs of people of whom one has the record and the other one of these, the lesser id first: nobody said that they are
/// two.
fn two_of(people: &people::State, asked: MemberId, others: &BTreeSet<MemberId>) -> BTreeSet<(MemberId, MemberId)> {
    let one = people.persons().of(asked);
    let others = others.iter().map(|other| people.persons().of(*other));
    let others = others.filter(|other| *other != one && !people.are_apart(one, *other));
    others.map(|other| (one.min(other), one.max(other))).collect()
}
