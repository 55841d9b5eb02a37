//! What a meeting promises.

use jiff::{
    SignedDuration,
    civil::{date, datetime},
};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::{
    DomainEvent, GroupId,
    decider::spec::{asking_twice_changes_nothing, given},
    group::MeetingMode,
};

pub(super) const ALICE: MemberId = MemberId(Uuid::from_u128(1));
pub(super) const BOB: MemberId = MemberId(Uuid::from_u128(2));

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(super) fn plan() -> Plan {
    Plan {
        group: GroupId(Uuid::from_u128(9)),
        starts_at_local: datetime(2026, 6, 2, 19, 0, 0, 0),
        starts_at: at("2026-06-02T23:00:00Z"),
        ends_at: at("2026-06-03T00:30:00Z"),
        mode: MeetingMode::Hybrid,
        place: None,
    }
}

pub(super) fn why(reason: &str) -> Sealed {
    reason.parse().unwrap()
}
pub(super) fn planned() -> Event {
    Event::Planned(Planned { plan: plan() })
}
pub(super) fn opened() -> Event {
    Event::Opened(Opened {})
}
pub(super) fn held() -> Event {
    Event::Held(Held {})
}
pub(super) fn cancelled() -> Event {
    Event::Cancelled(Cancelled { reason: why("snow") })
}
pub(super) fn entry(mark: Mark) -> Entry {
    Entry { mark, mode: mark.attended().then_some(AttendanceMode::InPerson) }
}
pub(super) fn recorded(member: MemberId, mark: Mark) -> Event {
    Event::AttendanceRecorded(AttendanceRecorded { member, entry: entry(mark), walk_in: false })
}
pub(super) fn walked_in(member: MemberId) -> Event {
    Event::AttendanceRecorded(AttendanceRecorded { member, entry: entry(Mark::Present), walk_in: true })
}
pub(super) fn new(member: MemberId, mark: Mark, enrolled: bool) -> NewMark {
    let person = Person { member, records: vec![member], enrolled, erased: false };
    NewMark { person, mark, mode: None }
}
pub(super) fn record(member: MemberId, mark: Mark) -> Command {
    Command::Record(vec![new(member, mark, true)])
}
pub(super) fn correct(member: MemberId, mark: Option<Mark>) -> Command {
    Command::Correct { records: vec![(member, why("told us"))], to: mark.map(|mark| (mark, None)), enrolled: true }
}
pub(super) fn count(newcomers: u16, reason: Option<&str>) -> Command {
    Command::Count { heads: Headcount::from([(HeadCategory::Newcomer, newcomers)]), reason: reason.map(why) }
}

#[test]
fn a_meeting_goes_from_planned_to_open_to_held() {
    given::<Meeting>([]).when(&Command::Plan(plan())).then(&[planned()]);
    given::<Meeting>([planned()]).when(&Command::Open { at: plan().starts_at }).then(&[opened()]);
    given::<Meeting>([planned(), opened()]).when(&record(ALICE, Mark::Late)).then(&[recorded(ALICE, Mark::Late)]);
    given::<Meeting>([planned(), opened()]).when(&Command::Hold).then(&[held()]);
}

#[test]
fn nothing_can_be_done_with_a_meeting_that_nobody_planned() {
    for command in [Command::Hold, Command::Open { at: plan().starts_at }, record(ALICE, Mark::Present)] {
        given::<Meeting>([]).when(&command).then_refused(&Refusal::Unknown);
    }
}

#[test]
fn a_register_opens_twelve_hours_before_the_start_and_no_earlier() {
    let starts_at = plan().starts_at;
    given::<Meeting>([planned()]).when(&Command::Open { at: starts_at - OPENS_EARLY_MAX }).then(&[opened()]);
    given::<Meeting>([planned()])
        .when(&Command::Open { at: starts_at - OPENS_EARLY_MAX - SignedDuration::from_secs(1) })
        .then_refused(&Refusal::TooEarly { starts_at });
}

#[test]
fn planning_anew_moves_only_a_meeting_that_has_not_begun() {
    let later = Plan { ends_at: at("2026-06-03T01:00:00Z"), ..plan() };
    given::<Meeting>([planned()]).when(&Command::Plan(later)).then(&[Event::Replanned(Replanned { plan: later })]);
    given::<Meeting>([planned(), opened()]).when(&Command::Plan(later)).then_nothing();
    given::<Meeting>([planned(), cancelled()]).when(&Command::Plan(later)).then_nothing();
}

#[test]
fn what_the_calendar_no_longer_has_is_taken_away_unless_something_was_said_of_it_or_it_has_begun() {
    let before = Command::Unplan { at: plan().starts_at - SignedDuration::from_secs(1) };
    let unplanned = Event::Unplanned(Unplanned {});
    given::<Meeting>([planned()]).when(&before).then(std::slice::from_ref(&unplanned));
    given::<Meeting>([planned()]).when(&Command::Unplan { at: plan().starts_at }).then_nothing();
    for history in [vec![], vec![planned(), opened()], vec![planned(), cancelled()], vec![planned(), unplanned.clone()]]
    {
        given::<Meeting>(history).when(&before).then_nothing();
    }
    let gone = [planned(), unplanned];
    let (open, cancel) = (Command::Open { at: plan().starts_at }, Command::Cancel { reason: why("snow") });
    for (command, to) in [(open, Status::Open), (cancel, Status::Cancelled)] {
        let refused = Refusal::NotPossible { status: Status::Unplanned, to };
        given::<Meeting>(gone.clone()).when(&command).then_refused(&refused);
    }
}

#[test]
fn what_was_taken_away_comes_back_when_the_calendar_has_it_again() {
    let later = Plan { place: Some(date(2026, 6, 2)), ..plan() };
    let gone = [planned(), Event::Unplanned(Unplanned {})];
    let replan = |after| Command::Replan { plan: later, after };
    let before = replan(plan().starts_at - SignedDuration::from_secs(1));
    given::<Meeting>(gone.clone()).when(&before).then(&[Event::Replanned(Replanned { plan: later })]);
    let back = Event::Replanned(Replanned { plan: plan() });
    given::<Meeting>(gone.clone()).when(&Command::Plan(plan())).then(std::slice::from_ref(&back));
    let [planned, unplanned] = gone;
    given::<Meeting>([planned, unplanned, back]).when(&Command::Open { at: plan().starts_at }).then(&[opened()]);
    given::<Meeting>([]).when(&before).then_nothing();
    given::<Meeting>([self::planned()]).when(&before).then(&[Event::Replanned(Replanned { plan: later })]);
    given::<Meeting>([self::planned()]).when(&replan(plan().starts_at)).then_nothing();
}

#[test]
fn someone_who_came_has_a_mode_and_someone_who_did_not_has_none() {
    let video = NewMark { mode: Some(AttendanceMode::Video), ..new(ALICE, Mark::Present, true) };
    let entry = Entry { mark: Mark::Present, mode: Some(AttendanceMode::Video) };
    given::<Meeting>([planned(), opened()])
        .when(&Command::Record(vec![video]))
        .then(&[Event::AttendanceRecorded(AttendanceRecorded { member: ALICE, entry, walk_in: false })]);
    let absent = NewMark { mode: Some(AttendanceMode::Video), ..new(ALICE, Mark::Absent, true) };
    given::<Meeting>([planned(), opened()])
        .when(&Command::Record(vec![absent]))
        .then_refused(&Refusal::Mark(MarkRefusal::ModeOfAbsent));
    assert_eq!(AttendanceMode::usual(MeetingMode::Virtual), AttendanceMode::Video);
}

#[test]
fn someone_not_on_the_roster_cannot_be_marked_but_can_walk_in() {
    given::<Meeting>([planned(), opened()])
        .when(&Command::Record(vec![new(BOB, Mark::Present, false)]))
        .then_refused(&Refusal::Mark(MarkRefusal::NotOnRoster));
    let walk_in = Command::AddWalkIn(new(BOB, Mark::Present, false));
    given::<Meeting>([planned(), opened()]).when(&walk_in).then(&[walked_in(BOB)]);
    given::<Meeting>([planned(), opened(), walked_in(BOB)]).when(&walk_in).then_nothing();
    given::<Meeting>([planned(), opened(), held()]).when(&walk_in).then(&[walked_in(BOB)]);
    given::<Meeting>([planned(), opened()])
        .when(&Command::AddWalkIn(new(BOB, Mark::Absent, false)))
        .then_refused(&Refusal::Mark(MarkRefusal::WalkInAbsent));
    given::<Meeting>([planned(), opened()])
        .when(&Command::AddWalkIn(new(ALICE, Mark::Present, true)))
        .then_refused(&Refusal::OnRoster);
}

#[test]
fn a_walk_in_can_be_marked_again_and_stays_a_walk_in() {
    let late = AttendanceRecorded { member: BOB, entry: entry(Mark::Late), walk_in: true };
    given::<Meeting>([planned(), opened(), walked_in(BOB)])
        .when(&Command::Record(vec![new(BOB, Mark::Late, false)]))
        .then(&[Event::AttendanceRecorded(late)]);
}

#[test]
fn of_many_marks_all_are_made_or_none_and_each_mistake_is_named() {
    let marks = vec![new(ALICE, Mark::Present, true), new(BOB, Mark::Present, false), new(ALICE, Mark::Late, true)];
    given::<Meeting>([planned(), opened()])
        .when(&Command::Record(marks))
        .then_refused(&Refusal::Marks(vec![(BOB, MarkRefusal::NotOnRoster), (ALICE, MarkRefusal::Twice)]));
    let marks = vec![new(ALICE, Mark::Present, true), new(BOB, Mark::Absent, true)];
    given::<Meeting>([planned(), opened(), recorded(BOB, Mark::Absent)])
        .when(&Command::Record(marks))
        .then(&[recorded(ALICE, Mark::Present)]);
}

#[test]
fn a_register_holds_so_many_members_and_no_more() {
    let many: Vec<_> =
        (0..=MARKS_MAX as u128).map(|n| new(MemberId(Uuid::from_u128(n)), Mark::Present, true)).collect();
    let state = [planned(), opened()].iter().fold(State::default(), Meeting::evolve);
    assert_eq!(Meeting::decide(&Command::Record(many[1..].to_vec()), &state).unwrap().len(), MARKS_MAX);
    let last = many.last().unwrap().person.member;
    assert_eq!(Meeting::decide(&Command::Record(many), &state), Err(Refusal::Marks(vec![(last, MarkRefusal::Full)])));
}

#[test]
fn once_the_register_is_closed_a_mark_changes_only_by_a_correction_that_keeps_the_old_one() {
    let history = [planned(), opened(), recorded(ALICE, Mark::Absent), held()];
    given::<Meeting>(history.clone()).when(&record(ALICE, Mark::Absent)).then_nothing();
    given::<Meeting>(history.clone()).when(&record(ALICE, Mark::Present)).then_refused(&Refusal::RegisterClosed);
    let corrected = |member, was: Option<Mark>, now: Option<Mark>| {
        let (was, now) = (was.map(entry), now.map(entry));
        Event::AttendanceCorrected(AttendanceCorrected { member, was, now, reason: why("told us") })
    };
    given::<Meeting>(history.clone()).when(&correct(ALICE, Some(Mark::Present))).then(&[corrected(
        ALICE,
        Some(Mark::Absent),
        Some(Mark::Present),
    )]);
    given::<Meeting>(history.clone()).when(&correct(ALICE, None)).then(&[corrected(ALICE, Some(Mark::Absent), None)]);
    given::<Meeting>(history).when(&correct(BOB, Some(Mark::Late))).then(&[corrected(BOB, None, Some(Mark::Late))]);
    given::<Meeting>([planned(), opened()]).when(&correct(ALICE, None)).then_refused(&Refusal::NotClosed);
}

#[test]
fn a_meeting_to_which_somebody_came_cannot_be_cancelled() {
    let cancel = Command::Cancel { reason: why("snow") };
    given::<Meeting>([planned()]).when(&cancel).then(&[cancelled()]);
    given::<Meeting>([planned(), opened()]).when(&cancel).then(&[cancelled()]);
    given::<Meeting>([planned(), opened(), recorded(ALICE, Mark::Late)])
        .when(&cancel)
        .then_refused(&Refusal::AttendanceRecorded { to: Status::Cancelled });
}

#[test]
fn what_was_said_by_mistake_can_be_taken_back() {
    let reinstate = Command::Reinstate { reason: why("wrong week") };
    given::<Meeting>([planned(), cancelled()])
        .when(&reinstate)
        .then(&[Event::Reinstated(Reinstated { reason: why("wrong week") })]);
    given::<Meeting>([planned(), cancelled()])
        .when(&Command::DidNotOccur { reason: why("locked out") })
        .then_refused(&Refusal::NotPossible { status: Status::Cancelled, to: Status::DidNotOccur });
}

#[test]
fn heads_are_counted_while_the_register_is_open_and_with_a_reason_after() {
    let recorded = |heads, reason: Option<&str>| {
        let heads = if heads == 0 { Headcount::new() } else { Headcount::from([(HeadCategory::Newcomer, heads)]) };
        Event::HeadcountRecorded(HeadcountRecorded { heads, reason: reason.map(why) })
    };
    given::<Meeting>([planned(), opened()]).when(&count(3, None)).then(&[recorded(3, None)]);
    let history = [planned(), opened(), recorded(3, None), held()];
    given::<Meeting>(history.clone()).when(&count(3, None)).then_nothing();
    given::<Meeting>(history.clone()).when(&count(0, None)).then_refused(&Refusal::ReasonNeeded);
    given::<Meeting>(history)
        .when(&count(0, Some("one was on the list")))
        .then(&[recorded(0, Some("one was on the list"))]);
    given::<Meeting>([planned()]).when(&count(1, None)).then_refused(&Refusal::NotOpen { status: Status::Planned });
    given::<Meeting>([planned(), opened()])
        .when(&count(HEADS_MAX + 1, None))
        .then_refused(&Refusal::TooManyHeads(HEADS_MAX + 1));
}

/// A mark of somebody with these records, none of which is on the roster unless it is said.
pub(super) fn of_one(records: &[MemberId], mark: Mark, enrolled: bool) -> NewMark {
    let person = Person { member: records[0], records: records.to_vec(), enrolled, erased: false };
    NewMark { person, mark, mode: None }
}

#[test]
fn a_person_is_marked_under_the_record_that_has_a_mark_or_under_all_that_have_one() {
    let open = |marks: &[Event]| [vec![planned(), opened()], marks.to_vec()].concat();
    let both = [recorded(ALICE, Mark::Late), recorded(BOB, Mark::Absent)];
    let marks = |mark| Command::Record(vec![of_one(&[ALICE, BOB], mark, true)]);
    given::<Meeting>(open(&[])).when(&marks(Mark::Late)).then(&[recorded(ALICE, Mark::Late)]);
    given::<Meeting>(open(&both[1..])).when(&marks(Mark::Late)).then(&[recorded(BOB, Mark::Late)]);
    given::<Meeting>(open(&both)).when(&marks(Mark::Late)).then(&[recorded(BOB, Mark::Late)]);
    let excused = [recorded(ALICE, Mark::Excused), recorded(BOB, Mark::Excused)];
    given::<Meeting>(open(&both)).when(&marks(Mark::Excused)).then(&excused);
    asking_twice_changes_nothing::<Meeting>(&open(&both), &marks(Mark::Excused));
    // They are one mark of one command, under whichever name.
    let mut named_bob = of_one(&[ALICE, BOB], Mark::Late, true);
    named_bob.person.member = BOB;
    let twice = Command::Record(vec![of_one(&[ALICE, BOB], Mark::Late, true), named_bob]);
    let refusal = Refusal::Marks(vec![(BOB, MarkRefusal::Twice)]);
    given::<Meeting>(open(&[])).when(&twice).then_refused(&refusal);
}

#[test]
fn a_person_walks_in_once_under_whichever_record() {
    let history = vec![planned(), opened(), walked_in(BOB)];
    let walks_in = |mark| Command::AddWalkIn(of_one(&[ALICE, BOB], mark, false));
    given::<Meeting>(history.clone()).when(&walks_in(Mark::Present)).then_nothing();
    let late = AttendanceRecorded { member: BOB, entry: entry(Mark::Late), walk_in: true };
    given::<Meeting>(history.clone()).when(&walks_in(Mark::Late)).then(&[Event::AttendanceRecorded(late)]);
    let closed = [history, vec![held()]].concat();
    given::<Meeting>(closed.clone()).when(&walks_in(Mark::Late)).then_refused(&Refusal::RegisterClosed);
    given::<Meeting>(closed).when(&walks_in(Mark::Present)).then_nothing();
    let on_roster = Command::AddWalkIn(of_one(&[ALICE, BOB], Mark::Present, true));
    given::<Meeting>([planned(), opened()]).when(&on_roster).then_refused(&Refusal::OnRoster);
}

#[test]
fn a_correction_is_of_all_that_is_said_of_a_person() {
    let history = vec![planned(), opened(), recorded(ALICE, Mark::Late), recorded(BOB, Mark::Absent), held()];
    let corrects = |to: Option<Mark>| {
        let records = vec![(ALICE, why("of Alice")), (BOB, why("of Bob"))];
        Command::Correct { records, to: to.map(|mark| (mark, None)), enrolled: true }
    };
    let corrected = |member, was, now: Option<Mark>, reason| {
        let (was, now) = (Some(entry(was)), now.map(entry));
        Event::AttendanceCorrected(AttendanceCorrected { member, was, now, reason: why(reason) })
    };
    let of_alice = |now| corrected(ALICE, Mark::Late, now, "of Alice");
    let of_bob = |now| corrected(BOB, Mark::Absent, now, "of Bob");
    given::<Meeting>(history.clone()).when(&corrects(None)).then(&[of_alice(None), of_bob(None)]);
    given::<Meeting>(history.clone()).when(&corrects(Some(Mark::Late))).then(&[of_bob(Some(Mark::Late))]);
    asking_twice_changes_nothing::<Meeting>(&history, &corrects(Some(Mark::Excused)));
    asking_twice_changes_nothing::<Meeting>(&history, &corrects(None));
}

#[test]
fn the_better_attended_mark_comes_first_and_its_name_last() {
    let mut marks = [Mark::Absent, Mark::Present, Mark::Excused, Mark::Late];
    marks.sort_unstable();
    assert_eq!(marks, [Mark::Present, Mark::Late, Mark::Excused, Mark::Absent]);
    assert!(marks.is_sorted_by(|a, b| a.as_str() > b.as_str()), "the views choose by name");
}

/// A mood of somebody with these records, sealed for each.
pub(super) fn mood_of(records: &[MemberId], enrolled: bool, said: &str) -> NewMood {
    let mood = records.iter().map(|record| (*record, why(said))).collect();
    NewMood { person: of_one(records, Mark::Present, enrolled).person, mood }
}
pub(super) fn moods(by: &str, moods: Vec<NewMood>) -> Command {
    Command::RecordMoods { moods, by: by.parse().unwrap() }
}
pub(super) fn mood_recorded(member: MemberId, said: &str, by: &str) -> Event {
    Event::MoodRecorded(MoodRecorded { member, mood: why(said), entered_by: by.parse().unwrap() })
}

#[test]
fn a_mood_is_of_whoever_is_on_the_roster_or_was_marked_and_marks_nobody() {
    let history = vec![planned(), opened(), walked_in(BOB)];
    let both = moods("fay", vec![mood_of(&[ALICE], true, "7"), mood_of(&[BOB], false, "declined")]);
    let recorded = [mood_recorded(ALICE, "7", "fay"), mood_recorded(BOB, "declined", "fay")];
    given::<Meeting>(history.clone()).when(&both).then(&recorded);
    let State::Known(register) = [history, recorded.to_vec()].concat().iter().fold(State::default(), Meeting::evolve)
    else {
        panic!("it is known")
    };
    assert_eq!(register.entries.keys().collect::<Vec<_>>(), [&BOB]);
}

#[test]
fn of_many_moods_all_are_recorded_or_none_and_each_mistake_is_named() {
    let erased =
        NewMood { person: Person { erased: true, ..mood_of(&[BOB], true, "3").person }, ..mood_of(&[BOB], true, "3") };
    let unsealed = NewMood { mood: BTreeMap::new(), ..mood_of(&[BOB], true, "3") };
    for nobody in [mood_of(&[BOB], false, "3"), erased, unsealed] {
        let asked = moods("fay", vec![mood_of(&[ALICE], true, "7"), nobody, mood_of(&[ALICE], true, "8")]);
        given::<Meeting>([planned(), opened()])
            .when(&asked)
            .then_refused(&Refusal::Moods(vec![(BOB, MarkRefusal::NotOnRoster), (ALICE, MarkRefusal::Twice)]));
    }
}

#[test]
fn another_mood_replaces_the_one_before_and_whoever_enters_the_same_has_entered_it() {
    let history = vec![planned(), opened(), mood_recorded(ALICE, "7", "fay")];
    let asked = |by, said| moods(by, vec![mood_of(&[ALICE], true, said)]);
    given::<Meeting>(history.clone()).when(&asked("fay", "7")).then_nothing();
    given::<Meeting>(history.clone()).when(&asked("fay", "6")).then(&[mood_recorded(ALICE, "6", "fay")]);
    given::<Meeting>(history).when(&asked("gus", "7")).then(&[mood_recorded(ALICE, "7", "gus")]);
}

#[test]
fn a_mood_is_recorded_while_the_register_is_open_and_then_not_even_the_same() {
    let asked = moods("fay", vec![mood_of(&[ALICE], true, "7")]);
    given::<Meeting>([planned()]).when(&asked).then_refused(&Refusal::NotOpen { status: Status::Planned });
    let history = [planned(), opened(), mood_recorded(ALICE, "7", "fay")];
    given::<Meeting>(history.iter().cloned().chain([held()])).when(&asked).then_refused(&Refusal::RegisterClosed);
    given::<Meeting>(history.iter().cloned().chain([cancelled()]))
        .when(&asked)
        .then_refused(&Refusal::NotOpen { status: Status::Cancelled });
}

#[test]
fn a_persons_mood_is_said_under_the_records_that_have_one_or_are_marked_or_the_first() {
    let asked = moods("fay", vec![mood_of(&[ALICE, BOB], true, "7")]);
    let open = |more: &[Event]| [vec![planned(), opened()], more.to_vec()].concat();
    let of = |member| mood_recorded(member, "7", "fay");
    given::<Meeting>(open(&[])).when(&asked).then(&[of(ALICE)]);
    given::<Meeting>(open(&[walked_in(BOB)])).when(&asked).then(&[of(BOB)]);
    let before = |member| mood_recorded(member, "2", "fay");
    given::<Meeting>(open(&[before(BOB)])).when(&asked).then(&[of(BOB)]);
    given::<Meeting>(open(&[before(ALICE), before(BOB)])).when(&asked).then(&[of(ALICE), of(BOB)]);
    let named_bob = NewMood {
        person: Person { member: BOB, ..of_one(&[ALICE, BOB], Mark::Late, true).person },
        ..mood_of(&[ALICE, BOB], true, "7")
    };
    given::<Meeting>(open(&[]))
        .when(&moods("fay", vec![mood_of(&[ALICE, BOB], true, "7"), named_bob]))
        .then_refused(&Refusal::Moods(vec![(BOB, MarkRefusal::Twice)]));
}

/// Phases, by minutes from the planned start.
fn structure(phases: &[(i64, i64)]) -> Structure {
    let after = |minutes| plan().starts_at + SignedDuration::from_mins(minutes);
    let phase =
        |(start, end): &(i64, i64)| Phase { kind: PhaseKind::Sharing, starts_at: after(*start), ends_at: after(*end) };
    Structure {
        phases: phases.iter().map(phase).collect(),
        topic: Some(why("trust")),
        facilitators: ["fay".parse().unwrap()].into(),
    }
}

#[test]
fn how_a_meeting_went_is_recorded_while_it_is_open_and_after_it_was_held_and_replaces_what_was() {
    let ask = |structure: Structure| Command::RecordStructure(structure);
    let recorded = |structure: Structure| Event::StructureRecorded(StructureRecorded { structure });
    let full = structure(&[(-10, 15), (15, 60)]);
    given::<Meeting>([planned()]).when(&ask(full.clone())).then_refused(&Refusal::NotOpen { status: Status::Planned });
    for history in [vec![planned(), opened()], vec![planned(), opened(), held()]] {
        given::<Meeting>(history.clone()).when(&ask(full.clone())).then(&[recorded(full.clone())]);
        given::<Meeting>(history.clone()).when(&ask(Structure::default())).then_nothing();
        let history = [history, vec![recorded(full.clone())]].concat();
        given::<Meeting>(history.clone()).when(&ask(full.clone())).then_nothing();
        given::<Meeting>(history).when(&ask(Structure::default())).then(&[recorded(Structure::default())]);
    }
}

#[test]
fn phases_are_in_order_and_within_twelve_hours_of_the_meeting() {
    let ask = |phases: &[(i64, i64)]| Command::RecordStructure(structure(phases));
    let refused = |phases: &[(i64, i64)], nth, why| {
        given::<Meeting>([planned(), opened()]).when(&ask(phases)).then_refused(&Refusal::Phase(nth, why));
    };
    refused(&[(0, 15), (15, 15)], 2, PhaseRefusal::NoTime);
    refused(&[(15, 0)], 1, PhaseRefusal::NoTime);
    refused(&[(0, 15), (14, 30)], 2, PhaseRefusal::Overlap);
    refused(&[(30, 45), (0, 15)], 2, PhaseRefusal::Overlap);
    // It is planned for 90 minutes.
    let (first, last) = (-12 * 60, 90 + 12 * 60);
    refused(&[(first - 1, 0)], 1, PhaseRefusal::Outside);
    refused(&[(first, 0), (0, last + 1)], 2, PhaseRefusal::Outside);
    let at_most = structure(&[(first, 0), (0, last)]);
    given::<Meeting>([planned(), opened()])
        .when(&ask(&[(first, 0), (0, last)]))
        .then(&[Event::StructureRecorded(StructureRecorded { structure: at_most })]);
}

pub(super) fn commands() -> impl Strategy<Value = Command> {
    let member = prop_oneof![Just(ALICE), Just(BOB)];
    let mark = prop_oneof![Just(Mark::Present), Just(Mark::Late), Just(Mark::Excused), Just(Mark::Absent)];
    let new_mark =
        (member.clone(), mark.clone(), any::<bool>()).prop_map(|(member, mark, enrolled)| new(member, mark, enrolled));
    // Alice and Bob are one person, or two.
    let new_moods = (any::<bool>(), prop::collection::vec((member.clone(), any::<bool>(), "[1-3]"), 0..3)).prop_map(
        |(one, moods)| {
            let records = |member| if one { vec![ALICE, BOB] } else { vec![member] };
            moods.into_iter().map(|(member, on, said)| mood_of(&records(member), on, &said)).collect::<Vec<_>>()
        },
    );
    prop_oneof![
        1 => (0u32..3).prop_map(|n| Command::Plan(Plan { ends_at: plan().ends_at + SignedDuration::from_mins(n.into()), ..plan() })),
        1 => (0i64..2).prop_map(|late| Command::Unplan { at: plan().starts_at + SignedDuration::from_secs(late - 1) }),
        3 => Just(Command::Open { at: plan().starts_at }),
        1 => Just(Command::Hold),
        1 => Just(Command::Cancel { reason: why("snow") }),
        1 => Just(Command::DidNotOccur { reason: why("locked out") }),
        1 => Just(Command::Reinstate { reason: why("wrong week") }),
        6 => prop::collection::vec(new_mark.clone(), 0..3).prop_map(Command::Record),
        2 => Just(Command::Reopen { reason: why("closed too soon") }),
        2 => new_mark.clone().prop_map(|new| Command::TakeBack(new.person)),
        4 => super::report::tests::reports().prop_map(|report| Command::Report(Arc::new(report))),
        2 => new_mark.prop_map(Command::AddWalkIn),
        4 => (new_moods, prop_oneof![Just("fay"), Just("gus")]).prop_map(|(new, by)| moods(by, new)),
        2 => (0i64..3).prop_map(|end| Command::RecordStructure(structure(&[(0, end)]))),
        3 => (member, prop::option::of(mark)).prop_map(|(member, mark)| correct(member, mark)),
        2 => (0u16..3, any::<bool>()).prop_map(|(heads, reason)| count(heads, reason.then_some("recount"))),
    ]
}

proptest! {
    #[test]
    fn whatever_is_asked_asking_twice_changes_nothing(asked in prop::collection::vec(commands(), 1..30)) {
        let mut history = vec![];
        for command in asked {
            asking_twice_changes_nothing::<Meeting>(&history, &command);
            let state = history.iter().fold(State::default(), Meeting::evolve);
            history.extend(Meeting::decide(&command, &state).unwrap_or_default());
        }
    }

    #[test]
    fn whatever_happened_nobody_came_to_a_meeting_that_was_not_held_or_open(
        asked in prop::collection::vec(commands(), 1..40),
    ) {
        let mut state = State::default();
        for command in asked {
            for event in Meeting::decide(&command, &state).unwrap_or_default() {
                state = Meeting::evolve(state, &event);
            }
            if let State::Known(register) = &state && !matches!(register.status, Status::Open | Status::Held) {
                prop_assert!(register.entries.values().all(|entry| !entry.mark.attended()) && register.heads.is_empty());
            }
        }
    }

    #[test]
    fn whatever_moods_are_recorded_everything_else_is_as_without_them(asked in prop::collection::vec(commands(), 1..40)) {
        let (mut with, mut without) = (State::default(), State::default());
        for command in asked {
            let decided = Meeting::decide(&command, &with);
            if !matches!(command, Command::RecordMoods { .. }) {
                prop_assert_eq!(&decided, &Meeting::decide(&command, &without));
                without = decided.iter().flatten().fold(without, Meeting::evolve);
            }
            with = decided.iter().flatten().fold(with, Meeting::evolve);
        }
    }

    #[test]
    fn an_event_that_is_stored_is_the_event_that_is_loaded(asked in prop::collection::vec(commands(), 1..30)) {
        let mut state = State::default();
        for command in asked {
            for event in Meeting::decide(&command, &state).unwrap_or_default() {
                let (event_type, version) = event.event_type();
                prop_assert_eq!(&Event::decode(event_type, version, &event.encode()).unwrap(), &event);
                state = Meeting::evolve(state, &event);
            }
        }
    }
}
