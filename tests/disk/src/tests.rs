use rusqlite::{Connection, params};

use super::*;

fn open(disk: &Disk) -> rusqlite::Result<Connection> {
    let path = disk.state().folder.join("a.db");
    let connection = Connection::open(path)?;
    connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.execute_batch("CREATE TABLE IF NOT EXISTS n (n INTEGER PRIMARY KEY, text TEXT)")?;
    Ok(connection)
}

fn write(connection: &Connection, n: i64) -> rusqlite::Result<usize> {
    connection.execute("INSERT INTO n VALUES (?1, ?2)", params![n, "x".repeat(5_000)])
}

fn count(connection: &Connection) -> i64 {
    let sound: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(sound, "ok");
    connection.query_row("SELECT count(*) FROM n", [], |row| row.get(0)).unwrap()
}

/// Writes until it crashes, many times over: whatever was committed is there again, and at most one more.
fn survives(how: Crash, seed: u64) -> Counts {
    let dir = tempfile::tempdir().unwrap();
    let disk = Disk::mount(dir.path(), seed);
    let mut committed = 0;
    for round in 0..60 {
        disk.crash_after(round * 7 % 90, how);
        if let Ok(connection) = open(&disk) {
            let reader = open(&disk);
            while write(&connection, committed).is_ok() {
                committed += 1;
            }
            drop(reader);
        }
        assert!(disk.crashed());
        disk.restart();
        let there = count(&open(&disk).unwrap());
        assert!(there == committed || there == committed + 1, "{there} of {committed}, seed {seed}");
        committed = there;
    }
    assert!(committed > 100);
    let counts = disk.counts();
    disk.unmount();
    counts
}

#[test]
fn what_was_committed_survives_a_crash_at_any_change() {
    assert_eq!(survives(Crash::Kill, 1).kills, 60);
}

#[test]
fn what_was_committed_survives_a_power_cut_at_any_change() {
    let counts = (0..5)
        .map(|seed| survives(Crash::PowerCut, seed))
        .fold((0, 0), |(lost, torn), counts| (lost + counts.lost, torn + counts.torn));
    assert!(counts.0 > 50 && counts.1 > 5, "{counts:?}");
}

/// The same without syncs: then something is lost, so the power cuts do cut.
#[test]
fn what_was_never_synced_is_lost_by_a_power_cut() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Disk::mount(dir.path(), 3);
    drop(open(&disk).unwrap());
    let mut lost = 0;
    for _ in 0..20 {
        let connection = open(&disk).unwrap();
        connection.pragma_update(None, "synchronous", "OFF").unwrap();
        let before = count(&connection);
        for n in 0..10 {
            write(&connection, before + n).unwrap();
        }
        disk.crash(Crash::PowerCut);
        drop(connection);
        disk.restart();
        let connection = open(&disk).unwrap();
        let there = connection.query_row("SELECT count(*) FROM n", [], |row| row.get::<_, i64>(0));
        lost += i64::from(there.is_err() || there.unwrap() < before + 10);
        connection.execute("DELETE FROM n", []).unwrap();
    }
    assert!(lost > 5, "{lost}");
    disk.unmount();
}

#[test]
fn a_full_disk_refuses_what_grows_and_takes_it_again_when_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Disk::mount(dir.path(), 4);
    let connection = open(&disk).unwrap();
    write(&connection, 1).unwrap();
    disk.set_full(true);
    let refused = write(&connection, 2).unwrap_err();
    assert_eq!(refused.sqlite_error_code(), Some(rusqlite::ErrorCode::DiskFull));
    disk.set_full(false);
    write(&connection, 3).unwrap();
    assert_eq!(count(&connection), 2);
    drop(connection);
    disk.unmount();
}

#[test]
fn one_operation_fails_when_it_is_told_to() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Disk::mount(dir.path(), 5);
    let connection = open(&disk).unwrap();
    disk.fail_after(Some(0));
    assert!(write(&connection, 1).is_err());
    write(&connection, 2).unwrap();
    assert_eq!((count(&connection), disk.counts().failed), (1, 1));
    drop(connection);
    disk.unmount();
}

#[test]
fn the_same_seed_gives_the_same_disk() {
    let run = |seed| {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::mount(dir.path(), seed);
        for round in 0..10 {
            disk.crash_after(20 + round, Crash::PowerCut);
            let _ =
                open(&disk).and_then(|connection| (0..50).try_for_each(|n| write(&connection, n * 100).map(|_| ())));
            disk.restart();
        }
        let digest = disk.digest();
        disk.unmount();
        digest
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
}
