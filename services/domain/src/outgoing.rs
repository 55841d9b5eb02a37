//! What leaves the house, one after the other: what waits, who sends it now, when it is tried again, when it is given up.
//!
//! Whoever sends has claimed the attempt before, in the log, and the claim has an end: of several processes one sends, and
//! what one that was killed had begun goes on with another. So everything arrives at least once, and what arrives twice
//! has the same id.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::MessageId;

/// How long an attempt is whoever's who claimed it: longer than one takes.
pub const CLAIM: SignedDuration = SignedDuration::from_secs(20);
/// How long after each attempt the next one follows (Standard Webhooks, "Deliverability and reliability"): after the last
/// of them, three days after the first attempt, it is given up.
pub const SCHEDULE: [SignedDuration; 9] = [
    SignedDuration::from_secs(5),
    SignedDuration::from_mins(5),
    SignedDuration::from_mins(30),
    SignedDuration::from_hours(2),
    SignedDuration::from_hours(5),
    SignedDuration::from_hours(10),
    SignedDuration::from_hours(14),
    SignedDuration::from_hours(20),
    SignedDuration::from_hours(24),
];
/// Longest pause between two attempts to hand something to one's own mail server: that takes it, or something is wrong that
/// somebody mends.
pub const MAIL_PAUSE_MAX: SignedDuration = SignedDuration::from_mins(10);
/// How long after its first failure an e-mail is given up.
pub const MAIL_GIVEN_UP_AFTER: SignedDuration = SignedDuration::from_hours(72);
/// How long after a failure something is tried again at once, when the mail server takes something again.
const CALM: SignedDuration = SignedDuration::from_mins(1);
/// By how much of itself a pause may be longer, so that not all come again at once; a percentage.
const JITTER_PERCENT: i32 = 10;

/// Somebody is about to send: nobody else does until then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Claimed {
    /// What.
    pub message: MessageId,
    /// Which attempt it is, from 1.
    pub n: u32,
    /// Whose it is: random.
    pub claim: Uuid,
    /// Until when.
    pub until: Timestamp,
}

/// It did not arrive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Failed {
    /// What.
    pub message: MessageId,
    /// In which attempt.
    pub n: u32,
    /// Why.
    pub fault: Fault,
    /// When.
    pub at: Timestamp,
    /// When it is tried again; not at all if nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again_at: Option<Timestamp>,
}

/// It was taken by whom it was for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Delivered {
    /// What.
    pub message: MessageId,
    /// In which attempt.
    pub n: u32,
    /// With which code.
    pub code: u16,
    /// When.
    pub at: Timestamp,
}

/// It is not tried any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GivenUp {
    /// What.
    pub message: MessageId,
    /// When.
    pub at: Timestamp,
}

/// Why something did not arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// It was answered with this code.
    Code(u16),
    /// There was no answer in time.
    Timeout,
    /// Nobody could be reached there.
    Unreachable,
    /// Who answered could not be spoken to with TLS, or could not show who they are.
    Tls,
    /// The address is one that nothing may be sent to.
    NotAllowed,
    /// What was needed to send it could not be opened.
    NotOpened,
}

impl Fault {
    /// Whether it says something of the mail server and nothing of whom something was for. Of an address that a server refuses
    /// for good, this is not asked.
    pub fn is_of_server(self) -> bool {
        match self {
            Self::Code(code) => code == 421 || code >= 500,
            Self::Timeout | Self::Unreachable | Self::Tls => true,
            Self::NotAllowed | Self::NotOpened => false,
        }
    }
}

/// How an attempt ended: with which code it was taken, or why it was not.
pub type Outcome = Result<u16, Fault>;

/// What waits to be sent, in order: nothing overtakes what stands first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line<T> {
    waiting: VecDeque<(MessageId, T)>,
    /// Who sends what stands first.
    claim: Option<Claimed>,
    /// Attempts of it that were begun, a count.
    begun: u32,
    /// Attempts of it that failed, a count.
    failures: usize,
    /// When it failed first.
    failing_since: Option<Timestamp>,
    /// Before when it is not tried again.
    not_before: Option<Timestamp>,
    /// When it failed last, and why.
    failed: Option<(Timestamp, Fault)>,
}

impl<T> Default for Line<T> {
    fn default() -> Self {
        Self {
            waiting: VecDeque::new(),
            claim: None,
            begun: 0,
            failures: 0,
            failing_since: None,
            not_before: None,
            failed: None,
        }
    }
}

impl<T> Line<T> {
    /// All that waits, in order.
    pub fn waiting(&self) -> impl ExactSizeIterator<Item = &(MessageId, T)> {
        self.waiting.iter()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether this waits.
    pub fn has(&self, message: MessageId) -> bool {
        self.waiting.iter().any(|(waiting, _)| *waiting == message)
    }

    /// What stands first, and is claimed with this.
    pub fn claimed(&self, claim: Uuid) -> Option<&(MessageId, T)> {
        let claimed = self.claim.as_ref().filter(|known| known.claim == claim)?;
        self.waiting.front().filter(|(message, _)| *message == claimed.message)
    }

    /// Since when what stands first fails, if it does.
    pub fn failing_since(&self) -> Option<Timestamp> {
        self.failing_since
    }

    /// When what stands first is tried again, if it failed.
    pub fn again_at(&self) -> Option<Timestamp> {
        self.not_before
    }

    /// The claim of what stands first, if something does, nobody has claimed it, and it is time.
    pub fn claim(&self, claim: Uuid, at: Timestamp) -> Option<Claimed> {
        self.claim_anew(claim, at, Anew::default())
    }

    /// As [`Self::claim`], also before its time, if there is a reason to try again at once.
    pub fn claim_anew(&self, claim: Uuid, at: Timestamp, anew: Anew) -> Option<Claimed> {
        let (message, _) = self.waiting.front()?;
        let taken = self.claim.as_ref().is_some_and(|known| at < known.until);
        let is_anew = self.failed.is_some_and(|(failed, fault)| anew.after(failed, fault, at));
        let early = !is_anew && self.not_before.is_some_and(|not_before| at < not_before);
        let claimed = Claimed { message: *message, n: self.begun + 1, claim, until: at + CLAIM };
        (!taken && !early).then_some(claimed)
    }

    /// Which attempt of the message this claim was for, if it stands first. That it was taken is true whoever says it, also
    /// late; that it was not, only who has the claim can say.
    fn attempt(&self, message: MessageId, claim: Uuid, outcome: Outcome) -> Option<u32> {
        let first = self.waiting.front().is_some_and(|(first, _)| *first == message);
        let own = self.claim.as_ref().is_some_and(|known| known.claim == claim);
        (first && (own || outcome.is_ok())).then_some(self.begun)
    }

    /// What follows from how an attempt ended. `last`: it is not tried again, whatever the schedule says.
    pub fn ended(
        &self,
        (message, claim): (MessageId, Uuid),
        outcome: Outcome,
        at: Timestamp,
        last: bool,
    ) -> Option<Ended> {
        self.ended_and(SCHEDULE.get(self.failures).copied().filter(|_| !last), (message, claim), outcome, at)
    }

    /// As [`Self::ended`], of what one's own mail server is to take: it is asked every few minutes, for three days.
    pub fn mail_ended(&self, of: (MessageId, Uuid), outcome: Outcome, at: Timestamp, last: bool) -> Option<Ended> {
        let given_up = last || at >= self.failing_since.unwrap_or(at) + MAIL_GIVEN_UP_AFTER;
        let pause = SCHEDULE.get(self.failures).copied().unwrap_or(MAIL_PAUSE_MAX).min(MAIL_PAUSE_MAX);
        self.ended_and(Some(pause).filter(|_| !given_up), of, outcome, at)
    }

    fn ended_and(
        &self,
        pause: Option<SignedDuration>,
        (message, claim): (MessageId, Uuid),
        outcome: Outcome,
        at: Timestamp,
    ) -> Option<Ended> {
        let n = self.attempt(message, claim, outcome)?;
        Some(match outcome {
            Ok(code) => Ended::Delivered(Delivered { message, n, code, at }),
            Err(fault) => {
                let again_at = pause.map(|pause| at + jittered(pause, message, n));
                Ended::Failed(Failed { message, n, fault, at, again_at })
            }
        })
    }

    /// It waits.
    pub fn push(&mut self, message: MessageId, what: T) {
        self.waiting.push_back((message, what));
    }

    /// Somebody sends it.
    pub fn took(&mut self, claimed: &Claimed) {
        (self.begun, self.not_before) = (claimed.n, None);
        self.claim = Some(claimed.clone());
    }

    /// It did not arrive.
    pub fn failed(&mut self, failed: &Failed) {
        self.claim = None;
        self.failures += 1;
        self.failing_since = self.failing_since.or(Some(failed.at));
        self.failed = Some((failed.at, failed.fault));
        self.not_before = failed.again_at;
    }

    /// It waits no more: it arrived, or was given up, or is not to be sent.
    pub fn over(&mut self, message: MessageId) {
        let first = self.waiting.front().is_some_and(|(first, _)| *first == message);
        self.waiting.retain(|(waiting, _)| *waiting != message);
        if first {
            let waiting = std::mem::take(&mut self.waiting);
            *self = Self { waiting, ..Self::default() };
        }
    }

    /// What stands first is tried as if it never had failed. Who sends it now goes on.
    pub fn retry(&mut self) {
        (self.failures, self.failing_since, self.not_before, self.failed) = (0, None, None, None);
    }
}

/// Why what failed is tried again before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Anew {
    /// When something urgent came up.
    pub urgent: Option<Timestamp>,
    /// When the mail server took something, after it had taken nothing.
    pub recovered: Option<Timestamp>,
}

impl Anew {
    /// Whether there is such a reason, of what failed then and so.
    pub fn after(self, failed: Timestamp, fault: Fault, now: Timestamp) -> bool {
        let recovered = self.recovered > Some(failed) && fault.is_of_server() && now >= failed + CALM;
        self.urgent > Some(failed) || recovered
    }
}

/// How an attempt ended, as an event says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// It was taken.
    Delivered(Delivered),
    /// It was not.
    Failed(Failed),
}

/// A pause and up to [`JITTER_PERCENT`] more: how much, the ids say, which are random.
fn jittered(pause: SignedDuration, message: MessageId, n: u32) -> SignedDuration {
    let drawn = Uuid::new_v5(&message.0, &n.to_be_bytes()).as_bytes()[0];
    pause + pause / 100 * JITTER_PERCENT * i32::from(drawn) / i32::from(u8::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(n: u128) -> MessageId {
        MessageId(Uuid::from_u128(n))
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    #[test]
    fn what_is_never_taken_is_given_up_after_three_days() {
        let (mut line, mut now) = (Line::default(), at(0));
        line.push(id(1), ());
        let mut attempts = 0;
        loop {
            let claim = Uuid::from_u128(attempts);
            let claimed = line.claim(claim, now).expect("it is time");
            line.took(&claimed);
            attempts += 1;
            let Some(Ended::Failed(failed)) = line.ended((id(1), claim), Err(Fault::Timeout), now, false) else {
                panic!("it failed")
            };
            line.failed(&failed);
            match failed.again_at {
                Some(again) => now = again,
                None => break,
            }
        }
        assert_eq!(attempts, 10);
        let took = now.duration_since(at(0));
        assert!((72..=84).contains(&took.as_hours()), "{took}");
    }

    #[test]
    fn ones_own_mail_server_is_asked_every_few_minutes_for_three_days() {
        let (mut line, mut now, mut longest) = (Line::default(), at(0), SignedDuration::ZERO);
        line.push(id(1), ());
        for n in 0.. {
            let claim = Uuid::from_u128(n);
            line.took(&line.claim(claim, now).expect("it is time"));
            let ended = line.mail_ended((id(1), claim), Err(Fault::Unreachable), now, false);
            let Some(Ended::Failed(failed)) = ended else { panic!("it failed") };
            line.failed(&failed);
            let Some(again) = failed.again_at else { break };
            longest = longest.max(again.duration_since(now));
            now = again;
        }
        assert!(longest <= MAIL_PAUSE_MAX + MAIL_PAUSE_MAX / 10, "{longest}");
        assert!((72..=73).contains(&now.duration_since(at(0)).as_hours()));
    }

    #[test]
    fn what_failed_is_tried_before_its_time_once_the_server_is_back_or_something_urgent_came_up() {
        let line_that_failed = |fault| {
            let mut line = Line::default();
            line.push(id(1), ());
            line.took(&line.claim(Uuid::nil(), at(0)).unwrap());
            line.failed(&Failed { message: id(1), n: 1, fault, at: at(10), again_at: Some(at(600)) });
            line
        };
        let is_tried = |fault, urgent: Option<i64>, recovered: Option<i64>, now| {
            let anew = Anew { urgent: urgent.map(at), recovered: recovered.map(at) };
            line_that_failed(fault).claim_anew(Uuid::max(), at(now), anew).is_some()
        };
        assert!(!is_tried(Fault::Timeout, None, None, 599));
        assert!(is_tried(Fault::Timeout, None, Some(11), 70));
        assert!(!is_tried(Fault::Timeout, None, Some(11), 69), "not at once: it failed a moment ago");
        assert!(!is_tried(Fault::Timeout, None, Some(10), 70), "it failed after that");
        assert!(!is_tried(Fault::Code(451), None, Some(11), 70), "that is of whom it was for");
        assert!(is_tried(Fault::Code(554), None, Some(11), 70));
        assert!(is_tried(Fault::Code(451), Some(11), None, 11));
        assert!(!is_tried(Fault::Code(451), Some(10), None, 11), "it was tried since");
    }

    #[test]
    fn a_pause_is_never_shorter_than_the_schedule_says_and_hardly_longer() {
        for (n, pause) in SCHEDULE.into_iter().enumerate() {
            for m in 0..200 {
                let jittered = jittered(pause, id(m), u32::try_from(n).unwrap());
                assert!(pause <= jittered && jittered <= pause + pause / 10, "{pause} {jittered}");
            }
        }
    }

    #[derive(Debug, Clone)]
    enum Act {
        Push,
        Claim,
        End { claim: usize, ok: bool },
        Wait(i64),
    }

    fn act() -> impl Strategy<Value = Act> {
        prop_oneof![
            Just(Act::Push),
            Just(Act::Claim),
            (0usize..6, any::<bool>()).prop_map(|(claim, ok)| Act::End { claim, ok }),
            (0i64..40).prop_map(Act::Wait),
        ]
    }

    proptest! {
        #[test]
        fn whoever_sends_and_however_late_they_say_so_one_sends_at_a_time_and_nothing_overtakes(
            acts in prop::collection::vec(act(), 0..120),
        ) {
            let (mut line, mut now, mut pushed) = (Line::default(), at(0), 0);
            let (mut claims, mut arrived) = (Vec::<Claimed>::new(), Vec::new());
            for act in acts {
                match act {
                    Act::Push => {
                        line.push(id(pushed), ());
                        pushed += 1;
                    }
                    Act::Claim => {
                        let claim = Uuid::from_u128(claims.len() as u128);
                        if let Some(claimed) = line.claim(claim, now) {
                            let over = |other: &Claimed| other.until <= now || line.claimed(other.claim).is_none();
                            prop_assert!(claims.iter().all(over), "two send at once");
                            line.took(&claimed);
                            claims.push(claimed);
                        }
                    }
                    Act::End { claim, ok } => {
                        let Some(Claimed { message, claim, .. }) = claims.iter().rev().nth(claim).cloned() else { continue };
                        let outcome = if ok { Ok(204) } else { Err(Fault::Timeout) };
                        match line.ended((message, claim), outcome, now, false) {
                            Some(Ended::Delivered(delivered)) => {
                                arrived.push(delivered.message);
                                line.over(delivered.message);
                            }
                            Some(Ended::Failed(failed)) => {
                                line.failed(&failed);
                                if failed.again_at.is_none() {
                                    line.over(failed.message);
                                }
                            }
                            None => {}
                        }
                    }
                    Act::Wait(seconds) => now += SignedDuration::from_secs(seconds),
                }
            }
            prop_assert!(arrived.is_sorted(), "{:?}", arrived);
            let mut once = arrived.clone();
            once.dedup();
            prop_assert_eq!(once, arrived);
        }
    }
}
