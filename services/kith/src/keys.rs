//! `kith key` and `kith rotate-key`: key-encryption keys, made and changed.

use std::path::Path;

use anyhow::bail;
use vault::{Kek, Vault};

use crate::{
    DataDir, args, copy,
    data_dir::{random, read_kek},
    serve::fresh,
};

/// Makes a key in a file that must not exist.
///
/// # Errors
/// If it exists, or cannot be written.
pub(crate) fn make(out: &Path) -> anyhow::Result<()> {
    let text = Kek::new(random()?).to_text();
    copy::write(out, text.as_bytes())?;
    match out.parent() {
        Some(folder) if folder != Path::new("") => copy::sync(folder),
        _ => copy::sync(Path::new(".")),
    }
}

/// Wraps all keys anew; answers what to say.
///
/// # Errors
/// If a server has the data directory, or one of the keys is not what it should be; then nothing is changed.
pub(crate) fn rotate(asked: &args::RotateKey) -> anyhow::Result<String> {
    let data = DataDir::existing(&asked.data)?;
    let _lock = data.lock()?;
    if !data.vault().is_file() {
        bail!("{} has no vault.db", data.path().display());
    }
    let old = data.kek(asked.key_file.as_deref())?;
    // All of it opens with the old key, or there is no reason to make a new one.
    Vault::copy_of(&data.vault(), &old)?;
    let file = &asked.new_key_file;
    if !file.exists() {
        make(file)?;
    }
    let new = read_kek(file)?;
    if new.id() == old.id() {
        bail!("{} has the key of now", file.display());
    }
    let rewrapped = Vault::rewrap(&data.vault(), &old, &new, fresh)?;
    let file = file.display();
    Ok(format!(
        "{rewrapped} keys are wrapped by the key in {file}\nstart the server with --key-file {file}; keep the old key as \
         long as the copies that it sealed\n"
    ))
}
