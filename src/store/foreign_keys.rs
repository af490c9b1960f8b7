//! Whether the database itself sees to it that nobody's children outlive them.

use crate::domain::subject::CHILD_TABLES;

use super::dialect::Dialect;
use super::error::StoreError;
use super::transaction::Transaction;

/// Whether each child table has its foreign key to `participant`, complete and in force for this
/// session, as far as our role may see. If so, no delete of a participant can leave a row of it behind:
/// it takes the row along, or it fails.
///
/// Somebody may have dropped a key, or disabled it: for all (a trigger disabled), or for the role or
/// the server (`session_replication_role`, `foreign_key_checks`, `foreign_keys`).
///
/// # Errors
///
/// The database's.
pub async fn are_enforced(transaction: &Transaction) -> Result<bool, StoreError> {
    let sql = match transaction.dialect() {
        Dialect::Postgres => format!(
            "SELECT COUNT(DISTINCT foreign_key.conrelid) AS n FROM pg_constraint AS foreign_key \
             WHERE foreign_key.conrelid IN ({}) \
             AND foreign_key.confrelid = 'participant'::regclass AND foreign_key.contype = 'f' \
             AND cardinality(foreign_key.conkey) = 2 AND foreign_key.convalidated \
             AND current_setting('session_replication_role') <> 'replica' \
             AND NOT EXISTS (SELECT 1 FROM pg_trigger \
             WHERE pg_trigger.tgconstraint = foreign_key.oid \
             AND pg_trigger.tgenabled NOT IN ('O', 'A'))",
            names("::regclass")
        ),
        // The one table that shows the keys to a role that may not change the schema.
        Dialect::MariaDb => format!(
            "SELECT COUNT(DISTINCT table_name) AS n FROM information_schema.key_column_usage \
             WHERE table_schema = DATABASE() AND table_name IN ({}) \
             AND column_name = 'participant_id' AND referenced_table_schema = DATABASE() \
             AND referenced_table_name = 'participant' AND referenced_column_name = 'id' \
             AND @@SESSION.foreign_key_checks = 1",
            names("")
        ),
        Dialect::Sqlite => format!(
            "SELECT COUNT(*) AS n FROM sqlite_schema WHERE type = 'table' AND name IN ({}) \
             AND EXISTS (SELECT 1 FROM pragma_foreign_key_list(sqlite_schema.name) AS foreign_key \
             WHERE foreign_key.\"table\" = 'participant' AND foreign_key.\"to\" = 'id') \
             AND (SELECT foreign_keys FROM pragma_foreign_keys) = 1",
            names("")
        ),
    };
    let found = transaction.number(&sql, &[]).await?;
    Ok(usize::try_from(found) == Ok(CHILD_TABLES.len()))
}

/// The child tables as literals.
fn names(cast: &str) -> String {
    CHILD_TABLES
        .map(|table| format!("'{table}'{cast}"))
        .join(", ")
}
