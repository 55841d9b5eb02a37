//! Names to search by: in memory only, one index for each organisation, brought up to date when it is asked.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex},
};

use domain::{
    MemberId, OrgId, Text,
    member::{Field, Profile, Record},
};
use eventlog::Recorded;
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

use crate::record_view;

/// Most words of a name, or of a search, a count.
const WORDS_MAX: usize = 8;
/// Fields that a member is found by.
pub(crate) const SEARCHED: &[Field] = &[Field::Alias, Field::GivenName, Field::FamilyName];

/// Names of members. Clones share them.
#[derive(Clone, Default)]
pub struct Names(Arc<Mutex<HashMap<OrgId, Index>>>);

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Names")
    }
}

#[derive(Default)]
struct Index {
    position: i64,
    people: HashMap<MemberId, Vec<Word>>,
}

/// A word of a name, plain.
#[derive(PartialEq, Eq)]
struct Word {
    text: String,
    /// Which letters are in it, a bit for each: words that are near have nearly the same.
    letters: u64,
    length: usize,
}

impl Names {
    /// Up to where the organisation's names are known.
    pub(crate) fn position(&self, org: &OrgId) -> i64 {
        self.0.lock().expect("nothing panics while it is held").get(org).map_or(0, |index| index.position)
    }

    /// Takes what changed up to a position: the profile of each member, or none if they are not to be found.
    pub(crate) fn update(&self, org: &OrgId, position: i64, changed: Vec<(MemberId, Option<Profile>)>) {
        let mut all = self.0.lock().expect("nothing panics while it is held");
        let index = all.entry(org.clone()).or_default();
        for (member, profile) in changed {
            match profile.map(|profile| words_of(&profile)).filter(|words| !words.is_empty()) {
                Some(words) => index.people.insert(member, words),
                None => index.people.remove(&member),
            };
        }
        index.position = index.position.max(position);
    }

    /// Forgets whoever these events erased, at once.
    pub(crate) fn forget_erased(&self, events: &[Recorded]) {
        for event in events.iter().filter(|event| record_view::erases(event)) {
            let mut all = self.0.lock().expect("nothing panics while it is held");
            if let Some(index) = all.get_mut(&event.stream.org()) {
                index.people.remove(&MemberId(event.stream.id()));
            }
        }
    }

    /// Members whose names fit every word of `asked`, best first: the same, beginning so, or spelt nearly so.
    pub(crate) fn search(&self, org: &OrgId, asked: &str, rows: usize) -> Vec<MemberId> {
        let asked = words(asked);
        if asked.is_empty() {
            return vec![];
        }
        let all = self.0.lock().expect("nothing panics while it is held");
        let people = all.get(org).into_iter().flat_map(|index| &index.people);
        let mut found: Vec<(u32, MemberId)> =
            people.filter_map(|(member, words)| score(&asked, words).map(|score| (score, *member))).collect();
        found.sort_unstable_by(|(a, x), (b, y)| b.cmp(a).then(x.cmp(y)));
        found.truncate(rows);
        found.into_iter().map(|(_, member)| member).collect()
    }
}

/// Whether a record is to be found by name.
pub(crate) fn is_searched(record: &Record) -> bool {
    record.merged_into.is_none() && !record.permissions.restricted
}

fn words_of(profile: &Profile) -> Vec<Word> {
    let names = [&profile.alias.as_ref().map(Text::as_str), &profile.given_name.as_ref().map(Text::as_str)];
    let family = profile.family_name.as_ref().map(Text::as_str);
    names.into_iter().flatten().copied().chain(family).flat_map(words).collect()
}

/// Lower case, without accents, split at whatever is no letter or digit.
fn words(text: &str) -> Vec<Word> {
    let plain: String = text.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase).collect();
    let words = plain.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.take(WORDS_MAX).map(Word::new).collect()
}

impl Word {
    fn new(text: &str) -> Self {
        let letters = text.chars().fold(0, |letters, c| letters | 1 << (u32::from(c) % 64));
        Self { text: text.to_owned(), letters, length: text.chars().count() }
    }

    /// How well it fits a word that was asked for; none if it does not.
    fn fits(&self, asked: &Self) -> Option<u32> {
        match () {
            () if self.text == asked.text => Some(4),
            () if self.text.starts_with(&asked.text) => Some(2),
            () if self.is_near(asked) => Some(1),
            () => None,
        }
    }

    /// One letter more, less, other or swapped; two in long words.
    fn is_near(&self, asked: &Self) -> bool {
        let most = match asked.length {
            0..4 => return false,
            4..8 => 1,
            _ => 2,
        };
        self.length.abs_diff(asked.length) <= most
            && (self.letters ^ asked.letters).count_ones() as usize <= 2 * most
            && strsim::osa_distance(&self.text, &asked.text) <= most
    }
}

fn score(asked: &[Word], words: &[Word]) -> Option<u32> {
    asked.iter().map(|asked| words.iter().filter_map(|word| word.fits(asked)).max()).sum()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn names(all: &[&str]) -> (Names, OrgId) {
        let (names, org) = (Names::default(), "acme".parse::<OrgId>().unwrap());
        let profile = |name: &&str| Some(Profile { alias: Some(name.parse().unwrap()), ..Profile::default() });
        let changed = all.iter().enumerate().map(|(n, name)| (MemberId(Uuid::from_u128(n as u128)), profile(name)));
        names.update(&org, 1, changed.collect());
        (names, org)
    }

    fn found(all: &[&str], asked: &str) -> Vec<u128> {
        let (names, org) = names(all);
        names.search(&org, asked, 10).into_iter().map(|member| member.0.as_u128()).collect()
    }

    #[test]
    fn a_name_is_found_without_its_accents_by_its_beginning_and_misspelt() {
        let all = ["Zoë Müller", "Zoe Miller", "Ann", "Anna Maria", "Ольга"];
        assert_eq!(found(&all, "zoe muller"), [0, 1]);
        assert_eq!(found(&all, "an"), [2, 3]);
        assert_eq!(found(&all, "ann"), [2, 3], "the same before what only begins so");
        assert_eq!(found(&all, "maira"), [3]);
        assert_eq!(found(&all, "ольга"), [4]);
        assert!(found(&all, "bob").is_empty() && found(&all, " - ").is_empty());
    }

    #[test]
    fn nobody_is_found_in_another_organisation() {
        let (names, _) = names(&["Ann"]);
        assert!(names.search(&"other".parse().unwrap(), "ann", 10).is_empty());
    }
}
