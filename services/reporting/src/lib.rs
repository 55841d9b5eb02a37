//! Numbers from the log: facts as Parquet, measured with polars.
//!
//! [`FactStore`] turns events into rows (who came, how many more, which meetings were held, whose programme it was)
//! and keeps them beside the log's position. [`Facts`] reads them, also from another process. [`ReachReport`] is how
//! many people an organisation reached, with the unit of every column. [`difference`] proves a store against another.
//!
//! **Invariants:** no type of polars is public here; no name and no text of a member is in the facts, only ids; facts
//! can be deleted at any time and come back from the log; a number of people is never the sum of numbers of people.

mod facts;
mod month;
mod reach;
mod report;
mod report_reach;
mod reports;
mod subscriber;
mod verify;

pub use facts::{FactStore, Facts, FactsError, SEGMENT_ROWS_MAX, SEGMENTS_MAX, StoreError};
pub use month::{Month, PERIOD_MONTHS_MAX, Period, PeriodError};
pub use reach::{Dimension, Reach, ReachRow, UnknownDimension};
pub use report::{CLASSIFICATION, Measure, NOT_ADDITIVE, ReachReport, ReachSpec};
pub use report_reach::{Format, ReachQuery};
pub use reports::{REPORTS_AT_ONCE_MAX, Reports, routes};
pub use subscriber::FactsSubscriber;
pub use verify::difference;

#[cfg(test)]
mod history;
