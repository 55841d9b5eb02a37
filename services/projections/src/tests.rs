//! What the store of the views promises.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
};

use domain::{
    Decider, DomainEvent, GroupId, LocalDay, MeetingId, MemberId, OrgId,
    group::MeetingMode,
    meeting::{AttendanceRecorded, Entry, Held, Mark, Meeting, Opened, Plan, Planned},
    people::{self, People, Persons},
    roster::{
        Ask, CancelReason, Command, Correction, CorrectionReason, DeclineReason, End, Enrolled, ErrorReason, IfFull,
        Places, Roster, Stage,
    },
};
use eventlog::{Append, EventLog, Expected, NewEvent, Recorded, StreamName, sqlite::SqliteLog};
use host::{Difference, Writer};
use jiff::{Timestamp, ToSpan, Zoned, civil::Date, tz::TimeZone};
use messaging::{ApplyError, Subscriber};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;

const GROUP: GroupId = GroupId(Uuid::from_u128(7));
const ALICE: MemberId = MemberId(Uuid::from_u128(1));

/// Noon of 3 June 2026 in UTC.
fn now() -> Zoned {
    jiff::civil::date(2026, 6, 3).at(12, 0, 0, 0).to_zoned(TimeZone::UTC).unwrap()
}

struct World {
    dir: tempfile::TempDir,
    log: Arc<dyn EventLog>,
    ids: u128,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let log = Arc::new(SqliteLog::open(&dir.path().join("log.db")).unwrap());
        Self { dir, log, ids: 0 }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn views(&self) -> Views {
        Views::new(&self.file("views.db"), VIEWS.iter().copied())
    }

    fn writer(&self) -> Writer {
        self.views().writer().unwrap()
    }

    async fn difference(&self) -> (Position, Option<Difference>) {
        self.views().difference(&self.file("anew.db"), &*self.log).await.unwrap()
    }

    async fn append(&mut self, category: &str, org: &OrgId, id: Uuid, types: &[(&'static str, u16, Vec<u8>)]) {
        let events = types.iter().map(|(event_type, version, data)| {
            self.ids += 1;
            let id = Uuid::from_u128(self.ids);
            NewEvent { id, event_type, version: *version, data: data.clone() }
        });
        let append = Append {
            stream: StreamName::new(category, org, id),
            expected: Expected::Any,
            events: events.collect(),
            metadata: b"{}".to_vec(),
            at: Timestamp::UNIX_EPOCH,
            receipt: None,
        };
        self.log.append(append).await.unwrap();
    }

    async fn happened<D: Decider>(&mut self, org: &OrgId, id: Uuid, events: &[D::Event]) {
        let types: Vec<_> = events
            .iter()
            .map(|event| {
                let (event_type, version) = event.event_type();
                (event_type, version, event.encode())
            })
            .collect();
        self.append(D::Event::CATEGORY, org, id, &types).await;
    }

    /// A held meeting that Alice attended, in each of two organisations.
    async fn some_history(&mut self) {
        for org in ["acme", "other"] {
            let org = org.parse().unwrap();
            let starts_on = jiff::civil::date(2026, 1, 1);
            let enrolled = roster(Enrolled { member: ALICE, starts_on, proposed_by: None, beyond: None });
            self.happened::<Roster>(&org, GROUP.0, &[enrolled]).await;
            let starts_at_local = jiff::civil::datetime(2026, 6, 2, 19, 0, 0, 0);
            let starts_at: Timestamp = "2026-06-02T23:00:00Z".parse().unwrap();
            let plan = Plan {
                group: GROUP,
                starts_at_local,
                starts_at,
                ends_at: starts_at,
                mode: MeetingMode::InPerson,
                place: None,
            };
            let entry = Entry { mark: Mark::Present, mode: None };
            let meeting = MeetingId::of(GROUP, starts_at_local);
            let events = [
                domain::meeting::Event::Planned(Planned { plan }),
                domain::meeting::Event::Opened(Opened {}),
                domain::meeting::Event::AttendanceRecorded(AttendanceRecorded { member: ALICE, entry, walk_in: false }),
                domain::meeting::Event::Held(Held {}),
            ];
            self.happened::<Meeting>(&org, meeting.0, &events).await;
        }
    }

    async fn all(&self) -> Vec<Recorded> {
        self.log.read_all(Position::START, 10_000).await.unwrap()
    }
}

fn roster(enrolled: Enrolled) -> domain::roster::Event {
    domain::roster::Event::Enrolled(enrolled)
}

#[tokio::test(flavor = "multi_thread")]
async fn views_folded_one_by_one_equal_views_folded_at_once_and_organisations_stay_apart() {
    let mut world = World::new();
    world.some_history().await;
    let mut views = world.writer();
    for event in world.all().await {
        views.fold(std::slice::from_ref(&event)).unwrap();
    }
    let (position, found) = world.difference().await;
    assert_eq!((position, found), (views.checkpoint(), None));
    let connection = Connection::open(world.file("views.db")).unwrap();
    for org in ["acme", "other"] {
        let (member, _) = person::find(&connection, org, ALICE, &now()).unwrap().unwrap();
        assert_eq!((member.groups.len(), member.groups[0].attended_in_a_row), (1, 1));
        assert_eq!(member.groups[0].enrolments[0].stage, Stage::Active);
    }
    assert_eq!(person::find(&connection, "third", ALICE, &now()).unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_that_was_changed_by_hand_is_found() {
    let mut world = World::new();
    world.some_history().await;
    world.writer().fold(&world.all().await).unwrap();
    Connection::open(world.file("views.db")).unwrap().execute("UPDATE attendance SET mark = 'absent'", []).unwrap();
    let (_, found) = world.difference().await;
    assert_eq!(found.unwrap().table, "attendance");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_cannot_be_applied_leaves_nothing_of_its_batch() {
    let mut world = World::new();
    world.some_history().await;
    let org = "acme".parse().unwrap();
    world.append("roster", &org, GROUP.0, &[("enrolment.started", 1, b"{}".to_vec())]).await;
    let mut views = world.writer();
    let events = world.all().await;
    let Err(ApplyError::Event { position, why, .. }) = views.fold(&events) else { panic!("it was applied") };
    assert_eq!(position, events.last().unwrap().position);
    assert!(why.contains("missing field `member`"), "{why}");
    let rows: i64 = Connection::open(world.file("views.db"))
        .unwrap()
        .query_row("SELECT count(*) FROM enrolments", [], |row| row.get(0))
        .unwrap();
    assert_eq!((rows, views.checkpoint()), (0, Position::START));
    // Those before it can be applied, also after what was forgotten.
    views.fold(&events[..events.len() - 1]).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_views_and_views_of_another_format_start_anew() {
    let mut world = World::new();
    world.some_history().await;
    let path = world.file("views.db");
    world.writer().fold(&world.all().await).unwrap();
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    assert_eq!(world.writer().checkpoint(), Position::START);
    std::fs::write(&path, b"not a database, but long enough to be looked at as one").unwrap();
    assert_eq!(world.writer().checkpoint(), Position::START);
}

#[tokio::test]
async fn a_members_marks_are_indexed_once_the_views_have_caught_up() {
    let world = World::new();
    let mut views = world.writer();
    let plan = || -> String {
        let sql = "EXPLAIN QUERY PLAN SELECT meeting FROM attendance WHERE member = x'00'";
        let connection = Connection::open(world.file("views.db")).unwrap();
        connection.query_row(sql, [], |row| row.get("detail")).unwrap()
    };
    assert!(!plan().contains("attendance_by_member"), "{}", plan());
    for _ in 0..2 {
        views.caught_up().await.unwrap();
        assert!(plan().contains("attendance_by_member"), "{}", plan());
    }
}

/// Who asks of a roster, if it is to be confirmed, and what, on any day of two months.
fn asks() -> impl Strategy<Value = (bool, Ask)> {
    (any::<bool>(), what_is_asked())
}

fn what_is_asked() -> impl Strategy<Value = Ask> {
    let member = (1u128..5).prop_map(|n| MemberId(Uuid::from_u128(n)));
    let some_day = (0i16..60).prop_map(|n| DAY + n.days());
    let other = (1u128..5).prop_map(|n| MemberId(Uuid::from_u128(n)));
    (0..18, member, other, some_day, 1u16..4).prop_map(|(kind, member, other, day, places)| match kind {
        13 => {
            let end = End { on: day + i64::from(places).days(), completed: places > 2 };
            Ask::Record { member, starts_on: day, end, if_full: IfFull::Refuse }
        }
        14 | 15 => {
            let starts_on = (places > 1).then(|| day - 1.day());
            let ends_on = (places < 3).then(|| (kind == 14).then(|| day + 5.days()));
            let to = Correction { starts_on, ends_on, completed: Some(kind == 15) };
            Ask::Correct { member, since: day, to, reason: CorrectionReason::Other, if_full: IfFull::Refuse }
        }
        16 | 17 => Ask::MoveTurn { member, after: Some(other).filter(|_| places > 1), reason: BTreeMap::new() },
        0 | 1 => Ask::Apply { member },
        2..6 => Ask::Enrol { member, starts_on: day, if_full: IfFull::Wait },
        6 => Ask::Complete { member, ends_on: day },
        7 => Ask::Withdraw { member, ends_on: day, reason: BTreeMap::new() },
        8 => Ask::Decline { member, reason: DeclineReason::NotSuited },
        9 => Ask::Cancel { member, reason: CancelReason::Time },
        10 => Ask::TakeBack { member, since: day, reason: ErrorReason::Other },
        11 => Ask::Confirm { member, since: day },
        _ => Ask::SetCapacity { places: Places::try_from(places).ok().filter(|_| places < 3) },
    })
}

/// The first of these days.
const DAY: Date = jiff::civil::date(2026, 1, 1);

/// Who waits, longest first, if this is what happened.
fn line(history: &[domain::roster::Event]) -> Vec<MemberId> {
    use domain::roster::Event;
    let mut line = vec![];
    for event in history {
        let (joins, leaves) = match event {
            Event::Waitlisted(now) => (Some(now.member), None),
            Event::Enrolled(now) => (None, Some(now.member)),
            Event::Promoted(now) => (None, Some(now.member)),
            Event::Declined(now) => (None, Some(now.member)),
            Event::Cancelled(now) => (None, Some(now.member)),
            Event::TurnMoved(now) => {
                line.retain(|member| *member != now.member);
                let at = now.after.and_then(|after| line.iter().position(|member| *member == after));
                line.insert(at.map_or(0, |at| at + 1), now.member);
                continue;
            }
            Event::EnteredInError(_)
            | Event::Recorded(_)
            | Event::Corrected(_)
            | Event::Confirmed(_)
            | Event::Applied(_)
            | Event::Completed(_)
            | Event::Withdrawn(_)
            | Event::CapacitySet(_) => (None, None),
        };
        line.retain(|member| Some(*member) != leaves);
        line.extend(joins);
    }
    line
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn the_roster_and_the_waiting_list_in_the_view_are_those_of_the_domain(
        asks in prop::collection::vec(asks(), 1..40),
        merges in any::<[bool; 2]>(),
    ) {
        let (mut state, mut history) = (domain::roster::State::default(), vec![]);
        for (n, (proposes, ask)) in (0i16..).zip(asks) {
            // What is taken back from the waiting list, only the state could tell.
            let ask = if line(&history).is_empty() { ask } else { without_taking_back(ask) };
            for event in Roster::decide(&command(DAY + n.days(), proposes, ask), &state).unwrap_or_default() {
                state = Roster::evolve(state, &event);
                history.push(event);
            }
        }
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let (mut world, org) = (World::new(), "acme".parse().unwrap());
        let details = br#"{"details":{"name":"Steps","programme":"00000000-0000-0000-0000-000000000001",
            "focus":"addiction","mode":"in_person","listed":true}}"#;
        let events = runtime.block_on(async {
            world.append("group", &org, GROUP.0, &[("group.registered", 1, details.to_vec())]).await;
            for event in &history {
                world.happened::<Roster>(&org, GROUP.0, std::slice::from_ref(event)).await;
            }
            world.happened::<People>(&org, people::stream_id(&org), &merged(merges)).await;
            world.all().await
        });
        let who = merged(merges).iter().fold(people::State::default(), People::evolve).persons().clone();
        world.writer().fold(&events).unwrap();
        let connection = Connection::open(world.file("views.db")).unwrap();
        let people: Vec<_> = (1u128..5).map(|n| MemberId(Uuid::from_u128(n))).collect();
        for day in (0i16..120).map(|n| DAY + n.days()) {
            let mut on: Vec<_> = people.iter().filter(|one| state.covers(**one, day)).map(|one| (who.of(*one), *one)).collect();
            on.sort_unstable();
            prop_assert_eq!(rosters::enrolled_on(&connection, "acme", GROUP, day).unwrap(), on.clone());
            let mut on: Vec<_> = on.into_iter().map(|(person, _)| person).collect();
            on.dedup();
            let here = LocalDay::new(day, TimeZone::UTC);
            let size = rosters::roster_size(&connection, ("acme", GROUP), &here).unwrap();
            prop_assert_eq!(size as usize, on.len());
            let listed = rosters::list(&connection, ("acme", GROUP, &here), None, None, 100).unwrap().unwrap();
            prop_assert!(listed.iter().all(|line| line.enrolment.stage == Stage::Enrolled));
            prop_assert_eq!(listed.iter().map(|line| line.member).collect::<Vec<_>>(), on);
            let open = people.iter().copied().filter(|member| state.is_open(*member, &here)).collect();
            prop_assert_eq!(enrolment_view::open_on(&connection, ("acme", GROUP), &here).unwrap(), open);
        }
        let here = LocalDay::new(DAY, TimeZone::UTC);
        let waits = rosters::list(&connection, ("acme", GROUP, &here), Some(Stage::Waitlisted), None, 100);
        let waits = waits.unwrap().unwrap();
        let has_place = |one: &MemberId| state.covers(*one, jiff::civil::date(2100, 1, 1));
        let mut turns: Vec<MemberId> = vec![];
        for one in line(&history) {
            let one = who.of(one);
            if !turns.contains(&one) && !who.records(&one).iter().any(has_place) {
                turns.push(one);
            }
        }
        let counted = rosters::places(&connection, "acme", GROUP).unwrap().waitlisted;
        prop_assert_eq!((waits.iter().map(|line| line.member).collect::<Vec<_>>(), counted as usize), (turns.clone(), turns.len()));
        prop_assert!(waits.iter().zip(1..).all(|(line, turn)| line.enrolment.waiting == Some(turn)));
    }
}

/// 3 becomes 2, 2 becomes 1, as far as it does.
fn merged(merges: [bool; 2]) -> Vec<people::Event> {
    let member = |n| MemberId(Uuid::from_u128(n));
    let merges = [(3, 2), (2, 1)].into_iter().zip(merges).filter(|(_, is)| *is);
    let one = |((from, into), _)| people::Merged {
        from: member(from),
        into: member(into),
        objections: BTreeSet::new(),
        restricted: false,
    };
    merges.map(one).map(people::Event::Merged).collect()
}

fn command(today: Date, proposes: bool, ask: Ask) -> Command {
    let (today, proposed_by) = (LocalDay::new(today, TimeZone::UTC), proposes.then(|| "fay".parse().unwrap()));
    Command { today, proposed_by, persons: Persons::default(), ask }
}

fn without_taking_back(ask: Ask) -> Ask {
    match ask {
        Ask::TakeBack { member, .. } => Ask::Apply { member },
        other => other,
    }
}
