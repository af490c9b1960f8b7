//! What commands open: configuration, database, keyring, engine.

use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::clock::{SharedClock, SystemClock};
use crate::config::{Config, ConfigError, environment};
use crate::domain::clocks::Clocks;
use crate::domain::suppression::Keyring;
use crate::domain::zone::Zone;
use crate::engine::{Engine, open};
use crate::ids::{RandomIds, SharedIds, TenantId};
use crate::intake::{Intake, Tenant};
use crate::keyring;
use crate::store::{self, Database, StoreError, Transaction, clocks, keys, tenants};
use crate::telemetry::logs;
use crate::tzdata::Tzdata;

use super::exit::Failure;
use super::output::Format;

/// What every command is given: the global options, time and ids.
#[derive(Clone, Debug)]
pub struct CommandContext {
    /// `--config`.
    pub config_file: Option<PathBuf>,
    /// `--output`.
    pub format: Format,
    /// The host's clock.
    pub clock: SharedClock,
    /// Ids.
    pub ids: SharedIds,
    /// Reads the rules of time zones.
    pub tzdata: Tzdata,
}

impl CommandContext {
    /// A session with the real clock and random ids.
    #[must_use]
    pub fn new(config_file: Option<PathBuf>, format: Format) -> Self {
        Self {
            config_file,
            format,
            clock: Arc::new(SystemClock),
            ids: Arc::new(RandomIds),
            tzdata: Tzdata::of_system(),
        }
    }

    /// The effective configuration.
    ///
    /// # Errors
    ///
    /// Exit code 2.
    pub fn config(&self) -> Result<Config, Failure> {
        Ok(self.load_config()?)
    }

    /// As [`CommandContext::config`], for commands whose log is the only thing on stderr. What is wrong with
    /// the configuration is an event too, so the log is then started without one.
    ///
    /// # Errors
    ///
    /// Exit code 2, to be logged.
    pub fn config_to_log(&self) -> Result<Config, Failure> {
        let config = self.service_config().map_err(Failure::from);
        config.inspect_err(|_| {
            // Only the first call counts, and this is the only one.
            let _ = logs::init_unconfigured();
        })
    }

    /// The effective configuration, if it names a database.
    ///
    /// # Errors
    ///
    /// What is wrong, and where.
    pub fn service_config(&self) -> Result<Config, ConfigError> {
        let config = self.load_config()?;
        config.require_named_database()?;
        Ok(config)
    }

    /// As [`CommandContext::config`], for whoever goes on without.
    ///
    /// # Errors
    ///
    /// What is wrong, and where.
    pub fn load_config(&self) -> Result<Config, ConfigError> {
        let config = Config::load(self.config_file.as_deref(), environment())?;
        let zone = &config.engine.window_time_zone;
        // Now, and not when the daemon looks at its clock for the first time.
        if config.engine.window.is_some() || zone != Zone::utc().name() {
            self.tzdata.refresh().zone(zone)?;
        }
        Ok(config)
    }

    /// Opens the database without looking at its schema.
    ///
    /// # Errors
    ///
    /// Exit code 1 or 2.
    pub async fn connect(&self, config: &Config) -> Result<Database, Failure> {
        config.require_named_database()?;
        Ok(self.open(config).await?)
    }

    /// As [`CommandContext::connect`], for commands that can do without the database.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn open(&self, config: &Config) -> Result<Database, StoreError> {
        store::connect(&config.database, config.engine.lease_duration).await
    }

    /// Opens the database and refuses a schema that is not this version's.
    ///
    /// # Errors
    ///
    /// Exit code 1, 2 or 4.
    pub async fn database(&self, config: &Config) -> Result<Database, Failure> {
        config.require_named_database()?;
        Ok(open::open_database(config).await?)
    }

    /// Loads the keyring and compares it with the database (U8).
    ///
    /// # Errors
    ///
    /// Exit code 2 for the file, 4 for a keyring that is not this database's.
    pub async fn keyring(&self, config: &Config, database: &Database) -> Result<Keyring, Failure> {
        let keyring = keyring::load(&config.suppression.keyring_file)?;
        keys::check_and_register(database, &keyring, self.clock.now()).await?;
        Ok(keyring)
    }

    /// Opens the engine on the configured database, to erase.
    ///
    /// # Errors
    ///
    /// As [`CommandContext::database`] and [`CommandContext::keyring`].
    pub async fn engine(&self, config: &Config) -> Result<Engine, Failure> {
        Ok(open::open(
            config,
            self.clock.clone(),
            self.ids.clone(),
            self.tzdata.clone(),
        )
        .await?)
    }

    /// Opens the engine to look only: a key that the database does not know stays unknown to it.
    ///
    /// # Errors
    ///
    /// As [`CommandContext::engine`].
    pub async fn reading_engine(&self, config: &Config) -> Result<Engine, Failure> {
        config.require_named_database()?;
        Ok(open::open_to_look(
            config,
            self.clock.clone(),
            self.ids.clone(),
            self.tzdata.clone(),
        )
        .await?)
    }

    /// What intake is given.
    #[must_use]
    pub fn intake(&self, config: &Config, database: Database, keyring: Keyring) -> Intake {
        Intake {
            database,
            clock: Arc::clone(&self.clock),
            ids: Arc::clone(&self.ids),
            keyring,
            retry: open::retry_policy(&config.engine),
        }
    }

    /// The tenant of that slug, for intake.
    ///
    /// # Errors
    ///
    /// Exit code 2 when there is none.
    pub async fn intake_tenant(&self, database: &Database, slug: &str) -> Result<Tenant, Failure> {
        let transaction = database.begin_read("looking for the tenant").await?;
        let found = require_tenant(&transaction, slug).await?;
        transaction.rollback().await?;
        Ok(Tenant {
            id: TenantId(found.id),
            slug: found.slug,
            zone: self.tzdata.newest().find(&found.time_zone),
        })
    }

    /// The tenant's zone, with the rules that hold now.
    ///
    /// # Errors
    ///
    /// Exit code 1.
    pub fn zone_of(&self, tenant: &entity::tenant::Model) -> Result<Zone, Failure> {
        let zone = self.tzdata.newest().find(&tenant.time_zone);
        zone.map_err(|fault| {
            Failure::failed(format_args!(
                "the time zone of tenant {} cannot be used: {fault}",
                tenant.slug
            ))
        })
    }

    /// Now by the host's clock, for commands that ask no database.
    ///
    /// # Errors
    ///
    /// Exit code 4 when the clock shows a year that cannot be.
    pub fn now(&self) -> Result<DateTime<Utc>, Failure> {
        let clocks = Clocks::of_host(self.clock.now());
        clocks.now().map_err(Failure::refused)
    }

    /// Now, for whatever is not an erasure: the earlier of the host's and the database's clock (S10).
    ///
    /// # Errors
    ///
    /// The database's; exit code 4 when a clock shows a year that cannot be.
    pub async fn now_by_both(&self, transaction: &Transaction) -> Result<DateTime<Utc>, Failure> {
        let clocks = clocks::read(transaction, &self.clock).await?;
        clocks.now().map_err(Failure::refused)
    }

    /// The later of the two clocks: what is due after it has not come by either (S12).
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn latest(&self, transaction: &Transaction) -> Result<DateTime<Utc>, Failure> {
        Ok(clocks::read(transaction, &self.clock).await?.latest())
    }
}

/// The tenant of that slug.
///
/// # Errors
///
/// Exit code 2 when there is none.
pub async fn require_tenant(
    transaction: &Transaction,
    slug: &str,
) -> Result<entity::tenant::Model, Failure> {
    tenants::find_by_slug(transaction, slug)
        .await?
        .ok_or_else(|| {
            Failure::usage(format_args!(
                "no tenant has the slug {slug:?}; see `retentiond tenant list`"
            ))
        })
}
