//! What is known of a member's needs and referrals, and who may read what of it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Event, Refusal,
    clocks::Times,
    disclosure::{Allowed, Basis, Closing},
    event::{Drafted, Erased, LinkExtended, LinkIssued, LinkRevoked, Moved, NeedChanged, NeedClosed, NeedStated},
    event::{Overridden, OverrideReviewed, RestLifted, Sent},
    reason::{Attribution, Reason, attribution},
    table::{Stage, Step},
    vocabulary::{Answer, Digest, Outcome, Purpose, What},
};
use crate::{
    AttemptId, ConsentId, LinkId, NeedId, PartnerId,
    partner::{Address, Item},
};

/// Until when a member is not referred to a partner again, and for what reason.
pub type Rests = BTreeMap<(PartnerId, Reason), Timestamp>;

/// What is known; of several records of one person, each has its own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct State {
    /// Whether the member was erased: then nothing else is known.
    pub erased: bool,
    /// Consents to disclose, also such as are over.
    pub consents: BTreeMap<ConsentId, Allowed>,
    /// Those that are, and why.
    pub withdrawn: BTreeMap<ConsentId, Closing>,
    /// Needs, also such as are closed.
    pub needs: BTreeMap<NeedId, Need>,
    /// Referrals, also such as have ended.
    pub attempts: BTreeMap<AttemptId, Attempt>,
    /// Links, also such as are no longer good.
    pub links: BTreeMap<LinkId, Link>,
    /// Partners to which the member is not referred again for a while.
    pub rests: Rests,
}

/// A need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// As it is said now.
    pub stated: NeedStated,
    /// How it ended, if it did.
    pub closed: Option<NeedClosed>,
}

/// A referral of a need to one partner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// As it was drafted.
    pub drafted: Drafted,
    /// As it was sent, if it was.
    pub sent: Option<Sent>,
    /// How far it has come.
    pub stage: Stage,
    /// When what happened.
    pub times: Times,
    /// Whether the partner ever took it on.
    pub accepted: bool,
    /// The last thing that happened to it after it was sent.
    pub last: Option<Moved>,
    /// How many things have.
    pub moves: usize,
    /// Why it ended, or is to be ended, and by which step.
    pub reason: Option<(Step, Reason)>,
    /// Why the partner's access was closed, if it was.
    pub closing: Option<Closing>,
    /// What the partner says that came of it.
    pub outcome: Option<Outcome>,
    /// What the member says.
    pub answer: Option<Answer>,
    /// Whether somebody else than the partner says that the member was at the last appointment.
    pub attended: Option<bool>,
    /// When the last appointment begins, or began.
    pub starts_at: Option<Timestamp>,
    /// How often the member did not come.
    pub no_shows: u16,
    /// Who decided that it is sent without consent, if somebody did.
    pub overridden: Option<Overridden>,
    /// What somebody else thinks of that.
    pub reviewed: Option<OverrideReviewed>,
}

/// A link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// As it was issued.
    pub issued: LinkIssued,
    /// When it ends.
    pub until: Timestamp,
    /// Whether it was revoked.
    pub revoked: bool,
}

/// What the organisation's people say of a member's record, which is decided elsewhere ([`crate::people`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// It is only kept, and not used.
    pub restricted: bool,
    /// The member objected to referrals.
    pub objected: bool,
}

impl Standing {
    /// Whether nothing stands in the way.
    ///
    /// # Errors
    /// [`Refusal::Restricted`], [`Refusal::Objected`].
    pub fn check(self) -> Result<(), Refusal> {
        match self {
            Self { restricted: true, .. } => Err(Refusal::Restricted),
            Self { objected: true, .. } => Err(Refusal::Objected),
            Self { .. } => Ok(()),
        }
    }
}

impl Attempt {
    /// One that was drafted.
    pub fn new(drafted: Drafted) -> Self {
        let times = Times { created: Some(drafted.at), ..Times::default() };
        Self {
            drafted,
            sent: None,
            stage: Stage::Draft,
            times,
            accepted: false,
            last: None,
            moves: 0,
            reason: None,
            closing: None,
            outcome: None,
            answer: None,
            attended: None,
            starts_at: None,
            no_shows: 0,
            overridden: None,
            reviewed: None,
        }
    }

    /// At whom it failed, and what follows from that, if there is a reason for it.
    pub fn attribution(&self) -> Option<&'static Attribution> {
        self.reason.and_then(|(step, reason)| attribution(step, self.accepted, reason))
    }

    /// Whether partner and member say different things: a figure, not an error.
    pub fn is_discordant(&self) -> bool {
        let partner = self.outcome.map(|outcome| matches!(outcome, Outcome::ServiceReceived | Outcome::PartlyReceived));
        let member = match self.answer {
            Some(Answer::Helped | Answer::Partly) => Some(true),
            Some(Answer::Not) => Some(false),
            Some(Answer::NoAnswer) | None => None,
        };
        partner.zip(member).is_some_and(|(partner, member)| partner != member)
    }

    /// As [`crate::Decider::evolve`], of this referral alone; what is about others changes nothing.
    pub fn evolve(&mut self, event: &Event) {
        let id = self.drafted.attempt;
        match event {
            Event::Sent(sent) if sent.attempt == id => {
                (self.stage, self.times.sent) = (Stage::Sent, Some(sent.at));
                self.sent = Some(sent.clone());
            }
            Event::Moved(moved) if moved.attempt == id => self.moved(moved),
            Event::Overridden(overridden) if overridden.attempt == id => self.overridden = Some(overridden.clone()),
            Event::OverrideReviewed(reviewed) if reviewed.attempt == id => self.reviewed = Some(reviewed.clone()),
            _ => {}
        }
    }

    fn moved(&mut self, moved: &Moved) {
        self.times.note(moved, self.stage);
        match &moved.what {
            What::Accept {} => self.accepted = true,
            What::Schedule { starts_at } => (self.starts_at, self.attended) = (Some(*starts_at), None),
            What::RecordNoShow { .. } => self.no_shows = self.no_shows.saturating_add(1),
            What::Complete { outcome } => self.outcome = Some(*outcome),
            What::CloseAccess { why } => self.closing = Some(*why),
            What::SayAttended { attended } => self.attended = Some(*attended),
            What::Answer { answer } => self.answer = Some(*answer),
            _ => {}
        }
        let step = moved.what.step();
        if let Some(reason) = moved.what.reason().filter(|_| moved.to != Stage::NoShow) {
            self.reason = Some((step, reason));
        }
        // What goes on after all has no reason to have ended.
        if step == Step::Complete {
            self.reason = None;
        }
        self.stage = moved.to;
        self.moves += 1;
        self.last = Some(moved.clone());
    }
}

impl State {
    pub(super) fn need(&self, need: NeedId) -> Result<&Need, Refusal> {
        self.needs.get(&need).ok_or(Refusal::UnknownNeed)
    }

    /// A referral.
    ///
    /// # Errors
    /// [`Refusal::UnknownAttempt`], also of a member who was erased.
    pub fn attempt(&self, attempt: AttemptId) -> Result<&Attempt, Refusal> {
        self.attempts.get(&attempt).ok_or(Refusal::UnknownAttempt)
    }

    /// Referrals of a need.
    pub fn of_need(&self, need: NeedId) -> impl Iterator<Item = &Attempt> {
        self.attempts.values().filter(move |attempt| attempt.drafted.need == need)
    }

    /// Other referrals of the same need that are under way: what to withdraw once one was accepted.
    pub fn rivals(&self, of: &Attempt) -> Vec<AttemptId> {
        let is_rival = |other: &&Attempt| other.stage.is_live() && other.drafted.attempt != of.drafted.attempt;
        self.of_need(of.drafted.need).filter(is_rival).map(|other| other.drafted.attempt).collect()
    }

    /// The consent that allows at this instant that the recipient is told this.
    pub fn clause(&self, to: &Address, item: Item, at: Timestamp) -> Option<ConsentId> {
        let stands =
            |(id, allowed): &(&ConsentId, &Allowed)| !self.withdrawn.contains_key(*id) && allowed.covers(to, item, at);
        self.consents.iter().find(stands).map(|(id, _)| *id)
    }

    /// Whether all that was sent may be told at this instant.
    pub(super) fn is_covered(&self, sent: &Sent, at: Timestamp) -> bool {
        let overridden = matches!(sent.basis, Basis::Override { until, .. } if at < until);
        overridden || sent.items().into_iter().all(|item| self.clause(&sent.to, item, at).is_some())
    }

    /// What the partner reads at this instant: exactly what was sent, or nothing. To be asked at each read.
    ///
    /// # Errors
    /// [`Refusal::Closed`], whatever the cause: the partner does not learn it.
    pub fn open_to_partner(&self, attempt: AttemptId, standing: Standing, now: Timestamp) -> Result<&Sent, Refusal> {
        let attempt = self.attempts.get(&attempt).filter(|attempt| attempt.stage.is_live()).ok_or(Refusal::Closed)?;
        let sent = attempt.sent.as_ref().filter(|sent| self.is_covered(sent, now)).ok_or(Refusal::Closed)?;
        standing.check().map(|()| sent).map_err(|_| Refusal::Closed)
    }

    /// The link with this secret, if it is good at this instant.
    ///
    /// # Errors
    /// [`Refusal::NoLink`], whatever the cause.
    pub fn link(&self, secret: &Digest, now: Timestamp) -> Result<&Link, Refusal> {
        let has = |link: &&Link| link.issued.secret == *secret;
        self.links.values().find(has).filter(|link| self.is_good(link, now)).ok_or(Refusal::NoLink)
    }

    /// Whether a link is good at this instant.
    pub(super) fn is_good(&self, link: &Link, now: Timestamp) -> bool {
        let Some(attempt) = self.attempts.get(&link.issued.attempt) else { return false };
        let stands = match link.issued.purpose {
            Purpose::Partner => {
                attempt.stage.is_live() && attempt.sent.as_ref().is_some_and(|sent| self.is_covered(sent, now))
            }
            Purpose::Member => attempt.stage.is_live() || attempt.stage == Stage::Completed,
            Purpose::Acknowledge => attempt.stage == Stage::Withdrawn,
        };
        stands && !link.revoked && now < link.until
    }

    /// The longest rest that keeps the member from a partner at this instant.
    pub fn rest(&self, partner: PartnerId, others: &Rests, now: Timestamp) -> Option<(Timestamp, Reason)> {
        let of_partner = |((of, reason), until): (&(PartnerId, Reason), &Timestamp)| {
            (*of == partner && now < *until).then_some((*until, *reason))
        };
        self.rests.iter().chain(others).filter_map(of_partner).max()
    }

    pub(super) fn evolve(mut self, event: &Event) -> Self {
        match event.clone() {
            Event::Allowed(allowed) => {
                self.consents.insert(allowed.consent, allowed);
            }
            Event::Withdrawn(withdrawn) => {
                self.withdrawn.extend(withdrawn.consents.into_iter().map(|consent| (consent, withdrawn.why)));
            }
            Event::NeedStated(stated) => {
                self.needs.insert(stated.need, Need { stated, closed: None });
            }
            Event::NeedChanged(NeedChanged { need, urgency, says, .. }) => {
                self.needs.entry(need).and_modify(|need| (need.stated.urgency, need.stated.says) = (urgency, says));
            }
            Event::NeedClosed(closed) => {
                self.needs.entry(closed.need).and_modify(|need| need.closed = Some(closed));
            }
            Event::Drafted(drafted) => {
                self.attempts.insert(drafted.attempt, Attempt::new(drafted));
            }
            Event::Sent(Sent { attempt, .. })
            | Event::Overridden(Overridden { attempt, .. })
            | Event::OverrideReviewed(OverrideReviewed { attempt, .. }) => {
                self.attempts.entry(attempt).and_modify(|attempt| attempt.evolve(event));
            }
            Event::Moved(moved) => {
                if let Some(attempt) = self.attempts.get_mut(&moved.attempt) {
                    attempt.evolve(event);
                    let rest = moved.not_again_before.zip(moved.what.reason());
                    self.rests.extend(rest.map(|(until, reason)| ((attempt.drafted.partner, reason), until)));
                }
            }
            Event::LinkIssued(issued) => {
                self.links.insert(issued.link, Link { until: issued.until, issued, revoked: false });
            }
            Event::LinkExtended(LinkExtended { link, until, .. }) => {
                self.links.entry(link).and_modify(|link| link.until = until);
            }
            Event::LinkRevoked(LinkRevoked { link, .. }) => {
                self.links.entry(link).and_modify(|link| link.revoked = true);
            }
            Event::RestLifted(RestLifted { partner, reason, .. }) => {
                self.rests.remove(&(partner, reason));
            }
            Event::Erased(Erased { .. }) => self = Self { erased: true, ..Self::default() },
        }
        self
    }
}
