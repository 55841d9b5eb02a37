//! What waits for somebody about referrals: what was not sent, where who is silent, and what nobody has reviewed.

use std::collections::{HashMap, hash_map::Entry};

use async_trait::async_trait;
use domain::{
    MemberId, OrgId, PartnerId, Subject,
    partner::{Calendar, Partner},
    referral::{
        Actor, Attempt, By, Stage,
        clocks::{Clock, Due},
    },
    route,
};
use eventlog::Streams;
use host::{Case, Change, Found, Item, Kind, Of, Queue, Scope, Urgency, Views};
use jiff::Timestamp;
use projections::topics as of_members;
use web::Operation;

use crate::{calendar, op, referral_view, topics};

/// The topic of partners, which is another context's: clocks go by their calendars.
const PARTNERS: &str = "partners";

/// Declares kinds that are about a referral: each with why it is there, and what resolves it.
macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal, $why:literal: $($op:ident)+;)+) => {
        $($(#[$doc])* static $kind: Kind = Kind {
            name: $name,
            about: "referrals",
            why: $why,
            resolved_by: &[$(op::$op::MAY),+],
        };)+

        const KINDS: &[&Kind] = &[$(&$kind),+];
    };
}

kinds! {
    /// It was written and not sent.
    TO_SEND = "referral_to_send", "it was written, and not sent": SendReferral RecordReferralStep;
    /// The partner does not open it.
    UNOPENED = "referral_unopened", "the partner has not opened it in time": RecordReferralStep;
    /// The partner does not decide.
    UNDECIDED = "referral_undecided", "the partner has not said in time whether it takes it on": RecordReferralStep;
    /// The partner does not get in touch.
    WITHOUT_CONTACT = "referral_without_contact",
        "the partner has not been in touch with the member in time": RecordReferralStep;
    /// Nobody says how the wait goes on.
    WITHOUT_NEWS = "referral_without_news", "nobody has said how the wait goes on": RecordReferralStep;
    /// The partner does not end it.
    NOT_ENDED = "referral_not_ended", "the partner was asked to end it, and has not": RecordReferralStep;
    /// Nobody asked the member.
    WITHOUT_ANSWER = "referral_without_answer", "nobody has asked the member whether it helped": RecordReferralStep IssueLink;
    /// The partner may still have what it was told.
    WITHDRAWAL_UNACKNOWLEDGED = "withdrawal_unacknowledged",
        "consent has ended, and the partner has not acknowledged that, by a link for it or by its own account": IssueLink;
    /// Somebody disclosed without consent.
    OVERRIDE_TO_REVIEW = "override_to_review",
        "it was sent without consent, and nobody else has looked at why": ReviewOverride;
}

/// Referrals.
pub(crate) struct Referrals {
    pub views: Views,
    pub partners: Streams<Partner>,
}

#[async_trait]
impl Queue for Referrals {
    fn kinds(&self) -> &'static [&'static Kind] {
        KINDS
    }

    fn touched_by(&self, change: &Change) -> Option<Of> {
        match change.scope {
            Scope::Member(member) if change.is_of(&[&topics::REFERRALS]) => Some(Of::Member(member)),
            _ => (change.is_of(&[&of_members::PERSONS]) || change.topic.name == PARTNERS).then_some(Of::Everything),
        }
    }

    async fn find(&self, org: &OrgId, of: Of, now: Timestamp) -> anyhow::Result<Found> {
        let whose = org.clone();
        let read = move |connection: &_| {
            let (of, records) = match of {
                Of::Member(record) => {
                    let person = projections::goes_on_as(connection, whose.as_str(), record)?;
                    (Of::Member(person), Some(projections::records_of(connection, whose.as_str(), person)?))
                }
                Of::Everything | Of::Group(_) => (Of::Everything, None),
            };
            Ok((of, referral_view::waiting(connection, whose.as_str(), records.as_deref())?))
        };
        let (of, rows) = self.views.look(read).await??;
        let mut calendars: HashMap<PartnerId, Calendar> = HashMap::new();
        let (mut items, mut cases, mut next) = (vec![], vec![], None::<Timestamp>);
        for (member, attempt) in rows {
            let partner = attempt.drafted.partner;
            if let Entry::Vacant(new) = calendars.entry(partner) {
                new.insert(calendar(&self.partners, org, partner).await?);
            }
            let due = attempt.due(&calendars[&partner]);
            let later = due.iter().map(|due| due.at).filter(|at| *at > now).min();
            next = [next, later].into_iter().flatten().min();
            items.extend(waiting(&attempt, &due, now).into_iter().map(|(kind, since, due_at)| Item {
                kind,
                about: attempt.drafted.attempt.0,
                member: Some(member),
                other: None,
                group: None,
                for_leaders: false,
                not_for: overridden(&attempt).filter(|_| *kind == OVERRIDE_TO_REVIEW),
                owner: owner(&attempt).filter(|_| *kind != OVERRIDE_TO_REVIEW),
                urgency: urgency(&attempt),
                since,
                due_at,
            }));
            cases.extend(case(&attempt, member));
        }
        Ok(Found { of, items, cases, next })
    }
}

/// What there is to do about a referral, since when, and when it is overdue.
fn waiting(attempt: &Attempt, due: &[Due], now: Timestamp) -> Vec<(&'static Kind, Timestamp, Option<Timestamp>)> {
    let of_clock = |due: &Due| {
        let kind = match due.clock {
            Clock::Receipt => &UNOPENED,
            Clock::Decision => &UNDECIDED,
            Clock::Contact => &WITHOUT_CONTACT,
            Clock::WaitlistUpdate => &WITHOUT_NEWS,
            Clock::Cancellation => &NOT_ENDED,
            Clock::MemberQuestion => &WITHOUT_ANSWER,
            // From the moment of the withdrawal on: the partner may still read what it wrote down.
            Clock::WithdrawalAck => return None,
        };
        (due.at <= now).then_some((kind, due.at, Some(due.at)))
    };
    let mut waiting: Vec<_> = due.iter().filter_map(of_clock).collect();
    let times = &attempt.times;
    if attempt.stage == Stage::Draft {
        waiting.push((&TO_SEND, attempt.drafted.at, None));
    }
    if let (Some(withdrawn), None, true) =
        (times.withdrawn, times.withdrawal_acknowledged, attempt.stage == Stage::Withdrawn)
    {
        let due = due.iter().find(|due| due.clock == Clock::WithdrawalAck);
        waiting.push((&WITHDRAWAL_UNACKNOWLEDGED, withdrawn, due.map(|due| due.at)));
    }
    if let (Some(overridden), None) = (&attempt.overridden, &attempt.reviewed) {
        waiting.push((&OVERRIDE_TO_REVIEW, overridden.at, None));
    }
    waiting
}

/// Whoever decided that it is sent without consent.
fn overridden(attempt: &Attempt) -> Option<Subject> {
    attempt.overridden.as_ref()?.by.subject.clone()
}

fn urgency(attempt: &Attempt) -> Urgency {
    match attempt.sent.as_ref().map(|sent| sent.urgency) {
        None | Some(route::Urgency::Routine) => Urgency::Routine,
        Some(route::Urgency::Urgent) => Urgency::Urgent,
        Some(route::Urgency::Emergency) => Urgency::Emergency,
    }
}

/// Whoever sent it, or else wrote it, if they are somebody who refers members.
fn owner(attempt: &Attempt) -> Option<Subject> {
    let refers = |by: &By| matches!(by.actor, Actor::Coordinator | Actor::DutyLead);
    let by = attempt.sent.as_ref().map(|sent| &sent.by).or(Some(&attempt.drafted.by));
    by.filter(|by| refers(by))?.subject.clone()
}

/// A referral that is on its way is in the care of whoever sent it.
fn case(attempt: &Attempt, member: MemberId) -> Option<Case> {
    let owner = owner(attempt).filter(|_| attempt.stage.is_live())?;
    Some(Case { owner, what: "referral", about: attempt.drafted.attempt.0, member })
}
