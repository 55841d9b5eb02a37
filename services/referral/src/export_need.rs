//! Export a need with its referrals.

use std::collections::BTreeMap;

use axum::extract::State;
use domain::{MemberId, NeedId, PartnerId, partner, referral::fhir::Guide};
use serde::Deserialize;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use web::{After, CallerMay, Opening, Path, Problem, Problems, Query, Read};

use crate::{Referrals, fhir::Exported, op, refused};

/// By which guide.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FhirGuide {
    /// HL7 Gravity SDOH Clinical Care.
    Gravity,
    /// HL7 Bidirectional Services e-Referral.
    Bser,
}

/// How it is exported.
#[derive(Debug, Clone, Copy, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExportQuery {
    /// By which guide; Gravity, if it is not given.
    guide: Option<FhirGuide>,
}

/// Export a need
///
/// With its referrals, the consents on which they rest, who sent them, and what the member says, as a `Bundle` of FHIR R4
/// resources without the member's name, and without what the need says. What the guide cannot say is named in it.
#[utoipa::path(get, path = "/v1/members/{member}/needs/{need}/fhir", tag = "referrals",
    params(("member" = MemberId, Path, description = "Whose"), ("need" = NeedId, Path, description = "Which"),
        ExportQuery),
    responses((status = 200, description = "The bundle", body = Object), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn export_need(
    State(referrals): State<Referrals>,
    CallerMay { caller, .. }: CallerMay<op::ExportNeed>,
    after: After,
    Path((member, need)): Path<(MemberId, NeedId)>,
    Query(query): Query<ExportQuery>,
) -> Result<Read<Value>, Problem> {
    let position = after.seen_by(&referrals.log.head()).await?;
    let record = referrals.record_with_need(&caller, member, need).await?;
    let org = record.org();
    let opening = Opening { at: position, ..Opening::naming("export_need", vec![record.id()]) };
    referrals.audit.opened(&caller, opening).await?;
    let state = referrals.streams.look(org, record.id(), |known| known.state.clone()).await?;
    let known = state.needs.get(&need).ok_or_else(|| refused(&domain::referral::Refusal::UnknownNeed))?;
    let mut partners: BTreeMap<PartnerId, String> = BTreeMap::new();
    for attempt in state.of_need(need) {
        let name = |known: &partner::State| known.as_ref().map(|known| known.details.name.to_string());
        let partner = attempt.drafted.partner;
        let name = referrals.partners.look(org, partner, |known| name(&known.state)).await?;
        partners.insert(partner, name.unwrap_or_default());
    }
    let guide = match query.guide {
        None | Some(FhirGuide::Gravity) => Guide::Gravity,
        Some(FhirGuide::Bser) => Guide::Bser,
    };
    let exported = Exported { guide, org, record: record.id(), state: &state, need: known, partners };
    Ok(Read(position, exported.bundle()))
}
