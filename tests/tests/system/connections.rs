//! Connections: one address cannot take those of others, and who sits behind a proxy is known by what it says.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use tests::world::World;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::timeout,
};

use crate::door::{certify, get_over_tls};

/// Far less than it takes until those who say nothing are cut off.
const SOON: Duration = Duration::from_secs(20);
/// Until those who say nothing are cut off, in seconds.
const NEVER: u64 = 3_600;
/// Less than a handshake may take.
const BEFORE_IT_ENDS: Duration = Duration::from_secs(8);

/// Where somebody else is, on this machine.
fn somewhere(n: u8) -> IpAddr {
    Ipv4Addr::new(127, 0, 0, n).into()
}

/// A connection from there.
async fn connect(world: &World, from: IpAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(SocketAddr::new(from, 0)).expect("an address of this machine");
    socket.connect(world.running().address).await.expect("a connection")
}

/// A connection on which something was sent that is no complete request.
async fn begin(world: &World, from: IpAddr, begun: &str) -> TcpStream {
    let mut stream = connect(world, from).await;
    stream.write_all(begun.as_bytes()).await.expect("it is taken");
    stream
}

/// Status of what is answered to a request; none if the connection is closed, or nothing comes soon.
async fn status(stream: &mut TcpStream, request: &str) -> Option<u16> {
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = vec![0; 4_096];
    let read = timeout(SOON, stream.read(&mut answer)).await.ok()?.ok()?;
    String::from_utf8_lossy(&answer[..read]).split(' ').nth(1)?.parse().ok()
}

/// What `/healthz` answers there.
async fn health(world: &World, from: IpAddr) -> Option<u16> {
    status(&mut connect(world, from).await, "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await
}

/// Waits until the other side closes.
async fn is_closed(stream: &mut TcpStream) -> bool {
    matches!(timeout(SOON, stream.read(&mut [0])).await, Ok(Ok(0) | Err(_)))
}

/// Whether the other side closes before it says what has changed.
async fn ends(stream: &mut TcpStream) -> bool {
    let (mut said, mut more) = (String::new(), [0; 4_096]);
    while !said.contains("groups") {
        match timeout(SOON, stream.read(&mut more)).await.expect("it says something, or ends") {
            Ok(0) | Err(_) => return true,
            Ok(read) => said.push_str(&String::from_utf8_lossy(&more[..read])),
        }
    }
    false
}

/// Whether the other side has not closed by now.
fn is_open(stream: &TcpStream) -> bool {
    stream.try_read(&mut [0]).is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
}

const HALVES: [&str; 4] =
    ["", "G", "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ", "POST /v1/programmes HTTP/1.1\r\nContent-Length: 10\r\n"];

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_says_nothing_keeps_nobody_else_out() {
    let world = World::start_with(|config| {
        config.connections_max = 8;
        config.address_connections_max = 4;
        config.head_seconds_max = NEVER;
    })
    .await;
    let mut halves = Vec::new();
    for n in 0..12 {
        halves.push(begin(&world, somewhere(2), HALVES[n % HALVES.len()]).await);
    }
    for from in [3, 4, 1] {
        assert_eq!(health(&world, somewhere(from)).await, Some(200), "from 127.0.0.{from}");
    }
    for (n, half) in halves.iter_mut().take(8).enumerate() {
        assert!(is_closed(half).await, "{n}");
    }
    assert!(halves[8..].iter().all(is_open), "so many it may have");
    assert_eq!(health(&world, somewhere(2)).await, Some(200), "its own next one is heard, too");
}

#[tokio::test(flavor = "multi_thread")]
async fn when_all_places_are_taken_whoever_is_waited_for_longest_goes() {
    let world = World::start_with(|config| {
        config.connections_max = 5;
        config.head_seconds_max = NEVER;
    })
    .await;
    let mut halves = Vec::new();
    for (n, half) in HALVES.into_iter().enumerate() {
        halves.push(begin(&world, somewhere(10 + u8::try_from(n).expect("few")), half).await);
    }
    // When this one is answered, those before it have been taken.
    let mut kept = connect(&world, somewhere(9)).await;
    let ask = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    assert_eq!(status(&mut kept, ask).await, Some(200));
    let mut others = Vec::new();
    for (n, half) in halves.iter_mut().take(3).enumerate() {
        let mut other = connect(&world, somewhere(20 + u8::try_from(n).expect("few"))).await;
        assert_eq!(status(&mut other, ask).await, Some(200));
        others.push(other);
        assert!(is_closed(half).await, "{n}");
    }
    assert!(is_open(&halves[3]) && is_open(&kept) && others.iter().all(is_open));
    assert_eq!(status(&mut kept, ask).await, Some(200));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_follows_much_ends_their_own_streams_and_nobody_elses() {
    let world = World::start_with(|config| config.connections_max = 6).await;
    let token = world.coordinator().token();
    let follow = format!("GET /v1/changes HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n");
    let mut streams = vec![];
    for from in [40, 41, 41, 41, 41, 41, 41, 41] {
        let mut stream = connect(&world, somewhere(from)).await;
        assert_eq!(status(&mut stream, &follow).await, Some(200));
        streams.push(stream);
    }
    for theirs in &mut streams[1..3] {
        assert!(ends(theirs).await, "of who follows most, the oldest");
    }
    // What comes next shows that it goes on.
    world.group().await;
    assert!(!ends(&mut streams[0]).await, "it was there before all others, and is the only one of its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_that_does_not_go_on_keeps_nobody_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let trusted = certify(folder.path());
    let world = World::start_with(|config| {
        config.connections_max = 3;
        config.head_seconds_max = NEVER;
        config.tls_certificate = Some(folder.path().join("tls.pem"));
        config.tls_key = Some(folder.path().join("tls.key"));
    })
    .await;
    let mut halves = Vec::new();
    for n in 30..36 {
        halves.push(begin(&world, somewhere(n), "\u{16}\u{3}\u{1}").await);
        let answer = timeout(BEFORE_IT_ENDS, get_over_tls(&world, &trusted)).await.expect("an answer in time");
        assert_eq!(answer.expect("an answer").status(), 200);
    }
    assert!(is_closed(&mut halves[0]).await);
}

/// A request that says for whom it is.
fn asked_for(header: &str, whom: &str, more: &str) -> String {
    format!("GET /v1/groups HTTP/1.1\r\nHost: x\r\n{header}: {whom}\r\n{more}\r\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_trusted_proxy_says_counts_and_what_others_say_does_not() {
    let world = World::start_with(|config| {
        config.trusted_proxies = vec!["127.0.0.40/31".into()];
        config.refused_per_minute = 2;
    })
    .await;
    let ask = async |from: u8, header: &str, whom: &str| {
        status(&mut connect(&world, somewhere(from)).await, &asked_for(header, whom, "")).await
    };
    let xff = "X-Forwarded-For";
    // Without a token each is refused, and after two they are told to wait.
    let heard = |answers: [Option<u16>; 3]| answers == [Some(401), Some(401), Some(429)];
    let mut answers = [None; 3];
    for whom in ["192.0.2.1", "192.0.2.2", "2001:db8::1"] {
        for answer in &mut answers {
            *answer = ask(40, xff, whom).await;
        }
        assert!(heard(answers), "{whom}: {answers:?}");
    }
    assert_eq!(ask(41, xff, "2001:db8:0:a::2").await, Some(429), "the same customer, by the other proxy");
    assert_eq!(ask(40, xff, "203.0.113.7, 192.0.2.1").await, Some(429), "what they wrote themselves is not believed");
    assert_eq!(ask(40, xff, "192.0.2.1, 127.0.0.41").await, Some(429), "by way of another trusted proxy");
    for (n, answer) in answers.iter_mut().enumerate() {
        *answer = ask(40, "Forwarded", &format!("for=198.51.100.{n}")).await;
    }
    assert!(heard(answers), "the other header is not looked at: {answers:?}");
    for (n, answer) in answers.iter_mut().enumerate() {
        *answer = ask(42, xff, &format!("198.51.100.{n}")).await;
    }
    assert!(heard(answers), "from a proxy that nobody trusts: {answers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sits_behind_a_proxy_has_as_many_requests_at_once_as_others_have_connections() {
    let world = World::start_with(|config| {
        config.trusted_proxies = vec!["127.0.0.0/8".into()];
        config.address_connections_max = 2;
    })
    .await;
    let token = world.admin().token();
    let slow = |whom: &str| {
        format!(
            "POST /v1/programmes HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nIdempotency-Key: k\r\n\
             X-Forwarded-For: {whom}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\
             Expect: 100-continue\r\n\r\n"
        )
    };
    let mut begun = Vec::new();
    for _ in 0..2 {
        let mut stream = connect(&world, somewhere(50)).await;
        assert_eq!(status(&mut stream, &slow("192.0.2.1")).await, Some(100), "its body is waited for");
        begun.push(stream);
    }
    let admitted = async |whom: &str| {
        let mut stream = connect(&world, somewhere(50)).await;
        status(&mut stream, &asked_for("X-Forwarded-For", whom, &format!("Authorization: Bearer {token}\r\n"))).await
    };
    assert_eq!(admitted("192.0.2.1").await, Some(429), "two are all that it may have");
    assert_eq!(admitted("192.0.2.2").await, Some(200));
    drop(begun);
    let again = async {
        while admitted("192.0.2.1").await != Some(200) {
            tokio::task::yield_now().await;
        }
    };
    timeout(SOON, again).await.expect("they gave their places back");
}
