//! What a member allows, what is sent because of it, and what ends when it is not allowed any more.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{
    Event, Refusal, Sending,
    decide::{only, possible},
    disclosure::{Allowed, Basis, CONSENTS_MAX, Closing, RECIPIENTS_MAX, Withdrawn},
    event::{Erased, Moved, Overridden, OverrideReviewed, Sent},
    state::{Attempt, State},
    table::{Actor, Stage, Step},
    vocabulary::{By, OVERRIDE_MAX, What},
};
use crate::{ConsentId, member::Means, partner::Item};

impl State {
    pub(super) fn allow(&self, allowed: &Allowed) -> Result<Vec<Event>, Refusal> {
        only(&[Actor::Member, Actor::Coordinator], &allowed.by)?;
        let missing = allowed.missing();
        match () {
            () if self.consents.get(&allowed.consent) == Some(allowed) => Ok(vec![]),
            () if self.consents.contains_key(&allowed.consent) => Err(Refusal::There("consent")),
            () if allowed.items.is_empty() || (allowed.partners.is_empty() && !allowed.treating) => {
                Err(Refusal::Nothing)
            }
            () if !missing.is_empty() => Err(Refusal::Incomplete(missing)),
            () if allowed.until.is_some_and(|until| until <= allowed.from) => Err(Refusal::ConsentDates),
            () if allowed.partners.len() > RECIPIENTS_MAX => {
                Err(Refusal::Full("partners in one consent", RECIPIENTS_MAX))
            }
            () if self.consents.len() >= CONSENTS_MAX => Err(Refusal::Full("consents to disclose", CONSENTS_MAX)),
            () => Ok(vec![Event::Allowed(allowed.clone())]),
        }
    }

    /// Never refused for what stands in the way, because nothing may.
    pub(super) fn withdraw(
        &self,
        consent: Option<ConsentId>,
        means: Means,
        by: &By,
        at: Timestamp,
    ) -> Result<Vec<Event>, Refusal> {
        only(&[Actor::Member, Actor::Coordinator], by)?;
        let is_meant = |allowed: &&Allowed| {
            consent.is_none_or(|meant| allowed.consent == meant || allowed.takes_over == Some(meant))
        };
        let all: Vec<&Allowed> = self.consents.values().filter(is_meant).collect();
        if consent.is_some() && all.is_empty() {
            return Err(Refusal::UnknownConsent);
        }
        let stand: Vec<&Allowed> =
            all.into_iter().filter(|allowed| !self.withdrawn.contains_key(&allowed.consent)).collect();
        // What another consent allows as well ends, too: whoever withdraws one does not want to know of the other.
        let rests = |sent: &Sent| stand.iter().any(|allowed| allowed.concerns(sent));
        let ends = self.live().filter(|(_, sent)| consent.is_none() || rests(sent)).map(|(attempt, _)| attempt);
        let close = |attempt: &Attempt| closed(attempt, Closing::Withdrawn, by, at);
        let consents: BTreeSet<_> = stand.iter().map(|allowed| allowed.consent).collect();
        let ended: Vec<Event> = ends.map(close).collect();
        let withdrawn = Withdrawn { consents, why: Closing::Withdrawn, at, means: Some(means), by: by.clone() };
        let withdrawn = (!withdrawn.consents.is_empty()).then_some(Event::Withdrawn(withdrawn));
        Ok(withdrawn.into_iter().chain(ended).collect())
    }

    /// What has ended by that instant. A referral goes on if another consent allows all of it.
    pub(super) fn expire(&self, at: Timestamp) -> Vec<Event> {
        let by = By { actor: Actor::Clock, subject: None, link: None };
        let is_over = |allowed: &&Allowed| allowed.until.is_some_and(|until| until <= at);
        let consents: BTreeSet<_> = self.consents.values().filter(is_over).map(|allowed| allowed.consent).collect();
        let consents: BTreeSet<_> =
            consents.into_iter().filter(|consent| !self.withdrawn.contains_key(consent)).collect();
        let ends = self.live().filter(|(_, sent)| !self.is_covered(sent, at));
        let why = |sent: &Sent| match sent.basis {
            Basis::Consent(_) => Closing::Expired,
            Basis::Override { .. } => Closing::OverrideEnded,
        };
        let ended: Vec<Event> = ends.map(|(attempt, sent)| closed(attempt, why(sent), &by, at)).collect();
        let over = Withdrawn { consents, why: Closing::Expired, at, means: None, by: by.clone() };
        let over = (!over.consents.is_empty()).then_some(Event::Withdrawn(over));
        over.into_iter().chain(ended).collect()
    }

    /// Referrals that are with a partner.
    fn live(&self) -> impl Iterator<Item = (&Attempt, &Sent)> {
        let live = self.attempts.values().filter(|attempt| attempt.stage.is_live());
        live.filter_map(|attempt| attempt.sent.as_ref().map(|sent| (attempt, sent)))
    }

    pub(super) fn send(&self, asked: &Sending) -> Result<Vec<Event>, Refusal> {
        let attempt = self.attempt(asked.attempt)?;
        if attempt.sent.as_ref().is_some_and(|sent| sent.is_what(asked)) {
            return asked.link.as_ref().map_or(Ok(vec![]), |link| self.issue_link(link));
        }
        let step = if asked.overriding.is_some() { Step::Override } else { Step::Send };
        possible(Some(attempt.stage), step, &asked.by)?;
        self.may_be_sent(attempt, asked)?;
        let need = self.need(attempt.drafted.need)?;
        let sent = Sent {
            attempt: asked.attempt,
            to: asked.recipient.address().clone(),
            urgency: need.stated.urgency,
            basis: self.basis(asked)?,
            projection: asked.projection.clone(),
            preview: asked.preview.clone(),
            clocks: asked.clocks,
            by: asked.by.clone(),
            at: asked.at,
        };
        let overridden = asked.overriding.as_ref().map(|(reason, until)| {
            let (reason, until, by) = (reason.clone(), *until, asked.by.clone());
            Event::Overridden(Overridden { attempt: asked.attempt, reason, until, by, at: asked.at })
        });
        let mut events: Vec<Event> = overridden.into_iter().chain([Event::Sent(sent)]).collect();
        if let Some(link) = &asked.link {
            events.extend(self.after(&events).issue_link(link)?);
        }
        Ok(events)
    }

    /// Whatever else than consent stands in the way.
    fn may_be_sent(&self, attempt: &Attempt, asked: &Sending) -> Result<(), Refusal> {
        let (drafted, to) = (&attempt.drafted, asked.recipient.address());
        if self.need(drafted.need)?.closed.is_some() {
            return Err(Refusal::NeedClosed);
        }
        if (drafted.partner, drafted.service) != (to.partner, to.service) {
            return Err(Refusal::OtherRecipient);
        }
        asked.standing.check()?;
        let not_for_service: BTreeSet<Item> = asked.items.difference(asked.recipient.may_receive()).copied().collect();
        if asked.items.is_empty() {
            return Err(Refusal::Nothing);
        }
        if !not_for_service.is_empty() {
            return Err(Refusal::NotForService(not_for_service));
        }
        let is_with = |other: &&Attempt| other.stage.is_live() && other.drafted.service == drafted.service;
        if let Some(other) = self.of_need(drafted.need).find(is_with) {
            return Err(Refusal::AlreadyWith(other.drafted.attempt));
        }
        match self.rest(to.partner, &asked.rests, asked.at) {
            Some((until, reason)) => Err(Refusal::NotAgainBefore { until, reason }),
            None => Ok(()),
        }
    }

    /// On what it rests: for each item a consent in force, or the decision that it does without.
    fn basis(&self, asked: &Sending) -> Result<Basis, Refusal> {
        let (to, at) = (asked.recipient.address(), asked.at);
        if let Some((_, until)) = &asked.overriding {
            let is_possible = at < *until && until.duration_since(at) <= OVERRIDE_MAX;
            let basis = Basis::Override { items: asked.items.clone(), until: *until };
            return if is_possible { Ok(basis) } else { Err(Refusal::OverrideTime) };
        }
        let clause = |item: &Item| self.clause(to, *item, at).map(|consent| (*item, consent));
        let clauses: BTreeMap<Item, ConsentId> = asked.items.iter().filter_map(clause).collect();
        let not: BTreeSet<Item> = asked.items.iter().filter(|item| !clauses.contains_key(item)).copied().collect();
        if not.is_empty() { Ok(Basis::Consent(clauses)) } else { Err(Refusal::NotAllowed(not)) }
    }

    pub(super) fn review(&self, reviewed: &OverrideReviewed) -> Result<Vec<Event>, Refusal> {
        only(&[Actor::Coordinator, Actor::DutyLead], &reviewed.by)?;
        let attempt = self.attempt(reviewed.attempt)?;
        let overridden = attempt.overridden.as_ref().ok_or(Refusal::NoOverride)?;
        match &attempt.reviewed {
            Some(known) if (known.justified, &known.by) == (reviewed.justified, &reviewed.by) => return Ok(vec![]),
            Some(_) => return Err(Refusal::NoOverride),
            None if reviewed.by.subject.is_none() || reviewed.by.subject == overridden.by.subject => {
                return Err(Refusal::OwnOverride);
            }
            None => {}
        }
        let ends = !reviewed.justified && attempt.stage.is_live();
        let ended = ends.then(|| closed(attempt, Closing::OverrideUnjustified, &reviewed.by, reviewed.at));
        Ok(std::iter::once(Event::OverrideReviewed(reviewed.clone())).chain(ended).collect())
    }

    pub(super) fn forget(&self, at: Timestamp) -> Vec<Event> {
        let told = self.attempts.values().filter(|attempt| attempt.sent.is_some());
        let told = told.map(|attempt| (attempt.drafted.attempt, attempt.drafted.partner)).collect();
        // Also if nothing was ever here: so nothing comes here any more, whoever was about to write.
        if self.erased { vec![] } else { vec![Event::Erased(Erased { told, at })] }
    }
}

impl Allowed {
    /// Whether any of what was sent is what it allows.
    fn concerns(&self, sent: &Sent) -> bool {
        self.is_about(&sent.to) && sent.items().iter().any(|item| self.items.contains(item))
    }
}

impl Sent {
    /// Whether it is what was to be sent, whenever.
    fn is_what(&self, asked: &Sending) -> bool {
        let items: BTreeSet<Item> = self.items().into_iter().collect();
        let overrides = matches!(self.basis, Basis::Override { .. });
        (&self.to, &self.preview, &self.projection, &self.by)
            == (asked.recipient.address(), &asked.preview, &asked.projection, &asked.by)
            && items == asked.items
            && overrides == asked.overriding.is_some()
    }
}

/// The end of a referral of which nothing may be told any more.
fn closed(attempt: &Attempt, why: Closing, by: &By, at: Timestamp) -> Event {
    Event::Moved(Moved {
        attempt: attempt.drafted.attempt,
        what: What::CloseAccess { why },
        to: Stage::Withdrawn,
        not_again_before: None,
        note: None,
        by: by.clone(),
        at,
    })
}
