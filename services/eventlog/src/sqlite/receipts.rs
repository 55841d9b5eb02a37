//! Receipts in the file, and how one is found by its key.
//!
//! Keys are random. If each were put into an index at once, each would change another page of it, and writing these
//! would be half of what a command costs here. So receipts are written one after the other; their keys go into the
//! index later, many in order, of which several change the same page. Until then they are in memory.
//!
//! **Invariant:** a receipt whose key is not in the index is one of the last [`UNINDEXED_AMONG`]: there they are found
//! when the file is opened.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::{int, receipt, schema};
use crate::{Receipt, ReceiptKey, chain::receipt_hash};

/// Keys that go into the index together, in order, a count. Few in tests, so that all of this happens there.
const RUN: usize = if cfg!(test) { 16 } else { 16_384 };
/// How many keys of a run go into the index for each receipt that is written: so it is there before the next is full.
const INDEXED_EACH: usize = 2;
/// Among so many receipts, the last, are those whose keys are not in the index. When a run begins, that is one run and a
/// transaction; when it ends, half as much was written; whoever opens the file in between begins again with what is
/// left, which is at most half each time.
pub const UNINDEXED_AMONG: usize = 3 * RUN + 4 * super::writer::BATCH_APPENDS_MAX;

/// Where the receipts are whose keys are not in the index: those of the run, and those that came since. Some of the run
/// may be there by now. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Latest(Arc<Mutex<[Places; 2]>>);

type Places = HashMap<ReceiptKey, i64>;

impl Latest {
    /// The receipt with this key. What is not committed is seen by who writes it only.
    pub fn find(&self, connection: &Connection, key: &ReceiptKey) -> rusqlite::Result<Option<Receipt>> {
        let place = self.lock().iter().find_map(|places| places.get(key).copied());
        let mut statement = connection.prepare_cached(schema::FIND_RECEIPT)?;
        statement.query_row(params![key.as_slice(), place], receipt).optional()
    }

    fn lock(&self) -> MutexGuard<'_, [Places; 2]> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What writes receipts.
#[derive(Debug)]
pub struct Receipts {
    latest: Latest,
    /// Keys of the run that are not in the index, the first in order last.
    unindexed: Vec<(ReceiptKey, i64)>,
    /// Of the transaction that is being written, a count.
    written: usize,
}

impl Receipts {
    /// Looks which keys are not in the index, and tells `latest`. They are the next run.
    pub fn read(connection: &Connection, latest: Latest) -> rusqlite::Result<Self> {
        let mut statement = connection.prepare_cached(schema::UNINDEXED_RECEIPTS)?;
        let rows = statement.query_map([int(UNINDEXED_AMONG)], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let places = rows.collect::<rusqlite::Result<Places>>()?;
        let unindexed = in_order(&places);
        *latest.lock() = [places, Places::new()];
        Ok(Self { latest, unindexed, written: 0 })
    }

    /// Writes a receipt, or answers the one that was there first.
    pub fn write(&mut self, transaction: &Transaction<'_>, receipt: &Receipt) -> rusqlite::Result<Option<Receipt>> {
        if let Some(first) = self.latest.find(transaction, &receipt.key)? {
            return Ok(Some(first));
        }
        let place = transaction.prepare_cached("INSERT INTO receipts VALUES (NULL, ?1, ?2, ?3, ?4, ?5, ?6)")?.insert(
            params![
                receipt.key.as_slice(),
                receipt.fingerprint.as_slice(),
                receipt.status,
                receipt.body.as_slice(),
                int(receipt.position.0),
                receipt_hash(receipt).as_slice(),
            ],
        )?;
        let [_, since] = &mut *self.latest.lock();
        since.insert(receipt.key, place);
        self.written += 1;
        Ok(None)
    }

    /// Puts keys into the index, before a transaction is committed.
    pub fn index(&mut self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        if self.unindexed.is_empty() {
            let [run, since] = &mut *self.latest.lock();
            if since.len() >= RUN {
                // All of the last run was committed.
                *run = std::mem::take(since);
                self.unindexed = in_order(run);
            }
        }
        let left = self.unindexed.len().saturating_sub(INDEXED_EACH * std::mem::take(&mut self.written));
        let mut statement = transaction.prepare_cached("INSERT INTO receipt_keys VALUES (?1, ?2)")?;
        for (key, place) in self.unindexed.drain(left..).rev() {
            statement.execute(params![key.as_slice(), place])?;
        }
        Ok(())
    }
}

/// The first in order last.
fn in_order(places: &Places) -> Vec<(ReceiptKey, i64)> {
    let mut keys: Vec<_> = places.iter().map(|(key, place)| (*key, *place)).collect();
    keys.sort_unstable_by(|one, other| other.cmp(one));
    keys
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use futures::future::join_all;
    use jiff::Timestamp;
    use uuid::Uuid;

    use super::*;
    use crate::{
        Append, AppendError, EventLog, Expected, Position, StreamName,
        sqlite::{SqliteLog, VerifyError, verify},
    };

    const OF_FORMAT_1: &str = "
        ALTER TABLE receipts RENAME TO receipts_2;
        CREATE TABLE receipts (
            key BLOB PRIMARY KEY,
            fingerprint BLOB NOT NULL,
            status INTEGER NOT NULL,
            body BLOB NOT NULL,
            position INTEGER NOT NULL,
            hash BLOB NOT NULL
        ) STRICT, WITHOUT ROWID;
        INSERT INTO receipts SELECT key, fingerprint, status, body, position, hash FROM receipts_2;
        DROP TABLE receipt_keys;
        DROP TABLE receipts_2;
        PRAGMA user_version = 1;";

    fn key(n: u128) -> ReceiptKey {
        blake3::hash(&n.to_le_bytes()).as_bytes()[..16].try_into().unwrap()
    }

    /// Nothing but the receipt of a command, answered with its number.
    fn append(n: u128) -> Append {
        let body = n.to_string().into_bytes();
        Append {
            stream: StreamName::new("nothing", &"acme".parse().unwrap(), Uuid::nil()),
            expected: Expected::Any,
            events: vec![],
            metadata: vec![],
            at: Timestamp::UNIX_EPOCH,
            receipt: Some(Receipt { key: key(n), fingerprint: [1; 16], status: 200, body, position: Position::START }),
        }
    }

    async fn all_are_found(log: &SqliteLog, written: u128) {
        for n in 0..written {
            let there = append(n).receipt.unwrap();
            assert_eq!(log.receipt(&key(n)).await.unwrap().as_ref(), Some(&there), "{n} of {written}");
            let again = log.append(append(n)).await;
            assert_eq!(again, Err(AppendError::Receipted(Box::new(there))), "{n} of {written}");
        }
        assert_eq!(log.receipt(&key(written)).await.unwrap(), None);
    }

    fn counts(path: &Path) -> (u64, u64) {
        let connection = schema::reader(path).unwrap();
        let count = |query| connection.query_row(query, [], |row| row.get(0).map(super::super::unsigned)).unwrap();
        (count("SELECT count(*) FROM receipts"), count("SELECT count(*) FROM receipt_keys"))
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn every_receipt_is_found_by_its_key_however_often_the_log_was_opened_in_between() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log.db");
        let mut written = 0;
        // Some end in the middle of a run, some before the first key of one is in the index.
        for more in [1, 3, 2 * RUN, RUN + 1, RUN / 2, 5, RUN / 4, RUN / 8, 1, 20 * RUN, 7] {
            let log = SqliteLog::open(&path).unwrap();
            all_are_found(&log, written).await;
            let until = written + more as u128;
            while written < until {
                let together = (until - written).min(5);
                let appends = (written..written + together).map(|n| log.append(append(n)));
                assert!(join_all(appends).await.iter().all(Result::is_ok));
                written += together;
            }
            all_are_found(&log, written).await;
            let (receipts, keys) = counts(&path);
            assert_eq!(u128::from(receipts), written);
            assert!(receipts - keys <= 2 * RUN as u64, "{keys} keys of {receipts} are in the index");
            assert_eq!(verify(&path, |_| {}).unwrap().receipts, Some(receipts));
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn of_one_key_in_one_transaction_the_first_is_done() {
        let dir = tempfile::tempdir().unwrap();
        let log = SqliteLog::open(&dir.path().join("log.db")).unwrap();
        for n in 0..3 * RUN as u128 {
            let done = join_all((0..4).map(|_| log.append(append(n)))).await;
            assert_eq!(done.iter().filter(|done| done.is_ok()).count(), 1, "{done:?}");
        }
        all_are_found(&log, 3 * RUN as u128).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_log_of_format_1_is_sound_and_is_taken_over_when_it_is_opened() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log.db");
        let written = 2 * RUN as u64 + 3;
        let log = SqliteLog::open(&path).unwrap();
        assert!(join_all((0..written.into()).map(|n| log.append(append(n)))).await.iter().all(Result::is_ok));
        drop(log);
        Connection::open(&path).unwrap().execute_batch(OF_FORMAT_1).unwrap();
        assert_eq!(verify(&path, |_| {}).unwrap().receipts, Some(written));
        let older = schema::writer(&path).unwrap();
        assert_eq!(schema::format(&older).unwrap(), 1);
        assert!(SqliteLog::open(&path).is_err(), "an older server has it open");
        drop(older);
        let log = SqliteLog::open(&path).unwrap();
        assert_eq!(counts(&path), (written, written));
        all_are_found(&log, written.into()).await;
        log.append(append(written.into())).await.unwrap();
        all_are_found(&log, u128::from(written) + 1).await;
        verify(&path, |_| {}).unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_receipt_that_cannot_be_found_and_one_with_the_key_of_another_are_no_sound_log() {
        for damage in [
            "DELETE FROM receipt_keys WHERE place = 5",
            "UPDATE receipt_keys SET place = 6 WHERE place = 5",
            "INSERT INTO receipts SELECT NULL, key, fingerprint, status, body, position, hash FROM receipts WHERE place = 5",
        ] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("log.db");
            let log = SqliteLog::open(&path).unwrap();
            let written = UNINDEXED_AMONG + 5;
            assert!(join_all((0..written as u128).map(|n| log.append(append(n)))).await.iter().all(Result::is_ok));
            verify(&path, |_| {}).unwrap();
            assert_eq!(Connection::open(&path).unwrap().execute(damage, []).unwrap(), 1);
            assert!(matches!(verify(&path, |_| {}), Err(VerifyError::Broken(_))), "{damage}");
        }
    }
}
