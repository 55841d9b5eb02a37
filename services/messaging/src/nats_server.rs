//! A `nats-server` of our own, as a child on the loopback interface.
//!
//! It must never outlive us, and never share its store with another one: two servers on one store destroy it. Both
//! hold however we end, even by SIGKILL, without any cleaning up: the child's keeper (a shell) reads from a pipe that
//! the kernel closes when we die, and whoever keeps the store holds a lock on a file, which the child inherits as its
//! standard output and the kernel releases when the last of them is gone.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    hash::{DefaultHasher, Hash, Hasher},
    io::{self, Write},
    net::{Ipv4Addr, TcpListener},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::Arc,
    time::Duration,
};

use tokio::{
    io::AsyncWriteExt,
    process::{Child, ChildStdin, Command},
    sync::Notify,
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::{info, warn};

use crate::{BoxError, Health, NatsConfig, PAYLOAD_BYTES_MAX, Part, backoff::Backoff};

/// Longest wait for the server to answer after it was started; reading a large store back takes time.
pub const START_WITHIN: Duration = Duration::from_secs(30);
/// Time for the server to end by itself before it is killed.
pub const STOP_WITHIN: Duration = Duration::from_secs(3);

/// Longest wait for a server of an earlier run to be gone.
const STORE_FREE_WITHIN: Duration = Duration::from_secs(5);
/// Longest wait for a killed server to be gone.
const KILL_WITHIN: Duration = Duration::from_secs(2);
/// A wait between two looks at something that nobody announces.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// Most bytes that the store may take.
const STORE_GIB_MAX: u32 = 64;
/// Most bytes of streams kept in memory; we have none.
const MEMORY_MIB_MAX: u32 = 64;
/// Most bytes of one log file; one older one is kept.
const LOG_MIB_MAX: u32 = 16;
/// Ports from which one is chosen: below those that systems give to outgoing connections, since a client that tries
/// to reconnect to a port of that range can end up connected with itself.
const PORTS: std::ops::Range<u16> = 20_000..32_000;
/// Ports tried, should others be faster to take them.
const PORT_ATTEMPTS: usize = 5;
/// Longest password, in characters.
const PASSWORD_CHARS_MAX: usize = 200;
/// The user who may publish events.
const USER: &str = "kith";
/// The user who may only read them.
const READER: &str = "kith-reader";
/// What the readers' password is derived for.
const READER_PASSWORD: &str = "kith messaging 2026 password of the readers";
/// Name of the part in [`Health`].
const PART: &str = "nats-server";

/// Keeps the server: `$1` is the program, `$2` its configuration. A line on standard input asks the server to end;
/// the end of standard input, which comes when Kith dies in whatever way, kills it. When the server ends, so does this.
const KEEPER: &str = r#"
exec 3<&0
"$1" --config "$2" </dev/null 3<&- &
server=$!
{ while read -r word; do kill -TERM "$server"; done; kill -KILL "$server"; } <&3 3<&- 2>/dev/null &
watcher=$!
exec 3<&-
wait "$server"
status=$?
kill -KILL "$watcher" 2>/dev/null
exit "$status"
"#;

/// What to run, and where.
#[derive(Clone)]
pub struct NatsServerConfig {
    /// The program `nats-server`, 2.10 or later.
    pub binary: PathBuf,
    /// Folder for the store, the configuration and the server's log; created if missing.
    pub dir: PathBuf,
    /// The password of the user who may publish; letters and digits, drawn by the caller at each start. That of the
    /// readers follows from it, and not the other way round.
    pub password: String,
}

impl std::fmt::Debug for NatsServerConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { binary, dir, password: _ } = self;
        f.debug_struct("NatsServerConfig").field("binary", binary).field("dir", dir).finish_non_exhaustive()
    }
}

/// The server cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The password has other characters than letters and digits, or too many of them, or none.
    #[error("the password of nats-server must have 1 to {PASSWORD_CHARS_MAX} letters and digits")]
    Password,
    /// A path has characters that the server's configuration cannot hold.
    #[error("the path {} cannot be written into the configuration of nats-server", .0.display())]
    Path(PathBuf),
    /// Its folder cannot be written.
    #[error("{} cannot be written", path.display())]
    Files {
        /// What.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// Another server, of another Kith, keeps the store.
    #[error("another nats-server is running on the store in {}", .0.display())]
    StoreInUse(PathBuf),
    /// No port is free.
    #[error("no port from {} to {} is free for nats-server", PORTS.start, PORTS.end)]
    NoPort,
    /// The program cannot be run.
    #[error("{} cannot be run", binary.display())]
    Run {
        /// Which.
        binary: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// It ended before it answered.
    #[error("nats-server ended as soon as it was started; {} says why", log.display())]
    Ended {
        /// Its log.
        log: PathBuf,
    },
    /// It runs but does not answer.
    #[error("nats-server did not answer within {} s; {} may say why", START_WITHIN.as_secs(), log.display())]
    NoAnswer {
        /// Its log.
        log: PathBuf,
        /// What the last attempt to speak with it said.
        #[source]
        source: BoxError,
    },
}

/// A running `nats-server`, started again whenever it dies, or answers but takes no events. Dropping this stops it in the
/// background.
#[derive(Debug)]
pub struct NatsServer {
    launch: Launch,
    supervisor: JoinHandle<()>,
    ending: DropGuard,
    ended: CancellationToken,
}

impl NatsServer {
    /// Starts the server and waits until it answers. Shows it in `health` as the part `nats-server`.
    ///
    /// # Errors
    /// If it does not answer within [`START_WITHIN`].
    pub async fn start(config: NatsServerConfig, health: &Health) -> Result<Self, StartError> {
        let part = health.part(PART);
        let (launch, keeper) = start_on_a_free_port(config).await?;
        part.running();
        info!(port = launch.port, dir = %launch.config.dir.display(), "nats-server answers");
        let (ending, ended) = (CancellationToken::new(), CancellationToken::new());
        let (supervising, last) = (supervise(keeper, launch.clone(), part, ending.clone()), ended.clone().drop_guard());
        let supervisor = tokio::spawn(async move {
            let _last = last; // also if it panics
            supervising.await;
        });
        Ok(Self { launch, supervisor, ending: ending.drop_guard(), ended })
    }

    /// Waits until nobody keeps it running any more.
    pub fn ended(&self) -> impl Future<Output = ()> + Send + use<> {
        self.ended.clone().cancelled_owned()
    }

    /// How to connect with it as the one who publishes.
    pub fn config(&self) -> NatsConfig {
        self.launch.nats_config()
    }

    /// How to connect with it as somebody who reads, and may publish nothing.
    pub fn reader_config(&self) -> NatsConfig {
        let user_password = Some((READER.to_owned(), self.launch.reader_password()));
        NatsConfig { user_password, reads_only: true, ..self.launch.nats_config() }
    }

    /// Stops it: asks it to end, and kills it if it does not within [`STOP_WITHIN`].
    pub async fn stop(self) {
        drop(self.ending);
        let _ = self.supervisor.await;
    }

    /// Process id of the server, as it wrote it itself.
    #[cfg(test)]
    pub(crate) fn pid(&self) -> u32 {
        fs::read_to_string(self.launch.path("nats-server.pid")).unwrap().trim().parse().unwrap()
    }
}

async fn start_on_a_free_port(config: NatsServerConfig) -> Result<(Launch, Keeper), StartError> {
    let mut launch = Launch { config, port: PORTS.start, stuck: Arc::default() };
    launch.check()?;
    let mut ports = free_ports(&launch.config.dir);
    for attempt in 1.. {
        launch.port = ports.next().ok_or(StartError::NoPort)?;
        match launch.start().await {
            Err(StartError::Ended { .. }) if attempt < PORT_ATTEMPTS && !is_free(launch.port) => (),
            started => return started.map(|keeper| (launch, keeper)),
        }
    }
    Err(StartError::NoPort)
}

/// Free ports, first that which `dir` always prefers, so that it rarely changes from run to run.
fn free_ports(dir: &Path) -> impl Iterator<Item = u16> + use<> {
    let mut hasher = DefaultHasher::new();
    dir.hash(&mut hasher);
    let skip =
        usize::try_from(hasher.finish() % u64::from(PORTS.end - PORTS.start)).expect("below the number of ports");
    PORTS.cycle().skip(skip).take(PORTS.len()).filter(|port| is_free(*port))
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// Everything that is the same whenever the server is started.
#[derive(Debug, Clone)]
struct Launch {
    config: NatsServerConfig,
    port: u16,
    /// Told when it takes no events.
    stuck: Arc<Notify>,
}

impl Launch {
    fn check(&self) -> Result<(), StartError> {
        let Self { config: NatsServerConfig { dir, password, .. }, .. } = self;
        let fits = (1..=PASSWORD_CHARS_MAX).contains(&password.len());
        if !fits || !password.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(StartError::Password);
        }
        match dir.to_str() {
            Some(path) if !path.contains(['"', '\\', '\n']) => Ok(()),
            _ => Err(StartError::Path(dir.clone())),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.config.dir.join(name)
    }

    fn log(&self) -> PathBuf {
        self.path("nats-server.log")
    }

    fn nats_config(&self) -> NatsConfig {
        let user_password = Some((USER.to_owned(), self.config.password.clone()));
        let stuck = self.stuck.clone();
        NatsConfig { user_password, stuck, ..NatsConfig::new(format!("nats://127.0.0.1:{}", self.port)) }
    }

    fn reader_password(&self) -> String {
        let derived = blake3::derive_key(READER_PASSWORD, self.config.password.as_bytes());
        blake3::Hash::from_bytes(derived).to_hex().to_string()
    }

    /// Starts the server and waits until it answers.
    async fn start(&self) -> Result<Keeper, StartError> {
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.config.dir);
        made.map_err(files(&self.config.dir))?;
        let lock = self.lock_store().await?;
        let config = self.write_config()?;
        let mut keeper = self.spawn(&config, lock)?;
        match self.wait_until_it_answers(&mut keeper).await {
            Ok(()) => Ok(keeper),
            Err(error) => {
                keeper.stop().await;
                Err(error)
            }
        }
    }

    /// The lock on the store, which is free at once unless a server of an earlier run is still dying.
    async fn lock_store(&self) -> Result<File, StartError> {
        let path = self.path("nats-server.lock");
        let file = OpenOptions::new().create(true).append(true).open(&path).map_err(files(&path))?;
        let deadline = Instant::now() + STORE_FREE_WITHIN;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => sleep(LOOK_EVERY).await,
                Err(TryLockError::WouldBlock) => return Err(StartError::StoreInUse(self.config.dir.clone())),
                Err(TryLockError::Error(source)) => return Err(files(&path)(source)),
            }
        }
    }

    /// Readable by us only: it holds the password.
    fn write_config(&self) -> Result<PathBuf, StartError> {
        let path = self.path("nats-server.conf");
        let write = || {
            let _ = fs::remove_file(&path); // so that the permissions of an old one do not stay
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
            file.write_all(self.config_text().as_bytes())
        };
        write().map_err(files(&path))?;
        Ok(path)
    }

    fn config_text(&self) -> String {
        let Self { config: NatsServerConfig { dir, password, .. }, port, .. } = self;
        let (dir, reader_password) = (dir.display(), self.reader_password());
        format!(
            r#"# Written by Kith at each start.
server_name: "kith"
listen: "127.0.0.1:{port}"
authorization {{
  users: [
    {{ user: "{USER}", password: "{password}", permissions: {{
      publish: ["kith.>", "$JS.API.>", "$JS.ACK.>"], subscribe: "_INBOX.>"
    }} }}
    {{ user: "{READER}", password: "{reader_password}", permissions: {{
      publish: {{ deny: ">" }}, subscribe: "kith.>"
    }} }}
  ]
}}
max_payload: {PAYLOAD_BYTES_MAX}
pid_file: "{dir}/nats-server.pid"
log_file: "{dir}/nats-server.log"
logfile_size_limit: {LOG_MIB_MAX}MB
logfile_max_num: 2
jetstream {{
  store_dir: "{dir}/jetstream"
  max_file_store: {STORE_GIB_MAX}GB
  max_memory_store: {MEMORY_MIB_MAX}MB
}}
"#
        )
    }

    fn spawn(&self, config: &Path, lock: File) -> Result<Keeper, StartError> {
        let log = self.log();
        let errors = OpenOptions::new().create(true).append(true).mode(0o600).open(&log).map_err(files(&log))?;
        // Nothing of our environment: our keys and passwords may be in it.
        let mut child = Command::new("/bin/sh")
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .args(["-c", KEEPER, "kith-nats-keeper"])
            .arg(&self.config.binary)
            .arg(config)
            .stdin(Stdio::piped())
            .stdout(lock)
            .stderr(errors)
            .process_group(0) // Ctrl-C is for us: we still need the server while we end
            .spawn()
            .map_err(|source| StartError::Run { binary: self.config.binary.clone(), source })?;
        let pipe = child.stdin.take().expect("standard input is piped");
        Ok(Keeper { child, pipe })
    }

    async fn wait_until_it_answers(&self, keeper: &mut Keeper) -> Result<(), StartError> {
        let deadline = Instant::now() + START_WITHIN;
        loop {
            let ended = || StartError::Ended { log: self.log() };
            tokio::select! {
                _ = keeper.ended() => return Err(ended()),
                answer = self.ask() => match answer {
                    Ok(()) => return Ok(()),
                    Err(source) if Instant::now() >= deadline => {
                        return Err(StartError::NoAnswer { log: self.log(), source });
                    }
                    Err(_) => (),
                },
            }
            tokio::select! { _ = keeper.ended() => return Err(ended()), () = sleep(LOOK_EVERY) => () }
        }
    }

    /// Whether the server speaks, with our password, and has its `JetStream` ready.
    async fn ask(&self) -> Result<(), BoxError> {
        let NatsConfig { url, user_password, .. } = self.nats_config();
        let (user, password) = user_password.expect("our server has a password");
        let client = async_nats::ConnectOptions::with_user_and_password(user, password).connect(url).await?;
        async_nats::jetstream::new(client).query_account().await?;
        Ok(())
    }
}

fn files(path: &Path) -> impl FnOnce(io::Error) -> StartError {
    |source| StartError::Files { path: path.to_owned(), source }
}

/// Starts the server again whenever it dies or is stuck, until `ending`.
async fn supervise(mut keeper: Keeper, launch: Launch, part: Part, ending: CancellationToken) {
    let mut backoff = Backoff::new(0); // nobody else waits for it
    loop {
        let log = launch.log();
        tokio::select! {
            biased;
            () = ending.cancelled() => return keeper.stop().await,
            status = keeper.ended() => {
                warn!(?status, log = %log.display(), "nats-server died");
                part.stopped("nats-server died and is being started again");
                drop(keeper); // closes the pipe: the server must not live on if only the keeper died
            }
            () = launch.stuck.notified() => {
                // It stops for good at the first write for which the disk has no room, also when there is room again.
                warn!(log = %log.display(), "nats-server takes no events");
                part.stopped("nats-server takes no events and is being started again; its disk may be full");
                keeper.stop().await;
            }
        }
        match start_again(&launch, &part, &mut backoff, &ending).await {
            Some(started) => keeper = started,
            None => return,
        }
    }
}

async fn start_again(
    launch: &Launch,
    part: &Part,
    backoff: &mut Backoff,
    ending: &CancellationToken,
) -> Option<Keeper> {
    loop {
        ending.run_until_cancelled(sleep(backoff.next())).await?;
        metrics::counter!("kith_nats_restarts_total").increment(1);
        match ending.run_until_cancelled(launch.start()).await? {
            Ok(keeper) => {
                backoff.reset();
                part.running();
                return Some(keeper);
            }
            Err(error) => part.stopped(format!("{error}; trying again")),
        }
    }
}

/// The shell that keeps the server, and our end of the pipe it watches.
#[derive(Debug)]
struct Keeper {
    child: Child,
    /// Apart from `child`, whose `wait` would close it.
    pipe: ChildStdin,
}

impl Keeper {
    /// Waits until the server, and so its keeper, has ended.
    async fn ended(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// Asks the server to end, kills it if it does not.
    async fn stop(mut self) {
        let _ = self.pipe.write_all(b"end\n").await; // fails if it has ended already
        if timeout(STOP_WITHIN, self.ended()).await.is_ok() {
            return;
        }
        warn!("nats-server does not end, it is killed");
        drop(self.pipe);
        if timeout(KILL_WITHIN, self.child.wait()).await.is_err() {
            let _ = self.child.kill().await;
        }
    }
}
