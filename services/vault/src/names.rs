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

use crate::folded::{self, has_no_spaces, hiragana};

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
    /// Who is called by each word. In order, so that words that begin alike are looked at together.
    words: BTreeMap<Arc<str>, Called>,
    /// All words, each at its place, to find those that are spelt nearly so.
    sketches: Vec<Sketch>,
    people: HashMap<MemberId, Person>,
}

/// Who is called by a word.
#[derive(Default)]
struct Called {
    /// And where it stands.
    by: BTreeSet<(MemberId, Field, Part)>,
    /// Its place among the sketches.
    place: usize,
}

/// How a word stands in a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    /// As it is written.
    Word,
    /// Family and given name together, as those who write both without a space do.
    Whole,
    /// The end of a word of a script that has no spaces, to be searched by.
    End,
}

/// Who is there.
struct Person {
    year_of_birth: Option<i16>,
    /// In their order.
    words: Vec<Heard>,
}

/// A word of somebody's, the field that it is in, and how it stands there.
type Heard = (Arc<str>, Field, Part);

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
            let heard: Vec<_> =
                parts(&profile).into_iter().map(|(text, field, part)| (self.hear(&text), field, part)).collect();
            for (word, field, part) in &heard {
                let called = self.words.get_mut(word).expect("it was heard");
                called.by.insert((member, *field, *part));
            }
            self.people.insert(member, Person { year_of_birth: profile.year_of_birth, words: heard });
        }
    }

    /// The word as it is kept: once, however many are called so.
    fn hear(&mut self, word: &str) -> Arc<str> {
        if let Some((known, _)) = self.words.get_key_value(word) {
            return known.clone();
        }
        let word: Arc<str> = word.into();
        let called = Called { place: self.sketches.len(), ..Called::default() };
        self.sketches.push(Sketch::new(word.clone()));
        self.words.insert(word.clone(), called);
        word
    }

    fn forget(&mut self, member: MemberId) {
        for (word, field, part) in self.people.remove(&member).into_iter().flat_map(|person| person.words) {
            let Some(called) = self.words.get_mut(&word) else { continue };
            called.by.remove(&(member, field, part));
            if called.by.is_empty() {
                let place = called.place;
                self.words.remove(&word);
                self.sketches.swap_remove(place);
                if let Some(moved) = self.sketches.get(place).and_then(|moved| self.words.get_mut(&moved.word)) {
                    moved.place = place;
                }
            }
        }
    }

    fn search(
        &self,
        asked: &str,
        (fields, among): (&[Field], Option<&HashSet<MemberId>>),
        rows: usize,
    ) -> Vec<MemberId> {
        let within = Within { fields, among, ends: true };
        let mut found: Vec<_> = self.fitting(&Asked::new(words(asked)), &within).into_iter().collect();
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
        let has = |field| person.words.iter().any(|(_, of, _)| *of == field);
        if !(has(Field::GivenName) && has(Field::FamilyName)) {
            return vec![];
        }
        let of = |field| person.words.iter().filter(move |(_, of, part)| *of == field && *part == Part::Word);
        let named = of(Field::FamilyName).chain(of(Field::GivenName));
        let asked = named.map(|(word, ..)| Word::new(word)).collect();
        let mut found = self.called_nearly(asked, person.year_of_birth, rows.saturating_add(1));
        found.retain(|other| *other != member);
        found
    }

    /// Members with nearly these words as their names, none of whom is known to be of another age.
    fn called_nearly(&self, asked: Vec<Word>, year_of_birth: Option<i16>, rows: usize) -> Vec<MemberId> {
        // An alias is what somebody chose, and says little about who they are.
        let within = Within { fields: &[Field::GivenName, Field::FamilyName], among: None, ends: false };
        let found = self.fitting(&Asked::new(asked), &within);
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
    fn fitting(&self, asked: &Asked, within: &Within<'_>) -> HashMap<MemberId, u32> {
        let Some(longest) = asked.longest() else { return HashMap::new() };
        let (word, runs) = &asked.0[longest];
        let mut found = HashSet::new();
        let mut take = |called: &Called| found.extend(called.by.iter().filter(|by| within.has(by)).map(|by| by.0));
        self.nearly(word).for_each(&mut take);
        for text in runs.iter().chain([&word.text]) {
            self.beginning(text, within.ends).for_each(&mut take);
        }
        self.apart(&word.text, within, &mut found);
        let scored = |member: MemberId| {
            let person = self.people.get(&member)?;
            let theirs = person.words.iter().filter(|(_, field, part)| within.shows(*field, *part));
            Some((member, asked.score(&theirs.collect::<Vec<_>>(), within.ends)?))
        };
        found.into_iter().filter_map(scored).collect()
    }

    /// Words that are this one, or begin so if that will do.
    fn beginning<'a>(&'a self, asked: &str, begins: bool) -> impl Iterator<Item = &'a Called> {
        let from = self.words.range::<str, _>((Bound::Included(asked), Bound::Unbounded));
        let asked = asked.to_owned();
        let fits = move |text: &str| if begins { text.starts_with(&asked) } else { *text == *asked };
        from.take_while(move |(text, _)| fits(text)).map(|(_, called)| called)
    }

    /// Words that are spelt nearly so.
    fn nearly<'a>(&'a self, asked: &'a Word) -> impl Iterator<Item = &'a Called> {
        let sketch = Sketch::new(asked.text.as_str().into());
        let near = self.sketches.iter().filter(move |other| sketch.can_be_near(other) && asked.is_near(&other.word));
        near.filter_map(|other| self.words.get(&other.word))
    }

    /// Those with this word written apart: a word of theirs that it begins with, and one that comes next.
    fn apart(&self, asked: &str, within: &Within<'_>, found: &mut HashSet<MemberId>) {
        for (end, _) in asked.char_indices().skip(1) {
            let (left, right) = asked.split_at(end);
            let Some(first) = self.words.get(left) else { continue };
            let with_next = |by: &&(MemberId, Field, Part)| {
                let person = self.people.get(&by.0);
                let goes_on = |(word, field, _): &Heard| *field == by.1 && goes_on(right, word);
                within.has(by) && person.is_some_and(|person| person.words.iter().any(goes_on))
            };
            found.extend(first.by.iter().filter(with_next).map(|by| by.0));
        }
    }
}

/// Whether a text can go on with a word, or is the beginning of it.
fn goes_on(text: &str, word: &str) -> bool {
    text.starts_with(word) || word.starts_with(text)
}

/// Where words are looked for.
struct Within<'a> {
    fields: &'a [Field],
    /// Only these members, if that is said.
    among: Option<&'a HashSet<MemberId>>,
    /// Whether what begins so, and the end of a word, will do as well: for a search it does, for a double it does not.
    ends: bool,
}

impl Within<'_> {
    fn shows(&self, field: Field, part: Part) -> bool {
        // Of a name that is both, nothing is found by whoever may see but one.
        let both = || self.fields.contains(&Field::GivenName) && self.fields.contains(&Field::FamilyName);
        self.fields.contains(&field) && (part != Part::End || self.ends) && (part != Part::Whole || both())
    }

    fn has(&self, (member, field, part): &(MemberId, Field, Part)) -> bool {
        self.shows(*field, *part) && self.among.is_none_or(|among| among.contains(member))
    }
}

/// Most words that are taken as one, a count.
const JOINED_MAX: usize = 4;

/// Words that are asked for in this order, each with what it makes when it is written together with those beside it.
struct Asked(Vec<(Word, Vec<String>)>);

impl Asked {
    fn new(words: Vec<Word>) -> Self {
        let runs: Vec<_> = (0..words.len()).map(|at| runs(&words, at)).collect();
        Self(words.into_iter().zip(runs).collect())
    }

    fn longest(&self) -> Option<usize> {
        (0..self.0.len()).max_by_key(|n| self.0[*n].0.length)
    }

    /// How well somebody's words fit these, together or apart; none if one does not fit.
    fn score(&self, theirs: &[&Heard], begins: bool) -> Option<u32> {
        self.0.iter().map(|(word, runs)| fit(word, runs, theirs, begins)).sum()
    }
}

fn runs(words: &[Word], at: usize) -> Vec<String> {
    let mut all = Vec::new();
    for from in (at + 1).saturating_sub(JOINED_MAX)..=at {
        for through in at.max(from + 1)..words.len().min(from + JOINED_MAX) {
            all.push(words[from..=through].iter().map(|word| word.text.as_str()).collect());
        }
    }
    all
}

/// How well the best of somebody's words fits one that is asked for.
fn fit(word: &Word, runs: &[String], theirs: &[&Heard], begins: bool) -> Option<u32> {
    let alone = theirs.iter().filter_map(|(heard, ..)| word.fits(heard, begins)).max();
    if alone.is_some() {
        return alone;
    }
    let together = |(heard, run): (&&Heard, &String)| match () {
        () if *heard.0 == **run => Some(JOINED),
        () if begins && heard.0.starts_with(run.as_str()) => Some(BEGINS),
        () => None,
    };
    let together = theirs.iter().flat_map(|heard| runs.iter().map(move |run| (heard, run))).filter_map(together).max();
    together.max((0..theirs.len()).filter_map(|from| apart(&word.text, &theirs[from..], begins)).max())
}

/// How well a word fits words that follow one another in one field.
fn apart(asked: &str, theirs: &[&Heard], begins: bool) -> Option<u32> {
    let (mut rest, field) = (asked, theirs.first()?.1);
    for (n, (heard, of, part)) in theirs.iter().enumerate() {
        if *of != field || *part != Part::Word {
            return None;
        }
        match rest.strip_prefix(&**heard) {
            Some("") => return Some(JOINED),
            Some(left) => rest = left,
            None => return (begins && n > 0 && heard.starts_with(rest)).then_some(BEGINS),
        }
    }
    None
}

/// The words by which somebody is found: as they are written, and of scripts that have no spaces their ends, and family and
/// given name as one.
fn parts(profile: &Profile) -> Vec<(String, Field, Part)> {
    let alias = (profile.alias.as_ref().map(Text::as_str), Field::Alias);
    let given = (profile.given_name.as_ref().map(Text::as_str), Field::GivenName);
    let family = (profile.family_name.as_ref().map(Text::as_str), Field::FamilyName);
    let mut all = Vec::new();
    for (name, field) in [alias, given, family] {
        let words = words(name.unwrap_or_default());
        let ends = words.iter().flat_map(|word| ends(&word.text)).take(ENDS_MAX).map(|end| (end, field, Part::End));
        let ends: Vec<_> = ends.collect();
        all.extend(words.into_iter().map(|word| (word.text, field, Part::Word)));
        all.extend(ends);
    }
    let of = |field| all.iter().filter(move |(_, of, part)| *of == field && *part == Part::Word);
    let both = || of(Field::FamilyName).chain(of(Field::GivenName)).map(|(word, ..)| word.as_str());
    if given.0.is_some() && family.0.is_some() && both().all(has_no_spaces) {
        all.push((both().collect(), Field::FamilyName, Part::Whole));
    }
    all
}

/// Most ends of words of one name that are kept, a count.
const ENDS_MAX: usize = 16;

/// The ends of a word of a script that has no spaces, from each of its signs on.
fn ends(word: &str) -> Vec<String> {
    if !has_no_spaces(word) {
        return vec![];
    }
    let begins = |c: char| !matches!(c, '\u{1160}'..='\u{11ff}' | 'ー');
    word.char_indices().skip(1).filter(|(_, c)| begins(*c)).map(|(at, _)| word[at..].to_owned()).collect()
}

/// A word, as far as it has to be known to leave most others out without a look at their letters.
struct Sketch {
    word: Arc<str>,
    /// Its length in characters.
    length: u32,
    /// Which letters it has, and which twice.
    letters: u64,
}

impl Sketch {
    fn new(word: Arc<str>) -> Self {
        let (mut once, mut twice, mut length) = (0_u64, 0_u64, 0);
        for c in word.chars() {
            let bit = 1 << (u32::from(c) % 32);
            twice |= once & bit;
            once |= bit;
            length += 1;
        }
        Self { word, length, letters: once | twice << 32 }
    }

    /// Whether few enough mistakes can make one of the other: each adds and takes away one letter at most.
    fn can_be_near(&self, other: &Self) -> bool {
        let most = mistakes_max(self.length.max(other.length) as usize);
        self.length.abs_diff(other.length) as usize <= most
            && (self.letters ^ other.letters).count_ones() as usize <= 2 * most
    }
}

/// A word that is asked for, plain.
struct Word {
    text: String,
    length: usize,
}

/// The first words of a name, as they are compared.
fn words(text: &str) -> Vec<Word> {
    folded::words(text).iter().take(WORDS_MAX).map(|word| Word::new(&hiragana(word))).collect()
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

/// How well a word fits, best first: it is the same, the same but for spaces, begins so, or is spelt nearly so.
const SAME: u32 = 4;
const JOINED: u32 = 3;
const BEGINS: u32 = 2;
const NEAR: u32 = 1;

impl Word {
    fn new(text: &str) -> Self {
        Self { text: text.to_owned(), length: text.chars().count() }
    }

    /// How well a word fits this one, which was asked for; none if it does not.
    fn fits(&self, heard: &str, begins: bool) -> Option<u32> {
        match () {
            () if *heard == *self.text => Some(SAME),
            () if begins && heard.starts_with(&self.text) => Some(BEGINS),
            () if self.is_near(heard) => Some(NEAR),
            () => None,
        }
    }

    /// The same but for small mistakes.
    fn is_near(&self, heard: &str) -> bool {
        let length = heard.chars().count();
        let most = mistakes_max(self.length.max(length));
        *self.text == *heard
            || most > 0 && self.length.abs_diff(length) <= most && strsim::osa_distance(heard, &self.text) <= most
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

    #[test]
    fn words_are_found_whether_they_are_written_together_or_apart() {
        let all =
            ["Anna Maria", "Annamaria", "Anna-Maria", "Jan van der Berg", "Jan Vanderberg", "Jan Van den Berg", "Anna"];
        for asked in ["anna maria", "Annamaria", "anna-maria", "ANNA MAR", "annamar"] {
            assert_eq!(found(&all, asked).iter().copied().collect::<BTreeSet<_>>(), [0, 1, 2].into(), "{asked}");
        }
        for asked in ["van der berg", "vanderberg", "vander berg", "van derberg", "jan vanderb"] {
            assert_eq!(found(&all, asked).iter().copied().collect::<BTreeSet<_>>(), [3, 4].into(), "{asked}");
        }
        let names = Names::default();
        let all = [
            named("Anna Maria", "van der Berg", None),
            named("Annamaria", "Vanderberg", None),
            named("Anna", "Berg", None),
        ];
        names.update(&org(), all.iter().enumerate().map(|(n, profile)| (member(n), Some(profile.clone()))).collect());
        assert_eq!(numbers(names.near(&org(), &all[0], 10)), [0, 1]);
        assert_eq!(numbers(names.near(&org(), &all[1], 10)), [0, 1]);
        assert_eq!(numbers(names.near_to(&org(), member(0), 10)), [1]);
    }

    #[test]
    fn names_without_spaces_are_found_by_their_parts() {
        let all = ["王小明", "欧阳 娜娜", "やまだ たろう", "김민수", "李明"];
        for (asked, wanted) in [
            ("王", vec![0]),
            ("小明", vec![0]),
            ("王小", vec![0]),
            ("欧阳娜娜", vec![1]),
            ("娜", vec![1]),
            ("ヤマダタロウ", vec![2]),
            ("ﾔﾏﾀﾞ", vec![2]),
            ("민수", vec![3]),
            ("김", vec![3]),
            ("明", vec![0, 4]),
            ("王明", vec![]),
        ] {
            assert_eq!(
                found(&all, asked).iter().copied().collect::<BTreeSet<_>>(),
                wanted.into_iter().collect(),
                "{asked}"
            );
        }
        let names = Names::default();
        let all = [named("小明", "王", None), named("明", "王小", None), named("明", "王", None)];
        names.update(&org(), all.iter().enumerate().map(|(n, profile)| (member(n), Some(profile.clone()))).collect());
        let search = |asked: &str, fields: &[Field]| numbers(names.search(&org(), asked, (fields, None), 10));
        assert_eq!(search("王小明", Names::FIELDS), [0, 1]);
        assert_eq!(search("小明", Names::FIELDS), [0], "of one field");
        assert_eq!(search("王小明", &[Field::Alias, Field::GivenName]), [], "who sees no family names finds none");
        assert_eq!(search("小明", &[Field::Alias, Field::GivenName]), [0]);
        assert_eq!(numbers(names.near(&org(), &all[0], 10)), [0, 1], "a part of a name is another name");
    }

    /// As it would be without any index.
    fn one_by_one(all: &[String], asked: &str) -> Vec<u128> {
        let asked = Asked::new(words(asked));
        let fit = |name: &String| {
            let theirs = parts(&called(name));
            let theirs: Vec<Heard> = theirs.into_iter().map(|(text, field, part)| (text.into(), field, part)).collect();
            asked.score(&theirs.iter().collect::<Vec<_>>(), true).filter(|score| *score > 0)
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

        /// Else somebody would not be found who is.
        #[test]
        fn a_sketch_leaves_nobody_out_who_is_near(one in "[a-dé明]{0,12}", other in "[a-dé明]{0,12}") {
            let (word, near) = (Word::new(&one), Sketch::new(one.as_str().into()).can_be_near(&Sketch::new(other.as_str().into())));
            prop_assert!(near || !word.is_near(&other));
        }

        #[test]
        fn who_came_and_went_leaves_the_others_as_they_were(
            all in prop::collection::vec("[ab明]{1,4}( [ab]{1,3})?", 1..20),
            gone in prop::collection::vec(0..20_usize, 0..20),
        ) {
            let names = Names::default();
            names.update(&org(), all.iter().enumerate().map(|(n, alias)| (member(n), Some(called(alias)))).collect());
            names.update(&org(), gone.iter().map(|n| (member(*n), None)).collect());
            let all_names = names.0.read().unwrap();
            let index = &all_names[&org()];
            prop_assert_eq!(index.words.len(), index.sketches.len());
            for (word, called) in &index.words {
                prop_assert!(!called.by.is_empty() && index.sketches[called.place].word == *word);
            }
        }
    }
}
