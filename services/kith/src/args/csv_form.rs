//! How a CSV file is written, as far as that is not found out by looking at it.

use clap::Args;
use encoding_rs::Encoding;

/// How a CSV file is written.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct CsvForm {
    /// What stands between cells: comma, semicolon, tab, pipe, or another sign; if not given, a line `sep=;` before the
    /// columns says it, or else it is found from the columns
    #[arg(long, value_name = "SIGN", value_parser = separator)]
    pub separator: Option<u8>,
    /// How letters are written, such as windows-1252, windows-1250 or macintosh; if not given, UTF-8, UTF-16, or
    /// Windows-1252 where it can be nothing else
    #[arg(long, value_name = "NAME", value_parser = encoding)]
    pub encoding: Option<&'static Encoding>,
    /// Columns that have other names in the file, such as `Vorname=given_name,Nachname=family_name`; `Remarks=` is not
    /// read; may be given many times
    #[arg(long, visible_alias = "column", value_name = "THEIRS=OURS,…", value_parser = columns)]
    pub columns: Vec<Columns>,
}

/// Columns of a file and what they are called here; nothing for those that are not read.
#[derive(Debug, Clone)]
pub(crate) struct Columns(pub Vec<(String, String)>);

impl CsvForm {
    /// Columns of the file that have another name here, and those that are not read, which have none.
    pub fn renamed(&self) -> impl Iterator<Item = &(String, String)> {
        self.columns.iter().flat_map(|columns| &columns.0)
    }
}

fn separator(text: &str) -> Result<u8, String> {
    match text {
        "comma" => return Ok(b','),
        "semicolon" => return Ok(b';'),
        "tab" | "\\t" => return Ok(b'\t'),
        "pipe" => return Ok(b'|'),
        _ => {}
    }
    match text.as_bytes() {
        [sign] if is_separator(*sign) => Ok(*sign),
        _ => Err("must be comma, semicolon, tab, pipe, or one sign that is no letter, digit or quote".into()),
    }
}

/// Whether a sign can stand between cells.
pub(crate) fn is_separator(sign: u8) -> bool {
    sign == b'\t' || (sign.is_ascii_punctuation() && !b"\"'_".contains(&sign))
}

fn encoding(text: &str) -> Result<&'static Encoding, String> {
    let named = Encoding::for_label(text.trim().as_bytes());
    named.ok_or_else(|| "is no encoding that is known, such as utf-8, windows-1252, windows-1250 or macintosh".into())
}

/// Names of columns have no `=` here; theirs may have one, and commas.
fn columns(text: &str) -> Result<Columns, String> {
    let (mut all, mut theirs) = (Vec::new(), String::new());
    for part in text.split(',') {
        if let Some((rest, ours)) = part.rsplit_once('=') {
            theirs.push_str(rest);
            all.push((std::mem::take(&mut theirs).trim().to_owned(), ours.trim().to_owned()));
        } else {
            theirs.push_str(part);
            theirs.push(',');
        }
    }
    let whole = theirs.is_empty() && all.iter().all(|(theirs, _)| !theirs.is_empty());
    if whole { Ok(Columns(all)) } else { Err("must be such as Vorname=given_name,Nachname=family_name".into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_named_in_pairs_whatever_stands_in_theirs() {
        let pair = |theirs: &str, ours: &str| (theirs.to_owned(), ours.to_owned());
        for (text, wanted) in [
            (
                "Vorname=given_name,Nachname = family_name",
                vec![pair("Vorname", "given_name"), pair("Nachname", "family_name")],
            ),
            ("Name, first=given_name,Ort=", vec![pair("Name, first", "given_name"), pair("Ort", "")]),
            ("a=b=alias", vec![pair("a=b", "alias")]),
        ] {
            assert_eq!(columns(text).unwrap().0, wanted, "{text}");
        }
        for text in ["", "Vorname", "=alias", "a=alias,b"] {
            assert!(columns(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_separator_is_a_word_or_a_sign() {
        for (text, wanted) in [("tab", b'\t'), ("\t", b'\t'), (";", b';'), ("semicolon", b';'), ("pipe", b'|')] {
            assert_eq!(separator(text), Ok(wanted));
        }
        for text in ["", "a", "\"", "__", "€", "\n"] {
            assert!(separator(text).is_err(), "{text}");
        }
    }
}
