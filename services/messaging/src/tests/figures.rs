//! How fast it is: `cargo test -p messaging -- --ignored figures --nocapture`.

use std::time::Instant;

use super::world::{View, World};

const EVENTS: u64 = 50_000;
const SINGLE_EVENTS: u64 = 500;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes long; prints figures"]
async fn figures() {
    let mut world = World::new().await;
    let view = View::new("figures");
    let (append, ()) = timed(world.append(1, EVENTS)).await;
    world.relay();
    let (relay, ()) = timed(world.reached_by("relay", EVENTS)).await;
    world.consume(&view);
    let (catch_up, ()) = timed(world.reached(&view, EVENTS)).await;
    world.runs(view.name).await;
    let mut latencies = Vec::new();
    for n in EVENTS + 1..=EVENTS + SINGLE_EVENTS {
        world.append(n, n).await;
        latencies.push(timed(world.reached(&view, n)).await.0);
    }
    latencies.sort_by(f64::total_cmp);
    let (first, last) = (EVENTS + SINGLE_EVENTS + 1, 2 * EVENTS);
    let before = view.batches().len();
    let (live, ()) = timed(async {
        world.append(first, last).await;
        world.reached(&view, last).await;
    })
    .await;
    let rate = |seconds: f64| f64::from(u32::try_from(EVENTS).unwrap()) / seconds;
    println!("append {:.0}/s, relay {:.0}/s, catch up {:.0}/s", rate(append), rate(relay), rate(catch_up));
    println!("append, relay and consume at once {:.0}/s in {} batches", rate(live), view.batches().len() - before);
    let at = |share: usize| latencies[latencies.len() * share / 100] * 1e3;
    println!("append to applied: median {:.2} ms, 99 % {:.2} ms", at(50), at(99));
    assert_eq!(view.positions(), (1..=last).collect::<Vec<_>>());
}

async fn timed<T>(work: impl Future<Output = T>) -> (f64, T) {
    let since = Instant::now();
    let done = work.await;
    (since.elapsed().as_secs_f64(), done)
}
