//! Types of meetings of the Meeting Guide format: codes, and what they say in English, from `types.json` of
//! code4recovery/spec (MIT). Feeds are read and written by them.

use super::Accessibility;

/// What a type says of a meeting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MeetingType {
    /// How it goes, or whom it is for, by this name.
    Format(&'static str),
    /// In which language it is: the name, and the tag (BCP 47).
    Language(&'static str, &'static str),
    /// What it offers to those who could not come without it.
    Offers(Accessibility),
    /// Its place is closed for now.
    Closed,
    /// It is online. Not of the format, but older feeds have it.
    Online,
}

impl MeetingType {
    /// The type of this code, in any case.
    pub fn of(code: &str) -> Option<Self> {
        if code.eq_ignore_ascii_case("ONL") {
            return Some(Self::Online);
        }
        TYPES.iter().find(|(known, _)| known.eq_ignore_ascii_case(code)).map(|(_, of)| *of)
    }

    /// The code of the first type that is like this.
    pub fn code(is: impl Fn(Self) -> bool) -> Option<&'static str> {
        TYPES.iter().find(|(_, of)| is(*of)).map(|(code, _)| *code)
    }
}

/// All of them.
const TYPES: &[(&str, MeetingType)] = &[
    ("11", MeetingType::Format("11th Step Meditation")),
    ("12x12", MeetingType::Format("12 Steps & 12 Traditions")),
    ("A", MeetingType::Format("Secular")),
    ("ABSI", MeetingType::Format("As Bill Sees It")),
    ("AF", MeetingType::Language("Afrikaans", "af")),
    ("AL", MeetingType::Format("Concurrent with Alateen")),
    ("AL-AN", MeetingType::Format("Concurrent with Al-Anon")),
    ("AM", MeetingType::Language("Amharic", "am")),
    ("AR", MeetingType::Language("Arabic", "ar")),
    ("ASL", MeetingType::Offers(Accessibility::SignLanguage)),
    ("B", MeetingType::Format("Big Book")),
    ("BA", MeetingType::Offers(Accessibility::ChildCare)),
    ("BE", MeetingType::Format("Newcomer")),
    ("BG", MeetingType::Language("Bulgarian", "bg")),
    ("BI", MeetingType::Format("Bisexual")),
    ("BRK", MeetingType::Format("Breakfast")),
    ("C", MeetingType::Format("Closed")),
    ("CAN", MeetingType::Format("Candlelight")),
    ("CF", MeetingType::Offers(Accessibility::ChildFriendly)),
    ("D", MeetingType::Format("Discussion")),
    ("DA", MeetingType::Language("Danish", "da")),
    ("DB", MeetingType::Format("Digital Basket")),
    ("DD", MeetingType::Format("Dual Diagnosis")),
    ("DE", MeetingType::Language("German", "de")),
    ("DR", MeetingType::Format("Daily Reflections")),
    ("EL", MeetingType::Language("Greek", "el")),
    ("EN", MeetingType::Language("English", "en")),
    ("FA", MeetingType::Language("Persian", "fa")),
    ("FI", MeetingType::Language("Finnish", "fi")),
    ("FF", MeetingType::Offers(Accessibility::FragranceFree)),
    ("FR", MeetingType::Language("French", "fr")),
    ("G", MeetingType::Format("Gay")),
    ("GR", MeetingType::Format("Grapevine")),
    ("H", MeetingType::Format("Birthday")),
    ("HE", MeetingType::Language("Hebrew", "he")),
    ("HI", MeetingType::Language("Hindi", "hi")),
    ("HR", MeetingType::Language("Croatian", "hr")),
    ("HU", MeetingType::Language("Hungarian", "hu")),
    ("IS", MeetingType::Language("Icelandic", "is")),
    ("ITA", MeetingType::Language("Italian", "it")),
    ("JA", MeetingType::Language("Japanese", "ja")),
    ("KA", MeetingType::Language("Georgian", "ka")),
    ("KOR", MeetingType::Language("Korean", "ko")),
    ("L", MeetingType::Format("Lesbian")),
    ("LGBTQ", MeetingType::Format("LGBTQ")),
    ("LIT", MeetingType::Format("Literature")),
    ("LS", MeetingType::Format("Living Sober")),
    ("LT", MeetingType::Language("Lithuanian", "lt")),
    ("M", MeetingType::Format("Men")),
    ("MED", MeetingType::Format("Meditation")),
    ("ML", MeetingType::Language("Malayalam", "ml")),
    ("MT", MeetingType::Language("Maltese", "mt")),
    ("N", MeetingType::Format("Native American")),
    ("NB", MeetingType::Format("Non-Binary")),
    ("NDG", MeetingType::Format("Indigenous")),
    ("NE", MeetingType::Language("Nepali", "ne")),
    ("NL", MeetingType::Language("Dutch", "nl")),
    ("NO", MeetingType::Language("Norwegian", "no")),
    ("O", MeetingType::Format("Open")),
    ("OUT", MeetingType::Format("Outdoor")),
    ("P", MeetingType::Format("Professionals")),
    ("POA", MeetingType::Format("Proof of Attendance")),
    ("POC", MeetingType::Format("People of Color")),
    ("POL", MeetingType::Language("Polish", "pl")),
    ("POR", MeetingType::Language("Portuguese", "pt")),
    ("PUN", MeetingType::Language("Punjabi", "pa")),
    ("RUS", MeetingType::Language("Russian", "ru")),
    ("S", MeetingType::Language("Spanish", "es")),
    ("SEN", MeetingType::Format("Seniors")),
    ("SK", MeetingType::Language("Slovak", "sk")),
    ("SL", MeetingType::Language("Slovenian", "sl")),
    ("SM", MeetingType::Format("Smoking Permitted")),
    ("SP", MeetingType::Format("Speaker")),
    ("ST", MeetingType::Format("Step Study")),
    ("SV", MeetingType::Language("Swedish", "sv")),
    ("T", MeetingType::Format("Transgender")),
    ("TC", MeetingType::Closed),
    ("TH", MeetingType::Language("Thai", "th")),
    ("TL", MeetingType::Language("Tagalog", "tl")),
    ("TR", MeetingType::Format("Tradition Study")),
    ("TUR", MeetingType::Language("Turkish", "tr")),
    ("UK", MeetingType::Language("Ukrainian", "uk")),
    ("W", MeetingType::Format("Women")),
    ("X", MeetingType::Offers(Accessibility::WheelchairAccess)),
    ("XB", MeetingType::Offers(Accessibility::AccessibleToilet)),
    ("XT", MeetingType::Format("Cross Talk Permitted")),
    ("Y", MeetingType::Format("Young People")),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_types_of_the_format_are_known_by_their_names() {
        let published = include_str!("../../../../tests/data/tsml/types.json");
        let published: serde_json::Value = serde_json::from_str(published).unwrap();
        let published = published.as_object().unwrap();
        assert_eq!(TYPES.len(), published.len());
        for (code, names) in published {
            let known = MeetingType::of(&code.to_uppercase()).unwrap_or_else(|| panic!("{code}"));
            if let MeetingType::Format(name) | MeetingType::Language(name, _) = known {
                assert_eq!(Some(name), names["en"].as_str(), "{code}");
            }
            assert_eq!(MeetingType::code(|one| one == known), Some(code.as_str()));
        }
        assert_eq!(MeetingType::of("XYZ"), None);
        assert_eq!(MeetingType::code(|one| one == MeetingType::Online), None, "the format has none");
    }
}
