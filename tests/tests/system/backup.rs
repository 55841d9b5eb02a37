//! Copies of the data: taken under load, restored as the guide says, refused if anything in them was changed.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Output,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use domain::{GroupId, MeetingId, MemberId};
use hyper::Method;
use jiff::{Span, tz::TimeZone};
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};
use tests::{
    http::{Answer, Client},
    process::{self, Server},
    world::{ORG, at, details, mark_of},
};
use web::Role;

use super::faults::until;

/// A server that was asked to end has ended within this time.
const END_WITHIN: Duration = Duration::from_secs(20);
/// Members who are registered before a copy is taken, a count.
const MEMBERS: usize = 40;
/// Names that are registered once more while it is taken, at least, a count.
const MORE: usize = 30;
/// Part of every name.
const CANARY: &str = "Zwitscher";

fn text(output: &[u8]) -> String {
    String::from_utf8_lossy(output).into_owned()
}

/// The machine of the guide, in a folder.
struct Machine(tempfile::TempDir);

impl Machine {
    fn new() -> Self {
        let machine = Self(tempfile::tempdir().expect("a folder"));
        for folder in ["/etc/kith", "/var/lib", "/srv/erasures"] {
            fs::create_dir_all(machine.path(folder)).expect("a folder");
        }
        machine
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path.trim_start_matches('/'))
    }

    /// The guide's command that starts with these words, with paths on this machine; `copy` stands for the copy.
    fn command(&self, words: &str, copy: Option<&Path>) -> Vec<String> {
        let guide = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/guides/backup.md");
        let guide = fs::read_to_string(guide).expect("the guide");
        // Every second part is in a fence.
        let blocks = guide.split("```").skip(1).step_by(2).filter_map(|block| block.strip_prefix("sh\n"));
        let mut lines = blocks.flat_map(str::lines).map(str::trim).filter(|line| line.starts_with(words));
        let line = lines.next().unwrap_or_else(|| panic!("the guide has no `{words}`"));
        let words = line.split_whitespace().skip(1);
        let here = |word: &str| match (word.starts_with("/var/lib/kith-backups/"), copy) {
            (true, Some(copy)) => copy.display().to_string(),
            _ if word.starts_with('/') || word == "receipt.json" => self.path(word).display().to_string(),
            _ => word.to_owned(),
        };
        words.map(here).collect()
    }

    async fn run(&self, words: &str, copy: Option<&Path>) -> Output {
        run(self.command(words, copy)).await
    }

    /// The server of the guide.
    fn serve(&self) -> Server {
        let command = self.command("kith serve", None);
        assert_eq!(command[..2], ["serve", "--data"]);
        let more: Vec<_> = command[3..].iter().map(String::as_str).collect();
        Server::start_with(Path::new(&command[2]), &more)
    }

    /// A token that `kith token` makes.
    async fn token(&self) -> String {
        let data = self.path("/var/lib/kith").display().to_string();
        let words = ["token", "--org", ORG, "--role", "admin", "--subject", "ada", "--data", &data];
        let made = run(words.map(String::from).into()).await;
        succeeded(&made).trim().to_owned()
    }
}

/// The arguments with what follows `name` replaced.
fn with(mut arguments: Vec<String>, name: &str, value: &Path) -> Vec<String> {
    let at = arguments.iter().position(|argument| argument == name).expect("it is given");
    arguments[at + 1] = value.display().to_string();
    arguments
}

async fn run(arguments: Vec<String>) -> Output {
    tokio::task::spawn_blocking(move || process::run_as(&arguments)).await.expect("it ends")
}

#[track_caller]
fn succeeded(output: &Output) -> String {
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

/// It ends with 1 and says this.
#[track_caller]
fn refused(output: &Output, says: &str) {
    let said = text(&output.stdout) + &text(&output.stderr);
    assert!(output.status.code() == Some(1) && said.contains(says), "{says}: {said}");
}

/// A member who was registered, enrolled and marked, and what acknowledged it.
#[derive(Clone)]
struct Known {
    member: MemberId,
    name: String,
    position: u64,
}

/// Somebody who registers people.
struct Writer {
    client: Client,
    group: GroupId,
    meeting: MeetingId,
    sent: usize,
    name: &'static str,
}

impl Writer {
    /// With a group that met an hour after midnight yesterday, whose register is open.
    async fn start(client: Client) -> Self {
        let nothing = MeetingId(uuid::Uuid::nil());
        let group = GroupId(uuid::Uuid::nil());
        let mut writer = Self { client, group, meeting: nothing, sent: 0, name: "before" };
        let yesterday = kith::clock().now().to_zoned(TimeZone::UTC).date() - Span::new().days(1);
        let programme = writer.post("/v1/programmes", json!({ "name": "Recovery" })).await.must(201).id("id");
        let schedule = json!({ "starts_on": yesterday, "starts_at": "01:00:00", "duration_minutes": 60,
            "time_zone": "UTC", "recurrence": "FREQ=DAILY" });
        let body = json!({ "details": details(programme, "Daily"), "schedule": schedule });
        writer.group = writer.post("/v1/groups", body).await.must(201).id("id");
        let plan = json!({ "from": yesterday, "through": yesterday });
        writer.post(&format!("/v1/groups/{}/meetings", writer.group), plan).await.must(200);
        writer.meeting = MeetingId::of(writer.group, yesterday.at(1, 0, 0, 0));
        writer.post(&at(writer.meeting, "open"), Value::Null).await.must(204);
        writer
    }

    async fn command(&mut self, method: Method, path: &str, body: Value) -> Answer {
        self.sent += 1;
        let key = format!("{} {}", self.name, self.sent);
        self.client.command(method, path, &key, &body).await.expect("an answer")
    }

    async fn post(&mut self, path: &str, body: Value) -> Answer {
        self.command(Method::POST, path, body).await
    }

    /// Registers, enrols and marks somebody.
    async fn register(&mut self) -> Known {
        let name = format!("{CANARY} {} {}", self.name, self.sent);
        let profile = json!({ "profile": { "alias": name, "email": format!("{CANARY}.{}@example.org", self.sent) } });
        let member: MemberId = self.post("/v1/members", profile).await.must(201).id("member");
        let enrolment = json!({ "member": member, "starts_on": "2020-01-01" });
        self.post(&format!("/v1/groups/{}/enrolments", self.group), enrolment).await.must(201);
        let mark = self.command(Method::PUT, &mark_of(self.meeting, member), json!({ "mark": "present" })).await;
        Known { member, name, position: mark.must(204).at() }
    }

    /// Under a legal hold, which is answered.
    async fn hold(&mut self, member: MemberId) -> String {
        let body = json!({ "reason": "a claim is pending", "review_on": "2030-01-01" });
        let answer = self.post(&format!("/v1/members/{member}/holds"), body).await.must(201).json();
        answer["hold"].as_str().expect("an id").to_owned()
    }

    async fn erase(&mut self, member: MemberId) -> Answer {
        self.post(&format!("/v1/members/{member}/erasure"), Value::Null).await.must(200)
    }
}

/// What the API says the member is called.
async fn called(client: &mut Client, known: &Known) -> Value {
    let path = format!("/v1/members/{}", known.member);
    client.get(&path, known.position).await.expect("an answer").must(200).json()["profile"]["alias"].clone()
}

async fn must_know(client: &mut Client, all: &[Known]) {
    for known in all {
        assert_eq!(called(client, known).await, json!(known.name));
    }
}

/// Every file in a folder and what is in it.
fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let paths = fs::read_dir(folder).expect("a folder").flatten().map(|entry| entry.path());
    let found = paths.flat_map(|path| {
        if path.is_dir() {
            return files(&path);
        }
        // One that a server has deleted meanwhile has nothing in it.
        let bytes = fs::read(&path).unwrap_or_default();
        vec![(path, bytes)]
    });
    found.collect()
}

#[track_caller]
fn nowhere(folder: &Path, needle: &[u8], what: &str) {
    for (path, bytes) in files(folder) {
        let found = bytes.windows(needle.len()).any(|window| window == needle);
        assert!(!found, "{what} is in {}", path.display());
    }
}

/// A member's key, as the vault keeps it.
fn wrapped(data: &Path, member: MemberId) -> Vec<u8> {
    let vault = Connection::open_with_flags(data.join("vault.db"), OpenFlags::SQLITE_OPEN_READ_ONLY);
    let sql = "SELECT wrapped FROM keys WHERE person = ?1";
    vault.expect("the vault").query_row(sql, [member.0.as_bytes()], |row| row.get(0)).expect("a key")
}

/// A copy, taken while people are registered; and who was there before it was begun.
async fn copy_under_load(machine: &Machine, server: &Server, mut writer: Writer) -> (PathBuf, Vec<Known>, Writer) {
    let mut before = Vec::new();
    for _ in 0..MEMBERS {
        before.push(writer.register().await);
    }
    let (go_on, more) = (Arc::new(AtomicBool::new(true)), Arc::<Mutex<usize>>::default());
    let mut loaded = Writer { client: server.client(ORG, Role::Admin), name: "meanwhile", ..writer };
    loaded.sent = 0;
    let (going_on, counted) = (go_on.clone(), more.clone());
    let load = tokio::spawn(async move {
        while going_on.load(Ordering::Relaxed) || *counted.lock().expect("a count") < MORE {
            loaded.register().await;
            *counted.lock().expect("a count") += 1;
        }
        loaded
    });
    until("the load has begun", async || (*more.lock().expect("a count") > 0).then_some(())).await;
    let made = machine.run("kith backup", None).await;
    go_on.store(false, Ordering::Relaxed);
    let writer = load.await.expect("it goes on");
    let said = succeeded(&made);
    assert!(said.contains("checked: whole"), "{said}");
    (said.lines().next().expect("the folder").into(), before, Writer { name: "after", ..writer })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_taken_under_load_is_restored_as_the_guide_says_and_nobody_comes_back() {
    let machine = Machine::new();
    succeeded(&machine.run("kith key", None).await);
    refused(&machine.run("kith key", None).await, "cannot be written");
    let (data, erasures) = (machine.path("/var/lib/kith"), machine.path("/srv/erasures/kith.jsonl"));
    let server = machine.serve();
    let mut writer = Writer::start(server.client(ORG, Role::Admin)).await;
    let (gone, held, other) = (writer.register().await, writer.register().await, writer.register().await);
    // Taken for the same person, until after the copy.
    writer.post(&format!("/v1/members/{}/merge", other.member), json!({ "into": gone.member })).await.must(204);
    let claim = writer.hold(held.member).await;
    let (copy, before, mut writer) = copy_under_load(&machine, &server, writer).await;

    let names: Vec<_> = files(&copy).iter().map(|(path, _)| path.file_name().expect("a name").to_owned()).collect();
    assert_eq!(names.len(), 4, "{names:?}");
    nowhere(&copy, CANARY.as_bytes(), "a name");
    let secrets = ["/etc/kith/vault.key", "/var/lib/kith/issuer.key"].map(|path| machine.path(path));
    for secret in &secrets {
        nowhere(&copy, &fs::read(secret).expect("a key"), "a key");
    }
    // The vault is sealed as a whole: not even wrapped keys can be read.
    let keys = [&gone, &held].map(|known| wrapped(&data, known.member));
    for key in &keys {
        nowhere(&copy, key, "a wrapped key");
    }

    writer.post(&format!("/v1/members/{}/unmerge", other.member), Value::Null).await.must(204);
    let receipt = writer.erase(gone.member).await.body;
    fs::write(machine.path("receipt.json"), &receipt).expect("written");
    writer.post(&format!("/v1/members/{}/holds/{claim}/lifting", held.member), Value::Null).await.must(204);
    writer.erase(held.member).await;
    let written = fs::read_to_string(&erasures).expect("the file of erasures");
    let both = [&gone, &held].iter().all(|known| written.contains(&known.member.to_string()));
    assert!(both, "before the erasure was answered: {written}");
    let said = succeeded(&machine.run("kith verify --data /var/lib/kith --receipt", None).await);
    assert!(said.contains("at position") && !said.contains("again"), "{said}");
    let (token, issuer) = (machine.token().await, fs::read(&secrets[1]).expect("a key"));
    assert!(server.end("TERM", END_WITHIN).await.success());

    fs::rename(&data, machine.path("/var/lib/kith.before")).expect("moved away");
    let said = succeeded(&machine.run("kith restore", Some(&copy)).await);
    assert!(said.contains("still knew them: 2") && said.contains("erased: 2 members"), "{said}");
    assert_eq!(fs::read(&secrets[1]).expect("a key"), issuer);
    assert!(!data.join("vault.key").exists(), "the key-encryption key is the operator's");
    refused(&machine.run("kith restore", Some(&copy)).await, "is not empty");
    for key in &keys {
        nowhere(&data, key, "the key of somebody who was erased");
    }

    let server = machine.serve();
    let mut client = Client::new(server.address, token);
    must_know(&mut client, &before).await;
    must_know(&mut client, std::slice::from_ref(&other)).await;
    let path = format!("/v1/members/{}", other.member);
    assert_eq!(client.get(&path, other.position).await.expect("an answer").json().get("merged_into"), None, "stranded");
    for known in [&gone, &held] {
        let path = format!("/v1/members/{}", known.member);
        client.get(&path, known.position).await.expect("an answer").refused(404, "not-found");
    }
    let said = succeeded(&machine.run("kith verify --data /var/lib/kith", None).await);
    assert!(said.contains("hash chain holds") && said.contains("erased: 2 members"), "{said}");
    let said = succeeded(&machine.run("kith verify --data /var/lib/kith --receipt", None).await);
    assert!(said.contains("erased again, by a restore"), "{said}");
    for key in &keys {
        nowhere(&data, key, "the key of somebody who was erased");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_in_which_a_byte_was_changed_or_with_another_key_is_refused() {
    let machine = Machine::new();
    succeeded(&machine.run("kith key", None).await);
    let server = machine.serve();
    let mut writer = Writer::start(server.client(ORG, Role::Admin)).await;
    writer.register().await;
    let copy: PathBuf = succeeded(&machine.run("kith backup", None).await).lines().next().expect("the folder").into();
    let new = machine.path("/var/lib/new");
    let restore = |from: &Path| {
        let mut arguments = with(machine.command("kith restore", Some(from)), "--data", &new);
        arguments.truncate(arguments.len() - 2);
        arguments.push("--no-erasures-since".into());
        arguments
    };
    let changed = machine.path("changed");
    fs::create_dir(&changed).expect("a folder");
    for (broken, bytes) in files(&copy) {
        for at in [0, bytes.len() / 3, bytes.len() / 2, bytes.len() - 1] {
            for (path, bytes) in files(&copy) {
                let mut bytes = bytes;
                if path == broken {
                    bytes[at] ^= 1;
                }
                fs::write(changed.join(path.file_name().expect("a name")), bytes).expect("written");
            }
            refused(&run(restore(&changed)).await, "cannot be used");
            assert!(!new.exists(), "byte {at} of {}", broken.display());
        }
    }
    let other = machine.path("/etc/kith/other.key");
    succeeded(&run(with(machine.command("kith key", None), "--out", &other)).await);
    refused(&run(with(restore(&copy), "--key-file", &other)).await, "another key-encryption key");
    let backup = machine.command("kith backup", None);
    let away = machine.path("away");
    let wrong = with(with(backup, "--key-file", &other), "--to", &away);
    refused(&run(wrong).await, "another key-encryption key");
    assert!(files(&away).is_empty(), "nothing is left of a copy that failed");
    fs::write(machine.path("/srv/erasures/kith.jsonl"), "{}\n").expect("written");
    let wrong = with(machine.command("kith restore", Some(&copy)), "--data", &new);
    refused(&run(wrong).await, "kith.jsonl:1");
    let mut neither = restore(&copy);
    neither.pop();
    assert_eq!(run(neither).await.status.code(), Some(2), "it must be said what became of erasures");
    assert!(!new.exists());
    succeeded(&run(restore(&copy)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_that_was_changed_or_is_not_so_is_told() {
    let machine = Machine::new();
    succeeded(&machine.run("kith key", None).await);
    let server = machine.serve();
    let mut writer = Writer::start(server.client(ORG, Role::Admin)).await;
    let (gone, there) = (writer.register().await, writer.register().await);
    let answer = writer.erase(gone.member).await.json();
    let check = async |receipt: &str| {
        fs::write(machine.path("receipt.json"), receipt).expect("written");
        machine.run("kith verify --data /var/lib/kith --receipt", None).await
    };
    let said = succeeded(&check(&answer.to_string()).await);
    assert_eq!(said.matches("so  ").count(), 5, "{said}");
    let signed = answer["receipt"].as_str().expect("a JWS");
    assert_eq!(succeeded(&check(signed).await), said);
    let readable = answer.to_string().replacen(&gone.member.to_string(), &there.member.to_string(), 1);
    refused(&check(&readable).await, "NOT SO");
    let at = signed.find('.').expect("three parts") + 20;
    let mut changed = signed.to_owned();
    changed.replace_range(at..=at, if &signed[at..=at] == "A" { "B" } else { "A" });
    refused(&check(&changed).await, "NOT SO");
    refused(&check("nothing").await, "NOT SO");

    // Signed by this server, but of somebody who is there.
    let data = kith::DataDir::existing(&machine.path("/var/lib/kith")).expect("the data directory");
    let mut lie = answer["erasure"].clone();
    lie["member"] = json!(there.member);
    lie["records"][0]["member"] = json!(there.member);
    (lie["position"], lie["records"][0]["events"], lie["views"]) = (json!(1), json!([1]), json!([]));
    let lie = data.signer().expect("the key").sign(&lie);
    let told = check(&lie).await;
    refused(&told, "NOT SO");
    assert_eq!(text(&told.stdout).matches("NOT SO").count(), 4, "log twice, vault and views: {}", text(&told.stdout));
}

#[tokio::test(flavor = "multi_thread")]
async fn after_another_key_names_open_as_before_and_the_old_key_is_refused() {
    let machine = Machine::new();
    succeeded(&machine.run("kith key", None).await);
    let server = machine.serve();
    let mut writer = Writer::start(server.client(ORG, Role::Admin)).await;
    let known = writer.register().await;
    let data = machine.path("/var/lib/kith");
    let before = wrapped(&data, known.member);
    refused(&machine.run("kith rotate-key", None).await, "another kith has the data directory");
    assert!(server.end("TERM", END_WITHIN).await.success());

    let said = succeeded(&machine.run("kith rotate-key", None).await);
    assert!(said.contains("vault-2.key"), "{said}");
    let old = machine.path("/etc/kith/vault.key");
    let new = machine.path("/etc/kith/vault-2.key");
    assert_ne!(fs::read(&old).expect("a key"), fs::read(&new).expect("a key"));
    nowhere(&data, &before, "a key as it was wrapped before");
    refused(&machine.run("kith rotate-key", None).await, "another key-encryption key");
    refused(&machine.run("kith backup", None).await, "another key-encryption key");
    let serve = machine.command("kith serve", None);
    let serve: Vec<_> = serve.into_iter().chain(["--listen".into(), "127.0.0.1:0".into()]).collect();
    refused(&run(nats(serve)).await, "another key-encryption key");

    let new = new.display().to_string();
    let server = Server::start_with(&data, &["--key-file", &new]);
    must_know(&mut server.client(ORG, Role::Admin), std::slice::from_ref(&known)).await;
    // Pages of the file that the server has written since.
    nowhere(&data, &before, "a key as it was wrapped before");
    let again = Writer { client: server.client(ORG, Role::Admin), name: "again", ..writer }.register().await;
    must_know(&mut server.client(ORG, Role::Admin), &[again]).await;
    let backup = with(machine.command("kith backup", None), "--key-file", Path::new(&new));
    succeeded(&run(backup).await);
}

/// With the `nats-server` of the tests.
fn nats(mut arguments: Vec<String>) -> Vec<String> {
    arguments.extend(["--nats-server".into(), tests::world::nats_server().display().to_string()]);
    arguments
}
