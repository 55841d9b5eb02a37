use std::collections::{BTreeMap, BTreeSet};

use domain::{
    GroupId, LocalDay, MeetingId, MemberId,
    group::MeetingMode,
    meeting::{self, AttendanceMode, Entry, HeadCategory, Headcount, Mark, Plan, Status},
    member::{self, Purpose, Record},
    programme,
};
use eventlog::Recorded;
use jiff::{civil::date, tz::TimeZone};
use proptest::prelude::*;

use super::*;
use crate::{
    FactStore, difference,
    facts::Limits,
    history::{self, History, absent, group, meeting, member, org, present},
};

const MODES: [MeetingMode; 3] = [MeetingMode::InPerson, MeetingMode::Virtual, MeetingMode::Hybrid];
const STATUSES: [Status; 8] = [
    Status::Held,
    Status::Held,
    Status::Held,
    Status::Held,
    Status::Planned,
    Status::Open,
    Status::Cancelled,
    Status::DidNotOccur,
];
const MARKS: [Mark; 4] = [Mark::Present, Mark::Late, Mark::Excused, Mark::Absent];
const HOW: [AttendanceMode; 3] = [AttendanceMode::InPerson, AttendanceMode::Video, AttendanceMode::Phone];
const CATEGORIES: [HeadCategory; 5] =
    [HeadCategory::Newcomer, HeadCategory::Visitor, HeadCategory::Supporter, HeadCategory::Child, HeadCategory::Other];

fn period(from: &str, through: &str) -> Period {
    Period::new(from.parse().unwrap(), through.parse().unwrap()).unwrap()
}

/// Reach by brute force: the whole history in maps and sets.
#[derive(Default)]
struct Reference {
    plans: BTreeMap<MeetingId, Plan>,
    statuses: BTreeMap<MeetingId, (Status, Position)>,
    marks: BTreeMap<(MeetingId, MemberId), (Position, Entry)>,
    members: BTreeMap<MemberId, Record>,
    heads: BTreeMap<MeetingId, Headcount>,
    groups: Vec<(GroupId, ProgrammeId, Position)>,
    names: BTreeMap<ProgrammeId, String>,
}

impl Reference {
    fn of(events: &[Recorded], org: &OrgId) -> Self {
        let mut reference = Self::default();
        for event in events.iter().filter(|event| event.stream.org() == *org) {
            reference.add(event);
        }
        reference
    }

    fn add(&mut self, event: &Recorded) {
        use meeting::Event;
        let (id, at) = (event.stream.id(), event.position);
        let meeting = MeetingId(id);
        let mut status = |status| {
            self.statuses.insert(meeting, (status, at));
        };
        let event = event.decode().unwrap();
        if let Some(programme::Event::Changed(changed)) = event.of() {
            self.names.insert(ProgrammeId(id), changed.details.name.to_string());
        } else if let Some(domain::group::Event::Changed(changed)) = event.of() {
            self.groups.push((GroupId(id), changed.details.programme, at));
        } else if let Some(event) = event.of::<member::Event>() {
            self.members.entry(MemberId(id)).or_default().evolve(event);
        } else {
            match event.of::<meeting::Event>().expect("nothing else is in these histories").clone() {
                Event::Planned(meeting::Planned { plan }) | Event::Replanned(meeting::Replanned { plan }) => {
                    self.plans.insert(meeting, plan);
                }
                Event::Unplanned(_) => status(Status::Unplanned),
                Event::Opened(_) | Event::Reopened(_) => status(Status::Open),
                Event::Held(_) => status(Status::Held),
                Event::Cancelled(_) => status(Status::Cancelled),
                Event::DidNotOccur(_) => status(Status::DidNotOccur),
                Event::Reinstated(_) => status(Status::Planned),
                Event::AttendanceRecorded(now) => {
                    self.marks.insert((meeting, now.member), (at, now.entry));
                }
                Event::AttendanceCorrected(meeting::AttendanceCorrected { member, now: Some(entry), .. }) => {
                    self.marks.insert((meeting, member), (at, entry));
                }
                Event::AttendanceTakenBack(meeting::AttendanceTakenBack { member, .. })
                | Event::AttendanceCorrected(meeting::AttendanceCorrected { member, now: None, .. }) => {
                    self.marks.remove(&(meeting, member));
                }
                Event::HeadcountRecorded(now) => {
                    self.heads.insert(meeting, now.heads);
                }
                Event::MoodRecorded(_) | Event::StructureRecorded(_) => {}
            }
        }
    }

    fn programme(&self, group: GroupId, at: Position) -> Option<ProgrammeId> {
        self.groups.iter().rev().find(|(of, _, since)| *of == group && *since <= at).map(|(_, programme, _)| *programme)
    }

    fn reach(&self, period: Period, by: &[Dimension]) -> Vec<ReachRow> {
        let mut cells: BTreeMap<_, (ReachRow, BTreeSet<MemberId>)> = BTreeMap::new();
        if by.is_empty() {
            cells.insert((None, None, None, None), Default::default());
        }
        for (meeting, plan) in &self.plans {
            let Some((Status::Held, held_at)) = self.statuses.get(meeting) else { continue };
            let month = Month::of(plan.starts_at_local.date());
            if month < period.from() || month > period.through() {
                continue;
            }
            let asked = |dimension| by.contains(&dimension);
            let month = Some(month).filter(|_| asked(Dimension::Month));
            let programme = self.programme(plan.group, *held_at).filter(|_| asked(Dimension::Programme));
            let programme_name = programme.and_then(|programme| self.names.get(&programme).cloned());
            let mode = Some(plan.mode).filter(|_| asked(Dimension::Mode));
            let key = (month, programme_name.clone(), programme, mode);
            let (row, people) = cells.entry(key).or_default();
            (row.month, row.programme, row.programme_name, row.mode) = (month, programme, programme_name, mode);
            self.count(*meeting, row, people);
        }
        cells.into_values().map(finish).collect()
    }

    fn person(&self, member: MemberId) -> MemberId {
        match self.members.get(&member).and_then(|record| record.merged_into) {
            Some(into) => self.person(into),
            None => member,
        }
    }

    /// Whether all records of the person allow that they are counted.
    fn counts(&self, person: MemberId) -> bool {
        let theirs = self.members.iter().filter(|(member, _)| self.person(**member) == person);
        theirs
            .map(|(_, record)| &record.permissions)
            .all(|allowed| allowed.allow(Purpose::Statistics, &LocalDay::new(date(2026, 1, 1), TimeZone::UTC)).is_ok())
    }

    fn count(&self, meeting: MeetingId, row: &mut ReachRow, people: &mut BTreeSet<MemberId>) {
        let heads: u64 = self.heads.get(&meeting).into_iter().flatten().map(|(_, heads)| u64::from(*heads)).sum();
        let mut last: BTreeMap<MemberId, (Position, Entry)> = BTreeMap::new();
        for ((of, member), mark) in &self.marks {
            if *of == meeting && mark.1.mark.attended() {
                let kept = last.entry(self.person(*member)).or_insert(*mark);
                *kept = if kept.0 < mark.0 { *mark } else { *kept };
            }
        }
        let (heads, mut there) = (heads + last.keys().filter(|who| !self.counts(**who)).count() as u64, heads);
        for (person, (_, entry)) in last {
            there += 1;
            if self.counts(person) {
                people.insert(person);
                row.attendances += 1;
                match entry.mode.unwrap() {
                    AttendanceMode::InPerson => row.attendances_in_person += 1,
                    AttendanceMode::Video => row.attendances_video += 1,
                    AttendanceMode::Phone => row.attendances_phone += 1,
                }
            }
        }
        row.meetings_held += 1;
        row.anonymous_heads += heads;
        row.reach_lower = row.reach_lower.max(there);
    }
}

fn finish((mut row, people): (ReachRow, BTreeSet<MemberId>)) -> ReachRow {
    row.people = people.len() as u64;
    row.reach_lower = row.reach_lower.max(row.people);
    row.reach_upper = row.people + row.anonymous_heads;
    row
}

/// One thing that happens; numbers choose among few, so that things meet.
type Step = (u8, u8, u64, u64, usize, usize);

fn happen(history: &mut History, (what, of, first, second, a, b): Step) {
    let org = org(["north", "south"][usize::from(of > 7)]);
    let meeting = meeting(first);
    let entry = || {
        let mark = MARKS[a % 4];
        Entry { mark, mode: mark.attended().then_some(HOW[b % 3]) }
    };
    history.gap = u64::from(of == 3);
    match what {
        0 => history.programme(&org, history::programme(second % 3), ["Recovery", "Renewal", "=Hope"][a % 3]),
        1..=2 => history.group(&org, group(first % 3), history::programme(second % 3)),
        3..=6 => {
            let day = date(2025, 11, 30).saturating_add(jiff::Span::new().days(i64::try_from(a * 17).unwrap()));
            history.plan(&org, meeting, group(second % 4), day.at(23, 30, 0, 0), MODES[b % 3]);
        }
        7..=10 => history.status(&org, meeting, STATUSES[a % 8]),
        11..=17 => history.mark(&org, meeting, member(second), entry()),
        18..=20 => history.correct(&org, meeting, member(second), (of % 3 > 0).then(entry)),
        // Always into one of a lower number: nobody is merged in a circle.
        21..=22 if first < second => history.merge(&org, member(second), member(first)),
        21..=22 => {
            let unmerged = member::Unmerged { from: member(first) };
            history.member(&org, member(second), &member::Event::Unmerged(unmerged));
        }
        23..=24 => history.member(&org, member(second), &objection(a, b)),
        _ => {
            let heads = [(CATEGORIES[a % 5], u16::from(of)), (CATEGORIES[b % 5], u16::try_from(second).unwrap())];
            history.heads(&org, meeting, &heads[..a % 3]);
        }
    }
}

fn objection(a: usize, b: usize) -> member::Event {
    let purpose = [Purpose::Statistics, Purpose::Statistics, Purpose::Contact][b % 3];
    match a % 4 {
        0 => member::Event::Objected(member::Objected { purpose }),
        1 => member::Event::ObjectionWithdrawn(member::ObjectionWithdrawn { purpose }),
        2 => member::Event::Restricted(member::Restricted {}),
        _ => member::Event::Unrestricted(member::Unrestricted {}),
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (0_u8..27, 0_u8..10, 0_u64..6, 0_u64..7, 0_usize..8, 0_usize..6);
    prop::collection::vec(step, 1..160)
}

/// Of each batch: how many events, whether the last one comes again, whether the store is opened anew.
fn batches() -> impl Strategy<Value = Vec<(usize, bool, bool)>> {
    prop::collection::vec((1_usize..25, any::<bool>(), prop::bool::weighted(0.2)), 1..20)
}

fn apply_in_batches(dir: &std::path::Path, events: &[Recorded], batches: &[(usize, bool, bool)], limits: Limits) {
    let mut store = FactStore::open_with(dir, limits).unwrap();
    let mut done = 0;
    for (size, again, reopen) in batches.iter().cycle() {
        if done == events.len() {
            break;
        }
        let end = events.len().min(done + size);
        store.apply(&events[if *again { done.saturating_sub(3) } else { done }..end]).unwrap();
        done = end;
        if *reopen {
            drop(store);
            store = FactStore::open_with(dir, limits).unwrap();
        }
    }
}

/// Every combination of dimensions.
fn all_groupings() -> Vec<Vec<Dimension>> {
    let all = [Dimension::Month, Dimension::Programme, Dimension::Mode];
    let chosen = |bits: usize| all.into_iter().enumerate().filter(move |(i, _)| bits >> i & 1 == 1).map(|(_, d)| d);
    (0..8).map(|bits| chosen(bits).collect()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_history_in_any_batches_gives_what_brute_force_gives(
        steps in steps(), batches in batches(), segments in 1_usize..5, segment_rows in 2_u64..60,
    ) {
        let mut history = History::default();
        for step in steps {
            happen(&mut history, step);
        }
        let dir = tempfile::tempdir().unwrap();
        apply_in_batches(dir.path(), &history.events, &batches, Limits { segments, segment_rows });
        for (name, period) in [("north", period("2025-12", "2026-02")), ("south", period("2025-01", "2026-12"))] {
            let reference = Reference::of(&history.events, &org(name));
            for by in all_groupings() {
                let reach = Facts::at(dir.path()).reach(&org(name), period, &by).unwrap();
                prop_assert_eq!(reach.rows, reference.reach(period, &by), "{} by {:?}", name, by);
            }
        }
        let rebuilt = tempfile::tempdir().unwrap();
        FactStore::open(rebuilt.path()).unwrap().apply(&history.events).unwrap();
        prop_assert_eq!(difference(dir.path(), rebuilt.path()).unwrap(), None);
    }
}

/// Polars takes other ways through large tables than through small ones.
#[test]
fn a_large_history_gives_what_brute_force_gives() {
    let mut state = 0x9e37_79b9_u64;
    let mut below = |most: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % most
    };
    let mut history = History::default();
    for _ in 0..30_000 {
        let small = |n: u64| u8::try_from(n).unwrap();
        let (a, b) = (usize::try_from(below(8)).unwrap(), usize::try_from(below(6)).unwrap());
        happen(&mut history, (small(below(27)), small(below(10)), below(150), below(90), a, b));
    }
    let dir = tempfile::tempdir().unwrap();
    let limits = Limits { segments: 16, segment_rows: 4_000 };
    apply_in_batches(dir.path(), &history.events, &[(700, false, false), (90, true, true)], limits);
    let reference = Reference::of(&history.events, &org("north"));
    let period = period("2025-11", "2026-04");
    for by in all_groupings() {
        let reach = Facts::at(dir.path()).reach(&org("north"), period, &by).unwrap();
        assert_eq!(reach.rows, reference.reach(period, &by), "by {by:?}");
    }
}

fn reach(history: &History, by: &[Dimension]) -> Vec<ReachRow> {
    let dir = tempfile::tempdir().unwrap();
    FactStore::open(dir.path()).unwrap().apply(&history.events).unwrap();
    Facts::at(dir.path()).reach(&org("north"), period("2026-01", "2026-12"), by).unwrap().rows
}

/// One group of one programme with meetings on these local days.
fn planned(days: &[(i8, i8)]) -> History {
    let mut history = History::default();
    history.group(&org("north"), group(1), history::programme(1));
    for (number, (month, day)) in (1..).zip(days) {
        let local = date(2026, *month, *day).at(23, 30, 0, 0);
        history.plan(&org("north"), meeting(number), group(1), local, MeetingMode::InPerson);
    }
    history
}

#[test]
fn the_total_of_nothing_is_one_row_of_zeros_and_its_parts_are_no_rows() {
    assert_eq!(reach(&planned(&[(1, 6)]), &[]), [ReachRow::default()]);
    assert_eq!(reach(&planned(&[(1, 6)]), &[Dimension::Month]), []);
    assert_eq!(reach(&History::default(), &[]), [ReachRow::default()]);
}

#[test]
fn people_of_two_months_are_not_the_people_of_both() {
    let north = org("north");
    let mut history = planned(&[(1, 6), (2, 3)]);
    for (of, who) in [(1, 1), (1, 2), (2, 2), (2, 3)] {
        history.mark(&north, meeting(of), member(who), present());
    }
    history.held(&north, meeting(1));
    history.held(&north, meeting(2));
    let months = reach(&history, &[Dimension::Month]);
    assert_eq!(
        months.iter().map(|row| (row.month.unwrap().to_string(), row.people)).collect::<Vec<_>>(),
        [("2026-01".into(), 2), ("2026-02".into(), 2)]
    );
    let total = &reach(&history, &[])[0];
    assert_eq!((total.people, total.attendances), (3, 4));
}

#[test]
fn the_bounds_assume_nothing_of_who_the_anonymous_are() {
    let north = org("north");
    let mut history = planned(&[(1, 6), (1, 13)]);
    // Three came by name the first time; the second time one of them and four heads, who may be the other two again.
    for who in 1..=3 {
        history.mark(&north, meeting(1), member(who), present());
    }
    history.mark(&north, meeting(2), member(1), present());
    history.heads(&north, meeting(1), &[(HeadCategory::Newcomer, 1)]);
    history.heads(&north, meeting(2), &[(HeadCategory::Visitor, 4)]);
    history.held(&north, meeting(1));
    history.held(&north, meeting(2));
    let total = &reach(&history, &[])[0];
    assert_eq!((total.reach_lower, total.people, total.reach_upper), (5, 3, 8));
    assert_eq!(total.anonymous_heads, 5);
}

#[test]
fn records_that_were_merged_are_one_person_who_is_there_once() {
    let north = org("north");
    let mut history = planned(&[(1, 6), (1, 13)]);
    for (of, who) in [(1, 1), (1, 2), (2, 2), (2, 3)] {
        history.mark(&north, meeting(of), member(who), present());
    }
    history.held(&north, meeting(1));
    history.held(&north, meeting(2));
    history.merge(&north, member(2), member(1));
    history.merge(&north, member(3), member(2));
    let total = &reach(&history, &[])[0];
    assert_eq!((total.people, total.attendances, total.reach_lower, total.reach_upper), (1, 2, 1, 1));
    history.member(&north, member(2), &member::Event::Unmerged(member::Unmerged { from: member(1) }));
    let total = &reach(&history, &[])[0];
    assert_eq!((total.people, total.attendances), (2, 3), "what was merged into the second stays with it");
}

#[test]
fn whoever_objects_to_statistics_is_a_seat_that_was_taken_and_nothing_else() {
    let north = org("north");
    let mut history = planned(&[(1, 6), (1, 13)]);
    for (of, who) in [(1, 1), (1, 2), (2, 2)] {
        history.mark(&north, meeting(of), member(who), present());
    }
    history.held(&north, meeting(1));
    history.held(&north, meeting(2));
    let objected = member::Objected { purpose: Purpose::Statistics };
    history.member(&north, member(3), &member::Event::Objected(objected));
    history.merge(&north, member(3), member(2));
    let total = &reach(&history, &[])[0];
    assert_eq!((total.people, total.attendances, total.anonymous_heads), (1, 1, 2), "by any record of the person");
    assert_eq!((total.reach_lower, total.reach_upper), (2, 3));
}

#[test]
fn only_present_and_late_at_a_held_meeting_counts() {
    let north = org("north");
    let mut history = planned(&[(1, 6), (1, 13)]);
    for of in 1..=2 {
        history.mark(&north, meeting(of), member(1), present());
        history.mark(&north, meeting(of), member(2), absent());
        history.mark(&north, meeting(of), member(3), Entry { mark: Mark::Late, mode: Some(AttendanceMode::Phone) });
    }
    history.mark(&north, meeting(1), member(4), present());
    history.held(&north, meeting(1));
    history.correct(&north, meeting(1), member(4), None);
    history.mark(&north, meeting(1), member(5), present());
    history.take_back(&north, meeting(1), member(5), present());
    let total = &reach(&history, &[])[0];
    assert_eq!((total.people, total.meetings_held), (2, 1));
    assert_eq!((total.attendances_in_person, total.attendances_video, total.attendances_phone), (1, 0, 1));
}

#[test]
fn a_meeting_late_on_the_last_day_of_a_month_is_in_that_month() {
    let mut history = planned(&[(1, 31)]);
    history.held(&org("north"), meeting(1));
    // 23:30 in New York is February in UTC.
    assert_eq!(reach(&history, &[Dimension::Month])[0].month.unwrap().to_string(), "2026-01");
}

#[test]
fn a_group_that_moves_takes_none_of_its_past_along() {
    let north = org("north");
    let mut history = planned(&[(1, 6), (2, 3)]);
    history.programme(&north, history::programme(1), "Recovery");
    history.programme(&north, history::programme(2), "Renewal");
    history.held(&north, meeting(1));
    history.group(&north, group(1), history::programme(2));
    history.held(&north, meeting(2));
    let rows = reach(&history, &[Dimension::Programme, Dimension::Month]);
    let rows: Vec<_> = rows.iter().map(|row| (row.month.unwrap().to_string(), row.programme_name.as_deref())).collect();
    let expected = [("2026-01".into(), Some("Recovery")), ("2026-02".into(), Some("Renewal"))];
    assert_eq!(rows, expected);
    // A register that is opened again does not count until it is closed.
    history.reopened(&north, meeting(1));
    let rows = reach(&history, &[Dimension::Programme]);
    assert_eq!(rows.iter().map(|row| row.programme_name.as_deref()).collect::<Vec<_>>(), [Some("Renewal")]);
}

#[test]
fn what_one_organisation_does_is_not_in_anothers_report() {
    let mut history = planned(&[(1, 6)]);
    history.held(&org("north"), meeting(1));
    history.plan(&org("south"), meeting(9), group(1), date(2026, 1, 6).at(9, 0, 0, 0), MeetingMode::InPerson);
    history.held(&org("south"), meeting(9));
    assert_eq!(reach(&history, &[])[0].meetings_held, 1);
}
