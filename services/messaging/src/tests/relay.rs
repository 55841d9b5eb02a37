//! The relay against a real server.

use std::{fs, time::Duration};

use eventlog::Position;
use uuid::Uuid;

use super::world::{self, View, World, chain, received};
use crate::cloud_event;

/// Ending means to finish what is being applied, not what there is to do.
const PROMPTLY: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread")]
async fn the_relay_publishes_the_log_in_order_each_event_naming_the_one_before() {
    let mut world = World::new().await;
    world.append(1, 300).await;
    world.relay();
    world.append(301, 500).await;
    world.relayed(500).await;
    assert_eq!(world.stream().await, chain(500));
    let (_, _, took) = world.stop().await;
    assert!(took < PROMPTLY, "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_starts_again_goes_on_where_the_stream_ends() {
    let mut world = World::new().await;
    world.append(1, 10).await;
    world.relay();
    world.relayed(10).await;
    let mut world = world.restart(|_| ()).await;
    world.append(11, 20).await;
    world.relay();
    world.relayed(20).await;
    assert_eq!(world.stream().await, chain(20));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_relays_at_once_duplicate_and_reorder_nothing() {
    let mut world = World::new().await;
    world.append(1, 1_000).await;
    world.relay();
    world.relay();
    for first in (1_001..=2_000).step_by(20) {
        world.append(first, first + 19).await;
    }
    world.relayed(2_000).await;
    assert_eq!(world.stream().await, chain(2_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_wiped_while_stopped_is_refilled_and_each_event_is_applied_once() {
    let mut world = World::new().await;
    let view = View::new("wiped-while-stopped");
    world.append(1, 200).await;
    world.relay();
    world.consume(&view);
    world.reached(&view, 200).await;
    let wipe = |dir: &std::path::Path| fs::remove_dir_all(dir.join("nats/jetstream")).unwrap();
    let mut world = world.restart(wipe).await;
    world.append(201, 300).await;
    world.relay();
    world.consume(&view);
    world.append(301, 400).await;
    world.reached(&view, 400).await;
    world.relayed(400).await;
    assert_eq!(world.stream().await, chain(400));
    assert_eq!(view.positions(), (1..=400).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_deleted_while_running_is_made_again_and_refilled() {
    let mut world = World::new().await;
    let view = View::new("deleted-while-running");
    world.append(1, 100).await;
    world.relay();
    world.consume(&view);
    world.reached(&view, 100).await;
    world.relayed(100).await;
    world.nats.jetstream().delete_stream(crate::STREAM).await.unwrap();
    world.append(101, 200).await;
    world.reached(&view, 200).await;
    world.relayed(200).await;
    assert_eq!(world.stream().await, chain(200));
    assert_eq!(view.positions(), (1..=200).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_deleted_while_nothing_happens_is_refilled() {
    let mut world = World::new().await;
    world.append(1, 50).await;
    world.relay();
    world.relayed(50).await;
    world.nats.jetstream().delete_stream(crate::STREAM).await.unwrap();
    world.relayed(50).await;
    assert_eq!(world.stream().await, chain(50));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_under_load_loses_and_repeats_nothing() {
    let mut world = World::new().await;
    let view = View::new("killed-under-load");
    world.relay();
    world.consume(&view);
    for round in 0..4 {
        for first in (round * 1_000 + 1..=(round + 1) * 1_000).step_by(50) {
            world.append(first, first + 49).await;
        }
        if round < 3 {
            world.reached(&view, round * 1_000 + 1).await; // in the midst of it
            world::kill(world.server.as_ref().unwrap().pid());
            world.stops("nats-server").await;
            world.runs("nats-server").await;
        }
    }
    world.reached(&view, 4_000).await;
    world.relayed(4_000).await;
    assert_eq!(world.stream().await, chain(4_000));
    assert_eq!(view.positions(), (1..=4_000).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ahead_of_the_log_is_not_written_and_says_why() {
    let mut world = World::new().await;
    world.append(1, 5).await;
    for n in 1..=7 {
        world.publish(&received(n), n - 1).await;
    }
    world.relay();
    let why = world.stops("relay").await;
    assert!(why.contains("the NATS stream KITH holds events that this log does not have (at position 7)"), "{why}");
    assert_eq!(world.stream().await.len(), 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_another_log_is_not_written_and_says_why() {
    let mut world = World::new().await;
    world::append_as(&*world.log, 1, 9, |n| Uuid::from_u128(n + 1_000)).await;
    for n in 1..=7 {
        world.publish(&received(n), n - 1).await;
    }
    world.relay();
    let why = world.stops("relay").await;
    assert!(why.contains("that this log does not have (at position 7)"), "{why}");
    assert_eq!(world.stream().await.len(), 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_metadata_reaches_nats() {
    let mut world = World::new().await;
    world.append(1, 1).await;
    world.relay();
    world.relayed(1).await;
    let message = world.nats.stream().await.unwrap().get_raw_message(1).await.unwrap();
    assert!(!format!("{message:?}").contains("alice"));
    let (event, previous) = cloud_event::decode(Some(&message.headers), message.payload).unwrap();
    assert_eq!((event, previous), (received(1), Position::START));
}
