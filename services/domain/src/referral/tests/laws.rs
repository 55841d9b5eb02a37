//! What holds whatever is asked, in whatever order, by whomever.

use proptest::{collection::vec, prelude::*, sample::select};
use strum::VariantArray;

use super::{
    super::table::{next, possible},
    table::{exports_hold, to_take},
    *,
};
use crate::DomainEvent;

/// Something to be asked, without its time.
#[derive(Debug, Clone)]
struct Asked {
    kind: u8,
    /// Which attempt, consent or link.
    n: u128,
    /// Which partner.
    partner: u128,
    actor: Actor,
    step: Step,
    flag: bool,
    /// Which of what is possible, if it is to be that.
    choice: usize,
    /// How much later than what was asked before, in hours.
    later: i64,
}

fn asked() -> impl Strategy<Value = Asked> {
    let steps = select(Step::VARIANTS);
    let which = (0u8..40, 1u128..5, 1u128..3, 0usize..1_000);
    (which, select(Actor::VARIANTS), steps, any::<bool>(), 0i64..30).prop_map(
        |((kind, n, partner, choice), actor, step, flag, later)| Asked {
            kind,
            n,
            partner,
            actor,
            step,
            flag,
            choice,
            later,
        },
    )
}

impl Asked {
    /// A step that is possible, rarely one that ends a referral: otherwise little would come of most.
    fn possible(&self, known: &State) -> Option<(Step, Actor)> {
        let stage = known.attempts.get(&attempt_id(self.n))?.stage;
        let all = Actor::VARIANTS
            .iter()
            .flat_map(|actor| possible(Some(stage), *actor).into_iter().map(move |(step, to)| (step, *actor, to)));
        let wanted = |to: &Stage| self.choice.is_multiple_of(7) || !to.is_end() || stage.is_end();
        let all: Vec<_> = all.filter(|(_, _, to)| wanted(to)).collect();
        let (step, actor, _) = all.get(self.choice.checked_rem(all.len())?)?;
        Some((*step, *actor))
    }

    fn at(&self, at: Timestamp, state: &State) -> Command {
        let &Self { kind, n, partner, mut actor, mut step, flag, .. } = self;
        if let Some((possible, by)) = self.possible(state).filter(|_| kind > 18) {
            (step, actor) = (possible, by);
        }
        let staff = if flag { Actor::Coordinator } else { actor };
        match kind {
            0 | 1 => {
                let items: BTreeSet<Item> = if flag { ITEMS.into() } else { [Item::Alias].into() };
                let until = (n != 2).then(|| at + DAY * 40);
                Command::Allow(Allowed { items, from: at, until, by: by(staff), ..allowed(n, partner) })
            }
            2 if flag => Command::Withdraw { consent: Some(consent_id(n)), means: Means::Verbal, by: by(staff), at },
            3 if flag && n == 1 => Command::Withdraw { consent: None, means: Means::Verbal, by: by(actor), at },
            3 => Command::Expire(at),
            4 => Command::StateNeed(NeedStated { at, ..stated(1) }, None),
            5 if n == 1 => {
                let end = if flag { NeedEnd::Met } else { NeedEnd::Dropped };
                let closed = NeedClosed { need: need_id(1), end, note: None, by: by(staff), at };
                Command::CloseNeed(closed, (partner == 1).then_some(Reason::MemberRequest))
            }
            6 => Command::Lapse { attempt: attempt_id(n), calendar: calendar(), at },
            7 if n == 1 && flag && step == Step::Draft => Command::Forget(at),
            7 => {
                let by = By { subject: Some("another".parse().unwrap()), ..by(staff) };
                Command::Review(OverrideReviewed { attempt: attempt_id(n), justified: flag, by, at })
            }
            8 => {
                let purpose = if flag { Purpose::Partner } else { Purpose::Member };
                let until = at + DAY * 14;
                Command::IssueLink(LinkIssued { attempt: attempt_id(n), until, at, ..link(n, purpose) })
            }
            9 => Command::OpenLink { link: LinkId(Uuid::from_u128(n)), at },
            10 | 11 => Command::Draft(Drafted { by: by(staff), at, ..drafted(n, partner) }),
            12..=14 => sending(Sending { by: by(staff), at, ..send(n, partner) }),
            15 => {
                let overriding = Some((sealed("in danger"), at + DAY * 7));
                sending(Sending { by: by(Actor::DutyLead), at, overriding, ..send(n, partner) })
            }
            _ => match to_take(step, actor) {
                Command::Act(ask) => Command::Act(Ask { attempt: attempt_id(n), at, ..ask }),
                other => other,
            },
        }
    }
}

/// What the events say was allowed, without what the decisions are made of.
#[derive(Default)]
struct Oracle {
    allowed: Vec<Allowed>,
    withdrawn: BTreeSet<ConsentId>,
    sent: BTreeMap<AttemptId, Sent>,
    closed: BTreeSet<AttemptId>,
    stages: BTreeMap<AttemptId, Stage>,
}

impl Oracle {
    fn allows(&self, sent: &Sent, item: Item, at: Timestamp) -> bool {
        self.allowed.iter().any(|one| {
            !self.withdrawn.contains(&one.consent)
                && one.partners.contains(&sent.to.partner)
                && one.items.contains(&item)
                && one.from <= at
                && one.until.is_none_or(|until| at < until)
        })
    }

    /// Whether the event may be, after those before.
    fn hear(&mut self, event: &Event) -> Result<(), TestCaseError> {
        match event {
            Event::Allowed(allowed) => self.allowed.push(allowed.clone()),
            Event::Withdrawn(Withdrawn { consents, .. }) => self.withdrawn.extend(consents),
            Event::Drafted(drafted) => {
                prop_assert_eq!(next(None, Step::Draft, drafted.by.actor), Some(Stage::Draft));
                self.stages.insert(drafted.attempt, Stage::Draft);
            }
            Event::Sent(sent) => {
                let step = match &sent.basis {
                    Basis::Consent(clauses) => {
                        for (item, consent) in clauses {
                            prop_assert!(self.allows(sent, *item, sent.at), "consent is in force at sending");
                            prop_assert!(!self.withdrawn.contains(consent));
                        }
                        Step::Send
                    }
                    Basis::Override { .. } => Step::Override,
                };
                prop_assert!(!sent.items().is_empty());
                self.moved(sent.attempt, step, sent.by.actor, Stage::Sent)?;
                self.sent.insert(sent.attempt, sent.clone());
            }
            Event::Moved(Moved { attempt, what, to, by, .. }) => {
                self.moved(*attempt, what.step(), by.actor, *to)?;
                if let What::CloseAccess { .. } = what {
                    self.closed.insert(*attempt);
                }
                if *to == Stage::Completed && what.step() == Step::Complete {
                    let has_outcome = matches!(what, What::Complete { .. });
                    prop_assert!(has_outcome && self.sent.contains_key(attempt), "nothing completes that was not sent");
                    prop_assert!(!self.closed.contains(attempt));
                }
            }
            Event::Erased(_) => *self = Self::default(),
            _ => {}
        }
        Ok(())
    }

    fn moved(&mut self, attempt: AttemptId, step: Step, by: Actor, to: Stage) -> Result<(), TestCaseError> {
        let from = self.stages.insert(attempt, to);
        prop_assert!(from.is_some());
        prop_assert_eq!(next(from, step, by), Some(to), "it is a row");
        Ok(())
    }

    /// What a partner can read now it may.
    fn agrees(&self, state: &State, now: Timestamp) -> Result<(), TestCaseError> {
        for attempt in (1..5).map(attempt_id) {
            let Ok(read) = state.open_to_partner(attempt, Standing::default(), now) else { continue };
            prop_assert!(!self.closed.contains(&attempt), "after withdrawal nothing is read");
            prop_assert_eq!(Some(read), self.sent.get(&attempt), "it is what was sent");
            let overridden = matches!(read.basis, Basis::Override { until, .. } if now < until);
            let allowed = read.items().into_iter().all(|item| self.allows(read, item, now));
            prop_assert!(overridden || allowed);
        }
        Ok(())
    }
}

/// Whatever is asked, and what is to be seen at once after each.
fn run(
    all: &[Asked],
    mut see: impl FnMut(&Command, &State, &[Event], Timestamp) -> Result<(), TestCaseError>,
) -> Result<Vec<Event>, TestCaseError> {
    let mut history = after(a_draft());
    let (mut state, mut now) = (state(&history), NOON);
    for asked in all {
        now += HOUR * i32::try_from(asked.later).unwrap();
        let command = asked.at(now, &state);
        let events = Referral::decide(&command, &state).unwrap_or_default();
        see(&command, &state, &events, now)?;
        state = events.iter().fold(state, Referral::evolve);
        history.extend(events);
    }
    Ok(history)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_asked_every_event_is_a_row_and_nothing_is_read_that_is_not_allowed(all in vec(asked(), 1..80)) {
        let mut oracle = Oracle::default();
        for event in after(a_draft()) {
            oracle.hear(&event)?;
        }
        run(&all, |_, before, events, now| {
            let after = events.iter().fold(before.clone(), Referral::evolve);
            for event in events {
                oracle.hear(event)?;
            }
            for (id, attempt) in &after.attempts {
                prop_assert_eq!(oracle.stages.get(id), Some(&attempt.stage));
            }
            oracle.agrees(&after, now)?;
            oracle.agrees(&after, now + DAY * 15)
        })?;
    }

    #[test]
    fn who_withdraws_is_never_refused_and_at_once_nothing_is_open_any_more(all in vec(asked(), 1..60), by_member in any::<bool>()) {
        let history = run(&all, |_, _, _, _| Ok(()))?;
        let known = state(&history);
        prop_assume!(!known.erased);
        let actor = if by_member { Actor::Member } else { Actor::Coordinator };
        let now = NOON + DAY * 400;
        let events = Referral::decide(&Command::Withdraw { consent: None, means: Means::Verbal, by: by(actor), at: now }, &known);
        let Ok(events) = events else { return Err(TestCaseError::fail("refused")) };
        let after = events.iter().fold(known.clone(), Referral::evolve);
        prop_assert!(after.attempts.values().all(|attempt| !attempt.stage.is_live()));
        // Also for who looks at it as of before, and for links.
        for n in 1..5 {
            for at in [NOON, now] {
                prop_assert!(after.open_to_partner(attempt_id(n), Standing::default(), at).is_err());
            }
            let link = after.links.values().find(|link| link.issued.attempt == attempt_id(n));
            if let Some(link) = link.filter(|link| link.issued.purpose == Purpose::Partner) {
                prop_assert!(after.link(&link.issued.secret, link.issued.at).is_err());
            }
        }
        // And of what one consent alone allowed.
        for consent in known.consents.keys() {
            let one = Command::Withdraw { consent: Some(*consent), means: Means::Verbal, by: by(actor), at: now };
            prop_assert!(Referral::decide(&one, &known).is_ok());
        }
    }

    #[test]
    fn whatever_happens_its_export_goes_along_drawn_edges_only(all in vec(asked(), 1..80)) {
        run(&all, |_, before, events, _| {
            let mut state = before.clone();
            for event in events {
                let after = Referral::evolve(state.clone(), event);
                for (id, attempt) in &after.attempts {
                    if let Some(before) = state.attempts.get(id) {
                        exports_hold(before, attempt);
                    }
                }
                state = after;
            }
            Ok(())
        })?;
    }

    #[test]
    fn whatever_is_asked_asking_twice_changes_nothing(all in vec(asked(), 1..60)) {
        run(&all, |command, before, events, _| {
            let after = events.iter().fold(before.clone(), Referral::evolve);
            if !events.is_empty() {
                prop_assert_eq!(Referral::decide(command, &after).ok(), Some(vec![]), "{:?}", command);
            }
            Ok(())
        })?;
    }

    /// What was read from the log again is due as before, more is overdue later and never less, and another calendar
    /// alone makes another answer.
    #[test]
    fn what_is_overdue_depends_on_what_happened_the_calendar_and_the_time_alone(
        all in vec(asked(), 1..60), hours in 0i64..4_000, more in 0i64..4_000,
    ) {
        let history = run(&all, |_, _, _, _| Ok(()))?;
        let read = history.iter().map(|event| {
            let (name, version) = event.event_type();
            Event::decode(name, version, &event.encode()).unwrap()
        });
        let read: Vec<_> = read.collect();
        prop_assert_eq!(&read, &history);
        let (known, again) = (state(&history), state(&read));
        let (now, later) = (NOON + HOUR * i32::try_from(hours).unwrap(), NOON + HOUR * i32::try_from(hours + more).unwrap());
        for (id, attempt) in &known.attempts {
            let overdue = attempt.overdue(&calendar(), now);
            prop_assert_eq!(&overdue, &again.attempts[id].overdue(&calendar(), now));
            let then = attempt.overdue(&calendar(), later);
            prop_assert!(overdue.iter().all(|due| then.contains(due)));
            prop_assert!(overdue.iter().all(|due| due.at <= now));
            prop_assert!(!attempt.stage.is_end() || attempt.lapse(&calendar()).is_none());
        }
    }
}

/// The runs above are about something: within them every stage is reached, and sent, withdrawn, overridden.
#[test]
fn what_is_asked_at_random_reaches_every_stage() {
    use proptest::{strategy::ValueTree, test_runner::TestRunner};
    let mut runner = TestRunner::deterministic();
    let mut seen = BTreeSet::new();
    for _ in 0..200 {
        let all = vec(asked(), 60..120).new_tree(&mut runner).unwrap().current();
        let history = run(&all, |_, _, _, _| Ok(())).unwrap();
        seen.extend(history.iter().filter_map(|event| match event {
            Event::Moved(moved) => Some(moved.to),
            Event::Sent(_) => Some(Stage::Sent),
            Event::Drafted(_) => Some(Stage::Draft),
            _ => None,
        }));
    }
    assert_eq!(seen.len(), Stage::VARIANTS.len(), "{seen:?}");
}
