//! What somebody does who can reach the NATS server.

use async_nats::{Client, Event};
use bytes::Bytes;
use eventlog::{Position, Recorded};
use tokio::{sync::mpsc, time::timeout};
use uuid::Uuid;

use super::world::{PATIENCE, View, World, chain, received};
use crate::{NatsConfig, STREAM, cloud_event};

/// A connection of its own, and what the server says to it that it was not asked.
async fn somebody(config: NatsConfig) -> (Client, mpsc::UnboundedReceiver<String>) {
    let (said, hears) = mpsc::unbounded_channel();
    let (user, password) = config.user_password.unwrap();
    let listen = move |event: Event| {
        let _ = said.send(event.to_string());
        std::future::ready(())
    };
    let options = async_nats::ConnectOptions::with_user_and_password(user, password).event_callback(listen);
    (options.connect(config.url).await.unwrap(), hears)
}

/// The event that the log will have at `n`, as somebody would have it.
fn forged(n: u64) -> Recorded {
    Recorded { id: Uuid::from_u128(0x000f_0bad), data: br#"{"n":"forged"}"#.as_slice().into(), ..received(n) }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_may_publish_nothing_and_touch_nothing() {
    let mut world = World::new().await;
    world.append(1, 3).await;
    world.relay();
    world.relayed(3).await;
    let (reader, mut hears) = somebody(world.server.as_ref().unwrap().reader_config()).await;
    let before = world.stream().await;
    let event = forged(4);
    for subject in [
        cloud_event::subject(&event),
        "kith.>".into(),
        format!("$JS.API.STREAM.DELETE.{STREAM}"),
        format!("$JS.API.STREAM.UPDATE.{STREAM}"),
        format!("$JS.API.STREAM.PURGE.{STREAM}"),
        format!("$JS.API.STREAM.MSG.DELETE.{STREAM}"),
        "$JS.API.STREAM.CREATE.OTHER".into(),
        "$JS.API.ACCOUNT.PURGE.x".into(),
        "_INBOX.somebody.else".into(),
    ] {
        let headers = cloud_event::headers(&event, Position(3));
        reader.publish_with_headers(subject.clone(), headers, Bytes::clone(&event.data)).await.unwrap();
        reader.flush().await.unwrap();
        let said = timeout(PATIENCE, async {
            loop {
                let said = hears.recv().await.unwrap().to_lowercase();
                if said.contains("permissions violation") {
                    return said;
                }
            }
        });
        let said = said.await.unwrap_or_else(|_| panic!("{subject} is allowed"));
        assert!(said.contains(&subject.to_lowercase()) || said.contains("publish"), "{subject}: {said}");
    }
    assert_eq!(world.stream().await, before);
    // And the relay's user may.
    world.publish(&forged(4), 3).await;
    assert_eq!(world.stream().await.len(), before.len() + 1);
}

/// The server answers wherever it is told to, for whoever may ask.
#[tokio::test(flavor = "multi_thread")]
async fn garbage_in_the_stream_stops_neither_relay_nor_consumers() {
    let mut world = World::new().await;
    let view = View::new("garbage");
    world.append(1, 3).await;
    world.relay();
    world.consume(&view);
    world.reached(&view, 3).await;
    world.relayed(3).await;
    let (relay, _hears) = somebody(world.server.as_ref().unwrap().config()).await;
    for question in [format!("$JS.API.STREAM.INFO.{STREAM}"), "$JS.API.INFO".into()] {
        relay.publish_with_reply(question, "kith.acme.member.erased", "".into()).await.unwrap();
    }
    relay.flush().await.unwrap();
    world.append(4, 8).await;
    world.reached(&view, 8).await;
    assert_eq!(view.positions(), (1..=8).collect::<Vec<_>>());
    world.reached_by("relay", 8).await;
    world.runs("relay").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_forged_is_ever_applied_and_what_is_real_is() {
    for ahead in [0, 3, 1_000_000] {
        let mut world = World::new().await;
        let view = View::new("forged");
        world.append(1, 5).await;
        world.relay();
        world.consume(&view);
        world.reached(&view, 5).await;
        world.relayed(5).await;
        world.publish(&forged(6 + ahead), 5).await;
        world.append(6, 20).await;
        world.reached(&view, 20).await;
        assert!(world.stops("relay").await.contains("forged"));
        world.append(21, 30).await;
        world.reached(&view, 30).await;
        let expected: Vec<_> = world.log.read_all(Position::START, 100).await.unwrap();
        let expected: Vec<_> = expected.into_iter().map(|event| Recorded { metadata: Bytes::new(), ..event }).collect();
        assert_eq!(view.events(), expected);
        world.runs(view.name).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_relay_says_that_the_stream_ends_with_a_lie() {
    let mut world = World::new().await;
    world.append(1, 5).await;
    world.relay();
    world.relayed(5).await;
    // Like the real one but for what it says.
    let lie = Recorded { data: br#"{"n":"forged"}"#.as_slice().into(), ..received(6) };
    world.publish(&lie, 5).await;
    world.append(6, 6).await;
    let why = world.stops("relay").await;
    assert!(why.contains("position 6") && why.contains("forged") && why.contains("delete the stream"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_stream_is_deleted_all_is_as_if_nobody_had_forged_anything() {
    let mut world = World::new().await;
    let view = View::new("after-a-lie");
    world.append(1, 5).await;
    world.relay();
    world.consume(&view);
    world.reached(&view, 5).await;
    world.relayed(5).await;
    world.publish(&forged(6), 5).await;
    world.append(6, 8).await;
    world.stops("relay").await;
    world.nats.jetstream().delete_stream(STREAM).await.unwrap();
    world.append(9, 10).await;
    world.reached(&view, 10).await;
    world.relayed(10).await;
    assert_eq!(world.stream().await, chain(10));
    assert_eq!(view.positions(), (1..=10).collect::<Vec<_>>());
    world.runs("relay").await;
}
