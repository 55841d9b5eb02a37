//! How the letters of a file are written: as it says itself, as somebody says, or as it can only be.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1250, WINDOWS_1252, WINDOWS_1254};

use super::FileError;

/// Bytes of a file by which it is seen whether each letter has two; a count.
const LOOKED_AT: usize = 512;

/// The text in UTF-8, as far as it is text: bytes of which it is not certain what they are stay as they are, and
/// characters that could not be read are U+FFFD. And how it was read.
pub(super) fn decoded<'a>(
    bytes: &'a [u8],
    asked: Option<&'static Encoding>,
) -> Result<(Cow<'a, [u8]>, &'static Encoding), FileError> {
    if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"\xd0\xcf\x11\xe0") {
        return Err(FileError::Spreadsheet);
    }
    let (encoding, text) = match Encoding::for_bom(bytes) {
        Some((encoding, mark)) => (encoding, &bytes[mark..]),
        None => (asked.or_else(|| by_zeros(bytes)).unwrap_or(UTF_8), bytes),
    };
    if encoding != UTF_8 {
        return Ok((read_as(encoding, text), encoding));
    }
    let certain = asked.is_none() && std::str::from_utf8(text).is_err() && is_windows_1252(text);
    Ok(if certain { (read_as(WINDOWS_1252, text), WINDOWS_1252) } else { (Cow::Borrowed(text), UTF_8) })
}

fn read_as<'a>(encoding: &'static Encoding, text: &'a [u8]) -> Cow<'a, [u8]> {
    match encoding.decode_without_bom_handling(text).0 {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}

/// UTF-16 without a mark: the names of columns are ASCII, so each other byte is nought.
fn by_zeros(bytes: &[u8]) -> Option<&'static Encoding> {
    let line = &bytes[..bytes.len().min(LOOKED_AT) & !1];
    let end = line.chunks(2).position(|two| two.contains(&b'\n') || two.contains(&b'\r'));
    let line = &line[..end.map_or(line.len(), |pairs| 2 * pairs)];
    let noughts = |odd: usize| !line.is_empty() && line.iter().skip(odd).step_by(2).all(|byte| *byte == 0);
    match (noughts(0), noughts(1)) {
        (true, false) => Some(UTF_16BE),
        (false, true) => Some(UTF_16LE),
        _ => None,
    }
}

/// Whether a text that is not UTF-8 can only be Windows-1252: each byte above ASCII stands in words of Latin letters, and is
/// the same sign in the code pages of central Europe and of Turkey, or stands where none of their letters does. An `è` could
/// be a Czech `č`: then somebody has to say what it is, because a name that is read wrongly is nobody's. Baltic languages
/// need no page of their own here: they hardly write a few names without `š` or `ž`, which are told apart.
fn is_windows_1252(text: &[u8]) -> bool {
    text.split(|byte| byte.is_ascii() && !byte.is_ascii_alphanumeric()).all(|word| {
        let signs: Vec<_> = word.iter().filter_map(|byte| sign(WINDOWS_1252, *byte)).collect();
        let certain = |n: usize| {
            [WINDOWS_1250, WINDOWS_1254].iter().all(|other| sign(other, word[n]) == Some(signs[n]))
                || is_only_western(&signs, n)
        };
        word.is_ascii() || (signs.len() == word.len() && (0..word.len()).all(certain) && is_word(&signs))
    })
}

fn sign(encoding: &'static Encoding, byte: u8) -> Option<char> {
    let sign = encoding.decode_without_bom_handling(&[byte]).0.chars().next();
    sign.filter(|sign| !sign.is_control() && *sign != char::REPLACEMENT_CHARACTER)
}

/// Letters that are others in central Europe, where those cannot stand: no `ń` is before a vowel, no `ĺ` begins a word.
fn is_only_western(signs: &[char], n: usize) -> bool {
    match signs[n] {
        'ñ' | 'Ñ' => signs.get(n + 1).is_some_and(|next| "aeiouáéíóúAEIOUÁÉÍÓÚ".contains(*next)),
        'å' | 'Å' => n == 0 && signs.len() > 1,
        _ => false,
    }
}

/// Whether signs make a word of Latin letters: in Cyrillic code pages and in those of DOS and of old Macintoshes the same
/// bytes make words of accents alone, capitals after small letters, and dashes or quotes within words.
fn is_word(signs: &[char]) -> bool {
    let letters: Vec<char> = signs.iter().copied().filter(|sign| sign.is_alphabetic()).collect();
    let accents = letters.iter().filter(|letter| !letter.is_ascii()).count();
    let capital_inside = |two: &[char]| two[0].is_lowercase() && !two[1].is_ascii() && two[1].is_uppercase();
    let fits = |n: usize| {
        let beside = |n: Option<usize>| n.and_then(|n| signs.get(n)).copied().filter(|sign| sign.is_alphabetic());
        let (before, after) = (beside(n.checked_sub(1)), beside(Some(n + 1)));
        match signs[n] {
            sign if sign.is_alphabetic() => sign <= 'ÿ',
            sign if sign.is_ascii() => true,
            '’' => before.is_some() && after.is_some_and(char::is_uppercase),
            _ => before.is_none() && after.is_none(),
        }
    };
    (accents == 0 || letters.len() > accents) && !letters.windows(2).any(capital_inside) && (0..signs.len()).all(fits)
}

#[cfg(test)]
mod tests {
    use encoding_rs::{MACINTOSH, WINDOWS_1251};

    use super::*;

    fn text(bytes: &[u8]) -> String {
        String::from_utf8_lossy(&decoded(bytes, None).unwrap().0).into_owned()
    }

    #[test]
    fn a_file_says_itself_how_it_is_written_or_can_be_only_one_thing() {
        let wanted = "alias;notes\r\nJürg;Größe – 5€, O’Brien\r\nÖzil;Zoë's café\r\nÅsa;Peña\r\n";
        let two = |order: fn(u16) -> [u8; 2]| wanted.encode_utf16().flat_map(order).collect::<Vec<u8>>();
        let (little, big) = (two(u16::to_le_bytes), two(u16::to_be_bytes));
        assert_eq!(text(&[b"\xef\xbb\xbf", wanted.as_bytes()].concat()), wanted);
        assert_eq!(text(&[b"\xff\xfe", &little[..]].concat()), wanted);
        assert_eq!(text(&[b"\xfe\xff", &big[..]].concat()), wanted);
        assert_eq!((text(&little), text(&big)), (wanted.to_owned(), wanted.to_owned()));
        assert_eq!(text(&WINDOWS_1252.encode(wanted).0), wanted);
        assert_eq!(text(wanted.as_bytes()), wanted);
        assert_eq!(decoded(b"PK\x03\x04", None), Err(FileError::Spreadsheet));
    }

    #[test]
    fn what_could_be_another_encoding_is_not_read_as_if_it_could_not() {
        for (encoding, name) in [
            (WINDOWS_1250, "Łukasz"),
            (WINDOWS_1250, "Kowalczyńska"),
            (WINDOWS_1250, "Dvořák"),
            (WINDOWS_1250, "Szűcs"),
            (WINDOWS_1251, "Иван"),
            (WINDOWS_1251, "Ли"),
            (WINDOWS_1254, "Yıldız"),
            (WINDOWS_1254, "İnan"),
            (WINDOWS_1252, "Hélène"),
            (MACINTOSH, "Jörg"),
            (MACINTOSH, "Zoë"),
            (MACINTOSH, "Ödön"),
            (MACINTOSH, "María"),
            (MACINTOSH, "Änne"),
        ] {
            let bytes = encoding.encode(name).0.into_owned();
            assert_eq!(decoded(&bytes, None).unwrap().0, bytes, "{name} in {}", encoding.name());
            assert_eq!(decoded(&bytes, Some(encoding)).unwrap().0, name.as_bytes());
        }
        for bytes in [&b"J\xc3\xb6rg M\xfcller"[..], b"\x81nne", b"J\x94rg", b"\xff"] {
            assert_eq!(decoded(bytes, None).unwrap().0, bytes);
        }
    }
}
