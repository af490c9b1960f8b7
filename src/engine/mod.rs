//! The engine: finds what is owed, and erases it.
//!
//! ```text
//! pass ── due ──> claim ──> conductor ──> batch loop: anonymize ──> purge ──> uploads ──> recount ──> report
//!                                             │            │          │
//!                                             └── record <─┴──────────┘   (same transaction)
//! ```
//!
//! A [`pass`] asks [`due`] which tenants are owed a run, claims each by lease ([`claim`]) and gives it to
//! the [`conductor`], which drives its stages. Several tenants are in hand at a time and take [`permits`]. The loop over batches exists once, in
//! [`stage_runner`](batch::stage_runner), and so does the transaction that a [`batch`] is; a [`stage`] says only which rows it selects and what it writes. Every statement that erases
//! something stands in [`erase`], and nowhere else.
//!
//! Whatever happens to the process, the database holds the truth: what a batch did, how far the run
//! got and who holds it are written in the transaction that erased the rows.

pub mod batch;
pub mod context;
mod count;
pub mod erase;
pub mod error;
pub mod held;
pub mod open;
mod pacing;
pub mod pass;
mod proof;
pub mod reclaim;
pub mod refused;
pub mod report;
mod run;
mod schedule;
pub mod stage;
pub mod tally;

pub use count::{orphans, partition, recount};
pub use pacing::{pace, permits, throttle};
pub use proof::{overdue, plan, records, verify};
pub use run::{claim, conductor};
pub use schedule::{due, survey};

pub use context::Engine;
pub use error::EngineError;
