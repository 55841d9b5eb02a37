//! Kith as a process: the binary that is installed, started, asked, killed.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, ChildStderr, Command, ExitStatus, Output, Stdio},
    sync::{Arc, Mutex, mpsc},
    thread,
    time::Duration,
};

use domain::OrgId;
use jiff::SignedDuration;
use tokio::time::timeout;
use web::Role;

use crate::{
    http::Client,
    positions::{self, LogAt},
    world::{PATIENCE, nats_server},
};

/// A running `kith serve`. Dropping it kills it.
#[derive(Debug)]
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    /// Where operators ask how it is.
    pub ops: SocketAddr,
    data: PathBuf,
    child: Option<Child>,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Starts a server on a data directory and waits until it listens.
    pub fn start(data: &Path) -> Self {
        Self::start_with(data, &[])
    }

    /// As [`Server::start`], with more arguments.
    pub fn start_with(data: &Path, arguments: &[&str]) -> Self {
        let mut child = serve(data).args(arguments).stderr(Stdio::piped()).spawn().expect("kith can be run");
        let lines = Arc::<Mutex<Vec<String>>>::default();
        let (found, address) = mpsc::channel();
        let (stderr, kept) = (child.stderr.take().expect("it is piped"), lines.clone());
        thread::spawn(move || keep_lines(stderr, &kept, &found));
        let address = address.recv_timeout(PATIENCE);
        let (ops, address) =
            address.unwrap_or_else(|_| panic!("kith does not start: {:#?}", lines.lock().expect("lines")));
        positions::served_from(address, LogAt::Data(data.into()));
        Self { address, ops, data: data.into(), child: Some(child), lines }
    }

    /// A connection with a token made from the data directory.
    pub fn client(&self, org: &str, role: Role) -> Client {
        self.client_of(org, role, "process")
    }

    /// As [`Server::client`], of somebody.
    pub fn client_of(&self, org: &str, role: Role, subject: &str) -> Client {
        let issuer = kith::DataDir::existing(&self.data).and_then(|data| data.issuer()).expect("the issuer's key");
        let org: OrgId = org.parse().expect("an organisation");
        let token = issuer.sign((&org, role, subject), vec![], kith::clock().now(), SignedDuration::from_hours(1));
        Client::new(self.address, token.expect("a token"))
    }

    /// Process id.
    ///
    /// # Panics
    /// If it has ended.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
    }

    /// What it logged.
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().expect("lines").clone()
    }

    /// Kills it and its NATS server at once, as the kernel does when memory runs out.
    pub fn kill(mut self) {
        self.kill_all();
    }

    fn kill_all(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        signal("KILL", &processes_on(&self.data));
        let _ = child.kill();
        let _ = child.wait();
    }

    /// Sends it a signal, such as `TERM`, and waits until it has ended.
    pub async fn end(mut self, name: &str, within: Duration) -> ExitStatus {
        let mut child = self.child.take().expect("it runs");
        signal(name, &[child.id()]);
        let ended = tokio::task::spawn_blocking(move || child.wait());
        let ended = timeout(within, ended).await;
        let ended = ended.unwrap_or_else(|_| panic!("it did not end within {within:?}: {:#?}", self.lines()));
        ended.expect("it was waited for").expect("it was a child")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill_all();
    }
}

fn serve(data: &Path) -> Command {
    let mut command = kith();
    command.args(["serve", "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0"]);
    command.args(["--plan-days", "0", "--data"]).arg(data);
    command.arg("--nats-server").arg(nats_server());
    // Tests ask as fast as they can, all from one address.
    command.env("KITH_CALLER_PER_SECOND", "0").env("KITH_ADDRESS_PER_SECOND", "0").env("KITH_REFUSED_PER_MINUTE", "0");
    // Whatever it leaves in a temporary folder is to be found beside its data.
    let temporary = data.with_extension("tmp");
    fs::create_dir_all(&temporary).expect("a temporary folder");
    command.env("TMPDIR", temporary);
    command.stdin(Stdio::null()).stdout(Stdio::null()).process_group(0);
    command
}

fn keep_lines(stderr: ChildStderr, kept: &Mutex<Vec<String>>, found: &mpsc::Sender<(SocketAddr, SocketAddr)>) {
    let mut ops = None;
    for line in BufReader::new(stderr).lines().map_while(Result::ok) {
        let asked = || line.split_once("operators ask http://")?.1.split('/').next()?.parse().ok();
        ops = ops.or_else(asked);
        let address = || line.split_once("kith is at http://")?.1.split(',').next()?.parse().ok();
        if let Some(found_both) = ops.zip(address()) {
            let _ = found.send(found_both); // whoever asked may have given up
        }
        kept.lock().expect("lines").push(line);
    }
}

/// A running stand-in for `KurrentDB`. Dropping it kills it.
#[derive(Debug)]
pub struct Kurrent {
    /// Where it listens.
    pub address: SocketAddr,
    child: Child,
}

impl Kurrent {
    /// Starts it on a log, with more arguments, and waits until it listens.
    ///
    /// # Panics
    /// If it does not.
    pub fn start(log: &Path, listen: SocketAddr, arguments: &[&str]) -> Self {
        let mut command = Command::new(program().with_file_name("stand-in"));
        command.arg("--log").arg(log).args(["--listen", &listen.to_string()]).args(arguments);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("the stand-in was built");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("it is piped")).read_line(&mut line).expect("a line");
        let address = line.trim().parse().expect("its address");
        Self { address, child }
    }

    /// Its connection string.
    pub fn url(&self) -> String {
        format!("esdb://{}?tls=false", self.address)
    }
}

impl Drop for Kurrent {
    fn drop(&mut self) {
        let _ = self.child.kill(); // it may have ended
        let _ = self.child.wait();
    }
}

/// Runs `kith serve` until it ends by itself.
pub fn serve_to_its_end(data: &Path) -> Output {
    serve_to_its_end_with(data, &[])
}

/// As [`serve_to_its_end`], with more arguments.
pub fn serve_to_its_end_with(data: &Path, arguments: &[&str]) -> Output {
    serve(data).args(arguments).output().expect("kith can be run")
}

/// Runs `kith` until it ends.
pub fn run(arguments: &[&str], data: &Path) -> Output {
    kith().args(arguments).arg("--data").arg(data).output().expect("kith can be run")
}

/// Runs `kith` with just these arguments until it ends.
pub fn run_as(arguments: &[String]) -> Output {
    kith().args(arguments).stdin(Stdio::null()).output().expect("kith can be run")
}

/// The binary, without the environment of the tests.
fn kith() -> Command {
    let mut command = Command::new(program());
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("KITH_")) {
        command.env_remove(name);
    }
    command
}

/// The binary beside the one that runs.
///
/// # Panics
/// If it was not built.
pub fn program() -> PathBuf {
    let this = std::env::current_exe().expect("the path of this program");
    let folder = this.ancestors().skip(1).find(|folder| !folder.ends_with("deps")).expect("a folder");
    let program = folder.join("kith");
    assert!(program.is_file(), "{} is missing: run `make test`", program.display());
    program
}

/// Processes whose command line names the data directory: kith, its NATS server and what keeps that.
pub fn processes_on(data: &Path) -> Vec<u32> {
    let data = data.to_str().expect("a path of our own");
    let named = |pid: &u32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(data)
    };
    let all = fs::read_dir("/proc").expect("Linux").flatten();
    all.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(named).collect()
}

fn signal(name: &str, pids: &[u32]) {
    let pids = pids.iter().map(u32::to_string);
    // One that has ended meanwhile is no failure.
    let _ = Command::new("kill").args(["-s", name, "--"]).args(pids).stderr(Stdio::null()).status();
}
