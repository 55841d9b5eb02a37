//! Show an endpoint.

use axum::extract::State;
use domain::{
    EndpointId, MessageId,
    endpoint::{self, Known, Tried},
    outgoing::Fault,
};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use web::{After, CallerMay, Path, Problem, Problems, Read};

use crate::{Outbox, endpoint_row::EndpointRow, op};

/// An endpoint, and how it goes.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct EndpointView {
    #[serde(flatten)]
    row: EndpointRow,
    /// When the first message that waits was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    oldest_waiting_at: Option<Timestamp>,
    /// When it is tried again, if it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_attempt_at: Option<Timestamp>,
    /// The last attempts, the latest first; at most 20.
    attempts: Vec<EndpointAttempt>,
}

/// An attempt that has ended.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct EndpointAttempt {
    /// Which message.
    message: MessageId,
    /// Which attempt of it, from 1.
    attempt: u32,
    /// When it ended.
    at: Timestamp,
    /// Whether it arrived.
    delivered: bool,
    /// What was answered, if something was.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    /// Why there was no answer, if there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<Fault>,
}

impl From<&Tried> for EndpointAttempt {
    fn from(&Tried { message, n, outcome, at }: &Tried) -> Self {
        let (status, fault) = match outcome {
            Ok(code) | Err(Fault::Code(code)) => (Some(code), None),
            Err(fault) => (None, Some(fault)),
        };
        Self { message, attempt: n, at, delivered: outcome.is_ok(), status, fault }
    }
}

/// Show an endpoint
///
/// What waits for it, since when and why, and how the last attempts ended.
#[utoipa::path(get, path = "/v1/endpoints/{endpoint}", tag = "outbox",
    params(("endpoint" = EndpointId, Path, description = "The endpoint")),
    responses((status = 200, description = "The endpoint", body = EndpointView), Problems))]
#[tracing::instrument(skip_all, fields(endpoint = %endpoint))]
pub(crate) async fn show_endpoint(
    State(outbox): State<Outbox>,
    CallerMay { caller, .. }: CallerMay<op::ShowEndpoint>,
    after: After,
    Path(endpoint): Path<EndpointId>,
) -> Result<Read<EndpointView>, Problem> {
    let position = after.seen_by(&outbox.log.head()).await?;
    let known = outbox.endpoints.look(&caller.org, endpoint, |endpoint| endpoint.state.clone()).await?;
    let known: Box<Known> = known.ok_or_else(|| Problem::refused(&endpoint::Refusal::Unknown))?;
    let key = outbox.vault.org_key(&caller.org).await?;
    let row = EndpointRow::open(&caller, &key, (endpoint, &known))?;
    let oldest_waiting_at = known.line.waiting().next().map(|(_, message)| message.at);
    Ok(Read(
        position,
        EndpointView {
            row,
            oldest_waiting_at,
            next_attempt_at: known.line.again_at(),
            attempts: known.attempts.iter().rev().map(Into::into).collect(),
        },
    ))
}
