//! List groups.

use axum::extract::State;
use domain::GroupId;
use web::{After, CallerMay, Page, PageQuery, Problem, Problems, Query, Read};

use crate::{
    Projections,
    group_view::{self, GroupRow},
    op,
};

/// List groups
///
/// By name; facilitators see their own.
#[utoipa::path(get, path = "/v1/groups", tag = "views", params(PageQuery),
    responses((status = 200, description = "A page", body = Page<GroupRow>), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn list_groups(
    State(projections): State<Projections>,
    CallerMay { caller, .. }: CallerMay<op::ListGroups>,
    after: After,
    Query(page): Query<PageQuery>,
) -> Result<Read<Page<GroupRow>>, Problem> {
    let (limit, cursor) = (page.limit()?, page.after::<(String, GroupId)>()?);
    let read = move |connection: &_| {
        group_view::list(connection, caller.org.as_str(), caller.own_groups(), cursor.as_ref(), limit)
    };
    let Read(position, rows) = projections.read(&[&group_view::GROUPS], after, read).await?;
    Ok(Read(position, Page::new(rows, limit, |row| (row.name.clone(), row.id))))
}
