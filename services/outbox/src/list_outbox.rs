//! List what is written to members.

use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;
use web::{After, CallerMay, Opening, Page, PageQuery, Problem, Problems, Query, Read};

use crate::{
    Outbox,
    letter_view::{self, LETTERS, LetterRow, LetterState},
    op,
};

/// Which letters.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct WhichLetters {
    /// Only those that have come so far; all if not given.
    state: Option<LetterState>,
    /// Most rows, 1 to 200; 50 if not given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u16>,
    /// `next` of the page before.
    #[param(max_length = 512)]
    after: Option<String>,
}

/// List what is written to members
///
/// The latest first: what waits, what was sent, and what was withheld and why, so that somebody can call instead. Whom it
/// shows is in the audit.
#[utoipa::path(get, path = "/v1/outbox", tag = "outbox", params(WhichLetters),
    responses((status = 200, description = "A page", body = Page<LetterRow>), Problems))]
#[tracing::instrument(skip_all)]
pub(crate) async fn list_outbox(
    State(outbox): State<Outbox>,
    CallerMay { caller, .. }: CallerMay<op::ListOutbox>,
    after: After,
    Query(WhichLetters { state, limit, after: next }): Query<WhichLetters>,
) -> Result<Read<Page<LetterRow>>, Problem> {
    let page = PageQuery { limit, after: next }.opened(&caller)?;
    let (limit, before) = (page.limit()?, page.after::<i64>()?);
    let org = caller.org.clone();
    let read = move |connection: &_| letter_view::list(connection, org.as_str(), state, before, limit);
    let Read(position, rows) = outbox.views.read(&[&LETTERS], after, read).await?;
    let page = Page::new(rows, limit, |row| row.position).sealed(&caller)?;
    let shown = page.items.iter().map(|row| row.member).collect();
    outbox.audit.opened(&caller, Opening { at: position, ..Opening::naming("list_outbox", shown) }).await?;
    Ok(Read(position, page))
}
