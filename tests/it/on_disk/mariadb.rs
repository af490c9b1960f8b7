//! Where MariaDB keeps things.

use std::path::{Path, PathBuf};

use retentiond::domain::subject::SUBJECT_TABLES;
use sea_orm::{ConnectOptions, ConnectionTrait, Database};

use super::servers::Files;
use crate::support::World;

pub struct MariaDb;

impl Files for MariaDb {
    async fn with_files<T>(&self, world: &World, look: impl FnOnce(Vec<PathBuf>) -> T) -> T {
        let data = std::env::var("RETENTIOND_TEST_MARIADB_DATA").expect(
            "RETENTIOND_TEST_MARIADB_DATA is the server's data directory; tests/run sets it",
        );
        let url = world.scratch.url();
        let database = url.rsplit('/').next().expect("a database");
        let database = database.split('?').next().expect("a database");
        let mut options = ConnectOptions::new(url);
        options.max_connections(1).sqlx_logging(false);
        let connection = Database::connect(options).await.expect("a connection");
        // Writes every page of the tables, and keeps everybody from changing one until UNLOCK TABLES.
        let flush = format!("FLUSH TABLES {} FOR EXPORT", SUBJECT_TABLES.join(", "));
        connection
            .execute_unprepared(&flush)
            .await
            .expect("a flush");
        let files = SUBJECT_TABLES
            .iter()
            .map(|table| Path::new(&data).join(database).join(format!("{table}.ibd")));
        let found = look(files.collect());
        connection
            .execute_unprepared("UNLOCK TABLES")
            .await
            .expect("unlocked");
        connection.close().await.expect("closed");
        found
    }
}
