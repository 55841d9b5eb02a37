//! The least that a command could cost: its parts, each measured alone. What is compared is time of the processor, which
//! all parts share; a part that waits for the disk or for another lets others work.
//!
//! The parts are the request with an empty handler, the rows that it leaves in the log, and the message to NATS and back.
//! Views and facts are none of them: they are made after the answer, and not for each command alone.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::Context;
use async_nats::{
    Client, ConnectOptions, header,
    jetstream::{self, message::PublishMessage, message::StreamMessage},
};
use futures::StreamExt;
use messaging::{Health, NatsConfig, NatsServer, NatsServerConfig, STREAM, SUBJECTS};
use rusqlite::{Connection, OpenFlags, TransactionBehavior, params_from_iter, types::Value};

use crate::{process::processes_on, world::nats_server};

/// In this unit Linux counts the time of the processor, in microseconds.
const TICK_US: f64 = 10_000.0;
/// Events whose rows are read at once, a count.
const EVENTS: i64 = 10_000;
/// Messages that are sent again and again, a count.
const MESSAGES: u64 = 4_000;
/// Messages taken at once, a count, as Kith does.
const DELIVERIES_MAX: usize = 64;
/// As of `eventlog/sqlite/schema.rs`.
const SETTINGS: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -16384;
    PRAGMA wal_autocheckpoint = 2048;";
/// Keys of receipts go into their index many at a time.
const KEYS: &str = "INSERT INTO receipt_keys SELECT key, place FROM receipts WHERE place > ? ORDER BY key";
/// What tells the tables' rows apart: how each is read, in the order of the log, and written.
const TABLES: [(&str, &str); 2] = [
    (
        "SELECT position, * FROM events WHERE position > ?1 AND position <= ?2",
        "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    ),
    (
        "SELECT position, key, fingerprint, status, body, position, hash FROM receipts
         WHERE position > ?1 AND position <= ?2",
        "INSERT INTO receipts VALUES (NULL, ?, ?, ?, ?, ?, ?)",
    ),
];

/// Time of the processor that these processes, and this one, have used, in microseconds.
///
/// # Errors
/// If one of them has ended.
pub fn processor_us(others: &[u32]) -> anyhow::Result<f64> {
    let mut ticks = 0;
    for pid in others.iter().copied().chain([std::process::id()]) {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).context("a process has ended")?;
        // The name, in parentheses, may hold anything.
        let fields = stat.rsplit_once(") ").context("what Linux says of a process")?.1.split(' ').skip(11);
        ticks += fields.take(2).map(str::parse::<u32>).sum::<Result<u32, _>>()?;
    }
    Ok(TICK_US * f64::from(ticks))
}

/// Writes the rows of a log again, in transactions of so many commands, with nothing around them. Answers the
/// microseconds of the processor for each command.
///
/// # Errors
/// If one of the files cannot be used.
pub fn rows(log: &Path, again: &Path, group: usize) -> anyhow::Result<f64> {
    let from = Connection::open_with_flags(log, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let mut to = Connection::open(again)?;
    to.execute_batch(SETTINGS)?;
    for table in read(&from, "SELECT rowid, sql FROM sqlite_schema WHERE sql IS NOT NULL", [].into())? {
        to.execute_batch(&table.1.into_iter().map(text).collect::<String>())?;
    }
    to.execute_batch(&format!("ATTACH '{}' AS log; INSERT INTO streams SELECT * FROM log.streams;", log.display()))?;
    let (mut used_us, mut commands) = (0.0, 0);
    for after in (0..).step_by(usize::try_from(EVENTS)?) {
        let mut rows = Vec::new();
        for (select, insert) in TABLES {
            let those = read(&from, select, [after, after + EVENTS].map(Value::from).into())?;
            rows.extend(those.into_iter().map(|(position, row)| (position, insert, row)));
        }
        if rows.is_empty() {
            break;
        }
        rows.sort_by_key(|(position, ..)| *position);
        let before = processor_us(&[])?;
        // A mark is a row of an event and one of its receipt.
        for rows in rows.chunks(2 * group) {
            let transaction = to.transaction_with_behavior(TransactionBehavior::Immediate)?;
            for (_, insert, row) in rows {
                transaction.prepare_cached(insert)?.execute(params_from_iter(row))?;
            }
            transaction.commit()?;
        }
        to.execute(KEYS, [commands])?;
        used_us += processor_us(&[])? - before;
        commands += u32::try_from(rows.iter().filter(|(_, insert, _)| *insert == TABLES[1].1).count())?;
    }
    Ok(used_us / f64::from(commands))
}

/// Rows, each with the number in its first column apart.
fn read(from: &Connection, select: &str, parameters: Vec<Value>) -> anyhow::Result<Vec<(i64, Vec<Value>)>> {
    let mut statement = from.prepare_cached(select)?;
    let columns = 1..statement.column_count();
    let row = |row: &rusqlite::Row<'_>| {
        Ok((row.get(0)?, columns.clone().map(|column| row.get(column)).collect::<Result<_, _>>()?))
    };
    let rows = statement.query_map(params_from_iter(parameters), row)?.collect::<Result<_, _>>()?;
    Ok(rows)
}

fn text(value: Value) -> String {
    if let Value::Text(text) = value { text } else { String::new() }
}

/// Publishes events that are in the store of a NATS server again, each group with one acknowledgement, and takes what
/// is delivered. Answers the microseconds of the processor for each message.
///
/// # Errors
/// If the server does not do what it must.
pub async fn messages(store: PathBuf, group: usize, time: Duration) -> anyhow::Result<f64> {
    let config = NatsServerConfig { binary: nats_server(), dir: store.clone(), password: "floor".into() };
    let server = NatsServer::start(config, &Health::new()).await?;
    let (client, reader) = (connect(&server.config()).await?, connect(&server.reader_config()).await?);
    let jetstream = jetstream::new(client.clone());
    let (mut sequence, messages) = kept(&jetstream).await?;
    let delivered = reader.subscribe(SUBJECTS).await?.ready_chunks(DELIVERIES_MAX);
    let taking = tokio::spawn(delivered.for_each(|messages| async move { drop(messages) }));
    let (pids, until, first) = (processes_on(&store), Instant::now() + time, sequence);
    let before = processor_us(&pids)?;
    let mut messages = messages.iter().cycle();
    while Instant::now() < until {
        for left in (0..group).rev() {
            let StreamMessage { subject, headers, payload, .. } = messages.next().context("no messages")?.clone();
            let mut headers = headers;
            headers.insert(header::NATS_EXPECTED_LAST_SEQUENCE, sequence.to_string());
            sequence += 1;
            if left > 0 {
                client.publish_with_headers(subject, headers, payload).await?;
            } else {
                let last = PublishMessage::build().headers(headers).payload(payload);
                jetstream.send_publish(subject, last).await?.await?;
            }
        }
    }
    let used_us = processor_us(&pids)? - before;
    taking.abort();
    Ok(used_us / f64::from(u32::try_from(sequence - first)?))
}

async fn connect(config: &NatsConfig) -> anyhow::Result<Client> {
    let (user, password) = config.user_password.clone().context("a server of our own has users")?;
    Ok(ConnectOptions::with_user_and_password(user, password).connect(&config.url).await?)
}

/// The last messages of the stream, and the sequence of the last.
async fn kept(jetstream: &jetstream::Context) -> anyhow::Result<(u64, Vec<StreamMessage>)> {
    let stream = jetstream.get_stream(STREAM).await?;
    let last = stream.cached_info().state.last_sequence;
    let mut messages = Vec::new();
    for sequence in last.saturating_sub(MESSAGES) + 1..=last {
        messages.push(stream.get_raw_message(sequence).await?);
    }
    Ok((last, messages))
}
