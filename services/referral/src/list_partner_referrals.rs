//! List what was sent to a partner.

use axum::extract::State;
use domain::{AttemptId, referral::Stage};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
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
    #[serde(skip)]
    position: i64,
}

/// A referral of somebody who was erased.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub(crate) struct ErasedReferral {
    referral: AttemptId,
    at: Timestamp,
}

/// List a partner's referrals
///
/// What was sent to the partner that asks: what is with it, and of what consent was withdrawn.
#[utoipa::path(get, path = "/v1/partner/referrals", tag = "referrals", params(PageQuery),
    responses((status = 200, description = "A page", body = PartnerInbox), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn list_partner_referrals(
    State(referrals): State<Referrals>,
    CallerMay { caller, .. }: CallerMay<op::ListPartnerReferrals>,
    after: After,
    Query(page): Query<PageQuery>,
) -> Result<Read<PartnerInbox>, Problem> {
    let partner = caller.require_partner()?;
    let (limit, cursor) = (page.limit()?, page.opened(&caller)?.after::<i64>()?);
    let wanted = Wanted { stage: None, partner: Some(partner), sent: true };
    let org = caller.org.clone();
    let read = move |connection: &_| {
        let rows = referral_view::referrals(connection, org.as_str(), wanted, cursor, limit)?;
        Ok((rows, referral_view::erasures(connection, org.as_str(), partner)?))
    };
    let Read(position, (rows, erased)) = referrals.views.read(&[&REFERRALS], after, read).await?;
    let lines = referrals.lines(&caller.org, rows.into_iter()).await?;
    let line = |ReferralLine { referral, member, progress, position, .. }| {
        let reference = open_referral::reference(&caller, member, referral)?;
        Ok(PartnerLine { referral, reference, progress, position })
    };
    let lines = lines.into_iter().map(line).collect::<Result<Vec<_>, Problem>>()?;
    let mut page = Page::new(lines, limit, |line| line.position);
    // What has ended is not the partner's any more; but that consent was withdrawn it acknowledges.
    page.items.retain(|line| line.progress.stage.is_live() || line.progress.stage == Stage::Withdrawn);
    let erased = erased.into_iter().map(|(referral, at)| ErasedReferral { referral, at }).collect();
    Ok(Read(position, PartnerInbox { page: page.sealed(&caller)?, erased }))
}
