//! Which runs are owed: [`due`] for a command, [`survey`] for the daemon. [`completed_runs`] need not be claimed, and [`gap`] holds
//! back what a person has to confirm.

pub(in crate::engine) mod completed_runs;
pub mod due;
pub(in crate::engine) mod gap;
pub mod survey;
