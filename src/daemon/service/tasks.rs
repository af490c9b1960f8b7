//! What the loop has others do: tasks that ask the database, and what becomes of them.
//!
//! A task is known by its id. Only the one that the loop waits for counts: what was begun
//! before a reload, or before a newer one, may still end and says nothing any more.

use thiserror::Error;
use tokio::task::{AbortHandle, Id, JoinError};
use tokio::time::Instant;

use crate::config::Config;
use crate::engine::error::PANIC;
use crate::engine::open::OpenError;
use crate::engine::survey::Survey;
use crate::engine::{Engine, EngineError};
use crate::telemetry::metrics;

use super::super::reconcile::ReconcileError;
use super::super::wakeup::Source;
use super::{Daemon, ServeError};

/// Why the database is being opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opening {
    /// For the first time.
    Start,
    /// With a configuration that was read again.
    Reload,
    /// With a password that was changed.
    Password,
}

/// The opening that the loop waits for.
#[derive(Debug)]
pub(super) struct OpeningUnderWay {
    pub(super) why: Opening,
    pub(super) task: AbortHandle,
}

/// The look that the loop waits for.
#[derive(Debug)]
pub(super) struct Reconciling {
    pub(super) since: Instant,
    pub(super) task: AbortHandle,
}

/// What a task of the loop found out.
pub(super) enum BackgroundTask {
    Opened(Box<Config>, Box<Result<Engine, OpenError>>),
    Reconciled(Option<Source>, Box<Result<Survey, ReconcileError>>),
    CleanedUp(u64, Result<(), EngineError>),
}

/// A defect ended the reading of a configuration.
#[derive(Debug, Error)]
#[error("a defect in retentiond ended the opening of the database; please report it")]
struct Broken;

impl Daemon {
    pub(super) fn on_task(
        &mut self,
        done: Result<(Id, BackgroundTask), JoinError>,
    ) -> Result<(), ServeError> {
        match done {
            Ok((id, BackgroundTask::Opened(config, outcome))) => {
                if let Some(why) = self.take_opening(id) {
                    self.on_opened(why, *config, *outcome)?;
                }
            }
            Ok((id, BackgroundTask::Reconciled(source, outcome))) => {
                if self.take_reconciling(id) {
                    self.on_reconciled(source, *outcome);
                }
            }
            Ok((id, BackgroundTask::CleanedUp(erasures, outcome))) => {
                if self.take_cleaning(id) {
                    self.on_cleaned_up(erasures, outcome.is_ok());
                }
            }
            // We ended it ourselves.
            Err(error) if error.is_cancelled() => {}
            // The panic has been logged where it happened.
            Err(error) => self.on_broken_task(error.id()),
        }
        Ok(())
    }

    /// A defect ended a task. Each of them can be repeated.
    fn on_broken_task(&mut self, id: Id) {
        if self.take_reconciling(id) {
            return self.on_reconciled(None, Err(ReconcileError::Broken));
        }
        metrics::failed(PANIC);
        if self.take_cleaning(id) {
            self.on_cleaned_up(0, false);
        }
        match self.take_opening(id) {
            Some(Opening::Start) => self.reopen_at = Some(Instant::now() + self.next_pause()),
            Some(Opening::Reload) => self.refuse(&Broken),
            Some(Opening::Password) | None => {}
        }
    }

    fn take_opening(&mut self, id: Id) -> Option<Opening> {
        let opening = self.opening.take_if(|opening| opening.task.id() == id);
        opening.map(|opening| opening.why)
    }

    fn take_reconciling(&mut self, id: Id) -> bool {
        let reconciling = self
            .reconciling
            .take_if(|reconciling| reconciling.task.id() == id);
        reconciling.is_some()
    }

    fn take_cleaning(&mut self, id: Id) -> bool {
        self.cleaning.take_if(|task| task.id() == id).is_some()
    }
}
