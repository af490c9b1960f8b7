//! All that a run may change, kept beside itself in the database, so that it can be put back.

use sea_orm::{ConnectionTrait, DatabaseConnection};

/// Parents before children.
const TABLES: [&str; 10] = [
    "upload",
    "participant",
    "participant_metadata",
    "answer",
    "conversation_message",
    "invitation",
    "suppression",
    "tenant_run",
    "run_batch",
    "run_lease",
];

/// Keeps everything as it is.
pub async fn keep(db: &DatabaseConnection) {
    for table in TABLES {
        let keep = format!("CREATE TABLE kept_{table} AS SELECT * FROM {table}");
        db.execute_unprepared(&keep).await.expect("a copy");
    }
}

/// Everything as it was, while nobody works.
pub async fn put_back(db: &DatabaseConnection) {
    for table in TABLES.iter().rev() {
        let clear = format!("DELETE FROM {table}");
        db.execute_unprepared(&clear).await.expect("an empty table");
    }
    for table in TABLES {
        let fill = format!("INSERT INTO {table} SELECT * FROM kept_{table}");
        db.execute_unprepared(&fill).await.expect("the copy");
    }
}
