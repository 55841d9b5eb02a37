//! `kith attack`: what can be worked out from published tables, whoever made them.

use std::{collections::BTreeSet, path::PathBuf};

use anyhow::{Context, ensure};
use disclosure_control::{
    attack::{AttackError, Differences, Findings, attack_watched, differences},
    audit::Level,
    release::Release,
    simplex::Stopped,
    world::WorldError,
};
use indicatif::{ProgressBar, ProgressStyle};
use serde::{Serialize, Serializer};

use crate::{args::Attack, release_folder};

mod pattern;
mod words;

/// The most releases that are looked at at once, a count.
const RELEASES_MAX: usize = 100;

/// What was found, by what was attacked: each release, then all together.
#[derive(Debug)]
struct Report(Vec<(String, Entry)>);

/// What was found of a release, or of several.
#[derive(Debug, Serialize)]
struct Entry {
    /// 1 if something was found.
    exit: u8,
    /// None where several releases were compared, but not attacked together.
    #[serde(flatten)]
    findings: Option<Findings>,
    /// What differs between each two.
    differences: Vec<Differences>,
}

impl Report {
    fn is_safe(&self) -> bool {
        self.0.iter().all(|(_, entry)| entry.exit == 0)
    }
}

impl Serialize for Report {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, entry)| (name, entry)))
    }
}

/// Attacks releases, or judges a pattern; answers what is to be said, and whether nothing was found.
///
/// # Errors
/// If something cannot be read, or contradicts itself.
pub fn run(asked: &Attack) -> anyhow::Result<(String, bool)> {
    if let Some([problem, pattern]) = asked.problem.as_deref() {
        return pattern::judge(problem, pattern, asked.json);
    }
    let releases = read(&asked.folders)?;
    let report = attacked(&releases, asked)?;
    let said = if asked.json { serde_json::to_string_pretty(&report)? + "\n" } else { words::report(&report)? };
    Ok((said, report.is_safe()))
}

/// The releases, each with the name of its folder.
fn read(folders: &[PathBuf]) -> anyhow::Result<Vec<Release>> {
    ensure!(folders.len() <= RELEASES_MAX, "{} releases: at most {RELEASES_MAX} are attacked", folders.len());
    let names = names(folders)?;
    let mut releases = Vec::new();
    for (folder, name) in folders.iter().zip(names) {
        let (mut release, unread) = release_folder::read(folder)?;
        for what in unread {
            eprintln!("kith: {}: {what} is not known, and not read", folder.display());
        }
        release.manifest.release = name;
        releases.push(release);
    }
    Ok(releases)
}

/// What folders are called: by their own names if these tell them apart.
fn names(folders: &[PathBuf]) -> anyhow::Result<Vec<String>> {
    let plain = |name: &str| name.chars().filter(|c| !c.is_control()).collect::<String>();
    let own = |folder: &PathBuf| {
        let whole = folder.canonicalize().with_context(|| format!("{} cannot be read", folder.display()))?;
        Ok(plain(&whole.file_name().unwrap_or(whole.as_os_str()).to_string_lossy()))
    };
    let are_apart = |names: &[String]| names.iter().collect::<BTreeSet<_>>().len() == names.len();
    let names = folders.iter().map(own).collect::<anyhow::Result<Vec<_>>>()?;
    if are_apart(&names) {
        return Ok(names);
    }
    let names: Vec<String> = folders.iter().map(|folder| plain(&folder.to_string_lossy())).collect();
    ensure!(are_apart(&names), "a folder is named twice: name each once");
    Ok(names)
}

fn attacked(releases: &[Release], asked: &Attack) -> anyhow::Result<Report> {
    let mut report = Report(Vec::new());
    for release in releases {
        let name = &release.manifest.release;
        let findings =
            found(name, std::slice::from_ref(release), asked.width).map_err(|error| explained(&error, name))?;
        let entry = Entry { exit: u8::from(!findings.is_safe()), findings: Some(findings), differences: Vec::new() };
        report.0.push((name.clone(), entry));
    }
    if releases.len() > 1 {
        let names: Vec<&str> = releases.iter().map(|release| release.manifest.release.as_str()).collect();
        let name = names.join("+");
        let findings = asked.same_facts.then(|| together(&name, releases, asked.width)).transpose()?;
        let exit = u8::from(findings.as_ref().is_some_and(|findings| !findings.is_safe()));
        report.0.push((name, Entry { exit, findings, differences: pairs(releases) }));
    }
    Ok(report)
}

/// All releases as one: only what is not about the whole period of a release is the same in others.
fn together(name: &str, releases: &[Release], width: i64) -> anyhow::Result<Findings> {
    let apart: Vec<Release> = releases.iter().enumerate().map(|(at, release)| release.clone().apart(at)).collect();
    found(name, &apart, width).map_err(|error| {
        let is_apart = matches!(
            &error,
            AttackError::World(WorldError::Differ { .. }) | AttackError::Stopped(Stopped::Contradiction)
        );
        let hint = if is_apart { "; if they are about different facts, leave out --same-facts" } else { "" };
        anyhow::anyhow!("{name}: {error}{hint}")
    })
}

fn explained(error: &AttackError, name: &str) -> anyhow::Error {
    let hint = match error {
        AttackError::Stopped(Stopped::Contradiction) => {
            ": no true numbers fit all that is shown. Name in release.json what is no sum (`overlapping`), is rounded \
             (`rounded_to`) or is no part of another measure (`part_of`), or mend the tables"
        }
        _ => "",
    };
    anyhow::anyhow!("{name}: {error}{hint}")
}

fn pairs(releases: &[Release]) -> Vec<Differences> {
    let pairs = releases.iter().enumerate().flat_map(|(at, a)| releases[at + 1..].iter().map(move |b| (a, b)));
    pairs.map(|(a, b)| differences(a, b)).collect()
}

/// Attacks, and shows how far it is on a terminal.
fn found(name: &str, releases: &[Release], width: i64) -> Result<Findings, AttackError> {
    let bar = bar(name);
    let findings = attack_watched(releases, width, &mut |level, done, all| {
        bar.set_length(all as u64 * Level::ALL.len() as u64);
        let before = Level::ALL.iter().position(|other| *other == level).unwrap_or_default();
        bar.set_position((before * all + done) as u64);
    });
    bar.finish_and_clear();
    findings
}

/// A bar that is only shown on a terminal.
fn bar(name: &str) -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {msg} {wide_bar} {percent}%").expect("a template");
    let bar = ProgressBar::new(0).with_style(style).with_message(name.to_owned());
    bar.enable_steady_tick(std::time::Duration::from_millis(100));
    bar
}
