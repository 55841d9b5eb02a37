//! The invariants of the design that can be read off the sources.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// All that the domain may use.
const DOMAIN_MAY_USE: &[&str] = &[
    "icu_properties",
    "jiff",
    "num-rational",
    "schemars",
    "serde",
    "serde_json",
    "strum",
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
    (
        "rusqlite",
        &[
            "checkin/src/due",
            "checkin/src/journey",
            "eventlog/src/sqlite",
            "host/src",
            "projections/src",
            "vault/src/store",
            "vault/src/thread",
            "vault/src/vault",
        ],
    ),
    ("chacha20poly1305", &["vault/src/ke", "web/src/positions"]),
    ("data_encoding", &["vault/src/ke", "eventlog/src/kurrent", "outbox/src/signature", "web/src/positions"]),
    ("deunicode", &["vault/src/folded"]),
    ("hmac", &["outbox/src/signature"]),
    ("idna", &["vault/src/blind", "vault/src/folded"]),
    ("icu_properties", &["domain/src/text", "vault/src/folded"]),
    ("num_rational", &["domain/src/instrument/number"]),
    ("lettre", &["outbox/src/mail_server"]),
    ("phonenumber", &["vault/src/phone"]),
    ("async_nats", &["messaging/src"]),
    ("eventstore", &["eventlog/src/kurrent"]),
    ("rustls", &["eventlog/src/kurrent/settings", "kith/src/tls", "outbox/src/connection"]),
    ("rustix", &["eventlog/src/kurrent/at_once", "kith/src/private", "kith/src/room"]),
    ("polars", &["reporting/src"]),
    ("rust_xlsxwriter", &["projections/src/attendance_sheet"]),
    ("ed25519_dalek", &["web/src/token", "web/src/signing"]),
    ("jsonwebtoken", &["web/src/token", "web/src/signing"]),
    ("clap", &["kith/src"]),
    ("figment", &["kith/src"]),
    ("reqwest", &["kith/src", "outbox/src/connection"]),
    ("sha2", &["outbox/src/signature"]),
    ("tokio_rustls", &["kith/src/tls"]),
    ("tower_http", &["kith/src/api"]),
    ("indicatif", &["kith/src"]),
    ("metrics_exporter_prometheus", &["kith/src"]),
    ("tracing_subscriber", &["kith/src"]),
    ("getrandom", &["kith/src"]),
];

/// Most words of the README.
const README_WORDS_MAX: usize = 700;
/// Folders of the repository that prose names from its root.
const FOLDERS: &[&str] = &[".ci", "deploy", "schemas", "services", "tests"];
/// How files end that prose names.
const ENDINGS: &[&str] = &[".rs", ".md", ".toml", ".json", ".yaml", ".conf", ".service", ".timer"];
/// What is made, and so is not in the repository.
const MADE: &[&str] = &["target/", "kith-data/"];

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").into()
}

pub(crate) fn services() -> Vec<String> {
    let folders = fs::read_dir(root().join("services")).expect("services").flatten();
    let crates = folders.filter(|folder| folder.path().join("Cargo.toml").is_file());
    crates.map(|folder| folder.file_name().into_string().expect("ASCII")).collect()
}

pub(crate) fn manifest(service: &str) -> String {
    fs::read_to_string(root().join("services").join(service).join("Cargo.toml")).expect("a manifest")
}

/// Names in one section of a manifest.
pub(crate) fn names(manifest: &str, section: &str) -> BTreeSet<String> {
    let lines = manifest.lines().skip_while(|line| *line != format!("[{section}]")).skip(1);
    let lines = lines.take_while(|line| !line.starts_with('['));
    lines
        .filter_map(|line| Some(line.split(['.', '=', ' ']).next()?.to_owned()))
        .filter(|name| !name.is_empty())
        .collect()
}

pub(crate) fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
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
pub(crate) fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let text = text.split_once("#[cfg(test)]\nmod tests").map_or(text, |(code, _)| code);
    let lines = text.lines().enumerate();
    lines.map(|(n, line)| (n + 1, line)).filter(|(_, line)| !line.trim_start().starts_with("//"))
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
            let may = adapters.iter().any(|adapter| shown.contains(&format!("services/{adapter}")))
                || (*library == "rusqlite" && shown.ends_with("_view.rs"));
            assert!(speaks.is_none() || may, "{shown}:{speaks:?} speaks {library}");
            speakers += usize::from(speaks.is_some());
        }
        assert!(speakers > 0, "nobody speaks {library}: take it out of STOPS_AT");
    }
}

/// Whether it is compiled for the tests of its crate only.
pub(crate) fn is_test(path: &Path) -> bool {
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
    for (path, text) in sources(&root().join("services")).into_iter().filter(|(path, _)| !is_test(path)) {
        let commands = code(&text).any(|(_, line)| line.contains("Command<op::"));
        let reads = code(&text).find(|(_, line)| {
            ["projections::", "rusqlite", "views.read(", "views.look("].iter().any(|it| line.contains(it))
        });
        assert!(!commands || reads.is_none(), "{}: {reads:?}", path.display());
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

/// Where a group meets, it is hardly ever the day of Greenwich.
#[test]
fn utc_is_named_where_it_is_meant_and_nowhere_else() {
    let meant = [
        "directory/src/calendar/rule.rs",   // `UNTIL` with a `Z`
        "directory/src/icalendar/feed.rs",  // through a year for which zones are written, wherever they are
        "directory/src/icalendar/times.rs", // a time with a `Z`
        "web/src/audit.rs",                 // whatever month a stream of the audit has, it has it everywhere
        "web/src/authenticator.rs",         // a clock that nobody has given a zone
    ];
    for (path, text) in sources(&root().join("services")).into_iter().filter(|(path, _)| !is_test(path)) {
        let shown = path.display().to_string();
        let found = code(&text).find(|(_, line)| line.contains("TimeZone::UTC"));
        let is_meant = meant.iter().any(|file| shown.ends_with(file));
        assert_eq!(found.is_some(), is_meant, "{shown}: {found:?}");
    }
}

#[test]
fn every_operation_is_a_file_of_its_name() {
    let files = sources(&root().join("services"));
    for operation in kith::operations().map(|may| may.id) {
        let file = files.iter().find(|(path, _)| path.file_stem().is_some_and(|stem| stem == operation));
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

/// A text about Kith, and the folder to which the paths in it are relative.
struct Prose {
    file: PathBuf,
    text: String,
    base: PathBuf,
}

impl Prose {
    /// All of them.
    fn all() -> Vec<Self> {
        let (root, services) = (root(), root().join("services"));
        let mut all = vec![Self::read(root.join("README.md"), &root), Self::read(root.join("tests/README.md"), &root)];
        all.push(Self::read(services.join("README.md"), &services));
        for (folder, base) in [("deploy/guides", &root), ("services/decisions", &services)] {
            let files = fs::read_dir(root.join(folder)).expect("a folder of texts").flatten();
            all.extend(files.map(|file| Self::read(file.path(), base)));
        }
        all
    }

    fn read(file: PathBuf, base: &Path) -> Self {
        let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        Self { file, text, base: base.into() }
    }

    /// What is outside of fences.
    fn parts(&self) -> impl Iterator<Item = &str> {
        self.text.split("```").step_by(2)
    }

    /// Paths in backticks.
    fn paths(&self) -> Vec<&str> {
        let words = self.parts().flat_map(|part| part.split('`').skip(1).step_by(2));
        words.filter(|word| is_path(word)).collect()
    }

    /// Links to other files.
    fn links(&self) -> Vec<&str> {
        let targets = self.parts().flat_map(|part| part.split("](").skip(1)).filter_map(|rest| rest.split(')').next());
        targets.filter(|target| !target.contains("://")).collect()
    }
}

/// Whether a word in backticks is meant to be a file or a folder of the repository.
fn is_path(word: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/{,}".contains(c);
    let Some((first, _)) = word.split_once('/') else { return false };
    let ours = first == ".." || FOLDERS.contains(&first) || services().iter().any(|service| service == first);
    let is_file = ENDINGS.iter().any(|ending| word.ends_with(ending));
    let made = MADE.iter().any(|made| word.starts_with(made));
    word.chars().all(plain) && !first.is_empty() && !made && (ours || is_file)
}

/// A path with its alternatives: `a/{b,c}.rs` is two.
fn expanded(path: &str) -> Vec<String> {
    let Some((before, rest)) = path.split_once('{') else { return vec![path.into()] };
    let (choices, after) = rest.split_once('}').unwrap_or_else(|| panic!("`{path}` does not close its alternatives"));
    choices.split(',').flat_map(|choice| expanded(&format!("{before}{choice}{after}"))).collect()
}

/// As links name a heading.
fn anchor(heading: &str) -> String {
    let kept = |c: &char| c.is_alphanumeric() || [' ', '-', '_'].contains(c);
    heading.trim_start_matches('#').trim().to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-")
}

#[test]
fn every_path_that_is_named_in_prose_is_there() {
    let mut named = 0;
    for prose in Prose::all() {
        let shown = prose.file.display();
        for path in prose.paths().into_iter().flat_map(expanded) {
            assert!(prose.base.join(&path).exists(), "{shown} names `{path}`, which is not there");
            named += 1;
        }
        for link in prose.links() {
            let (file, heading) = link.split_once('#').map_or((link, None), |(file, heading)| (file, Some(heading)));
            let target = if file.is_empty() { prose.file.clone() } else { prose.file.with_file_name(file) };
            assert!(target.exists(), "{shown} links to {link}, which is not there");
            if let Some(heading) = heading {
                let text = fs::read_to_string(&target).expect("a text");
                let mut headings = text.lines().filter(|line| line.starts_with('#')).map(anchor);
                assert!(
                    headings.any(|known| known == heading),
                    "{shown} links to {link}, but there is no such heading"
                );
            }
            named += 1;
        }
    }
    assert!(named > 150, "{named} paths: are they found?");
    assert_eq!(expanded("a/{b,c/d}.rs"), ["a/b.rs", "a/c/d.rs"]);
}

#[test]
fn the_readme_is_short() {
    let words = Prose::read(root().join("README.md"), &root()).text.split_whitespace().count();
    assert!(words <= README_WORDS_MAX, "{words} words, at most {README_WORDS_MAX}: the rest is for deploy/guides");
}

#[test]
fn every_decision_has_a_number_of_its_own_and_what_is_cited_is_there() {
    let number = |text: &str| text.split(|c: char| !c.is_ascii_digit()).next().and_then(|digits| digits.parse().ok());
    let (mut decisions, mut cited) = (BTreeSet::<u16>::new(), BTreeSet::<u16>::new());
    for prose in Prose::all() {
        if prose.file.parent().is_some_and(|folder| folder.ends_with("decisions")) {
            for decision in prose.text.lines().filter_map(|line| number(line.strip_prefix("**")?)) {
                assert!(decisions.insert(decision), "two decisions are number {decision}");
            }
        }
        let text = prose.text.split_whitespace().collect::<Vec<_>>().join(" ");
        cited.extend(text.split("ecision ").skip(1).filter_map(number));
    }
    for (_, text) in ["services", "tests"].into_iter().flat_map(|folder| sources(&root().join(folder))) {
        cited.extend(text.split("ecision ").skip(1).filter_map(number));
    }
    assert!(decisions.len() > 80 && cited.contains(&84), "{decisions:?}, {cited:?}");
    assert!(
        cited.is_subset(&decisions),
        "cited, but not there: {:?}",
        cited.difference(&decisions).collect::<Vec<_>>()
    );
}

/// The document of the API keeps one schema for each name, whichever came last.
#[test]
fn no_two_schemas_of_the_document_have_one_name() {
    let mut named: std::collections::BTreeMap<String, String> = std::collections::BTreeMap::new();
    for (path, text) in sources(&root().join("services")).into_iter().filter(|(path, _)| !is_test(path)) {
        // What derives it, up to its name.
        for item in text.split("\n#[derive(").skip(1).filter(|item| item.lines().any(|line| line.contains("ToSchema")))
        {
            let head = |line: &&str| {
                line.starts_with("pub struct ") || line.starts_with("pub enum ") || line.starts_with("pub(")
            };
            let Some(at) = item.lines().position(|line| head(&line)) else { continue };
            let attributes: String = item.lines().take(at).collect();
            if !attributes.contains("ToSchema") || !attributes.starts_with(|c: char| c.is_alphabetic()) {
                continue;
            }
            let word = |after: &str, text: &str| {
                let rest = text.split_once(after)?.1;
                Some(rest.split(|c: char| !c.is_alphanumeric()).next()?.to_owned())
            };
            let declared = item.lines().nth(at).expect("a line");
            let own = word("struct ", declared).or_else(|| word("enum ", declared));
            let name = word("schema(as = ", &attributes).or(own).expect("a name");
            let shown = path.display().to_string();
            if let Some(other) = named.insert(name.clone(), shown.clone()) {
                assert!(other == shown, "{name} is in {other} and in {shown}: name one with `schema(as = …)`");
            }
        }
    }
    assert!(named.len() > 150, "{}", named.len());
}
