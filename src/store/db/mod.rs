//! The database as such: how to connect, transactions with a deadline, statements with a name, the differences between
//! the three databases, and errors without values.
//!
//! [`connect`] opens it, [`transaction`] sends each statement, [`statement`] names and binds it, [`dialect`] spells it, [`error`]
//! says in our words what went wrong, and [`poison`] gives up connections that no longer answer. [`requirements`] is what server, role and
//! session must be before anything is deleted.

pub mod clocks;
pub(in crate::store) mod connect;
pub(in crate::store) mod dialect;
pub(in crate::store) mod error;
pub(in crate::store) mod instants;
pub(in crate::store) mod mariadb_session;
pub(in crate::store) mod poison;
pub mod requirements;
pub(in crate::store) mod retry;
pub(in crate::store) mod server;
pub mod server_logs;
pub(in crate::store) mod sqlite_files;
pub(in crate::store) mod statement;
pub(in crate::store) mod tls_files;
pub(in crate::store) mod transaction;
