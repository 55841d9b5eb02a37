//! A context, as a value: what it needs, what it offers, who may call it, and what it does besides answering.

use std::{pin::Pin, sync::Arc};

use messaging::Part;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use utoipa_axum::router::OpenApiRouter;
use web::May;

use crate::{Derived, Follower, Host, Rhythm, Topic, View, follow};

/// A context: a part of Kith that can run in a process of its own.
#[derive(Debug)]
pub struct Context {
    /// Its name as a service of a process.
    pub name: &'static str,
    /// What it does, in a line of `--help`.
    pub about: &'static str,
    /// What must be in its process.
    pub needs: &'static [Need],
    /// Its operations, and who may call them.
    pub operations: &'static [May],
    /// Its views. Whichever process has views has those of all contexts.
    pub views: &'static [&'static View],
    /// What of its views can be followed.
    pub topics: &'static [&'static Topic],
    /// Kinds of stream that it folds into something else than views.
    pub folds: &'static [&'static str],
    /// Pages for people without an account.
    pub pages: &'static [Page],
    /// Puts it together.
    pub build: fn(&Host) -> Built,
}

/// A page that anybody can load: what it shows, it asks the API for.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    /// Where it is.
    pub path: &'static str,
    /// The page. Each `{nonce}` in it becomes that of the answer: nothing runs that has none.
    pub html: &'static str,
}

/// What must be in the process of a context.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// People's keys.
    Vault,
    /// The views of all contexts, which are brought up to date by what NATS says.
    Views,
    /// To hear from NATS that there is more in the log.
    Nats,
}

/// A context that was put together.
#[derive(Default)]
pub struct Built {
    /// What answers its operations.
    pub routes: OpenApiRouter,
    /// What answers those that need no token.
    pub public: OpenApiRouter,
    /// What it makes of the log, and can be made anew.
    pub derived: Vec<Arc<dyn Derived>>,
    /// What it does by itself, where the views are.
    pub tasks: Vec<Task>,
}

type Running = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What a context does by itself until it is told to end. If it ends before, it is started again.
pub struct Task {
    /// Name of the part in [`messaging::Health`].
    pub name: &'static str,
    /// Starts it.
    pub start: Box<dyn FnMut(Part, CancellationToken) -> Running + Send>,
}

impl Task {
    /// What follows up to where something has come.
    pub fn following<F: Follower>(
        name: &'static str,
        rhythm: Rhythm,
        follower: impl Fn() -> F + Send + 'static,
    ) -> Self {
        let start = move |part, end| -> Running { Box::pin(follow(follower(), rhythm, part, end)) };
        Self { name, start: Box::new(start) }
    }

    /// What does nothing but show something that others need, and go on without: `why` says what somebody should see to, as
    /// long as there is something.
    pub fn showing(name: &'static str, why: watch::Receiver<Option<String>>) -> Self {
        let start = move |part, end| -> Running { Box::pin(show(why.clone(), part, end)) };
        Self { name, start: Box::new(start) }
    }
}

async fn show(mut why: watch::Receiver<Option<String>>, part: Part, end: CancellationToken) {
    let showing = async {
        loop {
            let said = why.borrow_and_update().clone();
            match said {
                None => part.running(),
                Some(why) => part.strained(why),
            }
            if why.changed().await.is_err() {
                return end.cancelled().await;
            }
        }
    };
    end.run_until_cancelled(showing).await;
}
