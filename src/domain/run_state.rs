//! States of a tenant-run.

use std::fmt;
use std::str::FromStr;

/// Where a tenant-run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RunState {
    /// Made, not yet claimed.
    Pending,
    /// Claimed; whoever holds the lease works on it.
    Running,
    /// A recount found nothing left to do. Final.
    Completed,
    /// An error ended the last attempt; it is taken up again.
    Failed,
    /// A newer period took over before it was done.
    Superseded,
    /// The tenant has no policy that counts; looked at again until the next period is due.
    NoPolicy,
}

impl RunState {
    /// All states.
    pub const ALL: [Self; 6] = [
        Self::Pending,
        Self::Running,
        Self::Completed,
        Self::Failed,
        Self::Superseded,
        Self::NoPolicy,
    ];

    /// Name in the database, in logs, in JSON and in metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Superseded => "superseded",
            Self::NoPolicy => "no_policy",
        }
    }

    /// Whether a run in this state is at an end, if only until it is taken up again. One that was stopped is
    /// pending: it goes on where it stopped.
    #[must_use]
    pub fn has_ended(self) -> bool {
        !matches!(self, Self::Pending | Self::Running)
    }
}

impl fmt::Display for RunState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for RunState {
    type Err = UnknownState;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|state| state.name() == name)
            .ok_or(UnknownState)
    }
}

/// The name of no state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a state of a tenant-run")]
pub struct UnknownState;
