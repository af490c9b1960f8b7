//! Storing accepted rows, a chunk at a time.
//!
//! A chunk travels as one JSON document on every database; [`crate::store::arrivals`] has the statements.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use uuid::Uuid;

use crate::ids::IdSource;
use crate::store::uploads::Upload;
use crate::store::{Dialect, StoreError, Transaction, arrivals};

use super::mapping::{EMAIL, Mapping};
use super::record::Row;

/// Rows a chunk.
const ROWS_MAX: usize = 500;

/// Bytes a chunk, of the values in it: well below the 16 MiB that MariaDB takes in one packet, with
/// room for JSON's escapes (six bytes for one at worst).
const VALUE_BYTES_MAX: usize = 1 << 20;

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
    arrivals::add_participants(transaction, upload, json(&participants)).await?;
    if !metadata.is_empty() {
        arrivals::add_metadata(transaction, upload, json(&metadata)).await?;
    }
    if !invitations.is_empty() {
        arrivals::add_invitations(transaction, upload, json(&invitations)).await?;
    }
    Ok(())
}

/// A time as the database reads it from text; in SQLite the very text that SeaORM writes.
fn time(dialect: Dialect, time: DateTime<Utc>) -> String {
    match dialect {
        Dialect::MariaDb => time.format("%Y-%m-%d %H:%M:%S%.6f").to_string(),
        Dialect::Postgres | Dialect::Sqlite => time.to_rfc3339_opts(SecondsFormat::AutoSi, false),
    }
}

fn json<T: Serialize>(rows: &[T]) -> String {
    serde_json::to_string(rows).expect("text and lists of it are always JSON")
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
