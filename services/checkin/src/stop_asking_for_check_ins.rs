//! Ask for no more check-ins in a programme.

use axum::extract::State;
use domain::{
    ProgrammeId, instrument,
    protocol::{self, AskedNoMore},
};
use web::{Answer, Command, Path, Problem, Problems};

use crate::{CheckIn, op};

/// Stop asking for check-ins
///
/// Nothing is due any more with this instrument in this programme. Check-ins that were taken stay.
#[utoipa::path(delete, path = "/v1/programmes/{programme}/check-ins/{instrument}", tag = "check-ins",
    params(
        ("programme" = ProgrammeId, Path, description = "The programme"),
        ("instrument" = instrument::Id, Path, description = "With which instrument"),
    ),
    responses((status = 204, description = "The programme does not ask for them"), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn stop_asking_for_check_ins(
    State(check_in): State<CheckIn>,
    Path((programme, instrument)): Path<(ProgrammeId, instrument::Id)>,
    command: Command<op::StopAskingForCheckIns>,
) -> Result<Answer, Problem> {
    let Command { caller, cause, .. } = command;
    check_in.require_programme(&caller, programme).await?;
    check_in.protocol(&caller, cause, protocol::Command::AskNoMore(AskedNoMore { programme, instrument })).await
}
