//! Preview what a partner will read.

use axum::extract::State;
use domain::{AttemptId, ConsentId, MemberId, partner::Item, referral::Digest};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use web::{Opening, Path, Problem, Problems, Read, Search};

use crate::{
    Referrals, op,
    reading::{Asked, LeftOut},
};

/// What a partner would read.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct PreviewedReferral {
    /// Exactly this, item by item.
    items: Vec<PreviewedItem>,
    /// What was asked for, and would not be told.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    left_out: Vec<LeftOutItem>,
    /// To be given when it is sent: so nothing else is sent than what was seen here.
    #[schema(value_type = String, min_length = 64, max_length = 64)]
    preview: Digest,
}

/// One item of it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct PreviewedItem {
    item: Item,
    value: Value,
    /// The consent that allows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    consent: Option<ConsentId>,
}

/// One that would not be told.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub(crate) struct LeftOutItem {
    item: Item,
    why: LeftOut,
}

/// Preview a referral
///
/// What the partner would read if it were sent now, item by item, each with the consent that allows it. Nothing is sent.
#[utoipa::path(post, path = "/v1/members/{member}/referrals/{referral}/preview", tag = "referrals", request_body = Asked,
    params(("member" = MemberId, Path, description = "Whose"), ("referral" = AttemptId, Path, description = "Which")),
    responses((status = 200, description = "What would be read", body = PreviewedReferral), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn preview_referral(
    State(referrals): State<Referrals>,
    Path((member, attempt)): Path<(MemberId, AttemptId)>,
    search: Search<op::PreviewReferral, Asked>,
) -> Result<Read<PreviewedReferral>, Problem> {
    let Search { caller, body: asked, .. } = search;
    let record = referrals.record_of(&caller, member, attempt).await?;
    let now = referrals.authenticator.clock.now();
    let told = referrals.told(&record, attempt, &asked, now).await?;
    let at = *referrals.log.head().borrow();
    let fields = told.projection.0.keys().filter_map(|item| item.field()).collect();
    let opening = Opening { at, fields, ..Opening::naming("preview_referral", vec![record.id()]) };
    referrals.audit.opened(&caller, opening).await?;
    let preview = told.preview(attempt);
    let clause = |item| (!asked.without_consent).then(|| told.clauses.get(&item).copied()).flatten();
    let item = |(item, value): (Item, Value)| PreviewedItem { item, value, consent: clause(item) };
    let items = told.projection.0.clone().into_iter().map(item).collect();
    let left_out = told.left_out.iter().map(|(item, why)| LeftOutItem { item: *item, why: *why }).collect();
    Ok(Read(at, PreviewedReferral { items, left_out, preview }))
}
