//! List overdue registers.

use axum::extract::State;
use domain::MeetingId;
use web::{After, CallerMay, Page, PageQuery, Problem, Problems, Query, Read};

use crate::{
    Projections,
    meetings::{self, MeetingRow},
    op, record_view, register_view,
};

/// List overdue registers
///
/// Meetings that are over and of which nobody said whether they were held, or whose register was opened again; oldest
/// first. Facilitators get those of their own groups.
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
    let now = projections.authenticator.clock.now();
    let read = move |connection: &_| {
        meetings::all_overdue(connection, (caller.org.as_str(), caller.own_groups()), now, cursor, limit)
    };
    let Read(position, rows) =
        projections.read(&[&record_view::RECORDS, &register_view::REGISTERS], after, read).await?;
    Ok(Read(position, Page::new(rows, limit, |row| (row.ends_at.as_second(), row.id))))
}
