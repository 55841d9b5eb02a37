//! Numbers from the log: facts as Parquet, measured with polars.
//!
//! [`FactStore`] turns events into rows (who came, how many more, which meetings were held, whose programme it was)
//! and keeps them beside the log's position. [`Facts`] reads them, also from another process. [`ReachReport`] is how
//! many people an organisation reached, with the unit of every column; [`Outcomes`] how they say they are, and what has
//! changed. [`difference`] proves a store against another.
//!
//! **Invariants:** no type of polars is public here; of a member, only ids are in the facts in clear, and what they said is
//! sealed there and opened in memory only; facts can be deleted at any time and come back from the log; a number of
//! people is never the sum of numbers of people.

mod facts;
mod funnel;
mod month;
mod op;
mod outcomes;
mod persons;
mod reach;
mod report;
mod report_outcomes;
mod report_reach;
mod report_referrals;
mod reports;
mod subscriber;
mod verify;

pub use facts::{FactStore, Facts, FactsError, SEGMENT_ROWS_MAX, SEGMENTS_MAX, StoreError};
pub use funnel::{Funnel, FunnelRow};
pub use month::{Month, PERIOD_MONTHS_MAX, Period, PeriodError};
pub use outcomes::{ChangeRow, MoodRow, Opener, Outcomes, SealedOutcomes};
pub use reach::{Dimension, Reach, ReachRow, UnknownDimension};
pub use report::{CLASSIFICATION, Measure, NOT_ADDITIVE, ReachReport, ReachSpec};
use report_outcomes::Opening;
pub use report_outcomes::OutcomesReport;
pub use report_reach::{Format, ReachQuery};
pub use report_referrals::ReferralsReport;
pub use reports::{REPORTS_AT_ONCE_MAX, Reports};
use subscriber::DerivedFacts;
pub use verify::difference;

#[cfg(test)]
mod history;

use std::sync::Arc;

use domain::{DomainEvent, care, group, meeting, member, people, programme, referral};
use host::{Built, Context, Host, Need};
use utoipa_axum::{router::OpenApiRouter, routes};

/// The context.
pub const CONTEXT: Context = Context {
    name: "reporting",
    about: "Facts and reports",
    needs: &[Need::Nats, Need::Vault],
    operations: op::OPERATIONS,
    views: &[],
    topics: &[],
    folds: &[
        programme::Event::CATEGORY,
        group::Event::CATEGORY,
        meeting::Event::CATEGORY,
        member::Event::CATEGORY,
        people::Event::CATEGORY,
        care::Event::CATEGORY,
        referral::Event::CATEGORY,
    ],
    pages: &[],
    build,
};

fn build(host: &Host) -> Built {
    let facts = DerivedFacts::new(&host.data);
    let reports = Reports::new(Facts::at(&host.data), facts.applied(), host.authenticator.clone());
    let opening = Opening {
        authenticator: host.authenticator.clone(),
        reports: reports.clone(),
        vault: host.vault().clone(),
        protocols: host.of(),
        audit: host.audit.clone(),
    };
    Built {
        routes: routes(reports).merge(outcomes_routes(opening)),
        derived: vec![Arc::new(facts)],
        ..Built::default()
    }
}

/// Operations that count what stands in the facts in clear.
fn routes(reports: Reports) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(report_reach::report_reach))
        .routes(routes!(report_referrals::report_referrals))
        .with_state(reports)
}

/// Operations that open what is sealed there.
fn outcomes_routes(opening: Opening) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(report_outcomes::report_outcomes)).with_state(opening)
}
