//! List what was sent to a partner.

use axum::extract::State;
use domain::{AttemptId, referral::Stage};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use web::{After, CallerMay, Page, PageQuery, Problem, Problems, Query, Read};

use crate::{
    Referrals,
    list_referrals::{Progress, ReferralLine},
    op, open_referral,
    referral_view::{self, REFERRALS, Wanted},
};

/// What was sent to a partner.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct PartnerInbox {
    /// Referrals, in the order in which they were drafted. Of whom each is, opening it tells.
    #[serde(flatten)]
    page: Page<PartnerLine>,
    /// Referrals of people who were erased: what the partner was told by them has to be deleted (GDPR Art. 17 and 19).
    erased: Vec<ErasedReferral>,
}

/// A referral as its partner sees it in a list: nothing of whom.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct PartnerLine {
    referral: AttemptId,
    /// To open and answer it by.
    reference: String,
    #[serde(flatten)]
    progress: Progress,
    /// When it last changed: later than any other of this partner's did before.
    updated_at: Timestamp,
    #[serde(skip)]
    position: i64,
}

/// A referral of somebody who was erased.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub(crate) struct ErasedReferral {
    referral: AttemptId,
    at: Timestamp,
}

/// Which referrals.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct InboxQuery {
    /// Most rows, 1 to 200; 50 if not given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u16>,
    /// `next` of the page before.
    #[param(max_length = 512)]
    after: Option<String>,
    /// Only those that changed then, as FHIR asks: `gt`, `ge`, `lt` or `le` and an instant. Whoever asks again asks for
    /// what is greater than the latest `updated_at` that they were shown, and misses nothing.
    #[serde(rename = "_lastUpdated")]
    #[param(max_length = 64, example = "gt2026-06-01T12:00:00Z")]
    last_updated: Option<String>,
}

/// What a search of FHIR says of an instant: the first and last microsecond that fit.
fn between(asked: &str) -> Result<(i64, i64), Problem> {
    let malformed =
        || Problem::malformed("_lastUpdated must be gt, ge, lt or le, and an instant such as 2026-06-01T12:00:00Z");
    let (prefix, instant) = asked.split_at_checked(2).ok_or_else(malformed)?;
    let at = instant.parse::<Timestamp>().map_err(|_| malformed())?.as_microsecond();
    match prefix {
        "gt" => Ok((at.saturating_add(1), i64::MAX)),
        "ge" => Ok((at, i64::MAX)),
        "lt" => Ok((i64::MIN, at.saturating_sub(1))),
        "le" => Ok((i64::MIN, at)),
        _ => Err(malformed()),
    }
}

/// List a partner's referrals
///
/// What was sent to the partner that asks: what is with it, and of what consent was withdrawn. Partners that poll ask with
/// `_lastUpdated` for what is new.
#[utoipa::path(get, path = "/v1/partner/referrals", tag = "referrals", params(InboxQuery),
    responses((status = 200, description = "A page", body = PartnerInbox), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn list_partner_referrals(
    State(referrals): State<Referrals>,
    CallerMay { caller, .. }: CallerMay<op::ListPartnerReferrals>,
    after: After,
    Query(query): Query<InboxQuery>,
) -> Result<Read<PartnerInbox>, Problem> {
    let partner = caller.require_partner()?;
    let updated = query.last_updated.as_deref().map(between).transpose()?;
    let page = PageQuery { limit: query.limit, after: query.after };
    let (limit, cursor) = (page.limit()?, page.opened(&caller)?.after::<i64>()?);
    let wanted = Wanted { stage: None, partner: Some(partner), sent: true, updated };
    let org = caller.org.clone();
    let read = move |connection: &_| {
        let rows = referral_view::referrals(connection, org.as_str(), wanted, cursor, limit)?;
        Ok((rows, referral_view::erasures(connection, org.as_str(), partner)?))
    };
    let Read(position, (rows, erased)) = referrals.views.read(&[&REFERRALS], after, read).await?;
    let lines = referrals.lines(&caller.org, rows.into_iter()).await?;
    let line = |ReferralLine { referral, member, progress, position, updated_at, .. }| {
        let reference = open_referral::reference(&caller, member, referral)?;
        Ok(PartnerLine { referral, reference, progress, updated_at, position })
    };
    let lines = lines.into_iter().map(line).collect::<Result<Vec<_>, Problem>>()?;
    let mut page = Page::new(lines, limit, |line| line.position);
    // What has ended is not the partner's any more; but that consent was withdrawn it acknowledges.
    page.items.retain(|line| line.progress.stage.is_live() || line.progress.stage == Stage::Withdrawn);
    let erased = erased.into_iter().map(|(referral, at)| ErasedReferral { referral, at }).collect();
    Ok(Read(position, PartnerInbox { page: page.sealed(&caller)?, erased }))
}
