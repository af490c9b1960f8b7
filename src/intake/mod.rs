//! Intake: how people come in, and how those who unsubscribed are recognised at the door.
//!
//! ```text
//! file ── reader ──> record ──> recognition ──> insert ──┐
//!           │          └──────────> rejects file         ├─> tenant's lock: same content? somebody
//!           └── content MAC ──> uploaded before?         │   unsubscribed meanwhile? ──> commit
//!                                                        └─  (one transaction from first row to last)
//! ```
//!
//! An [`import`] is one transaction: a kill at any moment leaves nothing, and a repeat succeeds. It
//! and [`unsubscribe`] take the tenant's row lock before they commit, so that neither misses the
//! other: whichever comes second sees what the first one wrote. [`check`] answers whether an address
//! would be recognised, and writes nothing.
//!
//! What is decided about a file stands in pure code: [`mapping`] (which column is which), [`record`]
//! (may this row come in, E8), [`quotes`], [`times`], [`pii_heuristic`] and [`headings`] (E11), [`no_person`]
//! (E17). [`notes`] keeps what the importer is told of; [`row_filter`] puts that and the
//! [`reader`] together, and needs no database: a file can be judged without storing anything. No error of this room holds a value
//! from the file or the database; names of columns and numbers of lines are all it tells (E10).

pub mod check;
mod error;
mod folding;
mod hashing_reader;
mod headings;
pub mod import;
mod insert;
pub mod mapping;
mod no_person;
pub mod notes;
mod pii_heuristic;
mod quotes;
pub mod reader;
mod recognition;
pub mod record;
mod rejects;
pub mod row_filter;
mod times;
pub mod unsubscribe;
mod window;

use chrono::{DateTime, Utc};

use crate::clock::SharedClock;
use crate::domain::period::Zone;
use crate::domain::suppression::Keyring;
use crate::domain::zone::ZoneFault;
use crate::ids::{SharedIds, TenantId};
use crate::store::{Database, RetryPolicy, StoreError, Transaction, clocks};

pub use error::IntakeError;
pub use times::{TimeError, read_time};

/// What intake is given; cheap to clone.
#[derive(Clone, Debug)]
pub struct Intake {
    /// The database.
    pub database: Database,
    /// The host's clock.
    pub clock: SharedClock,
    /// Ids of uploads and their rows.
    pub ids: SharedIds,
    /// Keys for hashes.
    pub keyring: Keyring,
    /// How a transaction is tried again that lost to another one.
    pub retry: RetryPolicy,
}

/// The tenant at whose door somebody stands.
#[derive(Clone, Debug)]
pub struct Tenant {
    /// Its id.
    pub id: TenantId,
    /// Its name on the command line.
    pub slug: String,
    /// For times without a zone of their own; or why there is none, which keeps nobody from unsubscribing.
    pub zone: Result<Zone, ZoneFault>,
}

impl Intake {
    /// S10: the earlier of the host's and the database's clock, truncated.
    async fn now(&self, transaction: &Transaction) -> Result<DateTime<Utc>, StoreError> {
        let clocks = clocks::read(transaction, &self.clock).await?;
        Ok(clocks.host.min(clocks.database))
    }
}
