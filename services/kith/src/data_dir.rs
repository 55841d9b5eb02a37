//! The data directory: where everything is, and that only one process has it.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use eventlog::{EventLog, kurrent::KurrentLog, sqlite::SqliteLog};
use vault::Kek;
use web::{Issuer, Signer};
use zeroize::Zeroizing;

use crate::private;

/// The folder of all that a server keeps.
#[derive(Debug, Clone)]
pub struct DataDir {
    path: PathBuf,
    /// Of the vault and the keys.
    shared: PathBuf,
}

/// Where a server keeps what it keeps.
#[derive(Debug, Clone)]
pub struct ServerData {
    /// Its data directory.
    pub data: PathBuf,
    /// `KurrentDB` with its log, if that is not in the data directory.
    pub eventstore: Option<String>,
    /// The folder of its vault and keys, if that is not the data directory.
    pub shared: Option<PathBuf>,
}

impl ServerData {
    /// The folders.
    ///
    /// # Errors
    /// If they are none of a server.
    pub(crate) fn folders(&self) -> anyhow::Result<DataDir> {
        match &self.shared {
            Some(shared) => DataDir::existing(shared)?.with_data(&self.data),
            None => DataDir::existing(&self.data),
        }
    }

    /// The log.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub(crate) async fn log(&self) -> anyhow::Result<Log> {
        if let Some(url) = &self.eventstore {
            return Ok(Log::Kurrent(KurrentLog::open(url).await?));
        }
        let path = self.folders()?.embedded()?.log();
        Ok(Log::Sqlite(SqliteLog::open(&path)?, path))
    }
}

/// A log, whichever it is.
pub(crate) enum Log {
    Sqlite(SqliteLog, PathBuf),
    Kurrent(KurrentLog),
}

impl Log {
    /// As what it is for all but who checks it.
    pub fn port(&self) -> &dyn EventLog {
        match self {
            Self::Sqlite(log, _) => log,
            Self::Kurrent(log) => log,
        }
    }
}

impl DataDir {
    /// The folder, made if it is not there, for nobody else on this machine: one that was open to others is closed.
    ///
    /// # Errors
    /// If it cannot be made, is somebody else's, or a key in it can be read by others.
    pub fn create(path: &Path) -> anyhow::Result<Self> {
        use std::os::unix::fs::DirBuilderExt;
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .with_context(|| format!("the data directory {} cannot be made", path.display()))?;
        private::close(path)?;
        Ok(Self { path: path.into(), shared: path.into() })
    }

    /// The folder, which must be there.
    ///
    /// # Errors
    /// If it is not.
    pub fn existing(path: &Path) -> anyhow::Result<Self> {
        if !["log.db", "issuer.key"].iter().any(|file| path.join(file).is_file()) {
            bail!("{} is not a data directory of kith: it has neither log.db nor issuer.key", path.display());
        }
        Ok(Self { path: path.into(), shared: path.into() })
    }

    /// This folder, made if it is not there, for the vault and the keys, `data` for the rest.
    ///
    /// # Errors
    /// If `data` cannot be made.
    pub fn with_data(self, data: &Path) -> anyhow::Result<Self> {
        Ok(Self { path: Self::create(data)?.path, ..self })
    }

    /// The folder, if the log is in it.
    ///
    /// # Errors
    /// If it is not.
    pub fn embedded(self) -> anyhow::Result<Self> {
        if !self.log().is_file() {
            bail!("{} has no log.db: its log is in KurrentDB, or it is not a data directory", self.path.display());
        }
        Ok(self)
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }
    /// The event log.
    pub fn log(&self) -> PathBuf {
        self.path.join("log.db")
    }
    /// The views.
    pub fn views(&self) -> PathBuf {
        self.path.join("views.db")
    }
    /// The vault: wrapped keys of people.
    pub fn vault(&self) -> PathBuf {
        self.shared.join("vault.db")
    }
    /// The issuer's key.
    pub fn issuer_key(&self) -> PathBuf {
        self.shared.join("issuer.key")
    }
    /// Where the key-encryption key is if it is not given otherwise.
    pub fn key_file(&self) -> PathBuf {
        self.shared.join("vault.key")
    }
    /// The folder of the facts.
    pub fn facts(&self) -> PathBuf {
        self.path.join("facts")
    }
    /// The folder of the NATS server, if we start one.
    pub fn nats(&self) -> PathBuf {
        self.path.join("nats")
    }

    /// Takes the folder for this process, as long as the answer lives.
    ///
    /// # Errors
    /// If another process has it.
    pub fn lock(&self) -> anyhow::Result<File> {
        let path = self.path.join("lock");
        let file = private::open_lock(&path)?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => {
                bail!(
                    "another kith has the data directory {}; the embedded log serves one process. If none runs, `fuser \
                     {}` names who holds the lock",
                    self.path.display(),
                    path.display()
                )
            }
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("{} cannot be locked", path.display()))
            }
        }
    }

    /// The built-in issuer, whose key is made the first time.
    ///
    /// # Errors
    /// If the key cannot be read or made.
    pub fn issuer(&self) -> anyhow::Result<Issuer> {
        Ok(Issuer::new(&*self.seed()?))
    }

    /// Who signs receipts, with the same key.
    ///
    /// # Errors
    /// If the key cannot be read or made.
    pub fn signer(&self) -> anyhow::Result<Signer> {
        Ok(Signer::new(&*self.seed()?))
    }

    pub(crate) fn seed(&self) -> anyhow::Result<Zeroizing<[u8; 32]>> {
        let path = self.issuer_key();
        let key = read_or_write(&path, || Ok(Zeroizing::new(random::<32>()?.to_vec())))?;
        let seed = key.as_slice().try_into().with_context(|| {
            format!(
                "{} has {} bytes, an Ed25519 key has 32; restore it, or delete it to make another",
                path.display(),
                key.len()
            )
        })?;
        Ok(Zeroizing::new(seed))
    }

    /// The key-encryption key: from the environment (`KITH_KEY`), from `file`, or from a file in this folder, which is
    /// made the first time.
    ///
    /// # Errors
    /// If it cannot be read or made.
    pub fn kek(&self, file: Option<&Path>) -> anyhow::Result<Kek> {
        // One that was named is never made: another key than the one that wraps the keys would help nobody.
        if let Some(given) = given_kek(file)? {
            return Ok(given);
        }
        let path = self.key_file();
        let text = read_or_write(&path, || {
            if self.vault().is_file() {
                bail!("it is missing, and the vault's keys are wrapped with it: restore it, or name another file")
            }
            Ok(Zeroizing::new(Kek::new(random()?).to_text().as_bytes().to_vec()))
        })?;
        parse_kek(&path, &text)
    }
}

/// The key-encryption key from the environment (`KITH_KEY`) or from `file`, if one of them is there.
///
/// # Errors
/// If it is no key.
pub(crate) fn given_kek(file: Option<&Path>) -> anyhow::Result<Option<Kek>> {
    if let Some(text) = std::env::var_os("KITH_KEY") {
        let text = Zeroizing::new(text.into_string().map_err(|_| anyhow::anyhow!("KITH_KEY is no text"))?);
        return Kek::from_text(&text).context("KITH_KEY").map(Some);
    }
    file.map(read_kek).transpose()
}

/// The key-encryption key in a file.
///
/// # Errors
/// If it cannot be read, others can read it, or it is no key.
pub(crate) fn read_kek(path: &Path) -> anyhow::Result<Kek> {
    parse_kek(path, &private::read(path)?)
}

fn parse_kek(path: &Path, text: &[u8]) -> anyhow::Result<Kek> {
    let text = std::str::from_utf8(text).ok().with_context(|| format!("{} is no text", path.display()))?;
    Kek::from_text(text).with_context(|| path.display().to_string())
}

fn read_or_write(
    path: &Path,
    make: impl FnOnce() -> anyhow::Result<Zeroizing<Vec<u8>>>,
) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    if path.try_exists().with_context(|| format!("{} cannot be read", path.display()))? {
        return private::read(path);
    }
    let key = make().with_context(|| path.display().to_string())?;
    write_key(path, &key)
}

/// Whole or not at all, for nobody else; if another process was faster, its key is the one.
fn write_key(path: &Path, key: &[u8]) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    use std::os::unix::fs::OpenOptionsExt;
    let unfinished = path.with_extension(format!("key.{}", std::process::id()));
    let written = || -> std::io::Result<Zeroizing<Vec<u8>>> {
        let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&unfinished)?;
        file.write_all(key)?;
        file.sync_all()?;
        let linked = fs::hard_link(&unfinished, path);
        fs::remove_file(&unfinished)?;
        match linked {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
            _ => fs::read(path).map(Zeroizing::new),
        }
    };
    written().with_context(|| format!("{} cannot be written", path.display()))
}

/// Random bytes of the operating system.
pub fn random<const N: usize>() -> anyhow::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("the system gives no random bytes: {error}"))?;
    Ok(bytes)
}
