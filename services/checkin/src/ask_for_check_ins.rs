//! Ask for check-ins in a programme.

use axum::extract::State;
use domain::{
    ProgrammeId, instrument,
    protocol::{self, Asked, Timing},
};
use web::{Answer, Command, Path, Problem, Problems};

use crate::{CheckIn, op};

/// Ask for check-ins
///
/// Who is enrolled in a group of the programme is asked with the instrument on these days, counted from the first day of
/// the enrolment, where the group meets. What is due, open or missed follows from that.
#[utoipa::path(put, path = "/v1/programmes/{programme}/check-ins/{instrument}", tag = "check-ins", request_body = Timing,
    params(
        ("programme" = ProgrammeId, Path, description = "The programme"),
        ("instrument" = instrument::Id, Path, description = "With which instrument"),
    ),
    responses((status = 204, description = "The programme asks for them"), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn ask_for_check_ins(
    State(check_in): State<CheckIn>,
    Path((programme, instrument)): Path<(ProgrammeId, instrument::Id)>,
    command: Command<op::AskForCheckIns, Timing>,
) -> Result<Answer, Problem> {
    let Command { caller, cause, body: timing, .. } = command;
    check_in.require_programme(&caller, programme).await?;
    check_in.protocol(&caller, cause, protocol::Command::Ask(Asked { programme, instrument, timing })).await
}
