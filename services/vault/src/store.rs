//! The file with wrapped keys: what is deleted from it is overwritten.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use domain::OrgId;
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use uuid::Uuid;

use crate::{Blind, Kek, KekError, Key};

/// Format of the file, kept in SQLite's `user_version`. Before 2, nobody knew from where in the log an index followed.
const FORMAT: i64 = 2;
/// How often it is tried to empty the journal, a count.
const SCRUB_TRIES_MAX: usize = 100;
/// How long until it is tried again.
const SCRUB_AGAIN: Duration = Duration::from_millis(50);
/// Bytes of page cache, in KiB; negative as SQLite wants it.
const CACHE_KIB: i64 = -8_192;

const TABLES: &str = "
CREATE TABLE keys (
    org TEXT NOT NULL,
    person BLOB NOT NULL,
    wrapped BLOB, -- nonce and ciphertext; NULL once it was destroyed
    PRIMARY KEY (org, person)
) STRICT, WITHOUT ROWID;
CREATE TABLE blinds (
    org TEXT NOT NULL,
    digest BLOB NOT NULL,
    person BLOB NOT NULL,
    PRIMARY KEY (org, digest, person)
) STRICT, WITHOUT ROWID;
CREATE INDEX blinds_by_person ON blinds (org, person);
CREATE TABLE kek (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    id BLOB NOT NULL
) STRICT;
";

/// Up to where in the log the index of each person follows from; 0 if it was made before the log said anything.
const INDEXED: &str = "
CREATE TABLE indexed (
    org TEXT NOT NULL,
    person BLOB NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (org, person)
) STRICT, WITHOUT ROWID;
";

/// A store that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite says no.
    #[error("the vault {path} cannot be opened")]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// Written by another version of Kith.
    #[error("the vault {path} has format {found}, this build of kith reads format {FORMAT}")]
    Format {
        /// The file.
        path: PathBuf,
        /// As stored.
        found: i64,
    },
    /// SQLite's structure is broken, or a key does not unwrap.
    #[error("the vault {path} was changed: its structure or one of its wrapped keys is broken")]
    Broken {
        /// The file.
        path: PathBuf,
    },
    /// Its keys are wrapped by another key.
    #[error("the keys in the vault {path} are wrapped by another key-encryption key than the one given")]
    OtherKek {
        /// The file.
        path: PathBuf,
    },
}

/// What SQLite answers.
pub type Read<T> = rusqlite::Result<T>;

/// Whether a person has a key.
#[derive(Debug)]
pub enum Kept {
    /// Never had one.
    Never,
    /// Here it is.
    Key(Key),
    /// Had one, which was destroyed.
    Destroyed,
}

#[derive(Debug)]
pub struct Store {
    connection: Connection,
    path: PathBuf,
    /// Device and number of the file.
    file: Option<(u64, u64)>,
    /// Whether something that was destroyed may still be in the file.
    pub unclean: bool,
}

impl Store {
    pub fn open(path: &Path, kek: &Kek) -> Result<Self, StoreError> {
        let sqlite = |source| StoreError::Sqlite { path: path.into(), source };
        let unclean = std::fs::metadata(path.with_extension("db-wal")).is_ok_and(|log| log.len() > 0);
        let connection = prepare(path).map_err(sqlite)?;
        let found = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(sqlite)?;
        if found != FORMAT {
            return Err(StoreError::Format { path: path.into(), found });
        }
        connection.execute("INSERT OR IGNORE INTO kek VALUES (1, ?1)", [kek.id()]).map_err(sqlite)?;
        let id: [u8; 8] = connection.query_row("SELECT id FROM kek", [], |row| row.get(0)).map_err(sqlite)?;
        if id != kek.id() {
            return Err(StoreError::OtherKek { path: path.into() });
        }
        let mut store = Self { connection, path: path.into(), file: file_id(path), unclean };
        if unclean {
            // Killed while it wrote, a process may have left in the write-ahead log what it was destroying.
            match store.scrub() {
                Ok(()) => store.unclean = false,
                Err(error) => tracing::warn!(%error, "the vault is scrubbed with the next that is written"),
            }
        }
        Ok(store)
    }

    /// The file as it is, to be read only; another process may have it.
    pub fn read(path: &Path) -> Result<Self, StoreError> {
        let sqlite = |source| StoreError::Sqlite { path: path.into(), source };
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(sqlite)?;
        let found = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(sqlite)?;
        // What is read so is the same in all of them.
        if !(1..=FORMAT).contains(&found) {
            return Err(StoreError::Format { path: path.into(), found });
        }
        Ok(Self { connection, path: path.into(), file: file_id(path), unclean: false })
    }

    /// Whether the keys are wrapped by this one.
    pub fn fits(&self, kek: &Kek) -> rusqlite::Result<bool> {
        let id: [u8; 8] = self.connection.query_row("SELECT id FROM kek", [], |row| row.get(0))?;
        Ok(id == kek.id())
    }

    /// SQLite's own structure, and that each key is unwrapped: what a copy is worth.
    pub fn check(&self, kek: &Kek) -> rusqlite::Result<bool> {
        let structure: String = self.connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
        let mut select = self.connection.prepare("SELECT org, person, wrapped FROM keys WHERE wrapped IS NOT NULL")?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let (org, wrapped): (String, Vec<u8>) = (row.get(0)?, row.get(2)?);
            if kek.unwrap_key(&associated(&org, Uuid::from_bytes(row.get(1)?)), &wrapped).is_err() {
                return Ok(false);
            }
        }
        Ok(structure == "ok")
    }

    /// A number that is another one after another process has written.
    pub fn changes(&self) -> rusqlite::Result<i64> {
        self.connection.query_row("PRAGMA data_version", [], |row| row.get(0))
    }

    pub fn begin(&self) -> rusqlite::Result<()> {
        self.connection.execute_batch("BEGIN IMMEDIATE")
    }

    pub fn commit(&self) -> rusqlite::Result<()> {
        self.connection.execute_batch("COMMIT")
    }

    /// Writes what is there already, to see whether anything can be written.
    pub fn probe(&self) -> rusqlite::Result<()> {
        self.connection.pragma_update(None, "user_version", FORMAT)
    }

    /// Whether the file still has its name: a key in one without is lost when the process ends.
    pub fn is_there(&self) -> bool {
        file_id(&self.path) == self.file
    }

    pub fn rollback(&self) {
        // If this fails too, the next BEGIN does, and says so.
        let _ = self.connection.execute_batch("ROLLBACK");
    }

    pub fn find(&self, kek: &Kek, org: &OrgId, person: Uuid) -> rusqlite::Result<Result<Kept, KekError>> {
        let wrapped = self
            .connection
            .prepare_cached("SELECT wrapped FROM keys WHERE org = ?1 AND person = ?2")?
            .query_row(params![org.as_str(), person.as_bytes()], |row| row.get::<_, Option<Vec<u8>>>(0))
            .optional()?;
        Ok(match wrapped {
            None => Ok(Kept::Never),
            Some(None) => Ok(Kept::Destroyed),
            Some(Some(wrapped)) => kek.unwrap_key(&associated(org.as_str(), person), &wrapped).map(Kept::Key),
        })
    }

    pub fn insert(&self, org: &OrgId, person: Uuid, wrapped: &[u8]) -> rusqlite::Result<()> {
        self.connection.prepare_cached("INSERT INTO keys VALUES (?1, ?2, ?3)")?.execute(params![
            org.as_str(),
            person.as_bytes(),
            wrapped
        ])?;
        Ok(())
    }

    /// Replaces what a person is found by with what follows from the log at `position`; not if what is there follows
    /// from more of it.
    pub fn index(&self, org: &OrgId, person: Uuid, position: i64, blinds: &[Blind]) -> rusqlite::Result<()> {
        // Whoever is about to be registered is found by something.
        if position == 0 && blinds.is_empty() {
            return self.forget_unknown(org, person);
        }
        let moved = self
            .connection
            .prepare_cached(
                "INSERT INTO indexed VALUES (?1, ?2, ?3)
                 ON CONFLICT DO UPDATE SET position = ?3 WHERE position <= ?3",
            )?
            .execute(params![org.as_str(), person.as_bytes(), position])?;
        if moved == 0 {
            return Ok(());
        }
        self.connection
            .prepare_cached("DELETE FROM blinds WHERE org = ?1 AND person = ?2")?
            .execute(params![org.as_str(), person.as_bytes()])?;
        let mut insert = self.connection.prepare_cached("INSERT OR IGNORE INTO blinds VALUES (?1, ?2, ?3)")?;
        for blind in blinds {
            insert.execute(params![org.as_str(), blind.0, person.as_bytes()])?;
        }
        Ok(())
    }

    /// The log knows nothing of this person: they are found by nothing, and not even that is remembered. Otherwise whoever
    /// forges views could have anybody remembered.
    fn forget_unknown(&self, org: &OrgId, person: Uuid) -> rusqlite::Result<()> {
        if self.indexed(org, person)?.is_some_and(|known| known > 0) {
            return Ok(());
        }
        for forget in
            ["DELETE FROM blinds WHERE org = ?1 AND person = ?2", "DELETE FROM indexed WHERE org = ?1 AND person = ?2"]
        {
            self.connection.prepare_cached(forget)?.execute(params![org.as_str(), person.as_bytes()])?;
        }
        Ok(())
    }

    /// Up to where in the log the index of a person follows from, if there is one.
    pub fn indexed(&self, org: &OrgId, person: Uuid) -> rusqlite::Result<Option<i64>> {
        self.connection
            .prepare_cached("SELECT position FROM indexed WHERE org = ?1 AND person = ?2")?
            .query_row(params![org.as_str(), person.as_bytes()], |row| row.get(0))
            .optional()
    }

    /// What a person is found by.
    pub fn blinds(&self, org: &OrgId, person: Uuid) -> rusqlite::Result<Vec<Blind>> {
        let mut select = self.connection.prepare_cached("SELECT digest FROM blinds WHERE org = ?1 AND person = ?2")?;
        let rows = select.query_map(params![org.as_str(), person.as_bytes()], |row| row.get(0).map(Blind))?;
        rows.collect()
    }

    /// Everyone who has a key.
    pub fn with_keys(&self) -> rusqlite::Result<Vec<(String, Uuid)>> {
        let mut select = self.connection.prepare("SELECT org, person FROM keys WHERE wrapped IS NOT NULL")?;
        let rows = select.query_map([], |row| Ok((row.get(0)?, Uuid::from_bytes(row.get(1)?))))?;
        rows.collect()
    }

    /// Everyone who is found by something.
    pub fn found(&self) -> rusqlite::Result<Vec<(String, Uuid)>> {
        let mut select = self.connection.prepare("SELECT DISTINCT org, person FROM blinds")?;
        let rows = select.query_map([], |row| Ok((row.get(0)?, Uuid::from_bytes(row.get(1)?))))?;
        rows.collect()
    }

    /// Everyone who was indexed before the log said anything of them, and has not been since.
    pub fn ahead(&self) -> rusqlite::Result<Vec<(String, Uuid)>> {
        let mut select = self.connection.prepare_cached("SELECT org, person FROM indexed WHERE position = 0")?;
        let rows = select.query_map([], |row| Ok((row.get(0)?, Uuid::from_bytes(row.get(1)?))))?;
        rows.collect()
    }

    /// Empties an index that was made by another form of what is compared; answers whether it was.
    pub fn compare_by(&self, form: &str) -> rusqlite::Result<bool> {
        self.connection.execute_batch(
            "CREATE TABLE IF NOT EXISTS form (one INTEGER PRIMARY KEY CHECK (one = 1), said TEXT NOT NULL) STRICT",
        )?;
        let said = self.connection.query_row("SELECT said FROM form", [], |row| row.get::<_, String>(0)).optional()?;
        if said.as_deref() == Some(form) {
            return Ok(false);
        }
        self.connection.execute_batch("DELETE FROM blinds; DELETE FROM indexed;")?;
        self.connection.execute("INSERT OR REPLACE INTO form VALUES (1, ?1)", [form])?;
        Ok(true)
    }

    /// By which form it was made, if that is known.
    pub fn form(&self) -> Option<String> {
        self.connection.query_row("SELECT said FROM form", [], |row| row.get(0)).ok()
    }

    pub fn sharing(&self, org: &OrgId, blinds: &[Blind]) -> rusqlite::Result<Vec<Uuid>> {
        let mut select = self.connection.prepare_cached("SELECT person FROM blinds WHERE org = ?1 AND digest = ?2")?;
        let mut found = Vec::new();
        for blind in blinds {
            for person in select.query_map(params![org.as_str(), blind.0], |row| row.get(0).map(Uuid::from_bytes))? {
                found.push(person?);
            }
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    /// Others who share something with this person.
    pub fn sharing_with(&self, org: &OrgId, person: Uuid) -> rusqlite::Result<Vec<Uuid>> {
        let mut select = self.connection.prepare_cached(
            "SELECT DISTINCT other.person FROM blinds
             CROSS JOIN blinds AS other ON other.org = blinds.org AND other.digest = blinds.digest
             WHERE blinds.org = ?1 AND blinds.person = ?2 AND other.person <> ?2",
        )?;
        select.query_map(params![org.as_str(), person.as_bytes()], |row| row.get(0).map(Uuid::from_bytes))?.collect()
    }

    pub fn destroyed(&self) -> rusqlite::Result<Vec<(String, Uuid)>> {
        let mut select = self.connection.prepare("SELECT org, person FROM keys WHERE wrapped IS NULL")?;
        let rows = select.query_map([], |row| Ok((row.get(0)?, Uuid::from_bytes(row.get(1)?))))?;
        rows.collect()
    }

    pub fn holders(&self) -> rusqlite::Result<Vec<(String, Uuid)>> {
        let mut select = self
            .connection
            .prepare("SELECT org, person FROM keys WHERE wrapped IS NOT NULL UNION SELECT org, person FROM blinds")?;
        let rows = select.query_map([], |row| Ok((row.get(0)?, Uuid::from_bytes(row.get(1)?))))?;
        rows.collect()
    }

    pub fn destroy(&self, org: &OrgId, person: Uuid) -> rusqlite::Result<()> {
        self.connection.execute(
            "INSERT INTO keys VALUES (?1, ?2, NULL) ON CONFLICT DO UPDATE SET wrapped = NULL",
            params![org.as_str(), person.as_bytes()],
        )?;
        for table in ["blinds", "indexed"] {
            let delete = format!("DELETE FROM {table} WHERE org = ?1 AND person = ?2");
            self.connection.execute(&delete, params![org.as_str(), person.as_bytes()])?;
        }
        Ok(())
    }

    /// Makes a new file of what is left, so that nothing of what was deleted is in it, nor in the write-ahead log.
    pub fn scrub(&self) -> rusqlite::Result<()> {
        self.connection.execute_batch("VACUUM")?;
        for _ in 0..SCRUB_TRIES_MAX {
            if !self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))? {
                return Ok(());
            }
            // Somebody else moves the journal at this moment, for whom SQLite does not wait.
            std::thread::sleep(SCRUB_AGAIN);
        }
        Err(rusqlite::Error::StatementChangedRows(0))
    }

    /// Moves what was written into the one file: who reads beside it keeps SQLite from doing so by itself. If it cannot be
    /// done now, the next start does it.
    pub fn close(&self) {
        let moved = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        if let Err(error) = moved {
            tracing::warn!(%error, "vault.db-wal still holds what belongs into vault.db");
        }
    }

    /// A copy of the file as it is now, as bytes.
    pub fn copy(&mut self) -> rusqlite::Result<Vec<u8>> {
        Ok(self.connection.serialize("main")?.to_vec())
    }

    /// Wraps every key anew, in one transaction.
    pub fn rewrap(
        &self,
        old: &Kek,
        new: &Kek,
        nonce: &dyn Fn() -> [u8; 24],
    ) -> rusqlite::Result<Result<u64, KekError>> {
        self.begin()?;
        let rewrapped = self.rewrap_all(old, new, nonce);
        match &rewrapped {
            Ok(Ok(_)) => {
                self.commit()?;
                self.scrub()?;
            }
            _ => self.rollback(),
        }
        rewrapped
    }

    fn rewrap_all(
        &self,
        old: &Kek,
        new: &Kek,
        nonce: &dyn Fn() -> [u8; 24],
    ) -> rusqlite::Result<Result<u64, KekError>> {
        let mut select = self.connection.prepare("SELECT org, person, wrapped FROM keys WHERE wrapped IS NOT NULL")?;
        let rows = select.query_map([], |row| {
            Ok((row.get::<_, String>(0)?, Uuid::from_bytes(row.get(1)?), row.get::<_, Vec<u8>>(2)?))
        })?;
        let all: Vec<_> = rows.collect::<rusqlite::Result<_>>()?;
        let mut update = self.connection.prepare("UPDATE keys SET wrapped = ?3 WHERE org = ?1 AND person = ?2")?;
        for (org, person, wrapped) in &all {
            let associated = associated(org, *person);
            let key = match old.unwrap(&associated, wrapped) {
                Ok(key) => key,
                Err(error) => return Ok(Err(error)),
            };
            update.execute(params![org, person.as_bytes(), new.wrap(&nonce(), &associated, &key)])?;
        }
        self.connection.execute("UPDATE kek SET id = ?1", [new.id()])?;
        Ok(Ok(all.len() as u64))
    }
}

/// What a wrapped key belongs to; it is unwrapped for nobody else.
pub fn associated(org: &str, person: Uuid) -> Vec<u8> {
    [org.as_bytes(), &[0], person.as_bytes()].concat()
}

fn file_id(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).ok().map(|file| (file.dev(), file.ino()))
}

fn prepare(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    // Whole pages, and in the write-ahead log as well: see `scrub`.
    connection.query_row("PRAGMA secure_delete = ON", [], |_| Ok(()))?;
    connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    // A key must be on disk before anything that was sealed with it.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "cache_size", CACHE_KIB)?;
    // What SQLite spills stays in memory: a file in a temporary folder would outlive a key.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables == 0 {
        connection.execute_batch(&format!("BEGIN; {TABLES} {INDEXED} PRAGMA user_version = {FORMAT}; COMMIT;"))?;
    }
    let format: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if format == 1 {
        connection.execute_batch(&format!("BEGIN; {INDEXED} PRAGMA user_version = {FORMAT}; COMMIT;"))?;
    }
    Ok(connection)
}
