//! List endpoints.

use axum::extract::State;
use domain::endpoint::{self, ENDPOINTS_MAX};
use web::{After, CallerMay, Page, PageQuery, Problem, Problems, Query, Read};

use crate::{Outbox, endpoint_row::EndpointRow, op};

/// List endpoints
///
/// All that there are, at most 10, with what keeps them from being sent to.
#[utoipa::path(get, path = "/v1/endpoints", tag = "outbox", params(PageQuery),
    responses((status = 200, description = "A page", body = Page<EndpointRow>), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn list_endpoints(
    State(outbox): State<Outbox>,
    CallerMay { caller, .. }: CallerMay<op::ListEndpoints>,
    after: After,
    Query(page): Query<PageQuery>,
) -> Result<Read<Page<EndpointRow>>, Problem> {
    let (limit, cursor) = (page.limit()?, page.after::<usize>()?);
    let position = after.seen_by(&outbox.log.head()).await?;
    let key = outbox.vault.org_key(&caller.org).await?;
    let mut rows = Vec::new();
    for number in cursor.map_or(0, |cursor| cursor.saturating_add(1))..ENDPOINTS_MAX {
        let id = endpoint::id(&caller.org, number);
        let known = outbox.endpoints.look(&caller.org, id, |endpoint| endpoint.state.clone()).await?;
        if let Some(known) = known {
            rows.push((number, EndpointRow::open(&caller, &key, (id, &known))?));
        }
    }
    let Page { items, next } = Page::new(rows, limit, |(number, _)| *number);
    Ok(Read(position, Page { items: items.into_iter().map(|(_, row)| row).collect(), next }))
}
