//! Report outcomes.

use axum::extract::{FromRef, State};
use domain::protocol::{self, Protocol};
use eventlog::Streams;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use vault::Vault;
use web::{After, Audit, Authenticator, Caller, CallerMay, Problem, Problems, Query, Read};

use crate::{
    month::{Month, Period},
    op,
    outcomes::{ChangeRow, MoodRow, Opener, Outcomes, SealedOutcomes},
    report::CLASSIFICATION,
    reports::Reports,
};

/// Keys that are asked for at once, a count: others wait for the vault meanwhile.
const KEYS_AT_ONCE: usize = 256;

/// What to report.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct OutcomesQuery {
    /// First month, e.g. `2026-01`: of local days.
    from: Month,
    /// Last month, included; at most 240 months.
    through: Month,
    /// A row for each of these; without it, the total.
    #[param(inline)]
    by: Option<By>,
}

/// By what rows differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum By {
    /// Programme.
    Programme,
}

/// How people say they feel, and what has changed for them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OutcomesReport {
    /// Always "internal, not for publication".
    pub classification: String,
    /// First month.
    pub from: Month,
    /// Last month, included.
    pub through: Month,
    /// Moods at held meetings, by name of the programme.
    pub moods: Vec<MoodRow>,
    /// Changes from the first score to the last, by name of the programme, then by instrument.
    pub changes: Vec<ChangeRow>,
    /// Moods and check-ins that nobody can read any more, as those who said them were erased. A count.
    pub unreadable: u64,
}

/// What opens what is sealed in the facts.
#[derive(Debug, Clone, FromRef)]
pub(crate) struct Opening {
    pub authenticator: Authenticator,
    pub reports: Reports,
    pub vault: Vault,
    /// What each organisation asks, to know its instruments.
    pub protocols: Streams<Protocol>,
    pub audit: Audit,
}

/// Report outcomes
///
/// How people say they feel at meetings, and the paired change from their first score to their last, in a period.
/// Internal, not for publication: disclosure control has not seen it. Whoever objects to statistics is left out. That
/// it was computed is in the audit, with how many people's answers were opened for it.
#[utoipa::path(get, path = "/v1/reports/outcomes", tag = "reports", params(OutcomesQuery),
    responses((status = 200, description = "The report", body = OutcomesReport), Problems))]
#[tracing::instrument(skip_all, fields(org = %caller.org))]
pub(crate) async fn report_outcomes(
    State(opening): State<Opening>,
    CallerMay { caller, .. }: CallerMay<op::ReportOutcomes>,
    Query(query): Query<OutcomesQuery>,
    after: After,
) -> Result<Read<OutcomesReport>, Problem> {
    let OutcomesQuery { from, through, by } = query;
    let period = Period::new(from, through).map_err(|error| Problem::malformed(error.to_string()))?;
    let reports = &opening.reports;
    after.seen_by(&reports.applied).await?;
    let org = caller.org.clone();
    let (place, sealed) = reports.compute_at(reports.place()?, move |facts| facts.outcomes(&org, period)).await?;
    let opener = opening.opener(&caller, &sealed).await?;
    let position = sealed.position;
    let open = move |_: &_| Ok(sealed.open(&opener, by == Some(By::Programme)));
    let (_, Outcomes { moods, changes, unreadable }) = reports.compute_at(place, open).await?;
    let classification = CLASSIFICATION.to_owned();
    Ok(Read(position, OutcomesReport { classification, from, through, moods, changes, unreadable }))
}

impl Opening {
    /// What opens them, once it is written down that they are opened.
    async fn opener(&self, caller: &Caller, sealed: &SealedOutcomes) -> Result<Opener, Problem> {
        let members: Vec<_> = sealed.members().into_iter().collect();
        self.audit.counted(caller, "report_outcomes", sealed.position, members.len()).await?;
        let mut keys = Vec::with_capacity(members.len());
        for members in members.chunks(KEYS_AT_ONCE) {
            keys.extend(self.vault.keys(&caller.org, members).await?);
        }
        let instruments = |protocol: &protocol::State| {
            let instrument = |(id, version): &_| protocol.instrument(id, *version).cloned();
            sealed.editions().iter().map(instrument).collect()
        };
        let protocol = protocol::stream_id(&caller.org);
        let instruments = self.protocols.look(&caller.org, protocol, |protocol| instruments(&protocol.state)).await?;
        Ok(Opener::new(caller.org.clone(), keys, instruments))
    }
}
