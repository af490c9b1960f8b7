//! E10: what we promised to forget stands in no log, record, metric, error, panic or output, at any
//! level.
//!
//! A marker stands in every personal value, in metadata, answers and messages, in everything that is
//! malformed, and in what databases say about errors. Then everything that the service says or records is
//! searched for it. The documented exceptions are rejects files and the database's own tables of people.
//!
//! E18 (`order`): nor does what stays of anonymized people say who is who by its order or its instants.

mod canary;
mod commands;
mod errors;
mod order;
mod panics;
mod records;
mod serving;
