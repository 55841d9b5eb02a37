//! Exported releases, safe and leaking: found is what is known to be there.

use std::collections::BTreeMap;

use disclosure_control::attack::{Differences, Findings, Found, How, attack, differences};
use disclosure_control::release::{Key, Manifest, Release};
use serde_json::{Map, Value, json};

fn read(file: &str) -> Vec<u8> {
    let path = format!("{}/tests/data/corpus/{file}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn release(name: &str) -> Release {
    let manifest = Manifest::read(&read(&format!("{name}/release.json"))).expect(name);
    let table = |table: &disclosure_control::release::Table| {
        table.read(&manifest, &read(&format!("{name}/{}", table.file))).expect(name)
    };
    let tables: Vec<_> = manifest.tables.iter().map(table).collect();
    Release::new(manifest, &tables).expect(name)
}

/// The releases of a name such as `one+other`, each as it is beside the others.
fn releases(name: &str) -> Vec<Release> {
    let all: Vec<Release> = name.split('+').map(release).collect();
    let alone = all.len() == 1;
    let apart = |(at, release): (usize, Release)| if alone { release } else { release.apart(at) };
    all.into_iter().enumerate().map(apart).collect()
}

fn expected() -> Map<String, Value> {
    serde_json::from_slice(&read("expected.json")).expect("JSON")
}

fn level(found: &Found) -> Value {
    let Found { exact, exact_small, narrow, min_width, .. } = found;
    json!({"exact": exact, "exact_small": exact_small, "narrow": narrow, "min_width": min_width})
}

fn as_expected(found: &Findings, differ: &[Differences]) -> Value {
    let differences = differ.iter().map(|differ| {
        let Differences { releases, cells_in_both, small_changes, hidden_in_one_shown_in_other, .. } = differ;
        json!({"releases": releases, "cells_in_both": cells_in_both, "small_changes": small_changes,
            "hidden_in_one_shown_in_other": hidden_in_one_shown_in_other})
    });
    json!({"exit": i32::from(!found.is_safe()), "cells": found.cells, "hidden": found.hidden, "span": found.span,
        "K0": level(&found.k0), "K1": level(&found.k1), "K2": level(&found.k2),
        "differences": differences.collect::<Vec<_>>()})
}

#[test]
fn an_attack_finds_exactly_what_each_release_gives_away() {
    for (name, expected) in expected() {
        let found = attack(&releases(&name), 2).unwrap_or_else(|error| panic!("{name}: {error}"));
        let alone: Vec<Release> = name.split('+').map(release).collect();
        let differ: Vec<_> = alone.windows(2).map(|two| differences(&two[0], &two[1])).collect();
        assert_eq!(as_expected(&found, &differ), expected, "{name}");
    }
}

/// What each release prints, by its name and what its readers call the cell.
fn printed(name: &str) -> BTreeMap<(String, String), i64> {
    let named = |measure: &str, key: &Key| disclosure_control::release::named(measure, key);
    let of = |name: &str| {
        let cells = release(name).cells.into_iter();
        let shown = cells.filter_map(|((measure, key), seen)| Some((named(&measure, &key), seen.value?)));
        shown.map(|(cell, value)| ((name.to_owned(), cell), value)).collect::<Vec<_>>()
    };
    name.split('+').flat_map(of).collect()
}

#[test]
fn every_exact_number_is_told_with_printed_ones_that_come_to_it() {
    for (name, _) in expected() {
        let (found, printed) = (attack(&releases(&name), 2).expect(&name), printed(&name));
        assert_eq!(found.how.len(), found.span.len(), "{name}");
        for How { cell, value, combination, divided_by } in &found.how {
            let mut sum = 0;
            for term in combination {
                let alone = [name.clone()];
                let by = if name.contains('+') { &term.cell.releases[..] } else { &alone };
                assert!(!by.is_empty(), "{name}: {} is in no release", term.cell);
                for release in by {
                    let value = printed.get(&(release.clone(), term.cell.cell.clone()));
                    assert_eq!(value, term.value.as_ref(), "{name}: {release} does not print {}", term.cell);
                }
                sum += term.times * term.value.expect("it is shown");
            }
            assert_eq!(Some(sum), value.map(|value| value * divided_by), "{name}: {cell}");
            assert!(combination.len() <= 12, "{name}: {cell} is told by {} numbers", combination.len());
        }
    }
}

#[test]
fn a_number_that_one_release_hides_and_another_shows_is_told_with_both() {
    let found = attack(&releases("small-0-k1+small-1-k1"), 2).expect("an answer");
    let how = found.how.iter().find(|how| how.cell.cell == "new people area=Elm, quarter=Q1").expect("it is told");
    assert_eq!(how.cell.to_string(), "new people area=Elm, quarter=Q1 [small-0-k1]");
    assert_eq!(how.combination[0].cell.to_string(), "new people area=Elm, quarter=Q1 [small-1-k1]");
}
