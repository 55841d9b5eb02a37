//! The house: what a context gets and what it gives.
//!
//! A [`View`] is a value that says how it is folded, what `kith verify` compares of it and how it forgets a person; the
//! store of the views knows none of them by name.

mod boards;
mod changes;
mod context;
mod derived;
mod follow;
mod host;
mod members;
mod outgoing;
mod queue;
pub mod row;
mod store;
#[cfg(test)]
mod tests;
mod verify;
mod view;
mod views;

pub use boards::{BoardShown, Boards};
pub use changes::{CHANGES_KEPT_MAX, Change, Changes, QUEUE, Scope, Told, Topic};
pub use context::{Built, Context, Need, Page, Task};
pub use derived::Derived;
pub use follow::{Follower, Rhythm, follow};
pub use host::{Host, Planned};
pub use members::{How, Members};
pub use outgoing::{Mail, MailServer, MailTls, Outgoing};
pub use queue::{Case, Found, Item, ItemKey, Kind, Of, Queue, Urgency};
pub use store::{OpenError, Writer};
pub use verify::Difference;
pub use view::{Fold, Folding, View, is_erased};
pub use views::Views;
