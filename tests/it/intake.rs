//! Uploads, `unsubscribe` and `suppression check`, from outside: through the real binary wherever
//! that is how people meet them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use entity::{invitation, participant, suppression, tenant, upload};
use migration::{Migrator, MigratorTrait};
use retentiond::clock::{Clock, SystemClock};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseConnection, EntityTrait,
    PaginatorTrait, QueryFilter, QueryOrder, Set, Statement,
};
use serde_json::Value;

use crate::support::binary::Finished;
use crate::support::{Binary, Scratch};

mod bare;
mod columns;
mod once;
mod quotes;
mod rejects;
mod round_trip;
mod unsubscribed;
mod versions;

/// A migrated database with tenants `acme` and `other`, and a binary with a keyring.
struct World {
    binary: Binary,
    connection: DatabaseConnection,
}

impl World {
    async fn on(database: &Scratch) -> Self {
        let connection = database.connect().await;
        Migrator::up(&connection, None).await.expect("migrated");
        for slug in ["acme", "other"] {
            let row = tenant::ActiveModel {
                slug: Set(slug.to_owned()),
                name: Set(slug.to_owned()),
                time_zone: Set("Europe/Brussels".to_owned()),
                created_at: Set(SystemClock.now()),
                ..Default::default()
            };
            row.insert(&connection).await.expect("a tenant");
        }
        let binary = Binary::on(database);
        let path = binary.directory().join("retentiond.keyring");
        retentiond::keyring::generate(&path, &mut rand::rng(), SystemClock.now())
            .expect("a keyring");
        Self { binary, connection }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.binary.directory().join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), content).expect("the file is written");
    }

    fn import(&self, name: &str, more: &[&str]) -> Finished {
        let mut arguments = vec!["import", name, "--tenant", "acme", "--output", "json"];
        arguments.extend(more);
        self.binary.run(&arguments)
    }

    /// Writes and imports a file.
    fn upload(&self, name: &str, content: &str) -> Finished {
        self.write(name, content);
        self.import(name, &[])
    }

    fn unsubscribe(&self, tenant: &str, address: &str) -> Finished {
        let finished = self.binary.run_with_stdin(
            &["unsubscribe", "--tenant", tenant, "--output", "json"],
            address.as_bytes(),
        );
        let shown = format!("{}{}", finished.stdout, finished.stderr);
        let address = address.trim();
        assert!(address.is_empty() || !shown.contains(address), "echoed");
        finished
    }

    fn check(&self, tenant: &str, addresses: &str) -> String {
        let finished = self.binary.run_with_stdin(
            &["suppression", "check", "--tenant", tenant],
            addresses.as_bytes(),
        );
        assert_eq!(finished.stderr, "");
        finished.expect_code(0).stdout
    }

    async fn participants(&self) -> Vec<participant::Model> {
        participant::Entity::find()
            .order_by_asc(participant::Column::Id)
            .all(&self.connection)
            .await
            .expect("participants")
    }

    async fn suppressions(&self) -> Vec<suppression::Model> {
        let found = suppression::Entity::find().all(&self.connection).await;
        found.expect("hashes")
    }

    async fn invitations(&self, state: &str) -> u64 {
        invitation::Entity::find()
            .filter(invitation::Column::State.eq(state))
            .count(&self.connection)
            .await
            .expect("invitations")
    }

    async fn count_uploads(&self) -> u64 {
        let found = upload::Entity::find().count(&self.connection).await;
        found.expect("uploads")
    }

    async fn execute(&self, sql: &str) {
        let backend = self.connection.get_database_backend();
        self.connection
            .execute_raw(Statement::from_string(backend, sql))
            .await
            .expect("the statement is right");
    }
}

fn json(finished: &Finished) -> Value {
    serde_json::from_str(&finished.stdout).expect("one JSON document")
}

fn big_file(path: &Path, rows: usize) {
    let mut text = "email,first_name,last_name,Team\n".to_owned();
    for row in 0..rows {
        text.push_str(&format!(
            "person{row}@example.be,Ann,Peeters,Team {}\n",
            row % 20
        ));
    }
    std::fs::write(path, text).expect("the file is written");
}

/// An import of `big.csv` in the background.
fn spawn(world: &World, database: &Scratch) -> std::process::Child {
    Command::new(env!("CARGO_BIN_EXE_retentiond"))
        .args(["import", "big.csv", "--tenant", "acme"])
        .current_dir(world.binary.directory())
        .env_clear()
        .env("RETENTIOND__DATABASE__URL", database.url())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary starts")
}

async fn count_participants(world: &World) -> u64 {
    let found = participant::Entity::find().count(&world.connection).await;
    found.expect("participants")
}
