//! List what was sent to a partner.

use axum::extract::State;
use domain::{
    AttemptId,
    referral::{self, Stage},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use web::{After, Caller, CallerMay, Page, PageQuery, Problem, Problems, Query, Read};

use crate::{
    Referrals,
    list_referrals::Progress,
    op, open_referral,
    referral_view::{self, Fed, FedWhat, REFERRALS, ReferralRow},
};

/// What was sent to a partner.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct PartnerInbox {
    /// Referrals, the one that changed first first. Of whom each is, opening it tells. What ended, or is not the partner's
    /// to see any more, says nothing but which it is, how far it has come and when.
    #[serde(flatten)]
    page: Page<PartnerLine>,
    /// Referrals of people who were erased: what the partner was told by them has to be deleted (GDPR
    /// Art. 17 and 19). A page has so many of both together, in one order of time.
    erased: Vec<ErasedReferral>,
}

/// A referral as its partner sees it in a list: nothing of whom.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(untagged)]
#[allow(clippy::large_enum_variant)] // lives for one page
pub(crate) enum PartnerLine {
    /// What is with the partner, or of what consent was withdrawn, which it acknowledges.
    With(PartnerReferral),
    /// What is not any more.
    Without(PartnerReferralEnded),
}

/// A referral that is with a partner.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct PartnerReferral {
    referral: AttemptId,
    /// To open and answer it by.
    reference: String,
    #[serde(flatten)]
    progress: Progress,
    /// Whether it can be opened.
    open: bool,
    /// When it last changed: later than any other of this partner's did before.
    updated_at: Timestamp,
}

/// A referral that has ended, or is not to be seen by its partner any more.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub(crate) struct PartnerReferralEnded {
    referral: AttemptId,
    stage: Stage,
    /// It cannot be opened.
    open: bool,
    /// When it last changed: later than any other of this partner's did before.
    updated_at: Timestamp,
}

/// A referral of somebody who was erased.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub(crate) struct ErasedReferral {
    referral: AttemptId,
    /// When they were.
    at: Timestamp,
    /// As of other referrals.
    updated_at: Timestamp,
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
/// What was sent to the partner that asks: what is with it, of what consent was withdrawn, what ended, and of whom was
/// erased. Partners that poll ask with `_lastUpdated` for what is new, and learn so also what is not theirs any more.
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
    let updated = query.last_updated.as_deref().map(between).transpose()?.unwrap_or((i64::MIN, i64::MAX));
    let page = PageQuery { limit: query.limit, after: query.after };
    let (limit, cursor) = (page.limit()?, page.opened(&caller)?.after::<i64>()?);
    let org = caller.org.clone();
    let read = move |connection: &_| referral_view::fed(connection, (org.as_str(), partner), updated, cursor, limit);
    let Read(position, fed) = referrals.views.read(&[&REFERRALS], after, read).await?;
    // What ended is told as well, so no page is empty that has a next one.
    let page = Page::new(fed, limit, |fed| fed.updated_at).sealed(&caller)?;
    let (fed, next) = (page.items, page.next);
    let mut inbox = PartnerInbox { page: Page { items: vec![], next }, erased: vec![] };
    for Fed { updated_at, what } in fed {
        let updated_at = Timestamp::from_microsecond(updated_at).unwrap_or(Timestamp::MAX);
        match what {
            FedWhat::Erased(referral, at) => inbox.erased.push(ErasedReferral { referral, at, updated_at }),
            FedWhat::Sent(row) => inbox.page.items.push(referrals.line(&caller, row, updated_at).await?),
        }
    }
    Ok(Read(position, inbox))
}

impl Referrals {
    /// A referral as its partner sees it at this instant: what it cannot open is none of its business any more, but for a
    /// withdrawal, which it acknowledges.
    async fn line(&self, caller: &Caller, row: ReferralRow, updated_at: Timestamp) -> Result<PartnerLine, Problem> {
        let (org, now) = (&caller.org, self.authenticator.clock.now());
        let (referral, member, stage) = (row.attempt.drafted.attempt, row.member, row.attempt.stage);
        let open = stage.is_live() && {
            let standing = self.members.standing(org, member).await?;
            let open = |state: &referral::State| state.open_to_partner(referral, standing, now).is_ok();
            self.streams.look(org, member, |known| open(&known.state)).await?
        };
        if !open && stage != Stage::Withdrawn {
            return Ok(PartnerLine::Without(PartnerReferralEnded { referral, stage, open, updated_at }));
        }
        let calendar = self.calendar(org, row.attempt.drafted.partner).await?;
        let progress = Progress::new(&row.attempt, &calendar, now);
        let reference = open_referral::reference(caller, member, referral)?;
        Ok(PartnerLine::With(PartnerReferral { referral, reference, progress, open, updated_at }))
    }
}
