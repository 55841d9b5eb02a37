//! Logs and metrics of one process.

use std::{sync::OnceLock, time::Duration};

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use crate::Config;

/// Bounds of the buckets of request times, in seconds.
const SECONDS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// Bounds of the buckets of batch sizes, counts.
const SIZES: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];

/// How often what was measured is put into its buckets.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// Starts logging to standard error.
///
/// # Errors
/// If the filter cannot be read.
pub fn log(config: &Config) -> anyhow::Result<()> {
    let filter = EnvFilter::builder().parse(&config.log)?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // Where logging was started before, it stays as it is.
    let _ = if config.log_json { lines.json().try_init() } else { lines.compact().try_init() };
    Ok(())
}

/// The metrics of this process; the same whenever it is called.
pub fn metrics() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    let install = || {
        PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), SECONDS)
            .and_then(|builder| builder.set_buckets_for_metric(Matcher::Suffix("_appends".into()), SIZES))
            .and_then(PrometheusBuilder::install_recorder)
            .expect("buckets are not empty and nobody else installs a recorder")
    };
    HANDLE.get_or_init(install).clone()
}

/// Puts what was measured into its buckets until it is told to end. Else it is kept, one by one, until somebody asks
/// for the metrics, and there may be nobody who does.
pub async fn upkeep(end: CancellationToken) {
    let mut every = tokio::time::interval(UPKEEP_EVERY);
    while end.run_until_cancelled(every.tick()).await.is_some() {
        metrics().run_upkeep();
    }
}
