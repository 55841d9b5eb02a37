//! The data directory: where everything is, and that only one process has it.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use web::Issuer;

/// The folder of all that a server keeps.
#[derive(Debug, Clone)]
pub struct DataDir(PathBuf);

impl DataDir {
    /// The folder, made if it is not there, for nobody else on this machine.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn create(path: &Path) -> anyhow::Result<Self> {
        use std::os::unix::fs::DirBuilderExt;
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .with_context(|| format!("the data directory {} cannot be made", path.display()))?;
        Ok(Self(path.into()))
    }

    /// The folder, which must be there.
    ///
    /// # Errors
    /// If it is not.
    pub fn existing(path: &Path) -> anyhow::Result<Self> {
        if !path.join("log.db").is_file() {
            bail!("{} is not a data directory of kith: it has no log.db", path.display());
        }
        Ok(Self(path.into()))
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.0
    }
    /// The event log.
    pub fn log(&self) -> PathBuf {
        self.0.join("log.db")
    }
    /// The views.
    pub fn views(&self) -> PathBuf {
        self.0.join("views.db")
    }
    /// The folder of the facts.
    pub fn facts(&self) -> PathBuf {
        self.0.join("facts")
    }
    /// The folder of the NATS server, if we start one.
    pub fn nats(&self) -> PathBuf {
        self.0.join("nats")
    }

    /// Takes the folder for this process, as long as the answer lives.
    ///
    /// # Errors
    /// If another process has it.
    pub fn lock(&self) -> anyhow::Result<File> {
        let path = self.0.join("lock");
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = file.with_context(|| format!("{} cannot be opened", path.display()))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => {
                bail!("another kith has the data directory {}; the embedded log serves one process", self.0.display())
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
        let path = self.0.join("issuer.key");
        let key = match fs::read(&path) {
            Ok(key) => key,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => write_key(&path)?,
            Err(error) => return Err(error).with_context(|| format!("{} cannot be read", path.display())),
        };
        let seed = key.as_slice().try_into().with_context(|| {
            format!(
                "{} has {} bytes, an Ed25519 key has 32; restore it, or delete it to make another",
                path.display(),
                key.len()
            )
        })?;
        Ok(Issuer::new(seed))
    }
}

/// Whole or not at all, for nobody else; if another process was faster, its key is the one.
fn write_key(path: &Path) -> anyhow::Result<Vec<u8>> {
    use std::os::unix::fs::OpenOptionsExt;
    let key = random::<32>()?;
    let unfinished = path.with_extension(format!("key.{}", std::process::id()));
    let written = || -> std::io::Result<Vec<u8>> {
        let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&unfinished)?;
        file.write_all(&key)?;
        file.sync_all()?;
        let linked = fs::hard_link(&unfinished, path);
        fs::remove_file(&unfinished)?;
        match linked {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
            _ => fs::read(path),
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
