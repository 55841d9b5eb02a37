//! Show a concern.

use axum::extract::State;
use domain::{
    ConcernId, MemberId,
    care::{self, Cause},
};
use serde::Serialize;
use utoipa::ToSchema;
use vault::SealedAs;
use web::{After, CallerMay, Opening, Path, Problem, Problems, Read};

use crate::{
    CheckIn,
    care_view::{self, CARE},
    list_concerns::ConcernLine,
    op, refused,
};

/// A concern, and what it is for.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ShownConcern {
    #[serde(flatten)]
    line: ConcernLine,
    /// What it is for; missing if it cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<Cause>,
    /// What was done, once it is settled.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

/// Show a concern
///
/// What it is for. Each look is written down.
#[utoipa::path(get, path = "/v1/members/{member}/concerns/{concern}", tag = "check-ins",
    params(("member" = MemberId, Path, description = "About whom"), ("concern" = ConcernId, Path, description = "Which")),
    responses((status = 200, description = "The concern", body = ShownConcern), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn show_concern(
    State(check_in): State<CheckIn>,
    CallerMay { caller, .. }: CallerMay<op::ShowConcern>,
    after: After,
    Path((member, concern)): Path<(MemberId, ConcernId)>,
) -> Result<Read<ShownConcern>, Problem> {
    let org = caller.org.clone();
    let read = move |connection: &_| care_view::find_concern(connection, org.as_str(), member, concern);
    let Read(position, row) = check_in.views.read(&[&CARE], after, read).await?;
    let row = row.ok_or_else(|| refused(&care::Refusal::UnknownConcern))?;
    let opening = Opening { at: position, ..Opening::naming("show_concern", vec![member]) };
    check_in.audit.opened(&caller, opening).await?;
    let reader = check_in.reader(&caller, &[member], std::iter::empty()).await?;
    let now = check_in.authenticator.clock.now();
    let line = check_in.look(&caller, |protocol| ConcernLine::new(&row, protocol, now)).await?;
    let cause = reader.open(member, concern, SealedAs::Concern, &row.raised.says);
    let note = row.resolved.and_then(|(_, _, note)| reader.open_text(member, concern, SealedAs::Note, &note));
    Ok(Read(position, ShownConcern { line, cause, note }))
}
