//! Show a member.

use axum::extract::State;
use domain::MemberId;
use web::{After, CallerMay, Path, Problem, Problems, Read, op};

use crate::{
    Projections,
    member_view::{self, MemberView},
};

/// Show a member
///
/// Their groups and how far each enrolment has come, when they were last seen, and how many held meetings in a row they attended or missed.
#[utoipa::path(get, path = "/v1/members/{member}", tag = "views",
    params(("member" = MemberId, Path, description = "Who")),
    responses((status = 200, description = "The member", body = MemberView), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn show_member(
    State(projections): State<Projections>,
    CallerMay { caller, .. }: CallerMay<op::ShowMember>,
    after: After,
    Path(member): Path<MemberId>,
) -> Result<Read<MemberView>, Problem> {
    caller.may_member(member)?;
    let today = projections.today();
    let read = move |connection: &_| member_view::find(connection, caller.org.as_str(), member, today);
    projections.find(after, "member", read).await
}
