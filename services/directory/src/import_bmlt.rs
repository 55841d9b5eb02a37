//! Import a BMLT listing.

use axum::extract::State;
use web::{Answer, LargeCommand, Problem, Problems, Query};

use crate::{
    Directory,
    import_listing::{ImportQuery, Report, import_listing},
    listing::{Kind, LISTING_BYTES_MAX},
    op,
};

/// Import a BMLT listing
///
/// Takes the JSON that a BMLT server answers to `GetSearchResults` (with `get_used_formats`), optionally with its
/// `service_bodies`, up to 16 MiB. Each meeting becomes a group, each service body in use a programme. What is
/// already here as listed is not written again; a group that is no longer listed is told, and stays as it is unless
/// `missing` says otherwise. Odd values are left out with a remark and never stop the rest.
#[utoipa::path(post, path = "/v1/imports/bmlt", tag = "directory", params(ImportQuery),
    request_body(content = serde_json::Value, description = "The listing", content_type = "application/json"),
    responses((status = 200, description = "The listing is imported, or would be", body = Report), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn import_bmlt(
    State(directory): State<Directory>,
    Query(query): Query<ImportQuery>,
    command: LargeCommand<op::ImportBmlt, LISTING_BYTES_MAX>,
) -> Result<Answer, Problem> {
    import_listing(&directory, Kind::Bmlt, query, command).await
}
