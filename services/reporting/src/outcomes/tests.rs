use std::collections::BTreeMap;

use domain::{
    CheckInId, Subject,
    care::{self, CheckInCorrected, CheckInEnteredInError, CheckInRecorded, EnteredBy, When},
    group::MeetingMode,
    instrument::{Answer, Given, shipped},
    meeting::{self, Mood, MoodRecorded},
    member,
    protocol::Edition,
};
use jiff::civil::{Date, date};
use tempfile::TempDir;
use vault::{Kek, Key, SealedAs, Vault};
use web::Sealable;

use super::*;
use crate::{
    FactStore,
    history::{self, History, group, meeting, member, org},
};

/// A history, and the keys of those whom it is about.
struct World {
    dir: TempDir,
    history: History,
    keys: BTreeMap<MemberId, Key>,
}

/// Different each time, which is all that is needed of it.
fn fresh() -> [u8; 56] {
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
    let mut bytes = [7; 56];
    bytes[..8].copy_from_slice(&NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed).to_le_bytes());
    bytes
}

/// Two programmes with a group each, and members 1 to 9 with a key.
fn world() -> World {
    // Only the vault answers later; polars would not run inside of it.
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let vault = Vault::open(&dir.path().join("vault.db"), Kek::new([3; 32]), fresh).unwrap();
    let (mut history, mut keys) = (History::default(), BTreeMap::new());
    for number in 1..=2 {
        history.programme(&org("north"), history::programme(number), &format!("Programme {number}"));
        history.group(&org("north"), group(number), history::programme(number));
    }
    for number in 1..=9 {
        keys.insert(member(number), runtime.block_on(vault.key_or_new(&org("north"), member(number))).unwrap());
    }
    World { dir, history, keys }
}

impl World {
    fn mood(&mut self, at: u64, who: u64, mood: &str) {
        let mood: Mood = serde_json::from_str(mood).unwrap();
        let mood = self.keys[&member(who)].seal(&org("north"), meeting(at).0, SealedAs::Mood, &mood.bytes());
        let said = MoodRecorded { member: member(who), mood, entered_by: ann() };
        self.history.push(&org("north"), meeting(at).0, &meeting::Event::MoodRecorded(said));
    }

    fn meeting(&mut self, number: u64, of: u64, day: Date) {
        self.history.plan(&org("north"), meeting(number), group(of), day.at(19, 0, 0, 0), MeetingMode::Virtual);
        self.history.held(&org("north"), meeting(number));
    }

    fn care(&mut self, who: u64, event: &care::Event) {
        self.history.push(&org("north"), member(who).0, event);
    }

    fn answers(&self, who: u64, check_in: CheckInId, total: u8) -> Sealed {
        let given = Given::Answers(phq_2(total));
        self.keys[&member(who)].seal(&org("north"), check_in.0, SealedAs::Answers, &given.bytes())
    }

    /// PHQ-2, of which two answers of 0 to 3 are added up.
    fn check_in(&mut self, number: u64, who: u64, of: Option<u64>, on: Date, total: u8) -> CheckInId {
        let check_in = CheckInId(history::id(5, number));
        let edition = Edition { instrument: "phq-2".parse().unwrap(), version: 1, norm_set: None };
        let when = When { on, group: of.map(group), meeting: None };
        let (answers, entered_by) = (self.answers(who, check_in, total), EnteredBy::Assisted(ann()));
        let recorded = CheckInRecorded { check_in, edition, when, language: None, entered_by, answers };
        self.care(who, &care::Event::CheckInRecorded(recorded));
        check_in
    }

    fn outcomes(&self, by_programme: bool) -> Outcomes {
        let dir = self.dir.path();
        let mut store = FactStore::open(dir).unwrap();
        store.apply(&self.history.events).unwrap();
        let period = Period::new("2026-01".parse().unwrap(), "2026-03".parse().unwrap()).unwrap();
        let sealed = Facts::at(dir).outcomes(&org("north"), period).unwrap();
        assert_eq!(sealed.position, store.checkpoint());
        let keys = self.keys.iter().map(|(member, key)| (*member, key.clone())).collect();
        let instruments = sealed.editions().iter().map(|(id, version)| shipped(id, *version).cloned()).collect();
        sealed.open(&Opener::new(org("north"), keys, instruments), by_programme)
    }

    fn change(&self) -> ChangeRow {
        let [change] = &self.outcomes(false).changes[..] else { panic!("one score, in total") };
        change.clone()
    }
}

fn ann() -> Subject {
    "ann".parse().unwrap()
}

fn phq_2(total: u8) -> BTreeMap<Id, Answer> {
    let first = total.min(3);
    [("1", first), ("2", total - first)].map(|(item, raw)| (item.parse().unwrap(), Answer::Answered(raw))).into()
}

#[test]
fn the_mean_mood_is_of_what_was_said_at_held_meetings_of_each_programme() {
    let mut world = world();
    world.meeting(1, 1, date(2026, 1, 6));
    world.meeting(2, 2, date(2026, 1, 7));
    world.meeting(3, 2, date(2026, 4, 1));
    world.history.plan(&org("north"), meeting(4), group(1), date(2026, 1, 8).at(19, 0, 0, 0), MeetingMode::Virtual);
    for (at, who, mood) in
        [(1, 1, "9"), (1, 1, "4"), (1, 2, "7"), (1, 3, "\"declined\""), (2, 1, "10"), (3, 1, "0"), (4, 1, "0")]
    {
        world.mood(at, who, mood);
    }
    let rows = world.outcomes(true).moods;
    let row = |number, people, said, declined, mean| MoodRow {
        programme: Some(history::programme(number)),
        programme_name: Some(format!("Programme {number}")),
        people,
        said,
        declined,
        mean: Some(mean),
    };
    assert_eq!(rows, [row(1, 3, 2, 1, 5.5), row(2, 1, 1, 0, 10.0)]);
    let total = &world.outcomes(false).moods;
    assert_eq!((total[0].people, total[0].said, total[0].mean), (3, 3, Some(7.0)));
}

#[test]
fn a_change_is_of_the_first_and_the_last_score_of_one_person() {
    let mut world = world();
    // One person, three times, not in order; another, twice on a day; a third, once; a fourth, beyond the period.
    for (number, who, on, total) in [
        (1, 1, date(2026, 3, 1), 1),
        (2, 1, date(2026, 1, 1), 6),
        (3, 1, date(2026, 2, 1), 6),
        (4, 2, date(2026, 2, 2), 4),
        (5, 2, date(2026, 2, 2), 3),
        (6, 3, date(2026, 2, 2), 2),
        (7, 4, date(2026, 4, 1), 5),
        (8, 4, date(2025, 12, 31), 5),
    ] {
        world.check_in(number, who, None, on, total);
    }
    let change = world.change();
    assert_eq!((change.people, change.scores, change.pairs), (3, 6, 2));
    assert_eq!((change.mean_first, change.mean_last, change.mean_change), (Some(5.0), Some(2.0), Some(-3.0)));
    assert_eq!(change.sd_change, Some(2.8284), "of -5 and -1, with n - 1");
    assert_eq!((change.instrument.as_str(), change.version, change.programme), ("phq-2", 1, None));
}

#[test]
fn what_was_corrected_counts_as_it_stands_and_what_was_entered_in_error_does_not() {
    let mut world = world();
    let first = world.check_in(1, 1, None, date(2026, 1, 1), 6);
    let second = world.check_in(2, 1, None, date(2026, 2, 1), 5);
    let third = world.check_in(3, 1, None, date(2026, 3, 1), 0);
    let reason: Sealed = "why".parse().unwrap();
    let answers = world.answers(1, first, 4);
    let corrected = CheckInCorrected { check_in: first, answers, reason: reason.clone() };
    world.care(1, &care::Event::CheckInCorrected(corrected));
    assert_eq!(world.change().mean_change, Some(-4.0));
    for (check_in, change) in [(third, Some(1.0)), (second, None)] {
        let in_error = CheckInEnteredInError { check_in, reason: reason.clone() };
        world.care(1, &care::Event::CheckInEnteredInError(in_error));
        assert_eq!(world.change().mean_change, change);
    }
}

#[test]
fn a_check_in_belongs_to_the_programme_of_its_group_when_it_was_recorded() {
    let mut world = world();
    world.check_in(1, 1, Some(1), date(2026, 1, 1), 6);
    world.check_in(2, 1, Some(1), date(2026, 1, 8), 5);
    world.history.group(&org("north"), group(1), history::programme(2));
    world.check_in(3, 1, Some(1), date(2026, 1, 15), 1);
    world.check_in(4, 1, None, date(2026, 1, 15), 3);
    let rows = world.outcomes(true).changes;
    let rows: Vec<_> = rows.iter().map(|row| (row.programme, row.scores, row.mean_change)).collect();
    let programme = |number| Some(history::programme(number));
    assert_eq!(rows, [(None, 1, None), (programme(1), 2, Some(-1.0)), (programme(2), 1, None)]);
}

#[test]
fn merged_records_are_one_person_and_whoever_objects_is_left_out() {
    let mut world = world();
    world.meeting(1, 1, date(2026, 1, 6));
    for who in 1..=3 {
        world.mood(1, who, "2");
    }
    world.check_in(1, 1, None, date(2026, 1, 1), 6);
    world.check_in(2, 2, None, date(2026, 2, 1), 2);
    world.check_in(3, 3, None, date(2026, 2, 1), 2);
    world.history.merge(&org("north"), member(2), member(1));
    let objected = member::Objected { purpose: member::Purpose::Statistics };
    world.history.member(&org("north"), member(3), &member::Event::Objected(objected));
    let outcomes = world.outcomes(false);
    assert_eq!((outcomes.moods[0].people, outcomes.moods[0].said), (1, 1));
    let change = &outcomes.changes[0];
    assert_eq!((change.people, change.pairs, change.mean_change), (1, 1, Some(-4.0)));
}

#[test]
fn nothing_opens_of_who_was_erased() {
    let mut world = world();
    world.meeting(1, 1, date(2026, 1, 6));
    for who in 1..=2 {
        world.mood(1, who, "2");
        world.check_in(who, who, None, date(2026, 1, 1), 6);
    }
    world.keys.remove(&member(1));
    let outcomes = world.outcomes(false);
    assert_eq!((outcomes.unreadable, outcomes.moods[0].said, outcomes.changes[0].scores), (2, 1, 1));
}

#[test]
fn opening_keeps_the_order_and_leaves_out_what_does_not_open() {
    let sealed: Vec<u32> = (0..10_000).collect();
    let opened = open::all(&sealed, |n, _| (n % 3 != 0).then_some(*n));
    assert_eq!(opened, sealed.into_iter().filter(|n| n % 3 != 0).collect::<Vec<_>>());
    assert!(open::all(&[], |n: &u32, _| Some(*n)).is_empty());
}

#[test]
fn a_mean_is_rounded_half_away_from_nought_and_nought_has_no_sign() {
    assert_eq!(mean(&[1.0, 0.0, 0.0], 3), Some(0.3333));
    assert_eq!(mean(&[-0.00025, 0.0], 1).map(|mean| mean.to_string()), Some("-0.0003".into()));
    assert_eq!(mean(&[-0.00001], 1).map(|mean| mean.to_string()), Some("0".into()));
    assert_eq!((mean(&[], 0), standard_deviation(&[1.0])), (None, None));
}
