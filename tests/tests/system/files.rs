//! Files of members as people have them: as spreadsheets write them, sent again, mended, in another order.

use std::{collections::BTreeMap, fs, path::Path};

use rand::{RngExt, SeedableRng, rngs::StdRng, seq::SliceRandom};
use serde_json::{Value, json};
use tests::{
    process::{self, Server},
    world::{ORG, World, seed},
};

const PATH: &str = "/v1/imports/members";

/// Runs an import; answers whether it ended well, and what it printed.
fn typed(path: &Path, server: &Server, data: &Path, more: &[&str]) -> (bool, String) {
    let (url, file) = (format!("http://{}", server.address), path.to_str().expect("a path"));
    let arguments = ["import", "members", file, "--org", ORG, "--url", &url];
    let arguments: Vec<_> = arguments.into_iter().chain(more.iter().copied()).collect();
    let output = process::run(&arguments, data);
    let said = [&output.stdout[..], &output.stderr[..]].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

/// New, changed, matched, duplicate, rejected.
fn counts(said: &str) -> Vec<usize> {
    let line = said.lines().find(|line| line.starts_with("members")).unwrap_or_else(|| panic!("no report: {said}"));
    line.split_whitespace().filter_map(|word| word.parse().ok()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_the_same_people_however_a_spreadsheet_writes_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let (data, path) = (dir.path().join("data"), dir.path().join("members.csv"));
    let server = Server::start(&data);
    let text = "Vorname;Nachname;Alias;External-System;EXTERNAL_ID;Notes;Ort;\r\n\
        Jürg;Groß;Jü;old;1;\"mag Tee,\r\nund Kaffee\";Köln;\r\n;;;;;;;\r\nZoë;Peña;Zoë;old;2;;Ulm;\r\n";
    let renamed = ["--columns", "Vorname=given_name,nachname=family_name,Ort="];
    let latin: Vec<u8> = text.chars().map(|c| u8::try_from(u32::from(c)).expect("Latin-1")).collect();
    let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let files = [
        (text.as_bytes().to_vec(), vec![2, 0, 0, 0, 0]),
        (format!("\u{feff}{text}").into_bytes(), vec![0, 0, 2, 0, 0]),
        (format!("sep=;\r\n{text}").into_bytes(), vec![0, 0, 2, 0, 0]),
        (text.replace(';', "\t").into_bytes(), vec![0, 0, 2, 0, 0]),
        (text.replace("\r\n", "\r").into_bytes(), vec![0, 0, 2, 0, 0]),
        ([&b"\xff\xfe"[..], &wide].concat(), vec![0, 0, 2, 0, 0]),
        (latin.clone(), vec![0, 0, 2, 0, 0]),
    ];
    for (bytes, wanted) in files {
        fs::write(&path, &bytes).expect("a file");
        let (well, dry) = typed(&path, &server, &data, &[&renamed[..], &["--dry-run"]].concat());
        assert!(well, "{dry}");
        let (well, said) = typed(&path, &server, &data, &renamed);
        assert!(well && said.contains("1 empty rows"), "{said}");
        assert_eq!((counts(&said), counts(&dry)), (wanted.clone(), wanted), "{said}");
    }
    // An è could be a č.
    let unsure = [&latin[..], b"H\xe9l\xe8ne;Weiss;H;old;3;;;\r\n"].concat();
    fs::write(&path, &unsure).expect("a file");
    let (well, said) = typed(&path, &server, &data, &renamed);
    assert!(!well && said.contains("line 6, column given_name: is not UTF-8: save"), "{said}");
    assert!(said.contains("--encoding windows-1252") && !said.contains("Weiss"), "{said}");
    let (well, said) = typed(&path, &server, &data, &[&renamed[..], &["--encoding", "windows-1252"]].concat());
    assert!(well && said.contains("read as windows-1252"), "{said}");
    assert_eq!(counts(&said), [1, 0, 2, 0, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quote_that_never_closes_ends_badly_and_names_everybody_also_when_lines_are_skipped() {
    let dir = tempfile::tempdir().expect("a folder");
    let (data, path) = (dir.path().join("data"), dir.path().join("members.csv"));
    let server = Server::start(&data);
    fs::write(&path, "alias,notes\nZora,x\nAnn,\"likes tea\nBob,x\nCid,y\n").expect("a file");
    for more in [&[][..], &["--on-error", "skip"]] {
        let (well, said) = typed(&path, &server, &data, more);
        assert!(!well, "{said}");
        for line in 3..=5 {
            assert!(said.contains(&format!("line {line}, column (all): stands after a quote that opens in line 3")));
        }
        assert_eq!(counts(&said), [1, 0, 0, 0, 3], "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_says_what_another_said_is_told_with_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let (data, path) = (dir.path().join("data"), dir.path().join("members.csv"));
    let server = Server::start(&data);
    let lines = "given_name,family_name,email,external_system,external_id\n\
        Ida,Fern,,,\nIda,Fern,,,\nJan,Alder,j@example.org,old,1\nJan,Alder,j@example.org,old,1\n\
        J.,Alder,J@example.org,,\nIda,,,,\nIda,,,,\n";
    fs::write(&path, lines).expect("a file");
    for (more, wanted) in [
        (&["--dry-run", "--on-error", "skip"][..], [4, 0, 0, 2, 1]),
        (&["--on-error", "skip"], [4, 0, 0, 2, 1]),
        (&["--on-error", "skip"], [0, 0, 4, 2, 1]),
    ] {
        let (well, said) = typed(&path, &server, &data, more);
        assert!(well, "{said}");
        for (line, what) in [
            (3, "column (identity): another line says the same (line 2): left out"),
            (5, "column external_id: line 4 says the same"),
        ] {
            assert!(said.contains(&format!("line {line}, {what}")), "{line}: {said}");
        }
        assert_eq!(counts(&said), wanted, "{said}");
    }
}

/// A line of a random file: with few names, addresses and ids, so that lines meet.
fn line(number: u32, chance: &mut StdRng, meets: bool) -> Value {
    let mut one = |among: u32| if meets { chance.random_range(0..among) } else { number };
    let mut profile = json!({ "alias": format!("A{}", one(4)) });
    if one(2) != 0 {
        profile["email"] = format!("m{}@example.org", one(6)).into();
    }
    if one(3) != 0 {
        profile["external_ids"] = json!([{ "system": "old", "value": format!("x{}", one(8)) }]);
    }
    if one(2) != 0 {
        profile["given_name"] = format!("Given {}", one(3)).into();
        profile["family_name"] = format!("Family {}", one(3)).into();
        profile["year_of_birth"] = (1950 + one(2) % 60).into();
    }
    json!({ "line": number, "profile": profile })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_of_any_file_says_what_the_run_does() {
    let (world, mut chance) = (World::start().await, StdRng::seed_from_u64(seed()));
    let (admin, group) = (world.admin(), world.group().await);
    admin.put(&format!("/v1/groups/{group}/capacity"), json!({ "places": 12 })).await.must(204);
    for round in 0..30 {
        let length = chance.random_range(1..30);
        let mut lines: Vec<_> = (1..=length).map(|number| line(number, &mut chance, true)).collect();
        for line in &mut lines {
            if chance.random_range(0..3) == 0 {
                line["enrolments"] = json!([{ "group": group, "starts_on": "2026-01-01" }]);
            }
        }
        let duplicates = if chance.random_range(0..2) == 0 { "report" } else { "import" };
        let file = |dry_run: bool| json!({ "dry_run": dry_run, "file": format!("file {round}"), "duplicates": duplicates, "lines": lines });
        let dry = admin.post(PATH, file(true)).await.must(200).json();
        let done = admin.post(PATH, file(false)).await.must(200).json();
        assert_eq!(dry["lines"], done["lines"], "round {round}");
    }
    world.must_be_sound().await;
}

/// Who each line is about, and what became of it, by what it says.
fn people(report: &Value, lines: &[Value]) -> BTreeMap<String, String> {
    let by_number: BTreeMap<_, _> =
        lines.iter().map(|line| (line["line"].as_u64(), line["profile"].to_string())).collect();
    let lines = report["lines"].as_array().expect("lines");
    lines
        .iter()
        .map(|line| (by_number[&line["line"].as_u64()].clone(), format!("{} {}", line["became"], line["member"])))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_order_of_lines_that_do_not_meet_makes_no_difference() {
    let (world, mut chance) = (World::start().await, StdRng::seed_from_u64(seed()));
    for org in ["one", "two", "three", "four"] {
        let admin = world.admin_of(org);
        let mut lines: Vec<_> = (1..40).map(|number| line(number, &mut chance, false)).collect();
        let body = |lines: &[Value], dry_run: bool| json!({ "file": "f", "dry_run": dry_run, "lines": lines });
        let first = admin.post(PATH, body(&lines, true)).await.must(200).json();
        let wanted = people(&first, &lines);
        lines.shuffle(&mut chance);
        for (n, line) in lines.iter_mut().enumerate() {
            line["line"] = (n + 2).into();
        }
        let done = admin.post(PATH, body(&lines, false)).await.must(200).json();
        assert_eq!(people(&done, &lines), wanted);
        assert_eq!(done["new"], 39);
        world.settle().await;
        for (line, said) in lines.iter().zip(done["lines"].as_array().expect("lines")).take(5) {
            let member = said["member"].as_str().expect("a member");
            let profile = admin.get(&format!("/v1/members/{member}")).await.must(200).json()["profile"].clone();
            assert_eq!(profile["alias"], line["profile"]["alias"], "each line is whom it speaks of");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_file_with_all_columns_explained_is_nobody_and_takes_members() {
    let dir = tempfile::tempdir().expect("a folder");
    let (data, path) = (dir.path().join("data"), dir.path().join("members.csv"));
    let help = process::run(&["import", "members", "--help"], dir.path());
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    let printed = process::run(&["import", "members", "--template"], dir.path());
    assert!(printed.status.success() && !help.is_empty());
    let template = String::from_utf8(printed.stdout).expect("text");
    let columns: Vec<_> = template.lines().next().expect("a line").split(',').collect();
    assert!(columns.contains(&"external_id") && columns.iter().all(|column| help.contains(column)), "{help}");
    let options = ["--separator", "--encoding", "--columns", "--template", "--dry-run", "--on-error", "--duplicates"];
    assert!(options.iter().all(|option| help.contains(option)), "{help}");
    let without = process::run(&["import", "members"], dir.path());
    assert!(!without.status.success(), "a file and an organisation are needed");
    let server = Server::start(&data);
    fs::write(&path, &template).expect("a file");
    let (well, said) = typed(&path, &server, &data, &[]);
    assert!(well && said.contains("1 rows that explain columns"), "{said}");
    assert_eq!(counts(&said), [0, 0, 0, 0, 0]);
    fs::write(&path, format!("{template}Bee{}\r\n", ",".repeat(columns.len() - 1))).expect("a file");
    let (well, said) = typed(&path, &server, &data, &[]);
    assert!(well, "{said}");
    assert_eq!(counts(&said), [1, 0, 0, 0, 0]);
}
