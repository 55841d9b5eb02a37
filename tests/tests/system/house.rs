//! The house: which way arrows point between crates and between files, and how little names a context outside its folder.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use domain::KINDS;

use crate::invariants::{code, is_test, manifest, names, root, services, sources};

/// What contexts stand on, in order: each uses only such as stand before it.
const GROUND: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("eventlog", &["domain"]),
    ("vault", &["domain"]),
    ("messaging", &["domain", "eventlog"]),
    ("web", &["domain", "eventlog", "vault"]),
    ("host", &["domain", "eventlog", "vault", "messaging", "web"]),
    // What several contexts say, read together: contexts follow its views, and none uses another.
    ("projections", &["domain", "eventlog", "vault", "messaging", "web", "host"]),
];

/// The composition root, which uses all.
const ROOT: &str = "kith";

/// How many files of `services` outside a context's folder may name it: its line in `kith/Cargo.toml` and in
/// `kith/src/contexts.rs`, and what else is said why.
const NAMED_IN: &[(&str, usize)] = &[
    ("directory", 4),    // settings know how far ahead plans go; files of groups are read to be imported
    ("listing", 4),      // modules of the command line that read listings have the same name
    ("membership", 6),   // files are read to be imported; receipts, copies and keys know who was erased
    ("partner", 3),      // the command line knows how large a directory may be before it sends one
    ("projections", 27), // tasks of directory and membership follow its views, checkin and listing show them, queues ask them
    ("reporting", 5),    // `kith report` and `kith verify` read facts without a server
];

/// Kinds of stream that are folded into no view and no fact, and why. Of protocols and routes it is folded only that something
/// has changed: what they say is read from the log alone, so that it is never behind.
const NOT_FOLDED: &[(&str, &str)] = &[("access", "who may call is decided from the log alone")];

/// Files of a crate that use each other, which makes them one room, and why.
const ROOMS: &[(&str, &[&str], &str)] = &[];

fn may_use(service: &str) -> BTreeSet<String> {
    let ground = GROUND.iter().find(|(name, _)| *name == service).map(|(_, uses)| *uses);
    let uses: Vec<&str> = ground.map_or_else(|| GROUND.iter().map(|(name, _)| *name).collect(), <[_]>::to_vec);
    uses.into_iter().map(str::to_owned).collect()
}

#[test]
fn no_arrow_between_crates_turns_back() {
    for (n, (service, uses)) in GROUND.iter().enumerate() {
        assert!(uses.iter().all(|used| GROUND[..n].iter().any(|(name, _)| name == used)), "{service}");
    }
    let ours: BTreeSet<String> = services().into_iter().collect();
    for service in ours.iter().filter(|service| *service != ROOT) {
        let allowed = may_use(service);
        for section in ["dependencies", "build-dependencies"] {
            let used = names(&manifest(service), section);
            let used: BTreeSet<_> = used.intersection(&ours).cloned().collect();
            assert!(used.is_subset(&allowed), "{service} uses {:?}", used.difference(&allowed).collect::<Vec<_>>());
            assert!(!names(&manifest(service), section).contains("tests"), "{service} uses the tests");
        }
    }
}

#[test]
fn hardly_a_file_outside_its_folder_names_a_context() {
    let root = root().join("services");
    for context in kith::CONTEXTS.iter().map(|context| context.name) {
        let is_outside = |path: &Path| !path.starts_with(root.join(context)) && !is_test(path);
        let says = |line: &str| {
            line.match_indices(context).any(|(at, _)| {
                let before = line[..at].chars().next_back();
                let is_path = line[at + context.len()..].starts_with("::");
                // `crate::access`, `domain::access` and the like are others of the same name.
                is_path && !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':')
            })
        };
        let mut naming: Vec<_> = sources(&root)
            .into_iter()
            .filter(|(path, text)| is_outside(path) && crate_is_used(text, context, says))
            .map(|(path, _)| path.strip_prefix(&root).expect("in it").display().to_string())
            .collect();
        let dependents =
            services().into_iter().filter(|service| names(&manifest(service), "dependencies").contains(context));
        naming.extend(dependents.map(|service| format!("{service}/Cargo.toml")));
        let most = NAMED_IN.iter().find(|(name, _)| *name == context).map_or(2, |(_, most)| *most);
        assert!(naming.len() <= most, "{context} is named in {naming:#?}, at most {most} may");
    }
}

/// Whether a source uses the crate, and not a module of the same name that it imports from elsewhere.
fn crate_is_used(text: &str, context: &str, says: impl Fn(&str) -> bool) -> bool {
    let whole = code(text).map(|(_, line)| line).collect::<Vec<_>>().join("\n");
    let imports = whole.replace("\npub use ", "\nuse ");
    let imports = imports.split("\nuse ").skip(1).filter_map(|import| import.split_once(';')).map(|(import, _)| import);
    let is_word = |import: &str| import.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == context);
    let from_elsewhere = imports.clone().any(|import| !import.starts_with(context) && is_word(import));
    !from_elsewhere && code(text).any(|(_, line)| says(line))
}

#[test]
fn each_kind_of_stream_is_folded_or_it_is_said_why_not() {
    let views = kith::CONTEXTS.iter().flat_map(|context| context.views).flat_map(|view| view.kinds);
    let folded: BTreeSet<_> = views.chain(kith::CONTEXTS.iter().flat_map(|context| context.folds)).copied().collect();
    let not_folded: BTreeSet<_> = NOT_FOLDED.iter().map(|(kind, _)| *kind).collect();
    assert!(folded.is_disjoint(&not_folded), "{folded:?}");
    let known: BTreeSet<_> = KINDS.iter().map(|kind| kind.category).collect();
    assert_eq!(&folded | &not_folded, known);
}

#[test]
fn no_two_files_of_a_crate_use_each_other() {
    for service in services() {
        let uses = uses_of(&root().join("services").join(&service).join("src"));
        for (file, used) in &uses {
            for other in used {
                let is_room = ROOMS.iter().any(|(of, files, _)| {
                    *of == service && files.contains(&file.as_str()) && files.contains(&other.as_str())
                });
                let circle = other != file && reaches(&uses, other, file);
                assert!(!circle || is_room, "{service}: {file}.rs uses {other}.rs, which leads back to it");
            }
        }
    }
}

/// Of each module at the top of a crate, the others that it and its folder name.
fn uses_of(src: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let files: Vec<_> = sources(src).into_iter().filter(|(path, _)| !is_test(path)).collect();
    let room = |path: &Path| {
        let within = path.strip_prefix(src).expect("in it").with_extension("");
        within.components().next().map(|first| first.as_os_str().to_string_lossy().into_owned()).expect("a file")
    };
    let rooms: BTreeSet<String> = files.iter().map(|(path, _)| room(path)).collect();
    let mut uses = BTreeMap::<String, BTreeSet<String>>::new();
    for (path, text) in &files {
        let whole = code(text).map(|(_, line)| line).collect::<Vec<_>>().join("\n");
        let named = whole.split("crate::").skip(1).flat_map(first_names);
        let others = named.filter(|name| rooms.contains(name) && *name != room(path));
        uses.entry(room(path)).or_default().extend(others);
    }
    // What a crate shows others is not what its files need of each other.
    uses.retain(|room, _| room != "lib" && room != "main");
    uses
}

/// The modules that stand after a `crate::`: one, or each of those in braces.
fn first_names(after: &str) -> Vec<String> {
    let word = |text: &str| text.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let Some(list) = after.strip_prefix('{') else { return vec![word(after)] };
    let (mut depth, mut names, mut item) = (0, vec![], String::new());
    for c in list.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => names.push(word(&std::mem::take(&mut item))),
            _ => {}
        }
        if c != ',' || depth > 0 {
            item.push(c);
        }
    }
    names.push(word(&item));
    names
}

fn reaches(uses: &BTreeMap<String, BTreeSet<String>>, from: &str, to: &str) -> bool {
    let (mut seen, mut next) = (BTreeSet::new(), vec![from.to_owned()]);
    while let Some(file) = next.pop() {
        if file == to {
            return true;
        }
        if seen.insert(file.clone()) {
            next.extend(uses.get(&file).into_iter().flatten().cloned());
        }
    }
    false
}
