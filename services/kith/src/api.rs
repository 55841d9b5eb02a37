//! The API: the contexts' operations, their document, and what a machine asks (health, metrics, documents).

use std::time::Duration;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    middleware,
    response::{IntoResponse, Response},
    routing::get,
};
use eventlog::Position;
use messaging::{Health, Report};
use metrics_exporter_prometheus::PrometheusHandle;
use serde::Serialize;
use tokio::sync::watch;
use tower_http::cors::{AllowOrigin, Any, CorsLayer};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        ComponentsBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, RefOr, Required,
        extensions::ExtensionsBuilder,
        header::Header,
        path::{Operation, Parameter, ParameterBuilder, ParameterIn},
        schema::{ObjectBuilder, Type},
        security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};
use utoipa_axum::router::OpenApiRouter;
use utoipa_swagger_ui::SwaggerUi;
use uuid::Uuid;
use web::{Also, Limits, ProblemBody, SecurityHeaders};

use crate::{contexts::operations, links};

/// How long browsers may keep what they were told of another origin.
const PREFLIGHT_KEPT: Duration = Duration::from_mins(10);

/// Where the document is. Written once: to write it takes milliseconds, and anybody may ask for it.
const DOCUMENT: &str = "/openapi.json";

/// What operations of machines need.
#[derive(Debug, Clone)]
pub struct Machine {
    /// What runs and what stands still.
    pub health: Health,
    /// Metrics.
    pub metrics: PrometheusHandle,
    /// Where the log ends.
    pub head: watch::Receiver<Position>,
}

/// What is around every operation.
#[derive(Debug, Clone)]
pub struct Around {
    /// How many at once, how long, how often.
    pub limits: Limits,
    /// Headers against misuse by browsers.
    pub security_headers: SecurityHeaders,
    /// Origins of pages that may use the API; without any, no page of others may.
    pub cors_origins: Vec<String>,
    /// Ids of requests.
    pub new_id: fn() -> Uuid,
}

/// The whole API: its router, with the `pages` beside it, and its document. `public` needs no token.
pub fn api(
    (contexts, public): (OpenApiRouter, OpenApiRouter),
    pages: Router,
    machine: Machine,
    around: Around,
) -> (Router, OpenApi) {
    let (router, mut paths) = contexts.split_for_parts();
    let (public, more) = public.split_for_parts();
    paths.merge(more);
    let document = document(paths);
    let served = Bytes::from(serde_json::to_vec(&document).expect("a document has string keys only"));
    let machine = Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", get(ready))
        .route(DOCUMENT, get(|| async { ([(header::CONTENT_TYPE, "application/json")], served) }))
        .route("/problems/{code}", get(problem))
        .with_state(machine);
    let router = router
        .merge(machine)
        .merge(pages)
        .merge(SwaggerUi::new("/docs").config(utoipa_swagger_ui::Config::from(DOCUMENT)))
        .fallback(web::no_such_path)
        .method_not_allowed_fallback(web::no_such_method)
        .layer(middleware::from_fn_with_state(around.limits.clone(), web::limit));
    let router = match cors(&around.cors_origins) {
        Some(cors) => router.layer(cors),
        None => router,
    };
    let public = public
        .method_not_allowed_fallback(web::no_such_method)
        .layer(middleware::from_fn_with_state(around.limits, web::limit))
        .layer(cors_for_anybody());
    let router = router
        .merge(public)
        .layer(middleware::from_fn_with_state(around.security_headers, web::add_security_headers))
        .layer(middleware::from_fn_with_state(around.new_id, web::observe));
    (router, document)
}

/// Without cookies or other credentials of the browser: a page sends its token itself, or has none.
fn cors(origins: &[String]) -> Option<CorsLayer> {
    let known: Vec<_> = origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()).collect();
    let header = |name| HeaderName::from_static(name);
    let sent = [header("idempotency-key"), header("kith-after"), header("last-event-id"), header("x-request-id")];
    let shown = ["kith-position", "idempotency-replayed", "x-request-id", "retry-after", "content-disposition"];
    let layer = CorsLayer::new()
        .allow_origin(AllowOrigin::list(known))
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE].into_iter().chain(sent).collect::<Vec<_>>())
        .expose_headers(shown.map(header))
        .max_age(PREFLIGHT_KEPT);
    (!origins.is_empty()).then_some(layer)
}

/// Any page may show what anybody may read.
fn cors_for_anybody() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([Method::GET, Method::HEAD])
        .allow_headers([header::IF_NONE_MATCH])
        .expose_headers([header::ETAG, header::RETRY_AFTER, HeaderName::from_static("x-request-id")])
        .max_age(PREFLIGHT_KEPT)
        // The same for all: what is kept on the way serves every page.
        .vary([])
}

/// What operators ask, at an address of its own: it tells how busy whoever is.
pub fn ops(machine: Machine) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .fallback(web::no_such_path)
        .with_state(machine)
}

/// What everybody may know.
#[derive(Serialize)]
struct Ready {
    ready: bool,
}

async fn ready(State(machine): State<Machine>) -> Response {
    let ready = machine.health.ready();
    (status(ready), Json(Ready { ready })).into_response()
}

/// What operators may know.
#[derive(Serialize)]
struct Readiness {
    #[serde(flatten)]
    report: Report,
    /// Where the log ends.
    log_position: Position,
}

async fn readyz(State(machine): State<Machine>) -> Response {
    let (report, log_position) = (machine.health.report(), *machine.head.borrow());
    (status(report.ready), Json(Readiness { report, log_position })).into_response()
}

fn status(ready: bool) -> StatusCode {
    if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

async fn metrics(State(machine): State<Machine>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], machine.metrics.render()).into_response()
}

async fn problem(Path(code): Path<String>) -> Response {
    match web::PAGES.iter().find(|(known, _)| *known == code) {
        Some((_, page)) => ([(header::CONTENT_TYPE, "text/markdown; charset=utf-8")], *page).into_response(),
        None => web::no_such_path().await.into_response(),
    }
}

/// The document: what the operations say of themselves, and what is the same for all of them.
fn document(paths: OpenApi) -> OpenApi {
    let info = InfoBuilder::new()
        .title("Kith")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "The record of peer-support groups: who came, how, and how many more. Every command carries an \
             `Idempotency-Key`; its answer names a `Kith-Position`, which a read sends as `Kith-After` to see it.",
        ))
        .license(Some(LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build()));
    let bearer =
        HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT, or the key of an API client").build();
    let mut document = OpenApiBuilder::from(paths).info(info.build()).build();
    let components = document.components.take().unwrap_or_else(|| ComponentsBuilder::new().build());
    // Every operation refers to problems, none brings their schemas along.
    let mut schemas = vec![(ProblemBody::name().into_owned(), ProblemBody::schema())];
    ProblemBody::schemas(&mut schemas);
    let components = ComponentsBuilder::from(components).schemas_from_iter(schemas);
    document.components = Some(components.security_scheme("token", SecurityScheme::Http(bearer)).build());
    for item in document.paths.paths.values_mut() {
        for (operation, command) in [
            (&mut item.get, false),
            (&mut item.put, true),
            (&mut item.post, true),
            (&mut item.patch, true),
            (&mut item.delete, true),
        ] {
            if let Some(operation) = operation {
                complete(operation, command);
            }
        }
    }
    links::add(&mut document);
    document
}

fn complete(operation: &mut Operation, command: bool) {
    let id = operation.operation_id.clone().unwrap_or_default();
    let may = operations().find(|known| known.id == id);
    let command = command && !may.is_some_and(|may| may.is(Also::Search));
    if may.is_some_and(|may| may.is(Also::Public)) {
        operation.security = Some(vec![]);
        operation.extensions = Some(ExtensionsBuilder::new().add("x-kith-public", true).build());
        return;
    }
    let roles: Vec<_> = may.iter().flat_map(|may| may.roles).map(|role| role.as_str()).collect();
    operation.extensions = Some(ExtensionsBuilder::new().add("x-kith-roles", roles).build());
    operation.security = Some(vec![SecurityRequirement::new::<_, [&str; 0], &str>("token", [])]);
    let parameter = if command { idempotency_key() } else { kith_after() };
    operation.parameters.get_or_insert_default().push(RefOr::T(parameter));
    for (status, response) in &mut operation.responses.responses {
        if let (true, RefOr::T(response)) = (status.starts_with('2'), response) {
            let description =
                if command { "Up to where to read to see the effect" } else { "Up to where the answer reaches" };
            let mut header = Header::new(position());
            header.description = Some(description.into());
            response.headers.insert("Kith-Position".into(), header.into());
        }
    }
}

fn idempotency_key() -> Parameter {
    let schema = ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(web::IDEMPOTENCY_KEY_CHARS_MAX))
        .pattern(Some("^[!-~]+$"));
    header("Idempotency-Key", schema, "A new random value for each new command, the same when sending it again")
        .required(Required::True)
        .build()
}

fn kith_after() -> Parameter {
    let description = "`Kith-Position` of a command, or of up to 16 with commas between them: waits until their effect \
                       can be read, at most 10 seconds";
    header("Kith-After", positions(), description).required(Required::False).build()
}

fn header(name: &str, schema: ObjectBuilder, description: &str) -> ParameterBuilder {
    let schema = Some(schema.build());
    ParameterBuilder::new().name(name).parameter_in(ParameterIn::Header).description(Some(description)).schema(schema)
}

/// A place in the log, sealed: it says nothing to whoever has it, but which of several was told last.
fn position() -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(web::POSITION_DIGITS_MAX))
        .pattern(Some("^[0-9]+$"))
}

/// Up to as many as commands may be sent at once.
fn positions() -> ObjectBuilder {
    let longest = web::AFTER_POSITIONS_MAX * (web::POSITION_DIGITS_MAX + 2);
    ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(longest))
        .pattern(Some("^[0-9, ]+$"))
}
