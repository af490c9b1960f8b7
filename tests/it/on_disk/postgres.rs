//! Where PostgreSQL keeps things.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use retentiond::domain::subject::SUBJECT_TABLES;
use sea_orm::{ConnectionTrait, Statement};

use super::files::{ERASED, Found};
use super::servers::Files;
use crate::support::World;

pub struct Postgres;

impl Files for Postgres {
    async fn with_files<T>(&self, world: &World, look: impl FnOnce(Vec<PathBuf>) -> T) -> T {
        world.sql("CHECKPOINT").await;
        let relations = paths(
            world,
            &format!(
                "WITH tables AS (SELECT oid, reltoastrelid FROM pg_class WHERE relname IN ('{}') \
                 AND relkind = 'r'), heaps AS (SELECT oid FROM tables UNION SELECT reltoastrelid \
                 FROM tables WHERE reltoastrelid <> 0) \
                 SELECT pg_relation_filepath(oid) AS text FROM heaps UNION \
                 SELECT pg_relation_filepath(indexrelid) FROM pg_index \
                 WHERE indrelid IN (SELECT oid FROM heaps)",
                SUBJECT_TABLES.join("', '")
            ),
        )
        .await;
        // A heap and a TOAST table each, and at least an index on each of them.
        assert!(relations.len() >= 4 * SUBJECT_TABLES.len() - 2);
        look(relations.iter().flat_map(|file| forks(file)).collect())
    }
}

impl Postgres {
    /// Takes statistics, as autovacuum does sooner or later.
    pub async fn analyze(world: &World) {
        for table in SUBJECT_TABLES {
            world.sql(&format!("ANALYZE {table}")).await;
        }
    }

    /// What `pg_stats` shows.
    pub async fn statistics(world: &World) -> Found {
        let rows = texts(world, "SELECT pg_stats::text AS text FROM pg_stats").await;
        Found::in_bytes(ERASED, rows.join("\n").as_bytes())
    }

    /// How many files the database's directory has beside those of the catalog of statistics, and what
    /// was found in them.
    pub async fn everything_but_statistics(world: &World) -> (usize, Found) {
        world.sql("CHECKPOINT").await;
        let statistics = paths(
            world,
            "SELECT pg_relation_filepath(oid) AS text FROM pg_class WHERE relname = 'pg_statistic' \
             UNION SELECT pg_relation_filepath(reltoastrelid) FROM pg_class \
             WHERE relname = 'pg_statistic'",
        )
        .await;
        let directory = statistics[0].parent().expect("a directory").to_path_buf();
        let left_out: BTreeSet<PathBuf> = statistics.iter().flat_map(|file| forks(file)).collect();
        let files: Vec<PathBuf> = fs::read_dir(&directory)
            .expect("the database's directory can be read")
            .map(|entry| entry.expect("an entry").path())
            .filter(|file| !left_out.contains(file))
            .collect();
        // Autovacuum may remove a file in between; one of our tables it never removes.
        (
            files.len(),
            Found::in_files(ERASED, files.iter().filter(|file| file.exists())),
        )
    }
}

async fn texts(world: &World, sql: &str) -> Vec<String> {
    let statement = Statement::from_string(world.db.get_database_backend(), sql);
    let rows = world.db.query_all_raw(statement).await.expect("rows");
    rows.iter()
        .map(|row| row.try_get("", "text").expect("a text"))
        .collect()
}

async fn paths(world: &World, sql: &str) -> Vec<PathBuf> {
    let data = std::env::var("RETENTIOND_TEST_POSTGRES_DATA")
        .expect("RETENTIOND_TEST_POSTGRES_DATA is the server's data directory; tests/run sets it");
    let names = texts(world, sql).await;
    names
        .iter()
        .map(|name| Path::new(&data).join(name))
        .collect()
}

/// The file itself, its further segments, and its maps.
fn forks(file: &Path) -> Vec<PathBuf> {
    let directory = file.parent().expect("a directory");
    let name = file
        .file_name()
        .expect("a name")
        .to_string_lossy()
        .into_owned();
    let forks: Vec<PathBuf> = fs::read_dir(directory)
        .expect("the database's directory can be read")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| {
            let other = path.file_name().expect("a name").to_string_lossy();
            other
                .strip_prefix(name.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '_']))
        })
        .collect();
    assert!(!forks.is_empty(), "{} is not there", file.display());
    forks
}
