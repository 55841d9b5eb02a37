//! `kith instrument check`: what is wrong with a file that says what an instrument is, line by line.

use std::{collections::BTreeMap, fmt::Write, path::Path};

use anyhow::Context;
use domain::instrument::{Definition, Instrument, Mistake};
use serde_json::value::RawValue;

/// Most bytes of such a file.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Looks through a file; answers what is to be said of it, and whether it is right.
///
/// # Errors
/// If it cannot be read.
pub fn check(file: &Path) -> anyhow::Result<(String, bool)> {
    let shown = file.display();
    let size = std::fs::metadata(file).with_context(|| format!("{shown} cannot be read"))?.len();
    anyhow::ensure!(size <= FILE_BYTES_MAX, "{shown} has {size} bytes, at most {FILE_BYTES_MAX} are possible");
    let json = std::fs::read_to_string(file).with_context(|| format!("{shown} cannot be read"))?;
    let mut said = String::new();
    let mistakes = mistakes(&json);
    for (line, mistake) in &mistakes {
        writeln!(said, "{shown}:{line}: {mistake}")?;
    }
    match &mistakes[..] {
        [] => writeln!(said, "{shown}: right")?,
        [_] => writeln!(said, "1 mistake")?,
        mistakes => writeln!(said, "{} mistakes", mistakes.len())?,
    }
    Ok((said, mistakes.is_empty()))
}

/// What is wrong, each with its line, from 1.
fn mistakes(json: &str) -> Vec<(usize, Mistake)> {
    let mut read = serde_json::Deserializer::from_str(json);
    match serde_path_to_error::deserialize::<_, Definition>(&mut read) {
        Err(error) => {
            let (at, says) = (error.path().to_string(), error.inner().to_string());
            vec![(error.inner().line(), Mistake { at, says })]
        }
        Ok(definition) => {
            let mistakes = Instrument::new(definition).err().unwrap_or_default();
            mistakes.into_iter().map(|mistake| (line(json, &mistake.at), mistake)).collect()
        }
    }
}

/// The line at which the field at a path begins, such as `scores[0].range.max`; that of the last of its parts that is there.
fn line(json: &str, path: &str) -> usize {
    let mut value: &str = json;
    for part in path.split(['.', '[', ']']).filter(|part| !part.is_empty()) {
        let next = match part.parse::<usize>() {
            Ok(nth) if value.trim_start().starts_with('[') => {
                serde_json::from_str::<Vec<&RawValue>>(value).ok().and_then(|all| all.get(nth).map(|next| next.get()))
            }
            _ => serde_json::from_str::<BTreeMap<&str, &RawValue>>(value)
                .ok()
                .and_then(|all| all.get(part).map(|next| next.get())),
        };
        match next {
            Some(next) => value = next,
            None => break,
        }
    }
    let begins = value.as_ptr() as usize - json.as_ptr() as usize;
    json[..begins].matches('\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mistake_is_named_with_its_line_and_field() {
        let good = include_str!("../../../schemas/instruments/gad-2.json");
        assert_eq!(mistakes(good), []);
        let field = "\"direction\": \"higher_is_worse\"";
        let line = good.lines().position(|line| line.contains(field)).expect("it has one") + 1;
        let bad = mistakes(&good.replacen(field, "\"direction\": \"sideways\"", 1));
        assert_eq!((bad.len(), bad[0].0), (1, line), "{bad:?}");
        let bad = mistakes(&good.replacen("\"version\": 1", "\"version\": 0", 1));
        assert_eq!((bad.len(), bad[0].1.at.as_str()), (1, "version"), "{bad:?}");
        let version = good.lines().position(|line| line.contains("\"version\"")).expect("it has one") + 1;
        assert_eq!(bad[0].0, version);
        assert_eq!(super::line("{\"a\": [1,\n{\"b\":\n2}]}", "a[1].b"), 3);
        assert_eq!(super::line("{\n\"a\": 1}", "a.b[2]"), 2);
    }
}
