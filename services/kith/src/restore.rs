//! `kith restore`: a copy becomes a data directory, without those who were erased since it was taken.

use std::{
    collections::HashSet,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, bail};
use domain::{
    MemberId, OrgId,
    member::Member,
    people::{self, People},
};
use eventlog::{Cause, EventLog, Reply, Streams, sqlite::SqliteLog};
use futures::future::try_join_all;
use membership::Line;
use uuid::Uuid;
use vault::{Kek, Vault};

use crate::{
    DataDir, Findings, adopt, args,
    copy::{self, Checked},
    data_dir::{ServerData, given_kek},
    serve::fresh,
    verify,
};

/// Who says in the log that somebody was erased again.
pub(crate) const RESTORE: &str = "kith restore";

/// Whom nothing shall be left of.
type Forgotten = HashSet<(OrgId, MemberId)>;

/// Restores, and checks what came of it; answers what to say and what was found.
///
/// # Errors
/// If the copy or one of the arguments cannot be used; then the new data directory is as it was.
pub(crate) async fn run(asked: &args::Restore) -> anyhow::Result<(String, Findings)> {
    let kek = given_kek(asked.key_file.as_deref())?;
    let kek = kek.context("the key-encryption key is in no copy: name its file with --key-file, or set KITH_KEY")?;
    let since = asked.erasures.erasures.as_deref().map(lines).transpose()?.unwrap_or_default();
    let copied = copy::check(&asked.from, &kek)?;
    let data = empty(&asked.data)?;
    let _lock = data.lock()?;
    // Beside the new files until nobody is in them who was erased.
    let unfinished = tempfile::Builder::new().prefix(".unfinished-").tempdir_in(data.path())?;
    let staged = Staged { log: unfinished.path().join("log.db"), vault: unfinished.path().join("vault.db") };
    copy::copy_log(&asked.from.join(copy::LOG), &staged.log)?;
    copy::write(&staged.vault, &copied.vault)?;
    let again = staged.erase_again(&kek, since).await?;
    staged.put(&data, &copied, &kek, &unfinished.path().join("whole.db"))?;
    drop(unfinished);
    let found = verify::verify(&ServerData { data: data.path().into(), eventstore: None, shared: None }).await?;
    Ok((said(&copied, again, asked)?, found))
}

fn said(copied: &Checked, again: usize, asked: &args::Restore) -> anyhow::Result<String> {
    let mut said = format!("restored the copy of {}, up to position {}\n", copied.at, copied.position);
    writeln!(said, "erased again, because the copy still knew them: {again}")?;
    writeln!(said, "views and facts are made anew by `kith serve`; the key-encryption key stays where it is:")?;
    match &asked.key_file {
        Some(file) => writeln!(said, "start the server with --key-file {}", file.display())?,
        None => writeln!(said, "start the server with KITH_KEY")?,
    }
    Ok(said)
}

/// The new data directory, in which nothing may be.
fn empty(path: &Path) -> anyhow::Result<DataDir> {
    let data = DataDir::create(path)?;
    // A lock is what an attempt that failed leaves.
    let found = fs::read_dir(path)?.flatten().find(|entry| entry.file_name() != "lock");
    match found {
        None => Ok(data),
        Some(entry) => {
            bail!("{} is not empty, it has {}: name a new folder", path.display(), entry.file_name().to_string_lossy())
        }
    }
}

/// Who is in the file of erasures.
fn lines(path: &Path) -> anyhow::Result<Forgotten> {
    let text = fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let read = |(n, line)| {
        let line: Line = serde_json::from_str(line)
            .with_context(|| format!("{}:{}: is no line of an erasures file", path.display(), n + 1))?;
        Ok((line.organisation, line.member))
    };
    text.lines().enumerate().map(read).collect()
}

/// What is not yet to be used.
struct Staged {
    log: PathBuf,
    vault: PathBuf,
}

impl Staged {
    /// Erases everyone of whom the log, the vault or the erasures file says so; answers how many of them had a record in
    /// the copied log.
    async fn erase_again(&self, kek: &Kek, since: Forgotten) -> anyhow::Result<usize> {
        let log: Arc<dyn EventLog> = Arc::new(SqliteLog::open(&self.log)?);
        let known: Forgotten = membership::in_log(&*log).await?.into_iter().collect();
        // The vault was copied after the log: somebody may have been erased between the two.
        let since: Forgotten = since.into_iter().chain(Vault::destroyed(&self.vault)?).collect();
        let (members, people) = (Streams::<Member>::new(log.clone()), Streams::<People>::new(log.clone()));
        adopt::adopt(&*log, &people, crate::clock().now()).await?;
        let mut again = 0;
        for (org, member) in since.difference(&known) {
            again += usize::from(forget(&members, &people, org, *member).await?);
        }
        // Also of those whom the log knows: the copy may be of the moment before their key was destroyed.
        let vault = Vault::open(&self.vault, kek.clone(), fresh)?;
        let left = known.union(&since).filter(|(org, member)| !vault.is_erased(org, *member));
        try_join_all(left.map(|(org, member)| vault.erase(org, *member))).await?;
        Ok(again)
    }

    /// Makes it the data directory: each file whole, the log last, since it is what makes the folder one.
    fn put(&self, data: &DataDir, copied: &Checked, kek: &Kek, whole: &Path) -> anyhow::Result<()> {
        copy::copy_log(&self.log, whole)?;
        fs::File::open(whole)?.sync_all()?;
        copy::write(&data.vault(), &Vault::copy_of(&self.vault, kek)?)?;
        copy::write(&data.issuer_key(), &copied.issuer)?;
        fs::rename(whole, data.log())?;
        copy::sync(data.path())
    }
}

/// Erases a record in the log once more, whatever the copy says of holds (they were lifted after it was taken: nobody is
/// erased under one) and merges (who else was erased with it is named, too); answers whether there was a record.
async fn forget(
    members: &Streams<Member>,
    people: &Streams<People>,
    org: &OrgId,
    member: MemberId,
) -> anyhow::Result<bool> {
    if members.look(org, member, |member| member.state.record().is_none()).await? {
        return Ok(false);
    }
    let cause = Cause::of_process(RESTORE, Uuid::new_v5(&member.0, b"kith restore"), crate::clock().now());
    people.transact(org, people::stream_id(org), cause, people::Command::EraseAgain(member), Reply::DONE).await?;
    Ok(true)
}
