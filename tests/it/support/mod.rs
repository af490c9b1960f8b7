//! What tests stand on: a database of their own, and the real binary.

pub mod binary;
pub mod bouncer;
pub mod campaign;
pub mod certificates;
pub mod crowd;
pub mod database;
pub mod faked_time;
pub mod galera;
pub mod own_mariadb;
pub mod own_postgres;
pub mod own_server;
mod proof;
pub mod proxy;
pub mod pty;
pub mod serving;
pub mod snapshot;
pub mod statements;
pub mod way;
pub mod world;
pub mod zone_files;

pub use binary::{Binary, Finished, NOBODY};
pub use crowd::Crowd;
pub use database::{Backend, Scratch, scratch};
pub use serving::{Serving, free_port, holds_within};
pub use snapshot::Snapshot;
pub use world::{CHILDREN, Person, World, at, master_key, month_start};

/// Turns one test body into three tests, `name::postgres`, `name::mariadb` and `name::sqlite`,
/// each with a scratch database of its own.
///
/// ```ignore
/// on_every_database! {
///     /// What is shown.
///     async fn d07_new_york_but_not_brussels(database: Scratch) { … }
/// }
/// ```
macro_rules! on_every_database {
    ($(
        $(#[$attribute:meta])*
        async fn $name:ident($database:ident: $type:ty) $body:block
    )+) => {$(
        $(#[$attribute])*
        async fn $name($database: $type) $body

        mod $name {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                super::$name($crate::support::scratch($crate::support::Backend::Postgres).await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn mariadb() {
                super::$name($crate::support::scratch($crate::support::Backend::MariaDb).await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                super::$name($crate::support::scratch($crate::support::Backend::Sqlite).await).await;
            }
        }
    )+};
}
