//! Names, open in memory and nowhere else: to search by, and to see who may be registered twice.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    fmt,
    ops::Bound,
    sync::{Arc, RwLock},
};

use domain::{
    MemberId, OrgId, Text,
    member::{Field, Profile},
};

use crate::folded;

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
    /// Who is called by each word, and where it stands. In order, so that words that begin alike are looked at together.
    words: BTreeMap<Arc<str>, BTreeSet<(MemberId, Field)>>,
    people: HashMap<MemberId, Person>,
}

/// Who is there.
struct Person {
    year_of_birth: Option<i16>,
    words: Vec<(Arc<str>, Field)>,
}

impl Names {
    /// Fields that members are found by.
    pub const FIELDS: &[Field] = &[Field::Alias, Field::GivenName, Field::FamilyName];
    /// Fields that are known here: besides those, what tells two of one name apart.
    pub const KNOWN: &[Field] = &[Field::Alias, Field::GivenName, Field::FamilyName, Field::YearOfBirth];

    /// Forgets all of them.
    pub fn forget(&self) {
        self.0.clear_poison();
        self.0.write().expect("nothing panics while it is held").clear();
    }

    /// Takes what is known now of members; of those without a profile, nothing. Waits for searches to end.
    pub fn update(&self, org: &OrgId, changed: Vec<(MemberId, Option<Profile>)>) {
        let mut all = self.0.write().expect("nothing panics while it is held");
        all.entry(org.clone()).or_default().update(changed);
    }

    /// Members whose names in these fields fit every word of `asked`, best first: the same, beginning so, or spelt
    /// nearly so; only `among` these members, if that is said, so that whom somebody finds depends on nobody else. Takes
    /// milliseconds where there are many.
    pub fn search(
        &self,
        org: &OrgId,
        asked: &str,
        (fields, among): (&[Field], Option<&HashSet<MemberId>>),
        rows: usize,
    ) -> Vec<MemberId> {
        let all = self.0.read().expect("nothing panics while it is held");
        all.get(org).map_or_else(Vec::new, |index| index.search(asked, (fields, among), rows))
    }

    /// Members with nearly the same given and family name, none of whom is known to be of another age. Takes
    /// milliseconds where there are many.
    pub fn near(&self, org: &OrgId, profile: &Profile, rows: usize) -> Vec<MemberId> {
        let all = self.0.read().expect("nothing panics while it is held");
        all.get(org).map_or_else(Vec::new, |index| index.near(profile, rows))
    }

    /// Others with nearly the same given and family name as this member, as [`Names::near`].
    pub fn near_to(&self, org: &OrgId, member: MemberId, rows: usize) -> Vec<MemberId> {
        let all = self.0.read().expect("nothing panics while it is held");
        all.get(org).map_or_else(Vec::new, |index| index.near_to(member, rows))
    }

    /// Whether [`Names::near`] could find anybody: it needs a full name.
    pub fn can_be_near(profile: &Profile) -> bool {
        profile.given_name.is_some() && profile.family_name.is_some()
    }
}

impl Index {
    fn update(&mut self, changed: Vec<(MemberId, Option<Profile>)>) {
        for (member, profile) in changed {
            self.forget(member);
            let Some(profile) = profile else { continue };
            let alias = profile.alias.as_ref().map(Text::as_str);
            let given = profile.given_name.as_ref().map(Text::as_str);
            let family = profile.family_name.as_ref().map(Text::as_str);
            let names = [(alias, Field::Alias), (given, Field::GivenName), (family, Field::FamilyName)];
            let mut heard = Vec::new();
            for (name, field) in names {
                heard.extend(words(name.unwrap_or_default()).into_iter().map(|word| (self.hear(&word.text), field)));
            }
            for (word, field) in &heard {
                self.words.entry(word.clone()).or_default().insert((member, *field));
            }
            self.people.insert(member, Person { year_of_birth: profile.year_of_birth, words: heard });
        }
    }

    /// The word as it is kept: once, however many are called so.
    fn hear(&self, word: &str) -> Arc<str> {
        self.words.get_key_value(word).map_or_else(|| word.into(), |(known, _)| known.clone())
    }

    fn forget(&mut self, member: MemberId) {
        for (word, field) in self.people.remove(&member).into_iter().flat_map(|person| person.words) {
            if let Some(called) = self.words.get_mut(&word) {
                called.remove(&(member, field));
                if called.is_empty() {
                    self.words.remove(&word);
                }
            }
        }
    }

    fn search(&self, asked: &str, within: (&[Field], Option<&HashSet<MemberId>>), rows: usize) -> Vec<MemberId> {
        let asked = words(asked);
        let begun = |word: &Word| self.beginning(word).chain(self.nearly(word)).collect();
        let found = self.fitting(asked, within, begun, Word::fits);
        let mut found: Vec<_> = found.into_iter().collect();
        found.sort_unstable_by(|(x, a), (y, b)| b.cmp(a).then(x.cmp(y)));
        found.truncate(rows);
        found.into_iter().map(|(member, _)| member).collect()
    }

    fn near(&self, profile: &Profile, rows: usize) -> Vec<MemberId> {
        let (Some(given), Some(family)) = (&profile.given_name, &profile.family_name) else { return vec![] };
        let asked = words(family.as_str()).into_iter().chain(words(given.as_str())).collect();
        self.called_nearly(asked, profile.year_of_birth, rows)
    }

    fn near_to(&self, member: MemberId, rows: usize) -> Vec<MemberId> {
        let Some(person) = self.people.get(&member) else { return vec![] };
        let has = |field| person.words.iter().any(|(_, of)| *of == field);
        if !(has(Field::GivenName) && has(Field::FamilyName)) {
            return vec![];
        }
        let named = person.words.iter().filter(|(_, field)| *field != Field::Alias);
        let asked = named.flat_map(|(word, _)| words(word)).collect();
        let mut found = self.called_nearly(asked, person.year_of_birth, rows.saturating_add(1));
        found.retain(|other| *other != member);
        found
    }

    /// Members with nearly these words as their names, none of whom is known to be of another age.
    fn called_nearly(&self, asked: Vec<Word>, year_of_birth: Option<i16>, rows: usize) -> Vec<MemberId> {
        let same = |asked: &Word, heard: &str| asked.is_near(heard).then_some(1);
        let near = |word: &Word| {
            let itself = self.words.get_key_value(word.text.as_str()).map(|(text, called)| (&**text, called));
            self.nearly(word).chain(itself).collect()
        };
        // An alias is what somebody chose, and says little about who they are.
        let found = self.fitting(asked, (&[Field::GivenName, Field::FamilyName], None), near, same);
        let year = |member: &MemberId| self.people.get(member).and_then(|person| person.year_of_birth);
        let other_age = |member: &MemberId| match (year_of_birth, year(member)) {
            (Some(year), Some(other)) => year != other,
            _ => false,
        };
        let mut found: Vec<_> = found.into_keys().filter(|member| !other_age(member)).collect();
        found.sort_unstable();
        found.truncate(rows);
        found
    }

    /// Members with a word, in one of the fields, for each that is asked for, and how well these fit in all. Words that
    /// can fit are looked up for the longest only, which has the fewest; whoever that finds is looked at one by one.
    fn fitting<'a>(
        &'a self,
        mut asked: Vec<Word>,
        (fields, among): (&[Field], Option<&HashSet<MemberId>>),
        can_fit: impl FnOnce(&Word) -> Vec<Called<'a>>,
        fits: impl Fn(&Word, &str) -> Option<u32>,
    ) -> HashMap<MemberId, u32> {
        let mut found = HashMap::new();
        let Some(longest) = (0..asked.len()).max_by_key(|n| asked[*n].length) else { return found };
        let longest = asked.swap_remove(longest);
        for (text, called) in can_fit(&longest) {
            let Some(score) = fits(&longest, text) else { continue };
            let may = |member: &MemberId| among.is_none_or(|among| among.contains(member));
            for (member, _) in called.iter().filter(|(member, field)| fields.contains(field) && may(member)) {
                let best: &mut u32 = found.entry(*member).or_default();
                *best = score.max(*best);
            }
        }
        found.retain(|member, score| {
            let Some(person) = self.people.get(member) else { return false };
            let theirs = || person.words.iter().filter(|(_, field)| fields.contains(field));
            asked.iter().all(|word| {
                let best = theirs().filter_map(|(heard, _)| fits(word, heard)).max();
                *score += best.unwrap_or_default();
                best.is_some()
            })
        });
        found
    }

    /// Words that begin so.
    fn beginning<'a>(&'a self, asked: &Word) -> impl Iterator<Item = Called<'a>> {
        let from = self.words.range::<str, _>((Bound::Included(asked.text.as_str()), Bound::Unbounded));
        let begins = asked.text.clone();
        from.take_while(move |(text, _)| text.starts_with(&begins)).map(|(text, called)| (&**text, called))
    }

    /// Words that are spelt nearly so, and some that are not quite.
    fn nearly<'a>(&'a self, asked: &Word) -> impl Iterator<Item = Called<'a>> {
        Nearly::new(&self.words, asked)
    }
}

/// A word, and who is called by it.
type Called<'a> = (&'a str, &'a BTreeSet<(MemberId, Field)>);

/// Goes through all words in order, and past all those that begin in a way that no small mistakes explain.
///
/// A row holds the distances of what a word begins with from each beginning of what is asked for; words that begin alike
/// have rows in common.
struct Nearly<'a> {
    words: &'a BTreeMap<Arc<str>, BTreeSet<(MemberId, Field)>>,
    left: std::collections::btree_map::Range<'a, Arc<str>, BTreeSet<(MemberId, Field)>>,
    asked: Vec<char>,
    most: usize,
    begun: Vec<char>,
    rows: Vec<Vec<usize>>,
}

impl<'a> Nearly<'a> {
    fn new(words: &'a BTreeMap<Arc<str>, BTreeSet<(MemberId, Field)>>, asked: &Word) -> Self {
        let asked: Vec<_> = asked.text.chars().collect();
        // In a longer word more mistakes are small.
        let most = mistakes_max(asked.len() + MISTAKES_MAX);
        let rows = vec![(0..=asked.len()).collect()];
        let all = if most == 0 { Bound::Excluded("") } else { Bound::Unbounded };
        let left = words.range::<str, _>((Bound::Unbounded, all));
        Self { words, left, asked, most, begun: Vec::new(), rows }
    }

    /// Whether a word can be near that begins as this one, as far as it was read.
    fn read(&mut self, word: &str) -> bool {
        let alike = self.begun.iter().zip(word.chars()).take_while(|(a, b)| **a == *b).count();
        self.begun.truncate(alike);
        self.rows.truncate(alike + 1);
        for letter in word.chars().skip(alike) {
            self.begun.push(letter);
            let row = self.row(letter);
            let is_far = row.iter().all(|distance| *distance > self.most);
            self.rows.push(row);
            if is_far {
                return false;
            }
        }
        true
    }

    /// The row after the last one: letters more, less, other or swapped.
    fn row(&self, letter: char) -> Vec<usize> {
        let length = self.rows.len();
        let (before, mut row) = (&self.rows[length - 1], vec![length]);
        for (n, asked) in self.asked.iter().enumerate() {
            let other = before[n] + usize::from(letter != *asked);
            let mut least = other.min(before[n + 1] + 1).min(row[n] + 1);
            if length > 1 && n > 0 && letter == self.asked[n - 1] && self.begun[length - 2] == *asked {
                least = least.min(self.rows[length - 2][n - 1] + 1);
            }
            row.push(least);
        }
        row
    }
}

impl<'a> Iterator for Nearly<'a> {
    type Item = Called<'a>;

    fn next(&mut self) -> Option<Called<'a>> {
        loop {
            let (word, called) = self.left.next()?;
            if self.read(word) {
                return Some((word, called));
            }
            // No letter comes after the last one there can be.
            let past: String = self.begun.iter().chain(&[char::MAX]).collect();
            self.left = self.words.range::<str, _>((Bound::Excluded(past.as_str()), Bound::Unbounded));
        }
    }
}

/// A word that is asked for, plain.
struct Word {
    text: String,
    length: usize,
}

/// The first words of a name, as they are compared.
fn words(text: &str) -> Vec<Word> {
    folded::words(text).iter().take(WORDS_MAX).map(|word| Word::new(word)).collect()
}

/// Most mistakes that are small in any word, a count.
const MISTAKES_MAX: usize = 2;

/// How many mistakes are small in a word of this length: letters more, less, other or swapped.
fn mistakes_max(length: usize) -> usize {
    match length {
        0..4 => 0,
        4..8 => 1,
        _ => MISTAKES_MAX,
    }
}

impl Word {
    fn new(text: &str) -> Self {
        Self { text: text.to_owned(), length: text.chars().count() }
    }

    /// How well a word fits this one, which was asked for; none if it does not.
    fn fits(&self, heard: &str) -> Option<u32> {
        match () {
            () if *heard == *self.text => Some(4),
            () if heard.starts_with(&self.text) => Some(2),
            () if self.is_near(heard) => Some(1),
            () => None,
        }
    }

    /// The same but for small mistakes.
    fn is_near(&self, heard: &str) -> bool {
        let length = heard.chars().count();
        let most = mistakes_max(self.length.max(length));
        *self.text == *heard || self.length.abs_diff(length) <= most && strsim::osa_distance(heard, &self.text) <= most
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
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
        numbers(names.search(&org(), asked, (Names::FIELDS, None), 10))
    }

    #[test]
    fn a_name_is_found_without_its_accents_by_its_beginning_and_misspelt() {
        let all = ["Zoë Müller", "Zoe Miller", "Ann", "Anna Maria", "Ольга", "Groß", "Bøe", "Øst", "Łukasz Æsa"];
        assert_eq!(found(&all, "zoe muller"), [0, 1]);
        assert_eq!(found(&all, "an"), [2, 3]);
        assert_eq!(found(&all, "ann"), [2, 3], "the same before what only begins so");
        assert_eq!(found(&all, "maira"), [3]);
        assert_eq!(found(&all, "ольга"), [4]);
        // Letters that normalisation does not take apart.
        assert_eq!((found(&all, "gross"), found(&all, "boe"), found(&all, "OST")), (vec![5], vec![6], vec![7]));
        assert_eq!((found(&all, "lukasz aesa"), found(&all, "GROẞ")), (vec![8], vec![5]));
        assert!(found(&all, "bob").is_empty() && found(&all, " - ").is_empty() && found(&all, "").is_empty());
    }

    #[test]
    fn nobody_is_found_in_another_organisation() {
        let names = Names::default();
        names.update(&org(), vec![(member(1), Some(called("Ann")))]);
        assert!(names.search(&"other".parse().unwrap(), "ann", (Names::FIELDS, None), 10).is_empty());
    }

    #[test]
    fn whoever_changed_is_found_by_the_new_name_only_and_whoever_left_by_none() {
        let names = Names::default();
        names.update(
            &org(),
            vec![(member(1), Some(called("Ann"))), (member(2), Some(called("Bob"))), (member(3), Some(called("Cem")))],
        );
        names.update(&org(), vec![(member(2), Some(called("Anna"))), (member(1), None)]);
        assert_eq!(numbers(names.search(&org(), "ann", (Names::FIELDS, None), 10)), [2]);
        assert!(names.search(&org(), "bob", (Names::FIELDS, None), 10).is_empty());
        assert_eq!(numbers(names.search(&org(), "cem", (Names::FIELDS, None), 10)), [3]);
    }

    #[test]
    fn nobody_is_found_by_another_field_nor_among_others_than_are_named_however_many_there_are() {
        let names = Names::default();
        let many = (0..50).map(|n| (member(n), Some(named("Ann", "Berg", None))));
        names.update(&org(), many.chain([(member(99), Some(named("Anna", "Kowalska", None)))]).collect());
        let among = HashSet::from([member(99)]);
        let found = |asked, fields: &[Field]| numbers(names.search(&org(), asked, (fields, Some(&among)), 2));
        assert_eq!(found("ann", Names::FIELDS), [99], "better hits of others do not push them out");
        assert_eq!(found("kowal", Names::FIELDS), [99]);
        for asked in ["kowal", "k", "anna kowalska"] {
            assert!(found(asked, &[Field::Alias, Field::GivenName]).is_empty(), "{asked}");
        }
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

    #[test]
    fn only_the_fields_that_are_asked_for_are_looked_at() {
        let names = Names::default();
        names.update(&org(), vec![(member(1), Some(named("Beata", "Kowalska", None)))]);
        let found = |asked: &str, fields: &[Field]| !names.search(&org(), asked, (fields, None), 10).is_empty();
        assert!(found("kowalska", Names::FIELDS) && found("beata kowal", Names::FIELDS));
        assert!(!found("kowalska", &[Field::Alias, Field::GivenName]) && found("beata", &[Field::GivenName]));
        assert!(!found("beata kowalska", &[Field::GivenName]));
    }

    #[test]
    fn who_is_forgotten_leaves_no_word() {
        let names = Names::default();
        names.update(&org(), vec![(member(1), Some(named("Ann Ann", "Berg", None))), (member(2), Some(called("Ann")))]);
        names.update(&org(), vec![(member(1), None), (member(2), None)]);
        let all = names.0.read().unwrap();
        assert!(all[&org()].words.is_empty() && all[&org()].people.is_empty());
    }

    /// As it would be without any index.
    fn one_by_one(all: &[String], asked: &str) -> Vec<u128> {
        let fit = |name: &String| {
            let theirs = words(name);
            let best = |asked: &Word| theirs.iter().filter_map(|heard| asked.fits(&heard.text)).max();
            words(asked).iter().map(best).sum::<Option<u32>>().filter(|score| *score > 0)
        };
        let mut found: Vec<_> = all.iter().enumerate().filter_map(|(n, name)| Some((fit(name)?, n as u128))).collect();
        found.sort_unstable_by(|(a, x), (b, y)| b.cmp(a).then(x.cmp(y)));
        found.into_iter().map(|(_, n)| n).take(10).collect()
    }

    proptest! {
        #[test]
        fn the_index_finds_whom_a_look_at_everybody_finds(
            all in prop::collection::vec("[abé]{1,10}( [ab]{1,9}){0,2}", 1..40),
            asked in "[ab]{1,10}( [ab]{1,9}){0,2}",
        ) {
            let names: Vec<_> = all.iter().map(String::as_str).collect();
            prop_assert_eq!(found(&names, &asked), one_by_one(&all, &asked));
        }
    }
}
