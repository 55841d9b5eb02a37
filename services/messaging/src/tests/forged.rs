//! What somebody does who can reach the NATS server.

use async_nats::{Client, Event};
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
        reader.publish_with_headers(subject.clone(), headers, event.data.clone()).await.unwrap();
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

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_a_reader_sends_into_the_stream_stop_neither_relay_nor_consumers() {
    let mut world = World::new().await;
    let view = View::remembering("answers");
    world.append(1, 3).await;
    world.relay();
    world.consume(&view);
    world.reached(&view, 3).await;
    world.relayed(3).await;
    // The server answers wherever it is told to, for whoever may ask.
    let (reader, _hears) = somebody(world.server.as_ref().unwrap().reader_config()).await;
    for question in [format!("$JS.API.STREAM.INFO.{STREAM}"), "$JS.API.INFO".into()] {
        reader.publish_with_reply(question, "kith.acme.member.erased", "".into()).await.unwrap();
    }
    reader.flush().await.unwrap();
    world.append(4, 8).await;
    world.reached(&view, 8).await;
    assert_eq!(view.positions(), (1..=8).collect::<Vec<_>>());
    let relayed = async {
        while world.health.report().parts.iter().find(|part| part.name == "relay").unwrap().position
            != Some(Position(8))
        {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, relayed).await.unwrap();
    world.runs("relay").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_event_is_found_when_the_real_one_comes_and_stays_found() {
    for ahead in [0, 3] {
        let mut world = World::new().await;
        let view = View::remembering("lied-to");
        world.append(1, 5).await;
        world.relay();
        world.consume(&view);
        world.reached(&view, 5).await;
        world.relayed(5).await;
        world.publish(&forged(6 + ahead), 5).await;
        world.reached(&view, 6 + ahead).await;
        world.append(6, 7).await;
        let why = world.stops(view.name).await;
        assert!(why.contains(&format!("position {}", 6 + ahead)) && why.contains("forged"), "{why}");
        // Nothing of what came afterwards is put on top of a lie, also not by who starts again, or once the log is there.
        world.append(8, 20).await;
        let mut world = world.restart(|_| ()).await;
        world.relay();
        world.consume(&view);
        let why = world.stops(view.name).await;
        assert!(why.contains("forged"), "{why}");
        assert_eq!(view.positions().last(), Some(&(6 + ahead)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_the_id_of_the_real_event_but_says_something_else_is_a_lie_too() {
    let mut world = World::new().await;
    let view = View::remembering("same-id");
    world.append(1, 5).await;
    world.relay();
    world.consume(&view);
    world.reached(&view, 5).await;
    world.relayed(5).await;
    let lie = Recorded { data: br#"{"n":"forged"}"#.as_slice().into(), ..received(6) };
    world.publish(&lie, 5).await;
    world.reached(&view, 6).await;
    world.append(6, 9).await;
    let why = world.stops(view.name).await;
    assert!(why.contains("position 6") && why.contains("forged"), "{why}");
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
async fn after_the_stream_and_the_view_are_deleted_all_is_as_if_nobody_had_lied() {
    let mut world = World::new().await;
    let view = View::remembering("rebuilt");
    world.append(1, 5).await;
    world.relay();
    world.consume(&view);
    world.reached(&view, 5).await;
    world.relayed(5).await;
    world.publish(&forged(6), 5).await;
    world.append(6, 8).await;
    world.stops(view.name).await;
    world.nats.jetstream().delete_stream(STREAM).await.unwrap();
    let mut world = world.restart(|_| ()).await;
    let view = View::remembering("rebuilt-anew");
    world.relay();
    world.consume(&view);
    world.append(9, 10).await;
    world.reached(&view, 10).await;
    world.relayed(10).await;
    assert_eq!(world.stream().await, chain(10));
    assert_eq!(view.positions(), (1..=10).collect::<Vec<_>>());
    world.runs("relay").await;
}
