//! List who opened a member's record.

use axum::extract::State;
use domain::MemberId;
use web::{After, CallerMay, Opening as Look, Page, PageQuery, Path, Problem, Problems, Query, Read, Role};

use crate::{
    Projections,
    audit_view::{self, Opening},
    op, record_view,
};

/// List accesses to a member's record
///
/// Who was shown the member and which fields, when and by which operation, latest first. Members see it of themselves.
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
    caller.require_member(member, true)?;
    let (limit, cursor) = (page.limit()?, page.opened(&caller)?.after::<u64>()?);
    let org = caller.org.clone();
    let read = move |connection: &_| {
        let org = org.as_str();
        if record_view::find(connection, org, member)?.is_none() {
            return Ok(None);
        }
        let records = record_view::person(connection, org, member)?;
        audit_view::of_person(connection, org, &records, cursor, limit).map(Some)
    };
    let Read(position, rows) =
        projections.find(&[&record_view::RECORDS, &audit_view::OPENINGS], after, "member", read).await?;
    // Which registers a member was on says where they come. What members read of themselves is nobody's look.
    if caller.role != Role::Member {
        let opening = Look { at: position, ..Look::naming("list_accesses", vec![member]) };
        projections.personal.audit.opened(&caller, opening).await?;
    }
    Ok(Read(position, Page::new(rows, limit, |opening| opening.position).sealed(&caller)?))
}
