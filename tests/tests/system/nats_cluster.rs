//! Three NATS servers, configured as they are deployed.

use std::{
    net::{SocketAddr, TcpListener},
    path::Path,
    process::{Child, Command, Stdio},
};

use domain::MemberId;
use tests::world::{World, nats_server};

/// The configuration of the composition.
const CONFIG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/nats/cluster.conf");

/// One of them. Dropping it kills it.
struct Node {
    clients: SocketAddr,
    child: Child,
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill(); // it may have ended
        let _ = self.child.wait();
    }
}

/// Starts them. They differ from those of the composition in where they listen.
fn start(dir: &Path) -> Vec<Node> {
    let listeners: Vec<_> = (0..9).map(|_| TcpListener::bind("127.0.0.1:0").expect("a free port")).collect();
    let free: Vec<_> = listeners.iter().map(|bound| bound.local_addr().expect("an address")).collect();
    drop(listeners);
    let (clients, rest) = free.split_at(3);
    let (monitors, routes) = rest.split_at(3);
    let route = |to: &SocketAddr| format!("\"nats://cluster:incluster@{to}\"");
    let all = routes.iter().map(route).collect::<Vec<_>>().join(", ");
    let node = |n: usize| {
        let mut command = Command::new(nats_server());
        command.args(["--config", CONFIG, "--name", &format!("nats-{n}"), "--addr", "127.0.0.1"]);
        command.args(["--port", &clients[n].port().to_string(), "--http_port", &monitors[n].port().to_string()]);
        command.args(["--cluster", &format!("nats://{}", routes[n])]).arg("--store_dir").arg(dir.join(n.to_string()));
        command.env("NATS_PASSWORD", "ofthetest").env("NATS_READER_PASSWORD", "ofreaders");
        command.env("NATS_CLUSTER_PASSWORD", "incluster");
        command.env("NATS_ROUTES", format!("[{all}]")).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Node { clients: clients[n], child: command.spawn().expect("nats-server can be run") }
    };
    (0..3).map(node).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_three_nats_servers_as_deployed_one_can_be_lost() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut nodes = start(dir.path());
    let addresses: Vec<_> = nodes.iter().map(|node| node.clients.to_string()).collect();
    let url = |who: &str| Some(format!("nats://{who}@{}", addresses.join(",")));
    let world = World::start_with(|config| {
        (config.nats, config.nats_relay) = (url("kith-reader:ofreaders"), url("kith:ofthetest"));
        (config.nats_replicas, config.nats_server) = (3, None);
    })
    .await;
    let group = world.group().await;
    let members: [MemberId; 3] = world.enrolled(group).await;
    let meeting = world.open_meeting(group).await;
    world.admin().mark(meeting, members[0], "present").await.must(204);
    world.settle().await;
    must_not_publish(&addresses[1], "kith-reader", "ofreaders").await;
    // The first is the one that Kith is most likely connected to.
    nodes.remove(0);
    for member in members {
        world.admin().mark(meeting, member, "late").await.must(204);
    }
    world.must_be_sound().await;
}

/// Whoever reads events is told so when they try to publish one, and nothing comes of it.
pub async fn must_not_publish(address: &str, user: &str, password: &str) {
    let (said, mut hears) = tokio::sync::mpsc::unbounded_channel();
    let listen = move |event: async_nats::Event| {
        let _ = said.send(event.to_string());
        std::future::ready(())
    };
    let options = async_nats::ConnectOptions::with_user_and_password(user.into(), password.into());
    let client = options.event_callback(listen).connect(address).await.expect("who reads may connect");
    for subject in ["kith.north-star.member.erased", "$JS.API.STREAM.DELETE.KITH", "$JS.API.STREAM.UPDATE.KITH"] {
        client.publish(subject, "{}".into()).await.expect("sent");
        client.flush().await.expect("sent");
        let refused = async {
            while !hears.recv().await.expect("the connection lives").to_lowercase().contains("permissions violation") {}
        };
        let refused = tokio::time::timeout(tests::world::PATIENCE, refused).await;
        refused.unwrap_or_else(|_| panic!("{subject} is allowed"));
    }
}
