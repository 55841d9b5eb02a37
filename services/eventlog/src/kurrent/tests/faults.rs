//! What goes wrong at the server, and what callers are told.

use rand::{RngExt, SeedableRng, rngs::StdRng};
use stand_in::Fault;

use super::*;

/// Those who append at once, a count.
const WRITERS: u128 = 16;
/// Appends of each, a count.
const APPENDS: u64 = 625;

/// What one writer was told, and what it did about it.
#[derive(Default)]
struct Told {
    unknown: u32,
    conflicts: u32,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_lost_before_or_after_an_append_took_effect_leaves_it_written_once() {
    let server = alone().await;
    let log = KurrentLog::open(&server.node.url()).await.unwrap();
    for (n, fault) in
        (0..).zip([Fault::LostBefore, Fault::LostAfter, Fault::Twice, Fault::Unavailable, Fault::TimedOut])
    {
        server.node.faults.next(fault.clone());
        let appended =
            log.append(append(&stream(n), Expected::NoStream, n)).await.unwrap_or_else(|e| panic!("{fault:?}: {e}"));
        let there = log.read_stream(&stream(n), 0, 9).await.unwrap();
        assert_eq!((there.len(), there[0].position), (1, appended.position), "{fault:?}");
    }
}

/// Of an append to wherever the stream ends the server knows only for a while that it was there before.
#[tokio::test(flavor = "multi_thread")]
async fn an_append_anywhere_whose_outcome_is_unknown_is_not_sent_again() {
    let server = alone().await;
    let log = KurrentLog::open(&server.node.url()).await.unwrap();
    server.node.faults.next(Fault::LostAfter);
    let unknown = log.append(append(&stream(1), Expected::Any, 1)).await;
    assert!(matches!(unknown, Err(AppendError::Unavailable(_))), "{unknown:?}");
    until_written(&log, append(&stream(1), Expected::Any, 1)).await;
    assert_eq!(log.read_stream(&stream(1), 0, 9).await.unwrap().len(), 1, "sent again under the same id");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_and_a_deleted_stream_are_said_at_once() {
    let server = alone().await;
    let log = KurrentLog::open(&server.node.url()).await.unwrap();
    log.append(append(&stream(1), Expected::NoStream, 1)).await.unwrap();
    server.node.faults.next(Fault::Conflict);
    let conflict = log.append(append(&stream(1), Expected::Exact(0), 2)).await;
    let expected = AppendError::WrongExpectedRevision { expected: Expected::Exact(0), current: Some(0) };
    assert_eq!(conflict, Err(expected));
    server.node.faults.next(Fault::Deleted);
    let deleted = log.append(append(&stream(1), Expected::Exact(0), 2)).await;
    assert!(matches!(deleted, Err(AppendError::Unavailable(ref why)) if why.contains("deleted")), "{deleted:?}");
}

/// The client only asks the server to keep the deadline; this one does not.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_does_not_come_is_not_waited_for() {
    let server = alone().await;
    let log = KurrentLog::open(&server.node.url()).await.unwrap();
    server.node.faults.next(Fault::Slow(PATIENCE * 10));
    let begun = Instant::now();
    log.append(append(&stream(1), Expected::NoStream, 1)).await.unwrap();
    assert!(begun.elapsed() < client::APPEND_WITHIN * 2, "{:?}", begun.elapsed());
    server.node.faults.slow_reads(PATIENCE * 10);
    let begun = Instant::now();
    assert!(log.read_stream(&stream(1), 0, 9).await.is_err());
    assert!(begun.elapsed() < client::READ_WITHIN * 2, "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_whose_answer_was_lost_is_done_once_and_answered_as_then() {
    let server = alone().await;
    let log = KurrentLog::open(&server.node.url()).await.unwrap();
    let receipt =
        Receipt { key: [7; 16], fingerprint: [1; 16], status: 201, body: b"{}".to_vec(), position: Position::START };
    let command = Append { receipt: Some(receipt.clone()), ..append(&stream(1), Expected::NoStream, 1) };
    // The claim goes through; of the append every answer is lost, the last time for good.
    server.node.faults.by_chance(0.7, &[Fault::LostAfter, Fault::LostBefore], 5);
    let answer = timeout(PATIENCE, async {
        loop {
            match log.append(command.clone()).await {
                Err(AppendError::Unavailable(_)) => tokio::time::sleep(Duration::from_millis(10)).await,
                answer => return answer,
            }
        }
    });
    let answer = answer.await.unwrap();
    server.node.faults.none();
    let there = log.read_stream(&stream(1), 0, 9).await.unwrap();
    let kept = Receipt { position: there[0].position, ..receipt };
    match answer {
        Ok(appended) => assert_eq!(appended.position, kept.position),
        Err(error) => assert_eq!(error, AppendError::Receipted(Box::new(kept.clone()))),
    }
    assert_eq!((there.len(), log.receipt(&[7; 16]).await.unwrap()), (1, Some(kept)));
}

/// Each writer appends to a stream of its own and to one that all share, and does what it is told: after a conflict it
/// reads and goes on from there, after an unknown outcome it sends the same again.
#[tokio::test(flavor = "multi_thread")]
async fn of_10_000_appends_from_16_writers_with_faults_none_is_lost_or_doubled() {
    let seed = std::env::var("KITH_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_261_123);
    println!("KITH_SEED={seed}");
    let server = alone().await;
    let faults = [
        Fault::LostBefore,
        Fault::LostAfter,
        Fault::Twice,
        Fault::Unavailable,
        Fault::TimedOut,
        Fault::Conflict,
        Fault::Slow(Duration::from_millis(20)),
    ];
    server.node.faults.by_chance(0.01, &faults, seed);
    let log = KurrentLog::open(&server.node.url()).await.unwrap();
    let writers: Vec<_> = (0..WRITERS).map(|writer| tokio::spawn(write(log.clone(), writer, seed))).collect();
    let (mut unknown, mut conflicts) = (0, 0);
    for writer in writers {
        let told = timeout(PATIENCE * 10, writer).await.unwrap().unwrap();
        unknown += told.unknown;
        conflicts += told.conflicts;
    }
    server.node.faults.none();
    println!("{unknown} unknown outcomes, {conflicts} conflicts");
    assert!(conflicts > 0);
    let all = log.read_all(Position::START, usize::MAX).await.unwrap();
    let mut ids: Vec<_> = all.iter().map(|event| event.id.as_u128()).collect();
    assert_eq!(ids.len() as u64, u64::try_from(WRITERS).unwrap() * APPENDS);
    ids.sort_unstable();
    let expected = (0..WRITERS).flat_map(|writer| (0..u128::from(APPENDS)).map(move |n| writer << 32 | n));
    assert!(ids.iter().copied().eq(expected));
    // Each writer's events are in its order, in the log and in each stream; revisions have no gaps.
    let mut last = std::collections::HashMap::new();
    for event in &all {
        let (writer, n) = (event.id.as_u128() >> 32, event.id.as_u128() & 0xffff_ffff);
        assert!(last.insert(writer, n).is_none_or(|before| before < n));
        let revision = last.insert(1 << 100 | event.stream.id().as_u128(), event.revision.into());
        assert_eq!(revision.map_or(0, |before| before + 1), event.revision.into(), "{}", event.stream);
    }
}

async fn write(log: KurrentLog, writer: u128, seed: u64) -> Told {
    let mut chance = StdRng::seed_from_u64(seed ^ u64::try_from(writer).unwrap());
    let (own, shared) = (stream(100 + writer), stream(1));
    let (mut own_at, mut shared_at, mut told) = (None, None, Told::default());
    for n in 0..APPENDS {
        let id = writer << 32 | u128::from(n);
        let common = chance.random_bool(0.05);
        let (stream, at) = if common { (&shared, &mut shared_at) } else { (&own, &mut own_at) };
        loop {
            let expected = at.map_or(Expected::NoStream, Expected::Exact);
            match log.append(append(stream, expected, id)).await {
                Ok(appended) => {
                    *at = appended.revision;
                    break;
                }
                Err(AppendError::WrongExpectedRevision { current, .. }) => {
                    told.conflicts += 1;
                    // It may be this very event that is there: its answer was lost.
                    let from = at.map_or(0, |at| at + 1);
                    let Ok(since) = log.read_stream(stream, from, usize::MAX).await else { continue };
                    if let Some(done) = since.iter().find(|event| event.id.as_u128() == id) {
                        *at = Some(done.revision);
                        break;
                    }
                    *at = current;
                }
                Err(AppendError::Unavailable(_)) => {
                    told.unknown += 1;
                    tokio::time::sleep(Duration::from_millis(5)).await; // as a caller would
                }
                Err(other) => panic!("{other:?}"),
            }
        }
    }
    told
}
