//! The way to the database: connection, differences between the three databases, error classes,
//! retry, and the tables as named verbs.
//!
//! Every statement runs inside an explicit [`Transaction`], which gives it a deadline and maps its
//! errors to our own words: a database's own message may hold a row's values. Nothing here decides
//! whose data is erased: the statements that erase a participant's stand in `engine::erase`, and what
//! `suppressions` deletes is a hash that another one replaces.

pub mod arrivals;
pub mod batches;
pub mod clocks;
mod connect;
pub mod delete_counters;
mod dialect;
mod error;
mod instants;
pub mod keys;
pub mod leases;
mod mariadb_session;
pub mod participants;
mod poison;
pub mod policies;
pub mod pressure;
pub mod reclaim;
pub mod requirements;
mod retry;
pub mod run_status;
pub mod runs;
pub mod schema;
mod server;
pub mod server_logs;
mod sqlite_files;
mod statement;
pub mod suppressions;
pub mod tenants;
mod tls_files;
mod transaction;
pub mod uploads;

pub use connect::{Database, connect};
pub use dialect::Dialect;
pub use error::{Disposition, ErrorClass, StoreError};
pub use retry::{RetryPolicy, with_retry};
pub use sqlite_files::believe as believe_files;
pub use statement::{Parameters, parameters};
pub use transaction::Transaction;
