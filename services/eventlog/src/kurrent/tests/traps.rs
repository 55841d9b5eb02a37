//! What the crate `eventstore` 4.0.0 does wrong: each shown on its own client, and the adapter unharmed.

use std::process::{Command, Stdio};

use eventstore::{Client, SubscribeToAllOptions, SubscriptionFilter};
use stand_in::{Ending, Fault};

use super::*;

/// The crate's own client.
async fn client(url: &str) -> Client {
    settle_tls().await.unwrap();
    unsettled(url)
}

/// The same in a process in which nothing is settled.
fn unsettled(url: &str) -> Client {
    Client::new(url.parse().unwrap()).unwrap()
}

/// Whether the client itself can append.
async fn writes(client: &Client, n: u128) -> Result<(), Error> {
    let event = EventData::binary("noise", vec![0].into()).id(Uuid::from_u128(n));
    let options = AppendToStreamOptions::default();
    let asked = client.append_to_stream(format!("noise-{n}"), &options, event);
    client::within(client::APPEND_WITHIN, asked).await.map(|_| ())
}

/// Runs one of the ignored tests below in a process of its own, as what it does cannot be undone; answers whether it
/// went well within a while, or nothing if it did not end.
fn alone_in_a_process(test: &str, environment: &[(&str, &str)], within: Duration) -> Option<bool> {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "--ignored", "--nocapture", &format!("kurrent::tests::traps::{test}")]);
    command.envs(environment.iter().copied()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let deadline = std::time::Instant::now() + within;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status.success());
        }
        if std::time::Instant::now() > deadline {
            child.kill().unwrap();
            child.wait().unwrap();
            return None;
        }
        std::thread::sleep(Duration::from_millis(20)); // a process announces nothing
    }
}

/// Trap a: the first connection fails, and the client never connects again.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_starts_late_is_found() {
    let (dir, address) = (tempfile::tempdir().unwrap(), free());
    let url = format!("esdb://{address}?tls=false");
    let (bare, log) = (client(&url).await, KurrentLog::open(&url).await.unwrap());
    assert!(writes(&bare, 1).await.is_err());
    let refused = log.append(append(&stream(1), Expected::NoStream, 1)).await;
    assert!(matches!(refused, Err(AppendError::Unavailable(_))), "{refused:?}");
    assert!(log.down().borrow().is_some());

    let _node = node(&dir.path().join("log.db"), &Cluster::default(), address).await;
    let took = until_written(&log, append(&stream(1), Expected::NoStream, 1)).await;
    assert!(took < Duration::from_secs(2), "{took:?}");
    timeout(PATIENCE, log.down().wait_for(Option::is_none)).await.unwrap().unwrap();
    assert!(matches!(writes(&bare, 1).await, Err(Error::ConnectionClosed)), "the trap is gone");
}

/// Trap b: the client waits for half a second before it connects for the first time; with one attempt it never does.
#[tokio::test(flavor = "multi_thread")]
async fn the_first_append_does_not_wait_for_half_a_second() {
    let server = alone().await;
    let begun = Instant::now();
    writes(&client(&server.node.url()).await, 1).await.unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(500), "the trap is gone: {:?}", begun.elapsed());
    let once = format!("{}&maxDiscoverAttempts=1", server.node.url());
    assert!(writes(&client(&once).await, 2).await.is_err(), "the trap is gone");

    for url in [server.node.url(), once] {
        let log = KurrentLog::open(&url).await.unwrap();
        let begun = Instant::now();
        log.append(append(&stream(1), Expected::Any, 1)).await.unwrap();
        assert!(begun.elapsed() < Duration::from_millis(450), "{:?}", begun.elapsed());
    }
}

/// Trap c: a client of a cluster stays with the node that it found first, though that is gone.
#[tokio::test(flavor = "multi_thread")]
async fn when_the_leader_is_lost_the_next_one_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let (path, cluster) = (dir.path().join("log.db"), Cluster::default());
    let store = Store::open(&path).unwrap();
    let start = async || {
        let listen = ([127, 0, 0, 1], 0).into();
        StandIn::start_node(store.clone(), cluster.clone(), listen, Options::default()).await.unwrap()
    };
    let (first, second) = (start().await, start().await);
    let url =
        format!("esdb://{},{}?tls=false&nodePreference=leader&discoveryInterval=10", first.address, second.address);
    let (bare, log) = (client(&url).await, KurrentLog::open(&url).await.unwrap());
    writes(&bare, 1).await.unwrap();
    log.append(append(&stream(1), Expected::NoStream, 1)).await.unwrap();

    cluster.leads(second.address);
    first.stop().await;
    let took = until_written(&log, append(&stream(1), Expected::Exact(0), 2)).await;
    assert!(took < Duration::from_secs(2), "{took:?}");
    for n in 2..5 {
        assert!(writes(&bare, n).await.is_err(), "the trap is gone");
    }
}

/// Beside trap c: a node that no longer leads says who does, and that one is asked.
#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_lead_says_who_does() {
    let dir = tempfile::tempdir().unwrap();
    let (store, cluster) = (Store::open(&dir.path().join("log.db")).unwrap(), Cluster::default());
    let start = async || {
        let listen = ([127, 0, 0, 1], 0).into();
        StandIn::start_node(store.clone(), cluster.clone(), listen, Options::default()).await.unwrap()
    };
    let (first, second) = (start().await, start().await);
    let log = KurrentLog::open(&first.url()).await.unwrap();
    log.append(append(&stream(1), Expected::NoStream, 1)).await.unwrap();
    cluster.leads(second.address);
    log.append(append(&stream(1), Expected::Exact(0), 2)).await.unwrap();
    assert_eq!(log.read_stream(&stream(1), 0, 9).await.unwrap().len(), 2);
    second.faults.next(Fault::NotLeader(first.address.ip().to_string(), first.address.port()));
    cluster.leads(first.address);
    log.append(append(&stream(1), Expected::Exact(1), 3)).await.unwrap();
}

/// Trap d: a subscription that the server ends well keeps its thread busy for ever; no timeout stops it. A message that
/// the client does not know is waited past.
#[tokio::test(flavor = "multi_thread")]
async fn subscriptions_that_end_do_not_matter() {
    let server = alone().await;
    let log = KurrentLog::open(&server.node.url()).await.unwrap();
    for (n, ending) in (0..).zip([Ending::Well, Ending::Badly, Ending::Unknown]) {
        server.node.faults.end_subscriptions(ending);
        let appended = log.append(append(&stream(n), Expected::NoStream, n)).await.unwrap();
        timeout(PATIENCE, log.head().wait_for(|head| *head >= appended.position)).await.unwrap().unwrap();
    }
    let sprung = tokio::task::spawn_blocking(|| {
        alone_in_a_process("one_whose_subscription_ends_well", &[], Duration::from_secs(5))
    });
    assert_eq!(sprung.await.unwrap(), None, "the trap is gone: the subscription ended, or its timeout did");
}

#[tokio::test]
#[ignore = "never ends: run in a process of its own"]
async fn one_whose_subscription_ends_well() {
    let server = alone().await;
    let filter = SubscriptionFilter::on_stream_name().add_prefix("kith.");
    let mut subscription =
        unsettled(&server.node.url()).subscribe_to_all(&SubscribeToAllOptions::default().filter(filter)).await;
    while !matches!(subscription.next_subscription_event().await.unwrap(), eventstore::SubscriptionEvent::CaughtUp) {}
    server.node.faults.end_subscriptions(Ending::Well);
    let ended = timeout(Duration::from_secs(1), subscription.next_subscription_event()).await;
    println!("it is possible to stop waiting: {}", ended.is_err());
}

/// Trap e: whoever sets up a provider of cryptography before the client leaves it dead; in the right order all works.
#[tokio::test(flavor = "multi_thread")]
async fn a_provider_of_cryptography_that_was_there_before_is_told() {
    for test in [
        "the_client_is_dead_after_another_provider",
        "the_adapter_tells_of_another_provider",
        "others_use_its_provider",
    ] {
        let run = tokio::task::spawn_blocking(|| alone_in_a_process(test, &[], PATIENCE));
        assert_eq!(run.await.unwrap(), Some(true), "{test}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "sets up what cannot be undone: run in a process of its own"]
async fn the_client_is_dead_after_another_provider() {
    let server = alone().await;
    rustls::crypto::ring::default_provider().install_default().unwrap();
    for n in 0..3 {
        assert!(matches!(writes(&unsettled(&server.node.url()), n).await, Err(Error::ConnectionClosed)));
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "sets up what cannot be undone: run in a process of its own"]
async fn the_adapter_tells_of_another_provider() {
    rustls::crypto::ring::default_provider().install_default().unwrap();
    assert!(matches!(KurrentLog::open("esdb://localhost?tls=false").await, Err(OpenError::Tls)));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "sets up what cannot be undone: run in a process of its own"]
async fn others_use_its_provider() {
    settle_tls().await.unwrap();
    // Would panic if there were two and none was set up.
    let _ = rustls::ClientConfig::builder().with_root_certificates(rustls::RootCertStore::empty());
    let server = alone().await;
    writes(&unsettled(&server.node.url()), 1).await.unwrap();
}

/// Trap f: a certificate of the system that cannot be read kills the client, even one that does not speak TLS.
#[tokio::test(flavor = "multi_thread")]
async fn a_broken_certificate_of_the_system_does_not_matter_without_tls_and_is_told_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("broken.pem");
    std::fs::write(&file, "-----BEGIN CERTIFICATE-----\nbm90IG9uZQ==\n-----END CERTIFICATE-----\n").unwrap();
    let file = file.to_str().unwrap().to_owned();
    for test in ["the_client_is_dead_by_a_broken_certificate", "the_adapter_works_with_a_broken_certificate"] {
        let file = file.clone();
        let run = move || alone_in_a_process(test, &[("SSL_CERT_FILE", &file)], PATIENCE);
        assert_eq!(tokio::task::spawn_blocking(run).await.unwrap(), Some(true), "{test}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs another environment: run in a process of its own"]
async fn the_client_is_dead_by_a_broken_certificate() {
    let server = alone().await;
    assert!(matches!(writes(&unsettled(&server.node.url()), 1).await, Err(Error::ConnectionClosed)));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs another environment: run in a process of its own"]
async fn the_adapter_works_with_a_broken_certificate() {
    let server = alone().await;
    let log = KurrentLog::open(&server.node.url()).await.unwrap();
    log.append(append(&stream(1), Expected::NoStream, 1)).await.unwrap();
    let told = KurrentLog::open("esdb://localhost:2113").await.unwrap_err();
    assert!(matches!(told, OpenError::Certificate(_)), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_that_are_named_and_cannot_be_used_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let (missing, empty) = (dir.path().join("missing.pem"), dir.path().join("empty.pem"));
    std::fs::write(&empty, "").unwrap();
    let of_user = |file: &Path| format!("tls=false&userCertFile={0}&userKeyFile={0}", file.display());
    for with in [&missing, &empty].map(|file| [format!("tlsCAFile={}", file.display()), of_user(file)]).concat() {
        let told = KurrentLog::open(&format!("esdb://localhost:2113?{with}")).await.unwrap_err();
        assert!(matches!(told, OpenError::Certificate(_)) && told.to_string().contains(".pem"), "{told}");
    }
}

/// Trap g: one conflict in a batch ends the batch for all. There are no batches here.
#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_of_one_is_not_one_of_others() {
    let server = alone().await;
    let bare = client(&server.node.url()).await;
    let batch = bare.batch_append(&eventstore::BatchAppendOptions::default()).await.unwrap();
    let event = |n| vec![EventData::binary("noise", vec![0].into()).id(Uuid::from_u128(n))];
    batch.append_to_stream("one", ExpectedRevision::NoStream, event(1)).await.unwrap();
    assert!(batch.append_to_stream("one", ExpectedRevision::NoStream, event(2)).await.is_err());
    assert!(batch.append_to_stream("two", ExpectedRevision::NoStream, event(3)).await.is_err(), "the trap is gone");

    let log = KurrentLog::open(&server.node.url()).await.unwrap();
    log.append(append(&stream(1), Expected::NoStream, 1)).await.unwrap();
    let appends = (2..40).map(|n| {
        let log = log.clone();
        let conflicts = n % 3 == 0;
        let to = if conflicts { stream(1) } else { stream(n) };
        async move { (conflicts, log.append(append(&to, Expected::NoStream, n)).await) }
    });
    for (conflicts, answer) in futures::future::join_all(appends).await {
        assert_eq!(matches!(answer, Err(AppendError::WrongExpectedRevision { .. })), conflicts, "{answer:?}");
        assert_eq!(answer.is_ok(), !conflicts);
    }
}

/// Trap j, which is none in this version: `gossipTimeout` is documented as not done, and is kept.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_does_not_answer_is_passed_over() {
    let server = alone().await;
    // The system accepts connections for it; nobody reads from them.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nodes = format!("{},{}", silent.local_addr().unwrap(), server.node.address);
    let url = format!("esdb://{nodes}?tls=false&gossipTimeout=200&discoveryInterval=10");
    // Which node is asked first is a matter of chance.
    for n in 0..6 {
        let begun = Instant::now();
        writes(&client(&url).await, n).await.unwrap();
        let log = KurrentLog::open(&url).await.unwrap();
        log.append(append(&stream(n), Expected::NoStream, n)).await.unwrap();
        assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    }
}

/// A trap that nobody told of: each request waits for an acknowledgement that is delayed by 40 ms.
#[tokio::test(flavor = "multi_thread")]
async fn an_append_does_not_wait_for_a_delayed_acknowledgement() {
    const APPENDS: u32 = 25;
    let alone = tokio::task::spawn_blocking(|| alone_in_a_process("one_whose_appends_are_slow", &[], PATIENCE));
    assert_eq!(alone.await.unwrap(), Some(true), "the trap is gone");

    let server = self::alone().await;
    let log = KurrentLog::open(&server.node.url()).await.unwrap();
    timeout(PATIENCE, log.down().wait_for(Option::is_none)).await.unwrap().unwrap();
    let begun = Instant::now();
    for n in 0..u128::from(APPENDS) {
        log.append(append(&stream(n), Expected::NoStream, n)).await.unwrap();
    }
    assert!(begun.elapsed() / APPENDS < Duration::from_millis(30), "{:?}", begun.elapsed() / APPENDS);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a process in which nobody hurries: run in one of its own"]
async fn one_whose_appends_are_slow() {
    let server = alone().await;
    let client = unsettled(&server.node.url());
    writes(&client, 1).await.unwrap();
    let begun = Instant::now();
    for n in 2..12 {
        writes(&client, n).await.unwrap();
    }
    assert!(begun.elapsed() / 10 > Duration::from_millis(35), "{:?}", begun.elapsed() / 10);
}

/// A trap that nobody told of: a client that connected and is dropped leaves a task behind for ever.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_is_replaced_leaves_nothing_running() {
    let alone = tokio::task::spawn_blocking(|| alone_in_a_process("one_that_is_replaced", &[], PATIENCE));
    assert_eq!(alone.await.unwrap(), Some(true));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "counts threads: run in a process of its own"]
async fn one_that_is_replaced() {
    let (dir, address) = (tempfile::tempdir().unwrap(), free());
    let (path, url) = (dir.path().join("log.db"), format!("esdb://{address}?tls=false"));
    let mut node = node(&path, &Cluster::default(), address).await;
    settle_tls().await.unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let bare = Client::with_runtime_handle(runtime.handle().clone(), url.parse().unwrap()).unwrap();
    runtime.spawn(async move { writes(&bare, 1).await }).await.unwrap().unwrap();
    let ended = eventually(|| runtime.metrics().num_alive_tasks() == 0);
    assert!(timeout(Duration::from_secs(1), ended).await.is_err(), "the trap is gone");
    runtime.shutdown_background();

    let log = KurrentLog::open(&url).await.unwrap();
    for n in 2..5 {
        log.append(append(&stream(n), Expected::NoStream, n)).await.unwrap();
        node.stop().await;
        timeout(PATIENCE, log.down().wait_for(Option::is_some)).await.unwrap().unwrap();
        node = self::node(&path, &Cluster::default(), address).await;
        timeout(PATIENCE, log.down().wait_for(Option::is_none)).await.unwrap().unwrap();
    }
    timeout(PATIENCE, eventually(|| threads() == 1)).await.unwrap();
    drop(log);
    timeout(PATIENCE, eventually(|| threads() == 0)).await.unwrap();
}

/// How many clients have a thread.
fn threads() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().filter_map(Result::ok);
    tasks
        .filter(|task| std::fs::read_to_string(task.path().join("comm")).is_ok_and(|name| name == "kurrentdb\n"))
        .count()
}

async fn eventually(is_so: impl Fn() -> bool) {
    while !is_so() {
        tokio::time::sleep(Duration::from_millis(10)).await; // nobody announces it
    }
}

/// Trap h: the client cuts the time of an event to seconds. Ours is in the metadata, to the microsecond.
#[tokio::test(flavor = "multi_thread")]
async fn the_time_of_an_event_is_kept_to_the_microsecond() {
    let server = alone().await;
    let log = KurrentLog::open(&server.node.url()).await.unwrap();
    for n in 1..4 {
        log.append(append(&stream(n), Expected::NoStream, n)).await.unwrap();
    }
    let kept = log.read_all(Position::START, 9).await.unwrap();
    assert!(kept.iter().all(|event| event.recorded_at.as_microsecond() == 1_767_225_600_123_456));
    let read = log.0.inner.connection.read_all(ReadAllOptions::default()).await.unwrap();
    assert_eq!(read.len(), 3);
    assert!(read.iter().all(|event| event.created.timestamp_subsec_nanos() == 0), "the trap is gone");
}
