//! Worlds of several servers, or with a log that several share.

use std::path::Path;

use kith::Config;
use messaging::{Health, NatsConfig, NatsServer, NatsServerConfig};
use stand_in::StandIn;

use super::nats_server;

/// Whichever log worlds get that are not said to have another one: `sqlite`, `kurrent`, or `four` for `KurrentDB` and
/// four servers with different roles, which share nothing but that, NATS and a folder of keys.
pub const LOG_VARIABLE: &str = "KITH_TEST_LOG";

/// Servers that are not Kith's.
#[derive(Debug)]
pub struct Beside {
    _kurrent: StandIn,
    pub nats: Option<NatsServer>,
}

/// What each of four servers does.
const FOUR: [&[&str]; 4] = [
    &["directory", "attendance", "access"],
    &["projections", "membership", "checkin", "partner", "referral", "outbox"],
    &["relay"],
    &["reporting"],
];

/// Configurations of the servers of a world, and what they share, if anything.
pub async fn beside(config: Config, dir: &Path) -> (Vec<Config>, Option<Beside>) {
    match std::env::var(LOG_VARIABLE).as_deref() {
        Ok("kurrent") => on_kurrent(config, dir).await,
        Ok("four") => in_four(config, dir).await,
        _ => (vec![config], None),
    }
}

/// With its log on a stand-in of its own.
async fn on_kurrent(config: Config, dir: &Path) -> (Vec<Config>, Option<Beside>) {
    let kurrent = StandIn::start(&dir.join("kurrent.db")).await.expect("a stand-in");
    let config = Config { eventstore: Some(kurrent.url()), ..config };
    (vec![config], Some(Beside { _kurrent: kurrent, nats: None }))
}

/// As four.
async fn in_four(config: Config, dir: &Path) -> (Vec<Config>, Option<Beside>) {
    let (config, beside) = on_kurrent(config, dir).await;
    let server = NatsServerConfig { binary: nats_server(), dir: dir.join("nats"), password: "ofthetest".into() };
    let nats = NatsServer::start(server, &Health::new()).await.expect("a NATS server");
    let url = |config: NatsConfig| {
        let (user, password) = config.user_password.expect("it has one");
        config.url.replace("nats://", &format!("nats://{user}:{password}@"))
    };
    let (relay, reader) = (url(nats.config()), url(nats.reader_config()));
    let config = |(n, services): (usize, &&[&str])| Config {
        data: config[0].data.join(n.to_string()),
        services: services.iter().map(|name| name.parse().expect("a service")).collect(),
        shared: Some(config[0].data.clone()),
        nats: Some(reader.clone()),
        nats_relay: services.contains(&"relay").then(|| relay.clone()),
        nats_server: None,
        ..config[0].clone()
    };
    let configs = FOUR.iter().enumerate().map(config).collect();
    (configs, beside.map(|beside| Beside { nats: Some(nats), ..beside }))
}
