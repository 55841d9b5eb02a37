//! The contexts there are: the one list, and how those of a process are put together.

use std::sync::Arc;

use axum::middleware::from_fn_with_state;
use host::{Context, Derived, Host, Page, Planned, Task, Topic, Views};
use messaging::Subscriber;
use utoipa_axum::router::OpenApiRouter;
use web::May;

use crate::{DataDir, Services};

/// Every context.
pub const CONTEXTS: &[&Context] = &[
    &directory::CONTEXT,
    &membership::CONTEXT,
    &attendance::CONTEXT,
    &checkin::CONTEXT,
    &partner::CONTEXT,
    &referral::CONTEXT,
    &outbox::CONTEXT,
    &access::CONTEXT,
    &projections::CONTEXT,
    &listing::CONTEXT,
    &reporting::CONTEXT,
];

/// Who knows what a calendar has.
pub const PLANNED: Planned = directory::planned;

/// Every operation of all contexts, and who may call it.
pub fn operations() -> impl Iterator<Item = May> {
    CONTEXTS.iter().flat_map(|context| context.operations).copied()
}

/// What of the views of all contexts can be followed.
pub fn topics() -> impl Iterator<Item = &'static Topic> {
    CONTEXTS.iter().flat_map(|context| context.topics).copied()
}

/// The views of all contexts, in a data directory.
pub fn views(data: &DataDir) -> Views {
    Views::new(&data.views(), CONTEXTS.iter().flat_map(|context| context.views).copied())
}

/// What is made of the log, and what writes it.
pub type Opened = (Arc<dyn Derived>, Box<dyn Subscriber>);

/// The contexts of a process, put together.
pub(crate) struct Assembled {
    pub routes: OpenApiRouter,
    /// What needs no token.
    pub public: OpenApiRouter,
    pub pages: Vec<Page>,
    pub derived: Vec<Opened>,
    pub tasks: Vec<Task>,
}

/// Puts those together that `services` name. Where the views are, all contexts do what they do by themselves.
pub(crate) fn assemble(services: &Services, host: &Host) -> anyhow::Result<Assembled> {
    let mut derived: Vec<Arc<dyn Derived>> = Vec::new();
    if services.need_views() {
        derived.push(Arc::new(host.views.clone()));
    }
    let (mut routes, mut public) = (OpenApiRouter::new(), OpenApiRouter::new());
    let (mut pages, mut tasks) = (Vec::new(), Vec::new());
    for context in CONTEXTS {
        let serves = services.have(context.name);
        if !serves && !services.need_views() {
            continue;
        }
        let built = (context.build)(host);
        if serves {
            routes = routes.merge(built.routes);
            public = public.merge(built.public);
            pages.extend(context.pages);
            derived.extend(built.derived);
        }
        if services.need_views() {
            tasks.extend(built.tasks);
        }
    }
    // The relay has none.
    if !routes.get_openapi().paths.paths.is_empty() {
        routes = routes.route_layer(from_fn_with_state(host.authenticator.clone(), web::authenticate));
    }
    if !public.get_openapi().paths.paths.is_empty() {
        public = public.route_layer(from_fn_with_state(host.door.clone(), web::for_anybody));
    }
    let open = |derived: Arc<dyn Derived>| Ok((derived.clone(), derived.open(false)?));
    let derived = derived.into_iter().map(open).collect::<anyhow::Result<_>>()?;
    Ok(Assembled { routes, public, pages, derived, tasks })
}
