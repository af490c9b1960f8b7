//! The tables, one file for each, or two that belong together; functions are named verbs.

pub mod arrivals;
pub mod batches;
pub mod keys;
pub mod leases;
pub mod participants;
pub mod policies;
pub mod run_status;
pub mod runs;
pub mod suppressions;
pub mod tenants;
pub mod uploads;
