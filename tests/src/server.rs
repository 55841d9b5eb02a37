//! `kith serve` as a child that the demo and the bench start, watch and end.

use std::{
    fs::{self, File},
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context, bail};
use bytes::Bytes;
use hyper::Request;
use kith::DataDir;
use serde_json::Value;
use tokio::{
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};

use crate::{
    http::Client,
    positions::{self, LogAt},
};

/// Longest wait for a server to listen.
const LISTENS_WITHIN: Duration = Duration::from_mins(1);
/// Time for a server to end by itself, its NATS server included, before it is killed.
const ENDS_WITHIN: Duration = Duration::from_millis(4_500);
/// A wait between two looks at something that nobody announces.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Lines of a server's log that are shown when it fails, a count.
const LINES_SHOWN: usize = 15;
/// Name of the file, in the data directory, that the server logs to.
const LOG_FILE: &str = "kith.log";

/// The program.
#[derive(Debug, Clone)]
pub struct Kith {
    program: PathBuf,
    nats_server: Option<PathBuf>,
}

/// A running server. Dropping it kills it.
#[derive(Debug)]
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    /// Where operators ask how it is.
    pub ops: SocketAddr,
    child: Child,
    log: PathBuf,
}

/// What `/readyz` said.
#[derive(Debug, Clone)]
pub struct Readiness(Value);

impl Kith {
    /// The program in the folder of the one that runs.
    ///
    /// # Errors
    /// If it was not built.
    pub fn beside_this() -> anyhow::Result<Self> {
        let this = std::env::current_exe().context("this program does not know where it is")?;
        let program = this.with_file_name("kith");
        anyhow::ensure!(
            program.is_file(),
            "{} is missing: build it with `cargo build -p kith`, with --release for the bench",
            program.display()
        );
        let tool = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/nats-server");
        Ok(Self { program, nats_server: tool.is_file().then_some(tool) })
    }

    /// Starts a server on `data`, a folder that is made if it is not there, and waits until it listens. Port 0 takes
    /// any free one.
    ///
    /// # Errors
    /// If it does not listen within a minute.
    pub async fn serve(&self, data: &Path, listen: SocketAddr, arguments: &[&str]) -> anyhow::Result<Server> {
        self.serve_with(data, listen, arguments, &[]).await
    }

    /// The same, with some settings, each by its name in the environment without `KITH_`.
    ///
    /// # Errors
    /// If it does not listen within a minute.
    pub async fn serve_with(
        &self,
        data: &Path,
        listen: SocketAddr,
        arguments: &[&str],
        settings: &[(&str, &str)],
    ) -> anyhow::Result<Server> {
        let (address, ops) = (free(listen)?, free((Ipv4Addr::LOCALHOST, 0).into())?);
        let log = DataDir::create(data)?.path().join(LOG_FILE);
        let lines = File::create(&log).with_context(|| format!("{} cannot be written", log.display()))?;
        let mut command = Command::new(&self.program);
        command.arg("serve").arg("--data").arg(data).args(["--listen", &address.to_string()]);
        command.args(["--ops-listen", &ops.to_string()]).args(arguments);
        if let Some(nats_server) = &self.nats_server {
            command.arg("--nats-server").arg(nats_server);
        }
        // One caller on one address plays everybody.
        let limits = ["CALLER_PER_SECOND", "ADDRESS_PER_SECOND", "PUBLIC_PER_SECOND", "AUDIT_MIB_PER_DAY"];
        command.envs(limits.map(|limit| (format!("KITH_{limit}"), "0")));
        command.envs(settings.iter().map(|(name, value)| (format!("KITH_{name}"), *value)));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(lines).kill_on_drop(true);
        let child = command.spawn().with_context(|| format!("{} cannot be run", self.program.display()))?;
        positions::served_from(address, LogAt::Data(data.into()));
        let mut server = Server { address, ops, child, log };
        server.wait_until_it_listens().await?;
        Ok(server)
    }

    /// Runs another of its commands to its end; answers what it printed.
    ///
    /// # Errors
    /// If it fails, says what it said.
    pub async fn run(&self, arguments: &[&str], data: &Path) -> anyhow::Result<String> {
        let mut command = Command::new(&self.program);
        command.args(arguments).arg("--data").arg(data).stdin(Stdio::null()).kill_on_drop(true);
        let output = command.output().await.with_context(|| format!("{} cannot be run", self.program.display()))?;
        if !output.status.success() {
            bail!("kith {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
    }

    /// A token of an admin of `org`, made by `kith token`.
    ///
    /// # Errors
    /// If there is no server's data in `data`.
    pub async fn admin(&self, org: &str, data: &Path) -> anyhow::Result<String> {
        let who = ["token", "--org", org, "--role", "admin", "--subject", "demo", "--ttl", "24h"];
        self.run(&who, data).await
    }
}

/// The address, with a free port instead of 0.
fn free(listen: SocketAddr) -> anyhow::Result<SocketAddr> {
    let bound = TcpListener::bind(listen).and_then(|listener| listener.local_addr());
    bound.with_context(|| {
        format!(
            "cannot listen at {listen}; give another address, such as --listen {}:{}",
            listen.ip(),
            listen.port().wrapping_add(1)
        )
    })
}

impl Server {
    async fn wait_until_it_listens(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + LISTENS_WITHIN;
        loop {
            if let Some(status) = self.child.try_wait()? {
                bail!("kith ended as soon as it was started ({status}):\n{}", self.last_lines());
            }
            if self.answers().await {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("kith does not listen after {} s:\n{}", LISTENS_WITHIN.as_secs(), self.last_lines());
            }
            sleep(LOOK_EVERY).await;
        }
    }

    async fn answers(&self) -> bool {
        let answer = Client::new(self.address, "").send(Request::get("/healthz"), Bytes::new()).await;
        answer.is_ok_and(|answer| answer.status.is_success())
    }

    /// Waits until every part runs and views and facts have reached `position`.
    ///
    /// # Errors
    /// If it takes longer than `within`.
    pub async fn reaches(&self, position: u64, within: Duration) -> anyhow::Result<Readiness> {
        let deadline = Instant::now() + within;
        let mut client = Client::new(self.ops, "");
        loop {
            let now = Readiness(client.send(Request::get("/readyz"), Bytes::new()).await?.json());
            if now.ready() && ["views", "facts"].iter().all(|part| now.position(part) >= Some(position)) {
                return Ok(now);
            }
            if Instant::now() > deadline {
                bail!("kith is not ready at position {position} after {} s: {}", within.as_secs(), now.0);
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Process id.
    ///
    /// # Errors
    /// If it has ended.
    pub fn pid(&self) -> anyhow::Result<u32> {
        self.child.id().context("kith has ended")
    }

    /// The file it logs to.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// A value in KiB of its `/proc/…/status`, such as `VmRSS` or `VmHWM`, in MiB.
    ///
    /// # Errors
    /// If the system does not say.
    pub fn memory_mib(&self, name: &str) -> anyhow::Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid()?)).context("Linux says nothing of it")?;
        let line =
            status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).context("no such value")?;
        let kib: f64 = line.trim().trim_end_matches("kB").trim().parse().context("not a number of kB")?;
        Ok(kib / 1024.0)
    }

    /// Waits until it ends by itself; says why it may have.
    pub async fn ended(&mut self) -> anyhow::Error {
        let status = self.child.wait().await;
        let status = status.map_or_else(|error| error.to_string(), |status: ExitStatus| status.to_string());
        anyhow::anyhow!("kith ended by itself ({status}):\n{}", self.last_lines())
    }

    /// Ends it and waits until it is gone.
    ///
    /// # Errors
    /// If it had to be killed.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        if let Some(pid) = self.child.id() {
            terminate(pid).await.context("kith cannot be asked to end")?;
        }
        if let Ok(waited) = timeout(ENDS_WITHIN, self.child.wait()).await {
            return waited.map(|_| ()).context("kith cannot be waited for");
        }
        self.child.kill().await.context("kith cannot be killed")?;
        bail!("kith did not end within {} ms and was killed:\n{}", ENDS_WITHIN.as_millis(), self.last_lines())
    }

    fn last_lines(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(LINES_SHOWN)..].join("\n")
    }
}

/// The standard library sends no signals; the shell, which is everywhere, does.
async fn terminate(pid: u32) -> io::Result<()> {
    let sent = Command::new("sh").args(["-c", &format!("kill -TERM {pid}")]).stderr(Stdio::null()).status();
    sent.await.map(|_| ()) // one that has ended meanwhile is no failure
}

impl Readiness {
    /// Whether every part runs.
    pub fn ready(&self) -> bool {
        self.0["ready"] == true
    }

    /// Up to where in the log a part's work is durable.
    pub fn position(&self, part: &str) -> Option<u64> {
        let parts = self.0["parts"].as_array()?;
        parts.iter().find(|known| known["name"] == part)?["position"].as_u64()
    }
}
