//! Telephone numbers as they are compared: in the form of E.164, by what libphonenumber knows of each country.

use phonenumber::{Mode, country::Id};
use unicode_normalization::UnicodeNormalization;

use crate::folded::digit;

/// Digits of a number of which the country is not known, at least and at most.
const LOCAL_DIGITS: std::ops::RangeInclusive<usize> = 6..=15;
/// Most numbers that are looked for in one text, a count.
const CANDIDATES_MAX: usize = 8;
/// What stands before an extension.
const EXTENSIONS: &[&str] = &["extension", "ext", "x", "#", "durchwahl", "poste"];

/// The country in which numbers are meant that do not name theirs (ISO 3166-1, two letters).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Country(Id);

/// Two letters that are no country with telephone numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a country in two letters, such as GB")]
pub struct NoCountry;

impl std::str::FromStr for Country {
    type Err = NoCountry;
    fn from_str(s: &str) -> Result<Self, NoCountry> {
        s.to_ascii_uppercase().parse().map(Self).map_err(|_| NoCountry)
    }
}

impl std::fmt::Display for Country {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.as_ref())
    }
}

/// Reads what libphonenumber knows of all countries. Takes a few hundred milliseconds, once in each process: whoever asks
/// first waits for it.
pub fn learn_numbers() {
    let _ = number("+1 212 555 0100", None);
}

/// What a telephone number is compared by; none if no number can be read out of the text.
pub(crate) fn number(text: &str, country: Option<Country>) -> Option<String> {
    let plain: String = text.nfkc().map(digit).flat_map(char::to_lowercase).collect();
    let mut found = candidates(&plain).into_iter().take(CANDIDATES_MAX).filter(|(number, _)| !is_filled(number));
    found.find_map(|(number, rest)| {
        let number = worldwide(&number, country).or_else(|| local(&number, country))?;
        Some(match extension(rest) {
            Some(extension) => format!("{number};{extension}"),
            None => number,
        })
    })
}

/// Parts of a text that can be a number, as digits with or without a plus before them, and what comes after each.
fn candidates(text: &str) -> Vec<(String, &str)> {
    let is_part = |c: char| c.is_ascii_digit() || "+ -.()[]/~\u{2010}\u{2011}\u{2012}\u{2013}\u{2212}".contains(c);
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit() || c == '+') {
        let run = &rest[start..];
        let end = run.find(|c: char| !is_part(c)).unwrap_or(run.len());
        let (run, after) = run.split_at(end);
        found.push((digits(run), after));
        // A slash is a part of one number, or stands between two.
        found.extend(run.split('/').skip(usize::from(!run.contains('/'))).map(|part| (digits(part), "")));
        rest = after;
    }
    found.retain(|(digits, _)| digits.len() > 1);
    found
}

/// The digits, after a plus if there is one before them.
fn digits(run: &str) -> String {
    let digits = run.chars().filter(char::is_ascii_digit);
    if run.trim_start_matches(['(', '[', ' ']).starts_with('+') {
        "+".chars().chain(digits).collect()
    } else {
        digits.collect()
    }
}

fn extension(after: &str) -> Option<&str> {
    let after = after.trim_start_matches([' ', ',', ';', '.']);
    let rest =
        EXTENSIONS.iter().find_map(|mark| after.strip_prefix(mark))?.trim_start_matches(['.', ':', ' ', '=', '-']);
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    Some(&rest[..end]).filter(|digits| (1..=7).contains(&digits.len()))
}

/// A number of a country: the one that it names, or else the one that is meant.
fn worldwide(number: &str, country: Option<Country>) -> Option<String> {
    let valid = |country: Option<Id>, number: &str| {
        let parsed = phonenumber::parse(country, number).ok()?;
        parsed.is_valid().then(|| parsed.format().mode(Mode::E164).to_string())
    };
    let meant = country.and_then(|Country(id)| valid(Some(id), number));
    // In most of the world 00 is dialled where + is written.
    let named = || number.strip_prefix("00").map(|rest| format!("+{rest}"));
    meant.or_else(|| valid(None, number)).or_else(|| valid(None, &named()?))
}

/// A number of which nobody says in which country it is: its digits, if they can be one.
fn local(number: &str, country: Option<Country>) -> Option<String> {
    let says = country.is_some() || number.starts_with('+') || number.starts_with("00");
    (!says && LOCAL_DIGITS.contains(&number.len())).then(|| number.to_owned())
}

/// Whether the digits are all the same, or follow each other: somebody filled the field.
fn is_filled(number: &str) -> bool {
    let digits = number.trim_start_matches('+').as_bytes();
    let step = |by: i16| digits.windows(2).all(|two| (i16::from(two[1]) - i16::from(two[0])).rem_euclid(10) == by);
    step(0) || step(1) || step(9)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(text: &str, country: &str) -> Option<String> {
        number(text, (!country.is_empty()).then(|| country.parse().unwrap()))
    }

    #[test]
    fn a_number_is_the_same_in_every_way_of_writing_it() {
        for (country, texts) in [
            (
                "",
                &[
                    "+44 20 7946 0001",
                    "0044 20 7946 0001",
                    "+44 (0)20 7946-0001",
                    "(+44) 20/7946.0001",
                    "tel:+44-20-7946-0001",
                ][..],
            ),
            (
                "GB",
                &[
                    "+44 20 7946 0001",
                    "020 7946 0001",
                    "0044 20 7946 0001",
                    "44 20 7946 0001",
                    "٠٢٠ ٧٩٤٦ ٠٠٠١",
                    "０２０ ７９４６ ０００１",
                    "home: 020 7946 0001",
                ],
            ),
            ("US", &["(212) 555-0100", "1-212-555-0100", "+1 212.555.0100", "011 1 212 555 0100"]),
            ("DE", &["030 / 23125 000", "+49 30 23125-000", "0049 (0) 30 23125000"]),
            ("IT", &["06 1234 5678", "+39 06 12345678"]),
            ("", &["600 100 200", "600-100-200", "600100200"]),
            ("GB", &["020 7946 0001 ext. 12", "+442079460001x12", "020 7946 0001 #12"]),
        ] {
            let first = of(texts[0], country);
            assert!(first.is_some(), "{}", texts[0]);
            for text in texts {
                assert_eq!(of(text, country), first, "{country} {text}");
            }
        }
        assert_ne!(of("020 7946 0001 ext 12", "GB"), of("020 7946 0001 ext 13", "GB"));
        assert_ne!(of("020 7946 0001", "GB"), of("020 7946 0002", "GB"));
        assert_eq!(of("020 7946 0001 / 07700 900123", "GB"), of("020 7946 0001", "GB"), "the first of two");
    }

    #[test]
    fn a_text_without_a_number_is_none() {
        for country in ["", "GB", "US", "DE"] {
            for text in [
                "n/a",
                "none",
                "-",
                "",
                "?",
                "+",
                "unknown",
                "no phone",
                "x",
                "ext 5",
                "0",
                "00",
                "000",
                "0000000000",
                "1",
                "999",
                "112",
                "+0",
                "+44",
                "00 00",
                "+00000000000",
                "9999999999",
                "1234567890",
                "0123456789",
                "12345",
                "#",
                "\u{1f4f5}",
                "987654321",
                "ask at the desk",
                "+999 123 456 789",
            ] {
                assert_eq!(of(text, country), None, "{country} {text}");
            }
        }
    }

    #[test]
    fn a_country_is_two_letters_of_one_that_there_is() {
        assert_eq!("gb".parse::<Country>().unwrap().to_string(), "GB");
        for bad in ["", "XX", "GBR", "44"] {
            assert_eq!(bad.parse::<Country>(), Err(NoCountry), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_number_or_none_and_a_number_is_its_own_form(
            text in prop_oneof!["\\PC{0,40}", "[+0-9 ()./#x;-]{0,40}", ".{0,40}"],
            country in prop::sample::select(vec!["", "GB", "US", "IT", "AR", "KZ"]),
        ) {
            if let Some(first) = of(&text, country) {
                let number = first.replace(';', " ext ");
                prop_assert_eq!(of(&number, country), Some(first));
            }
        }
    }
}
