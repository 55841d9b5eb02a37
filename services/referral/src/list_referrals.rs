//! List referrals.

use std::collections::{HashMap, hash_map::Entry};

use axum::extract::State;
use domain::{
    AttemptId, MemberId, NeedId, OrgId, PartnerId, ServiceId,
    partner::Calendar,
    referral::{Actor, Attempt, Stage, Step, clocks::Due, table::Coarse},
    route::Urgency,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use web::{After, CallerMay, Opening, Page, PageQuery, Problem, Problems, Query, Read};

use crate::{
    Referrals, op,
    referral_view::{self, REFERRALS, ReferralRow, Wanted},
};

/// Referrals that are looked at for one page of those that are overdue, a count: a page may be short, and name a next one.
const LOOKED_AT_MAX: usize = 5_000;

/// Which referrals.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ReferralQuery {
    /// Most rows, 1 to 200; 50 if not given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u16>,
    /// `next` of the page before.
    after: Option<String>,
    /// In this stage only.
    #[serde(default)]
    stage: Option<Stage>,
    /// To this partner only.
    #[serde(default)]
    partner: Option<PartnerId>,
    /// Only those of which something is overdue.
    #[serde(default)]
    overdue: bool,
}

/// A referral.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ReferralLine {
    pub referral: AttemptId,
    /// In whose record.
    pub member: MemberId,
    pub need: NeedId,
    #[serde(flatten)]
    pub progress: Progress,
    #[serde(skip)]
    pub position: i64,
}

/// How far a referral has come.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = ReferralProgress)]
pub(crate) struct Progress {
    pub partner: PartnerId,
    pub service: ServiceId,
    /// What the service was called when it was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_name: Option<String>,
    pub stage: Stage,
    /// In one of four words; missing for what was an error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coarse: Option<Coarse>,
    /// Once it was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub urgency: Option<Urgency>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<Timestamp>,
    /// When the last appointment begins, or began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<Timestamp>,
    /// What is due, the first first; who is silent as long as it is not done.
    pub due: Vec<Due>,
    /// Whether anything of it is overdue.
    pub overdue: bool,
    /// Whether it was sent without consent, and nobody has reviewed that yet.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub override_to_review: bool,
    /// The one thing to be done next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<NextAction>,
}

/// What is to be done next, and by whom.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub(crate) struct NextAction {
    pub by: Actor,
    pub step: Step,
}

impl Progress {
    pub fn new(attempt: &Attempt, calendar: &Calendar, now: Timestamp) -> Self {
        let sent = attempt.sent.as_ref();
        let due = attempt.due(calendar);
        Self {
            partner: attempt.drafted.partner,
            service: attempt.drafted.service,
            service_name: sent.map(|sent| sent.to.name.to_string()),
            stage: attempt.stage,
            coarse: attempt.stage.coarse(),
            urgency: sent.map(|sent| sent.urgency),
            sent_at: sent.map(|sent| sent.at),
            starts_at: attempt.starts_at,
            override_to_review: attempt.overridden.is_some() && attempt.reviewed.is_none(),
            overdue: due.iter().any(|due| due.at <= now),
            due,
            next: attempt.next_action().map(|(by, step)| NextAction { by, step }),
        }
    }
}

/// List referrals
///
/// In the order in which they were drafted, with what is due of each and whose turn it is.
#[utoipa::path(get, path = "/v1/referrals", tag = "referrals", params(ReferralQuery),
    responses((status = 200, description = "A page", body = Page<ReferralLine>), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn list_referrals(
    State(referrals): State<Referrals>,
    CallerMay { caller, .. }: CallerMay<op::ListReferrals>,
    after: After,
    Query(query): Query<ReferralQuery>,
) -> Result<Read<Page<ReferralLine>>, Problem> {
    let page = PageQuery { limit: query.limit, after: query.after };
    let (limit, cursor) = (page.limit()?, page.opened(&caller)?.after::<i64>()?);
    let wanted = Wanted { stage: query.stage, partner: query.partner };
    let org = caller.org.clone();
    let rows = if query.overdue { LOOKED_AT_MAX } else { limit };
    let read = move |connection: &_| referral_view::referrals(connection, org.as_str(), wanted, cursor, rows);
    let Read(position, rows_read) = referrals.views.read(&[&REFERRALS], after, read).await?;
    let more = rows_read.len() > rows;
    let lines = referrals.lines(&caller.org, rows_read.into_iter().take(rows + 1)).await?;
    let page =
        if query.overdue { of_overdue(lines, limit, more) } else { Page::new(lines, limit, |line| line.position) };
    let members = page.items.iter().map(|line| line.member).collect();
    let opening = Opening { at: position, ..Opening::naming("list_referrals", members) };
    referrals.audit.opened(&caller, opening).await?;
    Ok(Read(position, page.sealed(&caller)?))
}

/// Those of the lines that are overdue; if there are `more` than were looked at, the next page goes on behind the last one.
fn of_overdue(mut lines: Vec<ReferralLine>, limit: usize, more: bool) -> Page<ReferralLine> {
    let looked_at = lines.last().map(|line| line.position);
    lines.retain(|line| line.progress.overdue);
    let mut page = Page::new(lines, limit, |line| line.position);
    if let (None, true, Some(last)) = (&page.next, more, looked_at) {
        page.next = Some(last.to_string());
    }
    page
}

impl Referrals {
    /// Rows as lines, each with what is due by its partner's calendar.
    pub async fn lines(
        &self,
        org: &OrgId,
        rows: impl Iterator<Item = ReferralRow>,
    ) -> Result<Vec<ReferralLine>, Problem> {
        let now = self.authenticator.clock.now();
        let mut calendars: HashMap<PartnerId, Calendar> = HashMap::new();
        let mut lines = Vec::new();
        for ReferralRow { member, position, attempt } in rows {
            let (partner, need) = (attempt.drafted.partner, attempt.drafted.need);
            if let Entry::Vacant(entry) = calendars.entry(partner) {
                entry.insert(self.calendar(org, partner).await?);
            }
            let progress = Progress::new(&attempt, &calendars[&partner], now);
            let referral = attempt.drafted.attempt;
            lines.push(ReferralLine { referral, member, need, progress, position });
        }
        Ok(lines)
    }
}
