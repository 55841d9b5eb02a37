//! A view: what is folded from the log into tables of its own, to be read. It knows of no other view.

use std::cell::RefCell;

use domain::{AnyEvent, MemberId};
use eventlog::{Position, Recorded};
use rusqlite::{Connection, ToSql, Transaction, params};

use crate::{Scope, Topic};

/// A view, as a value: all that the store knows of it.
#[derive(Debug)]
pub struct View {
    /// What it is called, in receipts and for `kith verify`.
    pub name: &'static str,
    /// Which version its fold is: another one is folded anew, alone.
    pub version: u32,
    /// SQL that makes its tables. When it changes, the view is folded anew, alone.
    pub schema: &'static str,
    /// Its tables, each with what `kith verify` compares of it: a query that answers rows in order, without row numbers.
    pub tables: &'static [(&'static str, &'static str)],
    /// SQL for what is cheaper made once than kept up while the view is folded anew, such as an index.
    pub once_caught_up: &'static str,
    /// Kinds of stream that it folds; it gets no other events.
    pub kinds: &'static [&'static str],
    /// Makes what folds.
    pub fold: fn() -> Box<dyn Fold>,
    /// Those of its tables, with columns `org` and `member`, of which nothing stays that is of somebody who was erased.
    pub forgets: &'static [&'static str],
    /// What stays of somebody who was erased, and why.
    pub keeps: &'static [(&'static str, &'static str)],
}

impl View {
    /// A digest of all that its rows depend on, but for the log.
    pub(crate) fn format(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.version.to_le_bytes());
        for part in [self.schema, self.once_caught_up] {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
        }
        hasher.finalize().into()
    }

    /// Whether it has anything of members.
    pub fn is_of_members(&self) -> bool {
        !self.forgets.is_empty() || !self.keeps.is_empty()
    }
}

/// What folds events into the rows of one view.
pub trait Fold: Send {
    /// What happened.
    ///
    /// # Errors
    /// What SQLite says: then nothing of the batch is kept.
    fn fold(&mut self, at: &Folding<'_>, event: &AnyEvent) -> rusqlite::Result<()>;

    /// What was folded since the last commit is not kept: nothing that is remembered of it may be.
    fn rolled_back(&mut self) {}
}

impl<F: FnMut(&Folding<'_>, &AnyEvent) -> rusqlite::Result<()> + Send> Fold for F {
    fn fold(&mut self, at: &Folding<'_>, event: &AnyEvent) -> rusqlite::Result<()> {
        self(at, event)
    }
}

/// Where an event is on its way into the rows.
#[derive(Debug)]
pub struct Folding<'a> {
    /// The rows of the view.
    pub rows: &'a Transaction<'a>,
    /// The event as it was recorded.
    pub event: &'a Recorded,
    /// What changed by it, for those who watch.
    pub(crate) told: &'a RefCell<Vec<(&'static Topic, Scope)>>,
}

impl Folding<'_> {
    /// The organisation.
    pub fn org(&self) -> &str {
        self.event.stream.org_str()
    }

    /// The event's position, as rows have it.
    pub fn position(&self) -> i64 {
        signed(self.event.position)
    }

    /// Tells those who watch that something of a topic has changed, and whom it is about.
    pub fn tell(&self, topic: &'static Topic, scope: Scope) {
        let mut told = self.told.borrow_mut();
        if !told.iter().any(|(already, about)| already.name == topic.name && *about == scope) {
            told.push((topic, scope));
        }
    }

    /// Runs SQL with the organisation as `?1`, the stream's id as `?2`, and these.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn run(&self, sql: &str, values: &[&dyn ToSql]) -> rusqlite::Result<()> {
        let (org, id) = (self.org(), self.event.stream.id());
        let of: [&dyn ToSql; 2] = [&org, &id.as_bytes()];
        self.rows.prepare_cached(sql)?.execute(&*[&of[..], values].concat())?;
        Ok(())
    }

    /// Whether the member was erased: nothing follows that.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn is_erased(&self, member: MemberId) -> rusqlite::Result<bool> {
        is_erased(self.rows, self.org(), member)
    }
}

/// Whether the member was erased, as far as the views know.
///
/// # Errors
/// What SQLite says.
pub fn is_erased(connection: &Connection, org: &str, member: MemberId) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM erased WHERE org = ?1 AND member = ?2")?
        .exists(params![org, member.0.as_bytes()])
}

/// SQLite's integers are signed; ours stay far below the border.
pub(crate) fn signed(position: Position) -> i64 {
    i64::try_from(position.0).unwrap_or(i64::MAX)
}
