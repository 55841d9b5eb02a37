//! E-mails to those who work here: whose an address is, when they are told, and what becomes of it when either side breaks.

use std::{
    collections::HashMap,
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use data_encoding::BASE64;
use domain::{MemberId, mailbox};
use hyper::Method;
use kith::Config;
use serde_json::{Value, json};
use tests::{
    process::{self, Server},
    world::{Actor, ORG, PATIENCE, World, org},
};
use tokio::time::{sleep, timeout};
use vault::Vault;
use web::Role;

/// Where people find Kith, in these tests.
pub const PUBLIC_URL: &str = "https://kith.example.org";
/// Who sends.
const FROM: &str = "hello@example.org";

/// An e-mail that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    pub from: String,
    pub to: Vec<String>,
    /// Headers and text, as they came.
    pub content: String,
    /// All that came.
    pub whole: String,
}

impl Mail {
    pub fn header(&self, name: &str) -> Option<&str> {
        let head = self.content.split("\r\n\r\n").next().expect("a head");
        let line = |line: &'_ str| line.split_once(": ").is_some_and(|(known, _)| known.eq_ignore_ascii_case(name));
        head.split("\r\n").find(|one| line(one)).and_then(|line| line.split_once(": ")).map(|(_, value)| value)
    }

    pub fn text(&self) -> &str {
        self.content.split_once("\r\n\r\n").expect("a text").1
    }

    fn code(&self) -> &str {
        let digits = |word: &&str| word.len() == 8 && word.bytes().all(|byte| byte.is_ascii_digit());
        self.text().split_whitespace().find(digits).expect("a code")
    }
}

/// A mail server that is none of ours: aiosmtpd, as a process. Dropping it kills it.
pub struct SmtpServer {
    pub port: u16,
    file: PathBuf,
    child: Option<Child>,
}

impl SmtpServer {
    pub fn start(dir: &Path) -> Self {
        let mut server = Self { port: 0, file: dir.join("mails"), child: None };
        server.again();
        server
    }

    /// Listens where it did before.
    pub fn again(&mut self) {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
        let library = tests.join("../.tools/smtp-server");
        assert!(library.is_dir(), "{} is missing: run `make .tools/smtp-server`", library.display());
        let mut command = Command::new("python3");
        command.env("PYTHONPATH", library).arg(tests.join("smtp/server.py")).arg(self.port.to_string()).arg(&self.file);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("python3 runs");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("it is piped")).read_line(&mut line).expect("a line");
        self.port = line.trim().parse().expect("its port");
        self.child = Some(child);
    }

    /// Ends at once.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("it runs");
            child.wait().expect("it was a child");
        }
    }

    /// Refuses addresses that begin with `later`, or takes them again.
    pub fn refuses_for_now(&self, refuses: bool) {
        let file = self.file.with_extension("later");
        if refuses { fs::write(file, "").expect("a file") } else { fs::remove_file(file).expect("it was there") }
    }

    /// Answers a step of the conversation (`greeting`, `mail`, `rcpt`, `data`) with this, until it is told otherwise; if it is
    /// empty, with nothing until then.
    pub fn answers(&self, step: &str, answer: &str) {
        fs::write(self.file.with_extension(step), answer).expect("a file");
    }

    /// Answers a step as it should.
    pub fn answers_well(&self, step: &str) {
        fs::remove_file(self.file.with_extension(step)).expect("it was there");
    }

    pub fn got(&self) -> Vec<Mail> {
        let lines = fs::read_to_string(&self.file).unwrap_or_default();
        let read = |line: &str| {
            let mail: Value = serde_json::from_str(line).expect("JSON");
            let content = BASE64.decode(mail["content"].as_str().expect("a text").as_bytes()).expect("base64");
            let content = String::from_utf8(content).expect("UTF-8");
            let to = mail["to"].as_array().expect("a list").iter().map(|to| to.as_str().expect("a text").to_owned());
            let from = mail["from"].as_str().expect("a text").to_owned();
            Mail { from, to: to.collect(), whole: format!("{line}{content}"), content }
        };
        // The last line may not be whole yet.
        lines.split_inclusive('\n').filter(|line| line.ends_with('\n')).map(read).collect()
    }

    /// Waits until it got so many.
    pub async fn gets(&self, count: usize) -> Vec<Mail> {
        let gets = async {
            while self.got().len() < count {
                sleep(Duration::from_millis(20)).await; // another process says nothing by itself
            }
        };
        timeout(PATIENCE, gets).await.unwrap_or_else(|_| panic!("{:#?} came, not {count}", self.got()));
        self.got()
    }

    /// Has a server send here.
    pub fn takes(&self, config: &mut Config) {
        config.smtp_host = Some("127.0.0.1".into());
        config.smtp_port = self.port;
        config.smtp_tls = host::MailTls::Opportunistic;
        config.mail_from = Some(FROM.into());
        config.public_url = Some(PUBLIC_URL.into());
    }
}

impl Drop for SmtpServer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Nothing has stopped this part.
pub async fn runs(world: &World, part: &str) {
    let ready = world.ops("/readyz").await.json();
    let of = |known: &&Value| known["name"] == part;
    let known = ready["parts"].as_array().expect("parts").iter().find(of).expect("it is there");
    assert_eq!(known["state"], "running", "{known}");
}

/// A mail server, and a world that sends to it.
pub async fn world() -> (World, SmtpServer, tempfile::TempDir) {
    let dir = tempfile::tempdir().expect("a folder");
    let server = SmtpServer::start(dir.path());
    let world = World::start_with(|config| server.takes(config)).await;
    (world, server, dir)
}

async fn set(who: &Actor, address: &str) {
    who.put("/v1/mailbox", json!({ "address": address })).await.must(204);
}

async fn shown(who: &Actor) -> Value {
    who.get("/v1/mailbox").await.must(200).json()
}

/// Waits until what is shown of somebody's mailbox is so.
async fn shows(who: &Actor, field: &str, value: Value) {
    let shows = async {
        while shown(who).await[field] != value {
            sleep(Duration::from_millis(20)).await; // nobody says that it changes
        }
    };
    timeout(PATIENCE, shows).await.unwrap_or_else(|_| panic!("{field} is not {value}"));
}

/// Somebody whose mailbox is confirmed.
async fn reader(world: &World, server: &SmtpServer, subject: &str, address: &str) -> Actor {
    reader_of((world, ORG), server, subject, address).await
}

/// Somebody of an organisation whose mailbox is confirmed.
async fn reader_of((world, org): (&World, &str), server: &SmtpServer, subject: &str, address: &str) -> Actor {
    let who = world.somebody(org, Role::Coordinator, subject, vec![]);
    let before = server.got().len();
    set(&who, address).await;
    let code = server.gets(before + 1).await[before].code().to_owned();
    who.post("/v1/mailbox/confirmation", json!({ "code": code })).await.must(204);
    shows(&who, "waiting", json!(0)).await;
    who
}

#[tokio::test(flavor = "multi_thread")]
async fn whose_an_address_is_is_decided_by_who_reads_it() {
    let (world, server, _dir) = world().await;
    let ann = world.somebody(ORG, Role::Coordinator, "ann", vec![]);
    ann.get("/v1/mailbox").await.refused(404, "no-mailbox");
    ann.post("/v1/mailbox/confirmation", json!({ "code": "1" })).await.refused(404, "no-mailbox");
    set(&ann, "ann@canary.example").await;
    let mail = server.gets(1).await[0].clone();
    assert_eq!((mail.from.as_str(), &mail.to[..]), (FROM, &["ann@canary.example".to_owned()][..]));
    assert_eq!(mail.header("auto-submitted"), Some("auto-generated"));
    assert_eq!(mail.header("reply-to"), None);
    assert!(mail.header("content-type").expect("a type").starts_with("text/plain"), "{mail:?}");
    assert!(!mail.header("subject").expect("a subject").contains(mail.code()));
    for wrong in ["0", "00000000 ", "x"] {
        let answer = ann.post("/v1/mailbox/confirmation", json!({ "code": wrong })).await;
        answer.refused(409, "code-not-good");
    }
    ann.post("/v1/mailbox/confirmation", json!({ "code": mail.code() })).await.must(204);
    assert_eq!(shown(&ann).await["confirmed"], true);
    // Five tries are all, also of the right one.
    set(&ann, "ann@canary.example").await;
    let code = server.gets(2).await[1].code().to_owned();
    for _ in 0..5 {
        ann.post("/v1/mailbox/confirmation", json!({ "code": "0" })).await.refused(409, "code-not-good");
    }
    ann.post("/v1/mailbox/confirmation", json!({ "code": code })).await.refused(409, "code-not-good");
    // Five codes a day are all.
    for _ in 0..3 {
        set(&ann, "ann@canary.example").await;
    }
    let sixth = ann.put("/v1/mailbox", json!({ "address": "ann@canary.example" })).await;
    sixth.refused(409, "too-many-codes");
    ann.put("/v1/mailbox", json!({ "address": "ann" })).await.refused(422, "malformed");
    shows(&ann, "waiting", json!(0)).await;
    // Nobody else's is shown.
    world.somebody(ORG, Role::Coordinator, "bob", vec![]).get("/v1/mailbox").await.refused(404, "no-mailbox");
    for event in world.events().await {
        assert!(!String::from_utf8_lossy(&event.data).contains("canary"), "{event:?}");
    }
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_was_removed_is_forgotten_with_its_key() {
    let (world, server, _dir) = world().await;
    let ann = reader(&world, &server, "ann", "ann@example.org").await;
    let key = world.written(mailbox::id(&org(ORG), &"ann".parse().expect("a subject"))).await[0].1["key"].clone();
    let key: MemberId = key.as_str().expect("an id").parse().expect("an id");
    let holders = || Vault::holders(&world.data().join("vault.db")).expect("the vault");
    assert!(holders().contains(&(org(ORG), key)));
    let other = reader(&world, &server, "bob", "bob@example.org").await;
    ann.command(Method::DELETE, "/v1/mailbox", "remove", &Value::Null).await.must(204);
    ann.command(Method::DELETE, "/v1/mailbox", "again", &Value::Null).await.must(204);
    ann.get("/v1/mailbox").await.refused(404, "no-mailbox");
    assert!(!holders().contains(&(org(ORG), key)), "its key is left");
    assert_eq!(shown(&other).await["address"], "bob@example.org");
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_holds_the_duty_seat_is_told_of_a_concern_and_of_nothing_in_it() {
    let (world, server, _dir) = world().await;
    let ann = reader(&world, &server, "ann", "ann@example.org").await;
    let bob = reader(&world, &server, "bob", "bob@example.org").await;
    let admin = world.admin();
    admin.put("/v1/duty-seat", json!({ "holder": "ann" })).await.must(204);
    admin.put("/v1/crisis-texts/en", json!({ "text": "Call 116 123" })).await.must(204);
    let member = admin.register(json!({ "alias": "zqxcanaryzqx", "email": "zqxcanaryzqx@example.org" })).await;
    let raise = async || {
        let concern = json!({ "words": "zqxcanaryzqx" });
        admin.post(&format!("/v1/members/{member}/concerns"), concern).await.must(201);
    };
    // It came up after they set their mailbox.
    world.set_time("2026-06-01T12:01:00Z");
    raise().await;
    let mail = server.gets(3).await[2].clone();
    assert_eq!(mail.to, ["ann@example.org"]);
    assert_eq!(mail.text().trim(), format!("There is something for you to see: {PUBLIC_URL}"));
    assert_eq!(mail.header("subject"), Some("There is something for you to see"));
    for secret in ["zqxcanaryzqx", &member.to_string(), ORG, "concern", "ann@example.org>,"] {
        assert!(!mail.whole.contains(secret), "{mail:?}");
    }
    shows(&ann, "waiting", json!(0)).await;
    // The next one waits for a quarter of an hour to be over.
    world.set_time("2026-06-01T12:05:00Z");
    raise().await;
    world.settle().await;
    world.set_time("2026-06-01T12:16:00Z");
    assert_eq!(server.gets(4).await[3].to, ["ann@example.org"]);
    shows(&ann, "waiting", json!(0)).await;
    assert_eq!(server.got().len(), 4);
    assert_eq!(shown(&bob).await["told_at"], Value::Null);
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_six_organisations_everybody_is_told_of_an_emergency_however_often_others_were() {
    const ORGS: [&str; 6] = ["org-a", "org-b", "org-c", "org-d", "org-e", "org-f"];
    let (world, server, _dir) = world().await;
    let mut members = Vec::new();
    for org in ORGS {
        reader_of((&world, org), &server, "ann", &format!("{org}@example.org")).await;
        let admin = world.admin_of(org);
        admin.put("/v1/duty-seat", json!({ "holder": "ann" })).await.must(204);
        admin.put("/v1/crisis-texts/en", json!({ "text": "Call 116 123" })).await.must(204);
        let member = admin.register(json!({ "alias": "Bee" })).await;
        members.push((admin, member));
    }
    // None of it is at a full second.
    world.set_time("2026-06-01T12:01:00.123456789Z");
    for (admin, member) in &members {
        admin.post(&format!("/v1/members/{member}/concerns"), json!({ "words": "now" })).await.must(201);
    }
    let mut told: Vec<_> = server.gets(12).await[6..].iter().map(|mail| mail.to[0].clone()).collect();
    told.sort();
    assert_eq!(told, ORGS.map(|org| format!("{org}@example.org")));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_to_which_no_message_can_be_made_is_refused_and_nobody_else_waits_for_it() {
    let (world, server, _dir) = world().await;
    let ann = world.somebody(ORG, Role::Coordinator, "ann", vec![]);
    for odd in ["x@[127.0.0.1]", "x@[IPv6:::1]", "\"a b\"@x.test", "\"a,b\"@x", "\"<z@z>\"@x", "\"(c)\"@x"] {
        ann.put("/v1/mailbox", json!({ "address": odd })).await.refused(422, "malformed");
    }
    ann.get("/v1/mailbox").await.refused(404, "no-mailbox");
    // This server knows no such addresses, and says so.
    set(&ann, "j\u{f6}rg@example.org").await;
    shows(&ann, "rejected", json!(553)).await;
    assert_eq!(shown(&ann).await["waiting"], 0);
    reader(&world, &server, "bob", "bob@example.org").await;
    runs(&world, "mails").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_confirms_the_address_it_was_sent_to_whatever_is_set_at_the_same_time() {
    let (world, server, _dir) = world().await;
    for n in 0..3 {
        let ann = world.somebody(ORG, Role::Coordinator, &format!("ann-{n}"), vec![]);
        set(&ann, "own@example.org").await;
        let got = server.gets(2 * n + 1).await;
        let code = got.iter().rev().find(|mail| mail.to == ["own@example.org"]).expect("a code").code().to_owned();
        let victim = ann.put("/v1/mailbox", json!({ "address": "victim@example.org" }));
        let confirm = ann.post("/v1/mailbox/confirmation", json!({ "code": code }));
        let (set, _) = tokio::join!(victim, confirm);
        set.must(204);
        let shown = shown(&ann).await;
        assert_eq!((&shown["address"], &shown["confirmed"]), (&json!("victim@example.org"), &json!(false)));
        server.gets(2 * n + 2).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_mail_server_has_against_us_shuts_no_mailbox_and_is_tried_again() {
    let (world, server, _dir) = world().await;
    let answers = [
        ("greeting", "554 5.7.1 not you"),
        ("mail", "550 5.7.1 not from there"),
        ("rcpt", "554 5.7.1 relay access denied"),
        ("data", "552 5.3.4 too big"),
    ];
    for (n, (step, answer)) in answers.into_iter().enumerate() {
        let who = world.somebody(ORG, Role::Coordinator, step, vec![]);
        server.answers(step, answer);
        set(&who, &format!("{step}@example.org")).await;
        let failed = |event: &&eventlog::Recorded| &*event.event_type == "mail.failed";
        world.eventually(|events| events.iter().filter(failed).count() > n).await;
        server.answers_well(step);
        let shown = shown(&who).await;
        assert_eq!((&shown["rejected"], &shown["waiting"]), (&Value::Null, &json!(1)), "{step}");
        world.set_time(&format!("2026-06-01T12:00:{}Z", 10 * (n + 1)));
        assert_eq!(server.gets(n + 1).await[n].to, [format!("{step}@example.org")]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn once_a_mail_server_takes_something_again_what_failed_before_does_not_wait_for_its_time() {
    let (world, mut server, _dir) = world().await;
    let (ann, bob) =
        (world.somebody(ORG, Role::Coordinator, "ann", vec![]), world.somebody(ORG, Role::Admin, "bob", vec![]));
    server.kill();
    set(&ann, "ann@example.org").await;
    let failed = |event: &&eventlog::Recorded| &*event.event_type == "mail.failed";
    world.eventually(|events| events.iter().any(|event| failed(&event))).await;
    world.set_time("2026-06-01T12:00:10Z");
    world.eventually(|events| events.iter().filter(failed).count() == 2).await;
    // The next attempt is in five minutes.
    world.set_time("2026-06-01T12:01:30Z");
    server.again();
    set(&bob, "bob@example.org").await;
    let to: Vec<_> = server.gets(2).await.into_iter().flat_map(|mail| mail.to).collect();
    assert_eq!(to, ["bob@example.org", "ann@example.org"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_mail_server_refuses_for_now_is_tried_again_and_what_it_refuses_for_good_is_not() {
    let (world, server, _dir) = world().await;
    let late = world.somebody(ORG, Role::Coordinator, "late", vec![]);
    server.refuses_for_now(true);
    set(&late, "later@example.org").await;
    let id = mailbox::id(&org(ORG), &"late".parse().expect("a subject"));
    world.eventually(|events| events.iter().any(|event| &*event.event_type == "mail.failed")).await;
    server.refuses_for_now(false);
    world.set_time("2026-06-01T12:00:10Z");
    let mail = server.gets(1).await[0].clone();
    shows(&late, "waiting", json!(0)).await;
    let written = world.written(id).await;
    let failed = written.iter().find(|(event_type, _)| event_type == "mail.failed").expect("it failed");
    assert_eq!(failed.1["fault"], json!({ "code": 451 }));
    let message = failed.1["message"].as_str().expect("an id");
    assert_eq!(mail.header("message-id"), Some(format!("<{message}@example.org>").as_str()));
    let gone = world.somebody(ORG, Role::Coordinator, "gone", vec![]);
    set(&gone, "rejected@example.org").await;
    shows(&gone, "rejected", json!(550)).await;
    assert_eq!(shown(&gone).await["waiting"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_mail_server_nobody_is_written_to_and_it_is_said() {
    let world = World::start().await;
    world.admin().put("/v1/mailbox", json!({ "address": "a@example.org" })).await.refused(409, "no-mail");
    assert!(world.events().await.is_empty());
    let dir = tempfile::tempdir().expect("a folder");
    for (arguments, said) in [
        (&["--smtp-host", "mail.example.org"][..], "public_url"),
        (&["--smtp-host", "mail.example.org", "--public-url", PUBLIC_URL], "mail_from"),
        (
            &[
                "--smtp-host",
                "mail.example.org",
                "--public-url",
                PUBLIC_URL,
                "--mail-from",
                FROM,
                "--smtp-tls",
                "opportunistic",
            ],
            "on this machine only",
        ),
        (&["--public-url", "http://kith.example.org"], "https://"),
    ] {
        let output = process::serve_to_its_end_with(&dir.path().join("data"), arguments);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && text.contains(said), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_killed_in_the_middle_each_mail_arrives_and_twice_only_with_the_same_id() {
    const READERS: usize = 6;
    let dir = tempfile::tempdir().expect("a folder");
    let mut smtp = SmtpServer::start(dir.path());
    let (data, port) = (dir.path().join("data"), smtp.port.to_string());
    let arguments = [
        "--smtp-host",
        "127.0.0.1",
        "--smtp-port",
        &port,
        "--smtp-tls",
        "opportunistic",
        "--mail-from",
        FROM,
        "--public-url",
        PUBLIC_URL,
    ];
    let mut server = Server::start_with(&data, &arguments);
    for n in 0..READERS {
        let mut who = server.client_of(ORG, Role::Coordinator, &format!("reader-{n}"));
        let body = json!({ "address": format!("reader-{n}@example.org") });
        let answer = who.command(Method::PUT, "/v1/mailbox", "set", &body).await.expect("an answer");
        assert_eq!(answer.status, 204, "{}", answer.json());
        // Once only: whoever is not taken twice waits for five minutes.
        if n == READERS / 2 {
            smtp.kill();
            smtp.again();
        } else {
            server.kill();
            server = Server::start_with(&data, &arguments);
        }
    }
    let all_arrived = async {
        loop {
            let mut to: Vec<_> = smtp.got().into_iter().flat_map(|mail| mail.to).collect();
            to.sort();
            to.dedup();
            if to.len() == READERS {
                break;
            }
            sleep(Duration::from_millis(100)).await; // another process says nothing by itself
        }
    };
    timeout(2 * PATIENCE, all_arrived).await.unwrap_or_else(|_| panic!("{:#?}", smtp.got()));
    let mut ids = HashMap::<String, String>::new();
    for mail in smtp.got() {
        let id = mail.header("message-id").expect("an id").to_owned();
        let known = ids.entry(mail.to[0].clone()).or_insert_with(|| id.clone());
        assert_eq!(*known, id, "somebody got two messages that are one");
    }
    server.end("TERM", Duration::from_secs(20)).await;
}
