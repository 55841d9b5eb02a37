//! Consumers against a real server.

use std::time::Duration;

use bytes::Bytes;

use super::world::{View, World, count, counted, received};
use crate::{ConsumeOptions, PartState, read_ahead::CATCH_UP_EVENTS};

fn up_to(n: u64) -> Vec<u64> {
    (1..=n).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_view_reads_the_log_and_then_follows_the_stream() {
    count();
    let mut world = World::new().await;
    let view = View::new("new-view");
    let before = CATCH_UP_EVENTS as u64 + 500;
    let after = before + 100;
    world.append(1, before).await;
    world.relay();
    world.relayed(before).await;
    world.consume(&view);
    world.runs(view.name).await;
    assert_eq!(view.batches(), [CATCH_UP_EVENTS, 500]);
    world.append(before + 1, after).await;
    world.reached(&view, after).await;
    assert_eq!(view.positions(), up_to(after));
    assert!(view.events().iter().all(|event| event.metadata.is_empty()));
    assert_eq!(counted("kith_consumer_applied_total", view.name), after);
    assert_eq!(counted("kith_consumer_duplicates_total", view.name), 0);
    assert_eq!(counted("kith_consumer_gaps_total", view.name), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn gaps_are_filled_from_the_log_and_duplicates_and_late_comers_are_skipped() {
    count();
    let mut world = World::new().await;
    let view = View::new("crafted");
    world.consume(&view);
    world.runs(view.name).await;
    world.append(1, 10).await;
    // Out of order, with a gap, twice, and with 9 never coming.
    let ids = |n: u64| received(n);
    for (n, previous) in [(2, 1), (1, 0), (3, 2), (6, 5), (4, 3), (7, 6), (5, 4), (8, 7), (10, 9)] {
        world.publish(&ids(n), previous).await;
    }
    world.reached(&view, 10).await;
    assert_eq!(view.positions(), up_to(10));
    assert_eq!(counted("kith_consumer_gaps_total", view.name), 3);
    assert_eq!(counted("kith_consumer_duplicates_total", view.name), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_an_event_of_kith_is_skipped() {
    count();
    let mut world = World::new().await;
    let view = View::new("unreadable");
    world.consume(&view);
    world.runs(view.name).await;
    world.append(1, 1).await;
    world.nats.jetstream().publish("kith.acme.nonsense", Bytes::from_static(b"?")).await.unwrap().await.unwrap();
    world.publish(&received(1), 0).await;
    world.reached(&view, 1).await;
    assert_eq!(counted("kith_consumer_unreadable_total", view.name), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_the_stream_never_brings_is_read_from_the_log() {
    let mut world = World::new().await; // without a relay
    let view = View::new("stalled");
    world.consume(&view);
    world.runs(view.name).await;
    world.append(1, 3).await;
    world.reached(&view, 3).await;
    assert_eq!(view.positions(), up_to(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_cannot_be_applied_stops_the_view_at_it_until_it_can_be() {
    let mut world = World::new().await;
    let view = View::new("poisoned");
    let other = View::new("not-poisoned");
    view.poison(Some(7));
    world.append(1, 5).await;
    world.relay();
    let options = world.consume(&view);
    world.consume(&other);
    world.runs(view.name).await;
    world.append(6, 10).await;
    let why = world.stops(view.name).await;
    assert_eq!(
        why,
        "the event attendance.recorded 00000000-0000-0000-0000-000000000007 at position 7 cannot be applied: \
         it does not fit"
    );
    assert_eq!(view.positions(), up_to(6), "those before it are applied, none after it");
    assert!(!world.health.ready());
    world.reached(&other, 10).await;
    view.poison(None);
    options.retry.notify_one();
    world.reached(&view, 10).await;
    world.runs(view.name).await;
    assert_eq!(view.positions(), up_to(10));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_fails_is_tried_again() {
    let mut world = World::new().await;
    let view = View::new("store-fails");
    view.fail_to_store(2);
    world.append(1, 5).await;
    world.relay();
    world.consume(&view);
    assert_eq!(world.stops(view.name).await, "events cannot be stored: the disk is full");
    world.reached(&view, 5).await;
    assert_eq!(view.positions(), up_to(5));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_beyond_the_log_stops_the_view() {
    let mut world = World::new().await;
    let view = View::at("beyond", 9);
    world.append(1, 5).await;
    world.consume(&view);
    let why = world.stops(view.name).await;
    assert!(why.starts_with("the checkpoint is at position 9, where the log does not reach"), "{why}");
    assert!(view.positions().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_not_in_the_log_is_not_applied() {
    let mut world = World::new().await;
    let view = View::new("stream-ahead");
    world.consume(&view);
    world.runs(view.name).await;
    world.append(1, 2).await;
    world.publish(&received(5), 4).await;
    let why = world.stops(view.name).await;
    assert!(why.contains("holds an event at position 5 that this log does not have"), "{why}");
    assert_eq!(view.positions(), up_to(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_consumer_is_made_again() {
    let mut world = World::new().await;
    let view = View::new("deleted-consumer");
    world.relay();
    world.consume(&view);
    world.runs(view.name).await;
    world.append(1, 5).await;
    world.reached(&view, 5).await;
    world.nats.stream().await.unwrap().delete_consumer(view.name).await.unwrap();
    world.append(6, 10).await;
    world.reached(&view, 10).await;
    assert_eq!(view.positions(), up_to(10));
}

#[tokio::test(flavor = "multi_thread")]
async fn lingering_gathers_events_and_a_flush_cuts_it_short() {
    let mut world = World::new().await;
    let view = View::new("lingering");
    let linger = ConsumeOptions { linger: Duration::from_hours(1), ..ConsumeOptions::default() };
    let options = world.consume_with(&view, linger); // is limited to a second
    world.relay();
    world.runs(view.name).await;
    for n in 1..=20 {
        world.append(n, n).await;
    }
    world.relayed(20).await;
    options.flush.notify_one();
    world.reached(&view, 20).await;
    assert!(view.batches().len() <= 3, "{:?}", view.batches());
    assert_eq!(view.positions(), up_to(20));
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_acknowledged_once_it_is_applied() {
    let mut world = World::new().await;
    let view = View::new("acknowledged");
    world.relay();
    world.consume(&view);
    world.runs(view.name).await;
    world.append(1, 3_000).await;
    world.reached(&view, 3_000).await;
    let stream = world.nats.stream().await.unwrap();
    let acknowledged = async {
        loop {
            let info = stream.consumer_info(view.name).await.unwrap();
            if (info.ack_floor.stream_sequence, info.num_ack_pending) == (3_000, 0) {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(super::world::PATIENCE, acknowledged).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_nats_a_view_still_follows_the_log_and_can_end() {
    let mut world = World::new().await;
    let view = View::new("without-nats");
    world.relay();
    world.consume(&view);
    world.runs(view.name).await;
    world.append(1, 10).await;
    world.reached(&view, 10).await;
    world.server.take().unwrap().stop().await;
    world.append(11, 20).await;
    world.reached(&view, 20).await;
    let why = world.stops(view.name).await;
    assert!(why.starts_with("the events in NATS cannot be read"), "{why}");
    world.append(21, 30).await;
    world.reached(&view, 30).await;
    assert_eq!(view.positions(), up_to(30));
    let (_dir, _log, took) = world.stop().await;
    assert!(took < Duration::from_secs(3), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ending_does_not_wait_for_anything_to_come() {
    let mut world = World::new().await;
    let view = View::new("ending");
    world.consume(&view);
    world.runs(view.name).await;
    assert!(world.health.report().parts.iter().all(|part| part.state == PartState::Running));
    let (_dir, _log, took) = world.stop().await;
    assert!(took < Duration::from_secs(3), "{took:?}");
}
