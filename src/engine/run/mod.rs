//! One run of one tenant: [`claim`] pins policy version and cutoffs and takes the lease, [`estimate`] counts what there is to do,
//! [`conductor`] drives the stages, and [`failure`] is what is recorded of one that ends early.

pub mod claim;
pub mod conductor;
pub(in crate::engine) mod estimate;
pub(in crate::engine) mod failure;
pub mod refusal;
