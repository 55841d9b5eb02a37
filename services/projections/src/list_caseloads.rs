//! List what is in whose care.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::State;
use domain::Subject;
use serde::Serialize;
use utoipa::ToSchema;
use web::{After, CallerMay, Problem, Problems, Read};

use crate::{Projections, op};

/// What is in whose care.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Caseloads {
    /// By subject.
    items: Vec<Caseload>,
}

/// What is in somebody's care.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub(crate) struct Caseload {
    /// Whose: the subject of their token.
    owner: String,
    /// People whom it is about; unit: person.
    members: usize,
    /// Referrals that are on their way; unit: referral.
    referrals: usize,
    /// Concerns that they see to; unit: concern.
    concerns: usize,
    /// What waits for them in the queue; unit: item.
    waiting: usize,
    /// So much of it is overdue.
    overdue: usize,
}

/// List caseloads
///
/// Of everybody who has referrals on their way, concerns, or something in the queue that is theirs: how much it is. For
/// those who share out work among coordinators; the numbers are small, and none is for publication.
#[utoipa::path(get, path = "/v1/caseloads", tag = "views",
    responses((status = 200, description = "Caseloads", body = Caseloads), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn list_caseloads(
    State(projections): State<Projections>,
    CallerMay { caller, .. }: CallerMay<op::ListCaseloads>,
    after: After,
) -> Result<Read<Caseloads>, Problem> {
    let caseloads = projections.boards.read(&caller.org, after, |shown| {
        let mut by_owner = BTreeMap::<&Subject, (Caseload, BTreeSet<_>)>::new();
        for case in &shown.cases {
            let (load, members) = by_owner.entry(&case.owner).or_default();
            members.insert(case.member);
            match case.what {
                "referral" => load.referrals += 1,
                _ => load.concerns += 1,
            }
        }
        for item in &shown.items {
            let Some(owner) = &item.owner else { continue };
            let (load, members) = by_owner.entry(owner).or_default();
            members.extend(item.member);
            load.waiting += 1;
            load.overdue += usize::from(item.is_overdue(shown.now));
        }
        let loads = by_owner.into_iter();
        let load = |(owner, (load, members)): (&Subject, (Caseload, BTreeSet<_>))| Caseload {
            owner: owner.to_string(),
            members: members.len(),
            ..load
        };
        loads.map(load).collect()
    });
    let Read(position, items) = caseloads.await?;
    Ok(Read(position, Caseloads { items }))
}
