//! List check-ins that are due of a member.

use axum::extract::State;
use domain::{MemberId, member};
use web::{After, CallerMay, Opening, Path, Problem, Problems, Read};

use crate::{
    CheckIn,
    due::{self, AllAsked, CheckInsDue},
    op, refused,
};

/// List a member's check-ins due
///
/// What the programmes of a person's groups ask of them now. Members see their own.
#[utoipa::path(get, path = "/v1/members/{member}/check-ins-due", tag = "check-ins",
    params(("member" = MemberId, Path, description = "Whose")),
    responses((status = 200, description = "What is due", body = CheckInsDue), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn list_member_check_ins_due(
    State(check_in): State<CheckIn>,
    CallerMay { caller, .. }: CallerMay<op::ListMemberCheckInsDue>,
    after: After,
    Path(member): Path<MemberId>,
) -> Result<Read<CheckInsDue>, Problem> {
    caller.require_member(member, false)?;
    let asked = check_in.look(&caller, AllAsked::of).await?;
    let clock = &check_in.authenticator.clock;
    let (org, now) = (caller.org.clone(), clock.local(clock.now()));
    let read = move |connection: &_| {
        if !projections::is_registered(connection, org.as_str(), member)? {
            return Ok(None);
        }
        due::due(connection, org.as_str(), ((None, Some(member)), &asked), &now).map(Some)
    };
    let Read(position, due) = check_in.views.read(due::READ, after, read).await?;
    let due = due.ok_or_else(|| refused(&member::Refusal::Unknown))?;
    let opening = Opening { at: position, ..Opening::naming("list_member_check_ins_due", vec![member]) };
    check_in.audit.opened(&caller, opening).await?;
    Ok(Read(position, due))
}
