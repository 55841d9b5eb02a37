//! The thread that has the vault's file, and what can be asked of it.

use std::fmt;

use domain::{MemberId, OrgId};
use tokio::sync::{mpsc, oneshot, watch};
use uuid::Uuid;

use crate::{
    Blind, Kek, Key,
    store::{Kept, Store, associated},
};

/// Most jobs in one transaction, a count.
const BATCH_JOBS_MAX: usize = 512;
/// Most jobs that wait for the thread, a count.
const QUEUED_JOBS_MAX: usize = 4_096;

/// Random bytes, 56 of them: a key and the nonce to wrap it with. Chance is an argument.
pub type Fresh = fn() -> [u8; 56];

/// A vault that does not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// The person's key was destroyed: they were erased.
    #[error("the person was erased")]
    Erased,
    /// Something is sealed with the person's key, and it is not there.
    #[error("the key of member {0} is missing or damaged, though something is sealed with it; `kith verify` names all")]
    Missing(MemberId),
    /// The file cannot be read or written.
    #[error("the vault does not answer: {0}")]
    Unavailable(String),
}

pub(crate) type Reply<T> = oneshot::Sender<Result<T, VaultError>>;

/// What can be asked of it.
pub(crate) enum Job {
    /// The key, made if there is none and `make` says so; and what to index the person by.
    Key {
        org: OrgId,
        person: Uuid,
        make: bool,
        blinds: Option<Vec<Blind>>,
        reply: Reply<Option<Key>>,
    },
    Keys {
        org: OrgId,
        people: Vec<Uuid>,
        reply: Reply<Vec<(Uuid, Key)>>,
    },
    Index {
        org: OrgId,
        person: Uuid,
        position: u64,
        blinds: Vec<Blind>,
        reply: Reply<()>,
    },
    Indexed {
        org: OrgId,
        people: Vec<Uuid>,
        reply: Reply<Vec<(Uuid, u64)>>,
    },
    Found {
        /// Only those of whom the log had said nothing.
        ahead: bool,
        reply: Reply<Vec<(String, Uuid)>>,
    },
    CompareBy {
        form: String,
        reply: Reply<bool>,
    },
    Look(Look),
    Destroy {
        org: OrgId,
        person: Uuid,
        reply: Reply<()>,
    },
    Copy {
        reply: Reply<Vec<u8>>,
    },
    Probe {
        reply: Reply<()>,
    },
}

/// What is only looked up.
pub(crate) enum Look {
    Sharing { org: OrgId, blinds: Vec<Blind>, reply: Reply<Vec<Uuid>> },
    SharingWith { org: OrgId, person: Uuid, reply: Reply<Vec<Uuid>> },
}

/// What a job led to, to be said once it is on disk.
enum Answer {
    Key(Result<Option<Key>, VaultError>, Reply<Option<Key>>),
    Keys(Vec<(Uuid, Key)>, Reply<Vec<(Uuid, Key)>>),
    Index(Result<(), VaultError>, Reply<()>),
    Indexed(Vec<(Uuid, u64)>, Reply<Vec<(Uuid, u64)>>),
    Found(Vec<(String, Uuid)>, Reply<Vec<(String, Uuid)>>),
    CompareBy(bool, Reply<bool>),
    Sharing(Vec<Uuid>, Reply<Vec<Uuid>>),
    Done(Reply<()>),
    Copy(Reply<Vec<u8>>),
}

/// Has the file and does what is asked of it.
pub struct Keeper {
    store: Store,
    kek: Kek,
    fresh: Fresh,
    queue: mpsc::Receiver<Job>,
    down: watch::Sender<Option<String>>,
    /// Whether what was destroyed may still be in the file.
    scrub: bool,
}

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeper").field("waiting", &self.waiting()).finish_non_exhaustive()
    }
}

impl Keeper {
    /// It, where jobs are sent to it, and why nothing could be written the last time.
    pub(crate) fn new(
        store: Store,
        kek: Kek,
        fresh: Fresh,
    ) -> (Self, mpsc::Sender<Job>, watch::Receiver<Option<String>>) {
        let (jobs, queue) = mpsc::channel(QUEUED_JOBS_MAX);
        let (down, watched) = watch::channel(None);
        let scrub = store.unclean;
        (Self { store, kek, fresh, queue, down, scrub }, jobs, watched)
    }

    /// Does jobs, many in one transaction, until nobody can send any more.
    pub(crate) fn run(mut self) {
        let mut batch = Vec::new();
        while self.queue.blocking_recv_many(&mut batch, BATCH_JOBS_MAX) > 0 {
            self.serve(&mut batch);
        }
        self.store.close();
    }

    /// How many jobs wait, a count.
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// Does at most `jobs_max` of the jobs that wait, in one transaction; answers how many they were.
    pub fn turn(&mut self, jobs_max: usize) -> usize {
        let next = || self.queue.try_recv().ok();
        let mut batch: Vec<_> = std::iter::from_fn(next).take(jobs_max.min(BATCH_JOBS_MAX)).collect();
        let jobs = batch.len();
        if jobs > 0 {
            self.serve(&mut batch);
        }
        jobs
    }

    fn serve(&mut self, batch: &mut Vec<Job>) {
        let Self { store, kek, fresh, down, scrub, .. } = self;
        // One that failed is due until it is done, whoever asks for what.
        *scrub |= batch.iter().any(|job| matches!(job, Job::Destroy { .. }));
        let done = transact(store, (kek, *fresh), batch, scrub);
        let why = done.as_ref().err().cloned();
        match done {
            Ok(answers) => answers.into_iter().for_each(|answer| answer.send(store)),
            Err(error) => {
                // Who waits learns it from the reply that is dropped.
                store.rollback();
                batch.clear();
                tracing::error!(error, "the vault cannot be written");
            }
        }
        down.send_if_modified(|before| std::mem::replace(before, why) != *before);
    }
}

fn transact(
    store: &mut Store,
    (kek, fresh): (&Kek, Fresh),
    batch: &mut Vec<Job>,
    scrub: &mut bool,
) -> Result<Vec<Answer>, String> {
    let mut written = || {
        store.begin()?;
        let answers: Vec<_> = batch.drain(..).map(|job| job.run(store, kek, fresh)).collect::<rusqlite::Result<_>>()?;
        store.commit()?;
        if *scrub {
            store.scrub()?;
            *scrub = false;
        }
        Ok(answers)
    };
    let answers = written().map_err(|error: rusqlite::Error| error.to_string())?;
    if store.is_there() {
        return Ok(answers);
    }
    let process = std::process::id();
    Err(format!(
        "vault.db was deleted or replaced while it was in use: put it back, or restore a backup; it is in \
         /proc/{process}/fd until this process ends"
    ))
}

impl Job {
    fn run(self, store: &Store, kek: &Kek, fresh: Fresh) -> rusqlite::Result<Answer> {
        Ok(match self {
            Self::Key { org, person, make, blinds, reply } => {
                let key = key(store, kek, fresh, (&org, person, make))?;
                if let (Ok(Some(_)), Some(blinds)) = (&key, blinds) {
                    store.index(&org, person, 0, &blinds)?;
                }
                Answer::Key(key, reply)
            }
            Self::Keys { org, people, reply } => {
                let mut found = Vec::with_capacity(people.len());
                for person in people {
                    if let Ok(Kept::Key(key)) = store.find(kek, &org, person)? {
                        found.push((person, key));
                    }
                }
                Answer::Keys(found, reply)
            }
            Self::Index { org, person, position, blinds, reply } => {
                // Another process may have destroyed it meanwhile.
                let indexed = match store.find(kek, &org, person)? {
                    Ok(Kept::Destroyed) => Err(VaultError::Erased),
                    _ => Ok(store.index(&org, person, i64::try_from(position).unwrap_or(i64::MAX), &blinds)?),
                };
                Answer::Index(indexed, reply)
            }
            Self::Indexed { org, people, reply } => {
                let mut found = Vec::with_capacity(people.len());
                for person in people {
                    let position = store.indexed(&org, person)?;
                    found.extend(position.map(|position| (person, position.unsigned_abs())));
                }
                Answer::Indexed(found, reply)
            }
            Self::Found { ahead, reply } => Answer::Found(if ahead { store.ahead()? } else { store.found()? }, reply),
            Self::CompareBy { form, reply } => Answer::CompareBy(store.compare_by(&form)?, reply),
            Self::Look(look) => look.run(store)?,
            Self::Destroy { org, person, reply } => {
                store.destroy(&org, person)?;
                Answer::Done(reply)
            }
            Self::Copy { reply } => Answer::Copy(reply),
            Self::Probe { reply } => {
                store.probe()?;
                Answer::Done(reply)
            }
        })
    }
}

impl Look {
    fn run(self, store: &Store) -> rusqlite::Result<Answer> {
        Ok(match self {
            Self::Sharing { org, blinds, reply } => Answer::Sharing(store.sharing(&org, &blinds)?, reply),
            Self::SharingWith { org, person, reply } => Answer::Sharing(store.sharing_with(&org, person)?, reply),
        })
    }
}

/// Looks things up with a connection of its own: whoever asks does not wait until what others write is on disk. It sees what
/// was on disk when it is asked.
pub(crate) struct Reader {
    store: Store,
    queue: mpsc::Receiver<Look>,
}

impl Reader {
    /// It, and where it is asked.
    pub(crate) fn new(store: Store) -> (Self, mpsc::Sender<Look>) {
        let (looks, queue) = mpsc::channel(QUEUED_JOBS_MAX);
        (Self { store, queue }, looks)
    }

    /// Answers until nobody can ask any more.
    pub(crate) fn run(mut self) {
        while let Some(look) = self.queue.blocking_recv() {
            match look.run(&self.store) {
                Ok(answer) => answer.send(&mut self.store),
                // Who waits learns it from the reply that is dropped.
                Err(error) => tracing::error!(%error, "the vault cannot be read"),
            }
        }
    }
}

fn key(
    store: &Store,
    kek: &Kek,
    fresh: Fresh,
    (org, person, make): (&OrgId, Uuid, bool),
) -> rusqlite::Result<Result<Option<Key>, VaultError>> {
    Ok(match store.find(kek, org, person)? {
        Ok(Kept::Key(key)) => Ok(Some(key)),
        Ok(Kept::Destroyed) => Err(VaultError::Erased),
        Ok(Kept::Never) if make => {
            let random = zeroize::Zeroizing::new(fresh());
            let (key, nonce) = random.split_first_chunk::<32>().expect("56 bytes");
            let nonce = nonce.first_chunk::<24>().expect("24 bytes are left");
            store.insert(org, person, &kek.wrap(nonce, &associated(org.as_str(), person), key))?;
            Ok(Some(Key::new(*key)))
        }
        Ok(Kept::Never) => Ok(None),
        Err(_) => Err(VaultError::Missing(MemberId(person))), // changed, or wrapped by another key
    })
}

impl Answer {
    /// Whoever asked may have gone.
    fn send(self, store: &mut Store) {
        match self {
            Self::Key(key, reply) => drop(reply.send(key)),
            Self::Keys(found, reply) => drop(reply.send(Ok(found))),
            Self::Index(indexed, reply) => drop(reply.send(indexed)),
            Self::Indexed(found, reply) => drop(reply.send(Ok(found))),
            Self::Found(found, reply) => drop(reply.send(Ok(found))),
            Self::CompareBy(emptied, reply) => drop(reply.send(Ok(emptied))),
            Self::Sharing(found, reply) => drop(reply.send(Ok(found))),
            Self::Done(reply) => drop(reply.send(Ok(()))),
            Self::Copy(reply) => {
                drop(reply.send(store.copy().map_err(|error| VaultError::Unavailable(error.to_string()))));
            }
        }
    }
}
