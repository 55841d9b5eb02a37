//! One address for several processes with different roles, as a proxy before them would give: each request goes to the
//! one whose document has the operation.

use std::{collections::HashSet, net::SocketAddr};

use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{Method, StatusCode, Uri},
    response::{IntoResponse, Response},
    routing::{MethodFilter, on},
};
use bytes::Bytes;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::{net::TcpListener, task::JoinHandle};

use crate::http;

/// A running gateway. Dropping it ends it.
#[derive(Debug)]
pub struct Gateway {
    /// Where it listens.
    pub address: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Gateway {
    /// Starts a gateway before these servers, which are running.
    ///
    /// # Panics
    /// If two of them have the same operation, or one does not answer.
    pub async fn start(servers: &[SocketAddr]) -> Self {
        let client: Client<HttpConnector, Body> = Client::builder(TokioExecutor::new()).build_http();
        let (mut router, mut known) = (Router::new(), HashSet::new());
        for server in servers.iter().copied() {
            for (path, method) in operations(server).await {
                assert!(known.insert((path.clone(), method.clone())), "{method} {path} is there twice");
                let filter = MethodFilter::try_from(method).expect("a method");
                let client = client.clone();
                router = router.route(&path, on(filter, move |request| forward(client, server, request)));
            }
        }
        let first = *servers.first().expect("a server");
        let router = router.fallback(move |request| forward(client, first, request));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let task = tokio::spawn(async move { axum::serve(listener, router).await.expect("it serves") });
        Self { address, task }
    }
}

/// What a server has, by its own document.
async fn operations(server: SocketAddr) -> Vec<(String, Method)> {
    let answer = http::Client::new(server, "").send(Request::get("/openapi.json"), Bytes::new()).await;
    let document = answer.expect("a document").json();
    let paths = document["paths"].as_object().cloned().unwrap_or_default();
    let methods = |(path, item): (String, serde_json::Value)| {
        let methods: Vec<_> =
            item.as_object().expect("a path").keys().filter_map(|name| name.to_uppercase().parse().ok()).collect();
        methods.into_iter().map(move |method: Method| (path.clone(), method))
    };
    let known = [Method::GET, Method::PUT, Method::POST, Method::PATCH, Method::DELETE];
    paths.into_iter().flat_map(methods).filter(|(_, method)| known.contains(method)).collect()
}

async fn forward(client: Client<HttpConnector, Body>, server: SocketAddr, mut request: Request) -> Response {
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    *request.uri_mut() = format!("http://{server}{path}").parse::<Uri>().expect("it was a path before");
    match client.request(request).await {
        Ok(answer) => answer.map(Body::new),
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    }
}
