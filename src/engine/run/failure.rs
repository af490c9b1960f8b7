//! What is recorded of a failure, and when the run is taken up again.

use std::time::Duration;

use uuid::Uuid;

use crate::store::requirements::Requirement;
use crate::store::runs::{Failure, RefusedRecord};

use crate::engine::error::EngineError;

/// Pause before a failed run is taken up again: doubles from the first to the second.
const RETRY_AFTER: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(3600));

/// The record of `error`, which ended attempt number `attempts` of the run.
#[must_use]
pub fn failure_of(error: &EngineError, run_id: Uuid, attempts: i32) -> Failure {
    Failure {
        class: error.class(),
        code: error.code().map(str::to_owned),
        refused: match error {
            EngineError::Refused { first, rows } => Some(RefusedRecord {
                stage: first.stage.name(),
                row_id: first.id,
                constraint: first.constraint.clone(),
                rows: *rows,
            }),
            _ => None,
        },
        orphans: match error {
            EngineError::Orphans { rows, .. } => Some(*rows),
            EngineError::Unmet(unmet) if unmet.requirement == Requirement::ForeignKeysInForce => {
                Some(0)
            }
            _ => None,
        },
        retry_after_seconds: retry_after(run_id, attempts).as_secs_f64(),
    }
}

/// Pause before the attempt after `attempts` failed ones. What fails a hundred tenants at once
/// must not bring all of them back at once, so up to a quarter is taken off, by the run's id: its
/// last bits are random, and nothing else has to be.
fn retry_after(run_id: Uuid, attempts: i32) -> Duration {
    let doublings = u32::try_from(attempts.clamp(1, 16) - 1).unwrap_or_default();
    let longest = (RETRY_AFTER.0 * 2_u32.pow(doublings)).min(RETRY_AFTER.1);
    let spread = u32::from(run_id.as_bytes()[15]);
    longest - longest * spread / (4 * u32::from(u8::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s03_a_failed_run_is_tried_again_ever_more_slowly_but_at_least_hourly() {
        let run = Uuid::nil();
        assert_eq!(retry_after(run, 1), Duration::from_secs(60));
        assert_eq!(retry_after(run, 3), Duration::from_secs(240));
        assert_eq!(retry_after(run, i32::MAX), Duration::from_secs(3600));
    }

    #[test]
    fn s04_tenants_that_failed_together_come_back_apart() {
        let pauses: Vec<Duration> = (0..=u8::MAX)
            .map(|byte| retry_after(Uuid::from_u128(u128::from(byte)), 1))
            .collect();
        assert!(pauses.windows(2).all(|pair| pair[0] >= pair[1]));
        assert_eq!(pauses.first(), Some(&Duration::from_secs(60)));
        assert_eq!(pauses.last(), Some(&Duration::from_secs(45)));
    }
}
