//! Types of meetings of the Meeting Guide format: codes, and what they say in English, from `types.json` of
//! code4recovery/spec (MIT).

use domain::group::Accessibility;

/// What a type says of a meeting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
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

/// The type of this code.
pub(super) fn of(code: &str) -> Option<Type> {
    if code == "ONL" {
        return Some(Type::Online);
    }
    TYPES.iter().find(|(known, _)| *known == code).map(|(_, of)| *of)
}

/// All of them.
const TYPES: &[(&str, Type)] = &[
    ("11", Type::Format("11th Step Meditation")),
    ("12x12", Type::Format("12 Steps & 12 Traditions")),
    ("A", Type::Format("Secular")),
    ("ABSI", Type::Format("As Bill Sees It")),
    ("AF", Type::Language("Afrikaans", "af")),
    ("AL", Type::Format("Concurrent with Alateen")),
    ("AL-AN", Type::Format("Concurrent with Al-Anon")),
    ("AM", Type::Language("Amharic", "am")),
    ("AR", Type::Language("Arabic", "ar")),
    ("ASL", Type::Offers(Accessibility::SignLanguage)),
    ("B", Type::Format("Big Book")),
    ("BA", Type::Offers(Accessibility::ChildCare)),
    ("BE", Type::Format("Newcomer")),
    ("BG", Type::Language("Bulgarian", "bg")),
    ("BI", Type::Format("Bisexual")),
    ("BRK", Type::Format("Breakfast")),
    ("C", Type::Format("Closed")),
    ("CAN", Type::Format("Candlelight")),
    ("CF", Type::Offers(Accessibility::ChildFriendly)),
    ("D", Type::Format("Discussion")),
    ("DA", Type::Language("Danish", "da")),
    ("DB", Type::Format("Digital Basket")),
    ("DD", Type::Format("Dual Diagnosis")),
    ("DE", Type::Language("German", "de")),
    ("DR", Type::Format("Daily Reflections")),
    ("EL", Type::Language("Greek", "el")),
    ("EN", Type::Language("English", "en")),
    ("FA", Type::Language("Persian", "fa")),
    ("FI", Type::Language("Finnish", "fi")),
    ("FF", Type::Offers(Accessibility::FragranceFree)),
    ("FR", Type::Language("French", "fr")),
    ("G", Type::Format("Gay")),
    ("GR", Type::Format("Grapevine")),
    ("H", Type::Format("Birthday")),
    ("HE", Type::Language("Hebrew", "he")),
    ("HI", Type::Language("Hindi", "hi")),
    ("HR", Type::Language("Croatian", "hr")),
    ("HU", Type::Language("Hungarian", "hu")),
    ("IS", Type::Language("Icelandic", "is")),
    ("ITA", Type::Language("Italian", "it")),
    ("JA", Type::Language("Japanese", "ja")),
    ("KA", Type::Language("Georgian", "ka")),
    ("KOR", Type::Language("Korean", "ko")),
    ("L", Type::Format("Lesbian")),
    ("LGBTQ", Type::Format("LGBTQ")),
    ("LIT", Type::Format("Literature")),
    ("LS", Type::Format("Living Sober")),
    ("LT", Type::Language("Lithuanian", "lt")),
    ("M", Type::Format("Men")),
    ("MED", Type::Format("Meditation")),
    ("ML", Type::Language("Malayalam", "ml")),
    ("MT", Type::Language("Maltese", "mt")),
    ("N", Type::Format("Native American")),
    ("NB", Type::Format("Non-Binary")),
    ("NDG", Type::Format("Indigenous")),
    ("NE", Type::Language("Nepali", "ne")),
    ("NL", Type::Language("Dutch", "nl")),
    ("NO", Type::Language("Norwegian", "no")),
    ("O", Type::Format("Open")),
    ("OUT", Type::Format("Outdoor")),
    ("P", Type::Format("Professionals")),
    ("POA", Type::Format("Proof of Attendance")),
    ("POC", Type::Format("People of Color")),
    ("POL", Type::Language("Polish", "pl")),
    ("POR", Type::Language("Portuguese", "pt")),
    ("PUN", Type::Language("Punjabi", "pa")),
    ("RUS", Type::Language("Russian", "ru")),
    ("S", Type::Language("Spanish", "es")),
    ("SEN", Type::Format("Seniors")),
    ("SK", Type::Language("Slovak", "sk")),
    ("SL", Type::Language("Slovenian", "sl")),
    ("SM", Type::Format("Smoking Permitted")),
    ("SP", Type::Format("Speaker")),
    ("ST", Type::Format("Step Study")),
    ("SV", Type::Language("Swedish", "sv")),
    ("T", Type::Format("Transgender")),
    ("TC", Type::Closed),
    ("TH", Type::Language("Thai", "th")),
    ("TL", Type::Language("Tagalog", "tl")),
    ("TR", Type::Format("Tradition Study")),
    ("TUR", Type::Language("Turkish", "tr")),
    ("UK", Type::Language("Ukrainian", "uk")),
    ("W", Type::Format("Women")),
    ("X", Type::Offers(Accessibility::WheelchairAccess)),
    ("XB", Type::Offers(Accessibility::AccessibleToilet)),
    ("XT", Type::Format("Cross Talk Permitted")),
    ("Y", Type::Format("Young People")),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_types_of_the_format_are_known_by_their_names() {
        let published = include_str!("../../../../../tests/data/tsml/types.json");
        let published: serde_json::Value = serde_json::from_str(published).unwrap();
        let published = published.as_object().unwrap();
        assert_eq!(TYPES.len(), published.len());
        for (code, names) in published {
            let known = of(code).unwrap_or_else(|| panic!("{code}"));
            if let Type::Format(name) | Type::Language(name, _) = known {
                assert_eq!(Some(name), names["en"].as_str(), "{code}");
            }
        }
        assert_eq!(of("XYZ"), None);
    }
}
