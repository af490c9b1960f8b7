//! The daemon: wakes up, looks at what is owed, and lets the engine do it, for months.
//!
//! ```text
//!  ticks (cron) ─┐                       ┌─> reconcile ──> owed ──> workers ──> engine
//!  sweep, timer ─┼─ wake-up ──> loop ────┤
//!  probe ────────┤              │        ├─> run status ──> metrics, audit (overdue)
//!  clock jump ───┤              │        └─> zones ──> ticks
//!  SIGHUP, start ┘              └─> health ──> /livez /readyz, sd_notify
//! ```
//!
//! Nothing in here decides what is erased, and nothing in here needs to be right for the promise to
//! hold: a wake-up is an idempotent "look at what is due", claims and leases are the engine's, and
//! the database is the truth. What this room promises is that somebody looks: after a missed tick,
//! an outage, a jump of the clock or a panic.
//!
//! The loop ([`service`]) never waits for the database. Whatever does runs in a task of its own, and
//! so the loop that pings the watchdog and answers signals is the one that hands out the work.

mod audit;
pub mod health;
mod http;
pub mod listener;
mod notify;
mod probe;
mod reconcile;
pub mod service;
mod signals;
mod supervisor;
mod ticks;
pub mod wakeup;
mod workers;
