//! Names, open in memory and nowhere else: to search by, and to see who may be registered twice.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::{Arc, RwLock},
};

use domain::{
    MemberId, OrgId, Text,
    member::{Field, Profile},
};
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// Most words of a name, or of a search, a count.
const WORDS_MAX: usize = 8;

/// Names of members by organisation. Clones share them.
#[derive(Clone, Default)]
pub struct Names(Arc<RwLock<HashMap<OrgId, Index>>>);

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Names")
    }
}

/// The names of one organisation.
#[derive(Default)]
struct Index {
    /// Which letters each word has, apart from the rest: a search looks at all of them.
    letters: Vec<u64>,
    words: Vec<Heard>,
    /// Who is there, and their year of birth.
    people: HashMap<MemberId, Option<i16>>,
}

/// A word of somebody's name.
struct Heard {
    text: Box<str>,
    length: usize,
    member: MemberId,
    /// Whether it is an alias, which somebody chose and which says little about who they are.
    alias: bool,
}

impl Names {
    /// Fields that members are found by.
    pub const FIELDS: &[Field] = &[Field::Alias, Field::GivenName, Field::FamilyName];
    /// Fields that are known here: besides those, what tells two of one name apart.
    pub const KNOWN: &[Field] = &[Field::Alias, Field::GivenName, Field::FamilyName, Field::YearOfBirth];

    /// Takes what is known now of members; of those without a profile, nothing.
    pub fn update(&self, org: &OrgId, changed: Vec<(MemberId, Option<Profile>)>) {
        let mut all = self.0.write().expect("nothing panics while it is held");
        all.entry(org.clone()).or_default().update(changed);
    }

    /// Members whose names fit every word of `asked`, best first: the same, beginning so, or spelt nearly so.
    pub fn search(&self, org: &OrgId, asked: &str, rows: usize) -> Vec<MemberId> {
        let all = self.0.read().expect("nothing panics while it is held");
        all.get(org).map_or_else(Vec::new, |index| index.search(asked, rows))
    }

    /// Members with nearly the same given and family name, none of whom is known to be of another age.
    pub fn near(&self, org: &OrgId, profile: &Profile, rows: usize) -> Vec<MemberId> {
        let all = self.0.read().expect("nothing panics while it is held");
        all.get(org).map_or_else(Vec::new, |index| index.near(profile, rows))
    }
}

impl Index {
    fn update(&mut self, changed: Vec<(MemberId, Option<Profile>)>) {
        let left: HashSet<_> =
            changed.iter().filter_map(|(member, _)| self.people.remove(member).map(|_| *member)).collect();
        if !left.is_empty() {
            let mut stays = self.words.iter().map(|word| !left.contains(&word.member));
            self.letters.retain(|_| stays.next().unwrap_or_default());
            self.words.retain(|word| !left.contains(&word.member));
        }
        for (member, profile) in changed {
            let Some(profile) = profile else { continue };
            self.people.insert(member, profile.year_of_birth);
            let alias = profile.alias.as_ref().map(Text::as_str);
            let given = profile.given_name.as_ref().map(Text::as_str);
            let family = profile.family_name.as_ref().map(Text::as_str);
            let names = [(alias, true), (given, false), (family, false)];
            for (name, alias) in names {
                for word in words(name.unwrap_or_default()) {
                    self.letters.push(word.letters);
                    self.words.push(Heard { text: word.text.into(), length: word.length, member, alias });
                }
            }
        }
    }

    fn search(&self, asked: &str, rows: usize) -> Vec<MemberId> {
        let mut found: Vec<_> = self.fitting(&words(asked), Word::fits).into_iter().collect();
        found.sort_unstable_by(|(x, a), (y, b)| b.cmp(a).then(x.cmp(y)));
        found.truncate(rows);
        found.into_iter().map(|(member, _)| member).collect()
    }

    fn near(&self, profile: &Profile, rows: usize) -> Vec<MemberId> {
        let (Some(given), Some(family)) = (&profile.given_name, &profile.family_name) else { return vec![] };
        let same = |asked: &Word, heard: &Heard| (!heard.alias && asked.is_near(heard)).then_some(1);
        // Fewer have a family name in common: of these, the given names are looked at.
        let asked: Vec<_> = words(family.as_str()).into_iter().chain(words(given.as_str())).collect();
        let found = self.fitting(&asked, same);
        let other_age = |member: &MemberId| match (profile.year_of_birth, self.people.get(member)) {
            (Some(year), Some(Some(other))) => year != *other,
            _ => false,
        };
        let mut found: Vec<_> = found.into_keys().filter(|member| !other_age(member)).collect();
        found.sort_unstable();
        found.truncate(rows);
        found
    }

    /// Members with a word for each that is asked for, and how well these fit in all.
    fn fitting(&self, asked: &[Word], fits: impl Fn(&Word, &Heard) -> Option<u32>) -> HashMap<MemberId, u32> {
        let mut found: Option<HashMap<MemberId, u32>> = None;
        for asked in asked {
            let mut best = HashMap::new();
            for (letters, heard) in self.letters.iter().zip(&self.words) {
                let is_left = |found: &HashMap<_, _>| found.contains_key(&heard.member);
                if asked.may_fit(*letters)
                    && found.as_ref().is_none_or(is_left)
                    && let Some(score) = fits(asked, heard)
                {
                    let best = best.entry(heard.member).or_default();
                    *best = score.max(*best);
                }
            }
            if let Some(before) = found {
                for (member, score) in &mut best {
                    *score += before.get(member).copied().unwrap_or_default();
                }
            }
            found = Some(best);
        }
        found.unwrap_or_default()
    }
}

/// A word that is asked for, plain.
struct Word {
    text: String,
    /// Which letters are in it, a bit for each: words that are near have nearly the same.
    letters: u64,
    length: usize,
}

/// Lower case, without accents, split at whatever is no letter or digit.
fn words(text: &str) -> Vec<Word> {
    let plain: String = text.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase).collect();
    let words = plain.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.take(WORDS_MAX).map(Word::new).collect()
}

/// How many mistakes are small in a word of this length: letters more, less, other or swapped.
fn mistakes_max(length: usize) -> usize {
    match length {
        0..4 => 0,
        4..8 => 1,
        _ => 2,
    }
}

impl Word {
    fn new(text: &str) -> Self {
        let letters = text.chars().fold(0, |letters, c| letters | 1 << (u32::from(c) % 64));
        Self { text: text.to_owned(), letters, length: text.chars().count() }
    }

    /// Whether a word with these letters can begin with this one or be near it.
    fn may_fit(&self, letters: u64) -> bool {
        self.letters & !letters == 0
            || (letters ^ self.letters).count_ones() as usize <= 2 * mistakes_max(self.length + 2)
    }

    /// How well a word fits this one, which was asked for; none if it does not.
    fn fits(&self, heard: &Heard) -> Option<u32> {
        match () {
            () if *heard.text == *self.text => Some(4),
            () if heard.text.starts_with(&self.text) => Some(2),
            () if self.is_near(heard) => Some(1),
            () => None,
        }
    }

    /// The same but for small mistakes.
    fn is_near(&self, heard: &Heard) -> bool {
        let most = mistakes_max(self.length.max(heard.length));
        *self.text == *heard.text
            || self.length.abs_diff(heard.length) <= most && strsim::osa_distance(&heard.text, &self.text) <= most
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn org() -> OrgId {
        "acme".parse().unwrap()
    }

    fn member(n: usize) -> MemberId {
        MemberId(Uuid::from_u128(n as u128))
    }

    fn called(alias: &str) -> Profile {
        Profile { alias: Some(alias.parse().unwrap()), ..Profile::default() }
    }

    fn named(given: &str, family: &str, year: Option<i16>) -> Profile {
        let (given_name, family_name) = (Some(given.parse().unwrap()), Some(family.parse().unwrap()));
        Profile { given_name, family_name, year_of_birth: year, ..Profile::default() }
    }

    fn numbers(found: Vec<MemberId>) -> Vec<u128> {
        found.into_iter().map(|member| member.0.as_u128()).collect()
    }

    fn found(all: &[&str], asked: &str) -> Vec<u128> {
        let names = Names::default();
        names.update(&org(), all.iter().enumerate().map(|(n, alias)| (member(n), Some(called(alias)))).collect());
        numbers(names.search(&org(), asked, 10))
    }

    #[test]
    fn a_name_is_found_without_its_accents_by_its_beginning_and_misspelt() {
        let all = ["Zoë Müller", "Zoe Miller", "Ann", "Anna Maria", "Ольга"];
        assert_eq!(found(&all, "zoe muller"), [0, 1]);
        assert_eq!(found(&all, "an"), [2, 3]);
        assert_eq!(found(&all, "ann"), [2, 3], "the same before what only begins so");
        assert_eq!(found(&all, "maira"), [3]);
        assert_eq!(found(&all, "ольга"), [4]);
        assert!(found(&all, "bob").is_empty() && found(&all, " - ").is_empty() && found(&all, "").is_empty());
    }

    #[test]
    fn nobody_is_found_in_another_organisation() {
        let names = Names::default();
        names.update(&org(), vec![(member(1), Some(called("Ann")))]);
        assert!(names.search(&"other".parse().unwrap(), "ann", 10).is_empty());
    }

    #[test]
    fn whoever_changed_is_found_by_the_new_name_only_and_whoever_left_by_none() {
        let names = Names::default();
        names.update(
            &org(),
            vec![(member(1), Some(called("Ann"))), (member(2), Some(called("Bob"))), (member(3), Some(called("Cem")))],
        );
        names.update(&org(), vec![(member(2), Some(called("Anna"))), (member(1), None)]);
        assert_eq!(numbers(names.search(&org(), "ann", 10)), [2]);
        assert!(names.search(&org(), "bob", 10).is_empty());
        assert_eq!(numbers(names.search(&org(), "cem", 10)), [3]);
    }

    #[test]
    fn nearly_the_same_full_name_is_near_but_not_that_of_somebody_of_another_age() {
        let names = Names::default();
        let all = [
            named("Jon", "Kowalski", None),
            named("John", "Kowalsky", Some(1980)),
            named("John", "Kowalski", Some(1981)),
            named("Joan", "Berg", None),
            called("John Kowalski"),
        ];
        names.update(&org(), all.into_iter().enumerate().map(|(n, profile)| (member(n), Some(profile))).collect());
        let near = |profile: &Profile| numbers(names.near(&org(), profile, 10));
        assert_eq!(near(&named("John", "Kowalski", Some(1980))), [0, 1]);
        assert_eq!(near(&named("Kowalski", "John", None)), [0, 1, 2], "given and family name were swapped");
        assert!(near(&named("Joan", "Kowal", None)).is_empty());
        assert!(near(&Profile { given_name: Some("John".parse().unwrap()), ..Profile::default() }).is_empty());
    }
}
