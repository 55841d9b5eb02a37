//! An endpoint as it is read.

use domain::{
    EndpointId,
    endpoint::{Disabled, Known, Topic, Why},
};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use vault::{Key, SealedAs};
use web::{Caller, Operation, Problem};

use crate::{connection::host_of, op};

/// An endpoint.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct EndpointRow {
    pub endpoint: EndpointId,
    /// Where it is; to who may not change endpoints, the scheme and the host alone, for the rest is often a secret.
    pub url: String,
    /// What it is told of; of all if there is none.
    #[schema(value_type = Vec<String>)]
    pub topics: Vec<Topic>,
    /// Whether it is sent to.
    pub enabled: bool,
    /// Since when it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled_at: Option<Timestamp>,
    /// Why it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled_why: Option<Why>,
    /// Messages that wait, a count.
    pub waiting: usize,
    /// Since when the first of them fails, if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<Timestamp>,
    /// Since when it is registered.
    pub registered_at: Timestamp,
}

impl EndpointRow {
    /// The endpoint, its address opened, as far as the caller may know it.
    ///
    /// # Errors
    /// 500 if it does not open.
    pub fn open(caller: &Caller, key: &Key, (endpoint, known): (EndpointId, &Known)) -> Result<Self, Problem> {
        let url = key.open(&caller.org, endpoint.0, SealedAs::Endpoint, &known.address);
        let url = String::from_utf8_lossy(&url.map_err(|error| Problem::internal(&error))?).into_owned();
        let disabled = known.disabled;
        Ok(Self {
            endpoint,
            url: if caller.may_call(&op::ChangeEndpoint::MAY) { url } else { host_of(&url) },
            topics: known.topics.iter().cloned().collect(),
            enabled: disabled.is_none(),
            disabled_at: disabled.map(|Disabled { at, .. }| at),
            disabled_why: disabled.map(|Disabled { why, .. }| why),
            waiting: known.line.waiting().len(),
            failing_since: known.line.failing_since(),
            registered_at: known.since,
        })
    }
}
