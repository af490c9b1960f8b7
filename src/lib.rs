//! `retentiond`: anonymizes and deletes survey participants on time, for every tenant, exactly once.
//!
//! The rooms, in the order in which a reader meets them; arrows run one way, from the bottom of this
//! list to its top:
//!
//! - [`clock`] and [`ids`]: time, randomness and ids, which everything else takes as parameters.
//! - [`trusted_file`]: which files are believed.
//! - [`domain`]: periods, policies, cutoffs, addresses, suppression hashes. Pure; knows no database.
//! - [`tzdata`]: whose time-zone rules hold, and when they are read.
//! - [`keyring`]: the file of master keys. Knows no database.
//! - [`config`]: what can be set, and where it comes from.
//! - [`telemetry`]: what the service tells about itself.
//! - [`store`]: the way to the database.
//! - [`engine`]: finds what is owed, and erases it.
//! - [`intake`]: uploads, and recognising who unsubscribed.
//! - [`demo`]: invented people, and the run of the specification's example on them.
//! - [`daemon`]: wakes up and lets the engine work, for months.
//! - [`cli`]: the commands.

// Laying out the futures of whole commands, which hold those of SeaORM and sqlx, needs more than the
// 128 levels that the compiler allows by default in an optimised build.
#![recursion_limit = "256"]

pub mod cli;
pub mod clock;
pub mod config;
mod core_dump;
pub mod daemon;
pub mod demo;
pub mod domain;
pub mod engine;
pub mod file_fault;
pub mod ids;
pub mod intake;
pub mod keyring;
pub mod store;
pub mod telemetry;
pub mod trusted_file;
pub mod tzdata;
