//! `kith suppress` and `kith attack` as they are typed.

use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Output, Stdio},
};

use serde_json::{Value, json};
use tests::process;

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../services/disclosure-control/tests/data");

/// Runs `kith` in a folder, with something to read.
fn run(folder: &Path, arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(process::program());
    command.current_dir(folder).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("kith can be run");
    let written = child.stdin.take().expect("it is piped").write_all(input.as_bytes());
    // Whoever refuses before it has read all closes the pipe.
    drop(written);
    child.wait_with_output().expect("it ends")
}

#[track_caller]
fn said(output: &Output, code: i32) -> String {
    let (said, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{said}{error}");
    if code == 2 { error.into_owned() } else { said.into_owned() }
}

/// What of `found` the other value has as well.
fn like(found: &Value, expected: &Value) -> Value {
    match (found, expected) {
        (Value::Object(found), Value::Object(expected)) => {
            let part =
                |(key, of): (&String, &Value)| (key.clone(), found.get(key).map_or(Value::Null, |it| like(it, of)));
            Value::Object(expected.iter().map(part).collect())
        }
        (Value::Array(found), Value::Array(expected)) if found.len() == expected.len() => {
            found.iter().zip(expected).map(|(it, of)| like(it, of)).collect()
        }
        _ => found.clone(),
    }
}

#[test]
fn an_attack_finds_what_releases_give_away_alone_and_together() {
    let folder = format!("{DATA}/corpus");
    let expected: Value =
        serde_json::from_slice(&fs::read(format!("{folder}/expected.json")).expect("the file")).expect("JSON");
    let attack = |names: &[&str]| run(Path::new(&folder), &[&["attack", "--json", "--same-facts"], names].concat(), "");
    let cases: [(&[&str], i32); 3] = [
        (&["small-0-k1"], 0),
        (&["small-0-primary", "small-0-gauss-marks"], 1),
        (&["small-0-k1", "small-1-ledger"], 1),
    ];
    for (names, code) in cases {
        let found: Value = serde_json::from_str(&said(&attack(names), code)).expect("JSON");
        let found = found.as_object().expect("by name");
        assert!(found.contains_key(&names.join("+")) && names.iter().all(|name| found.contains_key(*name)));
        for (name, found) in found {
            let Some(expected) = expected.get(name) else { continue };
            assert_eq!(&like(found, expected), expected, "{name}");
        }
    }
}

#[test]
fn every_command_of_the_guide_to_attacks_prints_what_the_guide_says() {
    let guide = include_str!("../../../deploy/guides/attack.md");
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("spring")).expect("made");
    let (mut answer, mut commands) = (String::new(), 0);
    // Every second part is in a fence.
    for block in guide.split("```").skip(1).step_by(2) {
        let (kind, text) = block.split_once('\n').expect("a fence has a kind");
        match kind {
            "csv" => fs::write(folder.path().join("spring/people.csv"), text).expect("written"),
            "json" => fs::write(folder.path().join("spring/release.json"), text).expect("written"),
            "sh" => {
                let words: Vec<&str> = text.split_whitespace().skip(1).collect();
                let output = run(folder.path(), &words, "");
                commands += 1;
                answer = said(&output, i32::from(commands == 1));
            }
            "text" => assert_eq!(answer, text),
            other => panic!("a fence of the kind {other}"),
        }
    }
    assert_eq!(commands, 2);
}

#[test]
fn tables_that_cannot_be_read_or_contradict_each_other_are_refused_with_the_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let release = |file: &str| {
        json!({"format": 1, "threshold": 5, "dimensions": {"area": {"codes": {"Elm": ["Elm"], "Dale": ["Dale"]}}},
            "measures": {"people": {}}, "tables": [{"file": file, "measure": "people", "dims": ["area"]}]})
    };
    let attack = |manifest: &Value, table: &str| {
        fs::write(folder.path().join("release.json"), manifest.to_string()).expect("written");
        fs::write(folder.path().join("people.csv"), table).expect("written");
        said(&run(folder.path(), &["attack", "."], ""), 2)
    };
    let good = release("people.csv");
    let why = attack(&good, "area,value\r\nElm,3\r\nDale,\"1,234\"\r\n");
    assert!(why.contains("people.csv, line 3: `1,234` is no number: write 1234"), "{why}");
    let why = attack(&good, "area,value\nElm,3\nDale,4\nTotal,8\n");
    assert!(why.contains("contradict each other") && why.contains("overlapping"), "{why}");
    let why = attack(&release("../../etc/passwd"), "");
    assert!(why.contains("`../../etc/passwd` is no table's `file`"), "{why}");
    said(&run(folder.path(), &["attack"], ""), 2);
    said(&run(folder.path(), &["attack", "elsewhere"], ""), 2);
}

#[test]
fn a_pattern_that_suppress_makes_is_one_that_attack_finds_nothing_in() {
    let folder = Path::new(DATA).join("disclosure");
    let pattern = said(&run(&folder, &["suppress", "z2-max3.json", "--json"], ""), 0);
    let problem = fs::read_to_string(folder.join("z2-max3.json")).expect("the file");
    assert_eq!(said(&run(&folder, &["suppress", "-", "--json", "--singletons"], &problem), 0), pattern);
    let attack = ["attack", "--problem", "z2-max3.json", "-"];
    said(&run(&folder, &attack, &pattern), 0);
    let pattern: Value = serde_json::from_str(&pattern).expect("JSON");
    let bare = json!({"primary": pattern["primary"], "secondary": []}).to_string();
    let answer = said(&run(&folder, &attack, &bare), 1);
    assert!(answer.contains("are revealed exactly by shown ones: "), "{answer}");
    for wrong in [r#"{"primary": [100], "secondary": []}"#, r#"{"primary": [0]}"#, "{}{}", ""] {
        said(&run(&folder, &attack, wrong), 2);
    }
}

#[test]
fn what_was_published_before_is_not_hidden_by_suppress() {
    let cell = |atoms: Value, value: u32| json!({"atoms": atoms, "value": value});
    let mut problem = json!({"atoms": 2, "candidates": [0, 1], "primary": [2], "forced": [0, 1],
        "cells": [cell(json!([[0, 1], [1, 1]]), 9), cell(json!([[0, 1]]), 7), cell(json!([[1, 1]]), 2)]});
    let folder = Path::new(DATA);
    let answer = said(&run(folder, &["suppress", "-"], &problem.to_string()), 1);
    assert!(answer.contains("follow from what was published before"), "{answer}");
    problem["primary"] = json!([3]);
    let why = said(&run(folder, &["suppress", "-"], &problem.to_string()), 2);
    assert!(why.contains("`primary` has cell 3, but there are only 3 cells, from 0"), "{why}");
    problem["cells"] = json!([{"value": 3}]);
    let why = said(&run(folder, &["suppress", "-"], &problem.to_string()), 2);
    assert!(why.contains("the standard input: cells[0]: missing field `atoms`"), "{why}");
}
