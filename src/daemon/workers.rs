//! Who works on what: at most `engine.tenants_at_a_time` tenants, each in a task of its own, and none
//! twice; of them `engine.workers` have a permit at a time. Which process may work on a run is decided by its lease; this only keeps one process from
//! getting in its own way.
//!
//! Stopping has two levels. `engine.stop` ends everything that an engine drives, for good. Runs do not
//! get that token but a child of it, the *generation*: all that run at the same time share one. A run that
//! meets what is wrong for everybody (a full disk, a clock that is off) cancels the generation, and so does
//! [`Workers::stop`]; the others of the generation end after their batch, nothing new is begun, and once
//! nobody is in hand any more a good look begins a new generation.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{Id, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::domain::run_state::RunState;
use crate::engine::Engine;
use crate::engine::due::Candidate;
use crate::engine::error::PANIC;
use crate::engine::pass;
use crate::engine::report::{Outcome, PassEntry};
use crate::engine::tally::Tally;
use crate::ids::TenantId;
use crate::telemetry::metrics;

/// How long this process leaves a tenant alone whose run it could not do. The pause until a retry
/// stands in the run's record and is longer; this is for when not even that could be written.
const HOLD_BACK: Duration = Duration::from_secs(30);

/// How long it leaves a tenant alone that another process was faster to claim.
const HOLD_BACK_HELD: Duration = Duration::from_secs(1);

/// The tenants in hand and in line.
#[derive(Debug)]
pub(super) struct Workers {
    engine: Arc<Engine>,
    /// Stops what is in hand when something is wrong for everybody; a new one follows.
    generation: CancellationToken,
    /// No new generation before then.
    paused_until: Option<Instant>,
    tasks: JoinSet<PassEntry>,
    /// Of whoever ended since nobody was in hand.
    tally: Tally,
    /// Whose run each task is, for one that breaks cannot say so itself.
    in_hand: HashMap<Id, TenantId>,
    line: VecDeque<Candidate>,
    held_back: HashMap<TenantId, Instant>,
    /// Ended since the last look began, which may still show them as owed.
    ended: HashSet<TenantId>,
}

impl Workers {
    pub(super) fn new(engine: Arc<Engine>) -> Self {
        Self {
            generation: engine.stop.child_token(),
            engine,
            paused_until: None,
            tasks: JoinSet::new(),
            tally: Tally::default(),
            in_hand: HashMap::new(),
            line: VecDeque::new(),
            held_back: HashMap::new(),
            ended: HashSet::new(),
        }
    }

    /// From now on runs are driven by `engine`. Those in hand end after their batch, give their
    /// lease back, and are taken up by the new engine where they stopped.
    pub(super) fn adopt(&mut self, engine: Arc<Engine>) {
        self.stop();
        self.generation = engine.stop.child_token();
        self.paused_until = None;
        self.engine = engine;
    }

    /// Ends everything in hand after its batch, and starts nothing new until the next good look that
    /// finds nobody in hand.
    pub(super) fn stop(&mut self) {
        self.generation.cancel();
        self.line.clear();
    }

    /// Begins no new generation before `until`.
    pub(super) fn pause(&mut self, until: Instant) {
        self.paused_until = Some(until);
    }

    /// Whether something went wrong for everybody.
    pub(super) fn is_stopped(&self) -> bool {
        self.generation.is_cancelled()
    }

    /// A look begins.
    pub(super) fn reconcile_begins(&mut self) {
        self.ended.clear();
    }

    /// The database is back: whoever could not be claimed, or recorded, without it is held back no
    /// longer.
    pub(super) fn clear_backoff(&mut self) {
        self.held_back.clear();
    }

    /// Puts in line what a look found, in its order. Returns when somebody who is held back may be
    /// looked at again.
    pub(super) fn assign(&mut self, owed: Vec<Candidate>) -> Option<Instant> {
        let now = Instant::now();
        self.paused_until = self.paused_until.filter(|until| *until > now);
        let may_begin = self.in_hand.is_empty() && self.paused_until.is_none();
        if self.is_stopped() && may_begin && !self.engine.stop.is_cancelled() {
            self.generation = self.engine.stop.child_token();
        }
        self.held_back.retain(|_, until| *until > now);
        let mut look_again_at = self.paused_until;
        let in_hand: HashSet<TenantId> = self.in_hand.values().copied().collect();
        self.line.clear();
        for candidate in owed {
            let tenant = candidate.tenant;
            if let Some(until) = self.held_back.get(&tenant) {
                look_again_at = Some(look_again_at.map_or(*until, |at| at.min(*until)));
            } else if !in_hand.contains(&tenant) && !self.ended.contains(&tenant) {
                self.line.push_back(candidate);
            }
        }
        self.start_some();
        look_again_at
    }

    /// Starts whatever there is a place for.
    fn start_some(&mut self) {
        if self.is_stopped() {
            // Whoever is in line would keep the service from being idle, and a look finds them again.
            self.line.clear();
        }
        let slots = self
            .engine
            .free_slots(self.in_hand.len())
            .min(self.line.len());
        for candidate in self.line.drain(..slots) {
            let mut engine = Engine::clone(&self.engine);
            engine.stop = self.generation.clone();
            let tenant = candidate.tenant;
            let task = self
                .tasks
                .spawn(async move { pass::run_isolated(&engine, candidate).await });
            self.in_hand.insert(task.id(), tenant);
        }
    }

    /// Waits for the next run to end; `None` at once if none is in hand.
    pub(super) async fn next_ended(&mut self) -> Option<Outcome> {
        let (id, outcome) = match self.tasks.join_next_with_id().await? {
            Ok((id, entry)) => {
                self.tally.add(&entry);
                // What is completed shows at the reconciliation that follows, together with its timestamps;
                // what has no record did not change.
                if let Some(tenant) = self.in_hand.get(&id)
                    && entry.report.run_id.is_some()
                    && entry.report.state != RunState::Completed
                {
                    metrics::tenant_ended(*tenant, entry.report.state);
                }
                (id, entry.outcome)
            }
            // `run_isolated` catches panics of the run itself.
            Err(error) => {
                metrics::failed(PANIC);
                self.tally.add_broken();
                (error.id(), broken())
            }
        };
        let pause = match &outcome {
            Outcome::Done | Outcome::Superseded | Outcome::Stopped => None,
            Outcome::Held => Some(HOLD_BACK_HELD),
            Outcome::AlreadyCompleted
            | Outcome::NoPolicy
            | Outcome::Refused { .. }
            | Outcome::Failed { .. } => Some(HOLD_BACK),
        };
        if let Some(tenant) = self.in_hand.remove(&id) {
            self.ended.insert(tenant);
            if let Some(pause) = pause {
                self.held_back.insert(tenant, Instant::now() + pause);
            }
        }
        self.start_some();
        if self.in_hand.is_empty() {
            self.tally.tell();
        }
        Some(outcome)
    }

    /// The engine that new runs are driven by.
    pub(super) fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// How many runs are in hand.
    pub(super) fn in_hand(&self) -> usize {
        self.in_hand.len()
    }

    /// How many are in line.
    pub(super) fn in_line(&self) -> usize {
        self.line.len()
    }
}

/// How a run ended whose task broke.
fn broken() -> Outcome {
    Outcome::Failed {
        failure_class: PANIC,
        failure_code: None,
        failure_constraint: None,
        failure_row_id: None,
        message: "a defect in retentiond ended this tenant's run".to_owned(),
    }
}
