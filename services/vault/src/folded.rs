//! Texts as they are compared. What was said is kept as it was said; here it loses what two people write differently who
//! mean the same: case, spacing, composition, and in names accents, strokes and ligatures too.

use domain::is_invisible;
use icu_properties::{CodePointMapData, props::Script};
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// The digits nought of scripts that count in tens with digits of their own.
const NOUGHTS: &[u32] = &[
    0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xe50, 0xed0, 0xf20, 0x1040,
    0x17e0, 0x1810,
];

/// The same letters: compatible forms (NFKC), no difference of case, single spaces, nothing that is not seen.
pub fn folded(text: &str) -> String {
    let folded: String = cased(text).nfkc().collect();
    folded.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The words of a name, in letters that every keyboard has as far as there are such: without accents, and letters that
/// are one with a stroke, a hook or another letter as those that are nearest (ø, ł, ß, æ, ı, ...).
pub(crate) fn words(text: &str) -> Vec<String> {
    let mut plain = String::with_capacity(text.len());
    for c in cased(text).nfkd().filter(|c| !is_combining_mark(*c)) {
        match nearest(c).or_else(|| nearest_in_latin(c)) {
            Some(near) => plain.extend(near.chars().map(|c| c.to_ascii_lowercase())),
            None => plain.push(c),
        }
    }
    let words = plain.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_owned).collect()
}

/// Katakana as hiragana: which of them somebody writes says nothing of who is meant.
pub(crate) fn hiragana(word: &str) -> String {
    let plain = |c: char| match c {
        '\u{30a1}'..='\u{30f6}' => char::from_u32(u32::from(c) - 0x60).unwrap_or(c),
        c => c,
    };
    word.chars().map(plain).collect()
}

/// Whether a word is of Han characters, kana or hangul (in its letters, as it is compared).
pub(crate) fn has_no_spaces(word: &str) -> bool {
    let script = |c: char| CodePointMapData::<Script>::new().get(c);
    !word.is_ascii()
        && word.chars().all(|c| {
            matches!(script(c), Script::Han | Script::Hiragana | Script::Katakana | Script::Hangul) || c == 'ー'
        })
}

/// How a text can be read by somebody who looks for a word in it: its words, with a space between two, in letters that every
/// keyboard has. In one reading letters of other alphabets are what they sound like, in one what they look like; and in one
/// of each what two letters stand for is one (`ue` for ü). Names of hosts in the form of DNS are read as they are shown.
pub fn readings(text: &str) -> Vec<String> {
    let shown: Vec<String> = text.split_whitespace().map(shown).collect();
    let shown = shown.join(" ");
    let mut readings: Vec<String> = [sounds_like, looks_like].map(|read| words_by(&shown, read)).to_vec();
    let umlauts: Vec<String> =
        readings.iter().map(|text| text.replace("ae", "a").replace("oe", "o").replace("ue", "u")).collect();
    readings.extend(umlauts);
    readings.sort();
    readings.dedup();
    readings
}

/// With labels of DNS (`xn--`) as they are shown.
fn shown(word: &str) -> String {
    let mut shown = String::with_capacity(word.len());
    for part in word.split_inclusive(|c: char| !c.is_alphanumeric() && c != '-') {
        let label = part.trim_end_matches(|c: char| !c.is_alphanumeric() && c != '-');
        if label.to_ascii_lowercase().starts_with("xn--") {
            shown.push_str(&idna::domain_to_unicode(label).0);
        } else {
            shown.push_str(label);
        }
        shown.push_str(&part[label.len()..]);
    }
    shown
}

fn words_by(text: &str, read: fn(char) -> Option<&'static str>) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in cased(text).nfkd().filter(|c| !is_combining_mark(*c)) {
        match read(c) {
            Some(near) => plain.extend(near.chars().map(|c| c.to_ascii_lowercase())),
            None => plain.push(c),
        }
    }
    plain.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

fn sounds_like(c: char) -> Option<&'static str> {
    let near = (!c.is_ascii() && c.is_alphanumeric()).then(|| deunicode::deunicode_char(c)).flatten();
    near.filter(|near| !near.is_empty())
}

/// Of alphabets whose letters are taken for those of Latin.
fn looks_like(c: char) -> Option<&'static str> {
    Some(match c {
        'а' | 'α' | 'ɑ' => "a",
        'в' | 'β' => "b",
        'с' | 'ϲ' => "c",
        'ԁ' => "d",
        'е' | 'ε' => "e",
        'һ' | 'н' | 'η' => "h",
        'і' | 'ӏ' | 'ι' | 'ı' => "i",
        'ј' => "j",
        'к' | 'κ' => "k",
        'м' | 'μ' => "m",
        'ո' | 'п' => "n",
        'о' | 'ο' | 'օ' => "o",
        'р' | 'ρ' => "p",
        'ԛ' => "q",
        'г' => "r",
        'ѕ' => "s",
        'т' | 'τ' => "t",
        'υ' | 'ս' => "u",
        'ν' | 'ѵ' => "v",
        'ԝ' | 'ω' => "w",
        'х' | 'χ' => "x",
        'у' | 'γ' => "y",
        'ζ' => "z",
        _ => return sounds_like(c),
    })
}

/// Decomposed, with full case folding: as upper case, which takes ß and ﬀ apart and knows one sigma, then as lower.
fn cased(text: &str) -> String {
    let seen = text.nfkd().filter(|c| !is_invisible(*c)).map(digit);
    seen.flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect()
}

/// Digits of other scripts as ours.
pub(crate) fn digit(c: char) -> char {
    let nought = NOUGHTS.iter().find(|nought| (**nought..**nought + 10).contains(&u32::from(c)));
    nought.and_then(|nought| char::from_digit(u32::from(c) - nought, 10)).unwrap_or(c)
}

/// What a lower-case letter is nearest to that normalisation does not take apart.
fn nearest(c: char) -> Option<&'static str> {
    match c {
        _ if c.is_ascii() => None,
        'ə' | 'ǝ' => Some("a"),
        // Marks that stand as letters, and stops: where somebody writes an apostrophe.
        'ɂ' | 'ʔ' | 'ʕ' | '\u{2b0}'..='\u{2ff}' => Some(" "),
        // Letters of Arabic that differ by keyboard, or are written either way.
        'ک' | 'ڪ' => Some("ك"),
        'ی' | 'ى' | 'ې' | 'ے' => Some("ي"),
        'ہ' | 'ھ' | 'ە' | 'ة' => Some("ه"),
        'ٱ' => Some("ا"),
        'ـ' => Some(""),
        // Letters of Cyrillic with a stroke or a tail.
        'ґ' | 'ғ' | 'ҕ' => Some("г"),
        'қ' | 'ҝ' | 'ҡ' | 'ҟ' | 'ӄ' => Some("к"),
        'ң' | 'ҥ' | 'ӈ' => Some("н"),
        'ҳ' | 'һ' | 'ӽ' => Some("х"),
        'ө' => Some("о"),
        'ұ' | 'ү' => Some("у"),
        'ә' => Some("а"),
        'җ' => Some("ж"),
        'ҙ' => Some("з"),
        'ҫ' => Some("с"),
        'ҭ' => Some("т"),
        'ҷ' | 'ҹ' => Some("ч"),
        'ҏ' => Some("р"),
        'ӆ' => Some("л"),
        'ӎ' => Some("м"),
        _ => None,
    }
}

/// What a letter of Latin is nearest to.
fn nearest_in_latin(c: char) -> Option<&'static str> {
    let is_latin = !c.is_ascii() && CodePointMapData::<Script>::new().get(c) == Script::Latin;
    let near = is_latin.then(|| deunicode::deunicode_char(c)).flatten().filter(|near| !near.is_empty());
    near.filter(|near| near.bytes().all(|byte| byte.is_ascii_alphabetic()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(text: &str) -> String {
        words(text).join(" ")
    }

    #[test]
    fn a_name_is_the_same_without_its_accents_strokes_and_ligatures() {
        for (written, typed) in [
            ("Groß", "Gross"),
            ("GROẞ", "gross"),
            ("Bøe", "Boe"),
            ("Øst", "Ost"),
            ("Łukasz Kołłątaj", "Lukasz Kollataj"),
            ("Đorđe Đặng", "Dorde Dang"),
            ("Æsa Œuvre", "Aesa Oeuvre"),
            ("Þór Guðrún", "Thor Gudrun"),
            ("Yıldız İpek", "Yildiz Ipek"),
            ("Ħal Għaxaq Ŧor Ŋuŋu", "Hal Ghaxaq Tor Ngungu"),
            ("Zoë Müller-Şen", "ZOE muller sen"),
            ("O\u{2bc}Brien", "O'Brien"),
            ("O’Brien", "O`Brien"),
            ("Ĳssel ﬁn", "ijssel fin"),
            ("ΟΔΥΣΣΕΥΣ", "οδυσσευς"),
            ("Әлия Қасым", "Алия Касым"),
            ("\u{643}\u{631}\u{64a}\u{645}", "\u{6a9}\u{631}\u{6cc}\u{645}"),
            ("Əliyev", "Aliyev"),
        ] {
            assert_eq!(name(written), name(typed), "{written}");
        }
        assert_ne!(name("Ann"), name("Anna"));
        assert!(words(" - \u{1f642} ").is_empty());
    }

    #[test]
    fn a_word_is_read_through_its_accents_its_alphabet_and_what_stands_for_it() {
        let is_read = |text: &str, other: &str| readings(text).iter().any(|reading| readings(other).contains(reading));
        for (text, other) in [
            ("M\u{fc}ller", "Mueller"),
            ("M\u{fc}ller", "muller"),
            ("harb\u{43e}ur", "harbour"),
            ("\u{440}\u{430}\u{440}\u{435}r", "paper"),
            ("\u{41c}\u{43e}\u{441}\u{43a}\u{432}\u{430}", "Moskva"),
            ("hello@xn--mllerhaus-q9a.example", "hello m\u{fc}llerhaus example"),
            ("A.A.", "a a"),
        ] {
            assert!(is_read(text, other), "{text} {other}: {:?} {:?}", readings(text), readings(other));
        }
        assert!(!is_read("Ann", "Anna"));
    }

    #[test]
    fn letters_of_latin_are_taken_apart_by_us_where_unicode_does_not() {
        // All of the blocks in which letters of living languages are.
        let letters = ('\u{c0}'..='\u{24f}').chain('\u{1e00}'..='\u{1eff}').filter(|c| c.is_alphabetic());
        let left: Vec<_> = letters.filter(|c| !name(&c.to_string()).is_ascii()).collect();
        // Clicks of Khoisan languages, tones, and an old letter of Latin that is none of these.
        assert!(left.len() <= 12, "{left:?}");
    }

    #[test]
    fn an_address_is_the_same_in_any_case_and_composition() {
        assert_eq!(folded(" Bee@Example.ORG "), folded("bee@example.org"));
        assert_eq!(folded("STRASSE 1"), folded("straße  1"));
        assert_eq!(folded("jose\u{301}"), folded("JOS\u{c9}"));
        assert_ne!(folded("jose"), folded("jos\u{e9}"), "another mailbox");
    }

    proptest! {
        #[test]
        fn what_is_folded_is_folded_already_however_it_was_composed_spaced_and_cased(given in prop_oneof!["\\PC{0,20}", ".{0,20}"]) {
            let (same, said) = (folded(&given), words(&given));
            prop_assert_eq!(&folded(&same), &same);
            prop_assert_eq!(&words(&said.join(" ")), &said);
            for other in [given.nfd().collect::<String>(), given.nfc().collect(), format!(" {given}\u{a0}")] {
                prop_assert_eq!(&folded(&other), &same);
                prop_assert_eq!(&words(&other), &said);
            }
            prop_assert_eq!(folded(&given.to_uppercase()), same);
            prop_assert_eq!(words(&given.to_uppercase()), said);
        }
    }
}
