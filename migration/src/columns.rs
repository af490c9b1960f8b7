//! Column and table builders that give the three databases the same behaviour.
//!
//! What differs: MariaDB's `timestamp` ends in 2038 and its default collations pad and fold case;
//! SQLite ignores a declared length; UUIDs are native on PostgreSQL only.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

/// MariaDB: compares text as PostgreSQL and SQLite do (no padding, no case folding).
const MARIADB_COLLATION: &str = "utf8mb4_nopad_bin";

/// Builds columns for one database.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Columns {
    backend: DbBackend,
}

impl Columns {
    pub(crate) fn of(manager: &SchemaManager<'_>) -> Self {
        Self {
            backend: manager.get_database_backend(),
        }
    }

    pub(crate) fn is_postgres(self) -> bool {
        self.backend == DbBackend::Postgres
    }

    /// An empty table with the text rules of this database.
    pub(crate) fn table(self, name: &'static str) -> TableCreateStatement {
        let mut table = Table::create();
        table.table(name);
        if self.backend == DbBackend::MySql {
            table
                .engine("InnoDB")
                .character_set("utf8mb4")
                .collate(MARIADB_COLLATION);
        }
        table
    }

    /// A UUID, NOT NULL.
    pub(crate) fn uuid(self, name: &'static str) -> ColumnDef {
        let mut column = self.uuid_null(name);
        column.not_null();
        column
    }

    /// A UUID: `uuid`, BINARY(16) big-endian, 16-byte BLOB.
    pub(crate) fn uuid_null(self, name: &'static str) -> ColumnDef {
        let mut column = ColumnDef::new(name);
        match self.backend {
            DbBackend::MySql => column.custom("binary(16)"),
            DbBackend::Sqlite => column.custom("blob"),
            _ => column.uuid(),
        };
        column
    }

    /// An instant in UTC with microseconds, NOT NULL.
    pub(crate) fn timestamp(self, name: &'static str) -> ColumnDef {
        let mut column = self.timestamp_null(name);
        column.not_null();
        column
    }

    /// An instant in UTC with microseconds: `timestamptz`, `datetime(6)`, sortable text.
    pub(crate) fn timestamp_null(self, name: &'static str) -> ColumnDef {
        let mut column = ColumnDef::new(name);
        match self.backend {
            DbBackend::MySql => column.custom("datetime(6)"),
            DbBackend::Sqlite => column.custom("text"),
            _ => column.timestamp_with_time_zone(),
        };
        column
    }

    /// An instant that the database's own clock fills in when the writer leaves it out.
    pub(crate) fn timestamp_of_database(self, name: &'static str) -> ColumnDef {
        let mut column = self.timestamp(name);
        column.default(Expr::cust(match self.backend {
            DbBackend::MySql => "(UTC_TIMESTAMP(6))",
            DbBackend::Sqlite => "(strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now'))",
            _ => "clock_timestamp()",
        }));
        column
    }

    /// Text of at most `max` characters, NOT NULL.
    pub(crate) fn string(self, name: &'static str, max: u32) -> ColumnDef {
        let mut column = self.string_null(name, max);
        column.not_null();
        column
    }

    /// Text of at most `max` characters. SQLite ignores the declared length, hence the CHECK.
    pub(crate) fn string_null(self, name: &'static str, max: u32) -> ColumnDef {
        let mut column = ColumnDef::new(name);
        column.string_len(max);
        if self.backend == DbBackend::Sqlite {
            column.check(Expr::cust(format!("length(\"{name}\") <= {max}")));
        }
        column
    }

    /// Long text.
    pub(crate) fn text_null(self, name: &'static str) -> ColumnDef {
        let mut column = ColumnDef::new(name);
        match self.backend {
            DbBackend::MySql => column.custom("mediumtext"),
            _ => column.text(),
        };
        column
    }

    /// Exactly 32 bytes, the length of an HMAC-SHA-256, NOT NULL.
    pub(crate) fn hmac(self, name: &'static str) -> ColumnDef {
        let mut column = ColumnDef::new(name);
        match self.backend {
            DbBackend::MySql => column.custom("binary(32)"),
            DbBackend::Sqlite => column
                .custom("blob")
                .check(Expr::cust(format!("length(\"{name}\") = 32"))),
            _ => column
                .custom("bytea")
                .check(Expr::cust(format!("octet_length(\"{name}\") = 32"))),
        };
        column.not_null();
        column
    }

    /// A month written `2024-04`, NOT NULL.
    pub(crate) fn month(self, name: &'static str) -> ColumnDef {
        let mut column = ColumnDef::new(name);
        column.char_len(7).not_null();
        column
    }

    /// A count of rows, zero unless told otherwise.
    pub(crate) fn count(self, name: &'static str) -> ColumnDef {
        let mut column = ColumnDef::new(name);
        column.big_integer().not_null().default(0);
        column
    }

    /// A reference to a tenant.
    pub(crate) fn tenant_id(self) -> ColumnDef {
        let mut column = ColumnDef::new("tenant_id");
        column.big_integer().not_null();
        column
    }
}

/// Foreign key of a table to its tenant. Nothing cascades from a tenant: removing one is not
/// something that should happen by a slip.
pub(crate) fn to_tenant(name: &'static str, from: &'static str) -> ForeignKeyCreateStatement {
    let mut key = ForeignKey::create();
    key.name(name)
        .from(from, "tenant_id")
        .to("tenant", "id")
        .on_delete(ForeignKeyAction::Restrict);
    key
}

/// Foreign key of a child table to its participant; the children go with the participant.
pub(crate) fn to_participant(name: &'static str, from: &'static str) -> ForeignKeyCreateStatement {
    let mut key = ForeignKey::create();
    key.name(name)
        .from(from, ("tenant_id", "participant_id"))
        .to("participant", ("tenant_id", "id"))
        .on_delete(ForeignKeyAction::Cascade);
    key
}
