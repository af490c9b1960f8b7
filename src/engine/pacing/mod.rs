//! How many runs work at a time, and how fast: [`permits`] says whose batch is next, [`pace`] shares a rate, and [`throttle`]
//! says when the database is too busy.

pub mod pace;
pub mod permits;
pub mod throttle;
