//! List overdue registers.

use axum::extract::State;
use domain::MeetingId;
use web::{After, CallerMay, Page, PageQuery, Problem, Problems, Query, Read, op};

use crate::{
    Projections,
    register_view::{self, MeetingRow},
};

/// List overdue registers
///
/// Meetings that are over and of which nobody said whether they were held; oldest first.
#[utoipa::path(get, path = "/v1/overdue-registers", tag = "views", params(PageQuery),
    responses((status = 200, description = "A page", body = Page<MeetingRow>), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn list_overdue_registers(
    State(projections): State<Projections>,
    CallerMay { caller, .. }: CallerMay<op::ListOverdueRegisters>,
    after: After,
    Query(page): Query<PageQuery>,
) -> Result<Read<Page<MeetingRow>>, Problem> {
    let (limit, cursor) = (page.limit()?, page.after::<(i64, MeetingId)>()?);
    let now = projections.gate.clock.now();
    let read = move |connection: &_| register_view::overdue(connection, caller.org.as_str(), now, cursor, limit);
    let Read(position, rows) = projections.read(after, read).await?;
    Ok(Read(position, Page::new(rows, limit, |row| (row.ends_at.as_second(), row.id))))
}
