//! A server that speaks `KurrentDB`'s protocol, for tests where no `KurrentDB` can be had.
//!
//! It keeps its events in one SQLite log of Kith's, with `KurrentDB`'s rules for expected revisions, repeated ids,
//! inclusive reads, exclusive subscriptions and checkpoints, as far as they are known from its documents and sources. It
//! has what Kith uses of the protocol and nothing else: no deletion, no projections, no persistent subscriptions. What
//! can go wrong with a real server can be made to go wrong here, see [`Fault`] and [`Ending`].
//!
//! Several nodes may share one store: then one of them leads, and the others say so.

#![allow(clippy::result_large_err)] // the errors are gRPC's

mod append;
mod connection;
mod faults;
mod filter;
mod protocol;
mod read;
mod store;

use std::{
    io,
    net::SocketAddr,
    path::Path,
    pin::Pin,
    sync::{Arc, Mutex},
};

use data_encoding::BASE64;
use futures::{Stream, StreamExt, stream};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;
use tonic::{
    Request, Response, Status, Streaming,
    transport::{Identity, Server, ServerTlsConfig, server::Router},
};
use uuid::Uuid;

use crate::{
    connection::Connection,
    protocol::{
        gossip::{self, ClusterInfo, EndPoint, MemberInfo, gossip_server::GossipServer, member_info::VNodeState},
        server_features::{self, SupportedMethod, SupportedMethods, server_features_server::ServerFeaturesServer},
        shared,
        streams::{self, streams_server::StreamsServer},
    },
};
pub use crate::{
    faults::{Ending, Fault, Faults},
    store::{APPEND_BYTES_MAX, Store},
};

/// Longest message, in bytes, as of the server: an append and some.
const MESSAGE_BYTES_MAX: usize = 4 << 20;

/// How a node is run.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// User and password without whom nothing is answered.
    pub user: Option<(String, String)>,
    /// Certificate and key, both PEM.
    pub tls: Option<(String, String)>,
}

/// A running node. Dropping it cuts all of its connections, as a kill does.
#[derive(Debug)]
pub struct StandIn {
    /// Where it listens.
    pub address: SocketAddr,
    /// What goes wrong at it.
    pub faults: Faults,
    end: CancellationToken,
    task: JoinHandle<()>,
}

/// Which nodes there are, the leader first. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Cluster(Arc<Mutex<Vec<SocketAddr>>>);

/// What answers.
#[derive(Debug, Clone)]
pub(crate) struct Node(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Store,
    faults: Faults,
    address: SocketAddr,
    cluster: Cluster,
    user: Option<String>,
}

impl Cluster {
    /// Makes this node the leader, which it need not be part of so far.
    pub fn leads(&self, node: SocketAddr) {
        let mut nodes = self.0.lock().expect("nothing panics while it is held");
        nodes.retain(|known| *known != node);
        nodes.insert(0, node);
    }

    fn joins(&self, node: SocketAddr) {
        let mut nodes = self.0.lock().expect("nothing panics while it is held");
        if !nodes.contains(&node) {
            nodes.push(node);
        }
    }

    fn nodes(&self) -> Vec<SocketAddr> {
        self.0.lock().expect("nothing panics while it is held").clone()
    }
}

impl StandIn {
    /// Starts a node alone, on a log in the file at `path` and any free port.
    ///
    /// # Errors
    /// If the log cannot be opened.
    pub async fn start(path: &Path) -> anyhow::Result<Self> {
        let listen = ([127, 0, 0, 1], 0).into();
        Self::start_node(Store::open(path)?, Cluster::default(), listen, Options::default()).await
    }

    /// Starts a node of a cluster, which shares its store.
    ///
    /// # Errors
    /// If it cannot listen.
    pub async fn start_node(
        store: Store,
        cluster: Cluster,
        listen: SocketAddr,
        options: Options,
    ) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let (address, faults, end) = (listener.local_addr()?, Faults::default(), CancellationToken::new());
        cluster.joins(address);
        let Options { user, tls } = options;
        let user = user.map(|(name, password)| BASE64.encode(format!("{name}:{password}").as_bytes()));
        let inner = Inner { store, faults: faults.clone(), address, cluster, user };
        let router = router(Node(Arc::new(inner)), tls)?;
        let incoming = stream::unfold(listener, |listener| async {
            let accepted = listener.accept().await.map(|(stream, _)| stream);
            Some((accepted, listener))
        });
        let cut = end.clone();
        let connections = incoming.map(move |stream| connection(stream, &cut));
        let until = end.clone();
        let task = tokio::spawn(async move {
            let serving = router.serve_with_incoming_shutdown(connections, until.cancelled());
            if let Err(error) = serving.await {
                eprintln!("stand-in: {error}");
            }
        });
        Ok(Self { address, faults, end, task })
    }

    /// The connection string of this node.
    pub fn url(&self) -> String {
        format!("esdb://{}?tls=false", self.address)
    }

    /// Ends it: it stops listening and cuts all of its connections.
    pub async fn stop(mut self) {
        self.end.cancel();
        let _ = (&mut self.task).await; // it has nothing to say
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.end.cancel();
    }
}

fn connection(stream: io::Result<TcpStream>, cut: &CancellationToken) -> io::Result<Connection> {
    let stream = stream?;
    stream.set_nodelay(true)?;
    Ok(Connection::new(stream, cut.child_token()))
}

fn router(node: Node, tls: Option<(String, String)>) -> anyhow::Result<Router> {
    let mut server = Server::builder();
    if let Some((certificate, key)) = tls {
        server = server.tls_config(ServerTlsConfig::new().identity(Identity::from_pem(certificate, key)))?;
    }
    Ok(server
        .add_service(StreamsServer::new(node.clone()).max_decoding_message_size(MESSAGE_BYTES_MAX))
        .add_service(GossipServer::new(node.clone()))
        .add_service(ServerFeaturesServer::new(node)))
}

impl Node {
    pub(crate) fn kept(&self) -> &Store {
        &self.0.store
    }

    pub(crate) fn faults(&self) -> &Faults {
        &self.0.faults
    }

    pub(crate) fn leader_elsewhere(&self) -> Option<(String, u16)> {
        let leader = *self.0.cluster.nodes().first()?;
        (leader != self.0.address).then(|| (leader.ip().to_string(), leader.port()))
    }

    /// Whether the caller may ask.
    pub(crate) fn admit<T>(&self, request: &Request<T>) -> Result<(), Status> {
        let Some(known) = &self.0.user else { return Ok(()) };
        let given = request.metadata().get("authorization").and_then(|value| value.to_str().ok());
        match given.and_then(|given| given.strip_prefix("Basic ")) {
            Some(given) if given == known => Ok(()),
            Some(_) => Err(Status::unauthenticated("Access Denied")),
            None => Err(Status::permission_denied("Access Denied")),
        }
    }
}

/// Answers one by one.
type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl streams::streams_server::Streams for Node {
    type ReadStream = Answers<streams::ReadResp>;
    type BatchAppendStream = Answers<streams::BatchAppendResp>;

    async fn read(&self, request: Request<streams::ReadReq>) -> Result<Response<Self::ReadStream>, Status> {
        let answers = self.read(request).await?;
        let answers = stream::unfold(answers, |mut answers| async { Some((answers.recv().await?, answers)) });
        Ok(Response::new(Box::pin(answers)))
    }

    async fn append(
        &self,
        request: Request<Streaming<streams::AppendReq>>,
    ) -> Result<Response<streams::AppendResp>, Status> {
        self.append(request).await.map(Response::new)
    }

    async fn batch_append(
        &self,
        request: Request<Streaming<streams::BatchAppendReq>>,
    ) -> Result<Response<Self::BatchAppendStream>, Status> {
        self.admit(&request)?;
        let connection = request.extensions().get::<CancellationToken>().cloned();
        let node = self.clone();
        let answers = request.into_inner().then(move |request| {
            let (node, connection) = (node.clone(), connection.clone());
            async move { node.append_of_batch(request?, connection).await }
        });
        Ok(Response::new(Box::pin(answers)))
    }

    async fn delete(&self, _: Request<streams::DeleteReq>) -> Result<Response<streams::DeleteResp>, Status> {
        Err(Status::unimplemented("Kith deletes no streams"))
    }

    async fn tombstone(&self, _: Request<streams::TombstoneReq>) -> Result<Response<streams::TombstoneResp>, Status> {
        Err(Status::unimplemented("Kith deletes no streams"))
    }
}

#[tonic::async_trait]
impl gossip::gossip_server::Gossip for Node {
    async fn read(&self, _: Request<shared::Empty>) -> Result<Response<ClusterInfo>, Status> {
        let nodes = self.0.cluster.nodes();
        let member = |(n, node): (usize, &SocketAddr)| MemberInfo {
            instance_id: Some(shared::Uuid {
                value: Some(shared::uuid::Value::String(Uuid::from_u128(u128::from(node.port())).to_string())),
            }),
            time_stamp: 0,
            state: (if n == 0 { VNodeState::Leader } else { VNodeState::Follower }).into(),
            is_alive: true,
            http_end_point: Some(EndPoint { address: node.ip().to_string(), port: node.port().into() }),
        };
        Ok(Response::new(ClusterInfo { members: nodes.iter().enumerate().map(member).collect() }))
    }
}

#[tonic::async_trait]
impl server_features::server_features_server::ServerFeatures for Node {
    async fn get_supported_methods(&self, _: Request<shared::Empty>) -> Result<Response<SupportedMethods>, Status> {
        let method = |name: &str| SupportedMethod {
            method_name: name.into(),
            service_name: "event_store.client.streams.streams".into(),
            features: vec![],
        };
        let methods = ["append", "batchappend", "read"].map(method).into();
        Ok(Response::new(SupportedMethods { methods, event_store_server_version: "24.10.0".into() }))
    }
}
