//! Import a Meeting Guide feed.

use axum::extract::State;
use web::{Answer, LargeCommand, Problem, Problems, Query};

use crate::{
    Directory,
    import_listing::{ImportQuery, Report, import_listing},
    listing::{Kind, LISTING_BYTES_MAX},
    op,
};

/// Import a Meeting Guide feed
///
/// Takes a feed in the Meeting Guide format (also called TSML JSON), up to 16 MiB. Each meeting becomes a group, known by its
/// slug, each entity a programme. Types become formats, languages and what is offered to those who could not come without
/// it. Nothing is kept of contacts. A meeting whose slug ends with the id of a group of the organisation's own is a copy of
/// it, and changes nothing. All else as for BMLT listings.
#[utoipa::path(post, path = "/v1/imports/meeting-guide", tag = "directory", params(ImportQuery),
    request_body(content = serde_json::Value, description = "The feed: a list of meetings", content_type = "application/json"),
    responses((status = 200, description = "The listing is imported, or would be", body = Report), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn import_meeting_guide(
    State(directory): State<Directory>,
    Query(query): Query<ImportQuery>,
    command: LargeCommand<op::ImportMeetingGuide, LISTING_BYTES_MAX>,
) -> Result<Answer, Problem> {
    import_listing(&directory, Kind::MeetingGuide, query, command).await
}
