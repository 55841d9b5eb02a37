//! The table, against the reference, and the decisions against the table: every stage, step and actor.

use strum::VariantArray;

use super::{
    super::{
        fhir::{self, BSER_EDGES, BserStatus, GRAVITY_EDGES, Guide, LOSSES, TaskStatus},
        table::{LIVE, ROWS, Row, next},
    },
    *,
};

/// The reference's table (section 3), written down by hand: from, to, and by whom, over all steps.
const REFERENCE: &str = "
    draft sent CD
    sent received P
    sent accepted P              / received accepted P
    sent declined_by_service P   / received declined_by_service P
    sent withdrawn CM            / received withdrawn CM
    sent expired T               / received expired T
    accepted waitlisted CP       / accepted scheduled CP      / accepted engaged CP     / accepted completed CP
    accepted declined_by_service P / scheduled declined_by_service P
    no_show declined_by_service P  / engaged declined_by_service P
    waitlisted scheduled CP      / waitlisted engaged CP      / waitlisted completed CP
    waitlisted declined_by_service CP
    scheduled scheduled CMP      / scheduled no_show CP       / scheduled slot_cancelled CP
    scheduled engaged CP         / scheduled completed CP
    no_show scheduled CP         / no_show slot_cancelled CP  / no_show unreachable CP
    slot_cancelled scheduled P
    engaged scheduled CP         / engaged slot_cancelled CP  / engaged engaged CP      / engaged completed CP
    accepted cancel_requested C  / waitlisted cancel_requested C / scheduled cancel_requested C
    no_show cancel_requested C   / slot_cancelled cancel_requested C / engaged cancel_requested C
    cancel_requested withdrawn CMPT / cancel_requested completed P
    accepted withdrawn CM        / waitlisted withdrawn CM    / scheduled withdrawn CM  / no_show withdrawn CM
    slot_cancelled withdrawn CM  / engaged withdrawn CM
    sent declined_by_member CM   / received declined_by_member CM / accepted declined_by_member CM
    waitlisted declined_by_member CM / scheduled declined_by_member CM / no_show declined_by_member CM
    slot_cancelled declined_by_member CM / engaged declined_by_member CM / cancel_requested declined_by_member CM
    completed completed CM
";

fn letter(actor: Actor) -> char {
    match actor {
        Actor::Member => 'M',
        Actor::Facilitator => 'F',
        Actor::Coordinator => 'C',
        Actor::DutyLead => 'D',
        Actor::Partner => 'P',
        Actor::Clock => 'T',
    }
}

#[test]
fn the_table_is_the_references_and_what_is_ours_says_so() {
    let mut ours = BTreeMap::<String, BTreeSet<char>>::new();
    let is_theirs = |row: &&Row| !row.ours && row.step != Step::EnterInError && row.step != Step::Draft;
    for row in ROWS.iter().filter(is_theirs) {
        for from in row.from {
            let to = row.to.unwrap_or(*from);
            let actors = ours.entry(format!("{} {}", from.as_str(), to.as_str())).or_default();
            actors.extend(row.by.iter().map(|actor| letter(*actor)));
        }
    }
    let lines = REFERENCE.split(['\n', '/']).map(str::trim).filter(|line| !line.is_empty());
    let theirs: BTreeMap<String, BTreeSet<char>> = lines
        .map(|line| line.rsplit_once(' ').unwrap())
        .map(|(stages, actors)| (stages.into(), actors.chars().collect()))
        .collect();
    assert_eq!(ours, theirs);
    for from in Stage::VARIANTS.iter().filter(|stage| **stage != Stage::EnteredInError) {
        assert_eq!(next(Some(*from), Step::EnterInError, Actor::Coordinator), Some(Stage::EnteredInError));
    }
    assert_eq!(next(None, Step::Draft, Actor::Facilitator), Some(Stage::Draft));
    let added: Vec<_> = ROWS.iter().filter(|row| row.ours).map(|row| row.step).collect();
    assert_eq!(added.len(), 8, "each is named in the decisions: {added:?}");
}

#[test]
fn no_two_rows_say_something_of_the_same() {
    for step in Step::VARIANTS {
        for actor in Actor::VARIANTS {
            for from in std::iter::once(None).chain(Stage::VARIANTS.iter().copied().map(Some)) {
                let is_of = |row: &&Row| {
                    let here = from.map_or(row.from.is_empty(), |from| row.from.contains(&from));
                    row.step == *step && row.by.contains(actor) && here
                };
                assert!(ROWS.iter().filter(is_of).count() <= 1, "{from:?} {step:?} {actor:?}");
            }
        }
    }
    for stage in Stage::VARIANTS {
        let is = [*stage == Stage::Draft, stage.is_live(), stage.is_end()];
        assert_eq!(is.iter().filter(|is| **is).count(), 1, "{stage:?} is one thing");
    }
}

/// How attempt 1 comes to a stage, sent with consent or without.
fn at(stage: Stage, without_consent: bool) -> Vec<Event> {
    let p = |what| act(1, Actor::Partner, what);
    let c = |what| act(1, Actor::Coordinator, what);
    let first = if without_consent { overriding(1, 1) } else { send(1, 1) };
    let sent = with(a_draft(), [sending(first)]);
    let more: Vec<Command> = match stage {
        Stage::Draft => return after(a_draft()),
        Stage::Sent => vec![],
        Stage::Received => vec![p(What::Open {})],
        Stage::DeclinedByService => vec![p(What::Decline { reason: Reason::NoCapacity })],
        Stage::DeclinedByMember => vec![c(What::DeclineForMember { reason: Reason::Moved })],
        Stage::Withdrawn => vec![withdraw(None, Actor::Member)],
        Stage::Expired => {
            vec![Command::Lapse { attempt: attempt_id(1), calendar: calendar(), at: NOON + DAY * 100 }]
        }
        Stage::EnteredInError => vec![c(What::EnterInError { reason: Reason::WrongPerson })],
        taken_on => vec![p(What::Accept {})].into_iter().chain(on_from_accepted(taken_on)).collect(),
    };
    after(with(sent, more))
}

fn on_from_accepted(stage: Stage) -> Vec<Command> {
    let p = |what| act(1, Actor::Partner, what);
    let schedule = || p(What::Schedule { starts_at: NOON + DAY });
    let missed = || p(What::RecordNoShow { reason: None });
    match stage {
        Stage::Waitlisted => vec![p(What::Waitlist { position: Some(3), expected_on: None })],
        Stage::Scheduled => vec![schedule()],
        Stage::NoShow => vec![schedule(), missed()],
        Stage::SlotCancelled => vec![schedule(), p(What::CancelSlot {})],
        Stage::Engaged => vec![p(What::Engage {})],
        Stage::CancelRequested => {
            vec![act(1, Actor::Coordinator, What::RequestCancel { reason: Reason::MemberRequest })]
        }
        Stage::Completed => vec![p(What::Complete { outcome: Outcome::ServiceReceived })],
        Stage::Unreachable => {
            vec![schedule(), missed(), p(What::GiveUp { tries: 2, channels: [Channel::Sms].into() })]
        }
        _ => vec![],
    }
}

/// What an actor asks for to take a step, with all that the step asks for.
pub(super) fn to_take(step: Step, actor: Actor) -> Command {
    let what = match step {
        Step::Draft => return Command::Draft(Drafted { by: by(actor), ..drafted(2, 1) }),
        Step::Send => return sending(Sending { by: by(actor), ..send(1, 1) }),
        Step::Override => return sending(Sending { by: by(actor), ..overriding(1, 1) }),
        Step::CloseAccess => match actor {
            Actor::Clock => return Command::Expire(NOON + DAY * 365),
            Actor::DutyLead => {
                let by = By { subject: Some("another".parse().unwrap()), ..by(actor) };
                let review = OverrideReviewed { attempt: attempt_id(1), justified: false, by, at: NOON + HOUR };
                return Command::Review(review);
            }
            _ => return withdraw(None, actor),
        },
        Step::Expire | Step::LapseCancel if actor == Actor::Clock => {
            return Command::Lapse { attempt: attempt_id(1), calendar: calendar(), at: NOON + DAY * 100 };
        }
        Step::Deliver => What::Deliver { channel: Channel::Email },
        Step::Open => What::Open {},
        Step::Accept => What::Accept {},
        Step::Decline => What::Decline { reason: Reason::WrongService },
        Step::Withdraw => What::Withdraw { reason: Reason::Duplicate },
        Step::Waitlist => What::Waitlist { position: None, expected_on: None },
        Step::Schedule => What::Schedule { starts_at: NOON + DAY * 2 },
        Step::RecordNoShow => What::RecordNoShow { reason: Some(Reason::Fear) },
        Step::CancelSlot => What::CancelSlot {},
        Step::Engage => What::Engage {},
        Step::Complete => What::Complete { outcome: Outcome::PartlyReceived },
        Step::GiveUp => What::GiveUp { tries: 3, channels: [Channel::Phone].into() },
        Step::RequestCancel => What::RequestCancel { reason: Reason::NeedMet },
        Step::ConfirmCancel => What::ConfirmCancel {},
        Step::LapseCancel => What::LapseCancel {},
        Step::DeclineForMember => What::DeclineForMember { reason: Reason::DeclinedOffer },
        Step::Expire => What::Expire {},
        Step::SayAttended => What::SayAttended { attended: true },
        Step::Answer => What::Answer { answer: Answer::Helped },
        Step::Inform => What::Inform {},
        Step::TellWithdrawal => What::TellWithdrawal { channel: Channel::Email },
        Step::AcknowledgeWithdrawal => What::AcknowledgeWithdrawal {},
        Step::EnterInError => What::EnterInError { reason: Reason::OpenedByMistake },
    };
    Command::Act(Ask { note: Some(sealed("as asked")), ..ask(1, actor, what) })
}

/// Every stage, step and actor: what the table says is done and leads there, and nothing else is.
#[test]
fn every_row_can_be_taken_and_nothing_that_is_no_row() {
    let (mut taken, mut refused) = (0, 0);
    for stage in Stage::VARIANTS {
        for step in Step::VARIANTS.iter().filter(|step| **step != Step::Draft) {
            for actor in Actor::VARIANTS {
                // A duty lead ends what was sent without consent.
                let without_consent = *step == Step::CloseAccess && *actor == Actor::DutyLead;
                let mut history = at(*stage, without_consent);
                // Nobody asks any more for what was entered in error.
                if (*stage, *step) == (Stage::Withdrawn, Step::EnterInError) {
                    let acknowledged = act(1, Actor::Partner, What::AcknowledgeWithdrawal {});
                    history.extend(Referral::decide(&acknowledged, &state(&history)).unwrap());
                }
                let before = state(&history);
                assert_eq!(before.attempts[&attempt_id(1)].stage, *stage);
                let said = Referral::decide(&to_take(*step, *actor), &before);
                let events = said.as_ref().map_or(&[][..], Vec::as_slice);
                let after = events.iter().fold(before.clone(), Referral::evolve);
                let steps: Vec<Step> = events.iter().filter_map(step_of).collect();
                if let Some(to) = next(Some(*stage), *step, *actor) {
                    assert_eq!((steps, after.attempts[&attempt_id(1)].stage), (vec![*step], to), "{said:?}");
                    exports_hold(&before.attempts[&attempt_id(1)], &after.attempts[&attempt_id(1)]);
                    taken += 1;
                } else {
                    assert!(!steps.contains(step), "{stage:?} {step:?} {actor:?}: {said:?}");
                    let stays = after.attempts[&attempt_id(1)].stage == *stage;
                    assert!(stays || !steps.is_empty(), "{said:?}");
                    refused += 1;
                }
            }
        }
    }
    let rows = ROWS.iter().map(|row| row.from.len() * row.by.len()).sum::<usize>();
    assert_eq!((taken, taken + refused), (rows, 17 * 26 * 6), "every row was taken");
}

fn step_of(event: &Event) -> Option<Step> {
    match event {
        Event::Sent(Sent { basis: Basis::Override { .. }, .. }) => Some(Step::Override),
        Event::Sent(_) => Some(Step::Send),
        Event::Moved(moved) => Some(moved.what.step()),
        _ => None,
    }
}

#[test]
fn who_may_draft_is_a_row_as_well() {
    for actor in Actor::VARIANTS {
        let said = Referral::decide(&to_take(Step::Draft, *actor), &state(&after(a_draft())));
        assert_eq!(said.is_ok(), next(None, Step::Draft, *actor).is_some(), "{actor:?}");
    }
}

/// What is exported of a step goes along an edge that Gravity draws, and says one of the codes of `BSeR` or none.
pub(super) fn exports_hold(before: &Attempt, after: &Attempt) {
    let (from, to) = (fhir::gravity(before.stage, before.accepted), fhir::gravity(after.stage, after.accepted));
    let drawn = from == to || to == TaskStatus::EnteredInError || GRAVITY_EDGES.contains(&(from, to));
    assert!(drawn, "{:?} to {:?} is {from:?} to {to:?}", before.stage, after.stage);
    let codes = ["2.0", "3.0", "4.0", "5.1.1", "5.1.2", "5.1.3", "5.1.4", "5.2", "6.0", "7.0"];
    let code = fhir::bser(after.stage).and_then(|(_, code)| code).map(<&str>::from);
    assert!(code.is_none_or(|code| codes.contains(&code)), "{code:?}");
}

#[test]
fn bsers_code_system_has_ten_codes_and_its_transitions_are_ours_too() {
    assert_eq!(BserStatus::VARIANTS.len(), 10);
    for (number, from, to) in BSER_EDGES {
        let leads = |row: &&Row| row.from.contains(from) && row.to == Some(*to);
        assert!(ROWS.iter().any(|row| leads(&row)), "{number}: {from:?} to {to:?}");
    }
    let numbers: BTreeSet<_> = BSER_EDGES.iter().map(|(number, ..)| *number).collect();
    // 4 asks first where we withdraw at once; 31 to 34 use a status that its code system does not define.
    assert_eq!(numbers, (1..=30).filter(|number| *number != 4).collect());
}

/// Of stages that look alike in a guide, all but one are named as lost; what is not exported is, too.
#[test]
fn where_a_guide_says_less_than_we_know_it_is_named() {
    let shown = |guide: Guide, stage: Stage| match guide {
        Guide::Gravity => {
            let taken_on = LIVE.contains(&stage) && !matches!(stage, Stage::Sent | Stage::Received);
            format!("{:?}", fhir::gravity(stage, taken_on || stage == Stage::Unreachable))
        }
        Guide::Bser => format!("{:?}", fhir::bser(stage)),
    };
    for guide in [Guide::Gravity, Guide::Bser] {
        let named = |stage: &Stage| LOSSES.iter().any(|loss| loss.guide == guide && loss.stage == *stage);
        let mut alike = BTreeMap::<String, Vec<Stage>>::new();
        for stage in Stage::VARIANTS {
            alike.entry(shown(guide, *stage)).or_default().push(*stage);
        }
        for (shown, stages) in alike {
            assert!(stages.iter().filter(|stage| !named(stage)).count() <= 1, "{guide:?} {shown}: {stages:?}");
        }
    }
    assert!(fhir::bser(Stage::Expired).is_none() && LOSSES.iter().any(|loss| loss.stage == Stage::Expired));
}

#[test]
fn every_reason_is_given_for_something_and_says_at_whom_it_failed_once() {
    use super::super::reason::{Kind, REASONS};
    for reason in Reason::VARIANTS {
        assert!(REASONS.iter().any(|line| line.reason == *reason), "{reason:?}");
    }
    let pairs: BTreeSet<_> = REASONS.iter().map(|line| (line.kind, line.reason)).collect();
    assert_eq!(pairs.len(), REASONS.len());
    assert!(Kind::VARIANTS.iter().all(|kind| REASONS.iter().any(|line| line.kind == *kind)));
    assert!(REASONS.iter().all(|line| line.rest_days <= reason::REST_DAYS_MAX));
    assert!(REASONS.iter().all(|line| matches!(line.hmis, None | Some(2 | 3))));
}
