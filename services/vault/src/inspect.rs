//! What is wrong with keys and blind index in a file, seen without changing it.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    path::Path,
};

use domain::{MemberId, OrgId, member::Fields};
use uuid::Uuid;

use crate::{
    Blind, Country, Kek, Key, StoreError,
    store::{Kept, Read, Store},
};

/// A member whom the log knows.
#[derive(Debug, Clone)]
pub struct Known {
    /// Of which organisation.
    pub org: OrgId,
    /// Who.
    pub member: MemberId,
    /// What is known of them.
    pub fields: Fields,
    /// Whether anything was sealed with their key.
    pub sealed: bool,
    /// Where the log last says something of them.
    pub position: u64,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inspected {
    /// Of whom something is sealed, and whose key is not there.
    pub without_key: BTreeSet<(OrgId, MemberId)>,
    /// Whose fields do not open with their key.
    pub unreadable: BTreeSet<(OrgId, MemberId)>,
    /// Who is found by something else than what the log says of them. Not looked at without the key-encryption key.
    pub misindexed: BTreeSet<(OrgId, MemberId)>,
    /// Keys of those whom the log does not know: what was asked for, and then never done.
    pub of_nobody: BTreeSet<(OrgId, MemberId)>,
}

/// Compares the file at `path`, which another process may be using, with what the log says.
pub fn inspect(path: &Path, kek: Option<&Kek>, known: &[Known]) -> Result<Inspected, StoreError> {
    let sqlite = |source| StoreError::Sqlite { path: path.into(), source };
    let store = Store::read(path)?;
    let holders: HashSet<_> = store.with_keys().map_err(sqlite)?.into_iter().collect();
    let mut found = Inspected::default();
    // An index of another form is made anew by the next start.
    let country = store.form().and_then(|form| Blind::country(&form).ok());
    let mut org_keys = HashMap::new();
    for known in known {
        let who = (known.org.clone(), known.member);
        if !holders.contains(&(known.org.to_string(), known.member.0)) {
            if known.sealed {
                found.without_key.insert(who);
            }
            continue;
        }
        if let (Some(kek), Some(country)) = (kek, country) {
            if !org_keys.contains_key(&known.org) {
                org_keys.insert(known.org.clone(), key(&store, kek, &known.org, Uuid::nil()).map_err(sqlite)?);
            }
            let org_key = &org_keys[&known.org];
            let kept = key(&store, kek, &known.org, known.member.0).map_err(sqlite)?;
            match compare(&store, (kept.as_ref(), org_key.as_ref()), country, known).map_err(sqlite)? {
                Compared::Same => {}
                Compared::Other => _ = found.misindexed.insert(who),
                Compared::Unreadable => _ = found.unreadable.insert(who),
            }
        }
    }
    let all: HashSet<_> = known.iter().map(|known| (known.org.to_string(), known.member.0)).collect();
    for (org, person) in holders.into_iter().filter(|holder| holder.1 != Uuid::nil() && !all.contains(holder)) {
        found.of_nobody.extend(org.parse().ok().map(|org| (org, MemberId(person))));
    }
    Ok(found)
}

enum Compared {
    Same,
    Other,
    Unreadable,
}

fn compare(
    store: &Store,
    keys: (Option<&Key>, Option<&Key>),
    country: Option<Country>,
    known: &Known,
) -> Read<Compared> {
    let Known { org, member, fields, position, .. } = known;
    let indexed = store.indexed(org, member.0)?;
    if indexed.is_some_and(|indexed| indexed.unsigned_abs() > *position) {
        return Ok(Compared::Same); // the log went on since it was read
    }
    let implied = match keys {
        _ if fields.is_empty() => Ok(vec![]),
        (Some(key), Some(org_key)) => Blind::implied((key, org_key, country), org, *member, fields).map_err(|_| ()),
        _ => Err(()),
    };
    let Ok(implied) = implied else { return Ok(Compared::Unreadable) };
    let (implied, is): (BTreeSet<_>, BTreeSet<_>) =
        (implied.into_iter().collect(), store.blinds(org, member.0)?.into_iter().collect());
    Ok(if implied == is { Compared::Same } else { Compared::Other })
}

/// The key, if it is there and can be unwrapped.
fn key(store: &Store, kek: &Kek, org: &OrgId, person: Uuid) -> Read<Option<Key>> {
    Ok(match store.find(kek, org, person)? {
        Ok(Kept::Key(key)) => Some(key),
        _ => None,
    })
}
