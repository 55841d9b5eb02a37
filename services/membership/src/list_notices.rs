//! List notices.

use domain::member::{NOTICES, Notice};
use web::{CallerMay, Problem, Problems};

use crate::op;

/// List notices
///
/// Texts of the law that go with what is disclosed about a member, each in the version that is in force: now those of
/// 42 CFR Part 2 for records of programmes about substance use.
#[utoipa::path(get, path = "/v1/notices", tag = "membership",
    responses((status = 200, description = "The notices", body = Vec<Notice>), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn list_notices(
    CallerMay { .. }: CallerMay<op::ListNotices>,
) -> Result<axum::Json<&'static [Notice]>, Problem> {
    Ok(axum::Json(NOTICES))
}
