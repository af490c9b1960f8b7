//! What would be done, and what was done: [`plan`] before, [`verify`], [`overdue`] and [`records`] after. All of it only reads.

pub mod overdue;
pub mod plan;
pub mod records;
pub mod verify;
