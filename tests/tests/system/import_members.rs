//! Members from a file: over HTTP, and as `kith import members` is typed.

use std::{fmt::Write, fs, path::Path, process::Output};

use bytes::Bytes;
use domain::{GroupId, MemberId};
use hyper::{Method, Request};
use serde_json::{Value, json};
use tests::{
    http::Client,
    process::{self, Server},
    world::{Actor, ORG, World, details},
};
use web::Role;

const PATH: &str = "/v1/imports/members";

fn line(number: u32, external: &str, email: &str) -> Value {
    json!({ "line": number, "profile": { "given_name": "Beata", "email": email,
        "external_ids": [{ "system": "old", "value": external }] } })
}

async fn import(actor: &Actor, lines: &[Value]) -> Value {
    actor.post(PATH, json!({ "lines": lines })).await.must(200).json()
}

fn became(report: &Value) -> Vec<String> {
    let lines = report["lines"].as_array().expect("lines").iter();
    lines.map(|line| line["became"].as_str().expect("a word").to_owned()).collect()
}

fn who(report: &Value, n: usize) -> MemberId {
    report["lines"][n]["member"].as_str().expect("a member").parse().expect("an id")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_lines_again_make_nobody_twice_and_changed_ones_change_what_changed() {
    let world = World::start().await;
    let (ada, group) = (world.coordinator(), world.group().await);
    let mut lines = vec![line(2, "1", "a@example.org"), line(3, "2", "b@example.org")];
    lines[0]["enrolments"] = json!([{ "group": group, "starts_on": "2026-01-01" }]);
    lines.push(json!({ "line": 4, "profile": { "alias": "Bee", "phone": "600100200" } }));
    let dry = ada.post(PATH, json!({ "dry_run": true, "lines": lines })).await.must(200).json();
    assert_eq!(became(&dry), ["new", "new", "new"]);
    let before = world.events().await.len();
    let first = import(&ada, &lines).await;
    assert_eq!(became(&first), ["new", "new", "new"]);
    assert_eq!(who(&first, 0), who(&dry, 0), "an external id has one member, whatever the command");
    assert_eq!(world.events().await.len(), before + 4);
    let again = import(&ada, &lines).await;
    assert_eq!(became(&again), ["matched", "matched", "matched"]);
    let events = world.events().await;
    assert_eq!(events.len(), before + 5);
    assert_eq!(&*events[before + 4].event_type, "personal_data.opened", "that it was asked who is here already");
    lines[1]["profile"]["notes"] = "quiet".into();
    lines[1]["profile"].as_object_mut().expect("a profile").remove("given_name");
    assert_eq!(became(&import(&ada, &lines).await), ["matched", "changed", "matched"]);
    world.settle().await;
    let profile = ada.get(&format!("/v1/members/{}", who(&first, 1))).await.must(200).json()["profile"].clone();
    assert_eq!((&profile["given_name"], &profile["notes"]), (&json!("Beata"), &json!("quiet")), "the rest stays");
    assert_eq!(world.types_of(group).await.last().map(String::as_str), Some("enrolment.started"));
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_repetition_gets_its_answer_and_undoes_nothing() {
    let world = World::start().await;
    let ada = world.coordinator();
    let body = json!({ "lines": [line(2, "1", "a@example.org")] });
    let first = ada.command(Method::POST, PATH, "once", &body).await.must(200);
    let bee = who(&first.json(), 0);
    ada.patch(&format!("/v1/members/{bee}"), json!({ "email": "new@example.org" })).await.must(204);
    let again = ada.command(Method::POST, PATH, "once", &body).await.must(200);
    assert!(again.replayed());
    assert_eq!(again.body, first.body);
    let other = json!({ "lines": [line(2, "1", "a@example.org"), line(3, "2", "b@example.org")] });
    ada.command(Method::POST, PATH, "once", &other).await.refused(422, "idempotency-key-reused");
    assert_eq!(world.types_of(bee).await, ["member.registered", "member.changed"]);
}

/// Found by the simulation with seed 957452300: the answer was kept with the record, which would not take it.
#[tokio::test(flavor = "multi_thread")]
async fn a_repetition_gets_its_answer_whatever_became_of_who_is_in_it() {
    let world = World::start().await;
    let (ada, admin) = (world.coordinator(), world.admin());
    let bee = who(&import(&ada, &[line(2, "1", "a@example.org")]).await, 0);
    ada.put(&format!("/v1/members/{bee}/restriction"), json!({ "restricted": true })).await.must(204);
    let body = json!({ "lines": [line(2, "1", "a@example.org")] });
    let send = || ada.command(Method::POST, PATH, "once", &body);
    let first = send().await.must(200);
    assert_eq!(became(&first.json()), ["matched"]);
    admin.post(&format!("/v1/members/{bee}/erasure"), Value::Null).await.must(200);
    let again = send().await.must(200);
    assert!(again.replayed());
    assert_eq!(again.body, first.body);
}

/// Found by the simulation with seed 3026340760.
#[tokio::test(flavor = "multi_thread")]
async fn lines_that_are_sent_again_while_they_are_imported_get_the_same_answer() {
    let world = World::start().await;
    let ada = world.coordinator();
    for turn in 0..20 {
        let body = json!({ "lines": [line(2, &format!("{turn}"), &format!("{turn}@example.org"))] });
        let key = format!("once {turn}");
        let send = || ada.command(Method::POST, PATH, &key, &body);
        let (one, other, third) = tokio::join!(send(), send(), send());
        let one = one.must(200);
        assert_eq!(became(&one.json()), ["new"]);
        assert_eq!((other.must(200).body, third.must(200).body), (one.body.clone(), one.body));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_be_here_already_is_left_out_unless_it_is_asked_for() {
    let world = World::start().await;
    let ada = world.coordinator();
    let bee = ada.register(json!({ "email": "bee@example.org", "alias": "Bee" })).await;
    let lines = [
        json!({ "line": 2, "profile": { "email": "BEE@example.org", "alias": "B" } }),
        json!({ "line": 3, "profile": { "email": "bee@example.org", "alias": "Bee" } }),
        json!({ "line": 4, "profile": { "phone": "600100200" } }),
        json!({ "line": 5, "profile": { "phone": "600 100 200", "alias": "Jo" } }),
        line(6, "9", "c@example.org"),
        line(7, "9", "d@example.org"),
    ];
    let report = import(&ada, &lines).await;
    assert_eq!(became(&report), ["duplicate", "matched", "new", "duplicate", "new", "rejected"]);
    assert_eq!(report["lines"][0]["possible_duplicates"], json!([bee]));
    assert_eq!(report["lines"][3]["possible_duplicates"], json!([who(&report, 2)]));
    assert_eq!(report["lines"][5]["what"], "line 6 has the same");
    let asked = json!({ "duplicates": "import", "lines": [lines[0]] });
    assert_eq!(became(&ada.post(PATH, asked).await.must(200).json()), ["new"]);
    let there = import(&world.admin_of("south-star"), &lines[..1]).await;
    assert_eq!(became(&there), ["new"], "another organisation's members are nobody's business");
    let south = import(&world.admin_of("south-star"), &lines[4..5]).await;
    assert_ne!(who(&south, 0), who(&report, 4), "an external id is another member there");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_is_done_whole_or_not_at_all_and_says_why_without_its_values() {
    let world = World::start().await;
    let (ada, group) = (world.coordinator(), world.group().await);
    ada.put(&format!("/v1/groups/{group}/capacity"), json!({ "places": 1 })).await.must(204);
    let before = world.events().await.len();
    let enrolled = |number: u32, group: &str| {
        let mut line = line(number, &format!("e{number}"), &format!("zq{number}@example.org"));
        line["enrolments"] = json!([{ "group": group, "starts_on": "2026-06-01" }]);
        line
    };
    let mut year = line(5, "y", "zqy@example.org");
    year["profile"]["year_of_birth"] = 1800.into();
    let group = group.to_string();
    let lines = [enrolled(2, &group), enrolled(3, &group), enrolled(4, "018f3c7a-0000-7000-8000-000000000099"), year];
    let report = import(&ada, &lines).await;
    assert_eq!(became(&report), ["new", "rejected", "rejected", "rejected"]);
    let fields: Vec<_> = (1..4).map(|n| report["lines"][n]["field"].clone()).collect();
    assert_eq!(fields, ["enrolments", "enrolments", "profile"]);
    assert!(!report.to_string().contains("zq"), "{report}");
    assert_eq!(world.events().await.len(), before + 2, "the others left nothing");
    let twice = json!({ "lines": [line(2, "a", "a@b"), line(2, "b", "b@b")] });
    ada.post(PATH, twice).await.refused(422, "malformed");
    let many: Vec<_> = (0..=web::IMPORT_LINES_MAX).map(|n| json!({ "line": n })).collect();
    ada.post(PATH, json!({ "lines": many })).await.refused(422, "malformed");
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_who_was_erased_does_not_come_back_with_an_old_file() {
    let world = World::start().await;
    let admin = world.admin();
    let lines = [line(2, "1", "a@example.org")];
    let bee = who(&import(&admin, &lines).await, 0);
    admin.post(&format!("/v1/members/{bee}/erasure"), Value::Null).await.must(200);
    let report = import(&admin, &lines).await;
    assert_eq!(became(&report), ["rejected"], "{report}");
    assert_eq!(world.types_of(bee).await, ["member.registered", "referrals.erased"], "nothing was added");
}

/// Lines of a file that was three batches when batches were planned alone; a count.
const LONG: u32 = 1_600;

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_says_of_each_line_what_the_run_does_however_long_the_file_is() {
    let world = World::start().await;
    let (admin, group) = (world.admin(), world.group().await);
    admin.put(&format!("/v1/groups/{group}/capacity"), json!({ "places": 20 })).await.must(204);
    let lines: Vec<_> = (0..LONG)
        .map(|n| {
            // Every 700th says the same as one before, or shares its address or its external id.
            let (again, person) = (n / 700, n % 700);
            let mut line = line(n, &format!("x{person}"), &format!("m{person}@example.org"));
            if again == 1 {
                line["profile"]["external_ids"] = json!([{ "system": "old", "value": format!("y{person}") }]);
            }
            if person % 25 == 0 {
                line["enrolments"] = json!([{ "group": group, "starts_on": "2026-01-01" }]);
            }
            line
        })
        .collect();
    let file = |dry_run: bool| json!({ "dry_run": dry_run, "file": "long", "lines": lines });
    let dry = admin.post(PATH, file(true)).await.must(200).json();
    let done = admin.post(PATH, file(false)).await.must(200).json();
    assert_eq!(dry["lines"], done["lines"]);
    assert_eq!((&done["duplicate"], &done["rejected"]), (&json!(692), &json!(216)), "8 of 28 have no place, twice");
    assert_eq!(done["new"], 692);
    let (dry, done) =
        (admin.post(PATH, file(true)).await.must(200).json(), admin.post(PATH, file(false)).await.must(200).json());
    assert_eq!((&dry["lines"], &done["new"]), (&done["lines"], &json!(0)));
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_is_changed_by_one_line_of_a_file() {
    let world = World::start().await;
    let ada = world.coordinator();
    let bee = ada.register(json!({ "alias": "Bee" })).await;
    let change = |line: u32, alias: &str| json!({ "line": line, "member": bee, "profile": { "alias": alias } });
    let report = import(&ada, &[change(2, "B"), change(3, "Be")]).await;
    assert_eq!(became(&report), ["changed", "rejected"]);
    assert_eq!(report["lines"][1]["what"], "line 2 says something of the same member");
}

/// Lines of the file in the suite; unit: member.
const MEMBERS: usize = 2_000;

fn file(groups: &[GroupId]) -> Vec<String> {
    let head = "alias,given_name,family_name,email,year_of_birth,external_system,external_id,group,starts_on";
    let mut lines = vec![head.to_owned()];
    for n in 0..MEMBERS {
        let mut line = format!("Canary{n},Zquila{n},Zverg{n},zq{n}@example.org,1980,old,{n}");
        let _ = write!(line, ",{},2026-01-01", groups[n % groups.len()]); // text takes all
        lines.push(line);
    }
    lines
}

async fn groups(client: &mut Client) -> Vec<GroupId> {
    let name = json!({ "name": "Recovery" });
    let answer = client.command(Method::POST, "/v1/programmes", "p", &name).await.expect("an answer");
    let programme = answer.must(201).id("id");
    let mut groups = Vec::new();
    for n in 0..8 {
        let body = json!({ "details": details(programme, &format!("Group {n}")) });
        let answer = client.command(Method::POST, "/v1/groups", &format!("g{n}"), &body).await.expect("an answer");
        groups.push(answer.must(201).id("id"));
    }
    groups
}

/// Runs the import; answers what it printed, all that was printed without a value of the file.
fn typed(path: &Path, server: &Server, data: &Path, more: &[&str]) -> (Output, String) {
    let url = format!("http://{}", server.address);
    let file = path.to_str().expect("a path");
    let arguments = ["import", "members", file, "--org", ORG, "--url", &url];
    let arguments: Vec<_> = arguments.into_iter().chain(more.iter().copied()).collect();
    let output = process::run(&arguments, data);
    let said = [&output.stdout[..], &output.stderr[..]].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    for canary in ["Canary", "Zquila", "Zverg", "zq"] {
        assert!(!said.contains(canary), "{said}");
    }
    (output, said)
}

/// New, changed, matched, duplicate, rejected.
fn counts(said: &str) -> Vec<usize> {
    let line = said.lines().find(|line| line.starts_with("members")).unwrap_or_else(|| panic!("no report: {said}"));
    line.split_whitespace().filter_map(|word| word.parse().ok()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_imported_with_the_program_once_however_often_it_is_sent() {
    let dir = tempfile::tempdir().expect("a folder");
    let (data, path) = (dir.path().join("data"), dir.path().join("members.csv"));
    let server = Server::start(&data);
    let groups = groups(&mut server.client(ORG, Role::Admin)).await;
    let mut lines = file(&groups);
    let whole = lines[1_234].clone();
    lines[1_234] = whole.replace("1980", "zq");
    fs::write(&path, lines.join("\n")).expect("a file");
    let (output, said) = typed(&path, &server, &data, &[]);
    assert!(!output.status.success());
    assert!(said.contains("line 1235, column year_of_birth: must be a year"), "{said}");
    let (output, said) = typed(&path, &server, &data, &["--dry-run", "--on-error", "skip"]);
    assert!(output.status.success() && said.contains("nothing was done"), "{said}");
    assert_eq!(counts(&said), [MEMBERS - 1, 0, 0, 0, 1]);
    let (output, said) = typed(&path, &server, &data, &["--on-error", "skip"]);
    assert!(output.status.success(), "{said}");
    assert_eq!(counts(&said), [MEMBERS - 1, 0, 0, 0, 1], "the stopped one and the dry one did nothing: {said}");
    lines[1_234] = whole;
    lines[1] = lines[1].replace("1980", "1981");
    lines.push(",,,zq5@example.org,,,,,".into());
    lines.push(",,,,1990,old,no-group,018f3c7a-0000-7000-8000-000000000099,2026-01-01".into());
    fs::write(&path, lines.join("\n")).expect("a file");
    let (output, said) = typed(&path, &server, &data, &[]);
    assert!(!output.status.success() && said.contains("nothing was imported"), "{said}");
    assert!(said.contains(&format!("line {}, column enrolments", MEMBERS + 3)), "{said}");
    lines.pop();
    fs::write(&path, lines.join("\n")).expect("a file");
    let (output, said) = typed(&path, &server, &data, &[]);
    assert!(output.status.success(), "{said}");
    assert_eq!(counts(&said), [1, 1, MEMBERS - 1, 0, 0], "an e-mail address that is known tells nothing new: {said}");
    let (_, again) = typed(&path, &server, &data, &[]);
    assert_eq!(counts(&again), [0, 0, MEMBERS + 1, 0, 0], "the same file again finds everybody");
    let (output, said) = typed(&path, &server, &data, &["--org", "south-star"]);
    assert!(!output.status.success(), "an organisation is given once: {said}");
}

async fn search(server: &Server, name: &str) -> Vec<String> {
    let mut client = server.client(ORG, Role::Admin);
    loop {
        let answer = client.command(Method::POST, "/v1/members/search", "s", &json!({ "name": name })).await;
        let found = answer.expect("an answer");
        if found.status == 200 {
            let found = found.json();
            let ids = found.as_array().into_iter().flatten().filter_map(|line| line["member"].as_str());
            return ids.map(str::to_owned).collect();
        }
    }
}

/// With a list of names, whoever has the log must not find out who was imported.
#[tokio::test(flavor = "multi_thread")]
async fn ids_of_one_file_are_others_on_each_server_and_the_file_is_known_again() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("members.csv");
    fs::write(&path, "alias\nCanary-one\nCanary-two\n").expect("a file");
    let (mut found, mut again) = (Vec::new(), Vec::new());
    for name in ["a", "b"] {
        let data = dir.path().join(name);
        let server = Server::start(&data);
        let (output, said) = typed(&path, &server, &data, &[]);
        assert!(output.status.success() && counts(&said) == [2, 0, 0, 0, 0], "{said}");
        let (_, said) = typed(&path, &server, &data, &[]);
        again.push(counts(&said));
        let mut ids = search(&server, "canary").await;
        while ids.len() < 2 {
            ids = search(&server, "canary").await;
        }
        found.push(ids);
    }
    assert!(found[0].iter().all(|id| !found[1].contains(id)), "{found:?}");
    assert_eq!(again, [[0, 0, 2, 0, 0], [0, 0, 2, 0, 0]], "the same file again makes nobody twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_file_again_does_what_could_not_be_done_before() {
    let dir = tempfile::tempdir().expect("a folder");
    let (data, path) = (dir.path().join("data"), dir.path().join("members.csv"));
    let server = Server::start(&data);
    let mut client = server.client(ORG, Role::Admin);
    let group = groups(&mut client).await[0];
    let places = async |client: &mut Client, places: u32| {
        let path = format!("/v1/groups/{group}/capacity");
        let body = json!({ "places": places });
        client.command(Method::PUT, &path, &format!("c{places}"), &body).await.expect("an answer").must(204);
    };
    places(&mut client, 1).await;
    let head = "alias,phone,group,starts_on";
    let lines = format!("{head}\nCanary-one,n/a,{group},2026-11-01\nCanary-two,none,{group},2026-11-01\n,,,\n");
    fs::write(&path, lines).expect("a file");
    let (_, said) = typed(&path, &server, &data, &["--on-error", "skip"]);
    assert_eq!(counts(&said), [1, 0, 0, 0, 1], "{said}");
    places(&mut client, 5).await;
    let (_, dry) = typed(&path, &server, &data, &["--dry-run"]);
    let (output, said) = typed(&path, &server, &data, &[]);
    assert!(output.status.success(), "{said}");
    assert_eq!((counts(&said), counts(&dry)), (vec![1, 0, 1, 0, 0], vec![1, 0, 1, 0, 0]), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_done_as_a_whole_is_refused_however_long_it_is() {
    let dir = tempfile::tempdir().expect("a folder");
    let (data, path) = (dir.path().join("data"), dir.path().join("members.csv"));
    let server = Server::start(&data);
    let mut client = server.client(ORG, Role::Admin);
    let group = groups(&mut client).await[0];
    let body = json!({ "places": 10 });
    let places = format!("/v1/groups/{group}/capacity");
    client.command(Method::PUT, &places, "places", &body).await.expect("an answer").must(204);
    let enrolled = |n: &u32| *n <= 8 || *n > 512;
    let line = |n: u32| if enrolled(&n) { format!("Canary{n},{group},2026-11-01\n") } else { format!("Canary{n},,\n") };
    let lines: String = (1..=520).map(line).collect();
    fs::write(&path, format!("alias,group,starts_on\n{lines}")).expect("a file");
    let (output, said) = typed(&path, &server, &data, &[]);
    assert!(!output.status.success() && said.contains("nothing was imported"), "{said}");
    assert_eq!(counts(&said), [514, 0, 0, 0, 6]);
    let (output, said) = typed(&path, &server, &data, &["--on-error", "skip"]);
    assert_eq!((output.status.success(), counts(&said)), (true, vec![514, 0, 0, 0, 6]));
    assert!(said.contains("line 516, column enrolments"), "those first in the file have the places: {said}");
}

/// Members of a file that is cut off in the middle; a count.
const CUT_OFF: usize = 6_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_cut_off_by_a_crash_is_finished_by_sending_it_again() {
    let dir = tempfile::tempdir().expect("a folder");
    let (data, path) = (dir.path().join("data"), dir.path().join("members.csv"));
    let lines: Vec<_> = (0..CUT_OFF).map(|n| format!("Canary{n},zq{n}@example.org")).collect();
    fs::write(&path, format!("alias,email\n{}", lines.join("\n"))).expect("a file");
    let server = Server::start(&data);
    let head = log_position(&server).await;
    let arguments = ["import", "members", path.to_str().expect("a path"), "--org", ORG];
    let url = format!("http://{}", server.address);
    let arguments = [&arguments[..], &["--url", &url]].concat();
    let arguments: Vec<String> = arguments.into_iter().map(str::to_owned).collect();
    let at = data.clone();
    let cut_off = tokio::task::spawn_blocking(move || {
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        process::run(&arguments, &at)
    });
    while log_position(&server).await < head + 500 {}
    server.kill();
    assert!(!cut_off.await.expect("it ended").status.success());
    let server = Server::start(&data);
    let before = usize::try_from(log_position(&server).await - head).expect("a count");
    assert!(before < CUT_OFF, "it was cut off before its end");
    let (output, said) = typed(&path, &server, &data, &[]);
    assert!(output.status.success(), "{said}");
    let counts = counts(&said);
    assert!(counts[0] > 0 && counts[2] > 400 && counts[0] + counts[2] == CUT_OFF, "{said}");
    let (_, said) = typed(&path, &server, &data, &[]);
    assert!(said.contains("6000 matched"), "{said}");
}

/// Where the log ends.
async fn log_position(server: &Server) -> u64 {
    let ready = Client::new(server.ops, "").send(Request::get("/readyz"), Bytes::new()).await.expect("an answer");
    ready.json()["log_position"].as_u64().expect("a position")
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_imports_at_once_the_second_finds_whom_the_first_brought() {
    let world = World::start().await;
    let ada = world.coordinator();
    let lines: Vec<_> = (0..300).map(|n| line(n, &n.to_string(), &format!("{n}@example.org"))).collect();
    let body = json!({ "lines": lines });
    let (one, other) = tokio::join!(ada.post(PATH, body.clone()), ada.post(PATH, body.clone()));
    let (one, other) = (one.must(200).json(), other.must(200).json());
    let mut counts = [(&one["new"], &one["matched"]), (&other["new"], &other["matched"])];
    counts.sort_by_key(|(new, _)| new.as_u64());
    assert_eq!(counts, [(&json!(0), &json!(300)), (&json!(300), &json!(0))]);
    world.must_be_sound().await;
}
