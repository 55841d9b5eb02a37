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
        command.env("NATS_PASSWORD", "ofthetest").env("NATS_CLUSTER_PASSWORD", "incluster");
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
    let url = format!("nats://kith:ofthetest@{}", addresses.join(","));
    let world = World::start_with(|config| {
        (config.nats, config.nats_replicas, config.nats_server) = (Some(url), 3, None);
    })
    .await;
    let group = world.group().await;
    let members: [MemberId; 3] = world.enrolled(group).await;
    let meeting = world.open_meeting(group).await;
    world.admin().mark(meeting, members[0], "present").await.must(204);
    world.settle().await;
    // The first is the one that Kith is most likely connected to.
    nodes.remove(0);
    for member in members {
        world.admin().mark(meeting, member, "late").await.must(204);
    }
    world.must_be_sound().await;
}
