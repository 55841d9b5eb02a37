//! A server whose one command does nothing, behind the same layers and extractors as Kith's: the most that a command
//! over HTTP can be here.

use std::{net::SocketAddr, process::Stdio, time::Duration};

use anyhow::Context;
use axum::{Router, extract::FromRef, middleware, routing::put, serve::ListenerExt};
use domain::{
    MeetingId, MemberId,
    meeting::{AttendanceMode, Mark},
};
use eventlog::{Done, Position, Reply};
use jiff::SignedDuration;
use metrics_exporter_prometheus::PrometheusBuilder;
use serde::Deserialize;
use tokio::{
    net::{TcpListener, TcpStream},
    process::{Child, Command},
    time::{sleep, timeout},
};
use tracing_subscriber::EnvFilter;
use uuid::Uuid;
use web::{Answer, Authenticator, Issuer, Limits, Path, Role};

/// Option of the bench's program that makes it this server.
pub const OPTION: &str = "--empty-server";
/// Requests at once, a count, and the time for each: as Kith's defaults.
const LIMITS: (usize, Duration) = (1_024, Duration::from_secs(30));
/// Longest wait for it to listen.
const LISTENS_WITHIN: Duration = Duration::from_secs(10);
/// The issuer's key: nobody else uses it.
const KEY: [u8; 32] = [7; 32];
/// Bounds of the buckets of request times, in seconds, as Kith's.
const SECONDS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

#[derive(Debug, Clone, FromRef)]
struct Empty {
    authenticator: Authenticator,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MarkBody {
    #[serde(rename = "mark")]
    _mark: Mark,
    #[serde(default, rename = "mode")]
    _mode: Option<AttendanceMode>,
}

web::operations! {
    /// Nothing, as it is asked for by who records attendance.
    RecordAttendance = "record_attendance": Admin;
}

async fn record_attendance(
    Path((_meeting, _member)): Path<(MeetingId, MemberId)>,
    _command: web::Command<RecordAttendance, MarkBody>,
) -> Answer {
    Answer(Done { position: Position::START, events: 0, reply: Reply::DONE, replayed: false })
}

#[allow(clippy::disallowed_methods)] // as in Kith's composition root
fn new_id() -> Uuid {
    Uuid::now_v7()
}

/// Serves until it is killed.
///
/// # Errors
/// If it cannot listen.
pub async fn serve(address: SocketAddr) -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_env_filter(EnvFilter::new("info")).with_writer(std::io::stderr).compact().init();
    let _metrics = PrometheusBuilder::new().set_buckets(SECONDS)?.install_recorder()?;
    let authenticator = Authenticator::new(Issuer::new(&KEY), kith::clock());
    let router = Router::new()
        .route("/v1/meetings/{meeting}/attendance/{member}", put(record_attendance))
        .with_state(Empty { authenticator })
        .fallback(web::no_such_path)
        .layer(middleware::from_fn_with_state(Limits::new(LIMITS.0, LIMITS.1), web::limit))
        .layer(middleware::from_fn_with_state(new_id as fn() -> Uuid, web::observe));
    let listener = TcpListener::bind(address).await?.tap_io(|stream| {
        let _ = stream.set_nodelay(true); // as Kith's listener
    });
    Ok(axum::serve(listener, router).await?)
}

/// A running one. Dropping it kills it.
#[derive(Debug)]
pub struct EmptyServer {
    /// Where it listens.
    pub address: SocketAddr,
    /// A token that it takes.
    pub token: String,
    child: Child,
}

impl EmptyServer {
    /// Starts one.
    ///
    /// # Errors
    /// If it does not listen.
    pub async fn start() -> anyhow::Result<Self> {
        let address = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args([OPTION, &address.to_string()]).stdin(Stdio::null()).kill_on_drop(true);
        let child = command.spawn().context("the empty server cannot be run")?;
        let listens = async {
            while TcpStream::connect(address).await.is_err() {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(LISTENS_WITHIN, listens).await.context("the empty server does not listen")?;
        let org = "bench".parse()?;
        let (who, now) = ((&org, Role::Admin, "bench"), kith::clock().now());
        let token = Issuer::new(&KEY).sign(who, vec![], now, SignedDuration::from_hours(1))?;
        Ok(Self { address, token, child })
    }

    /// Process id.
    ///
    /// # Errors
    /// If it has ended.
    pub fn pid(&self) -> anyhow::Result<u32> {
        self.child.id().context("the empty server has ended")
    }
}
