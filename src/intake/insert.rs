//! Storing accepted rows, a chunk at a time.
//!
//! A chunk travels as one JSON document on every database, so the text of each statement is always
//! the same, however many rows there are and whichever of their fields are empty.

use chrono::{DateTime, SecondsFormat, Utc};
use sea_orm::Value;
use serde::Serialize;
use uuid::Uuid;

use crate::ids::{IdSource, TenantId};
use crate::store::{Dialect, StoreError, Transaction};

use super::mapping::{EMAIL, Mapping};
use super::record::Row;

/// Rows a chunk.
const ROWS_MAX: usize = 500;

/// Bytes a chunk, of the values in it: well below the 16 MiB that MariaDB takes in one packet, with
/// room for JSON's escapes (six bytes for one at worst).
const VALUE_BYTES_MAX: usize = 1 << 20;

/// What all rows of an upload have in common.
#[derive(Clone, Copy, Debug)]
pub(super) struct Upload {
    pub tenant: TenantId,
    pub id: Uuid,
    pub accepted_at: DateTime<Utc>,
}

/// Rows that are stored together, each with its id.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    rows: Vec<(Uuid, Row)>,
    value_bytes: usize,
}

impl Chunk {
    pub(super) fn push(&mut self, id: Uuid, row: Row, mapping: &Mapping) {
        let fields = row.fields.iter().flatten().map(String::len);
        // The id and the column's name stand beside each metadata value.
        let metadata = row
            .metadata
            .iter()
            .map(|(position, value)| value.len() + mapping.columns[*position].len() + 48);
        self.value_bytes += fields.chain(metadata).sum::<usize>();
        self.rows.push((id, row));
    }

    pub(super) fn is_full(&self) -> bool {
        self.rows.len() >= ROWS_MAX || self.value_bytes >= VALUE_BYTES_MAX
    }

    pub(super) fn rows(&self) -> &[(Uuid, Row)] {
        &self.rows
    }

    pub(super) fn clear(&mut self) {
        self.rows.clear();
        self.value_bytes = 0;
    }

    /// The rows' addresses.
    pub(super) fn addresses(&self) -> Vec<Option<&str>> {
        self.rows
            .iter()
            .map(|(_, row)| row.fields[EMAIL].as_deref())
            .collect()
    }
}

/// Stores the upload's own row. How many rows it has is known at its end.
pub(super) async fn store_upload(
    transaction: &Transaction,
    upload: &Upload,
    file_name: &str,
    content_hmac: [u8; 32],
) -> Result<(), StoreError> {
    // MariaDB's check of the foreign key would share the lock on the tenant's row until the import
    // commits, and every `unsubscribe` would wait for that long. The import locks the row itself
    // before it commits, and refuses to if it is gone.
    let prefix = match transaction.dialect() {
        Dialect::MariaDb => "SET STATEMENT foreign_key_checks = 0 FOR ",
        _ => "",
    };
    let sql = format!(
        "{prefix}INSERT INTO upload \
         (tenant_id, id, file_name, content_hmac, row_count, accepted_at) \
         VALUES (:tenant, :upload, :file_name, :content_hmac, 0, :accepted_at)"
    );
    transaction
        .execute(
            "insert.upload",
            &sql,
            &[
                ("tenant", upload.tenant.0.into()),
                ("upload", upload.id.into()),
                ("file_name", file_name.into()),
                ("content_hmac", content_hmac.to_vec().into()),
                ("accepted_at", upload.accepted_at.into()),
            ],
        )
        .await?;
    Ok(())
}

/// Completes the upload's own row, right before the commit.
pub(super) async fn complete_upload(
    transaction: &Transaction,
    upload: &Upload,
    rows: u64,
) -> Result<(), StoreError> {
    let sql = format!(
        "UPDATE upload SET row_count = :rows, stored_at = {} WHERE tenant_id = :tenant AND id = :upload",
        transaction.dialect().now()
    );
    transaction
        .execute(
            "insert.complete_upload",
            &sql,
            &[
                ("rows", i64::try_from(rows).unwrap_or(i64::MAX).into()),
                ("tenant", upload.tenant.0.into()),
                ("upload", upload.id.into()),
            ],
        )
        .await?;
    Ok(())
}

/// Stores the rows of a chunk with their metadata, and an invitation for everybody who is not
/// `recognised` as unsubscribed. They are stored in the order in which they come, which is not the file's.
pub(super) async fn store_rows(
    transaction: &Transaction,
    upload: &Upload,
    mapping: &Mapping,
    rows: &[(Uuid, Row)],
    recognised: &[bool],
    ids: &dyn IdSource,
) -> Result<(), StoreError> {
    let dialect = transaction.dialect();
    let accepted_at = time(dialect, upload.accepted_at);
    let mut participants = Vec::with_capacity(rows.len());
    let mut metadata = Vec::new();
    let mut invitations = Vec::with_capacity(rows.len());
    for ((id, row), recognised) in rows.iter().zip(recognised) {
        let id = id.simple().to_string();
        let [first_name, last_name, email, phone, customer_id] =
            row.fields.each_ref().map(Option::as_deref);
        for (position, value) in &row.metadata {
            metadata.push(Metadata {
                i: id.clone(),
                k: &mapping.columns[*position],
                v: value,
            });
        }
        if !recognised {
            invitations.push(Invitation {
                p: id.clone(),
                i: ids.of_upload(upload.id).simple().to_string(),
            });
        }
        participants.push(Participant {
            i: id,
            t: time(dialect, row.added_at),
            f: first_name,
            l: last_name,
            e: email,
            p: phone,
            c: customer_id,
            u: recognised.then_some(&accepted_at),
        });
    }
    let store = |name, sql: &'static str, rows: Value| async move {
        let parameters = [
            ("tenant", upload.tenant.0.into()),
            ("upload", upload.id.into()),
            ("accepted_at", upload.accepted_at.into()),
            ("rows", rows),
        ];
        transaction.execute(name, sql, &parameters).await
    };
    store(
        "insert.participants",
        insert_participants(dialect),
        json(&participants),
    )
    .await?;
    if !metadata.is_empty() {
        store("insert.metadata", insert_metadata(dialect), json(&metadata)).await?;
    }
    if !invitations.is_empty() {
        store(
            "insert.invitations",
            insert_invitations(dialect),
            json(&invitations),
        )
        .await?;
    }
    Ok(())
}

/// Makes PostgreSQL plan its checks of foreign keys again.
///
/// It plans them once a session. On tables that were empty then, and that nobody analyzed, any index
/// that begins with the tenant looks as good as the primary key; with the wrong one each check reads
/// all of the tenant's rows (30,000 rows took 53 s instead of 3 s). Called each time the number of
/// rows has doubled, it sees that the tables have grown. Needs no privilege.
pub(super) async fn forget_plans(transaction: &Transaction) -> Result<(), StoreError> {
    if transaction.dialect() == Dialect::Postgres {
        transaction
            .execute("insert.discard_plans", "DISCARD PLANS", &[])
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

/// A time as the database reads it from text; in SQLite the very text that SeaORM writes.
fn time(dialect: Dialect, time: DateTime<Utc>) -> String {
    match dialect {
        Dialect::MariaDb => time.format("%Y-%m-%d %H:%M:%S%.6f").to_string(),
        Dialect::Postgres | Dialect::Sqlite => time.to_rfc3339_opts(SecondsFormat::AutoSi, false),
    }
}

fn json<T: Serialize>(rows: &[T]) -> Value {
    Value::from(serde_json::to_string(rows).expect("text and lists of it are always JSON"))
}

// Names are short because they are repeated for every row; none of these has Debug, which would
// show values.

#[derive(Serialize)]
struct Participant<'a> {
    i: String,
    t: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    f: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    l: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    e: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    c: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    u: Option<&'a String>,
}

#[derive(Serialize)]
struct Metadata<'a> {
    i: String,
    k: &'a str,
    v: &'a str,
}

#[derive(Serialize)]
struct Invitation {
    p: String,
    i: String,
}
