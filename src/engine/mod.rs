//! The engine: finds what is owed, and erases it.
//!
//! ```text
//! pass ── due ──> conductor ── claim ──> batch loop: anonymize ──> purge ──> uploads ──> recount ──> report
//!                                             │            │          │
//!                                             └── ledger <─┴──────────┘   (same transaction)
//! ```
//!
//! A [`pass`] asks [`due`] which tenants are owed a run, claims each by lease ([`claim`]) and gives it to
//! the [`conductor`], which drives its stages. Several tenants are in hand at a time and take [`permits`]. The loop over batches exists once, in
//! [`stage_runner`], and so does the transaction that a [`batch`] is; a [`stage`] says only which rows it selects and what it writes. Every statement that erases
//! something stands in [`erase`], and nowhere else.
//!
//! Whatever happens to the process, the database holds the truth: what a batch did, how far the run
//! got and who holds it are written in the transaction that erased the rows.

pub mod batch;
mod batch_size;
pub mod claim;
mod completed_runs;
pub mod conductor;
pub mod context;
pub mod due;
pub mod erase;
pub mod error;
mod estimate;
mod failure;
mod gap;
pub mod held;
pub mod open;
pub mod orphans;
pub mod overdue;
pub mod pace;
mod page;
pub mod partition;
pub mod pass;
pub mod permits;
pub mod plan;
pub mod reclaim;
pub mod records;
pub mod recount;
pub mod refused;
pub mod report;
pub mod stage;
mod stage_runner;
pub mod survey;
pub mod tally;
pub mod throttle;
pub mod verify;

pub use context::Engine;
pub use error::EngineError;
