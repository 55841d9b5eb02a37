//! List unconfirmed enrolments.

use axum::extract::State;
use web::{After, CallerMay, Page, PageQuery, Problem, Problems, Query, Read};

use crate::{
    Projections, enrolment_view, op,
    opening::Look,
    record_view,
    rosters::{self, UnconfirmedLine},
};

/// List unconfirmed enrolments
///
/// Enrolments and applications that facilitators recorded, oldest first: until somebody confirms them, the members'
/// records stay shut to those who lead the group. Each is confirmed, or taken back as entered in error.
#[utoipa::path(get, path = "/v1/unconfirmed-enrolments", tag = "views", params(PageQuery),
    responses((status = 200, description = "A page", body = Page<UnconfirmedLine>), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn list_unconfirmed_enrolments(
    State(projections): State<Projections>,
    CallerMay { caller, .. }: CallerMay<op::ListUnconfirmedEnrolments>,
    after: After,
    Query(page): Query<PageQuery>,
) -> Result<Read<Page<UnconfirmedLine>>, Problem> {
    let (limit, cursor) = (page.limit()?, page.opened(&caller)?.after::<i64>()?);
    let org = caller.org.clone();
    let read = move |connection: &_| {
        let lines = rosters::unconfirmed(connection, org.as_str(), cursor, limit)?;
        let mut sealed = Vec::new();
        for line in lines.iter().take(limit) {
            let record = record_view::find(connection, org.as_str(), line.member)?;
            sealed.extend(record.map(|record| (line.member, record.fields)));
        }
        Ok((lines, sealed))
    };
    let Read(position, (mut lines, sealed)) =
        projections.read(&[&enrolment_view::ENROLMENTS, &record_view::RECORDS], after, read).await?;
    let members = lines.iter().take(limit).map(|line| line.member);
    let look = Look::at_members(&caller, "list_unconfirmed_enrolments", position, members);
    let called = projections.called(look, sealed).await?;
    for line in &mut lines {
        line.called = called.names.get(&line.member).cloned();
        line.unreadable = called.unreadable.contains(&line.member);
    }
    Ok(Read(position, Page::new(lines, limit, |line| line.began).sealed(&caller)?))
}
