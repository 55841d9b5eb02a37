//! Exported releases, safe and leaking: found is what is known to be there.
use disclosure_control::attack::{attack, differences};
use disclosure_control::release::{Manifest, Release};
use serde_json::{Value, json};

fn release(name: &str) -> Release {
    let folder = format!("{}/tests/data/corpus/{name}", env!("CARGO_MANIFEST_DIR"));
    let read = |file: &str| std::fs::read(format!("{folder}/{file}")).unwrap();
    let manifest = Manifest::read(&read("release.json")).unwrap();
    let tables: Vec<_> = manifest.tables.iter().map(|table| table.read(&manifest, &read(&table.file)).unwrap()).collect();
    Release::new(manifest, &tables).unwrap()
}

#[test]
fn an_attack_finds_exactly_what_each_release_gives_away() {
    let expected = std::fs::read(format!("{}/tests/data/corpus/expected.json", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let expected: serde_json::Map<String, Value> = serde_json::from_slice(&expected).unwrap();
    for (name, expected) in expected {
        let begun = std::time::Instant::now();
        let mut releases: Vec<Release> = name.split('+').map(release).collect();
        let differ: Vec<_> = releases.windows(2).map(|two| differences(&two[0], &two[1])).collect();
        if releases.len() > 1 {
            releases = releases.into_iter().enumerate().map(|(at, release)| release.apart(at)).collect();
        }
        let found = attack(&releases, 2).unwrap_or_else(|error| panic!("{name}: {error}"));
        eprintln!("{name}: {:?}", begun.elapsed());
        let level = |found: &disclosure_control::attack::Found| json!({"exact": found.exact, "exact_small": found.exact_small, "narrow": found.narrow, "min_width": found.min_width});
        let mut got = json!({
            "exit": i32::from(!found.is_safe()), "cells": found.cells, "hidden": found.hidden, "span": found.span,
            "K0": level(&found.k0), "K1": level(&found.k1), "K2": level(&found.k2), "differences": [],
        });
        if !differ.is_empty() {
            got["differences"] = differ.iter().map(|d| json!({"releases": d.releases, "cells_in_both": d.cells_in_both, "small_changes": d.small_changes, "hidden_in_one_shown_in_other": d.hidden_in_one_shown_in_other})).collect();
        }
        assert_eq!(got, expected, "{name}");
        for how in &found.how { eprintln!("  {} = {:?} by {:?} / {}", how.cell, how.value, how.combination, how.divided_by); }
    }
}
