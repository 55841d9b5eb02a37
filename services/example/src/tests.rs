//! What the context promises.

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode},
};
use domain::{
    GroupId, OrgId, ProgrammeId,
    group::{self, Focus, MeetingMode},
};
use eventlog::{AllStreams, Cause, EventLog, Position, Reply, sqlite::SqliteLog};
use host::{Host, Views};
use jiff::{SignedDuration, Timestamp};
use messaging::{Health, Subscriber};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use uuid::Uuid;
use vault::Names;
use web::{Audit, Clock, Authenticator, Issuer, Role};

use super::*;

const NOW: Timestamp = Timestamp::UNIX_EPOCH;
const GROUP: GroupId = GroupId(Uuid::from_u128(7));

#[tokio::test(flavor = "multi_thread")]
async fn what_is_counted_is_in_the_view_and_the_task_sees_it() {
    let folder = tempfile::tempdir().unwrap();
    let log: Arc<dyn EventLog> = Arc::new(SqliteLog::open(&folder.path().join("log.db")).unwrap());
    let issuer = Issuer::new(&[7; 32]);
    let authenticator = Authenticator::new(issuer.clone(), Clock::new(|| NOW)).sealing(log.clone(), || [7; 32]);
    let host = Host {
        audit: Audit::new(log.clone(), &authenticator, Uuid::nil),
        authenticator,
        streams: AllStreams::new(log.clone()),
        keys: None,
        names: Names::default(),
        named: watch::Sender::default(),
        views: Views::new(&folder.path().join("views.db"), CONTEXT.views.iter().copied()),
        operations: CONTEXT.operations.to_vec(),
        data: folder.path().into(),
        plan_days: 0,
        erasures_file: None,
        new_secret: || [0; 32],
    };
    let mut writer = host.views.writer().unwrap();
    let Built { routes, mut tasks, .. } = (CONTEXT.build)(&host);
    let router: Router = routes.into();
    assert_eq!(count(&router, &issuer, Role::Auditor).await, StatusCode::FORBIDDEN);
    assert_eq!(count(&router, &issuer, Role::Admin).await, StatusCode::NOT_FOUND, "there is no such group");
    let cause = Cause::of_process("tests", Uuid::nil(), NOW);
    let (groups, import) = (host.of::<Group>(), group::Command::Import(details(), None));
    groups.transact(&org(), GROUP, cause, import, Reply::DONE).await.unwrap();
    assert_eq!(count(&router, &issuer, Role::Admin).await, StatusCode::NO_CONTENT);

    let events = log.read_all(Position::START, 10).await.unwrap();
    let counted = events.iter().find(|event| &*event.event_type == "example.counted").unwrap().position;
    writer.apply(events).await.unwrap();
    assert_eq!(host.views.look(example_view::sum).await.unwrap().unwrap(), 3);
    assert!(*host.views.changed(&EXAMPLES).borrow() >= counted);

    let (health, end) = (Health::new(), CancellationToken::new());
    let mut task = tasks.remove(0);
    let running = tokio::spawn((task.start)(health.part(task.name), end.clone()));
    health.wait_until(|report| report.ready).await;
    end.cancel();
    running.await.unwrap();
}

fn org() -> OrgId {
    "north-star".parse().unwrap()
}

fn details() -> group::Details {
    group::Details {
        name: "Tuesdays".parse().unwrap(),
        programme: ProgrammeId(Uuid::from_u128(1)),
        focus: Focus::Other,
        formats: vec![],
        mode: MeetingMode::InPerson,
        venue: None,
        language: None,
        comments: None,
        listed: false,
        source: None,
    }
}

async fn count(router: &Router, issuer: &Issuer, role: Role) -> StatusCode {
    let token = issuer.sign((&org(), role, "ada"), vec![], NOW, SignedDuration::from_hours(1)).unwrap();
    let request = Request::put(format!("/v1/groups/{GROUP}/example"))
        .header("authorization", format!("Bearer {token}"))
        .header("idempotency-key", "k")
        .header("content-type", "application/json")
        .body(Body::from(r#"{"count":3}"#))
        .unwrap();
    router.clone().oneshot(request).await.unwrap().status()
}
