//! Files with a suppression problem, or a pattern for one.

use std::{fs::File, io::Read, path::Path};

use anyhow::{Context, ensure};
use disclosure_control::{Problem, problem::ProblemFile};
use serde::de::DeserializeOwned;

/// Largest file, in bytes.
const FILE_BYTES_MAX: u64 = 512 << 20;

/// Reads a problem.
///
/// # Errors
/// If it is none.
pub(crate) fn read(path: &Path) -> anyhow::Result<Problem> {
    let file: ProblemFile = json(path)?;
    Problem::try_from(file).with_context(|| format!("{} is no problem that can be solved", shown(path)))
}

/// Reads JSON; `-` is the standard input.
///
/// # Errors
/// If it is not there, too large, or not what is expected.
pub(crate) fn json<T: DeserializeOwned>(path: &Path) -> anyhow::Result<T> {
    let shown = shown(path);
    let mut text = Vec::new();
    let read = if is_standard_input(path) {
        std::io::stdin().lock().take(FILE_BYTES_MAX + 1).read_to_end(&mut text)
    } else {
        File::open(path).and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut text))
    };
    let bytes = read.with_context(|| format!("{shown} cannot be read"))?;
    ensure!(u64::try_from(bytes)? <= FILE_BYTES_MAX, "{shown} has more than {FILE_BYTES_MAX} bytes");
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
    let mut reader = serde_json::Deserializer::from_slice(text);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let at = error.path().to_string();
        anyhow::anyhow!("{shown}: {}{}", if at == "." { String::new() } else { format!("{at}: ") }, error.inner())
    })?;
    reader.end().with_context(|| format!("{shown}: there is more than one value in it"))?;
    Ok(value)
}

/// Whether a path means the standard input.
pub(crate) fn is_standard_input(path: &Path) -> bool {
    path.as_os_str() == "-"
}

fn shown(path: &Path) -> String {
    if is_standard_input(path) { "the standard input".to_owned() } else { path.display().to_string() }
}
