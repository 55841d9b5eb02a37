//! List concerns.

use axum::extract::State;
use domain::{
    ConcernId, MemberId, Subject,
    care::{Escalation, Outcome, Urgency},
    protocol::{self, Seat},
};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use web::{After, CallerMay, Opening, Page, PageQuery, Problem, Problems, Query, Read};

use crate::{
    CheckIn,
    care_view::{self, CARE, ConcernRow},
    op,
};

/// A concern.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ConcernLine {
    pub concern: ConcernId,
    /// About whom.
    pub member: MemberId,
    pub urgency: Urgency,
    pub raised_at: Timestamp,
    /// Until when somebody has to acknowledge it.
    pub acknowledge_by: Timestamp,
    /// Where it went.
    pub seat: Seat,
    /// Whose it is: who acknowledged it last, or else who holds the seat now.
    pub owner: Option<Subject>,
    pub acknowledged_at: Option<Timestamp>,
    /// How far it has gone because nobody acknowledged it in time.
    pub escalation: Escalation,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolved_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    #[serde(skip)]
    pub position: i64,
}

impl ConcernLine {
    /// A concern as it stands now, with whoever holds its seat now.
    pub fn new(row: &ConcernRow, protocol: &protocol::State, now: Timestamp) -> Self {
        let ConcernRow { member, position, raised, owner, acknowledged_at, resolved } = row;
        let waits = acknowledged_at.is_none() && resolved.is_none();
        let escalation = if waits { raised.escalation(now) } else { Escalation::None };
        let reached = match escalation {
            Escalation::None => raised.seat,
            Escalation::Organisation | Escalation::Everybody => Seat::Organisation,
        };
        Self {
            concern: raised.concern,
            member: *member,
            urgency: raised.urgency,
            raised_at: raised.raised_at,
            acknowledge_by: raised.acknowledge_by,
            seat: raised.seat,
            owner: owner.clone().or_else(|| protocol.holder(reached).cloned()),
            acknowledged_at: *acknowledged_at,
            escalation,
            resolved_at: resolved.as_ref().map(|(at, ..)| *at),
            outcome: resolved.as_ref().map(|(_, outcome, _)| *outcome),
            position: *position,
        }
    }
}

/// List concerns
///
/// Those that nobody has settled, by their deadlines; what each is for is shown one by one.
#[utoipa::path(get, path = "/v1/concerns", tag = "check-ins", params(PageQuery),
    responses((status = 200, description = "A page", body = Page<ConcernLine>), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn list_concerns(
    State(check_in): State<CheckIn>,
    CallerMay { caller, .. }: CallerMay<op::ListConcerns>,
    after: After,
    Query(page): Query<PageQuery>,
) -> Result<Read<Page<ConcernLine>>, Problem> {
    let (limit, cursor) = (page.limit()?, page.opened(&caller)?.after::<(i64, i64)>()?);
    let org = caller.org.clone();
    let read = move |connection: &_| care_view::open_concerns(connection, org.as_str(), cursor, limit);
    let Read(position, rows) = check_in.views.read(&[&CARE], after, read).await?;
    let members = rows.iter().take(limit).map(|row| row.member).collect();
    let opening = Opening { at: position, ..Opening::naming("list_concerns", members) };
    check_in.audit.opened(&caller, opening).await?;
    let now = check_in.authenticator.clock.now();
    let line = |protocol: &protocol::State| rows.iter().map(|row| ConcernLine::new(row, protocol, now)).collect();
    let lines: Vec<_> = check_in.look(&caller, line).await?;
    Ok(Read(
        position,
        Page::new(lines, limit, |line| (line.acknowledge_by.as_second(), line.position)).sealed(&caller)?,
    ))
}
