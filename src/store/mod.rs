//! The way to the database: connection, differences between the three databases, error classes,
//! retry, and the tables as named verbs.
//!
//! Every statement runs inside an explicit [`Transaction`], which gives it a deadline and maps its
//! errors to our own words: a database's own message may hold a row's values. Nothing here decides
//! whose data is erased: the statements that erase a participant's stand in `engine::erase`, and what
//! `suppressions` deletes is a hash that another one replaces.

mod catalog;
mod db;
mod tables;

pub use catalog::{delete_counters, pressure, reclaim, schema};
pub use db::connect::{Database, connect};
pub use db::dialect::Dialect;
pub use db::error::{Disposition, ErrorClass, StoreError};
pub use db::retry::{RetryPolicy, with_retry};
pub use db::sqlite_files::believe as believe_files;
pub use db::statement::{Parameters, parameters};
pub use db::transaction::Transaction;
pub use db::{clocks, requirements, server_logs};
pub use tables::{
    arrivals, batches, keys, leases, participants, policies, run_status, runs, suppressions,
    tenants, uploads,
};
