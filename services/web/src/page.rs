//! Lists in pages, by cursor.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{Caller, Problem};

/// Most rows of a page, a count.
pub const PAGE_ROWS_MAX: u16 = 200;
/// Rows of a page if it is not said.
const PAGE_ROWS: u16 = 50;
/// Longest cursor, in characters.
const CURSOR_CHARS_MAX: usize = 512;

/// Which part of a list.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// Most rows, 1 to 200; 50 if not given.
    #[param(minimum = 1, maximum = 200)]
    pub limit: Option<u16>,
    /// `next` of the page before.
    #[param(max_length = 512)]
    pub after: Option<String>,
}

impl PageQuery {
    /// Most rows.
    ///
    /// # Errors
    /// 422 if it is out of bounds.
    pub fn limit(&self) -> Result<usize, Problem> {
        match self.limit.unwrap_or(PAGE_ROWS) {
            limit @ 1..=PAGE_ROWS_MAX => Ok(limit.into()),
            limit => Err(Problem::malformed(format!("limit is {limit}, it must be 1 to {PAGE_ROWS_MAX}"))),
        }
    }

    /// The key after which the page starts.
    ///
    /// # Errors
    /// 422 if it is not the `next` of a page.
    pub fn after<K: serde::de::DeserializeOwned>(&self) -> Result<Option<K>, Problem> {
        let Some(cursor) = &self.after else { return Ok(None) };
        let key = (cursor.len() <= CURSOR_CHARS_MAX).then(|| serde_json::from_str(cursor).ok()).flatten();
        key.map(Some).ok_or_else(|| Problem::malformed("after is not the `next` of a page"))
    }
}

/// What cursors are sealed for.
const CURSOR: &str = "cursor";

impl PageQuery {
    /// The same with a cursor that [`Page::sealed`] sealed for this caller.
    ///
    /// # Errors
    /// 422 if it did not.
    pub fn opened(self, caller: &Caller) -> Result<Self, Problem> {
        let opened = self.after.as_ref().map(|sealed| caller.open(CURSOR, sealed));
        match opened {
            Some(None) => Err(Problem::malformed("after is not the `next` of a page")),
            opened => Ok(Self { after: opened.flatten(), ..self }),
        }
    }
}

/// A part of a list.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Page<T> {
    /// Its rows.
    pub items: Vec<T>,
    /// To be given as `after` for the next part; missing on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// The page of the first `limit` of `rows`, which hold one more if there are more.
    pub fn new<K: Serialize>(mut rows: Vec<T>, limit: usize, key: impl Fn(&T) -> K) -> Self {
        let more = rows.len() > limit;
        rows.truncate(limit);
        let last = rows.last().filter(|_| more);
        let next = last.map(|row| serde_json::to_string(&key(row)).expect("keys are plain"));
        Self { items: rows, next }
    }

    /// The same with a cursor that tells the caller nothing, for keys with places in the log.
    ///
    /// # Errors
    /// 500 if nobody let the caller in.
    pub fn sealed(self, caller: &Caller) -> Result<Self, Problem> {
        let next = self.next.map(|next| caller.seal(CURSOR, &next)).transpose()?;
        Ok(Self { next, ..self })
    }
}
