//! The invariants of the design that can be read off the sources.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// What each crate of ours may use of the others. An arrow that is not here does not exist; none turns back.
const MAY_USE: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("eventlog", &["domain"]),
    ("vault", &["domain"]),
    ("messaging", &["domain", "eventlog"]),
    ("web", &["domain", "eventlog", "vault"]),
    // Contexts: none uses another.
    ("directory", &["domain", "eventlog", "messaging", "web"]),
    ("membership", &["domain", "eventlog", "vault", "messaging", "web"]),
    ("attendance", &["domain", "eventlog", "vault", "messaging", "web"]),
    ("access", &["domain", "eventlog", "messaging", "web"]),
    ("projections", &["domain", "eventlog", "vault", "messaging", "web"]),
    ("reporting", &["domain", "eventlog", "messaging", "web"]),
    (
        "kith",
        &[
            "domain",
            "eventlog",
            "vault",
            "messaging",
            "web",
            "directory",
            "membership",
            "attendance",
            "access",
            "projections",
            "reporting",
        ],
    ),
];

/// All that the domain may use.
const DOMAIN_MAY_USE: &[&str] = &[
    "icu_properties",
    "jiff",
    "schemars",
    "serde",
    "serde_json",
    "thiserror",
    "unicode-normalization",
    "utoipa",
    "uuid",
];

/// What has no place in the domain.
const IMPURE: &[&str] = &[
    "tokio",
    "async ",
    ".await",
    "std::fs",
    "std::net",
    "std::process",
    "std::env",
    "SystemTime",
    "Instant",
    "std::thread",
    "std::io",
    "rand::",
    "getrandom",
    "Timestamp::now",
    "Zoned::now",
    "now_v7",
    "new_v4",
    "println!",
    "static mut",
    "Mutex",
    "Cell<",
];

/// Where the types of a library stop: its name and the only files that speak it, as the ends of their folders.
const STOPS_AT: &[(&str, &[&str])] = &[
    ("rusqlite", &["eventlog/src/sqlite", "projections/src", "vault/src/store", "vault/src/thread"]),
    ("chacha20poly1305", &["vault/src/ke", "web/src/positions"]),
    ("data_encoding", &["vault/src/ke", "eventlog/src/kurrent", "web/src/positions"]),
    ("deunicode", &["vault/src/folded"]),
    ("idna", &["vault/src/blind"]),
    ("icu_properties", &["domain/src/text", "vault/src/folded"]),
    ("phonenumber", &["vault/src/phone"]),
    ("async_nats", &["messaging/src"]),
    ("eventstore", &["eventlog/src/kurrent"]),
    ("rustls", &["eventlog/src/kurrent/settings", "kith/src/tls"]),
    ("rustix", &["eventlog/src/kurrent/at_once", "kith/src/private", "kith/src/room"]),
    ("polars", &["reporting/src"]),
    ("rrule", &["directory/src/calendar"]),
    ("ed25519_dalek", &["web/src/token", "web/src/attest"]),
    ("jsonwebtoken", &["web/src/token", "web/src/attest"]),
    ("clap", &["kith/src"]),
    ("figment", &["kith/src"]),
    ("reqwest", &["kith/src"]),
    ("tokio_rustls", &["kith/src/tls"]),
    ("tower_http", &["kith/src/api"]),
    ("indicatif", &["kith/src"]),
    ("metrics_exporter_prometheus", &["kith/src"]),
    ("tracing_subscriber", &["kith/src"]),
    ("getrandom", &["kith/src"]),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").into()
}

fn services() -> Vec<String> {
    let folders = fs::read_dir(root().join("services")).expect("services").flatten();
    let crates = folders.filter(|folder| folder.path().join("Cargo.toml").is_file());
    crates.map(|folder| folder.file_name().into_string().expect("ASCII")).collect()
}

fn manifest(service: &str) -> String {
    fs::read_to_string(root().join("services").join(service).join("Cargo.toml")).expect("a manifest")
}

/// Names in one section of a manifest.
fn names(manifest: &str, section: &str) -> BTreeSet<String> {
    let lines = manifest.lines().skip_while(|line| *line != format!("[{section}]")).skip(1);
    let lines = lines.take_while(|line| !line.starts_with('['));
    lines
        .filter_map(|line| Some(line.split(['.', '=', ' ']).next()?.to_owned()))
        .filter(|name| !name.is_empty())
        .collect()
}

fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("a source");
            found.push((path, text));
        }
    }
    found
}

/// The lines that are compiled: without comments, and without the tests at the end.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let text = text.split_once("#[cfg(test)]\nmod tests").map_or(text, |(code, _)| code);
    let lines = text.lines().enumerate();
    lines.map(|(n, line)| (n + 1, line)).filter(|(_, line)| !line.trim_start().starts_with("//"))
}

#[test]
fn no_arrow_between_crates_turns_back() {
    let may_use: BTreeMap<_, _> = MAY_USE.iter().copied().collect();
    let ours: BTreeSet<String> = services().into_iter().collect();
    assert_eq!(
        ours,
        may_use.keys().map(|name| (*name).to_owned()).collect(),
        "say in MAY_USE what a new crate may use"
    );
    for service in &ours {
        for section in ["dependencies", "build-dependencies"] {
            for name in names(&manifest(service), section).intersection(&ours) {
                assert!(may_use[service.as_str()].contains(&name.as_str()), "{service} uses {name}");
            }
        }
        assert!(!names(&manifest(service), "dependencies").contains("tests"), "{service} uses the tests");
    }
}

#[test]
fn the_order_of_crates_has_no_circle() {
    // Each crate uses only such as stand before it.
    for (n, (service, uses)) in MAY_USE.iter().enumerate() {
        let before: Vec<_> = MAY_USE[..n].iter().map(|(name, _)| *name).collect();
        assert!(uses.iter().all(|name| before.contains(name)), "{service}");
    }
}

#[test]
fn every_crate_is_named_as_its_folder_and_keeps_the_lints() {
    for service in services() {
        let manifest = manifest(&service);
        assert!(manifest.contains(&format!("name = \"{service}\"")), "{service}");
        assert!(manifest.contains("[lints]\nworkspace = true"), "{service}");
    }
}

#[test]
fn the_domain_uses_nothing_that_could_act() {
    let allowed: BTreeSet<String> = DOMAIN_MAY_USE.iter().map(|name| (*name).to_owned()).collect();
    let used = names(&manifest("domain"), "dependencies");
    assert!(used.is_subset(&allowed), "{:?}", used.difference(&allowed).collect::<Vec<_>>());
}

#[test]
fn the_domain_is_pure() {
    for (path, text) in sources(&root().join("services/domain/src")) {
        for (n, line) in code(&text) {
            for impure in IMPURE {
                assert!(!line.contains(impure), "{}:{n} says `{impure}`: {line}", path.display());
            }
        }
    }
}

#[test]
fn the_types_of_a_library_stop_at_its_adapter() {
    let all = sources(&root().join("services"));
    assert!(all.len() > 80, "{} sources", all.len());
    for (library, adapters) in STOPS_AT {
        let mut speakers = 0;
        for (path, text) in &all {
            let shown = path.display().to_string();
            if is_test(path) {
                continue; // it may look behind the curtain
            }
            let speaks = code(text).find(|(_, line)| names_crate(line, library));
            let may = adapters.iter().any(|adapter| shown.contains(&format!("services/{adapter}")));
            assert!(speaks.is_none() || may, "{shown}:{speaks:?} speaks {library}");
            speakers += usize::from(speaks.is_some());
        }
        assert!(speakers > 0, "nobody speaks {library}: take it out of STOPS_AT");
    }
}

/// Whether it is compiled for the tests of its crate only.
fn is_test(path: &Path) -> bool {
    let within = path.strip_prefix(root()).expect("a source of ours");
    within.components().any(|part| part.as_os_str() == "tests") || within.ends_with("tests.rs")
}

/// Whether the line names the crate in a path or a `use`.
fn names_crate(line: &str, library: &str) -> bool {
    line.match_indices(library).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = &line[at + library.len()..];
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_') && (after.starts_with("::") || after.starts_with(';'))
    })
}

#[test]
fn no_view_is_read_by_a_command() {
    for context in ["directory", "membership", "attendance", "access"] {
        let used = names(&manifest(context), "dependencies");
        assert!(!used.contains("projections") && !used.contains("rusqlite"), "{context}");
    }
}

#[test]
fn time_and_chance_come_from_the_composition_root_alone() {
    for (path, text) in sources(&root().join("services")) {
        let shown = path.display().to_string();
        for (n, line) in code(&text).filter(|(_, line)| !line.contains("disallowed_methods")) {
            let drawn = ["Timestamp::now", "SystemTime::now", "now_v7()", "new_v4()", "rand::rng", "getrandom::"];
            let found = drawn.iter().find(|name| line.contains(*name));
            assert!(found.is_none() || shown.contains("services/kith/src"), "{shown}:{n}: {line}");
        }
    }
}

#[test]
fn every_operation_is_a_file_of_its_name() {
    let files = sources(&root().join("services"));
    for (operation, _) in web::TABLE {
        let file = files.iter().find(|(path, _)| path.file_stem().is_some_and(|stem| stem == *operation));
        let (_, text) = file.unwrap_or_else(|| panic!("there is no {operation}.rs"));
        assert!(text.contains(&format!("async fn {operation}(")), "{operation}.rs has another function");
    }
}

#[test]
fn every_source_says_what_it_is() {
    for folder in ["services", "tests/src", "tests/tests"] {
        for (path, text) in sources(&root().join(folder)).into_iter().filter(|(path, _)| !path.ends_with("tests.rs")) {
            assert!(text.starts_with("//!"), "{} does not start with //!", path.display());
        }
    }
}
