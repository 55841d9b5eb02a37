//! Codes of formats of NAWS, which are the same on all servers, with their usual names in English.

use domain::group::{Accessibility, MeetingMode};

/// What a code says of a meeting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// How it goes, or whom it is for, by this name.
    Named(&'static str),
    /// What it offers to those who could not come without it.
    Offers(Accessibility),
    /// How it takes place.
    Held(MeetingMode),
    /// Its place is closed for now.
    Closed,
}

/// The format of this code.
pub(super) fn of(code: &str) -> Option<Format> {
    let name = match code {
        "WCHR" => return Some(Format::Offers(Accessibility::WheelchairAccess)),
        "VM" => return Some(Format::Held(MeetingMode::Virtual)),
        "HYBR" | "HY" => return Some(Format::Held(MeetingMode::Hybrid)),
        "TC" => return Some(Format::Closed),
        "OPEN" => "Open",
        "CLOSED" => "Closed",
        "BEG" => "Beginners",
        "BT" => "Basic Text",
        "CAN" => "Candlelight",
        "CH" => "Closed Holidays",
        "CPT" => "Concepts",
        "CW" => "Children Welcome",
        "DISC" => "Discussion",
        "GL" => "Gay/Lesbian/Transgender",
        "GP" => "Guiding Principles",
        "IP" => "Informational Pamphlet",
        "IW" => "It Works: How and Why",
        "JFT" => "Just for Today",
        "LANG" => "Another language",
        "LC" => "Living Clean",
        "LIT" => "Literature Study",
        "M" => "Men",
        "MED" => "Meditation",
        "NC" => "No Children",
        "NON" | "NS" => "No Smoking",
        "OUT" => "Outdoor",
        "QA" => "Question and Answer",
        "RA" => "Restricted Attendance",
        "S-D" | "SD" => "Speaker/Discussion",
        "SMOK" => "Smoking",
        "SPAD" => "A Spiritual Principle a Day",
        "SPK" => "Speaker",
        "STEP" => "Step",
        "SWG" => "Step Working Guide",
        "TOP" => "Topic",
        "TRAD" => "Tradition",
        "VAR" => "Format varies",
        "W" => "Women",
        "Y" => "Young People",
        _ => return None,
    };
    Some(Format::Named(name))
}
