//! How many tenants are in which state: as the last look found them, and with what this process has begun and
//! ended since. A look may be as old as the sweep interval, and a run begins right after it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use metrics::gauge;

use crate::domain::run_state::RunState;
use crate::ids::TenantId;

use super::{RUN_IN_PROGRESS, TENANT_RUNS, exact};

static TENANTS: LazyLock<Mutex<Tenants>> = LazyLock::new(Mutex::default);

#[derive(Debug, Default)]
struct Tenants {
    states: HashMap<TenantId, RunState>,
    /// This process works on their runs, whatever a look has read before it began.
    in_progress: HashSet<TenantId>,
}

impl Tenants {
    fn lock() -> MutexGuard<'static, Self> {
        // No code that can panic runs under the lock, so a poisoned one is whole.
        TENANTS.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn looked(&mut self, states: HashMap<TenantId, RunState>) {
        self.states = states;
        for tenant in &self.in_progress {
            self.states.insert(*tenant, RunState::Running);
        }
    }

    fn counts(&self) -> BTreeMap<&'static str, u64> {
        let mut counts = BTreeMap::new();
        for state in self.states.values() {
            *counts.entry(state.name()).or_default() += 1;
        }
        counts
    }

    /// Shows the counts in a scrape.
    fn show(&self) {
        let counts = self.counts();
        for state in RunState::ALL.map(RunState::name) {
            let count = counts.get(state).copied().unwrap_or_default();
            gauge!(TENANT_RUNS, "state" => state).set(exact(count));
        }
    }

    /// As [`Tenants::show`], for one tenant that has changed: there may be tens of thousands.
    fn change(&mut self, tenant: TenantId, state: RunState) {
        if let Some(before) = self.states.insert(tenant, state) {
            gauge!(TENANT_RUNS, "state" => before.name()).decrement(1.0);
        }
        gauge!(TENANT_RUNS, "state" => state.name()).increment(1.0);
    }
}

/// A look has found the tenants in these states.
pub fn tenants_looked_at(states: HashMap<TenantId, RunState>) {
    let mut tenants = Tenants::lock();
    tenants.looked(states);
    tenants.show();
}

/// The run of this tenant has ended in this process without being completed, which left it in that state.
pub fn tenant_ended(tenant: TenantId, state: RunState) {
    Tenants::lock().change(tenant, state);
}

/// How many tenants are in which state now, by its name.
#[must_use]
pub fn tenants_by_state() -> BTreeMap<&'static str, u64> {
    Tenants::lock().counts()
}

/// A tenant-run that this process works on, for as long as the value lives.
#[derive(Debug)]
pub struct InProgress(TenantId);

impl InProgress {
    /// One more.
    #[must_use]
    pub fn begin(tenant: TenantId) -> Self {
        let mut tenants = Tenants::lock();
        tenants.in_progress.insert(tenant);
        tenants.change(tenant, RunState::Running);
        // Last, so that no scrape shows more runs in progress than running ones.
        gauge!(RUN_IN_PROGRESS).increment(1.0);
        Self(tenant)
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        gauge!(RUN_IN_PROGRESS).decrement(1.0);
        Tenants::lock().in_progress.remove(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_from_before_a_run_began_does_not_hide_that_it_is_running() {
        let (acme, other) = (TenantId(1), TenantId(2));
        let looked = || HashMap::from([(acme, RunState::Pending), (other, RunState::Completed)]);
        let mut tenants = Tenants::default();
        tenants.looked(looked());
        assert_eq!(tenants.counts(), [("completed", 1), ("pending", 1)].into());
        tenants.in_progress.insert(acme);
        tenants.change(acme, RunState::Running);
        assert_eq!(tenants.counts(), [("completed", 1), ("running", 1)].into());
        tenants.looked(looked());
        assert_eq!(tenants.counts(), [("completed", 1), ("running", 1)].into());
        tenants.in_progress.remove(&acme);
        tenants.change(acme, RunState::Failed);
        assert_eq!(tenants.counts(), [("completed", 1), ("failed", 1)].into());
    }
}
