//! What is promised of a report.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::{
    Decider, RefusalKind,
    decider::spec::{asking_twice_changes_nothing, given},
    meeting::{
        Command, Event, HeadCategory, Meeting, OPENS_EARLY_MAX, State,
        tests::{ALICE, BOB, cancelled, entry, held, of_one, opened, plan, planned, recorded, walked_in, why},
    },
};

/// Of somebody on the roster.
fn line(member: MemberId, based_on: Option<Mark>, says: Option<Mark>) -> ReportedMark {
    ReportedMark {
        person: of_one(&[member], Mark::Present, true).person,
        says: says.map(|mark| (mark, None)),
        based_on: based_on.map(|mark| (mark, None)),
        walks_in: false,
        reasons: BTreeMap::new(),
    }
}

/// Of somebody who is not.
fn walks_in(member: MemberId, based_on: Option<Mark>, says: Mark) -> ReportedMark {
    let person = Person { enrolled: false, ..of_one(&[member], Mark::Present, true).person };
    ReportedMark { person, walks_in: true, ..line(member, based_on, Some(says)) }
}

fn with_a_reason(line: ReportedMark) -> ReportedMark {
    let reasons = line.person.records.iter().map(|record| (*record, why("told us"))).collect();
    ReportedMark { reasons, ..line }
}

fn newcomers(heads: u16) -> Headcount {
    Headcount::from([(HeadCategory::Newcomer, heads)])
}

fn heads(based_on: u16, heads: u16) -> ReportedHeads {
    ReportedHeads { heads: newcomers(heads), based_on: newcomers(based_on) }
}

fn of(marks: Vec<ReportedMark>) -> Report {
    Report { at: plan().starts_at, marks, heads: None, outcome: None, reason: None }
}

fn after(history: &[Event]) -> State {
    history.iter().fold(State::default(), Meeting::evolve)
}

/// What came of each mark, and what stands.
fn became(history: &[Event], said: &Report) -> Vec<(Became, Option<Mark>)> {
    let reported = after(history).reported(said).unwrap();
    reported.marks.into_iter().map(|line| (line.became, line.stands.map(|entry| entry.mark))).collect()
}

fn ask(said: &Report) -> Command {
    Command::Report(Arc::new(said.clone()))
}

#[test]
fn a_report_opens_the_register_marks_counts_and_closes_in_one_go() {
    let said = Report {
        heads: Some(heads(0, 2)),
        outcome: Some(Status::Held),
        ..of(vec![line(ALICE, None, Some(Mark::Late)), walks_in(BOB, None, Mark::Present)])
    };
    let counted = Event::HeadcountRecorded(HeadcountRecorded { heads: newcomers(2), reason: None });
    given::<Meeting>([planned()]).when(&ask(&said)).then(&[
        opened(),
        recorded(ALICE, Mark::Late),
        walked_in(BOB),
        counted,
        held(),
    ]);
    asking_twice_changes_nothing::<Meeting>(&[planned()], &ask(&said));
    let reported = after(&[planned()]).reported(&said).unwrap();
    assert_eq!(reported.status, Status::Held);
    assert_eq!(reported.outcome, Some(Line { became: Became::Applied, stands: Status::Held }));
    assert_eq!(reported.heads, Some(Line { became: Became::Applied, stands: newcomers(2) }));
}

#[test]
fn a_mark_that_somebody_changed_meanwhile_is_told_and_stays() {
    let history = [planned(), opened(), recorded(ALICE, Mark::Absent), recorded(BOB, Mark::Late)];
    let said = of(vec![line(ALICE, None, Some(Mark::Present)), line(BOB, Some(Mark::Late), Some(Mark::Excused))]);
    given::<Meeting>(history.clone()).when(&ask(&said)).then(&[recorded(BOB, Mark::Excused)]);
    assert_eq!(
        became(&history, &said),
        [(Became::Differs, Some(Mark::Absent)), (Became::Applied, Some(Mark::Excused))]
    );
    // Who says what stands, agrees: whatever that was based on.
    assert_eq!(
        became(
            &history,
            &of(vec![line(ALICE, Some(Mark::Late), Some(Mark::Absent)), line(BOB, None, Some(Mark::Late))])
        ),
        [(Became::Same, Some(Mark::Absent)), (Became::Same, Some(Mark::Late))]
    );
    // How they took part is part of a mark.
    let video = (Mark::Late, Some(AttendanceMode::Video));
    let other = ReportedMark { based_on: Some(video), ..line(BOB, None, Some(Mark::Excused)) };
    assert_eq!(became(&history, &of(vec![other])), [(Became::Differs, Some(Mark::Late))]);
}

#[test]
fn a_mark_is_taken_back_by_saying_nothing() {
    let history = [planned(), opened(), recorded(ALICE, Mark::Late)];
    let said = of(vec![line(ALICE, Some(Mark::Late), None), line(BOB, None, None)]);
    let taken = crate::meeting::AttendanceTakenBack { member: ALICE, was: entry(Mark::Late) };
    given::<Meeting>(history.clone()).when(&ask(&said)).then(&[Event::AttendanceTakenBack(taken)]);
    assert_eq!(became(&history, &said), [(Became::Applied, None), (Became::Same, None)]);
    assert_eq!(became(&history, &of(vec![line(ALICE, None, None)])), [(Became::Differs, Some(Mark::Late))]);
}

#[test]
fn in_a_closed_register_a_mark_needs_a_reason_and_is_then_corrected() {
    let history = [planned(), opened(), recorded(ALICE, Mark::Late), held()];
    let change = line(ALICE, Some(Mark::Late), Some(Mark::Absent));
    assert_eq!(became(&history, &of(vec![change.clone()])), [(Became::ReasonNeeded, Some(Mark::Late))]);
    let said = of(vec![with_a_reason(change), with_a_reason(line(BOB, Some(Mark::Late), Some(Mark::Absent)))]);
    let corrected = AttendanceCorrected {
        member: ALICE,
        was: Some(entry(Mark::Late)),
        now: Some(entry(Mark::Absent)),
        reason: why("told us"),
    };
    given::<Meeting>(history.clone()).when(&ask(&said)).then(&[Event::AttendanceCorrected(corrected)]);
    assert_eq!(became(&history, &said), [(Became::Applied, Some(Mark::Absent)), (Became::Differs, None)]);
    // Who walked in is added, as ever: nothing that was said is changed by it.
    given::<Meeting>(history).when(&ask(&of(vec![walks_in(BOB, None, Mark::Present)]))).then(&[walked_in(BOB)]);
}

#[test]
fn what_cannot_be_is_refused_line_by_line() {
    let refused = |why| Became::Refused(Refusal::Mark(why));
    let erased = |line: ReportedMark| ReportedMark { person: Person { erased: true, ..line.person }, ..line };
    let stranger = MemberId(uuid::Uuid::from_u128(7));
    let not_there = MemberId(uuid::Uuid::from_u128(6));
    let not_there = ReportedMark { walks_in: false, ..walks_in(not_there, None, Mark::Present) };
    let no_mode = ReportedMark {
        says: Some((Mark::Absent, Some(AttendanceMode::Video))),
        ..line(MemberId(uuid::Uuid::from_u128(8)), None, None)
    };
    let said = of(vec![
        line(ALICE, None, Some(Mark::Present)),
        line(ALICE, None, Some(Mark::Late)),
        not_there,
        no_mode,
        walks_in(BOB, None, Mark::Absent),
        erased(walks_in(stranger, None, Mark::Late)),
        erased(line(MemberId(uuid::Uuid::from_u128(9)), None, Some(Mark::Late))),
    ]);
    given::<Meeting>([planned(), opened()]).when(&ask(&said)).then(&[recorded(ALICE, Mark::Present)]);
    assert_eq!(
        became(&[planned(), opened()], &said),
        [
            (Became::Applied, Some(Mark::Present)),
            (refused(MarkRefusal::Twice), Some(Mark::Present)),
            (refused(MarkRefusal::NotOnRoster), None),
            (refused(MarkRefusal::ModeOfAbsent), None),
            (refused(MarkRefusal::WalkInAbsent), None),
            (refused(MarkRefusal::UnknownMember), None),
            (refused(MarkRefusal::NotOnRoster), None),
        ]
    );
}

#[test]
fn of_whoever_was_erased_nothing_is_told_though_their_mark_stands() {
    let history = [planned(), opened(), recorded(ALICE, Mark::Late)];
    for says in [None, Some(Mark::Late), Some(Mark::Absent)] {
        let of_nobody = line(ALICE, Some(Mark::Late), says);
        let person = Person { erased: true, ..of_nobody.person.clone() };
        let erased = became(&history, &of(vec![ReportedMark { person: person.clone(), ..of_nobody.clone() }]));
        let nobody = became(&history[..2], &of(vec![ReportedMark { person, ..of_nobody }]));
        assert_eq!(erased, nobody);
        assert_eq!(erased[0].1, None);
    }
}

#[test]
fn no_refusal_but_that_of_nobody_tells_somebody_who_could_walk_in_from_nobody() {
    let erased = |line: ReportedMark| ReportedMark { person: Person { erased: true, ..line.person }, ..line };
    let unknown = Became::Refused(Refusal::Mark(MarkRefusal::UnknownMember));
    let open = vec![planned(), opened()];
    for history in [open.clone(), [open, vec![held()]].concat(), vec![planned(), cancelled()]] {
        for said in [
            walks_in(BOB, None, Mark::Late),
            walks_in(BOB, Some(Mark::Late), Mark::Present),
            walks_in(BOB, None, Mark::Absent),
        ] {
            let of_somebody = became(&history, &of(vec![said.clone(), said.clone()]));
            let of_nobody = became(&history, &of(vec![erased(said.clone()), erased(said)]));
            match of_somebody[0].0 {
                Became::Applied => assert_eq!(of_nobody[0], (unknown.clone(), None)),
                _ => assert_eq!(of_nobody, of_somebody),
            }
        }
    }
}

#[test]
fn a_meeting_of_which_something_else_was_said_meanwhile_stays_so() {
    let late = || vec![with_a_reason(line(ALICE, None, Some(Mark::Late)))];
    let said = Report { heads: Some(heads(0, 1)), outcome: Some(Status::Held), ..of(late()) };
    let reported = after(&[planned(), cancelled()]).reported(&said).unwrap();
    let not_open = || Became::Refused(Refusal::NotOpen { status: Status::Cancelled });
    assert_eq!(reported.marks, [Line { became: not_open(), stands: None }]);
    assert_eq!(reported.heads, Some(Line { became: not_open(), stands: Headcount::new() }));
    assert_eq!(reported.outcome, Some(Line { became: Became::Differs, stands: Status::Cancelled }));
    given::<Meeting>([planned(), cancelled()]).when(&ask(&said)).then_nothing();
    let ends = Report { outcome: Some(Status::DidNotOccur), reason: Some(why("nobody came")), ..of(vec![]) };
    let reported = after(&[planned(), opened(), held()]).reported(&ends).unwrap();
    assert_eq!(reported.outcome, Some(Line { became: Became::Differs, stands: Status::Held }));
}

#[test]
fn what_did_not_take_place_needs_a_reason_and_nobody_who_came() {
    let ends =
        |outcome, reason: Option<&str>, marks| Report { outcome: Some(outcome), reason: reason.map(why), ..of(marks) };
    let outcome = |history: &[Event], said: &Report| after(history).reported(said).unwrap().outcome.unwrap().became;
    let no_reason = ends(Status::Cancelled, None, vec![]);
    assert_eq!(outcome(&[planned()], &no_reason), Became::ReasonNeeded);
    given::<Meeting>([planned()]).when(&ask(&no_reason)).then_nothing();
    // What is called off is not opened for that.
    let snow = Report { at: plan().starts_at - OPENS_EARLY_MAX * 2, ..ends(Status::Cancelled, Some("snow"), vec![]) };
    given::<Meeting>([planned()]).when(&ask(&snow)).then(&[cancelled()]);
    let came = ends(Status::Cancelled, Some("snow"), vec![line(ALICE, None, Some(Mark::Late))]);
    given::<Meeting>([planned()]).when(&ask(&came)).then(&[opened(), recorded(ALICE, Mark::Late)]);
    let refused = Became::Refused(Refusal::AttendanceRecorded { to: Status::Cancelled });
    assert_eq!(outcome(&[planned()], &came), refused);
    let absent = ends(Status::Cancelled, Some("snow"), vec![line(ALICE, None, Some(Mark::Absent))]);
    given::<Meeting>([planned()]).when(&ask(&absent)).then(&[opened(), recorded(ALICE, Mark::Absent), cancelled()]);
}

#[test]
fn a_report_of_a_meeting_that_is_far_ahead_is_refused_as_a_whole() {
    let early = |said| Report { at: plan().starts_at - OPENS_EARLY_MAX * 2, ..said };
    let refusal = Refusal::TooEarly { starts_at: plan().starts_at };
    let said = early(of(vec![line(ALICE, None, Some(Mark::Late))]));
    given::<Meeting>([planned()]).when(&ask(&said)).then_refused(&refusal);
    given::<Meeting>([planned()])
        .when(&ask(&early(Report { outcome: Some(Status::Open), ..of(vec![]) })))
        .then_refused(&refusal);
    // Nothing is asked that needs an open register.
    given::<Meeting>([planned()]).when(&ask(&early(of(vec![line(ALICE, None, None)])))).then_nothing();
    assert_eq!(crate::Refusal::kind(&refusal), RefusalKind::Conflict);
}

#[test]
fn heads_that_somebody_counted_otherwise_meanwhile_are_told_and_stay() {
    let counted = Event::HeadcountRecorded(HeadcountRecorded { heads: newcomers(3), reason: None });
    let history = [planned(), opened(), counted];
    let became = |history: &[Event], heads, reason: Option<&str>| {
        let said = Report { heads, reason: reason.map(why), ..of(vec![]) };
        let line = after(history).reported(&said).unwrap().heads.unwrap();
        (line.became, line.stands.values().sum::<u16>())
    };
    assert_eq!(became(&history, Some(heads(0, 2)), None), (Became::Differs, 3));
    assert_eq!(became(&history, Some(heads(3, 2)), None), (Became::Applied, 2));
    assert_eq!(became(&history, Some(heads(0, 3)), None), (Became::Same, 3));
    assert_eq!(
        became(&history, Some(heads(3, HEADS_MAX + 1)), None),
        (Became::Refused(Refusal::TooManyHeads(HEADS_MAX + 1)), 3)
    );
    let closed = [history.to_vec(), vec![held()]].concat();
    assert_eq!(became(&closed, Some(heads(3, 2)), None), (Became::ReasonNeeded, 3));
    assert_eq!(became(&closed, Some(heads(3, 0)), Some("counted twice")), (Became::Applied, 0));
}

#[test]
fn a_full_register_takes_no_more_of_a_report() {
    let line = |n| line(MemberId(uuid::Uuid::from_u128(n)), None, Some(Mark::Present));
    let said = of((1..=MARKS_MAX as u128 + 1).map(line).collect());
    let reported = after(&[planned()]).reported(&said).unwrap();
    let (last, others) = reported.marks.split_last().unwrap();
    assert!(others.iter().all(|line| line.became == Became::Applied));
    assert_eq!(last.became, Became::Refused(Refusal::Mark(MarkRefusal::Full)));
}

#[test]
fn a_person_with_two_marks_is_seen_with_the_better_one_and_changed_under_both() {
    let history = [planned(), opened(), recorded(ALICE, Mark::Late), recorded(BOB, Mark::Absent)];
    let both = |based_on, says| ReportedMark {
        person: of_one(&[ALICE, BOB], Mark::Present, true).person,
        ..line(ALICE, based_on, says)
    };
    assert_eq!(became(&history, &of(vec![both(None, Some(Mark::Late))])), [(Became::Same, Some(Mark::Late))]);
    assert_eq!(
        became(&history, &of(vec![both(Some(Mark::Absent), Some(Mark::Excused))])),
        [(Became::Differs, Some(Mark::Late))]
    );
    let excused = of(vec![both(Some(Mark::Late), Some(Mark::Excused))]);
    given::<Meeting>(history)
        .when(&ask(&excused))
        .then(&[recorded(ALICE, Mark::Excused), recorded(BOB, Mark::Excused)]);
}

/// Reports of Alice and Bob, who are one person or two, on the roster or not.
pub(in crate::meeting) fn reports() -> impl Strategy<Value = Report> {
    let mark = || prop::option::of(prop_oneof![Just(Mark::Present), Just(Mark::Late), Just(Mark::Absent)]);
    let said = (any::<bool>(), mark(), mark(), any::<[bool; 4]>());
    let line_of = |one: bool, (is_bob, based_on, says, coins): (bool, Option<Mark>, Option<Mark>, [bool; 4])| {
        let [enrolled, walks_in, erased, reason] = coins;
        let member = if is_bob { BOB } else { ALICE };
        let records = if one { vec![ALICE, BOB] } else { vec![member] };
        let person =
            Person { member, enrolled, erased: erased && reason, ..of_one(&records, Mark::Present, true).person };
        let said = ReportedMark { person, walks_in, ..line(member, based_on, says) };
        if reason { with_a_reason(said) } else { said }
    };
    let marks = (any::<bool>(), prop::collection::vec(said, 0..4))
        .prop_map(move |(one, said)| said.into_iter().map(|said| line_of(one, said)).collect::<Vec<_>>());
    let outcome = prop::option::of(prop_oneof![
        3 => Just(Status::Open),
        2 => Just(Status::Held),
        1 => Just(Status::Cancelled),
        1 => Just(Status::DidNotOccur),
    ]);
    let counts = prop::option::of((0u16..3, 0u16..3));
    (marks, counts, outcome, any::<bool>()).prop_map(|(marks, counted, outcome, reason)| Report {
        heads: counted.map(|(based_on, said)| heads(based_on, said)),
        outcome,
        reason: reason.then(|| why("told us")),
        ..of(marks)
    })
}

/// A phone in the room: what it shows of each member, and what its owner says of them.
#[derive(Debug, Clone, Default)]
struct Phone {
    shows: BTreeMap<MemberId, Option<Mark>>,
    says: BTreeMap<MemberId, Option<Mark>>,
}

/// What happens in the room.
#[derive(Debug, Clone)]
enum Tap {
    /// Somebody is marked on a phone, which has no net.
    Says(usize, u128, Option<Mark>),
    /// A phone sends what it has.
    Sends(usize),
    /// A phone shows the register anew; what its owner has said of it stays.
    Reads(usize),
}

fn taps() -> impl Strategy<Value = Tap> {
    let mark = prop::option::of(prop_oneof![Just(Mark::Present), Just(Mark::Late), Just(Mark::Absent)]);
    prop_oneof![
        5 => (0usize..2, 1u128..5, mark).prop_map(|(phone, member, mark)| Tap::Says(phone, member, mark)),
        2 => (0usize..2).prop_map(Tap::Sends),
        1 => (0usize..2).prop_map(Tap::Reads),
    ]
}

/// What the register says of everybody.
fn register(state: &State) -> BTreeMap<MemberId, Option<Mark>> {
    let State::Known(register) = state else { panic!("it is known") };
    register.entries.iter().map(|(member, entry)| (*member, Some(entry.mark))).collect()
}

/// Sends what a phone has, and checks what it is told; what it shows then is what it was told.
fn send(phone: &mut Phone, state: State) -> State {
    let lines: Vec<_> = std::mem::take(&mut phone.says).into_iter().collect();
    let seen = |phone: &Phone, member| phone.shows.get(member).copied().flatten();
    let said = of(lines.iter().map(|(member, says)| line(*member, seen(phone, member), *says)).collect());
    let (before, reported) = (register(&state), state.reported(&said).unwrap());
    let state = Meeting::decide(&ask(&said), &state).unwrap().iter().fold(state, Meeting::evolve);
    let now = register(&state);
    let of = |register: &BTreeMap<_, Option<Mark>>, member| register.get(member).copied().flatten();
    for ((member, says), told) in lines.iter().zip(&reported.marks) {
        let (stood, stands) = (of(&before, member), of(&now, member));
        // What a phone is told to stand, stands; and nothing that it had not shown was overwritten.
        assert_eq!(told.stands.map(|entry| entry.mark), stands);
        match told.became {
            Became::Same => assert!(stood == *says && stands == *says),
            Became::Applied => assert!(stood == seen(phone, member) && stood != *says && stands == *says),
            Became::Differs => assert!(stood != seen(phone, member) && stands == stood && stands != *says),
            ref other => panic!("nothing else can come of it: {other:?}"),
        }
        phone.shows.insert(*member, stands);
    }
    // Of whom nothing was said, nothing changed.
    let others = |register: &BTreeMap<MemberId, Option<Mark>>| {
        let mut others = register.clone();
        others.retain(|member, _| lines.iter().all(|(said, _)| said != member));
        others
    };
    assert_eq!(others(&before), others(&now));
    state
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn two_phones_lose_no_mark_in_silence(taps in prop::collection::vec(taps(), 1..60)) {
        let mut phones = [Phone::default(), Phone::default()];
        let mut state = after(&[planned()]);
        for tap in taps {
            match tap {
                Tap::Says(phone, member, mark) => {
                    phones[phone].says.insert(MemberId(uuid::Uuid::from_u128(member)), mark);
                }
                Tap::Sends(phone) => state = send(&mut phones[phone], state),
                Tap::Reads(phone) => phones[phone].shows = register(&state),
            }
        }
        for phone in &mut phones {
            state = send(phone, state);
        }
    }

    #[test]
    fn whatever_is_reported_what_is_told_to_stand_stands(
        asked in prop::collection::vec(crate::meeting::tests::commands(), 0..20), said in reports(),
    ) {
        let history = asked.iter().fold(vec![planned()], |mut history, command| {
            history.extend(Meeting::decide(command, &after(&history)).unwrap_or_default());
            history
        });
        let state = after(&history);
        let Ok(reported) = state.reported(&said) else {
            prop_assert_eq!(Meeting::decide(&ask(&said), &state).err(), state.reported(&said).err());
            return Ok(());
        };
        let events = Meeting::decide(&ask(&said), &state).unwrap();
        let done = reported.marks.iter().any(|line| line.became == Became::Applied)
            || reported.heads.as_ref().is_some_and(|line| line.became == Became::Applied)
            || reported.outcome.as_ref().is_some_and(|line| line.became == Became::Applied);
        prop_assert_eq!(done, !events.is_empty());
        let State::Known(register) = events.iter().fold(state, Meeting::evolve) else { panic!("it is known") };
        prop_assert_eq!(register.status, reported.status);
        for (line, told) in said.marks.iter().zip(&reported.marks) {
            prop_assert_eq!(told.stands, stands(&register.entries, &line.person));
        }
        prop_assert!(reported.heads.is_none_or(|told| told.stands == register.heads));
    }
}
