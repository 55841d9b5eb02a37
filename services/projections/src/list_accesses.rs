//! List who opened a member's record.

use axum::extract::State;
use domain::MemberId;
use web::{After, CallerMay, Page, PageQuery, Path, Problem, Problems, Query, Read, op};

use crate::{
    Projections,
    audit_view::{self, Opening},
    record_view,
};

/// List accesses to a member's record
///
/// Who opened which fields, when and by which operation, latest first. Members see it of themselves.
#[utoipa::path(get, path = "/v1/members/{member}/accesses", tag = "views",
    params(("member" = MemberId, Path, description = "Whose record"), PageQuery),
    responses((status = 200, description = "A page", body = Page<Opening>), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn list_accesses(
    State(projections): State<Projections>,
    CallerMay { caller, .. }: CallerMay<op::ListAccesses>,
    after: After,
    Path(member): Path<MemberId>,
    Query(page): Query<PageQuery>,
) -> Result<Read<Page<Opening>>, Problem> {
    caller.may_member(member)?;
    let (limit, cursor) = (page.limit()?, page.after::<u64>()?);
    let read = move |connection: &_| {
        let org = caller.org.as_str();
        if record_view::find(connection, org, member)?.is_none() {
            return Ok(None);
        }
        audit_view::of_member(connection, org, member, cursor, limit).map(Some)
    };
    let Read(position, rows) = projections.find(after, "member", read).await?;
    Ok(Read(position, Page::new(rows, limit, |opening| opening.position)))
}
