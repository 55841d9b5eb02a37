//! List programmes.

use axum::extract::State;
use domain::ProgrammeId;
use web::{After, CallerMay, Page, PageQuery, Problem, Problems, Query, Read};

use crate::{
    Projections, op,
    programme_view::{self, ProgrammeRow},
};

/// List programmes
///
/// By name.
#[utoipa::path(get, path = "/v1/programmes", tag = "views", params(PageQuery),
    responses((status = 200, description = "A page", body = Page<ProgrammeRow>), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn list_programmes(
    State(projections): State<Projections>,
    CallerMay { caller, .. }: CallerMay<op::ListProgrammes>,
    after: After,
    Query(page): Query<PageQuery>,
) -> Result<Read<Page<ProgrammeRow>>, Problem> {
    let (limit, cursor) = (page.limit()?, page.after::<(String, ProgrammeId)>()?);
    let read = move |connection: &_| programme_view::list(connection, caller.org.as_str(), cursor.as_ref(), limit);
    let Read(position, rows) = projections.read(&[&programme_view::PROGRAMMES], after, read).await?;
    Ok(Read(position, Page::new(rows, limit, |row| (row.name.clone(), row.id))))
}
