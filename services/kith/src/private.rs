//! What is nobody else's on this machine: the memory of this process, the files that it makes, the secrets it is given.
//!
//! A file with a secret belongs to us or to root. Nobody else may write it; others may not read it; the group may if root
//! gave it to us so, as systemd's credentials and Docker's secrets are given (0440). Ours are 0600.

use std::{
    fs::{self, File, Metadata, OpenOptions},
    io::Read,
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
    path::Path,
};

use anyhow::{Context, bail};
use rustix::{
    fs::{Mode, OFlags},
    process::{DumpableBehavior, Resource, Rlimit, geteuid, set_dumpable_behavior, setrlimit, umask},
};
use zeroize::Zeroizing;

/// Longest file with a secret, in bytes.
const SECRET_BYTES_MAX: u64 = 64 * 1024;
/// What the group and others may do.
const NOT_OURS: u32 = 0o077;
/// Files in a data directory that hold keys. Whoever could read them may have them: that is not mended in silence.
const KEYS: &[&str] = &["vault.key", "issuer.key"];

/// Of this process nobody gets a core dump, nor of those that it starts; and what it makes nobody else can read.
///
/// # Errors
/// If the system does not allow it.
pub(crate) fn shut() -> anyhow::Result<()> {
    umask(Mode::RWXG | Mode::RWXO);
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }).context("core dumps stay on")?;
    // A handler that core dumps are piped to heeds no limit. Nor can other processes of the same user look in.
    set_dumpable_behavior(DumpableBehavior::NotDumpable).context("core dumps stay on")?;
    Ok(())
}

/// What is in a file with a secret.
///
/// # Errors
/// If it cannot be read, or others can.
pub(crate) fn read(path: &Path) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    let opened = File::open(path).and_then(|file| Ok((file.metadata()?, file)));
    let (metadata, file) = opened.with_context(|| format!("{} cannot be read", path.display()))?;
    check(path, &metadata, geteuid().as_raw())?;
    let mut secret = Zeroizing::new(Vec::new());
    let read = file.take(SECRET_BYTES_MAX + 1).read_to_end(&mut secret);
    read.with_context(|| format!("{} cannot be read", path.display()))?;
    if secret.len() as u64 > SECRET_BYTES_MAX {
        bail!("{} has more than {SECRET_BYTES_MAX} bytes, the most of a file with a secret", path.display());
    }
    Ok(secret)
}

/// Refuses a file with a secret that others can read, where somebody else reads it for us.
///
/// # Errors
/// If they can, or it is not there.
pub(crate) fn check_file(path: &Path) -> anyhow::Result<()> {
    let metadata = fs::metadata(path).with_context(|| format!("{} cannot be read", path.display()))?;
    check(path, &metadata, geteuid().as_raw())
}

fn check(path: &Path, metadata: &Metadata, us: u32) -> anyhow::Result<()> {
    let (owner, mode, shown) = (metadata.uid(), metadata.mode() & 0o7777, path.display());
    if metadata.is_dir() {
        bail!("{shown} is a folder, not a file with a secret");
    }
    if owner != us && owner != 0 {
        bail!("{shown} holds a secret and belongs to user {owner}, who can change it: `chown {us} {shown}`");
    }
    let may_be = if owner == 0 { 0o040 } else { 0 };
    if mode & NOT_OURS & !may_be != 0 {
        bail!(
            "{shown} holds a secret, and others on this machine can get at it (mode {mode:04o}): `chmod 600 {shown}`, and \
             make another secret if somebody may have read it"
        );
    }
    Ok(())
}

/// Takes a folder of ours, and what is in it, from the eyes of others. Says so if it was open to them.
///
/// # Errors
/// If it belongs to somebody else, or one of the keys in it can be read by others.
pub(crate) fn close(folder: &Path) -> anyhow::Result<()> {
    let (us, shown) = (geteuid().as_raw(), folder.display());
    let metadata = fs::metadata(folder).with_context(|| format!("{shown} cannot be read"))?;
    if metadata.uid() != us {
        let owner = metadata.uid();
        bail!("the data directory {shown} belongs to user {owner}, kith runs as user {us}: `chown -R {us} {shown}`");
    }
    let failed = || format!("{shown} cannot be closed to others");
    let mut opened = narrow(folder, &metadata, 0o700).with_context(failed)?;
    for entry in fs::read_dir(folder).with_context(failed)? {
        let entry = entry.with_context(failed)?;
        let Ok(metadata) = entry.metadata() else { continue }; // gone again
        if KEYS.iter().any(|key| entry.file_name() == *key) {
            check_file(&entry.path())?;
        } else if metadata.is_file() && metadata.uid() == us {
            opened |= narrow(&entry.path(), &metadata, 0o600).with_context(failed)?;
        }
    }
    if opened {
        tracing::warn!(
            folder = %shown,
            "others on this machine could read the data directory or files in it; now they cannot"
        );
    }
    Ok(())
}

/// Answers whether others could get at it.
fn narrow(path: &Path, metadata: &Metadata, mode: u32) -> std::io::Result<bool> {
    if metadata.mode() & NOT_OURS == 0 {
        return Ok(false);
    }
    match fs::set_permissions(path, fs::Permissions::from_mode(mode)) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false), // gone meanwhile
        done => done.map(|()| true),
    }
}

/// Opens a file to be locked, which must be ours: whoever else could open it could hold the lock.
///
/// # Errors
/// If it is somebody else's, or a link.
pub(crate) fn open_lock(path: &Path) -> anyhow::Result<File> {
    let no_links = i32::try_from(OFlags::NOFOLLOW.bits()).expect("a flag of open(2)");
    let file =
        OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).custom_flags(no_links).open(path);
    let file = file.with_context(|| format!("{} cannot be opened", path.display()))?;
    let (owner, us) = (file.metadata()?.uid(), geteuid().as_raw());
    if owner != us {
        bail!("{} belongs to user {owner}, who could hold it: delete it", path.display());
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(mode: u32) -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        fs::write(&path, "s").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        (dir, path)
    }

    #[test]
    fn a_secret_that_others_can_get_at_is_refused_with_what_to_do() {
        for mode in [0o604, 0o602, 0o644, 0o666, 0o620, 0o660, 0o777] {
            let (_dir, path) = file(mode);
            let error = read(&path).unwrap_err().to_string();
            assert!(error.contains(&format!("chmod 600 {}", path.display())), "{error}");
            assert!(error.contains(&format!("{mode:04o}")), "{error}");
        }
        for mode in [0o600, 0o400] {
            let (_dir, path) = file(mode);
            assert_eq!(read(&path).unwrap().as_slice(), b"s");
        }
    }

    #[test]
    fn root_may_give_a_secret_to_our_group_but_nobody_else_may() {
        let (_dir, path) = file(0o440);
        let metadata = fs::metadata(&path).unwrap();
        let owner = metadata.uid();
        // As whoever runs this: root's file for another user, or a file of our own for our group.
        let given = if owner == 0 { check(&path, &metadata, 10_001) } else { Ok(()) };
        assert!(given.is_ok(), "{given:?}");
        if owner != 0 {
            assert!(check(&path, &metadata, owner).is_err());
            assert!(check(&path, &metadata, owner + 1).unwrap_err().to_string().contains("chown"));
        }
    }

    #[test]
    fn a_folder_is_no_secret_and_a_large_file_neither() {
        let dir = tempfile::tempdir().unwrap();
        assert!(read(dir.path()).unwrap_err().to_string().contains("folder"));
        let (_dir, path) = file(0o600);
        fs::write(&path, vec![0; usize::try_from(SECRET_BYTES_MAX).unwrap() + 1]).unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("65536 bytes"));
    }

    #[test]
    fn an_open_data_directory_is_closed_but_for_a_key_that_others_could_read() {
        let dir = tempfile::tempdir().unwrap();
        let (folder, mode) = (dir.path().join("data"), |path: &Path| fs::metadata(path).unwrap().mode() & 0o777);
        fs::create_dir(&folder).unwrap();
        let log = folder.join("log.db");
        fs::write(&log, "").unwrap();
        for (path, open) in [(&log, 0o644), (&folder, 0o755)] {
            fs::set_permissions(path, fs::Permissions::from_mode(open)).unwrap();
        }
        close(&folder).unwrap();
        assert_eq!((mode(&folder), mode(&log)), (0o700, 0o600));
        let key = folder.join("vault.key");
        fs::write(&key, "").unwrap();
        fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
        let error = close(&folder).unwrap_err().to_string();
        assert!(error.contains("vault.key") && error.contains("chmod 600"), "{error}");
        assert_eq!(mode(&key), 0o644, "what to do about it is not ours to say");
    }

    /// Says which test shall shut the doors of its process.
    const HELPER: &str = "KITH_TEST_HELPER";

    #[test]
    fn nobody_gets_a_core_dump_and_what_is_made_is_ours_alone() {
        let this = std::env::current_exe().unwrap();
        let helper = ["--exact", "private::tests::helper_that_shuts_its_doors", "--ignored", "--nocapture"];
        let ended = std::process::Command::new(this).args(helper).env(HELPER, "1").output().unwrap();
        let said = String::from_utf8_lossy(&ended.stdout).into_owned();
        assert!(ended.status.success() && said.contains("the doors are shut"), "{said}");
    }

    #[test]
    #[ignore = "run as a process of its own by nobody_gets_a_core_dump_and_what_is_made_is_ours_alone"]
    fn helper_that_shuts_its_doors() {
        if std::env::var_os(HELPER).is_none() {
            return;
        }
        shut().unwrap();
        assert_eq!(rustix::process::dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("made");
        File::create(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        // Children inherit the limit.
        let child = std::process::Command::new("/bin/sh").args(["-c", "ulimit -c; ulimit -Hc"]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&child.stdout), "0\n0\n");
        println!("the doors are shut");
    }

    #[test]
    fn a_lock_is_no_link() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        std::os::unix::fs::symlink(dir.path().join("elsewhere"), &path).unwrap();
        assert!(open_lock(&path).is_err());
        fs::remove_file(&path).unwrap();
        assert_eq!(open_lock(&path).unwrap().metadata().unwrap().mode() & 0o777, 0o600);
    }
}
