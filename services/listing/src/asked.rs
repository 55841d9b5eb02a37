//! What is asked for of groups, as parameters say it.

use domain::group::{Accessibility, Cost, Focus, MeetingMode};
use serde::{Deserialize, Serialize, de::value::StrDeserializer};
use strum::VariantArray;
use web::Problem;

use crate::{index::Wanted, rule::Weekday};

/// Longest tag of a language, in characters.
const LANGUAGE_CHARS_MAX: usize = 35;

/// Parameters as they come: words with commas between them. An empty one says nothing, as forms send it.
#[derive(Debug, Default)]
pub(crate) struct Words {
    pub mode: Option<String>,
    pub focus: Option<String>,
    pub language: Option<String>,
    pub cost: Option<String>,
    pub accessibility: Option<String>,
    pub weekday: Option<String>,
}

impl Words {
    /// What they ask for.
    ///
    /// # Errors
    /// 422 if a word is none of those that there are; it is not quoted.
    pub fn wanted(&self) -> Result<Wanted, Problem> {
        let weekdays = words("weekday", self.weekday.as_ref(), Weekday::VARIANTS)?;
        Ok(Wanted {
            modes: words("mode", self.mode.as_ref(), MeetingMode::VARIANTS)?,
            focuses: words("focus", self.focus.as_ref(), FOCUSES)?,
            language: self.language()?,
            costs: words("cost", self.cost.as_ref(), Cost::VARIANTS)?,
            accessibility: words("accessibility", self.accessibility.as_ref(), Accessibility::VARIANTS)?,
            weekdays: (!weekdays.is_empty()).then(|| weekdays.into_iter().collect()),
        })
    }

    fn language(&self) -> Result<Option<String>, Problem> {
        let Some(language) = self.language.as_deref().map(str::trim).filter(|tag| !tag.is_empty()) else {
            return Ok(None);
        };
        let is_part = |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric());
        if language.len() > LANGUAGE_CHARS_MAX || !language.split('-').all(is_part) {
            return Err(Problem::malformed("language must be the tag of a language (BCP 47), such as es or pt-BR"));
        }
        Ok(Some(language.to_ascii_lowercase()))
    }
}

/// All that groups can be about.
const FOCUSES: &[Focus] = &[Focus::Addiction, Focus::MentalHealth, Focus::ChronicIllness, Focus::Other];

/// The words of a parameter, each one of those that there are.
fn words<T>(name: &str, given: Option<&String>, all: &[T]) -> Result<Vec<T>, Problem>
where
    T: for<'de> Deserialize<'de> + Serialize,
{
    let given = given.into_iter().flat_map(|text| text.split(',')).map(str::trim).filter(|word| !word.is_empty());
    let read =
        |word| T::deserialize(StrDeserializer::<serde::de::value::Error>::new(word)).map_err(|_| none_of(name, all));
    given.map(read).collect()
}

fn none_of<T: Serialize>(name: &str, all: &[T]) -> Problem {
    let known = all.iter().map(|word| serde_json::to_value(word).expect("a word"));
    let known: Vec<_> = known.filter_map(|word| word.as_str().map(str::to_owned)).collect();
    Problem::malformed(format!("{name} must be one of {}, or several with commas between them", known.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(weekday: &str, language: &str, mode: &str) -> Result<Wanted, Problem> {
        let some = |text: &str| Some(text.to_owned());
        Words { weekday: some(weekday), language: some(language), mode: some(mode), ..Words::default() }.wanted()
    }

    #[test]
    fn what_is_empty_asks_for_anything() {
        assert_eq!(wanted("", " ", ",").unwrap(), Wanted::default());
        assert_eq!(Words::default().wanted().unwrap(), Wanted::default());
    }

    #[test]
    fn words_stand_with_commas_between_them_and_a_language_in_any_case() {
        let asked = wanted("monday, friday", "pt-BR", "in_person,hybrid").unwrap();
        let days = asked.weekdays.unwrap().days().collect::<Vec<_>>();
        assert_eq!((days, asked.language.as_deref()), (vec![Weekday::Monday, Weekday::Friday], Some("pt-br")));
        assert_eq!(asked.modes, [MeetingMode::InPerson, MeetingMode::Hybrid]);
    }

    #[test]
    fn another_word_is_refused_without_quoting_it() {
        for (weekday, language, mode) in
            [("canary", "", ""), ("monday;tuesday", "", ""), ("", "can_ary", ""), ("", "*", ""), ("", "", "canary")]
        {
            let problem = wanted(weekday, language, mode).unwrap_err();
            assert_eq!(problem.status(), 422);
            assert!(!format!("{problem:?}").contains("canary"), "{problem:?}");
        }
        assert!(format!("{:?}", wanted("x", "", "").unwrap_err()).contains("one of monday, tuesday"));
    }
}
