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
    /// The address is one that nothing may be sent to.
    NotAllowed,
    /// What was needed to send it could not be opened.
    NotOpened,
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
}

impl<T> Default for Line<T> {
    fn default() -> Self {
        Self { waiting: VecDeque::new(), claim: None, begun: 0, failures: 0, failing_since: None, not_before: None }
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
        let (message, _) = self.waiting.front()?;
        let taken = self.claim.as_ref().is_some_and(|known| at < known.until);
        let early = self.not_before.is_some_and(|not_before| at < not_before);
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
        let n = self.attempt(message, claim, outcome)?;
        Some(match outcome {
            Ok(code) => Ended::Delivered(Delivered { message, n, code, at }),
            Err(fault) => {
                let pause = SCHEDULE.get(self.failures).filter(|_| !last);
                let again_at = pause.map(|pause| at + jittered(*pause, message, n));
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
        self.begun = claimed.n;
        self.claim = Some(claimed.clone());
    }

    /// It did not arrive.
    pub fn failed(&mut self, failed: &Failed) {
        self.claim = None;
        self.failures += 1;
        self.failing_since = self.failing_since.or(Some(failed.at));
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
        (self.failures, self.failing_since, self.not_before) = (0, None, None);
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
