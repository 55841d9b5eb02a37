//! Check-ins of the past from a file: over HTTP, and as `kith import check-ins` is typed.

use std::{collections::BTreeMap, fmt::Write, fs, path::Path};

use domain::MemberId;
use hyper::Method;
use serde_json::{Value, json};
use tests::{
    process::{self, Server},
    world::{Actor, ORG, World},
};
use web::Role;

const PATH: &str = "/v1/imports/check-ins";

/// An organisation that uses the PHQ-9, with one member of two external ids.
async fn place(world: &World) -> (Actor, MemberId) {
    let admin = world.admin();
    admin.put("/v1/duty-seat", json!({ "holder": "ann" })).await.must(204);
    admin.put("/v1/crisis-texts/en", json!({ "text": "Call 116 123" })).await.must(204);
    admin.put("/v1/instruments/phq-9/use", json!({ "version": 1 })).await.must(204);
    let ids = json!([{ "system": "old", "value": "1" }, { "system": "crm", "value": "77" }]);
    let bee = admin.register(json!({ "alias": "Bee", "external_ids": ids })).await;
    (admin, bee)
}

/// A line about whom the old system calls so; all but the last question are answered with 1.
fn line(number: u32, external: &str, on: &str, last: Value) -> Value {
    let mut answers: serde_json::Map<_, _> = (1..=8).map(|n: u8| (n.to_string(), json!(1))).collect();
    answers.insert("9".into(), last);
    json!({ "line": number, "external_id": { "system": "old", "value": external }, "instrument": "phq-9", "on": on,
        "given": { "answers": answers } })
}

fn stated(number: u32, external: &str, on: &str, total: u32) -> Value {
    let mut line = line(number, external, on, json!(0));
    line["given"] = json!({ "stated": { "total": total } });
    line
}

async fn import(actor: &Actor, body: Value) -> Value {
    actor.post(PATH, body).await.must(200).json()
}

fn became(report: &Value) -> Vec<&str> {
    report["lines"].as_array().expect("lines").iter().map(|line| line["became"].as_str().expect("a word")).collect()
}

async fn check_ins(world: &World, member: MemberId) -> Vec<Value> {
    world.settle().await;
    let journey = world.admin().get(&format!("/v1/members/{member}/journey")).await.must(200).json();
    journey["check_ins"].as_array().expect("check-ins").clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_is_new_matched_a_duplicate_of_nobody_or_rejected_and_says_why_without_its_values() {
    let world = World::start().await;
    let (_, bee) = place(&world).await;
    let ada = world.coordinator();
    let mut strange = line(9, "1", "2025-01-01", json!(0));
    strange["instrument"] = "zqzq".into();
    let mut other_version = line(10, "1", "2025-01-01", json!(0));
    other_version["version"] = 7.into();
    let mut by_id = line(11, "1", "2025-05-01", json!(0));
    (by_id["member"], by_id["external_id"]) = (json!(bee), json!({ "system": "CRM", "value": "77" }));
    let lines = json!([
        line(2, "1", "2025-03-01", json!(0)),
        line(3, "1", "2025-03-01", json!(0)),
        line(4, "1", "2025-03-01", json!("declined")),
        line(5, "zq", "2025-03-01", json!(0)),
        line(6, "1", "2025-03-02", json!(7)),
        line(7, "1", "2026-06-03", json!(0)),
        line(8, "1", "1900-01-01", json!(0)),
        strange,
        other_version,
        by_id,
        stated(12, "1", "2025-06-01", 27),
        stated(13, "1", "2025-06-02", 28),
    ]);
    let dry = import(&ada, json!({ "dry_run": true, "lines": lines })).await;
    let before = world.events().await.len();
    let report = import(&ada, json!({ "lines": lines })).await;
    assert_eq!(dry["lines"], report["lines"]);
    let expected = [
        "new",
        "duplicate",
        "duplicate",
        "unmatched",
        "rejected",
        "rejected",
        "rejected",
        "rejected",
        "rejected",
        "new",
        "new",
        "rejected",
    ];
    assert_eq!(became(&report), expected, "{report}");
    assert_eq!((&report["lines"][1]["other_line"], &report["lines"][2]["other_line"]), (&json!(2), &json!(2)));
    let fields: Vec<_> = [4, 5, 6, 7, 8, 11].iter().map(|n: &usize| report["lines"][*n]["field"].clone()).collect();
    assert_eq!(fields, ["given.answers.9", "on", "on", "instrument", "version", "given.stated.total"]);
    assert!(!report.to_string().contains("zq"), "{report}");
    assert_eq!(world.events().await.len(), before + 4, "three check-ins, and who was shown");

    let again = import(&ada, json!({ "lines": lines })).await;
    assert_eq!(became(&again)[..3], ["matched", "matched", "duplicate"], "{again}");
    assert_eq!((&again["matched"], &again["new"]), (&json!(4), &json!(0)));
    let asked = import(&ada, json!({ "duplicates": "import", "lines": lines })).await;
    assert_eq!(became(&asked)[..3], ["matched", "matched", "new"], "another one of the day, if it is asked for");
    let known = check_ins(&world, bee).await;
    let days: Vec<_> = known.iter().map(|line| line["on"].as_str().expect("a day")).collect();
    assert_eq!(days, ["2025-03-01", "2025-03-01", "2025-05-01", "2025-06-01"]);
    assert_eq!(known[0]["entered_by"], json!({ "imported": "coordinator" }));
    assert_eq!(known[3]["given"], json!({ "stated": { "total": 27 } }));
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_line_that_cannot_be_done_stops_the_file_if_it_is_asked_and_the_file_can_be_sent_again() {
    let world = World::start().await;
    let (admin, _) = place(&world).await;
    let lines = json!([line(2, "1", "2025-03-01", json!(0)), line(3, "2", "2025-03-01", json!(0))]);
    let body = json!({ "on_error": "stop", "lines": lines });
    let send = async || admin.command(Method::POST, PATH, "once", &body).await.must(200);
    let stopped = send().await.json();
    assert_eq!((&stopped["stopped"], &stopped["unmatched"]), (&json!(true), &json!(1)));
    assert!(!world.events().await.iter().any(|event| &*event.event_type == "check_in.recorded"));
    admin.register(json!({ "alias": "Cem", "external_ids": [{ "system": "old", "value": "2" }] })).await;
    let done = send().await;
    assert_eq!((done.json()["new"].clone(), done.json()["stopped"].clone()), (json!(2), json!(false)));
    let again = send().await;
    assert!(again.replayed());
    assert_eq!(again.json()["lines"], done.json()["lines"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_these_days_that_speaks_of_danger_raises_a_concern_and_an_old_one_is_told() {
    let world = World::start().await;
    let (admin, bee) = place(&world).await;
    let lines = json!([
        line(2, "1", "2026-05-20", json!(2)),
        line(3, "1", "2026-05-19", json!("declined")),
        line(4, "1", "2024-05-20", json!(2)),
        line(5, "1", "2024-05-19", json!(0)),
    ]);
    let body = json!({ "lines": lines });
    let first = admin.command(Method::POST, PATH, "once", &body).await.must(200).json();
    let remarks: Vec<_> = (0..4).map(|n| first["lines"][n]["remark"].as_str().unwrap_or_default().to_owned()).collect();
    assert!(remarks[0].contains("a concern is raised") && remarks[2].contains("no concern is raised"), "{remarks:?}");
    assert_eq!((remarks[1].as_str(), remarks[3].as_str()), ("", ""));
    world.settle().await;
    let concerns = admin.pages("/v1/concerns", 50).await;
    let urgencies: Vec<_> = concerns.iter().map(|concern| concern["urgency"].as_str().expect("one")).collect();
    assert_eq!(urgencies, ["prompt", "routine"]);
    let again = admin.command(Method::POST, PATH, "once", &body).await.must(200);
    assert!(again.replayed() && !again.json().to_string().contains("danger"), "what is kept does not tell");
    let sent = import(&admin, body).await;
    assert!(sent["lines"][2]["remark"].is_string(), "sent as another import, it tells again: {sent}");
    world.settle().await;
    assert_eq!(admin.pages("/v1/concerns", 50).await.len(), 2);
    assert_eq!(check_ins(&world, bee).await.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merged_person_is_one_and_an_erased_one_is_nobody() {
    let world = World::start().await;
    let (admin, bee) = place(&world).await;
    let second = admin.register(json!({ "external_ids": [{ "system": "old", "value": "2" }] })).await;
    let of_second = json!({ "lines": [line(2, "2", "2025-03-01", json!(0))] });
    assert_eq!(became(&import(&admin, of_second.clone()).await), ["new"]);
    admin.post(&format!("/v1/members/{second}/merge"), json!({ "into": bee })).await.must(204);
    let report = import(&admin, of_second.clone()).await;
    assert_eq!((became(&report), &report["lines"][0]["member"]), (vec!["matched"], &json!(bee)));
    let of_first = json!({ "lines": [line(2, "1", "2025-03-01", json!(1)), line(3, "2", "2025-03-02", json!(1))] });
    let report = import(&admin, of_first).await;
    assert_eq!((became(&report), &report["lines"][1]["member"]), (vec!["duplicate", "new"], &json!(bee)));
    assert_eq!(check_ins(&world, bee).await.len(), 2);
    admin.put(&format!("/v1/members/{bee}/restriction"), json!({ "restricted": true })).await.must(204);
    let restricted = import(&admin, of_second.clone()).await;
    assert_eq!((became(&restricted), &restricted["lines"][0]["field"]), (vec!["rejected"], &json!("member")));
    admin.post(&format!("/v1/members/{bee}/erasure"), Value::Null).await.must(200);
    assert_eq!(became(&import(&admin, of_second).await), ["unmatched"], "as if they had never been here");
    let mut by_id = line(2, "1", "2025-03-01", json!(0));
    by_id["member"] = json!(bee);
    by_id.as_object_mut().expect("a line").remove("external_id");
    assert_eq!(became(&import(&admin, json!({ "lines": [by_id] })).await), ["unmatched"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_back_does_not_come_again_with_the_file_and_its_correction_does() {
    let world = World::start().await;
    let (admin, bee) = place(&world).await;
    let file = |last: u8| json!({ "lines": [line(2, "1", "2025-03-01", json!(last))] });
    let first = import(&admin, file(0)).await;
    let id = first["lines"][0]["check_in"].as_str().expect("an id").to_owned();
    let path = format!("/v1/members/{bee}/check-ins/{id}/entered-in-error");
    admin.post(&path, json!({ "reason": "another person's" })).await.must(204);
    assert_eq!(became(&import(&admin, file(0)).await), ["duplicate"]);
    let right = import(&admin, file(1)).await;
    assert_eq!(became(&right), ["new"]);
    assert_ne!(right["lines"][0]["check_in"], json!(id));
    assert_eq!(check_ins(&world, bee).await.len(), 1);
}

/// Lines of a file that was three batches when batches were planned alone; a count.
const LINES: u32 = 1_600;

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_says_of_each_line_what_the_run_does_however_long_the_file_is() {
    let world = World::start().await;
    let (admin, _) = place(&world).await;
    let people: Vec<_> = (0..100)
        .map(|n| json!({ "line": n, "profile": { "external_ids": [{ "system": "old", "value": format!("p{n}") }] } }))
        .collect();
    let registered = admin.post("/v1/imports/members", json!({ "lines": people })).await.must(200).json();
    assert_eq!(registered["new"], 100);
    let lines: Vec<_> = (0..LINES)
        .map(|n| {
            // Every day comes seven times over the whole file, with two different answers; some are nobody's or wrong.
            let (person, day) = (n % 103, 1 + n / 103 % 2);
            line(n, &format!("p{person}"), &format!("2025-03-0{day}"), json!(if n % 97 == 0 { 9 } else { n / 800 }))
        })
        .collect();
    let dry = import(&admin, json!({ "dry_run": true, "lines": lines })).await;
    let done = import(&admin, json!({ "lines": lines })).await;
    assert_eq!(dry["lines"], done["lines"]);
    for count in ["new", "duplicate", "unmatched", "rejected"] {
        assert!(done[count].as_u64().expect("a count") > 15, "{count}: {}", done[count]);
        assert_eq!(dry[count], done[count]);
    }
    let again = import(&admin, json!({ "lines": lines })).await;
    assert_eq!((&again["new"], &again["unmatched"]), (&json!(0), &done["unmatched"]));
    world.must_be_sound().await;
}

/// Runs `kith import`; answers whether it went well, and what it said.
fn typed(kind: &str, path: &Path, server: &Server, data: &Path, more: &[&str]) -> (bool, String) {
    let url = format!("http://{}", server.address);
    let arguments = ["import", kind, path.to_str().expect("a path"), "--org", ORG, "--url", &url];
    let output = process::run(&[&arguments[..], more].concat(), data);
    let said = [&output.stdout[..], &output.stderr[..]].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/beat-the-blues.csv");
const SUMS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/beat-the-blues-sums.json");
/// How the trial's file is read, as the guide says.
fn reading() -> Vec<&'static str> {
    let guide = include_str!("../../../deploy/guides/check-ins.md");
    let said = guide.split_once("beat-the-blues.csv --org north-star").and_then(|(_, rest)| rest.split_once("```"));
    let (options, _) = said.expect("the guide reads the trial");
    // Every second part is in quotes.
    let parts = options.split('"').enumerate();
    let words = parts.flat_map(|(n, part)| if n % 2 == 1 { vec![part] } else { part.split_whitespace().collect() });
    words.filter(|word| *word != "\\").collect()
}

/// The days of these times.
const TIMES: [(&str, &str); 5] = [
    ("bdi_pre", "2001-01-31"),
    ("bdi_2m", "2001-03-31"),
    ("bdi_4m", "2001-05-31"),
    ("bdi_6m", "2001-07-31"),
    ("bdi_8m", "2001-09-30"),
];

/// Count, mean and standard deviation of the sample, as `beat-the-blues-sums.py` shows them.
fn sums(values: &[f64]) -> Value {
    #[allow(clippy::cast_precision_loss)] // a hundred
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    json!({ "n": values.len(), "mean": format!("{mean:.6}"), "sd": format!("{:.6}", (squares / (n - 1.0)).sqrt()) })
}

/// The score of each day, of everybody on these journeys.
type Journeys = Vec<BTreeMap<String, f64>>;

fn of(journeys: &Journeys) -> Value {
    let at = |day: &str| journeys.iter().filter_map(|journey| journey.get(day).copied()).collect::<Vec<_>>();
    let first = TIMES[0].1;
    let change = |journey: &BTreeMap<String, f64>, day: &str| Some(journey.get(day)? - journey.get(first)?);
    let changes = |day: &str| journeys.iter().filter_map(|journey| change(journey, day)).collect::<Vec<_>>();
    let scores: serde_json::Map<_, _> = TIMES.iter().map(|(name, day)| ((*name).into(), sums(&at(day)))).collect();
    let changes: serde_json::Map<_, _> =
        TIMES[1..].iter().map(|(name, day)| ((*name).into(), sums(&changes(day)))).collect();
    json!({ "scores": scores, "changes": changes })
}

/// Scores by day, as the API shows them.
async fn journey(client: &mut tests::http::Client, member: &str, after: u64) -> BTreeMap<String, f64> {
    let path = format!("/v1/members/{member}/journey");
    let shown = client.get(&path, after).await.expect("an answer").ok().expect("a journey").json();
    let all = shown["check_ins"].as_array().expect("check-ins").iter();
    let score = |line: &Value| line["scored"]["scores"]["total"]["scored"]["value"].as_f64().expect("a whole score");
    all.map(|line| (line["on"].as_str().expect("a day").to_owned(), score(line))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trial_comes_in_as_it_was_published_and_its_sums_are_those_that_others_compute() {
    let dir = tempfile::tempdir().expect("a folder");
    let (data, members) = (dir.path().join("data"), dir.path().join("members.csv"));
    let server = Server::start(&data);
    let published = fs::read_to_string(FILE).expect("the trial");
    let patients: Vec<Vec<&str>> = published.lines().skip(1).map(|line| line.split(',').collect()).collect();
    let mut lines = "external_system,external_id,alias\n".to_owned();
    for patient in &patients {
        let _ = writeln!(lines, "trial,{},Patient {}", patient[0], patient[0]); // text takes all
    }
    fs::write(&members, lines).expect("a file");
    let (well, said) = typed("members", &members, &server, &data, &[]);
    assert!(well && said.contains("     100 new"), "{said}");

    let file = Path::new(FILE);
    let (well, dry) = typed("check-ins", file, &server, &data, &[&reading()[..], &["--dry-run"]].concat());
    let (done, said) = typed("check-ins", file, &server, &data, &reading());
    assert!(well && done, "{dry}{said}");
    assert!(
        said.contains("     380 new        0 matched        0 duplicate        0 unmatched        0 rejected"),
        "{said}"
    );
    assert_eq!(dry.replace("dry run: nothing was done\n", ""), said);
    let (_, again) = typed("check-ins", file, &server, &data, &reading());
    assert!(again.contains("       0 new      380 matched"), "{again}");

    let mut admin = server.client(ORG, Role::Admin);
    let who: Vec<_> = (0..).zip(&patients).map(|(n, patient)| {
        json!({ "line": n, "profile": { "external_ids": [{ "system": "trial", "value": patient[0] }] } })
    }).collect();
    let who = admin.command(Method::POST, "/v1/imports/members", "who", &json!({ "lines": who })).await;
    let who = who.expect("an answer").ok().expect("all are here");
    let (after, who) = (who.position.expect("a position"), who.json());
    let mut treated: BTreeMap<&str, Journeys> = BTreeMap::new();
    for (n, patient) in patients.iter().enumerate() {
        let member = who["lines"][n]["member"].as_str().expect("a member");
        let journey = journey(&mut admin, member, after).await;
        treated.entry(patient[3]).or_default().push(journey.clone());
        treated.entry("all").or_default().push(journey);
    }
    let computed: Value = treated.iter().map(|(name, journeys)| ((*name).to_owned(), of(journeys))).collect();
    let sums: Value = serde_json::from_str(&fs::read_to_string(SUMS).expect("sums")).expect("JSON");
    assert_eq!(computed, sums);
}

#[test]
fn the_program_says_how_a_file_of_check_ins_is_read() {
    let help = process::run(&["import", "check-ins", "--help"], Path::new("."));
    let said = String::from_utf8_lossy(&help.stdout).into_owned();
    let options = ["--dry-run", "--on-error", "--duplicates", "--set", "--column", "--time", "--ignore"];
    assert!(help.status.success() && options.iter().all(|option| said.contains(option)), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_file_is_all_said_at_once_by_its_own_columns() {
    let dir = tempfile::tempdir().expect("a folder");
    let (data, path) = (dir.path().join("data"), dir.path().join("scores.csv"));
    let server = Server::start(&data);
    let mut admin = server.client(ORG, Role::Admin);
    let who = json!({ "profile": { "external_ids": [{ "system": "old", "value": "1" }] } });
    admin.command(Method::POST, "/v1/members", "who", &who).await.expect("an answer").must(201);
    let lines = "external_system,external_id,instrument,version,taken_on,score,answer.9\n\
        old,1,phq-9,1,2025-01-01,zqzq,\nold,1,phq-9,1,2025-01-02,28,\nold,zqzq,phq-9,1,2025-01-03,8,\n\
        old,1,phq-9,1,2025-01-04,,7\nold,1,phq-9,1,2025-01-05,8,\nold,1,phq-9,1,2025-01-05,9,\n\
        old,1,phq-9,1,2025-01-06,,3\n";
    fs::write(&path, lines).expect("a file");
    let (well, said) = typed("check-ins", &path, &server, &data, &[]);
    for (line, column, what) in [
        (2, "score", "must be a number"),
        (3, "score", "`total` must be 0 to 27"),
        (4, "external_id", "nobody is here"),
        (5, "answer.9", "`9` must be 0 to 3"),
        (7, "taken_on", "another line is of the same day (line 6): left out"),
        (8, "score, answer.…", "no concern is raised for it now"),
    ] {
        let begins = format!("line {line}, column {column}: ");
        let found = said.lines().find(|said| said.starts_with(&begins)).unwrap_or_else(|| panic!("{begins}{said}"));
        assert!(found.contains(what), "{found}");
    }
    assert!(!well && said.contains("nothing was imported") && !said.contains("zqzq"), "{said}");
    assert!(said.contains("2 new        0 matched        1 duplicate        1 unmatched        3 rejected"), "{said}");
    let (well, said) = typed("check-ins", &path, &server, &data, &["--on-error", "skip"]);
    assert!(well && said.contains("2 new        0 matched        1 duplicate        1 unmatched"), "{said}");
}
