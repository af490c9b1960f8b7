//! What is recorded of a failure, and when the run is taken up again.

use std::time::Duration;

use crate::store::runs::Failure;

use super::error::EngineError;

/// Pause before a failed run is taken up again: doubles from the first to the second.
const RETRY_AFTER: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(3600));

/// The record of `error`, which ended the run's attempt number `attempts`.
#[must_use]
pub fn failure_of(error: &EngineError, attempts: i32) -> Failure {
    Failure {
        class: error.class(),
        code: error.code().map(str::to_owned),
        retry_after_seconds: retry_after(attempts).as_secs_f64(),
    }
}

/// Pause before the attempt after `attempts` failed ones.
fn retry_after(attempts: i32) -> Duration {
    let doublings = u32::try_from(attempts.clamp(1, 16) - 1).unwrap_or_default();
    (RETRY_AFTER.0 * 2_u32.pow(doublings)).min(RETRY_AFTER.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s03_a_failed_run_is_tried_again_ever_more_slowly_but_at_least_hourly() {
        assert_eq!(retry_after(1), Duration::from_secs(60));
        assert_eq!(retry_after(3), Duration::from_secs(240));
        assert_eq!(retry_after(i32::MAX), Duration::from_secs(3600));
    }
}
