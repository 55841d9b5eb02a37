//! What may be done to needs, referrals and links.

use jiff::{SignedDuration, Timestamp};

use super::{
    Ask, Event, Refusal,
    event::{Drafted, LinkExtended, LinkIssued, LinkRevoked, Moved, NeedChanged, NeedClosed, NeedStated, RestLifted},
    reason::{REST_DAYS_MAX, Reason, attribution},
    state::{Attempt, State},
    table::{self, Actor, Stage, Step},
    vocabulary::{
        ATTEMPTS_MAX, By, LINK_LIFE_MAX, LINK_MOVES_BY_MIN, LINKS_MAX, MOVES_MAX, NEEDS_MAX, NeedEnd, Outcome, Purpose,
        TRIES_MIN, What,
    },
};
use crate::{AttemptId, LinkId, partner::Calendar};

/// Refused, unless it is for such an actor to do. What the table rules is for those that it says.
pub(super) fn only(actors: &[Actor], by: &By) -> Result<(), Refusal> {
    if actors.contains(&by.actor) { Ok(()) } else { Err(Refusal::NotFor(by.actor)) }
}

/// Where the table says that a step leads.
pub(super) fn possible(from: Option<Stage>, step: Step, by: &By) -> Result<Stage, Refusal> {
    table::next(from, step, by.actor).ok_or(Refusal::NotPossible { from, step, by: by.actor })
}

fn days(days: u16) -> SignedDuration {
    SignedDuration::from_hours(24 * i64::from(days))
}

impl State {
    pub(super) fn state_need_with(&self, stated: &NeedStated, first: Option<&Drafted>) -> Result<Vec<Event>, Refusal> {
        let mut events = self.state_need(stated)?;
        if let Some(first) = first {
            events.extend(self.after(&events).draft(first)?);
        }
        Ok(events)
    }

    /// What is known once these have happened.
    pub(super) fn after(&self, events: &[Event]) -> Self {
        events.iter().fold(self.clone(), Self::evolve)
    }

    fn state_need(&self, stated: &NeedStated) -> Result<Vec<Event>, Refusal> {
        only(&[Actor::Member, Actor::Facilitator, Actor::Coordinator], &stated.by)?;
        match self.needs.get(&stated.need) {
            Some(known) if known.stated == *stated => return Ok(vec![]),
            Some(_) => return Err(Refusal::There("need")),
            None if self.needs.len() >= NEEDS_MAX => return Err(Refusal::Full("needs", NEEDS_MAX)),
            None => {}
        }
        stated.based_on.map(|earlier| self.need(earlier)).transpose()?;
        Ok(vec![Event::NeedStated(stated.clone())])
    }

    pub(super) fn change_need(&self, changed: &NeedChanged) -> Result<Vec<Event>, Refusal> {
        only(&[Actor::Member, Actor::Facilitator, Actor::Coordinator], &changed.by)?;
        let need = self.need(changed.need)?;
        match () {
            () if (need.stated.urgency, &need.stated.says) == (changed.urgency, &changed.says) => Ok(vec![]),
            () if need.closed.is_some() => Err(Refusal::NeedClosed),
            () => Ok(vec![Event::NeedChanged(changed.clone())]),
        }
    }

    /// With a reason, what is under way is withdrawn with it, or the partner asked to end it.
    pub(super) fn close_need(&self, closed: &NeedClosed, reason: Option<Reason>) -> Result<Vec<Event>, Refusal> {
        only(&[Actor::Coordinator, Actor::Member], &closed.by)?;
        match &self.need(closed.need)?.closed {
            Some(known) if known.end == closed.end => return Ok(vec![]),
            Some(_) => return Err(Refusal::NeedClosed),
            None => {}
        }
        if closed.end == NeedEnd::Met && !self.of_need(closed.need).any(|attempt| attempt.stage == Stage::Completed) {
            return Err(Refusal::NotMet);
        }
        let under_way = |attempt: &&Attempt| match closed.end {
            // What was sent has to be said to be an error, each by itself.
            NeedEnd::EnteredInError => attempt.sent.is_some() && attempt.stage != Stage::EnteredInError,
            NeedEnd::Met | NeedEnd::Dropped => attempt.stage.is_live() && attempt.stage != Stage::CancelRequested,
        };
        let under_way: Vec<&Attempt> = self.of_need(closed.need).filter(under_way).collect();
        let ended = match reason {
            _ if under_way.is_empty() => vec![],
            Some(reason) if closed.end != NeedEnd::EnteredInError => {
                under_way.iter().map(|attempt| self.withdraw_with(attempt, reason, closed)).collect::<Result<_, _>>()?
            }
            _ => return Err(Refusal::UnderWay(under_way.iter().map(|attempt| attempt.drafted.attempt).collect())),
        };
        Ok(ended.into_iter().flatten().chain([Event::NeedClosed(closed.clone())]).collect())
    }

    fn withdraw_with(&self, attempt: &Attempt, reason: Reason, closed: &NeedClosed) -> Result<Vec<Event>, Refusal> {
        let what = if attempt.accepted { What::RequestCancel { reason } } else { What::Withdraw { reason } };
        let (by, note) = (closed.by.clone(), closed.note.clone());
        self.act(&Ask { attempt: attempt.drafted.attempt, what, rest_days: None, note, by, at: closed.at })
    }

    pub(super) fn draft(&self, drafted: &Drafted) -> Result<Vec<Event>, Refusal> {
        possible(None, Step::Draft, &drafted.by)?;
        match self.attempts.get(&drafted.attempt) {
            Some(known) if known.drafted == *drafted => return Ok(vec![]),
            Some(_) => return Err(Refusal::There("referral")),
            None => {}
        }
        if self.need(drafted.need)?.closed.is_some() {
            return Err(Refusal::NeedClosed);
        }
        if let Some(parent) = drafted.parent {
            self.may_be_taken_up(parent, drafted)?;
        }
        if self.of_need(drafted.need).count() >= ATTEMPTS_MAX {
            return Err(Refusal::Full("referrals of one need", ATTEMPTS_MAX));
        }
        Ok(vec![Event::Drafted(drafted.clone())])
    }

    /// Whether a referral can be taken up again by another one.
    fn may_be_taken_up(&self, parent: AttemptId, drafted: &Drafted) -> Result<(), Refusal> {
        let parent = self.attempt(parent)?;
        let follows = self.need(drafted.need)?.stated.based_on == Some(parent.drafted.need);
        let ended = parent.stage.is_end() && parent.stage != Stage::EnteredInError;
        match () {
            () if !ended || drafted.by.actor != Actor::Coordinator => Err(Refusal::NoParent),
            () if parent.drafted.need != drafted.need && !follows => Err(Refusal::NoParent),
            () if drafted.note.is_none() => Err(Refusal::NoWords),
            () => Ok(()),
        }
    }

    pub(super) fn act(&self, ask: &Ask) -> Result<Vec<Event>, Refusal> {
        let attempt = self.attempt(ask.attempt)?;
        self.may_act(attempt, ask)?;
        if attempt.says(ask) {
            return Ok(vec![]);
        }
        let (from, step) = (attempt.stage, ask.what.step());
        let to = possible(Some(from), step, &ask.by)?;
        if ask.what.follows() {
            return Err(Refusal::NotFor(ask.by.actor));
        }
        // Whoever may still have what it was told, is still asked for it.
        if step == Step::EnterInError && attempt.closing.is_some() && attempt.times.withdrawal_acknowledged.is_none() {
            return Err(Refusal::NotPossible { from: Some(from), step, by: ask.by.actor });
        }
        let rest_days = attempt.check(ask)?;
        // What ends it, and what is said of a withdrawal, is noted also when others have filled it up.
        let closes = matches!(step, Step::RequestCancel | Step::TellWithdrawal | Step::AcknowledgeWithdrawal);
        let most = if closes { 2 * MOVES_MAX } else { MOVES_MAX };
        if attempt.moves >= most && !(to.is_end() && to != from) {
            return Err(Refusal::Full("steps of one referral", MOVES_MAX));
        }
        let rest = (rest_days > 0).then(|| ask.at.saturating_add(days(rest_days)).unwrap_or(Timestamp::MAX));
        Ok(vec![Event::Moved(Moved {
            attempt: ask.attempt,
            what: ask.what.clone(),
            to,
            not_again_before: rest,
            note: ask.note.clone(),
            by: ask.by.clone(),
            at: ask.at,
        })])
    }

    /// Whether the link is good for it, and the partner still has to do with it.
    fn may_act(&self, attempt: &Attempt, ask: &Ask) -> Result<(), Refusal> {
        let step = ask.what.step();
        if let Some(link) = ask.by.link {
            let is_for = |purpose: Purpose| purpose.serves(ask.by.actor, step);
            let link = self.links.get(&link).filter(|link| link.issued.attempt == ask.attempt);
            let link = link.filter(|link| is_for(link.issued.purpose) && self.is_good(link, ask.at));
            link.ok_or(Refusal::NoLink)?;
        }
        let is_over = |sent| attempt.stage.is_live() && !self.is_covered(sent, ask.at);
        if ask.by.actor == Actor::Partner && attempt.sent.as_ref().is_none_or(is_over) {
            return Err(Refusal::Closed);
        }
        Ok(())
    }

    pub(super) fn lapse(&self, attempt: AttemptId, calendar: &Calendar, at: Timestamp) -> Result<Vec<Event>, Refusal> {
        let known = self.attempt(attempt)?;
        let Some((from, step)) = known.lapse(calendar) else { return Ok(vec![]) };
        if at < from {
            return Err(Refusal::NotYet);
        }
        let by = By { actor: Actor::Clock, subject: None, link: None };
        let what = if step == Step::Expire { What::Expire {} } else { What::LapseCancel {} };
        let to = possible(Some(known.stage), step, &by)?;
        Ok(vec![Event::Moved(Moved { attempt, what, to, not_again_before: None, note: None, by, at })])
    }

    pub(super) fn issue_link(&self, issued: &LinkIssued) -> Result<Vec<Event>, Refusal> {
        only(&[Actor::Coordinator, Actor::DutyLead, Actor::Clock], &issued.by)?;
        self.attempt(issued.attempt)?;
        let same = |link: LinkId| self.links.get(&link).is_some_and(|known| known.issued == *issued);
        let taken =
            self.links.values().any(|known| known.issued.link == issued.link || known.issued.secret == issued.secret);
        let of_attempt = self.links.values().filter(|known| known.issued.attempt == issued.attempt).count();
        let link = super::Link { issued: issued.clone(), until: issued.until, revoked: false };
        match () {
            () if same(issued.link) => Ok(vec![]),
            () if taken => Err(Refusal::There("link")),
            () if issued.until <= issued.at || issued.until.duration_since(issued.at) > LINK_LIFE_MAX => {
                Err(Refusal::LinkTime)
            }
            () if of_attempt >= LINKS_MAX => Err(Refusal::Full("links of one referral", LINKS_MAX)),
            // One that would be good for nothing.
            () if !self.is_good(&link, issued.at) => Err(Refusal::Closed),
            () => Ok(vec![Event::LinkIssued(issued.clone())]),
        }
    }

    pub(super) fn open_link(&self, link: LinkId, at: Timestamp) -> Result<Vec<Event>, Refusal> {
        let known = self.links.get(&link).filter(|known| self.is_good(known, at)).ok_or(Refusal::NoLink)?;
        let as_long = known.issued.until.duration_since(known.issued.at);
        let longest = known.issued.at.saturating_add(LINK_LIFE_MAX).unwrap_or(Timestamp::MAX);
        let until = at.saturating_add(as_long).unwrap_or(Timestamp::MAX).min(longest);
        let moves = until > known.until && until.duration_since(known.until) >= LINK_MOVES_BY_MIN;
        Ok(if moves { vec![Event::LinkExtended(LinkExtended { link, until, at })] } else { vec![] })
    }

    pub(super) fn revoke_link(&self, revoked: &LinkRevoked) -> Result<Vec<Event>, Refusal> {
        only(&[Actor::Coordinator, Actor::DutyLead, Actor::Member], &revoked.by)?;
        let known = self.links.get(&revoked.link).ok_or(Refusal::NoLink)?;
        Ok(if known.revoked { vec![] } else { vec![Event::LinkRevoked(revoked.clone())] })
    }

    pub(super) fn lift_rest(&self, lifted: &RestLifted) -> Result<Vec<Event>, Refusal> {
        only(&[Actor::Coordinator, Actor::DutyLead], &lifted.by)?;
        let stands = self.rests.contains_key(&(lifted.partner, lifted.reason));
        if stands { Ok(vec![Event::RestLifted(lifted.clone())]) } else { Err(Refusal::NoRest) }
    }
}

impl Attempt {
    /// Whether that was said already: as the last thing, or as what is said once only.
    fn says(&self, ask: &Ask) -> bool {
        let once = match &ask.what {
            What::Open {} => {
                self.times.first_opened.is_some() && ask.by.actor == Actor::Partner && self.stage.is_live()
            }
            What::Inform {} => self.times.referrer_informed.is_some() && self.stage.is_end(),
            What::AcknowledgeWithdrawal {} => {
                self.times.withdrawal_acknowledged.is_some() && ask.by.actor == Actor::Partner
            }
            _ => false,
        };
        let same = |last: &Moved| (&last.what, &last.note, &last.by) == (&ask.what, &ask.note, &ask.by);
        once || self.last.as_ref().is_some_and(same)
    }

    /// Whether what belongs to a step is in order; answers for how many days the member is not referred there again.
    fn check(&self, ask: &Ask) -> Result<u16, Refusal> {
        let (what, step, reason) = (&ask.what, ask.what.step(), ask.what.reason());
        let known = |reason| attribution(step, self.accepted, reason).ok_or(Refusal::NotAReason { reason, step });
        let known = reason.map(known).transpose()?;
        let rest_days = ask.rest_days.unwrap_or_else(|| known.map_or(0, |known| known.rest_days));
        let needs_words =
            reason == Some(Reason::Other) || matches!(what, What::Complete { outcome: Outcome::ReferredOn });
        match what {
            _ if rest_days > REST_DAYS_MAX => {
                Err(Refusal::OutOfRange { what: "rest_days", least: 0, most: REST_DAYS_MAX })
            }
            _ if needs_words && ask.note.is_none() => Err(Refusal::NoWords),
            What::GiveUp { tries, channels } if *tries < TRIES_MIN || channels.is_empty() => Err(Refusal::TooFewTries),
            What::Waitlist { position: Some(0), .. } => {
                Err(Refusal::OutOfRange { what: "position", least: 1, most: u16::MAX })
            }
            // Nobody rests for what did not end.
            _ if reason.is_none() || step == Step::RecordNoShow => Ok(0),
            _ => Ok(rest_days),
        }
    }
}
