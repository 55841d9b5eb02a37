//! An example of a context: one kind of stream, one operation, one view, one task.

mod count_example;
mod counter;
mod example_view;
mod op;
#[cfg(test)]
mod tests;

use axum::extract::FromRef;
use domain::{example::Example, group::Group};
use eventlog::Streams;
use host::{Built, Context, Host, Need, Task};
use utoipa_axum::{router::OpenApiRouter, routes};
use web::{Authenticator, Guarded};

use counter::Counter;
use example_view::EXAMPLES;

/// The context.
pub const CONTEXT: Context = Context {
    name: "example",
    about: "An example",
    needs: &[Need::Views],
    operations: op::OPERATIONS,
    views: &[&EXAMPLES],
    folds: &[],
    build,
};

/// Its streams, and the authenticator before them.
#[derive(Debug, Clone, FromRef)]
struct Examples {
    authenticator: Authenticator,
    counts: Guarded<Example>,
    /// Groups, to know that there is one.
    groups: Streams<Group>,
}

fn build(host: &Host) -> Built {
    let views = host.views.clone();
    let tasks = vec![Task::following("counter", counter::RHYTHM, move || Counter { views: views.clone() })];
    let examples = Examples { authenticator: host.authenticator.clone(), counts: host.of().into(), groups: host.of() };
    Built { routes: routes(examples), tasks, ..Built::default() }
}

/// All operations.
fn routes(examples: Examples) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(count_example::count_example)).with_state(examples)
}
