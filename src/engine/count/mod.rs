//! Counting what is there: [`recount`] by what a stage may touch, [`partition`] every participant once, and [`orphans`] marks
//! tenants whose rows without a participant have to be counted.

pub mod orphans;
pub mod partition;
pub mod recount;
