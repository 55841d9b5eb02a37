//! Import groups from rows with columns of our own.

use axum::extract::State;
use web::{Answer, LargeCommand, Problem, Problems, Query};

use crate::{
    Directory,
    import_listing::{ImportQuery, Report, import_listing},
    listing::{Kind, LISTING_BYTES_MAX},
    op,
};

/// Import groups from rows
///
/// Takes rows with the columns that `kith import groups --template` explains, up to 16 MiB of JSON: `kith import groups` makes
/// it of a CSV file. Each row becomes a group, known by its `id` or else by its name. How to join is shown to members of the
/// group and those who run it, unless `online_public` says yes. All else as for BMLT listings.
#[utoipa::path(post, path = "/v1/imports/groups", tag = "directory", params(ImportQuery),
    request_body(content = serde_json::Value, description = "The rows: a list of objects, each with columns as names", content_type = "application/json"),
    responses((status = 200, description = "The listing is imported, or would be", body = Report), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn import_groups(
    State(directory): State<Directory>,
    Query(query): Query<ImportQuery>,
    command: LargeCommand<op::ImportGroups, LISTING_BYTES_MAX>,
) -> Result<Answer, Problem> {
    import_listing(&directory, Kind::Groups, query, command).await
}
