//! What the operations on reports share.

use std::sync::Arc;

use axum::extract::FromRef;
use eventlog::{Position, blocking};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use web::{Authenticator, Clock, Problem};

use crate::facts::{Facts, FactsError};

/// Most reports computed at once, a count: each holds the marks of its period in memory. More are told to come again.
pub const REPORTS_AT_ONCE_MAX: usize = 2;

/// Reports for operations.
#[derive(Debug, Clone)]
pub struct Reports {
    facts: Facts,
    /// Up to where the facts go.
    pub(crate) applied: watch::Receiver<Position>,
    authenticator: Authenticator,
    pub(crate) at_once: Arc<Semaphore>,
}

impl FromRef<Reports> for Authenticator {
    fn from_ref(reports: &Reports) -> Self {
        reports.authenticator.clone()
    }
}

impl Reports {
    /// Reports from `facts`, which have reached `applied`.
    pub fn new(facts: Facts, applied: watch::Receiver<Position>, authenticator: Authenticator) -> Self {
        Self { facts, applied, authenticator, at_once: Arc::new(Semaphore::new(REPORTS_AT_ONCE_MAX)) }
    }

    /// In which zone months are of what belongs to no group.
    pub(crate) fn clock(&self) -> Clock {
        self.authenticator.clock.clone()
    }

    /// Computes a report away from those who serve requests. Its place stays taken if the request is given up.
    pub(crate) async fn compute<T: Send + 'static>(
        &self,
        compute: impl FnOnce(&Facts) -> Result<T, FactsError> + Send + 'static,
    ) -> Result<T, Problem> {
        let place = self.place()?;
        Ok(self.compute_at(place, compute).await?.1)
    }

    /// One of the places of reports that are computed at once.
    pub(crate) fn place(&self) -> Result<Place, Problem> {
        self.at_once.clone().try_acquire_owned().map_err(|_| Problem::overloaded())
    }

    /// As [`Self::compute`], in a place that is given back with the answer.
    pub(crate) async fn compute_at<T: Send + 'static>(
        &self,
        place: Place,
        compute: impl FnOnce(&Facts) -> Result<T, FactsError> + Send + 'static,
    ) -> Result<(Place, T), Problem> {
        let facts = self.facts.clone();
        let computed = blocking(move || compute(&facts).map(|report| (place, report)));
        let report = computed.await.map_err(|error| Problem::internal(&error))?;
        report.map_err(|error| Problem::internal(&format!("{error}: {}", error.0)))
    }
}

/// A place, until it is dropped.
pub(crate) type Place = OwnedSemaphorePermit;
