//! List a group's assignments.

use axum::extract::State;
use domain::{GroupId, Subject, access::Duty};
use jiff::civil::Date;
use serde::Serialize;
use utoipa::ToSchema;
use web::{After, CallerMay, Page, PageQuery, Path, Problem, Problems, Query, Read};

use crate::{Access, op};

/// Somebody who is assigned to the group.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AssignmentRow {
    subject: String,
    duty: Duty,
    starts_on: Date,
}

/// List assignments
///
/// Who is assigned to the group, by subject; also from a day that is yet to come. Groups that a token names are not
/// in this list.
#[utoipa::path(get, path = "/v1/groups/{group}/assignments", tag = "access",
    params(("group" = GroupId, Path, description = "The group"), PageQuery),
    responses((status = 200, description = "A page", body = Page<AssignmentRow>), Problems))]
#[tracing::instrument(skip_all, fields(group = %group))]
pub(crate) async fn list_assignments(
    State(access): State<Access>,
    CallerMay { caller, .. }: CallerMay<op::ListAssignments>,
    after: After,
    Path(group): Path<GroupId>,
    Query(page): Query<PageQuery>,
) -> Result<Read<Page<AssignmentRow>>, Problem> {
    let (limit, cursor) = (page.limit()?, page.after::<String>()?);
    access.require_group(&caller, group).await?;
    let rows = access.read(&caller.org, after, |state| {
        let assigned = state.assigned_to(group);
        let assigned = assigned.filter(|(subject, _)| cursor.as_deref().is_none_or(|cursor| cursor < subject.as_str()));
        let row = |(subject, known): (&Subject, domain::access::Assignment)| AssignmentRow {
            subject: subject.to_string(),
            duty: known.duty,
            starts_on: known.starts_on,
        };
        assigned.map(row).take(limit + 1).collect::<Vec<_>>()
    });
    let Read(position, rows) = rows.await?;
    Ok(Read(position, Page::new(rows, limit, |row| row.subject.clone())))
}
