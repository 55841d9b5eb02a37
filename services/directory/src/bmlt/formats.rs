//! Formats of meetings: keys that stand for names, some of which say how a meeting takes place.

use std::collections::BTreeMap;

use domain::{
    Text,
    group::{FORMATS_MAX, MeetingMode},
};

use super::{
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
}

/// The formats of a meeting. A key that is not listed is kept as its own name.
pub(super) fn resolve(meeting: &Row, formats: &Formats<'_>, remarks: &mut Remarks<'_>) -> Resolved {
    let keys = meeting.text(FIELD).unwrap_or_default();
    let language = meeting.text("lang_enum").unwrap_or_default();
    let (mut names, mut kinds) = (Vec::new(), Vec::new());
    for key in keys.split(',').map(str::trim).filter(|key| !key.is_empty()) {
        let format = formats.find(key, language);
        if format.is_none() {
            remarks.note(FIELD, Some(key), "is not among the listed formats; the key stands for its name");
        }
        kinds.push(kind(key, format));
        let name = format.and_then(|row| row.text("name_string")).unwrap_or(key);
        names.extend(remarks.text(FIELD, Some(name)).filter(|name| !names.contains(name)));
    }
    if names.len() > FORMATS_MAX {
        remarks.note(FIELD, Some(keys), format!("are more than {FORMATS_MAX}; the others are left out"));
        names.truncate(FORMATS_MAX);
    }
    let (mode, closed) = mode(&kinds, meeting.text("venue_type"));
    if kinds.contains(&Kind::Closed) {
        let what =
            if closed { "the place is closed for now; no meetings are planned" } else { "the place is closed for now" };
        remarks.note(FIELD, Some(keys), what);
    }
    Resolved { names, mode, closed }
}

/// Keys are the server's own, world ids are the same everywhere; names are the last resort.
fn kind(key: &str, format: Option<&Row>) -> Kind {
    let code = format.and_then(|row| row.text("world_id")).unwrap_or(key);
    let name = format.and_then(|row| row.text("name_string")).unwrap_or_default().to_lowercase();
    let says = |word| name.split(|c: char| !c.is_alphanumeric()).any(|of| of == word);
    match code {
        "VM" => Kind::Virtual,
        "HY" | "HYBR" => Kind::Hybrid,
        "TC" => Kind::Closed,
        _ if says("hybrid") => Kind::Hybrid,
        _ if says("virtual") || says("online") => Kind::Virtual,
        _ => Kind::Other,
    }
}

/// How a meeting takes place, and whether it does not. Older servers say it by formats alone, newer ones by
/// `venue_type` (1 in person, 2 virtual, 3 hybrid), too. One that meets online goes on while its place is closed.
fn mode(kinds: &[Kind], venue_type: Option<&str>) -> (MeetingMode, bool) {
    let has = |kind| kinds.contains(&kind);
    let mode = match (has(Kind::Hybrid), has(Kind::Virtual), venue_type) {
        (true, _, _) | (false, false, Some("3")) => MeetingMode::Hybrid,
        (false, true, _) | (false, false, Some("2")) => MeetingMode::Virtual,
        (false, false, _) => MeetingMode::InPerson,
    };
    match mode {
        MeetingMode::InPerson => (mode, has(Kind::Closed)),
        MeetingMode::Hybrid if has(Kind::Closed) => (MeetingMode::Virtual, false),
        MeetingMode::Hybrid | MeetingMode::Virtual => (mode, false),
    }
}
