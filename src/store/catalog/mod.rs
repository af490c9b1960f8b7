//! What the database knows of itself: the schema, counters, how busy it is, and the space of its files.

pub mod delete_counters;
pub mod pressure;
pub mod reclaim;
pub mod schema;
