//! What every adapter promises. Each runs this suite on a log of its own; none of it assumes positions without gaps,
//! nor that the log is empty.

use std::sync::{Arc, LazyLock};

use jiff::Timestamp;
use uuid::Uuid;

use crate::{
    Append, AppendError, Appended, EventLog, Expected, NewEvent, Position, Receipt, ReceiptKey, Recorded, StreamName,
};

/// In every name, so that one log can be tried many times.
#[allow(clippy::disallowed_methods)] // a name of a test's, not of an event's
static RUN: LazyLock<Uuid> = LazyLock::new(Uuid::new_v4);

/// Runs the suite.
pub async fn run(log: &Arc<dyn EventLog>) {
    run_small(log).await;
    as_much_as_is_promised_can_be_appended_and_no_more(log).await;
    what_was_appended_in_parallel_is_all_there_in_one_order(log).await;
    a_key_claimed_by_many_at_once_is_done_once(log).await;
}

/// The part of it that leaves a small log.
pub async fn run_small(log: &Arc<dyn EventLog>) {
    an_event_comes_back_as_it_was_appended(log).await;
    an_append_at_the_wrong_revision_is_refused_and_says_what_is(log).await;
    an_exact_append_sent_again_is_recognised_for_ever(log).await;
    a_first_append_sent_again_is_recognised(log).await;
    an_append_that_expects_anything_is_recognised_when_sent_again(log).await;
    an_append_that_matches_in_part_is_refused(log).await;
    the_same_id_in_another_stream_is_another_event(log).await;
    an_append_to_an_existing_stream_needs_one(log).await;
    an_append_of_nothing_is_a_question_about_the_revision(log).await;
    a_receipt_is_kept_and_the_first_one_wins(log).await;
    a_receipt_of_a_refused_append_is_not_kept(log).await;
    a_receipt_is_kept_beside_a_stream_whatever_that_stands_at(log).await;
    the_whole_log_can_be_read_in_pieces_in_one_order(log).await;
    of_many_writers_at_one_revision_one_wins(log).await;
    the_head_is_what_can_be_read(log).await;
}

fn stream(name: &str) -> StreamName {
    let id = Uuid::new_v5(&RUN, name.as_bytes());
    StreamName::new("contract", &"acme".parse().unwrap(), id)
}

fn event(name: &str) -> NewEvent {
    let id = Uuid::new_v5(&RUN, name.as_bytes());
    NewEvent { id, event_type: "thing.happened", version: 1, data: format!(r#"{{"name":"{name}"}}"#).into() }
}

fn append(to: &str, expected: Expected, events: &[&str]) -> Append {
    Append {
        stream: stream(to),
        expected,
        events: events.iter().map(|name| event(&format!("{to}/{name}"))).collect(),
        metadata: br#"{"actor":"suite"}"#.to_vec(),
        at: Timestamp::from_microsecond(1_767_225_600_123_456).unwrap(),
        receipt: None,
    }
}

async fn written(log: &Arc<dyn EventLog>, append: Append) -> Appended {
    log.append(append).await.unwrap()
}

async fn ids(log: &Arc<dyn EventLog>, of: &str) -> Vec<Uuid> {
    log.read_stream(&stream(of), 0, 1_000).await.unwrap().iter().map(|event| event.id).collect()
}

async fn refused_at(log: &Arc<dyn EventLog>, append: Append) -> Option<u64> {
    match log.append(append).await {
        Err(AppendError::WrongExpectedRevision { current, .. }) => current,
        other => panic!("{other:?}"),
    }
}

async fn an_event_comes_back_as_it_was_appended(log: &Arc<dyn EventLog>) {
    let asked = append("back", Expected::NoStream, &["a", "b"]);
    let appended = written(log, asked.clone()).await;
    assert_eq!(appended.revision, Some(1));
    let read = log.read_stream(&asked.stream, 1, 10).await.unwrap();
    assert_eq!(
        read,
        [Recorded {
            position: appended.position,
            stream: asked.stream.clone(),
            revision: 1,
            id: asked.events[1].id,
            event_type: "thing.happened".into(),
            version: 1,
            recorded_at: asked.at,
            data: asked.events[1].data.clone().into(),
            metadata: asked.metadata.clone().into(),
        }]
    );
    assert_eq!(log.read_stream(&stream("never"), 0, 10).await.unwrap(), []);
}

async fn an_append_at_the_wrong_revision_is_refused_and_says_what_is(log: &Arc<dyn EventLog>) {
    assert_eq!(refused_at(log, append("wrong", Expected::Exact(0), &["a"])).await, None);
    written(log, append("wrong", Expected::NoStream, &["a", "b"])).await;
    assert_eq!(refused_at(log, append("wrong", Expected::NoStream, &["c"])).await, Some(1));
    assert_eq!(refused_at(log, append("wrong", Expected::Exact(0), &["c"])).await, Some(1));
    assert_eq!(refused_at(log, append("wrong", Expected::Exact(2), &["c"])).await, Some(1));
    assert_eq!(ids(log, "wrong").await.len(), 2);
}

async fn an_exact_append_sent_again_is_recognised_for_ever(log: &Arc<dyn EventLog>) {
    written(log, append("again", Expected::NoStream, &["a"])).await;
    let first = written(log, append("again", Expected::Exact(0), &["b", "c"])).await;
    written(log, append("again", Expected::Exact(2), &["d"])).await;
    let again = written(log, append("again", Expected::Exact(0), &["b", "c"])).await;
    assert_eq!(again, first);
    assert_eq!(ids(log, "again").await.len(), 4);
}

async fn a_first_append_sent_again_is_recognised(log: &Arc<dyn EventLog>) {
    let first = written(log, append("first", Expected::NoStream, &["a", "b"])).await;
    written(log, append("first", Expected::Exact(1), &["c"])).await;
    let again = written(log, append("first", Expected::NoStream, &["a", "b"])).await;
    assert_eq!(again, first);
}

async fn an_append_that_expects_anything_is_recognised_when_sent_again(log: &Arc<dyn EventLog>) {
    let first = written(log, append("any", Expected::Any, &["a", "b"])).await;
    let again = written(log, append("any", Expected::Any, &["a", "b"])).await;
    assert_eq!(again, first);
    let again = written(log, append("any", Expected::StreamExists, &["a", "b"])).await;
    assert_eq!(again, first);
    written(log, append("any", Expected::Any, &["c"])).await;
    assert_eq!(ids(log, "any").await.len(), 3);
}

async fn an_append_that_matches_in_part_is_refused(log: &Arc<dyn EventLog>) {
    written(log, append("part", Expected::NoStream, &["a", "b"])).await;
    assert_eq!(refused_at(log, append("part", Expected::NoStream, &["a", "x"])).await, Some(1));
    assert_eq!(refused_at(log, append("part", Expected::NoStream, &["a", "b", "c"])).await, Some(1));
    assert_eq!(refused_at(log, append("part", Expected::Any, &["a", "x"])).await, Some(1));
    assert_eq!(ids(log, "part").await.len(), 2);
}

async fn the_same_id_in_another_stream_is_another_event(log: &Arc<dyn EventLog>) {
    let mut one = append("one", Expected::NoStream, &["a"]);
    written(log, one.clone()).await;
    one.stream = stream("other");
    one.events[0].id = event("other/a").id;
    written(log, Append { expected: Expected::Any, ..one }).await;
    assert_eq!((ids(log, "one").await.len(), ids(log, "other").await.len()), (1, 1));
}

async fn an_append_to_an_existing_stream_needs_one(log: &Arc<dyn EventLog>) {
    assert_eq!(refused_at(log, append("exists", Expected::StreamExists, &["a"])).await, None);
    written(log, append("exists", Expected::Any, &["a"])).await;
    assert_eq!(written(log, append("exists", Expected::StreamExists, &["b"])).await.revision, Some(1));
}

async fn an_append_of_nothing_is_a_question_about_the_revision(log: &Arc<dyn EventLog>) {
    written(log, append("nothing", Expected::NoStream, &[])).await;
    written(log, append("nothing", Expected::NoStream, &["a"])).await;
    assert_eq!(refused_at(log, append("nothing", Expected::NoStream, &[])).await, Some(0));
    assert_eq!(written(log, append("nothing", Expected::Exact(0), &[])).await.revision, Some(0));
    assert_eq!(refused_at(log, append("nothing", Expected::Exact(1), &[])).await, Some(0));
}

fn key(n: u8) -> ReceiptKey {
    Uuid::new_v5(&RUN, &[n]).into_bytes()
}

fn receipt(n: u8, status: u16) -> Receipt {
    Receipt { key: key(n), fingerprint: [7; 16], status, body: b"{}".to_vec(), position: Position::START }
}

async fn a_receipt_is_kept_and_the_first_one_wins(log: &Arc<dyn EventLog>) {
    let first = Append { receipt: Some(receipt(1, 201)), ..append("receipt", Expected::NoStream, &["a"]) };
    let appended = written(log, first).await;
    let kept = log.receipt(&key(1)).await.unwrap().unwrap();
    assert_eq!(kept, Receipt { position: appended.position, ..receipt(1, 201) });
    let second = Append { receipt: Some(receipt(1, 204)), ..append("receipt", Expected::Exact(0), &["b"]) };
    assert_eq!(log.append(second).await, Err(AppendError::Receipted(Box::new(kept.clone()))));
    let elsewhere = Append { receipt: Some(receipt(1, 204)), ..append("receipt-2", Expected::Any, &["a"]) };
    assert_eq!(log.append(elsewhere).await, Err(AppendError::Receipted(Box::new(kept))));
    assert_eq!((ids(log, "receipt").await.len(), ids(log, "receipt-2").await.len()), (1, 0));
}

async fn a_receipt_of_a_refused_append_is_not_kept(log: &Arc<dyn EventLog>) {
    let refused = Append { receipt: Some(receipt(2, 204)), ..append("receipt", Expected::NoStream, &["x"]) };
    refused_at(log, refused).await;
    assert_eq!(log.receipt(&key(2)).await.unwrap(), None);
    let nothing = Append { receipt: Some(receipt(2, 204)), ..append("receipt", Expected::Exact(0), &[]) };
    written(log, nothing).await;
    assert!(log.receipt(&key(2)).await.unwrap().is_some());
}

async fn a_receipt_is_kept_beside_a_stream_whatever_that_stands_at(log: &Arc<dyn EventLog>) {
    for (n, stream) in [(3, "receipt"), (4, "nothing-was-written")] {
        let keep = |status| Append { receipt: Some(receipt(n, status)), ..append(stream, Expected::Any, &[]) };
        written(log, keep(200)).await;
        let first = log.receipt(&key(n)).await.unwrap().unwrap();
        assert_eq!(log.append(keep(204)).await, Err(AppendError::Receipted(Box::new(first))));
    }
    assert_eq!(ids(log, "nothing-was-written").await.len(), 0);
}

async fn the_whole_log_can_be_read_in_pieces_in_one_order(log: &Arc<dyn EventLog>) {
    let whole = log.read_all(Position::START, 100_000).await.unwrap();
    assert!(whole.is_sorted_by(|a, b| a.position < b.position));
    let (mut pieces, mut after) = (Vec::new(), Position::START);
    loop {
        let piece = log.read_all(after, 7).await.unwrap();
        let Some(last) = piece.last() else { break };
        after = last.position;
        pieces.extend(piece);
    }
    assert_eq!(pieces, whole);
}

async fn of_many_writers_at_one_revision_one_wins(log: &Arc<dyn EventLog>) {
    let start = written(log, append("race", Expected::NoStream, &["start"])).await.revision.unwrap();
    let writers = (0..32).map(|n| {
        let (log, append) = (log.clone(), append("race", Expected::Exact(start), &[&n.to_string()]));
        tokio::spawn(async move { log.append(append).await.is_ok() })
    });
    let mut won = 0;
    for writer in writers.collect::<Vec<_>>() {
        won += u32::from(writer.await.unwrap());
    }
    assert_eq!((won, ids(log, "race").await.len()), (1, 2));
}

async fn what_was_appended_in_parallel_is_all_there_in_one_order(log: &Arc<dyn EventLog>) {
    let writers = (0..8).map(|writer| {
        let log = log.clone();
        tokio::spawn(async move {
            let name = format!("parallel-{writer}");
            let mut expected = Expected::NoStream;
            for n in 0..20 {
                let appended = written(&log, append(&name, expected, &[&n.to_string()])).await;
                expected = Expected::Exact(appended.revision.unwrap());
                assert_eq!(log.at(appended.position).await.unwrap().unwrap().revision, n);
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    let all = log.read_all(Position::START, 100_000).await.unwrap();
    for writer in 0..8 {
        let stream = stream(&format!("parallel-{writer}"));
        let revisions: Vec<u64> = all.iter().filter(|e| e.stream == stream).map(|e| e.revision).collect();
        assert_eq!(revisions, (0..20).collect::<Vec<_>>());
    }
}

/// The same command, decided by each on what it has read, as when a caller sends it again before it is answered.
async fn a_key_claimed_by_many_at_once_is_done_once(log: &Arc<dyn EventLog>) {
    for round in 0..5_u8 {
        let (name, n) = (format!("claimed-{round}"), 100 + round);
        let attempts = (0..6).map(|_| {
            let (log, name) = (log.clone(), name.clone());
            tokio::spawn(async move {
                for _ in 0..8 {
                    let read = log.read_stream(&stream(&name), 0, 1_000).await.unwrap();
                    let revision = read.last().map(|event| event.revision);
                    let expected = revision.map_or(Expected::NoStream, Expected::Exact);
                    let command = format!("done-after-{revision:?}");
                    let append = Append { receipt: Some(receipt(n, 201)), ..append(&name, expected, &[&command]) };
                    match log.append(append).await {
                        Ok(_) | Err(AppendError::Receipted(_)) => return,
                        Err(AppendError::WrongExpectedRevision { .. }) => {}
                        Err(other) => panic!("{other:?}"),
                    }
                }
                panic!("it loses every race");
            })
        });
        for attempt in attempts.collect::<Vec<_>>() {
            attempt.await.unwrap();
        }
        assert_eq!(ids(log, &name).await.len(), 1);
        assert!(log.receipt(&key(n)).await.unwrap().is_some());
    }
}

async fn the_head_is_what_can_be_read(log: &Arc<dyn EventLog>) {
    let mut head = log.head();
    let appended = written(log, append("head", Expected::Any, &["a"])).await;
    head.wait_for(|head| *head >= appended.position).await.unwrap();
    let last = log.at(appended.position).await.unwrap().unwrap();
    assert_eq!((last.position, last.id), (appended.position, event("head/a").id));
    assert_eq!(log.at(Position(appended.position.0 + 1)).await.unwrap(), None);
    assert_eq!(log.at(Position::START).await.unwrap(), None);
}

/// Of `bytes` in all.
fn large(to: &str, events: usize, bytes: usize) -> Append {
    let mut large = append(to, Expected::NoStream, &vec!["a"; events]);
    let size = bytes / events - large.metadata.len();
    for (n, event) in large.events.iter_mut().enumerate() {
        event.id = self::event(&format!("{to}/{n}")).id;
        event.data = format!("\"{}\"", "x".repeat(size - 2)).into();
    }
    let rest = bytes - large.bytes();
    large.events[0].data = format!("\"{}\"", "x".repeat(size - 2 + rest)).into();
    large
}

async fn as_much_as_is_promised_can_be_appended_and_no_more(log: &Arc<dyn EventLog>) {
    for events in [1, 400] {
        let name = format!("much-{events}");
        let much = large(&name, events, crate::APPEND_BYTES_MAX);
        assert_eq!(written(log, much).await.revision, Some(events as u64 - 1));
        let more = large(&format!("more-{events}"), events, crate::APPEND_BYTES_MAX + 1);
        assert!(matches!(log.append(more).await, Err(AppendError::TooLarge(_))));
        assert!(ids(log, &format!("more-{events}")).await.is_empty());
    }
}
