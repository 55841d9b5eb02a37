//! Consumers against a real server.

use std::time::Duration;

use bytes::Bytes;

use super::world::{View, World, count, counted, received};
use crate::{BATCH_EVENTS_MAX, ConsumeOptions, PartState};

fn up_to(n: u64) -> Vec<u64> {
    (1..=n).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_view_reads_the_log_and_then_follows_it_as_nats_says_that_there_is_more() {
    count();
    let mut world = World::new().await;
    let view = View::new("new-view");
    let before = BATCH_EVENTS_MAX as u64 + 500;
    let after = before + 100;
    world.append(1, before).await;
    world.relay();
    world.relayed(before).await;
    world.consume(&view);
    world.runs(view.name).await;
    assert_eq!(view.batches(), [BATCH_EVENTS_MAX, 500]);
    world.append(before + 1, after).await;
    world.reached(&view, after).await;
    assert_eq!(view.positions(), up_to(after));
    assert!(view.events().iter().all(|event| event.metadata.is_empty()));
    assert_eq!(counted("kith_consumer_applied_total", view.name), after);
    assert_eq!(counted("kith_consumer_silent_total", view.name), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_order_messages_come_in_each_event_is_applied_once_in_that_of_the_log() {
    let mut world = World::new().await; // without a relay
    let view = View::new("crafted");
    world.consume(&view);
    world.runs(view.name).await;
    world.append(1, 10).await;
    for (n, previous) in [(2, 1), (1, 0), (3, 2), (6, 5), (4, 3), (7, 6), (5, 4), (8, 7), (10, 9)] {
        world.publish(&received(n), previous).await;
    }
    world.reached(&view, 10).await;
    assert_eq!(view.positions(), up_to(10));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_an_event_of_kith_is_passed_over() {
    count();
    let mut world = World::new().await;
    let view = View::new("unreadable");
    world.consume(&view);
    world.runs(view.name).await;
    let before = counted("kith_heard_unreadable_total", "");
    world.nats.jetstream().publish("kith.acme.nonsense", Bytes::from_static(b"?")).await.unwrap().await.unwrap();
    world.append(1, 1).await;
    world.publish(&received(1), 0).await;
    world.reached(&view, 1).await;
    while counted("kith_heard_unreadable_total", "") == before {
        tokio::task::yield_now().await; // the log may have said it before NATS was heard
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nats_never_tells_is_read_from_the_log_a_little_later() {
    count();
    let mut world = World::new().await; // without a relay
    let view = View::new("silent");
    world.consume(&view);
    world.runs(view.name).await;
    world.append(1, 3).await;
    world.reached(&view, 3).await;
    assert_eq!(view.positions(), up_to(3));
    assert_eq!(counted("kith_consumer_silent_total", view.name), 1);
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
async fn another_event_in_the_log_than_was_applied_stops_the_view() {
    let mut world = World::new().await;
    let view = View::remembering("replaced");
    world.append(1, 5).await;
    world.consume(&view);
    world.reached(&view, 5).await;
    let mut world = world.replace_log(|n| uuid::Uuid::from_u128(n + 1_000), 7).await;
    world.consume(&view);
    let why = world.stops(view.name).await;
    assert!(why.starts_with("what was applied at position 5 is not what the log has there"), "{why}");
    assert_eq!(view.positions(), up_to(5));
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
    assert!(world.stops("nats-reader").await.starts_with("the connection to NATS is lost"));
    world.append(21, 30).await;
    world.reached(&view, 30).await;
    assert_eq!(view.positions(), up_to(30));
    world.runs(view.name).await;
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
