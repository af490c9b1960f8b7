//! Whole transactions, tried again.

use std::future::Future;
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};

use super::error::{Disposition, StoreError};

/// How often, and how far apart.
#[derive(Clone, Copy, Debug)]
pub struct RetryPolicy {
    /// Attempts after the first one.
    pub attempts_max: usize,
    /// Pause before the second attempt; doubles from there, with jitter.
    pub backoff_initial: Duration,
    /// Longest pause.
    pub backoff_max: Duration,
}

impl RetryPolicy {
    /// The pauses, with jitter so that two losers of a race do not meet again.
    #[must_use]
    pub fn backoff(&self) -> ExponentialBuilder {
        ExponentialBuilder::new()
            .with_min_delay(self.backoff_initial)
            .with_max_delay(self.backoff_max)
            .with_max_times(self.attempts_max)
            .with_jitter()
    }
}

/// Runs `transaction` again, from its start, while it loses to another transaction.
///
/// # Errors
///
/// The last error, or the first one that trying again cannot mend.
pub async fn with_retry<T, F, Fut>(policy: &RetryPolicy, transaction: F) -> Result<T, StoreError>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T, StoreError>>,
{
    transaction
        .retry(policy.backoff())
        .when(|error: &StoreError| error.class().disposition() == Disposition::Retry)
        .await
}
