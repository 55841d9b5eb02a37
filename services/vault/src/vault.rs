//! The vault as it is used: its thread has the file, keys in use are kept in memory.

use std::{
    collections::HashSet,
    fmt,
    num::NonZeroUsize,
    path::Path,
    sync::{Arc, Mutex, OnceLock, RwLock},
    time::Duration,
};

use domain::{MemberId, OrgId, member::Fields};
use lru::LruCache;
use tokio::sync::{mpsc, oneshot, watch};
use uuid::Uuid;

use crate::{
    Blind, Country, Inspected, Kek, Key, Known, StoreError,
    inspect::inspect,
    store::Store,
    thread::{Fresh, Job, Keeper, Look, Reader, Reply, VaultError},
};

/// Keys kept in memory, a count.
const KEYS_KEPT: NonZeroUsize = NonZeroUsize::new(65_536).expect("not zero");
/// How soon is known what another process destroyed.
pub const HEEDED_WITHIN: Duration = Duration::from_secs(1);
/// Under which the organisation's own key is kept, as if it were a person. No member has this id here: whoever asks for
/// one is told what is said of those who were erased.
const ORG: Uuid = Uuid::nil();

/// The keys of all people of all organisations. Clones share everything.
#[derive(Clone)]
pub struct Vault(Arc<Inner>);

struct Inner {
    jobs: mpsc::Sender<Job>,
    /// Where things are looked up, if not by who writes.
    looks: OnceLock<mpsc::Sender<Look>>,
    down: watch::Receiver<Option<String>>,
    /// Closes when the thread that heeds other processes ends, if there is one.
    heeding: OnceLock<watch::Receiver<()>>,
    keys: Mutex<LruCache<(OrgId, Uuid), Key>>,
    /// Those who were erased, from the moment on when it was asked for.
    erased: RwLock<HashSet<(String, Uuid)>>,
    /// In which telephone numbers are meant that do not name theirs.
    country: OnceLock<Country>,
    /// Those of them whose keys may still be in the file.
    due: Mutex<HashSet<(String, Uuid)>>,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault")
    }
}

impl Vault {
    /// Opens the vault in the file at `path`, made if it is not there.
    ///
    /// # Errors
    /// If it cannot be opened, or its keys are wrapped by another key.
    pub fn open(path: &Path, kek: Kek, fresh: Fresh) -> Result<Self, StoreError> {
        let (vault, keeper) = Self::open_apart(path, kek, fresh)?;
        std::thread::Builder::new().name("vault".into()).spawn(|| keeper.run()).expect("a thread can be started");
        let (reader, looks) = Reader::new(Store::read(path)?);
        let _ = vault.0.looks.set(looks); // nobody else has it yet
        std::thread::Builder::new().name("vault-reads".into()).spawn(|| reader.run()).expect("a thread can be started");
        Ok(vault)
    }

    /// The vault, and what has its file, for whoever decides when that works, and looks things up as well.
    ///
    /// # Errors
    /// As [`Vault::open`].
    pub fn open_apart(path: &Path, kek: Kek, fresh: Fresh) -> Result<(Self, Keeper), StoreError> {
        let store = Store::open(path, &kek)?;
        let erased = store.destroyed().map_err(|source| StoreError::Sqlite { path: path.into(), source })?;
        let (keeper, jobs, down) = Keeper::new(store, kek, fresh);
        let keys = Mutex::new(LruCache::new(KEYS_KEPT));
        let erased = RwLock::new(erased.into_iter().collect());
        let (looks, heeding, country, due) = <_>::default();
        Ok((Self(Arc::new(Inner { jobs, looks, down, heeding, keys, erased, country, due })), keeper))
    }

    /// Why nothing could be written the last time, as it changes; none if it could. It closes if the vault's thread has
    /// ended: then nothing ever will be.
    pub fn down(&self) -> watch::Receiver<Option<String>> {
        self.0.down.clone()
    }

    /// Waits until nobody heeds any more what other processes destroy. Without end if nobody was to.
    pub fn unheeding(&self) -> impl Future<Output = ()> + Send + use<> {
        let heeding = self.0.heeding.get().cloned();
        async move {
            match heeding {
                Some(mut heeding) => while heeding.changed().await.is_ok() {},
                None => std::future::pending().await,
            }
        }
    }

    /// Heeds what other processes destroy in the same file, on this machine, within [`HEEDED_WITHIN`].
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn heed_others(&self, path: &Path) -> Result<(), StoreError> {
        let (store, inner, path) = (Store::read(path)?, Arc::downgrade(&self.0), path.to_owned());
        let (heeds, heeding) = watch::channel(());
        let _ = self.0.heeding.set(heeding); // once is enough
        let heed = move || {
            let _heeds = heeds; // also if it panics
            let mut seen = None;
            while let Some(inner) = inner.upgrade() {
                if let Err(error) = inner.heed(&store, &mut seen) {
                    tracing::warn!(%error, path = %path.display(), "the vault cannot be read again");
                }
                drop(inner);
                std::thread::sleep(HEEDED_WITHIN / 2); // SQLite announces nothing to other processes
            }
        };
        std::thread::Builder::new().name("vault-others".into()).spawn(heed).expect("a thread can be started");
        Ok(())
    }

    /// The member's key; none if they never got one.
    ///
    /// # Errors
    /// [`VaultError::Erased`] if it was destroyed.
    pub async fn key(&self, org: &OrgId, member: MemberId) -> Result<Option<Key>, VaultError> {
        self.check(org, member)?;
        self.find(org, member.0, false, None).await
    }

    /// The keys of those of the members who have one.
    ///
    /// # Errors
    /// If the vault does not answer.
    pub async fn keys(&self, org: &OrgId, members: &[MemberId]) -> Result<Vec<(MemberId, Key)>, VaultError> {
        let (mut found, mut unknown) = (Vec::with_capacity(members.len()), Vec::new());
        {
            let mut keys = self.0.keys.lock().expect("nothing panics while it is held");
            for member in members.iter().filter(|member| !self.is_erased(org, **member)) {
                match keys.get(&(org.clone(), member.0)) {
                    Some(key) => found.push((*member, key.clone())),
                    None => unknown.push(member.0),
                }
            }
        }
        if !unknown.is_empty() {
            let read = self.ask(|reply| Job::Keys { org: org.clone(), people: unknown, reply }).await?;
            for (person, key) in read {
                self.keep(org, person, &key);
                found.push((MemberId(person), key));
            }
        }
        Ok(found)
    }

    /// The member's key, made if they have none; on disk before it is answered.
    ///
    /// # Errors
    /// [`VaultError::Erased`] if it was destroyed: nobody gets a second one.
    pub async fn key_or_new(&self, org: &OrgId, member: MemberId) -> Result<Key, VaultError> {
        self.check(org, member)?;
        self.made(org, member.0, None).await
    }

    /// As [`Vault::key_or_new`], for somebody of whom these fields are sealed already: of whom any is, a key is not made.
    ///
    /// # Errors
    /// [`VaultError::Missing`] if there is none, and else as there.
    pub async fn key_beside(&self, org: &OrgId, member: MemberId, sealed: &Fields) -> Result<Key, VaultError> {
        if sealed.is_empty() {
            return self.key_or_new(org, member).await;
        }
        self.key(org, member).await?.ok_or(VaultError::Missing(member))
    }

    /// As [`Vault::key_or_new`], and from now on the member is found by `blinds`, unless the log has said more of them
    /// already: for somebody whom the log does not know yet. If it never does, [`Vault::index`] takes it back.
    ///
    /// # Errors
    /// As there.
    pub async fn index_new(&self, org: &OrgId, member: MemberId, blinds: Vec<Blind>) -> Result<Key, VaultError> {
        self.check(org, member)?;
        self.made(org, member.0, Some(blinds)).await
    }

    /// From now on the member is found by `blinds`, which follow from the log up to `position`, and by nothing else;
    /// unless they are found by what follows from more of it. Makes no key.
    ///
    /// # Errors
    /// [`VaultError::Erased`] if the member's key was destroyed: they are found by nothing.
    pub async fn index(
        &self,
        org: &OrgId,
        member: MemberId,
        position: u64,
        blinds: Vec<Blind>,
    ) -> Result<(), VaultError> {
        self.check(org, member)?;
        self.ask(|reply| Job::Index { org: org.clone(), person: member.0, position, blinds, reply }).await
    }

    /// Up to where in the log the index of each of these members follows from; 0 if it was made before the log knew of
    /// them. Those without any are left out.
    ///
    /// # Errors
    /// If the vault does not answer.
    pub async fn indexed(&self, org: &OrgId, members: &[MemberId]) -> Result<Vec<(MemberId, u64)>, VaultError> {
        let people = members.iter().map(|member| member.0).collect();
        let found = self.ask(|reply| Job::Indexed { org: org.clone(), people, reply }).await?;
        Ok(found.into_iter().map(|(person, position)| (MemberId(person), position)).collect())
    }

    /// Everyone who is found by something, of all organisations.
    ///
    /// # Errors
    /// If the vault does not answer.
    pub async fn found(&self) -> Result<Vec<(OrgId, MemberId)>, VaultError> {
        self.listed(false).await
    }

    /// Everyone who was indexed before the log said anything of them, and has not been since, of all organisations: they
    /// are being registered, or that failed.
    ///
    /// # Errors
    /// If the vault does not answer.
    pub async fn ahead(&self) -> Result<Vec<(OrgId, MemberId)>, VaultError> {
        self.listed(true).await
    }

    async fn listed(&self, ahead: bool) -> Result<Vec<(OrgId, MemberId)>, VaultError> {
        let found = self.ask(|reply| Job::Found { ahead, reply }).await?;
        Ok(found.into_iter().filter_map(|(org, person)| Some((org.parse().ok()?, MemberId(person)))).collect())
    }

    /// From now on values are compared as this build of Kith does it, and telephone numbers are meant in this country. An
    /// index that was made otherwise is emptied, and is to be made again; answers whether it was.
    ///
    /// # Errors
    /// If the vault does not answer.
    pub async fn compare_in(&self, country: Option<Country>) -> Result<bool, VaultError> {
        if let Some(country) = country {
            self.0.country.get_or_init(|| country);
        }
        self.ask(|reply| Job::CompareBy { form: Blind::form(country), reply }).await
    }

    /// In which telephone numbers are meant that do not name theirs.
    pub fn country(&self) -> Option<Country> {
        self.0.country.get().copied()
    }

    /// The id of the member whom a command makes: the same whenever the command is sent again. Without the
    /// organisation's key nobody can tell the one from the other, whatever the caller made the command's key of.
    ///
    /// # Errors
    /// If the vault does not answer.
    pub async fn new_member(&self, org: &OrgId, command: Uuid) -> Result<MemberId, VaultError> {
        Ok(MemberId(self.org_key(org).await?.id(&format!("member\0{command}"))))
    }

    /// The organisation's own key, made if it has none: for what is about nobody in particular, and for the blind index.
    ///
    /// # Errors
    /// If the vault does not answer.
    pub async fn org_key(&self, org: &OrgId) -> Result<Key, VaultError> {
        self.made(org, ORG, None).await
    }

    /// Members who share one of these, in no order of meaning.
    ///
    /// # Errors
    /// If the vault does not answer.
    pub async fn sharing(&self, org: &OrgId, blinds: Vec<Blind>) -> Result<Vec<MemberId>, VaultError> {
        let found = self.look(|reply| Look::Sharing { org: org.clone(), blinds, reply }).await?;
        Ok(found.into_iter().map(MemberId).collect())
    }

    /// Members who share with this one what hardly two people share, in no order of meaning.
    ///
    /// # Errors
    /// If the vault does not answer.
    pub async fn sharing_with(&self, org: &OrgId, member: MemberId) -> Result<Vec<MemberId>, VaultError> {
        let found = self.look(|reply| Look::SharingWith { org: org.clone(), person: member.0, reply }).await?;
        Ok(found.into_iter().map(MemberId).collect())
    }

    /// Destroys the member's key and what they were indexed by. Once this is answered, both are gone from every file.
    ///
    /// # Errors
    /// If the vault does not answer; then it is to be asked again.
    pub async fn erase(&self, org: &OrgId, member: MemberId) -> Result<(), VaultError> {
        if member.0 == ORG {
            return Err(VaultError::Erased);
        }
        let person = (org.to_string(), member.0);
        self.0.erased.write().expect("nothing panics while it is held").insert(person.clone());
        self.0.due.lock().expect("nothing panics while it is held").insert(person.clone());
        self.0.keys.lock().expect("nothing panics while it is held").pop(&(org.clone(), member.0));
        self.ask(|reply| Job::Destroy { org: org.clone(), person: member.0, reply }).await?;
        self.0.due.lock().expect("nothing panics while it is held").remove(&person);
        Ok(())
    }

    /// Whether the member's key is destroyed, in the file too. Whoever is being erased is erased for all others before,
    /// and stays so if the file could not be written.
    pub fn is_destroyed(&self, org: &OrgId, member: MemberId) -> bool {
        let due = self.0.due.lock().expect("nothing panics while it is held");
        !due.contains(&(org.to_string(), member.0)) && self.is_erased(org, member)
    }

    fn check(&self, org: &OrgId, member: MemberId) -> Result<(), VaultError> {
        if self.is_erased(org, member) { Err(VaultError::Erased) } else { Ok(()) }
    }

    /// Whether the member was erased, without asking the file.
    pub fn is_erased(&self, org: &OrgId, member: MemberId) -> bool {
        if member.0 == ORG {
            return true;
        }
        let erased = self.0.erased.read().expect("nothing panics while it is held");
        !erased.is_empty() && erased.contains(&(org.to_string(), member.0))
    }

    /// Tries whether it can be written; [`Vault::down`] says so then.
    pub async fn probe(&self) {
        let _ = self.ask(|reply| Job::Probe { reply }).await; // what came of it is said there
    }

    /// A copy of the file as it is now. The keys in it are wrapped.
    ///
    /// # Errors
    /// If the vault does not answer.
    pub async fn copy(&self) -> Result<Vec<u8>, VaultError> {
        self.ask(|reply| Job::Copy { reply }).await
    }

    /// Wraps every key in the file at `path` anew, for a new key-encryption key; answers how many. No server may use it
    /// meanwhile.
    ///
    /// # Errors
    /// If the file cannot be used or a key is not one that `old` wrapped; then nothing is changed.
    pub fn rewrap(path: &Path, old: &Kek, new: &Kek, fresh: Fresh) -> Result<u64, StoreError> {
        let sqlite = |source| StoreError::Sqlite { path: path.into(), source };
        let nonce = || fresh()[..24].try_into().expect("24 of 56 bytes");
        let rewrapped = Store::open(path, old)?.rewrap(old, new, &nonce).map_err(sqlite)?;
        rewrapped.map_err(|_| StoreError::OtherKek { path: path.into() })
    }

    /// The bytes of the file at `path`, which another process may be using, if `kek` wraps its keys. They are checked.
    ///
    /// # Errors
    /// If the file cannot be read, another key wraps its keys, or one of them does not unwrap.
    pub fn copy_of(path: &Path, kek: &Kek) -> Result<Vec<u8>, StoreError> {
        let sqlite = |source| StoreError::Sqlite { path: path.into(), source };
        let mut store = Store::read(path)?;
        if !store.fits(kek).map_err(sqlite)? {
            return Err(StoreError::OtherKek { path: path.into() });
        }
        if !store.check(kek).map_err(sqlite)? {
            return Err(StoreError::Broken { path: path.into() });
        }
        store.copy().map_err(sqlite)
    }

    /// Who has a key, or is found by the blind index, in the file at `path`, which another process may be using.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn holders(path: &Path) -> Result<HashSet<(OrgId, MemberId)>, StoreError> {
        Self::people(path, Store::holders)
    }

    /// Whether an organisation has a key of its own in the file at `path`, which another process may be using.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn has_org_keys(path: &Path) -> Result<bool, StoreError> {
        let found = Store::read(path)?.holders();
        let found = found.map_err(|source| StoreError::Sqlite { path: path.into(), source })?;
        Ok(found.iter().any(|(_, person)| *person == ORG))
    }

    /// Compares keys and blind index in the file at `path`, which another process may be using, with what the log says of
    /// members; the index only if `kek` is there to open what it must follow from.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn inspect(path: &Path, kek: Option<&Kek>, known: &[Known]) -> Result<Inspected, StoreError> {
        inspect(path, kek, known)
    }

    /// Whose key was destroyed, in the file at `path`, which another process may be using.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn destroyed(path: &Path) -> Result<HashSet<(OrgId, MemberId)>, StoreError> {
        Self::people(path, Store::destroyed)
    }

    fn people(
        path: &Path,
        read: impl FnOnce(&Store) -> rusqlite::Result<Vec<(String, Uuid)>>,
    ) -> Result<HashSet<(OrgId, MemberId)>, StoreError> {
        let found = read(&Store::read(path)?).map_err(|source| StoreError::Sqlite { path: path.into(), source })?;
        let found = found.into_iter().filter(|(_, person)| *person != ORG);
        Ok(found.filter_map(|(org, person)| Some((org.parse().ok()?, MemberId(person)))).collect())
    }

    async fn made(&self, org: &OrgId, person: Uuid, blinds: Option<Vec<Blind>>) -> Result<Key, VaultError> {
        let key = self.find(org, person, true, blinds).await?;
        key.ok_or_else(|| VaultError::Unavailable("no key was made".into()))
    }

    async fn find(
        &self,
        org: &OrgId,
        person: Uuid,
        make: bool,
        blinds: Option<Vec<Blind>>,
    ) -> Result<Option<Key>, VaultError> {
        if blinds.is_none() {
            let mut keys = self.0.keys.lock().expect("nothing panics while it is held");
            let known = keys.get(&(org.clone(), person)).cloned();
            if known.is_some() {
                return Ok(known);
            }
        }
        let key = self.ask(|reply| Job::Key { org: org.clone(), person, make, blinds, reply }).await?;
        if let Some(key) = &key {
            self.keep(org, person, key);
        }
        Ok(key)
    }

    fn keep(&self, org: &OrgId, person: Uuid, key: &Key) {
        let mut keys = self.0.keys.lock().expect("nothing panics while it is held");
        // Erased meanwhile: it must not come back into memory.
        if person == ORG || !self.is_erased(org, MemberId(person)) {
            keys.put((org.clone(), person), key.clone());
        }
    }

    async fn look<T>(&self, look: impl FnOnce(Reply<T>) -> Look) -> Result<T, VaultError> {
        let Some(looks) = self.0.looks.get() else { return self.ask(|reply| Job::Look(look(reply))).await };
        let (reply, answer) = oneshot::channel();
        let asked = looks.send(look(reply)).await;
        asked.map_err(|_| VaultError::Unavailable("its thread has ended".into()))?;
        answer.await.map_err(|_| VaultError::Unavailable("its file cannot be read".into()))?
    }

    async fn ask<T>(&self, job: impl FnOnce(Reply<T>) -> Job) -> Result<T, VaultError> {
        let (reply, answer) = oneshot::channel();
        let asked = self.0.jobs.send(job(reply)).await;
        asked.map_err(|_| VaultError::Unavailable("its thread has ended".into()))?;
        answer.await.map_err(|_| VaultError::Unavailable("its file cannot be written".into()))?
    }
}

impl Inner {
    /// Forgets keys that others destroyed since the file looked as it did when it was `seen`.
    fn heed(&self, store: &Store, seen: &mut Option<i64>) -> rusqlite::Result<()> {
        let now = Some(store.changes()?);
        if *seen == now {
            return Ok(());
        }
        let destroyed = store.destroyed()?;
        // In this order, as everywhere.
        let mut keys = self.keys.lock().expect("nothing panics while it is held");
        let mut erased = self.erased.write().expect("nothing panics while it is held");
        for (org, person) in destroyed {
            if let Ok(known) = org.parse() {
                keys.pop(&(known, person));
            }
            erased.insert((org, person));
        }
        *seen = now;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
