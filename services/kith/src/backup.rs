//! `kith backup`: a checked copy of what cannot be made again, while the server runs.

use std::fs;

use anyhow::{Context, bail};
use vault::Vault;

use crate::{
    DataDir, args,
    copy::{self, Checked},
    data_dir::random,
};

/// Makes the copy and checks it; answers what to say.
///
/// # Errors
/// If it cannot be made; then nothing of it is left.
pub(crate) fn run(asked: &args::Backup) -> anyhow::Result<String> {
    let data = DataDir::existing(&asked.data)?.embedded()?;
    if !data.vault().is_file() {
        bail!("{} has no vault.db: run `kith serve` once", data.path().display());
    }
    let kek = data.kek(asked.key_file.as_deref())?;
    let at = crate::clock().now();
    DataDir::create(&asked.to)?;
    let to = asked.to.join(at.strftime("%Y-%m-%dT%H%M%SZ").to_string());
    // Under another name until it is whole; if it never is, it is deleted.
    let unfinished = tempfile::Builder::new().prefix(".unfinished-").tempdir_in(&asked.to)?;
    let folder = unfinished.path();
    copy::copy_log(&data.log(), &folder.join(copy::LOG))?;
    fs::File::open(folder.join(copy::LOG))?.sync_all()?;
    // After the log: a key is on disk before anything that was sealed with it, so every key of the copied log is there.
    let vault = Vault::copy_of(&data.vault(), &kek)?;
    copy::write(&folder.join(copy::VAULT), &kek.seal_file(&random()?, copy::VAULT, &vault))?;
    copy::write(&folder.join(copy::ISSUER), &kek.seal_file(&random()?, copy::ISSUER, &*data.seed()?))?;
    let position = head(folder)?;
    copy::describe(folder, at, position, &kek)?;
    let Checked { position, .. } = copy::check(folder, &kek)?;
    copy::sync(folder)?;
    // A folder of this name is not replaced.
    fs::rename(folder, &to).with_context(|| format!("{} cannot be made", to.display()))?;
    let _ = unfinished.keep();
    copy::sync(&asked.to)?;
    Ok(format!("{}\nchecked: whole, up to position {position}\n", to.display()))
}

/// Where the copied log ends; that it is sound is looked at later, with all the rest.
fn head(folder: &std::path::Path) -> anyhow::Result<eventlog::Position> {
    let bar = copy::spinner("reading the copy")?;
    let found = eventlog::sqlite::verify(&folder.join(copy::LOG), |position| bar.set_position(position.0))?;
    bar.finish_and_clear();
    Ok(found.head)
}
