//! The listener: how many connections there are, and how long each may take to say what it wants.
//!
//! Whoever sends a request's head slowly is cut off here, whoever sends its body slowly by the time for a request,
//! whoever does not take the answer by the system, which gives up on what is not acknowledged.

use std::{io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use axum::Router;
use hyper::{Request, body::Incoming, server::conn::http1, service::Service, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use web::Peer;

use crate::tls::Tls;

/// How long requests may go on after the end was asked for.
pub const DRAIN_MAX: Duration = Duration::from_secs(2);
/// Longest TLS handshake.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);
/// How long what was sent may stay without an acknowledgement.
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(30);
/// Longest head of a request, in bytes.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Before another connection is accepted, after the system had no room for one.
const ACCEPT_AGAIN: Duration = Duration::from_millis(200);

/// How connections are served.
#[derive(Debug, Clone)]
pub struct Serving {
    /// What answers.
    pub router: Router,
    /// Most connections at once, a count. Others wait until there is room.
    pub connections_max: usize,
    /// Longest time for a request's head, and for a connection without a request.
    pub head_time_max: Duration,
    /// Certificates, if the listener speaks TLS.
    pub tls: Option<Arc<Tls>>,
}

/// Serves until the end; then requests that go on have [`DRAIN_MAX`].
pub async fn listen(listener: TcpListener, serving: Serving, end: CancellationToken) {
    let places = Arc::new(Semaphore::new(serving.connections_max));
    let mut connections = JoinSet::new();
    while let Some((place, accepted)) = end.run_until_cancelled(accept(&listener, &places)).await {
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok((stream, from)) => {
                connections.spawn(connection(stream, from, serving.clone(), end.clone(), place));
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "no connection can be accepted");
                tokio::time::sleep(ACCEPT_AGAIN).await;
            }
        }
    }
    drop(listener);
    let drained = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(DRAIN_MAX, drained).await.is_err() {
        tracing::warn!("requests were still open after {} s", DRAIN_MAX.as_secs());
    }
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> (OwnedSemaphorePermit, io::Result<(TcpStream, SocketAddr)>) {
    let place = places.clone().acquire_owned().await.expect("it is never closed");
    (place, listener.accept().await)
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

async fn connection(
    stream: TcpStream,
    from: SocketAddr,
    serving: Serving,
    end: CancellationToken,
    _place: OwnedSemaphorePermit,
) {
    // Answers are small and each is waited for.
    let _ = stream.set_nodelay(true);
    let _ = SockRef::from(&stream).set_tcp_user_timeout(Some(UNACKNOWLEDGED_MAX));
    let Some(tls) = &serving.tls else { return requests(stream, from, &serving, end).await };
    if let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE_MAX, tls.acceptor().accept(stream)).await {
        requests(stream, from, &serving, end).await;
    }
}

async fn requests(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    from: SocketAddr,
    serving: &Serving,
    end: CancellationToken,
) {
    let router = TowerToHyperService::new(serving.router.clone());
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Peer(from.ip()));
        router.call(request)
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(serving.head_time_max).max_buf_size(HEAD_BYTES_MAX);
    let mut served = pin!(http.serve_connection(TokioIo::new(stream), service));
    // How a connection ends is the caller's business: they go away, they say what is no HTTP.
    if end.run_until_cancelled(served.as_mut()).await.is_none() {
        served.as_mut().graceful_shutdown();
        let _ = served.await;
    }
}
