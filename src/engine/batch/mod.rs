//! Batches: [`page`] locks rows, [`transaction`] is the one transaction that erases them through [`erase`](super::erase), and
//! [`stage_runner`] repeats it until nothing is left. [`size`] says how many rows one takes, and [`throttle_gate`] waits before each.

pub(in crate::engine) mod page;
pub(in crate::engine) mod size;
pub(in crate::engine) mod stage_runner;
pub(in crate::engine) mod throttle_gate;
pub mod transaction;
