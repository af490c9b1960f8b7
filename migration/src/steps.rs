//! The steps of a migration, each of which can be done again.
//!
//! On PostgreSQL and SQLite all migrations are one transaction, and an interrupted one leaves nothing
//! behind. MariaDB commits each statement that changes the schema by itself: an interrupted migration
//! stays half done and is not recorded, so it begins anew and meets what it made before. There each step
//! does nothing where its result is in place.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{DbBackend, Statement};

/// What a migration may do. It sends nothing past these.
pub(crate) struct Steps<'a> {
    manager: &'a SchemaManager<'a>,
    is_mariadb: bool,
}

impl<'a> Steps<'a> {
    pub(crate) fn of(manager: &'a SchemaManager<'a>) -> Self {
        Self {
            manager,
            is_mariadb: manager.get_database_backend() == DbBackend::MySql,
        }
    }

    /// Makes a table with its keys and constraints. A table of that name with other columns is not ours,
    /// and is an error on every database.
    pub(crate) async fn create_table(&self, mut table: TableCreateStatement) -> Result<(), DbErr> {
        if self.is_mariadb {
            self.refuse_a_table_of_others(&table).await?;
            table.if_not_exists();
        }
        self.manager.create_table(table).await
    }

    /// Makes an index.
    pub(crate) async fn create_index(&self, index: IndexCreateStatement) -> Result<(), DbErr> {
        if !self.is_mariadb {
            return self.manager.create_index(index).await;
        }
        // The builder writes for MySQL, which does not know IF NOT EXISTS here.
        let create = index.to_string(MysqlQueryBuilder);
        let create = create.replacen(" INDEX ", " INDEX IF NOT EXISTS ", 1);
        let connection = self.manager.get_connection();
        connection.execute_unprepared(&create).await?;
        Ok(())
    }

    /// Adds a column. One at a time: SQLite takes no more.
    pub(crate) async fn add_column(
        &self,
        table: &'static str,
        column: ColumnDef,
    ) -> Result<(), DbErr> {
        let mut add = Table::alter();
        add.table(table);
        if self.is_mariadb {
            add.add_column_if_not_exists(column);
        } else {
            add.add_column(column);
        }
        self.manager.alter_table(add).await
    }

    /// Changes rows. Done again, it must come to the same.
    pub(crate) async fn update(&self, update: UpdateStatement) -> Result<(), DbErr> {
        self.manager.execute(update).await
    }

    /// What only PostgreSQL has words for. All migrations are one transaction there.
    pub(crate) async fn execute_on_postgres(&self, statement: &str) -> Result<(), DbErr> {
        let connection = self.manager.get_connection();
        connection.execute_unprepared(statement).await?;
        Ok(())
    }

    /// What we made before has exactly the columns that we are about to make: later migrations have not
    /// been here yet.
    async fn refuse_a_table_of_others(&self, table: &TableCreateStatement) -> Result<(), DbErr> {
        let Some(TableRef::Table(TableName(_, name), _)) = table.get_table_name() else {
            return Err(DbErr::Migration("a table without a name".to_owned()));
        };
        let select = Statement::from_sql_and_values(
            DbBackend::MySql,
            "SELECT CONVERT(column_name USING utf8mb4) AS name FROM information_schema.columns \
             WHERE table_schema = DATABASE() AND table_name = ? ORDER BY ordinal_position",
            [name.to_string().into()],
        );
        let rows = self.manager.get_connection().query_all_raw(select).await?;
        let found = rows.iter().map(|row| row.try_get::<String>("", "name"));
        let found: Vec<String> = found.collect::<Result<_, _>>()?;
        let wanted = table.get_columns().iter();
        let wanted: Vec<String> = wanted.map(|column| column.get_column_name()).collect();
        if found.is_empty() || found == wanted {
            return Ok(());
        }
        Err(DbErr::Migration(format!(
            "a table {} that was not made by a migration",
            name
        )))
    }
}
