//! List all openings of records.

use axum::{extract::State, response::Response};
use domain::MemberId;
use serde::Serialize;
use utoipa::ToSchema;
use web::{After, CallerMay, Opening as Look, Page, PageQuery, Problem, Problems, Query, Read};

use crate::{
    Projections,
    audit_view::{self, Opening},
    op,
};

/// An opening, and whose data it opened.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct AuditLine {
    #[serde(flatten)]
    opening: Opening,
    /// Whose, if they are at most 8 and it was no register or roster; without those who were erased since.
    members: Vec<MemberId>,
}

/// List the audit
///
/// Every answer that showed members to somebody in the organisation, latest first; this one from the next on.
#[utoipa::path(get, path = "/v1/audit", tag = "views", params(PageQuery),
    responses((status = 200, description = "A page", body = Page<AuditLine>), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn list_audit(
    State(projections): State<Projections>,
    CallerMay { caller, .. }: CallerMay<op::ListAudit>,
    after: After,
    Query(page): Query<PageQuery>,
) -> Result<Response, Problem> {
    let (limit, cursor) = (page.limit()?, page.opened(&caller)?.after::<u64>()?);
    let org = caller.org.clone();
    let read = move |connection: &_| audit_view::of_org(connection, org.as_str(), cursor, limit);
    let Read(position, rows) = projections.read(&[&audit_view::OPENINGS], after, read).await?;
    let members = rows.iter().take(limit).flat_map(|(_, members)| members).copied().collect();
    let opening = Look { at: position, ..Look::naming("list_audit", members) };
    projections.personal.audit.opened(&caller, opening).await?;
    let lines = rows.into_iter().map(|(opening, members)| AuditLine { opening, members }).collect();
    let page = Page::new(lines, limit, |line: &AuditLine| line.opening.position).sealed(&caller)?;
    projections.answer(&caller, Read(position, page)).await
}
