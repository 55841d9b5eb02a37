//! List broken glass that nobody has reviewed.

use axum::extract::State;
use domain::{GlassId, MemberId, member::Glass};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use vault::{SealedAs, VaultError};
use web::{After, CallerMay, Opening, Page, PageQuery, Problem, Problems, Query, Read};

use crate::{
    Projections, op,
    opening::{UNREADABLE, unreadable},
    record_view,
};

/// Broken glass.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct GlassLine {
    member: MemberId,
    glass: GlassId,
    /// Who broke it: the subject of their token.
    subject: String,
    /// Why.
    reason: String,
    until: Timestamp,
}

/// List broken glass
///
/// Break-glass accesses that nobody has reviewed yet, with their reasons.
#[utoipa::path(get, path = "/v1/broken-glass", tag = "views", params(PageQuery),
    responses((status = 200, description = "A page", body = Page<GlassLine>), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn list_broken_glass(
    State(projections): State<Projections>,
    CallerMay { caller, .. }: CallerMay<op::ListBrokenGlass>,
    after: After,
    Query(page): Query<PageQuery>,
) -> Result<Read<Page<GlassLine>>, Problem> {
    let (limit, cursor) = (page.limit()?, page.after::<(MemberId, GlassId)>()?);
    let org = caller.org.clone();
    let read = move |connection: &_| record_view::broken_glass(connection, org.as_str(), cursor, limit);
    let Read(position, rows) = projections.read(&[&record_view::RECORDS], after, read).await?;
    let mut lines = Vec::with_capacity(rows.len());
    for (member, glass, Glass { subject, reason, until }) in rows {
        let key = match projections.personal.vault.key(&caller.org, member).await {
            Ok(key) => key.ok_or(VaultError::Missing(member)),
            // Erased since the view was read.
            Err(VaultError::Erased) => continue,
            // One key that is damaged is no reason to show no line.
            Err(error) => Err(error),
        };
        let opened = key.and_then(|key| {
            key.open(&caller.org, member.0, SealedAs::Glass, &reason)
                .map_err(|error| VaultError::Unavailable(error.to_string()))
        });
        let reason = match opened {
            Ok(opened) => String::from_utf8_lossy(&opened).into_owned(),
            Err(error) => {
                unreadable(member, &error);
                UNREADABLE.to_owned()
            }
        };
        lines.push(GlassLine { member, glass, subject: subject.to_string(), reason, until });
    }
    let members: Vec<_> = lines.iter().map(|line| line.member).collect();
    let opening = Opening { at: position, ..Opening::naming("list_broken_glass", members) };
    projections.personal.audit.opened(&caller, opening).await?;
    Ok(Read(position, Page::new(lines, limit, |line| (line.member, line.glass))))
}
