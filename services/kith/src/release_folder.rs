//! A release in a folder: `release.json` and, beside it, a CSV per table.
//!
//! **Invariant:** no link is followed and nothing outside the folder is read, whatever `release.json` says.

use std::{fs::File, io::Read, os::unix::fs::MetadataExt, path::Path};

use anyhow::{Context, bail, ensure};
use disclosure_control::release::{CELLS_MAX, Manifest, Release, ReleaseError};

/// The file that describes the others.
const MANIFEST: &str = "release.json";
/// Largest `release.json`, in bytes.
const MANIFEST_BYTES_MAX: u64 = 16 << 20;
/// Largest table, in bytes.
const TABLE_BYTES_MAX: u64 = 64 << 20;

/// Reads a release; answers it, and what of its folder is not known and was not read.
///
/// # Errors
/// If it is none: which file, which line, and what to do.
pub(crate) fn read(folder: &Path) -> anyhow::Result<(Release, Vec<String>)> {
    let shown = folder.display();
    ensure!(folder.is_dir(), "{shown} is no folder: give the folder that {MANIFEST} is in");
    let json = bytes(&folder.join(MANIFEST), MANIFEST_BYTES_MAX)?;
    let release = || -> Result<Release, anyhow::Error> {
        let manifest = Manifest::read(&json)?;
        let (mut tables, mut left) = (Vec::new(), CELLS_MAX);
        for table in &manifest.tables {
            let lines = table.read(&manifest, &bytes(&folder.join(&table.file), TABLE_BYTES_MAX)?)?;
            left = left.checked_sub(lines.len()).ok_or(ReleaseError::TooMany)?;
            tables.push(lines);
        }
        Ok(Release::new(manifest, &tables)?)
    };
    let release = release().with_context(|| format!("{shown} cannot be read as a release"))?;
    ensure!(
        !release.cells.is_empty(),
        "{shown} has no number: name its tables in {MANIFEST}, with a line for each number"
    );
    let fields = Manifest::unread(&json).into_iter().map(|field| format!("{MANIFEST}: `{field}`"));
    let unread = fields.chain(unnamed(folder, &release.manifest)?).collect();
    Ok((release, unread))
}

/// The tables in a folder that its `release.json` does not name.
fn unnamed(folder: &Path, manifest: &Manifest) -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in folder.read_dir().with_context(|| format!("{} cannot be read", folder.display()))? {
        let name = entry?.file_name();
        let is_table = Path::new(&name).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"));
        if is_table && !manifest.tables.iter().any(|table| *table.file == *name) {
            names.push(name.to_string_lossy().escape_debug().to_string());
        }
    }
    names.sort();
    Ok(names)
}

/// The bytes of a file that is no link, nor a device or a pipe, which could wait for ever.
fn bytes(path: &Path, max: u64) -> anyhow::Result<Vec<u8>> {
    let shown = path.display();
    let found = path.symlink_metadata().with_context(|| format!("{shown} cannot be read"))?;
    if found.is_symlink() {
        bail!("{shown} is a link, which is not followed: put the file itself there");
    }
    ensure!(found.is_file(), "{shown} is no file");
    let file = File::open(path).with_context(|| format!("{shown} cannot be read"))?;
    // What was looked at is what was opened, even if somebody is changing it meanwhile.
    let opened = file.metadata().with_context(|| format!("{shown} cannot be read"))?;
    ensure!((opened.dev(), opened.ino()) == (found.dev(), found.ino()), "{shown} is being changed: try again");
    let mut bytes = Vec::new();
    file.take(max + 1).read_to_end(&mut bytes).with_context(|| format!("{shown} cannot be read"))?;
    ensure!(u64::try_from(bytes.len())? <= max, "{shown} has more than {} MiB: split the release", max >> 20);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const GOOD: &str = r#"{"format": 1, "threshold": 5, "dimensions": {"area": {"codes": {"Elm": ["Elm"]}}},
        "measures": {"people": {}}, "tables": [{"file": "people.csv", "measure": "people", "dims": ["area"]}]}"#;

    fn why(folder: &Path) -> String {
        format!("{:#}", read(folder).expect_err("it is none"))
    }

    #[test]
    fn a_release_is_read_and_what_is_wrong_with_it_is_said_with_the_place() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = folder.path();
        assert!(why(&at.join("none")).contains("is no folder: give the folder that release.json is in"));
        assert!(why(at).contains("release.json cannot be read"));
        fs::write(at.join(MANIFEST), GOOD).expect("written");
        assert!(why(at).contains("people.csv cannot be read"));
        fs::write(at.join("people.csv"), "area,value\r\nTotal,9\r\nElm,\"1,234\"\r\n").expect("written");
        assert!(
            why(at).ends_with("people.csv, line 3: `1,234` is no number: write 1234, without a separator of thousands")
        );
        fs::write(at.join("people.csv"), "area,value\r\nTotal,9\r\nElm,\r\n").expect("written");
        let (release, unread) = read(at).expect("a release");
        assert_eq!((release.cells.len(), unread.len()), (2, 0));
        fs::write(at.join("more.csv"), "").expect("written");
        assert_eq!(read(at).expect("a release").1, ["more.csv"]);
        fs::write(at.join("people.csv"), "area,value\r\n").expect("written");
        assert!(why(at).contains("has no number: name its tables in release.json"));
    }

    #[test]
    fn nothing_outside_the_folder_is_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let (inside, outside) = (folder.path().join("release"), folder.path().join("people.csv"));
        fs::create_dir(&inside).expect("made");
        fs::write(&outside, "area,value\nTotal,9\n").expect("written");
        fs::write(inside.join(MANIFEST), GOOD.replace("people.csv", "../people.csv")).expect("written");
        assert!(why(&inside).contains("`../people.csv` is no table's `file`"));
        fs::write(inside.join(MANIFEST), GOOD).expect("written");
        std::os::unix::fs::symlink(&outside, inside.join("people.csv")).expect("linked");
        assert!(why(&inside).contains("people.csv is a link, which is not followed"));
        fs::remove_file(inside.join("people.csv")).expect("removed");
        fs::create_dir(inside.join("people.csv")).expect("made");
        assert!(why(&inside).contains("people.csv is no file"));
    }

    #[test]
    fn a_file_that_is_too_large_is_not_read() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join(MANIFEST), GOOD).expect("written");
        let table = File::create(folder.path().join("people.csv")).expect("made");
        table.set_len(TABLE_BYTES_MAX + 1).expect("a file with a hole");
        assert!(why(folder.path()).contains("people.csv has more than 64 MiB: split the release"));
    }
}
