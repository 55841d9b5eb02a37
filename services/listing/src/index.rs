//! What is listed, in memory: as much of each group as is needed to choose.
//!
//! It is looked through from one end to the other: of 100,000 groups that is a few megabytes, which takes about as long as
//! walking a tree, whatever is asked for, and is right at the date line and at the poles.

use std::{
    cmp::Ordering,
    collections::HashMap,
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use domain::{
    GroupId, OrgId, Schedule,
    group::{Accessibility, Cost, Details, Focus, MeetingMode},
};
use lru::LruCache;

use crate::{
    rule::{Weekdays, weekdays},
    sphere::{Apart, Place},
};

/// Organisations whose lists are kept in memory, a count; of others they are read again.
const ORGS_MAX: NonZeroUsize = NonZeroUsize::new(256).expect("not zero");

/// As much of a group as is needed to choose it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub id: GroupId,
    pub name: Box<str>,
    /// Where somebody can go; none if it meets online only, or nobody said where on the map it is.
    pub place: Option<Place>,
    pub mode: MeetingMode,
    pub focus: Focus,
    pub language: Option<Box<str>>,
    pub cost: Option<Cost>,
    pub accessibility: Box<[Accessibility]>,
    pub weekdays: Weekdays,
}

impl Entry {
    /// Of a group that is listed.
    pub fn of(id: GroupId, details: &Details, schedule: Option<&Schedule>) -> Self {
        let there = details.venue.as_ref().filter(|_| details.mode != MeetingMode::Virtual);
        Self {
            id,
            name: details.name.as_str().into(),
            place: there.and_then(|venue| venue.coordinates).map(Place::from),
            mode: details.mode,
            focus: details.focus,
            language: details.language.as_ref().map(|tag| tag.as_str().to_ascii_lowercase().into()),
            cost: details.cost,
            accessibility: details.accessibility.as_slice().into(),
            weekdays: weekdays(schedule),
        }
    }
}

/// What is asked for of a group; of what is not said, anything will do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub modes: Vec<MeetingMode>,
    pub focuses: Vec<Focus>,
    /// Range of languages (RFC 4647, 3.3.1), in lower case: `es` is `es-mx`, too.
    pub language: Option<String>,
    pub costs: Vec<Cost>,
    /// All of these.
    pub accessibility: Vec<Accessibility>,
    /// On any of these days.
    pub weekdays: Option<Weekdays>,
}

impl Wanted {
    /// Whether a group is like that.
    pub fn fits(&self, entry: &Entry) -> bool {
        fn one_of<T: PartialEq>(wanted: &[T], it: Option<&T>) -> bool {
            wanted.is_empty() || it.is_some_and(|it| wanted.contains(it))
        }
        one_of(&self.modes, Some(&entry.mode))
            && one_of(&self.focuses, Some(&entry.focus))
            && one_of(&self.costs, entry.cost.as_ref())
            && self.language.as_ref().is_none_or(|range| entry.language.as_ref().is_some_and(|tag| within(tag, range)))
            && self.accessibility.iter().all(|needed| entry.accessibility.contains(needed))
            && self.weekdays.is_none_or(|days| days.meet(entry.weekdays))
    }
}

/// Whether a language is within a range, both in lower case.
fn within(tag: &str, range: &str) -> bool {
    tag.strip_prefix(range).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

/// What an organisation lists, up to a place in the log.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// Where what changed last changed.
    reached: i64,
    entries: Vec<Entry>,
    at: HashMap<GroupId, usize>,
}

impl Index {
    /// Takes a group in as it is now, or out.
    pub fn set(&mut self, id: GroupId, changed: i64, entry: Option<Entry>) {
        self.reached = self.reached.max(changed);
        match (entry, self.at.get(&id).copied()) {
            (Some(entry), Some(at)) => self.entries[at] = entry,
            (Some(entry), None) => {
                self.at.insert(id, self.entries.len());
                self.entries.push(entry);
            }
            (None, Some(at)) => {
                self.at.remove(&id);
                self.entries.swap_remove(at);
                if let Some(moved) = self.entries.get(at) {
                    self.at.insert(moved.id, at);
                }
            }
            (None, None) => {}
        }
    }

    /// Up to where it knows what changed.
    pub fn reached(&self) -> i64 {
        self.reached
    }

    /// The `most` nearest to a place that are no further than `within`, nearest first; after those that stand before
    /// `after`.
    pub fn near(
        &self,
        (place, within): (Place, Apart),
        wanted: &Wanted,
        after: Option<(Apart, GroupId)>,
        most: usize,
    ) -> Vec<(Apart, GroupId)> {
        let near = self.entries.iter().filter_map(|entry| {
            let key = (entry.place.as_ref()?.apart(&place), entry.id);
            (key.0 <= within && after.is_none_or(|after| key > after) && wanted.fits(entry)).then_some(key)
        });
        first(near.collect(), most)
    }

    /// The first `most` by name, after the one with this name and id.
    pub fn by_name(&self, wanted: &Wanted, after: Option<&(String, GroupId)>, most: usize) -> Vec<(String, GroupId)> {
        let after = after.map(|(name, id)| (name.as_str(), *id));
        let fitting = self.entries.iter().filter_map(|entry| {
            let key = (&*entry.name, entry.id);
            (after.is_none_or(|after| key > after) && wanted.fits(entry)).then_some(key)
        });
        first(fitting.collect(), most).into_iter().map(|(name, id)| (name.to_owned(), id)).collect()
    }
}

/// The `most` that come first, in order. None of them is like no other: they have ids.
fn first<K: PartialOrd>(mut all: Vec<K>, most: usize) -> Vec<K> {
    let order = |a: &K, b: &K| a.partial_cmp(b).unwrap_or(Ordering::Equal);
    if all.len() > most {
        all.select_nth_unstable_by(most, order);
        all.truncate(most);
    }
    all.sort_unstable_by(order);
    all
}

/// The lists of organisations that were asked for lately. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Indexes(Arc<Mutex<LruCache<OrgId, Arc<RwLock<Index>>>>>);

impl Default for Indexes {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(LruCache::new(ORGS_MAX))))
    }
}

impl Indexes {
    /// The list of an organisation, as far as it is known. Whoever brings it up to date holds it while they read what is
    /// new: two who had read it before could put back what is old.
    pub fn of(&self, org: &OrgId) -> Arc<RwLock<Index>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get_or_insert(org.clone(), Arc::default).clone()
    }
}

#[cfg(test)]
mod tests;
