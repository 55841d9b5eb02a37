use std::sync::atomic::{AtomicBool, Ordering};

use domain::meeting::HeadCategory;
use jiff::civil::date;
use strum::IntoEnumIterator;
use tempfile::TempDir;

use super::*;
use crate::{
    difference,
    history::{History, group, meeting, member, org, present, programme},
    month::Period,
};

/// A held meeting a week, with as many marks, of one group.
fn weeks(weeks: u64, marks: u64) -> History {
    let mut history = History::default();
    let org = org("north");
    history.programme(&org, programme(1), "Recovery");
    history.group(&org, group(1), programme(1));
    for week in 0..weeks {
        let day = date(2026, 1, 1).saturating_add(jiff::Span::new().weeks(i64::try_from(week).unwrap()));
        history.plan(&org, meeting(week), group(1), day.at(19, 0, 0, 0), domain::group::MeetingMode::InPerson);
        for number in 0..marks {
            history.mark(&org, meeting(week), member(week + number), present());
        }
        history.heads(&org, meeting(week), &[(HeadCategory::Newcomer, 2)]);
        history.held(&org, meeting(week));
    }
    history
}

fn year() -> Period {
    Period::new("2026-01".parse().unwrap(), "2026-12".parse().unwrap()).unwrap()
}

fn people(dir: &Path) -> u64 {
    Facts::at(dir).reach(&org("north"), year(), &[]).unwrap().rows[0].people
}

/// A store with all of `events`, in one batch, never merged.
fn rebuilt(events: &[Recorded]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    FactStore::open(dir.path()).unwrap().apply(events).unwrap();
    dir
}

fn eager() -> Limits {
    Limits { segments: 1, segment_rows: 1 << 17 }
}

/// Every file below `dir`, by name.
fn segments(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() { files.extend(segments(&entry)) } else { files.push(entry) }
    }
    files.retain(|path| path.extension().is_some_and(|extension| extension == "parquet"));
    files.sort();
    files
}

#[test]
fn a_kill_between_segments_and_manifest_leaves_the_facts_as_they_were() {
    let dir = tempfile::tempdir().unwrap();
    let events = weeks(4, 3).events;
    let (before, after) = events.split_at(9);
    let mut store = FactStore::open(dir.path()).unwrap();
    store.apply(before).unwrap();
    let position = store.checkpoint();
    let manifest = fs::read(dir.path().join("facts/manifest.json")).unwrap();
    store.apply(after).unwrap();
    drop(store);
    // As if the process had been killed just before the new manifest was renamed.
    fs::write(dir.path().join("facts/manifest.json"), manifest).unwrap();
    fs::write(dir.path().join("facts/manifest.json.new"), b"{\"half").unwrap();

    let mut store = FactStore::open(dir.path()).unwrap();
    assert_eq!(store.checkpoint(), position);
    assert_eq!(difference(dir.path(), rebuilt(before).path()).unwrap(), None);
    assert_eq!(segments(dir.path()), segments_named(&store), "orphans are gone");
    store.apply(&events).unwrap();
    assert_eq!(difference(dir.path(), rebuilt(&events).path()).unwrap(), None);
}

/// The test runs itself as a child, which writes until it is killed.
#[test]
fn a_killed_writer_leaves_the_facts_of_a_prefix_of_the_log() {
    const CHILD: &str = "KITH_TEST_FACTS_WRITER";
    let events = weeks(60, 4).events;
    let write = |dir: &Path| {
        let mut store = FactStore::open_with(dir, eager()).unwrap();
        for event in &events {
            store.apply(std::slice::from_ref(event)).unwrap();
        }
    };
    if let Some(dir) = std::env::var_os(CHILD) {
        return write(Path::new(&dir));
    }
    let dir = tempfile::tempdir().unwrap();
    for millis in [100, 200, 250, 300, 350] {
        let name = "facts::tests::a_killed_writer_leaves_the_facts_of_a_prefix_of_the_log";
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name])
            .env(CHILD, dir.path())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(std::time::Duration::from_millis(millis));
        child.kill().unwrap();
        child.wait().unwrap();
        let position = FactStore::open(dir.path()).unwrap().checkpoint();
        let prefix: Vec<_> = events.iter().filter(|event| event.position <= position).cloned().collect();
        assert_eq!(difference(dir.path(), rebuilt(&prefix).path()).unwrap(), None, "killed after {millis} ms");
    }
    let mut store = FactStore::open(dir.path()).unwrap();
    assert!(store.checkpoint() > Position::START, "a child wrote something before it was killed");
    store.apply(&events).unwrap();
    assert_eq!(difference(dir.path(), rebuilt(&events).path()).unwrap(), None);
}

fn segments_named(store: &FactStore) -> Vec<PathBuf> {
    let north = org("north");
    let of = |kind| store.manifest.segments(&north, kind).iter().map(move |segment| (kind, segment));
    let mut named: Vec<PathBuf> = Kind::iter()
        .flat_map(of)
        .map(|(kind, segment)| segment_path(&store.dir, &north, kind, &segment.file))
        .collect();
    named.sort();
    named
}

#[test]
fn damaged_facts_are_thrown_away_and_come_back_from_the_log() {
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 5] = [
        ("a segment is missing", |dir| fs::remove_file(&segments(dir)[0]).unwrap()),
        ("a segment is cut", |dir| {
            File::options().write(true).open(&segments(dir)[0]).unwrap().set_len(10).unwrap();
        }),
        ("a segment has no footer", |dir| {
            let path = &segments(dir)[0];
            fs::write(path, vec![0; usize::try_from(fs::metadata(path).unwrap().len()).unwrap()]).unwrap();
        }),
        ("the manifest is no JSON", |dir| fs::write(dir.join("facts/manifest.json"), b"{").unwrap()),
        ("the manifest has another format", |dir| {
            let text = fs::read_to_string(dir.join("facts/manifest.json")).unwrap();
            fs::write(
                dir.join("facts/manifest.json"),
                text.replace(&format!("\"format\":{}", manifest::FORMAT), "\"format\":0"),
            )
            .unwrap();
        }),
    ];
    let events = weeks(2, 2).events;
    for (what, damage) in damages {
        let dir = rebuilt(&events);
        damage(dir.path());
        let mut store = FactStore::open(dir.path()).unwrap();
        assert_eq!(store.checkpoint(), Position::START, "{what}");
        assert!(segments(dir.path()).is_empty(), "{what}");
        store.apply(&events).unwrap();
        assert_eq!(difference(dir.path(), rebuilt(&events).path()).unwrap(), None, "{what}");
    }
}

#[test]
fn only_one_process_writes() {
    let dir = tempfile::tempdir().unwrap();
    let store = FactStore::open(dir.path()).unwrap();
    assert!(matches!(FactStore::open(dir.path()), Err(StoreError::Locked(_))));
    drop(store);
    assert!(FactStore::open(dir.path()).is_ok());
}

#[test]
fn events_that_come_again_change_nothing() {
    let events = weeks(3, 3).events;
    let dir = rebuilt(&events);
    let mut store = FactStore::open(dir.path()).unwrap();
    let files = segments(dir.path());
    store.apply(&events[2..7]).unwrap();
    store.apply(&[]).unwrap();
    assert_eq!(store.checkpoint(), events.last().unwrap().position);
    assert_eq!(segments(dir.path()), files);
}

#[test]
fn an_event_that_cannot_be_read_is_named_and_nothing_is_applied() {
    let mut events = weeks(2, 2).events;
    events[5].data = b"{}".as_slice().into();
    let dir = tempfile::tempdir().unwrap();
    let mut store = FactStore::open(dir.path()).unwrap();
    let error = store.apply(&events).unwrap_err();
    assert!(matches!(error, ApplyError::Event { position, .. } if position == events[5].position), "{error}");
    assert_eq!(store.checkpoint(), Position::START);
    store.apply(&events[..5]).unwrap();
    assert_eq!(difference(dir.path(), rebuilt(&events[..5]).path()).unwrap(), None);
}

#[test]
fn a_reader_keeps_its_files_through_one_merge() {
    let events = weeks(6, 2).events;
    let dir = tempfile::tempdir().unwrap();
    let mut store = FactStore::open_with(dir.path(), Limits { segments: 3, ..eager() }).unwrap();
    let mut merges = 0;
    let mut last: Option<(usize, DataFrame, Snapshot)> = None;
    for event in &events {
        store.apply(std::slice::from_ref(event)).unwrap();
        let now = store.manifest.segments(&org("north"), Kind::Attendances).len();
        let rows = |facts: &Snapshot| facts.scan(&org("north"), Kind::Attendances)?.collect().map_err(Cause::from);
        if let Some((segments, then, before)) = last.take()
            && now < segments
        {
            merges += 1;
            assert!(rows(&before).unwrap().equals(&then), "the facts of before the merge can still be read");
        }
        last = Some(Facts::at(dir.path()).read(|facts| Ok((now, rows(facts)?, facts.clone()))).unwrap());
    }
    assert!(merges > 2, "{merges} merges");
}

#[test]
fn readers_never_fail_while_segments_are_merged() {
    let events = weeks(20, 4).events;
    let dir = tempfile::tempdir().unwrap();
    let done = AtomicBool::new(false);
    let mut store = FactStore::open_with(dir.path(), eager()).unwrap();
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut last = 0;
            let mut reads = 0;
            while !done.load(Ordering::Relaxed) || reads == 0 {
                let now = people(dir.path());
                assert!(now >= last, "this history only gains people");
                last = now;
                reads += 1;
            }
        });
        for events in events.chunks(3) {
            store.apply(events).unwrap();
        }
        done.store(true, Ordering::Relaxed);
        reader.join().unwrap();
    });
    assert_eq!(people(dir.path()), 20 + 4 - 1);
    assert_eq!(difference(dir.path(), rebuilt(&events).path()).unwrap(), None);
}

#[test]
fn a_difference_is_named() {
    let mut events = weeks(2, 2).events;
    let one = rebuilt(&events);
    let last = events.pop().unwrap();
    assert_eq!(
        difference(one.path(), rebuilt(&events).path()).unwrap().unwrap(),
        format!("one is at position {}, the other at {}", last.position, last.position.0 - 1)
    );
    events.push(events[0].clone());
    events.last_mut().unwrap().position = last.position;
    let differs = difference(one.path(), rebuilt(&events).path()).unwrap().unwrap();
    assert!(differs.starts_with("statuses of north: one has meeting="), "{differs}");
    assert!(differs.ends_with("other nothing"), "{differs}");
}

/// Run by hand: `cargo test -p reporting --lib a_million -- --ignored --nocapture`.
#[test]
#[ignore = "takes half a minute; prints figures"]
fn a_million_events_are_rebuilt_in_seconds() {
    /// As `messaging` brings them when there are many.
    const BATCH: usize = 2_000;
    let history = |week| {
        let mut history = History::default();
        for name in ["north", "south"] {
            let org = org(name);
            let day = date(2026, 1, 1).saturating_add(jiff::Span::new().weeks(i64::from(week % 52)));
            for club in 0..80_u64 {
                let meeting = meeting(u64::from(week) * 1_000 + club);
                history.plan(&org, meeting, group(club), day.at(19, 0, 0, 0), domain::group::MeetingMode::InPerson);
                for number in 0..22 {
                    history.mark(&org, meeting, member(club * 100 + (number * 7 + u64::from(week)) % 60), present());
                }
                history.heads(&org, meeting, &[(HeadCategory::Newcomer, 2)]);
                history.held(&org, meeting);
            }
        }
        history.events
    };
    let dir = tempfile::tempdir().unwrap();
    let mut store = FactStore::open(dir.path()).unwrap();
    let (mut position, mut spent, mut slowest) = (0, std::time::Duration::ZERO, std::time::Duration::ZERO);
    let mut batch: Vec<Recorded> = Vec::new();
    for week in 0..250_u32 {
        for mut event in history(week) {
            position += 1;
            event.position = Position(position);
            batch.push(event);
            if batch.len() == BATCH {
                let start = std::time::Instant::now();
                store.apply(&batch).unwrap();
                spent += start.elapsed();
                slowest = slowest.max(start.elapsed());
                batch.clear();
            }
        }
    }
    let peak = || {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        status.lines().find(|line| line.starts_with("VmHWM")).unwrap().to_owned()
    };
    println!("{position} events, {spent:?}, slowest batch of {BATCH}: {slowest:?}, {}", peak());
    let bytes: u64 = segments(dir.path()).iter().map(|path| fs::metadata(path).unwrap().len()).sum();
    println!("{} files, {bytes} bytes, merged under {:?}", segments(dir.path()).len(), store.limits);
    for by in [&[][..], &[crate::Dimension::Month], &[crate::Dimension::Month, crate::Dimension::Mode]] {
        let start = std::time::Instant::now();
        let rows = Facts::at(dir.path()).reach(&org("north"), year(), by).unwrap().rows;
        println!("reach by {by:?}: {} rows, {:?}, {}", rows.len(), start.elapsed(), peak());
    }
}
