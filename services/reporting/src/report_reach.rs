//! Report reach.

use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use web::{After, At, CallerMay, Problem, Problems, Query, Read};

use crate::{
    month::{Month, Period},
    op,
    reach::Dimension,
    report::ReachReport,
    reports::Reports,
};

/// What to report.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ReachQuery {
    /// First month, e.g. `2026-01`: local month of the meetings' start.
    pub from: Month,
    /// Last month, included; at most 240 months.
    pub through: Month,
    /// A row per combination of these, separated by commas: `month`, `programme`, `mode`. Without any, the total.
    #[serde(default)]
    #[param(example = "month,programme,mode")]
    pub by: String,
    /// `json` or `csv`.
    #[serde(default)]
    #[param(inline)]
    pub format: Format,
}

/// The form of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// For programs.
    #[default]
    Json,
    /// For spreadsheets.
    Csv,
}

impl ReachQuery {
    fn asked(&self) -> Result<(Period, Vec<Dimension>), Problem> {
        let period = Period::new(self.from, self.through).map_err(|error| Problem::malformed(error.to_string()))?;
        let by = self.by.split(',').map(str::trim).filter(|name| !name.is_empty());
        let by = by.map(str::parse).collect::<Result<_, _>>();
        Ok((period, by.map_err(|error: crate::UnknownDimension| Problem::malformed(format!("by: {error}")))?))
    }
}

/// Report reach
///
/// How many different people the organisation's held meetings reached in a period, with a lower and an upper bound for
/// those who came without a name. Internal, not for publication: disclosure control has not seen it. Rows share
/// people, so people must not be added up; ask for the wider group instead.
#[utoipa::path(get, path = "/v1/reports/reach", tag = "reports", params(ReachQuery),
    responses(
        (status = 200, description = "The report", content((ReachReport = "application/json"), (String = "text/csv"))),
        Problems,
    ))]
#[tracing::instrument(skip_all, fields(org = %caller.org))]
pub(crate) async fn report_reach(
    State(reports): State<Reports>,
    CallerMay { caller, .. }: CallerMay<op::ReportReach>,
    Query(query): Query<ReachQuery>,
    after: After,
) -> Result<Response, Problem> {
    let (period, by) = query.asked()?;
    after.seen_by(&reports.applied).await?;
    let org = caller.org.clone();
    let write = move |mut report: ReachReport| {
        let at = report.position().unwrap_or_default();
        report.position = caller.seal("report", &report.position)?;
        Ok(match query.format {
            Format::Json => Read(at, report).into_response(),
            Format::Csv => (At(at), csv(&report)).into_response(),
        })
    };
    reports.compute(move |facts| ReachReport::compute(facts, &org, period, &by).map(write)).await?
}

fn csv(report: &ReachReport) -> Response {
    let spec = &report.spec;
    let name = format!("attachment; filename=\"reach-{}-{}-{}-internal.csv\"", spec.org, spec.from, spec.through);
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present".to_owned()),
        (header::CONTENT_DISPOSITION, name),
    ];
    (headers, report.to_csv()).into_response()
}

#[cfg(test)]
mod tests {
    use axum::{
        body::{Body, to_bytes},
        http::{Request, StatusCode},
    };
    use domain::group::MeetingMode;
    use eventlog::Position;
    use jiff::{SignedDuration, Timestamp, civil::date};
    use tempfile::TempDir;
    use tokio::sync::watch;
    use tower::ServiceExt;
    use web::{Authenticator, Clock, Issuer, Role};

    use super::*;
    use crate::{
        FactStore, Facts,
        history::{self, History, group, meeting, member, org, present},
        routes,
    };

    struct World {
        _dir: TempDir,
        reports: Reports,
        issuer: Issuer,
    }

    /// One held meeting of `north` with one member.
    fn world() -> World {
        let mut history = History::default();
        history.programme(&org("north"), history::programme(1), "=Recovery");
        history.group(&org("north"), group(1), history::programme(1));
        let local = date(2026, 1, 6).at(19, 0, 0, 0);
        history.plan(&org("north"), meeting(1), group(1), local, MeetingMode::InPerson);
        history.mark(&org("north"), meeting(1), member(1), present());
        history.held(&org("north"), meeting(1));
        let dir = tempfile::tempdir().unwrap();
        let mut store = FactStore::open(dir.path()).unwrap();
        store.apply(&history.events).unwrap();
        let issuer = Issuer::new(&[7; 32]);
        let authenticator = Authenticator::new(issuer.clone(), Clock::new(|| Timestamp::UNIX_EPOCH));
        let reports =
            Reports::new(Facts::at(dir.path()), watch::Sender::new(store.checkpoint()).subscribe(), authenticator);
        World { _dir: dir, reports, issuer }
    }

    impl World {
        async fn get(&self, org_name: &str, role: Role, query: &str) -> (StatusCode, String) {
            let who = (&org(org_name), role, "somebody");
            let token = self.issuer.sign(who, vec![], Timestamp::UNIX_EPOCH, SignedDuration::from_hours(1)).unwrap();
            let request = Request::get(format!("/v1/reports/reach?{query}"))
                .header(header::AUTHORIZATION, format!("Bearer {token}"))
                .body(Body::empty())
                .unwrap();
            let (router, _) = routes(self.reports.clone()).split_for_parts();
            let response = router.oneshot(request).await.unwrap();
            let status = response.status();
            if status == StatusCode::OK {
                assert_eq!(response.extensions().get::<At>().map(|At(at)| *at), Some(Position(5)));
            }
            let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
            (status, String::from_utf8(body.to_vec()).unwrap())
        }
    }

    const YEAR: &str = "from=2026-01&through=2026-12";

    #[tokio::test]
    async fn an_admin_gets_the_report_as_json_and_as_csv() {
        let world = world();
        let query = format!("{YEAR}&by=programme,month,month");
        let (status, json) = world.get("north", Role::Admin, &query).await;
        assert_eq!(status, StatusCode::OK, "{json}");
        let report: ReachReport = serde_json::from_str(&json).unwrap();
        assert_eq!(report.position(), None, "it is sealed");
        assert_eq!(report.spec.by, [Dimension::Month, Dimension::Programme]);
        assert_eq!(report.rows[0].people, 1);
        let (status, csv) = world.get("north", Role::Admin, &format!("{query}&format=csv")).await;
        assert_eq!(status, StatusCode::OK);
        assert!(csv.contains(",2026-01,") && csv.contains(",'=Recovery,"), "{csv}");
    }

    #[tokio::test]
    async fn another_organisation_gets_its_own_report() {
        let (status, json) = world().get("south", Role::Admin, YEAR).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(serde_json::from_str::<ReachReport>(&json).unwrap().rows[0].people, 0);
    }

    #[tokio::test]
    async fn nobody_but_an_admin_gets_it() {
        let world = world();
        for role in Role::ALL.into_iter().filter(|role| *role != Role::Admin) {
            assert_eq!(world.get("north", role, YEAR).await.0, StatusCode::FORBIDDEN, "{role:?}");
        }
    }

    #[tokio::test]
    async fn a_question_that_cannot_be_understood_is_a_problem() {
        let world = world();
        for query in [
            "from=2026-01",
            "from=2026-13&through=2026-12",
            "from=2026-02&through=2026-01",
            "from=1900-01&through=2026-01",
            "from=2026-01&through=2026-01&by=member",
            "from=2026-01&through=2026-01&format=xlsx",
            "from=2026-01&through=2026-01&org=south",
        ] {
            assert_eq!(world.get("north", Role::Admin, query).await.0, StatusCode::UNPROCESSABLE_ENTITY, "{query}");
        }
    }

    #[tokio::test]
    async fn more_reports_than_fit_at_once_are_told_to_come_again() {
        let world = world();
        let places = u32::try_from(crate::REPORTS_AT_ONCE_MAX).unwrap();
        let _all = world.reports.at_once.clone().try_acquire_many_owned(places).unwrap();
        assert_eq!(world.get("north", Role::Admin, YEAR).await.0, StatusCode::SERVICE_UNAVAILABLE);
    }
}
