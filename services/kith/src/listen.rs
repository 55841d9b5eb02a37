//! The listener: who has a connection, and how long each may take to say what it wants.
//!
//! Whoever sends a request's head slowly is cut off here, whoever sends its body slowly by the time for a request,
//! whoever does not take the answer by the system, which gives up on what is not acknowledged.

use std::{
    io,
    net::IpAddr,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    response::Response,
};
use hyper::{
    Request,
    body::{Body as _, Frame, Incoming, SizeHint},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use web::{Crowded, Network, Peer};

use crate::{
    forwarded::Proxies,
    places::{Place, Places},
    tls::Tls,
};

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
    /// Places of connections.
    pub places: Places,
    /// Proxies that are believed when they say for whom they ask.
    pub proxies: Arc<Proxies>,
    /// Longest time for a request's head, and for a connection without a request.
    pub head_time_max: Duration,
    /// Certificates, if the listener speaks TLS.
    pub tls: Option<Arc<Tls>>,
}

/// Serves until the end; then requests that go on have [`DRAIN_MAX`].
pub async fn listen(listener: TcpListener, serving: Serving, end: CancellationToken) {
    let mut connections = JoinSet::new();
    while let Some(accepted) = end.run_until_cancelled(accept(&listener, &serving)).await {
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok(Some((stream, from, place))) => {
                connections.spawn(connection(stream, from, serving.clone(), end.clone(), Arc::new(place)));
            }
            Ok(None) => metrics::counter!("kith_connections_refused_total").increment(1),
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

/// A connection and its place. None if there is none for who it comes from.
async fn accept(listener: &TcpListener, serving: &Serving) -> io::Result<Option<(TcpStream, IpAddr, Place)>> {
    let (stream, from) = listener.accept().await?;
    let from = from.ip();
    // A proxy's connections are for others: their requests are counted.
    let address = (!serving.proxies.trust(from)).then(|| Network::from(from));
    Ok(serving.places.take(address).await.map(|place| (stream, from, place)))
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

async fn connection(stream: TcpStream, from: IpAddr, serving: Serving, end: CancellationToken, place: Arc<Place>) {
    let served = async {
        // Answers are small and each is waited for.
        let _ = stream.set_nodelay(true);
        let _ = SockRef::from(&stream).set_tcp_user_timeout(Some(UNACKNOWLEDGED_MAX));
        let Some(tls) = &serving.tls else { return requests(stream, from, &serving, &place, end).await };
        if let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE_MAX, tls.acceptor().accept(stream)).await {
            requests(stream, from, &serving, &place, end).await;
        }
    };
    place.gone().run_until_cancelled(served).await;
}

async fn requests(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    from: IpAddr,
    serving: &Serving,
    place: &Arc<Place>,
    end: CancellationToken,
) {
    let service = service_fn(move |request: Request<Incoming>| answer(request, from, serving.clone(), place.clone()));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(serving.head_time_max).max_buf_size(HEAD_BYTES_MAX);
    let mut served = pin!(http.serve_connection(TokioIo::new(stream), service));
    // How a connection ends is the caller's business: they go away, they say what is no HTTP.
    if end.run_until_cancelled(served.as_mut()).await.is_none() {
        served.as_mut().graceful_shutdown();
        let _ = served.await;
    }
}

/// The place went to somebody else before the request was complete.
#[derive(Debug, thiserror::Error)]
#[error("the connection had to go")]
struct Gone;

async fn answer(
    request: Request<Incoming>,
    from: IpAddr,
    serving: Serving,
    place: Arc<Place>,
) -> Result<Response, Gone> {
    if !place.is_answered() {
        return Err(Gone);
    }
    let mut request = request.map(|body| if body.is_end_stream() { Body::empty() } else { awaited(body, &place) });
    let mut share = None;
    let mut asks = from;
    if serving.proxies.trust(from) {
        asks = serving.proxies.client(from, request.headers());
        share = serving.places.share(asks.into());
        if share.is_none() {
            request.extensions_mut().insert(Crowded);
        }
    }
    request.extensions_mut().insert(Peer(asks));
    let Ok(response) = serving.router.oneshot(request).await;
    drop(share);
    place.is_waited_for();
    Ok(response)
}

/// A body of which is known when it is waited for.
struct Awaited {
    body: Incoming,
    place: Arc<Place>,
    waited_for: bool,
}

fn awaited(body: Incoming, place: &Arc<Place>) -> Body {
    Body::new(Awaited { body, place: place.clone(), waited_for: false })
}

impl hyper::body::Body for Awaited {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        match (&polled, self.waited_for) {
            (Poll::Pending, false) => self.place.is_in_a_body(),
            (Poll::Ready(_), true) => drop(self.place.is_answered()),
            _ => {}
        }
        self.waited_for = polled.is_pending();
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
