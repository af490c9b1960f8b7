//! Opening the database, at the start and when the configuration is read again.

use std::sync::Arc;

use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use crate::config::Config;
use crate::engine::Engine;
use crate::engine::open::{self, OpenError};
use crate::store::keys::KeyCheckError;
use crate::store::schema::SchemaError;
use crate::store::{ErrorClass, StoreError};

use super::super::health::Check;
use super::super::supervisor::supervise_and_tell;
use super::super::wakeup::Source;
use super::super::workers::Workers;
use super::super::{notify, probe};
use super::tasks::{BackgroundTask, Opening, OpeningUnderWay};
use super::{Daemon, ServeError};

impl Daemon {
    /// Begins to open the database. One that is being opened already is not wanted any more: of two
    /// configurations the newer one counts, however long either takes.
    pub(super) fn open(&mut self, why: Opening, config: Config) {
        let (clock, ids) = (Arc::clone(&self.clock), Arc::clone(&self.ids));
        let tzdata = self.tzdata.clone();
        let task = self.tasks.spawn(async move {
            let outcome = open::open(&config, clock, ids, tzdata).await;
            BackgroundTask::Opened(Box::new(config), Box::new(outcome))
        });
        if let Some(older) = self.opening.replace(OpeningUnderWay { why, task }) {
            older.task.abort();
        }
    }

    pub(super) fn on_opened(
        &mut self,
        why: Opening,
        config: Config,
        outcome: Result<Engine, OpenError>,
    ) -> Result<(), ServeError> {
        match (outcome, why) {
            (Ok(engine), _) => self.adopt(config, engine, why),
            (Err(error), Opening::Reload) => self.refuse(&error),
            // The look that follows says what is wrong, and tries again.
            (Err(_), Opening::Password) => {}
            (Err(error), Opening::Start) if is_final(&error) => return Err(error.into()),
            (Err(error), Opening::Start) => self.wait_for_database(&error),
        }
        Ok(())
    }

    /// The database is not there yet, or not migrated: keeps trying, for as long as it takes.
    fn wait_for_database(&mut self, error: &OpenError) {
        let pause = self.next_pause();
        let check = match error {
            OpenError::Schema(SchemaError::Behind { .. } | SchemaError::Ahead { .. }) => {
                self.health.set(Check::Database, None);
                Check::Schema
            }
            _ => Check::Database,
        };
        self.health.set(check, Some(error.to_string()));
        let store = store_error(error);
        if store.is_some_and(StoreError::refuses_login)
            && let Some(config) = self.with_new_password()
        {
            // For the next attempt.
            self.config = config;
        }
        tracing::warn!(
            event = "database_unavailable",
            class = store.map(|error| error.class().name()),
            code = store.and_then(StoreError::code),
            retry_seconds = pause.as_secs_f64(),
            "the service waits: {error}"
        );
        self.reopen_at = Some(Instant::now() + pause);
    }

    fn adopt(&mut self, config: Config, engine: Engine, why: Opening) {
        let is_reload = why == Opening::Reload;
        tracing::info!(
            event = "database_opened",
            server = engine.database.server(),
            database = config.database.url.place().map(|place| place.to_string()),
            configuration_file = config.whole_file().map(|file| file.display().to_string()),
            "the database is open"
        );
        if is_reload {
            config.log_warnings();
        }
        let engine = Arc::new(engine);
        self.pauses = probe::pauses();
        self.stop_pauses = probe::pauses();
        self.log_level.set(config.log.level);
        self.sweep_at = Instant::now() + config.schedule.sweep_interval;
        let needs_restart =
            (&config.http, config.log.format) != (&self.started_with.0, self.started_with.1);
        self.config = config;
        match &mut self.workers {
            Some(workers) => workers.adopt(Arc::clone(&engine)),
            None => self.workers = Some(Workers::new(Arc::clone(&engine))),
        }
        // A look by the engine of before may be at another database: what it finds is not this one's
        // to do, and one that hangs must not hold up this one.
        if let Some(looking) = self.reconciling.take() {
            looking.task.abort();
        }
        // The same of a clean-up; and the log of this database may hold what others erased.
        if let Some(task) = self.cleaning.take() {
            task.abort();
        }
        self.clean_up_at = None;
        self.erasures += 1;
        self.probe = Some(self.supervised_probe(engine));
        if is_reload {
            tracing::info!(
                event = "configuration_reloaded",
                needs_restart,
                "the configuration was read again; changes of [http] and of [log] format, if there \
                 are any, wait for a restart"
            );
            notify::ready(&self.describe());
        }
        self.begin_reconcile(Some(match why {
            Opening::Start => Source::Start,
            Opening::Reload => Source::Reload,
            Opening::Password => Source::Password,
        }));
    }

    fn supervised_probe(&self, engine: Arc<Engine>) -> AbortOnDropHandle<()> {
        let (health, wakeups) = (Arc::clone(&self.health), self.wakeups.clone());
        let broken = {
            let health = Arc::clone(&health);
            move || {
                let problem = "a defect in retentiond ended the probe; see the log";
                health.set(Check::Database, Some(problem.to_owned()));
            }
        };
        let start = move || probe::run(Arc::clone(&engine), Arc::clone(&health), wakeups.clone());
        supervise_and_tell("probe", start, broken)
    }

    /// SIGHUP.
    pub(super) fn reload(&mut self) {
        notify::reloading();
        match (self.reread)() {
            Err(error) => self.refuse(&error),
            // The first opening is still under way, or waits: it goes on with the new configuration, which
            // may name another database, for there was none yet.
            Ok(config) if self.workers.is_none() => {
                self.config = config;
                self.reopen_at = None;
                self.open(Opening::Start, self.config.clone());
                notify::ready(&self.describe());
            }
            Ok(config) => match config.for_reload_of(&self.config) {
                Ok(config) => self.open(Opening::Reload, config),
                Err(error) => self.refuse(&error),
            },
        }
    }

    /// The server does not let us in, and the URL is another one by now: goes on with that, and with
    /// everything else as it was.
    pub(super) fn take_up_new_password(&mut self) {
        if self.opening.is_none()
            && let Some(config) = self.with_new_password()
        {
            self.open(Opening::Password, config);
        }
    }

    /// The configuration in force with the URL of now, if that is another one of the same database.
    fn with_new_password(&self) -> Option<Config> {
        let url = (self.reread)().ok()?.database.url;
        let before = &self.config.database.url;
        if url == *before || url.place() != before.place() {
            return None;
        }
        tracing::info!(
            event = "password_reread",
            "the server refused the password, and another one is configured by now: opening the database with \
             that"
        );
        let mut config = self.config.clone();
        config.database.url = url;
        Some(config)
    }

    pub(super) fn refuse(&self, error: &dyn std::error::Error) {
        tracing::error!(
            event = "configuration_refused",
            "the old configuration stays in force: {error}"
        );
        notify::ready(&self.describe());
    }
}

/// The database's error, if it is one. A schema of another version is none.
fn store_error(error: &OpenError) -> Option<&StoreError> {
    match error {
        OpenError::Store(error)
        | OpenError::Schema(SchemaError::Store(error))
        | OpenError::Keys(KeyCheckError::Store(error)) => Some(error),
        OpenError::Schema(_) | OpenError::Keys(_) | OpenError::Keyring(_) => None,
    }
}

/// Whether trying again cannot help: the keyring or the address is wrong.
fn is_final(error: &OpenError) -> bool {
    match error {
        OpenError::Keyring(_) => true,
        OpenError::Keys(error) => !matches!(error, KeyCheckError::Store(_)),
        OpenError::Store(error) | OpenError::Schema(SchemaError::Store(error)) => {
            error.class() == ErrorClass::Address
        }
        OpenError::Schema(_) => false,
    }
}
