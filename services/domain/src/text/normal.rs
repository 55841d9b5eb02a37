//! The one form of a text: what looks the same is the same, and what cannot be seen is not there.
//!
//! Unicode's Normalization Form C; every white space one space, none at the ends (as the Nickname profile of RFC 8266);
//! of characters that are ignored when text is shown (`Default_Ignorable_Code_Point`), only those that a script or an
//! emoji needs where they stand (UAX #31, section 2.3; RFC 5892, appendix A). Direction is not for a name to set.

use icu_properties::{
    CodePointMapData, CodePointSetData,
    props::{DefaultIgnorableCodePoint, ExtendedPictographic, GeneralCategory, JoiningType, Script, UnifiedIdeograph},
};
use unicode_normalization::{UnicodeNormalization, char::canonical_combining_class, is_nfc};

/// Most marks on one letter, a count (UTS #39, section 5.4).
pub(super) const MARKS_MAX: usize = 4;

/// Canonical combining class of signs that join the consonants of Indic scripts.
const VIRAMA: u8 = 9;
const NON_JOINER: char = '\u{200c}';
const JOINER: char = '\u{200d}';

/// Why a text has no normal form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    Control,
    /// Private use, not assigned, or no character: nobody can say what it means.
    Meaningless,
    /// More than [`MARKS_MAX`] on one letter.
    Marks,
}

/// The normal form. Taken again, it is itself.
pub(super) fn normal(text: &str) -> Result<String, Fault> {
    if text.is_ascii() {
        let control = text.bytes().any(|byte| byte.is_ascii_control());
        return if control { Err(Fault::Control) } else { Ok(spaced(text.chars())) };
    }
    if let Some(fault) = text.chars().find_map(fault) {
        return Err(fault);
    }
    // Most are in it already.
    if is_nfc(text) && !text.chars().any(is_invisible) && marks(text) <= MARKS_MAX {
        return Ok(spaced(text.chars()));
    }
    let mut form = text.to_owned();
    // What is left out can bring letters together that then compose, or that another one needed to be there: few rounds.
    loop {
        let next = spaced(visible(&form.nfc().collect::<Vec<_>>()).into_iter());
        if next == form && is_nfc(&next) {
            break;
        }
        form = next;
    }
    if marks(&form) > MARKS_MAX { Err(Fault::Marks) } else { Ok(form) }
}

/// The normal form of a text that was taken when less was known of texts: never longer in characters than it, never
/// empty.
pub(super) fn mended(text: &str) -> String {
    let most = text.chars().count();
    let mut kept: Vec<char> = text.nfc().filter(|c| fault(*c).is_none()).collect();
    let mut run = 0;
    kept.retain(|c| {
        run = if is_mark(*c) { run + 1 } else { 0 };
        run <= MARKS_MAX
    });
    // Some texts are longer in this form: then their end is lost.
    let form = (0..=kept.len()).rev().find_map(|length| {
        let form = normal(&kept.iter().take(length).collect::<String>()).ok()?;
        (form.chars().count() <= most).then_some(form)
    });
    form.filter(|form| !form.is_empty()).unwrap_or_else(|| char::REPLACEMENT_CHARACTER.to_string())
}

/// Whether a character is ignored when text is shown, or looks like nothing.
pub(super) fn is_invisible(c: char) -> bool {
    CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
        || matches!(c, '\u{fff9}'..='\u{fffc}' | '\u{1d159}')
}

fn fault(c: char) -> Option<Fault> {
    match CodePointMapData::<GeneralCategory>::new().get(c) {
        GeneralCategory::Control => Some(Fault::Control),
        // Ignorable ones that are not assigned yet are left out like the rest.
        GeneralCategory::Unassigned if is_invisible(c) => None,
        GeneralCategory::Unassigned | GeneralCategory::PrivateUse | GeneralCategory::Surrogate => {
            Some(Fault::Meaningless)
        }
        _ => None,
    }
}

fn is_mark(c: char) -> bool {
    let category = CodePointMapData::<GeneralCategory>::new().get(c);
    matches!(category, GeneralCategory::NonspacingMark | GeneralCategory::EnclosingMark)
}

/// Most marks in a row.
fn marks(text: &str) -> usize {
    let mut run = 0;
    let runs = text.chars().map(|c| {
        run = if is_mark(c) { run + 1 } else { 0 };
        run
    });
    runs.max().unwrap_or_default()
}

/// Single spaces, none at the ends. The blank of Braille is one: names of it look like none.
fn spaced(text: impl Iterator<Item = char>) -> String {
    let mut out = String::new();
    for c in text {
        match c.is_whitespace() || c == '\u{2800}' {
            false => out.push(c),
            true if out.is_empty() || out.ends_with(' ') => {}
            true => out.push(' '),
        }
    }
    out.truncate(out.trim_end_matches(' ').len());
    out
}

/// Without characters that are not seen, but for those that change how their neighbours are.
fn visible(text: &[char]) -> Vec<char> {
    let mut out: Vec<char> = Vec::with_capacity(text.len());
    for (at, c) in text.iter().enumerate() {
        if !is_invisible(*c) || is_needed(*c, &out, &text[at + 1..]) {
            out.push(*c);
        }
    }
    out
}

fn is_needed(c: char, before: &[char], after: &[char]) -> bool {
    let Some(last) = before.last().copied() else { return false };
    let next = after.iter().copied().find(|c| !is_invisible(*c));
    match c {
        NON_JOINER => joins_consonants(before) || stands_between_joining(before, next),
        JOINER => joins_consonants(before) || (is_emoji(before) && next.is_some_and(is_pictograph)),
        // As text or as a picture; which form of an ideograph or a Mongolian letter.
        '\u{fe0e}' | '\u{fe0f}' => is_pictograph(last) || matches!(last, '0'..='9' | '#' | '*'),
        '\u{fe00}'..='\u{fe02}' | '\u{e0100}'..='\u{e01ef}' => {
            CodePointSetData::new::<UnifiedIdeograph>().contains(last)
        }
        '\u{180b}'..='\u{180d}' | '\u{180f}' => {
            CodePointMapData::<Script>::new().get(last) == Script::Mongolian && !is_invisible(last)
        }
        _ => false,
    }
}

/// Whether what stands before is a letter and the sign that takes its vowel.
fn joins_consonants(before: &[char]) -> bool {
    before.last().is_some_and(|last| canonical_combining_class(*last) == VIRAMA)
}

/// Whether letters of a cursive script stand on both sides, which a non-joiner keeps apart.
fn stands_between_joining(before: &[char], next: Option<char>) -> bool {
    let joining = |c: char| CodePointMapData::<JoiningType>::new().get(c);
    let last = before.iter().rev().copied().find(|c| joining(*c) != JoiningType::Transparent);
    last.is_some_and(|last| matches!(joining(last), JoiningType::LeftJoining | JoiningType::DualJoining))
        && next.is_some_and(|next| matches!(joining(next), JoiningType::RightJoining | JoiningType::DualJoining))
}

/// Whether what stands before is a picture, perhaps with a colour of skin.
fn is_emoji(before: &[char]) -> bool {
    let base = before.iter().rev().find(|c| !matches!(**c, '\u{fe0f}' | '\u{1f3fb}'..='\u{1f3ff}'));
    base.is_some_and(|base| is_pictograph(*base))
}

fn is_pictograph(c: char) -> bool {
    CodePointSetData::new::<ExtendedPictographic>().contains(c)
}
