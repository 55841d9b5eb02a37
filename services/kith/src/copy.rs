//! A copy of a data directory: what is in it, and whether it is whole.
//!
//! **Invariant:** no key is in clear in a copy: the vault's are wrapped and sealed once more, the issuer's is sealed.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use anyhow::{Context, bail};
use eventlog::{Position, sqlite};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use vault::Kek;
use zeroize::Zeroizing;

/// The event log.
pub(crate) const LOG: &str = "log.db";
/// The vault, sealed.
pub(crate) const VAULT: &str = "vault.sealed";
/// The issuer's key, sealed.
pub(crate) const ISSUER: &str = "issuer.sealed";
/// What is in the copy.
pub(crate) const MANIFEST: &str = "manifest.json";
/// Of copies; another one is refused.
const FORMAT: u32 = 1;

/// What is in a copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Contents {
    format: u32,
    /// When the copy was begun.
    at: Timestamp,
    /// Of the last event in it.
    position: u64,
    /// BLAKE3 of each file.
    files: BTreeMap<String, String>,
}

/// The manifest: the contents, and a tag of them that nobody can make without the key-encryption key. So files of two
/// copies cannot be mixed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    contents: Contents,
    tag: String,
}

/// A copy that is whole, and its secrets, opened.
#[derive(Debug)]
pub(crate) struct Checked {
    /// When it was begun.
    pub at: Timestamp,
    /// Of its last event.
    pub position: Position,
    /// The bytes of the vault; the keys in them are wrapped.
    pub vault: Zeroizing<Vec<u8>>,
    /// The issuer's key.
    pub issuer: Zeroizing<Vec<u8>>,
}

impl Manifest {
    fn new(contents: Contents, kek: &Kek) -> anyhow::Result<Self> {
        let tag = kek.tag(&serde_json::to_vec(&contents)?);
        Ok(Self { contents, tag: blake3::Hash::from(tag).to_hex().to_string() })
    }

    fn text(&self) -> anyhow::Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// Byte for byte as it was written, with this key.
    fn read(folder: &Path, kek: &Kek) -> anyhow::Result<Contents> {
        let text = fs::read_to_string(folder.join(MANIFEST)).with_context(|| format!("{MANIFEST} cannot be read"))?;
        let manifest: Self = serde_json::from_str(&text).with_context(|| format!("{MANIFEST} cannot be read"))?;
        if manifest.contents.format != FORMAT {
            bail!("it has format {}, this build of kith reads format {FORMAT}", manifest.contents.format);
        }
        if Self::new(manifest.contents.clone(), kek)?.text()? != text {
            bail!("{MANIFEST} was changed, or another key-encryption key made it");
        }
        Ok(manifest.contents)
    }
}

/// Writes the manifest of a copy whose other files are there.
pub(crate) fn describe(folder: &Path, at: Timestamp, position: Position, kek: &Kek) -> anyhow::Result<()> {
    let of = |name: &str| Ok((name.to_owned(), hash(&folder.join(name))?));
    let files = [LOG, VAULT, ISSUER].into_iter().map(of).collect::<anyhow::Result<_>>()?;
    let contents = Contents { format: FORMAT, at, position: position.0, files };
    write(&folder.join(MANIFEST), Manifest::new(contents, kek)?.text()?.as_bytes())
}

/// Looks at everything in a copy: the manifest, each file's hash, the log's chain, what is sealed.
///
/// # Errors
/// If it is not as it was written, or not with this key.
pub(crate) fn check(folder: &Path, kek: &Kek) -> anyhow::Result<Checked> {
    let looked = || {
        let Contents { at, position, files, .. } = Manifest::read(folder, kek)?;
        for name in [LOG, VAULT, ISSUER] {
            if files.get(name) != Some(&hash(&folder.join(name))?) {
                bail!("{name} was changed: its hash is not the manifest's");
            }
        }
        let bar = spinner("checking the chain")?;
        let found = sqlite::verify(&folder.join(LOG), |position| bar.set_position(position.0))?;
        bar.finish_and_clear();
        if found.head.0 != position {
            bail!("{LOG} ends at position {}, the manifest says {position}", found.head);
        }
        let (vault, issuer) = (unsealed(folder, VAULT, kek)?, unsealed(folder, ISSUER, kek)?);
        Ok(Checked { at, position: found.head, vault, issuer })
    };
    looked().with_context(|| format!("the copy {} cannot be used", folder.display()))
}

fn unsealed(folder: &Path, name: &str, kek: &Kek) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    kek.open_file(name, &fs::read(folder.join(name))?).with_context(|| name.to_owned())
}

fn hash(path: &Path) -> anyhow::Result<String> {
    let mut hasher = blake3::Hasher::new();
    let read = File::open(path).and_then(|mut file| std::io::copy(&mut file, &mut hasher));
    read.with_context(|| format!("{} cannot be read", path.display()))?;
    Ok(hasher.finalize().to_hex().to_string())
}

/// Writes a new file, durably, for nobody else on this machine.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let written = || -> std::io::Result<()> {
        let mut file = File::options().create_new(true).write(true).mode(0o600).open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    written().with_context(|| format!("{} cannot be written", path.display()))
}

/// Makes durable that the files of a folder have their names.
pub(crate) fn sync(folder: &Path) -> anyhow::Result<()> {
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.with_context(|| format!("{} cannot be written", folder.display()))
}

/// A bar of something whose end is not known.
pub(crate) fn spinner(message: &'static str) -> anyhow::Result<ProgressBar> {
    let style = ProgressStyle::with_template("{spinner} {msg} {human_pos} events")?;
    Ok(ProgressBar::new_spinner().with_style(style).with_message(message))
}

/// Copies a log, with a bar.
pub(crate) fn copy_log(from: &Path, to: &Path) -> anyhow::Result<()> {
    let style = ProgressStyle::with_template("copying the log {wide_bar} {percent}%")?;
    let bar = ProgressBar::new(0).with_style(style);
    sqlite::copy(from, to, |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    })?;
    bar.finish_and_clear();
    Ok(())
}
