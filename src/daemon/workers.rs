//! Who works on what: at most `engine.workers` tenants at a time, each in a task of its own, and none
//! twice. Which process may work on a run is decided by its lease; this only keeps one process from
//! getting in its own way.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::engine::due::Candidate;
use crate::engine::report::{Outcome, PassEntry};
use crate::engine::{Engine, pass};
use crate::ids::TenantId;

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
    wave: CancellationToken,
    tasks: JoinSet<(TenantId, PassEntry)>,
    in_hand: HashSet<TenantId>,
    line: VecDeque<Candidate>,
    held_back: HashMap<TenantId, Instant>,
    /// Ended since the last look began, which may still show them as owed.
    ended: HashSet<TenantId>,
}

impl Workers {
    pub(super) fn new(engine: Arc<Engine>) -> Self {
        Self {
            wave: engine.stop.child_token(),
            engine,
            tasks: JoinSet::new(),
            in_hand: HashSet::new(),
            line: VecDeque::new(),
            held_back: HashMap::new(),
            ended: HashSet::new(),
        }
    }

    /// From now on runs are driven by `engine`. Those in hand end after their batch, give their
    /// lease back, and are taken up by the new engine where they stopped.
    pub(super) fn adopt(&mut self, engine: Arc<Engine>) {
        self.stop();
        self.wave = engine.stop.child_token();
        self.engine = engine;
    }

    /// Ends everything in hand after its batch, and starts nothing new until the next look.
    pub(super) fn stop(&mut self) {
        self.wave.cancel();
        self.line.clear();
    }

    /// Whether something went wrong for everybody.
    pub(super) fn is_stopped(&self) -> bool {
        self.wave.is_cancelled()
    }

    /// A look begins.
    pub(super) fn look_begins(&mut self) {
        self.ended.clear();
    }

    /// The database is back: whoever could not be claimed, or recorded, without it is held back no
    /// longer.
    pub(super) fn forgive(&mut self) {
        self.held_back.clear();
    }

    /// Puts in line what a look found, in its order. Returns when somebody who is held back may be
    /// looked at again.
    pub(super) fn assign(&mut self, owed: Vec<Candidate>) -> Option<Instant> {
        if self.is_stopped() && self.in_hand.is_empty() && !self.engine.stop.is_cancelled() {
            self.wave = self.engine.stop.child_token();
        }
        let now = Instant::now();
        self.held_back.retain(|_, until| *until > now);
        let mut look_again_at: Option<Instant> = None;
        self.line.clear();
        for candidate in owed {
            let tenant = candidate.tenant;
            if let Some(until) = self.held_back.get(&tenant) {
                look_again_at = Some(look_again_at.map_or(*until, |at| at.min(*until)));
            } else if !self.in_hand.contains(&tenant) && !self.ended.contains(&tenant) {
                self.line.push_back(candidate);
            }
        }
        self.start_some();
        look_again_at
    }

    /// Starts whatever there is a place for.
    fn start_some(&mut self) {
        while self.in_hand.len() < self.engine.workers && !self.is_stopped() {
            let Some(candidate) = self.line.pop_front() else {
                return;
            };
            let mut engine = Engine::clone(&self.engine);
            engine.stop = self.wave.clone();
            self.in_hand.insert(candidate.tenant);
            self.tasks.spawn(async move {
                let tenant = candidate.tenant;
                (tenant, pass::attend(&engine, candidate).await)
            });
        }
    }

    /// Waits for the next run to end; `None` at once if none is in hand.
    pub(super) async fn next_ended(&mut self) -> Option<PassEntry> {
        let (tenant, entry) = loop {
            match self.tasks.join_next().await? {
                Ok(ended) => break ended,
                // `attend` catches panics; only an abort at the end of everything comes here.
                Err(_) => continue,
            }
        };
        self.in_hand.remove(&tenant);
        self.ended.insert(tenant);
        let pause = match &entry.outcome {
            Outcome::Done | Outcome::Superseded | Outcome::Stopped => None,
            Outcome::Held => Some(HOLD_BACK_HELD),
            Outcome::AlreadyCompleted
            | Outcome::NoPolicy
            | Outcome::Refused { .. }
            | Outcome::Failed { .. } => Some(HOLD_BACK),
        };
        if let Some(pause) = pause {
            self.held_back.insert(tenant, Instant::now() + pause);
        }
        self.start_some();
        Some(entry)
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
