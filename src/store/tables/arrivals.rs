//! The rows that an upload brings, which come as one JSON document each: the text of a statement is always the
//! same, however many rows there are and whichever of their fields are empty.

use sea_orm::Value;

use super::uploads::Upload;
use crate::store::db::dialect::Dialect;
use crate::store::db::error::StoreError;
use crate::store::db::transaction::Transaction;

/// Stores participants: a list of objects with the id `i`, the time `t`, the personal fields `f`, `l`, `e`, `p`
/// and `c` in the order of the table, and `u`, since when they are unsubscribed.
pub async fn add_participants(
    transaction: &Transaction,
    upload: &Upload,
    rows: String,
) -> Result<(), StoreError> {
    let sql = insert_participants(transaction.dialect());
    let values = values(upload, rows);
    transaction
        .execute("arrivals.add_participants", sql, &values)
        .await?;
    Ok(())
}

/// Stores metadata: a list of objects with the participant's id `i`, the key `k` and the value `v`.
pub async fn add_metadata(
    transaction: &Transaction,
    upload: &Upload,
    rows: String,
) -> Result<(), StoreError> {
    let sql = insert_metadata(transaction.dialect());
    let values = values(upload, rows);
    transaction
        .execute("arrivals.add_metadata", sql, &values)
        .await?;
    Ok(())
}

/// Queues invitations: a list of objects with the participant's id `p` and their own, `i`.
pub async fn add_invitations(
    transaction: &Transaction,
    upload: &Upload,
    rows: String,
) -> Result<(), StoreError> {
    let sql = insert_invitations(transaction.dialect());
    let values = values(upload, rows);
    transaction
        .execute("arrivals.add_invitations", sql, &values)
        .await?;
    Ok(())
}

fn values(upload: &Upload, rows: String) -> [(&'static str, Value); 4] {
    [
        ("tenant", upload.tenant.into()),
        ("upload", upload.id.into()),
        ("accepted_at", upload.accepted_at.into()),
        ("rows", rows.into()),
    ]
}

/// Makes PostgreSQL plan its checks of foreign keys again.
///
/// It plans them once a session. On tables that were empty then, and that nobody analyzed, any index
/// that begins with the tenant looks as good as the primary key; with the wrong one each check reads
/// all of the tenant's rows (30,000 rows took 53 s instead of 3 s). Called each time the number of
/// rows has doubled, it sees that the tables have grown. Needs no privilege.
pub async fn forget_plans(transaction: &Transaction) -> Result<(), StoreError> {
    if transaction.dialect() == Dialect::Postgres {
        transaction
            .execute("arrivals.discard_plans", "DISCARD PLANS", &[])
            .await?;
    }
    Ok(())
}

/// Each row is stored at the time of its upload's own row: by the default, each would have a microsecond of
/// its own, and with it a place in the upload. For whether it is late, the upload's time counts, too, which is
/// set again at the end.
fn insert_participants(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Postgres => {
            "INSERT INTO participant (tenant_id, id, upload_id, added_at, first_name, last_name, \
             email, phone, customer_id, unsubscribed_at, stored_at) \
             SELECT :tenant, i, :upload, t, f, l, e, p, c, u, \
             (SELECT stored_at FROM upload WHERE tenant_id = :tenant AND id = :upload) \
             FROM json_to_recordset(CAST(:rows AS json)) AS r \
             (i uuid, t timestamptz, f text, l text, e text, p text, c text, u timestamptz)"
        }
        Dialect::MariaDb => {
            "INSERT INTO participant (tenant_id, id, upload_id, added_at, first_name, last_name, \
             email, phone, customer_id, unsubscribed_at, stored_at) \
             SELECT :tenant, UNHEX(i), :upload, t, f, l, e, p, c, u, \
             (SELECT stored_at FROM upload WHERE tenant_id = :tenant AND id = :upload) \
             FROM JSON_TABLE(:rows, '$[*]' COLUMNS (i CHAR(32) PATH '$.i', \
             t DATETIME(6) PATH '$.t', \
             f VARCHAR(255) CHARACTER SET utf8mb4 PATH '$.f', \
             l VARCHAR(255) CHARACTER SET utf8mb4 PATH '$.l', \
             e VARCHAR(320) CHARACTER SET utf8mb4 PATH '$.e', \
             p VARCHAR(64) CHARACTER SET utf8mb4 PATH '$.p', \
             c VARCHAR(255) CHARACTER SET utf8mb4 PATH '$.c', \
             u DATETIME(6) PATH '$.u')) AS r"
        }
        Dialect::Sqlite => {
            "INSERT INTO participant (tenant_id, id, upload_id, added_at, first_name, last_name, \
             email, phone, customer_id, unsubscribed_at, stored_at) \
             SELECT :tenant, unhex(value ->> '$.i'), :upload, value ->> '$.t', value ->> '$.f', \
             value ->> '$.l', value ->> '$.e', value ->> '$.p', value ->> '$.c', value ->> '$.u', \
             (SELECT stored_at FROM upload WHERE tenant_id = :tenant AND id = :upload) \
             FROM json_each(:rows)"
        }
    }
}

fn insert_metadata(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Postgres => {
            "INSERT INTO participant_metadata (tenant_id, participant_id, key, value) \
             SELECT :tenant, i, k, v \
             FROM json_to_recordset(CAST(:rows AS json)) AS r (i uuid, k text, v text)"
        }
        Dialect::MariaDb => {
            "INSERT INTO participant_metadata (tenant_id, participant_id, `key`, `value`) \
             SELECT :tenant, UNHEX(i), k, v \
             FROM JSON_TABLE(:rows, '$[*]' COLUMNS (i CHAR(32) PATH '$.i', \
             k VARCHAR(255) CHARACTER SET utf8mb4 PATH '$.k', \
             v VARCHAR(4096) CHARACTER SET utf8mb4 PATH '$.v')) AS r"
        }
        Dialect::Sqlite => {
            "INSERT INTO participant_metadata (tenant_id, participant_id, \"key\", value) \
             SELECT :tenant, unhex(r.value ->> '$.i'), r.value ->> '$.k', r.value ->> '$.v' \
             FROM json_each(:rows) AS r"
        }
    }
}

fn insert_invitations(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Postgres => {
            "INSERT INTO invitation (tenant_id, participant_id, id, state, send_at) \
             SELECT :tenant, p, i, 'queued', :accepted_at \
             FROM json_to_recordset(CAST(:rows AS json)) AS r (p uuid, i uuid)"
        }
        Dialect::MariaDb => {
            "INSERT INTO invitation (tenant_id, participant_id, id, state, send_at) \
             SELECT :tenant, UNHEX(p), UNHEX(i), 'queued', :accepted_at \
             FROM JSON_TABLE(:rows, '$[*]' COLUMNS (p CHAR(32) PATH '$.p', \
             i CHAR(32) PATH '$.i')) AS r"
        }
        Dialect::Sqlite => {
            "INSERT INTO invitation (tenant_id, participant_id, id, state, send_at) \
             SELECT :tenant, unhex(value ->> '$.p'), unhex(value ->> '$.i'), 'queued', :accepted_at \
             FROM json_each(:rows)"
        }
    }
}
