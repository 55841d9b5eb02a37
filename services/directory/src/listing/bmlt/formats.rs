//! Formats of meetings: keys that stand for names, some of which say how a meeting takes place.

use std::collections::BTreeMap;

use domain::{
    Text,
    group::{Accessibility, FORMATS_MAX, MeetingMode},
};

use super::super::{
    remark::Remarks,
    rows::{Row, Rows},
};

const FIELD: &str = "formats";

/// What a format says about how a meeting takes place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Virtual,
    Hybrid,
    Closed,
    Other,
}

/// How certain it is of that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    /// Its code means this everywhere, or its key and its name agree.
    Code,
    /// Only its name or only its key sounds like it.
    Word,
}

/// Words that names of formats about how a meeting takes place are made of: `Online Literature` is about something else.
const WORDS: &[&str] = &[
    "online",
    "virtual",
    "hybrid",
    "meeting",
    "meetings",
    "meets",
    "only",
    "group",
    "format",
    "session",
    "zoom",
    "video",
    "web",
    "internet",
    "phone",
    "telephone",
    "conference",
    "temporarily",
    "in",
    "person",
    "place",
    "and",
    "or",
    "the",
    "also",
    "is",
    "this",
    "by",
    "a",
    "both",
];

/// The formats of a listing, by key and language.
pub(super) struct Formats<'a> {
    by_language: BTreeMap<(&'a str, &'a str), &'a Row>,
    by_key: BTreeMap<&'a str, &'a Row>,
}

impl<'a> Formats<'a> {
    pub(super) fn of(rows: &'a Rows) -> Self {
        let mut formats = Self { by_language: BTreeMap::new(), by_key: BTreeMap::new() };
        for row in &rows.0 {
            if let Some(key) = row.text("key_string") {
                formats.by_key.entry(key).or_insert(row);
                formats.by_language.entry((key, row.text("lang").unwrap_or_default())).or_insert(row);
            }
        }
        formats
    }

    fn find(&self, key: &'a str, language: &'a str) -> Option<&'a Row> {
        self.by_language.get(&(key, language)).or_else(|| self.by_key.get(key)).copied()
    }
}

/// What a meeting's formats come to.
pub(super) struct Resolved {
    /// Their names in the meeting's language.
    pub(super) names: Vec<Text<80>>,
    /// How it meets.
    pub(super) mode: MeetingMode,
    /// Whether its place is closed for now and nothing takes its place.
    pub(super) closed: bool,
    /// What they offer to those who could not come without it.
    pub(super) accessibility: Vec<Accessibility>,
}

/// The formats of a meeting. A key that is not listed is kept as its own name.
pub(super) fn resolve(meeting: &Row, formats: &Formats<'_>, remarks: &mut Remarks<'_>) -> Resolved {
    let keys = meeting.text(FIELD).unwrap_or_default();
    let language = meeting.text("lang_enum").unwrap_or_default();
    let (mut names, mut kinds, mut accessibility) = (Vec::new(), Vec::new(), Vec::new());
    for key in keys.split(',').map(str::trim).filter(|key| !key.is_empty()) {
        let format = formats.find(key, language);
        if format.is_none() {
            remarks.note(FIELD, Some(key), "is not among the listed formats; the key stands for its name");
        }
        kinds.push(kind(key, format));
        accessibility.extend(offers(key, format).filter(|offer| !accessibility.contains(offer)));
        let name = format.and_then(|row| row.text("name_string")).unwrap_or(key);
        names.extend(remarks.text(FIELD, Some(name)).filter(|name| !names.contains(name)));
    }
    if names.len() > FORMATS_MAX {
        remarks.note(FIELD, Some(keys), format!("are more than {FORMATS_MAX}; the others are left out"));
        names.truncate(FORMATS_MAX);
    }
    let (mode, closed) = mode(&kinds, venue_type(meeting, remarks));
    if kinds.iter().any(|(kind, _)| *kind == Kind::Closed) {
        let what =
            if closed { "the place is closed for now; no meetings are planned" } else { "the place is closed for now" };
        remarks.note(FIELD, Some(keys), what);
    }
    Resolved { names, mode, closed, accessibility }
}

/// World ids are the same everywhere; keys are the server's own, and mean it if the name does, too, or nobody says what
/// they mean; names alone are the last resort.
fn kind(key: &str, format: Option<&Row>) -> (Kind, By) {
    let of = |code| match code {
        "VM" => Kind::Virtual,
        "HY" | "HYBR" => Kind::Hybrid,
        "TC" => Kind::Closed,
        _ => Kind::Other,
    };
    let Some(format) = format else { return (of(key), By::Code) };
    let world = format.text("world_id").map(of);
    if let Some(kind @ (Kind::Virtual | Kind::Hybrid | Kind::Closed)) = world {
        return (kind, By::Code);
    }
    let name = format.text("name_string").unwrap_or_default().to_lowercase();
    let words: Vec<_> = name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let says = |word| words.contains(&word);
    match of(key) {
        Kind::Other => {}
        _ if world.is_some() => {} // it means something else everywhere
        kind @ Kind::Virtual if says("virtual") || says("online") => return (kind, By::Code),
        kind @ Kind::Hybrid if says("hybrid") => return (kind, By::Code),
        kind @ Kind::Closed if says("closed") => return (kind, By::Code),
        kind => return (kind, By::Word),
    }
    let about = words.iter().all(|word| WORDS.contains(word));
    match () {
        () if about && says("hybrid") => (Kind::Hybrid, By::Word),
        () if about && (says("virtual") || says("online")) => (Kind::Virtual, By::Word),
        () => (Kind::Other, By::Word),
    }
}

/// What a format offers to those who could not come without it, by the codes that are the same everywhere.
fn offers(key: &str, format: Option<&Row>) -> Option<Accessibility> {
    let code = format.map_or(Some(key), |format| format.text("world_id"));
    (code == Some("WCHR")).then_some(Accessibility::WheelchairAccess)
}

/// What newer servers say: 1 in person, 2 virtual, 3 hybrid.
fn venue_type(meeting: &Row, remarks: &mut Remarks<'_>) -> Option<MeetingMode> {
    let given = meeting.text("venue_type")?;
    let mode = match given {
        "1" => Some(MeetingMode::InPerson),
        "2" => Some(MeetingMode::Virtual),
        "3" => Some(MeetingMode::Hybrid),
        _ => None,
    };
    if mode.is_none() {
        remarks.note("venue_type", Some(given), "is not 1 (in person), 2 (virtual) or 3 (hybrid); formats decide");
    }
    mode
}

/// How a meeting takes place, and whether it does not. Codes of formats say it on all servers, `venue_type` on newer ones;
/// only where neither does, words in names of formats are asked. A meeting online goes on while its place is closed.
fn mode(kinds: &[(Kind, By)], venue_type: Option<MeetingMode>) -> (MeetingMode, bool) {
    let has = |kind, by| kinds.contains(&(kind, by));
    let said = |by| match (has(Kind::Hybrid, by), has(Kind::Virtual, by)) {
        (true, _) => Some(MeetingMode::Hybrid),
        (false, true) => Some(MeetingMode::Virtual),
        (false, false) => None,
    };
    let mode = said(By::Code).or(venue_type).or(said(By::Word)).unwrap_or(MeetingMode::InPerson);
    let closed = kinds.iter().any(|(kind, _)| *kind == Kind::Closed);
    match mode {
        MeetingMode::InPerson => (mode, closed),
        MeetingMode::Hybrid if closed => (MeetingMode::Virtual, false),
        MeetingMode::Hybrid | MeetingMode::Virtual => (mode, false),
    }
}
