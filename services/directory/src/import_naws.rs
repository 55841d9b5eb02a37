//! Import rows of a NAWS export.

use axum::extract::State;
use web::{Answer, LargeCommand, Problem, Problems, Query};

use crate::{
    Directory,
    import_listing::{ImportQuery, Report, import_listing},
    listing::{Kind, LISTING_BYTES_MAX},
    op,
};

/// Import rows of a NAWS export
///
/// Takes the rows of a NAWS export, as BMLT servers write it as CSV, up to 16 MiB of JSON: `kith import naws` makes it of the
/// file. Each meeting becomes a group, known by its id on the server or its code, each area a programme. Nothing is kept of
/// contacts. All else as for BMLT listings.
#[utoipa::path(post, path = "/v1/imports/naws", tag = "directory", params(ImportQuery),
    request_body(content = serde_json::Value, description = "The rows: a list of objects, each with the columns of the export as names", content_type = "application/json"),
    responses((status = 200, description = "The listing is imported, or would be", body = Report), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn import_naws(
    State(directory): State<Directory>,
    Query(query): Query<ImportQuery>,
    command: LargeCommand<op::ImportNaws, LISTING_BYTES_MAX>,
) -> Result<Answer, Problem> {
    import_listing(&directory, Kind::Naws, query, command).await
}
