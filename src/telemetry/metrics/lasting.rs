//! What a gauge counts for as long as it lasts.

use std::time::Instant;

use metrics::gauge;

use super::{RUN_PARTICIPANTS_LEFT, RUNS_PAUSED, exact, throttled};

/// How many participants a run that this process works on has left, by stage, for as long as the value
/// lives.
#[derive(Debug)]
pub struct Left(Vec<(&'static str, u64)>);

impl Left {
    /// So many are to be done.
    #[must_use]
    pub fn begin(stages: impl IntoIterator<Item = (&'static str, u64)>) -> Self {
        let left = Self(stages.into_iter().collect());
        for (stage, participants) in &left.0 {
            gauge!(RUN_PARTICIPANTS_LEFT, "stage" => *stage).increment(exact(*participants));
        }
        left
    }

    /// So many of them are done. Those that came within reach later are more than were counted.
    pub fn done(&mut self, stage: &'static str, participants: u64) {
        if let Some((_, left)) = self.0.iter_mut().find(|(name, _)| *name == stage) {
            let done = participants.min(*left);
            *left -= done;
            gauge!(RUN_PARTICIPANTS_LEFT, "stage" => stage).decrement(exact(done));
        }
    }
}

impl Drop for Left {
    fn drop(&mut self) {
        for (stage, left) in &self.0 {
            gauge!(RUN_PARTICIPANTS_LEFT, "stage" => *stage).decrement(exact(*left));
        }
    }
}

/// A pause of a run for a limit, for as long as the value lives.
#[derive(Debug)]
pub struct Pause {
    reason: &'static str,
    began: Instant,
}

impl Pause {
    /// It begins.
    #[must_use]
    pub fn begin(reason: &'static str) -> Self {
        gauge!(RUNS_PAUSED, "reason" => reason).increment(1.0);
        Self {
            reason,
            began: Instant::now(),
        }
    }

    /// What it is for.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        self.reason
    }
}

impl Drop for Pause {
    fn drop(&mut self) {
        gauge!(RUNS_PAUSED, "reason" => self.reason).decrement(1.0);
        throttled(self.reason, self.began.elapsed());
    }
}
