//! Show what is asked when, and who is told.

use axum::extract::State;
use domain::{
    ProgrammeId, Subject, instrument,
    instrument::Language,
    protocol::{CrisisText, Deadlines, Edition, Seat, Timing},
};
use serde::Serialize;
use utoipa::ToSchema;
use web::{After, CallerMay, Problem, Problems, Read};

use crate::{CheckIn, op};

/// What an organisation asks when, who is told of a concern, and what is said to whoever may be in danger.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ProtocolView {
    in_use: Vec<Edition>,
    asked: Vec<AskedRow>,
    duty_seats: Vec<SeatRow>,
    crisis_texts: Vec<CrisisRow>,
    deadlines: Deadlines,
}

/// What a programme asks for.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct AskedRow {
    programme: ProgrammeId,
    instrument: instrument::Id,
    timing: Timing,
}

/// Who sits where concerns go.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct SeatRow {
    seat: Seat,
    holder: Subject,
}

/// What is said in one language.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct CrisisRow {
    language: Language,
    text: CrisisText,
}

/// Show the protocol
///
/// Which instruments are in use, which programme asks for check-ins when, who holds the duty seats, and what is said in
/// danger.
#[utoipa::path(get, path = "/v1/protocol", tag = "check-ins",
    responses((status = 200, description = "The protocol", body = ProtocolView), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn show_protocol(
    State(check_in): State<CheckIn>,
    CallerMay { caller, .. }: CallerMay<op::ShowProtocol>,
    after: After,
) -> Result<Read<ProtocolView>, Problem> {
    let view = check_in.read(&caller, after, |protocol| ProtocolView {
        in_use: protocol.all_in_use().cloned().collect(),
        asked: protocol
            .all_asked()
            .map(|(programme, instrument, timing)| AskedRow { programme, instrument: instrument.clone(), timing })
            .collect(),
        duty_seats: protocol.seats().map(|(seat, holder)| SeatRow { seat, holder: holder.clone() }).collect(),
        crisis_texts: protocol
            .crisis_texts()
            .map(|(language, text)| CrisisRow { language: language.clone(), text: text.clone() })
            .collect(),
        deadlines: protocol.deadlines,
    });
    view.await
}
