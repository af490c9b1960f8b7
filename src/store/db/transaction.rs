//! A transaction whose every statement has a deadline and whose errors hold no value.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::TryStreamExt;
use sea_orm::sea_query::InsertStatement;
use sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, FromQueryResult, QueryResult,
    QuerySelect, QueryTrait, Select, StreamTrait, Value,
};

use crate::config::ReplicationSource;

use super::dialect::Dialect;
use super::error::{ErrorClass, StoreError};
use super::poison::{Poison, Unanswered};
use super::sqlite_files::SqliteFile;
use super::statement::{bind, named};

/// An open transaction; rolled back unless committed.
#[derive(Debug)]
pub struct Transaction {
    /// Dropped before the connection is: what a panic ended in the middle is not left to the pool.
    open: Unanswered,
    inner: DatabaseTransaction,
    dialect: Dialect,
    deadline: Duration,
    doing: &'static str,
    poison: Poison,
    /// A call missed its deadline: the connection is not to be used again.
    missed: AtomicBool,
    /// SQLite's, for what to say when it cannot be written.
    file: Option<Arc<SqliteFile>>,
    replication_source: ReplicationSource,
}

impl Transaction {
    pub(in crate::store) fn new(
        inner: DatabaseTransaction,
        dialect: Dialect,
        deadline: Duration,
        doing: &'static str,
        poison: Poison,
        file: Option<Arc<SqliteFile>>,
        replication_source: ReplicationSource,
    ) -> Self {
        Self {
            open: Unanswered::new(&poison),
            inner,
            dialect,
            deadline,
            doing,
            poison,
            missed: AtomicBool::new(false),
            file,
            replication_source,
        }
    }

    /// The database's dialect.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// What is to become of a server that copies its rows from another one.
    pub(in crate::store) fn replication_source(&self) -> ReplicationSource {
        self.replication_source
    }

    /// The file of a SQLite database, if it is not the one any more that was opened.
    pub(in crate::store) fn replaced_file(&self) -> Option<String> {
        let file = self.file.as_ref().filter(|file| file.is_replaced())?;
        Some(file.path.display().to_string())
    }

    /// The SeaORM transaction, for the migrator; wrap the call in [`Transaction::run`].
    pub(in crate::store) fn orm(&self) -> &DatabaseTransaction {
        &self.inner
    }

    /// Awaits one call on the database under the transaction's deadline. After a missed one nothing
    /// more is sent: the connection would still be busy with what nobody waits for.
    ///
    /// # Errors
    ///
    /// The call's error, classified, or [`ErrorClass::Deadline`].
    pub async fn run<T>(
        &self,
        call: impl Future<Output = Result<T, DbErr>>,
    ) -> Result<T, StoreError> {
        self.require_in_time()?;
        let result = watched(&self.poison, self.deadline, self.doing, call).await;
        if is_miss(&result) {
            self.missed.store(true, Ordering::Relaxed);
        }
        result.map_err(|error| match &self.file {
            Some(file) => file.explain(error),
            None => error,
        })
    }

    fn require_in_time(&self) -> Result<(), StoreError> {
        if self.missed.load(Ordering::Relaxed) {
            return Err(StoreError::new(ErrorClass::Deadline, self.doing));
        }
        Ok(())
    }

    /// Runs a statement with named parameters and returns how many rows it matched.
    ///
    /// `name` is the statement's own, `room.what_it_does`. It is sent along as a comment, so that whatever
    /// the server shows of a statement says where in this code it stands.
    pub async fn execute(
        &self,
        name: &'static str,
        sql: &str,
        parameters: &[(&str, Value)],
    ) -> Result<u64, StoreError> {
        let statement = bind(self.dialect, name, sql, parameters);
        let result = self.run(self.inner.execute_raw(statement)).await?;
        Ok(result.rows_affected())
    }

    /// All rows of a query that is known to be bounded.
    pub async fn rows<T: FromQueryResult>(
        &self,
        name: &'static str,
        sql: &str,
        parameters: &[(&str, Value)],
    ) -> Result<Vec<T>, StoreError> {
        let statement = bind(self.dialect, name, sql, parameters);
        let rows = self.run(self.inner.query_all_raw(statement)).await?;
        rows.iter().map(|row| self.decode(row)).collect()
    }

    /// Shows `visit` each row of a query, one after the other: of however many there are, only a few are
    /// in memory at a time. All of them together must come within the deadline.
    ///
    /// # Errors
    ///
    /// As [`Transaction::run`]; `visit` may have been shown some of the rows.
    pub async fn each_row<T: FromQueryResult>(
        &self,
        name: &'static str,
        sql: &str,
        parameters: &[(&str, Value)],
        mut visit: impl FnMut(T),
    ) -> Result<(), StoreError> {
        let statement = bind(self.dialect, name, sql, parameters);
        // The stream ends in here: another statement, sent while it is open, would wait for ever.
        self.run(async {
            let mut rows = self.inner.stream_raw(statement).await?;
            while let Some(row) = rows.try_next().await? {
                visit(T::from_query_result(&row, "")?);
            }
            Ok(())
        })
        .await
    }

    /// The first row of a query, if there is one.
    pub async fn row<T: FromQueryResult>(
        &self,
        name: &'static str,
        sql: &str,
        parameters: &[(&str, Value)],
    ) -> Result<Option<T>, StoreError> {
        let statement = bind(self.dialect, name, sql, parameters);
        let row = self.run(self.inner.query_one_raw(statement)).await?;
        row.map(|row| self.decode(&row)).transpose()
    }

    /// The number in the column `n` of a query's one row; 0 where that is NULL.
    pub async fn number(
        &self,
        name: &'static str,
        sql: &str,
        parameters: &[(&str, Value)],
    ) -> Result<i64, StoreError> {
        let row = self.row::<Number>(name, sql, parameters).await?;
        Ok(row.and_then(|row| row.n).unwrap_or(0))
    }

    /// As [`Transaction::number`], of what is counted.
    pub async fn count(
        &self,
        name: &'static str,
        sql: &str,
        parameters: &[(&str, Value)],
    ) -> Result<u64, StoreError> {
        let number = self.number(name, sql, parameters).await?;
        Ok(u64::try_from(number).unwrap_or_default())
    }

    /// All rows of an entity that `select` names, which are known to be few.
    pub async fn models<E: EntityTrait>(
        &self,
        name: &'static str,
        select: Select<E>,
    ) -> Result<Vec<E::Model>, StoreError> {
        let statement = named(name, select.build(self.dialect.backend()));
        let rows = self.run(self.inner.query_all_raw(statement)).await?;
        rows.iter().map(|row| self.decode(row)).collect()
    }

    /// The first row of an entity that `select` names, if there is one.
    pub async fn model<E: EntityTrait>(
        &self,
        name: &'static str,
        select: Select<E>,
    ) -> Result<Option<E::Model>, StoreError> {
        Ok(self.models(name, select.limit(1)).await?.pop())
    }

    /// Adds rows of an entity.
    pub async fn insert(
        &self,
        name: &'static str,
        rows: impl QueryTrait<QueryStatement = InsertStatement>,
    ) -> Result<(), StoreError> {
        let statement = named(name, rows.build(self.dialect.backend()));
        self.run(self.inner.execute_raw(statement)).await?;
        Ok(())
    }

    /// Keeps PostgreSQL from starting workers for the transaction's queries. Where several of ours run
    /// beside each other they take each other's cores, and take longer than one process by itself.
    pub async fn without_parallel_workers(&self) -> Result<(), StoreError> {
        if self.dialect == Dialect::Postgres {
            let sql = "SET LOCAL max_parallel_workers_per_gather = 0";
            self.execute("transaction.no_parallel_workers", sql, &[])
                .await?;
        }
        Ok(())
    }

    /// Makes everything permanent.
    ///
    /// # Errors
    ///
    /// Of an [`ErrorClass::Unavailable`] or [`ErrorClass::Deadline`] nobody knows whether the
    /// commit took place.
    pub async fn commit(self) -> Result<(), StoreError> {
        self.require_in_time()?;
        let commit = self.inner.commit();
        let result = watched(&self.poison, self.deadline, self.doing, commit).await;
        self.open.answered();
        result
    }

    /// Takes everything back. MariaDB rolls only the statement back on a lock timeout, so this is
    /// always sent rather than left to the connection.
    ///
    /// # Errors
    ///
    /// When the connection is gone, or given up after a missed deadline, which rolls back as well.
    pub async fn rollback(self) -> Result<(), StoreError> {
        self.require_in_time()?;
        let rollback = self.inner.rollback();
        let result = watched(&self.poison, self.deadline, self.doing, rollback).await;
        self.open.answered();
        result
    }

    fn decode<T: FromQueryResult>(&self, row: &QueryResult) -> Result<T, StoreError> {
        T::from_query_result(row, "").map_err(|error| StoreError::from_db(&error, self.doing))
    }
}

#[derive(FromQueryResult)]
struct Number {
    n: Option<i64>,
}

/// Awaits `call` for at most `deadline`: a half-open connection never answers at all.
pub(in crate::store) async fn within<T>(
    deadline: Duration,
    doing: &'static str,
    call: impl Future<Output = Result<T, DbErr>>,
) -> Result<T, StoreError> {
    match tokio::time::timeout(deadline, call).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(StoreError::from_db(&error, doing)),
        Err(_) => Err(StoreError::new(ErrorClass::Deadline, doing)),
    }
}

/// As [`within`], and remembers a missed deadline, or that nobody waited for the answer, before the
/// call, and with it its connection, is dropped: the pool decides about the connection at that moment.
pub(in crate::store) async fn watched<T>(
    poison: &Poison,
    deadline: Duration,
    doing: &'static str,
    call: impl Future<Output = Result<T, DbErr>>,
) -> Result<T, StoreError> {
    let mut call = pin!(call);
    // Declared after the call, and so dropped before it.
    let unanswered = Unanswered::new(poison);
    let result = within(deadline, doing, call.as_mut()).await;
    if !is_miss(&result) {
        unanswered.answered();
    }
    // A server that takes no writes any more: the primary may be another one by now, of the same name. All
    // connections are replaced when they come back, and the name is looked up anew. So they are where a setting
    // of the server is wrong: once it is set right, that holds for new sessions.
    let of_the_server = [ErrorClass::ReadOnly, ErrorClass::Settings];
    if matches!(&result, Err(error) if of_the_server.contains(&error.class())) {
        poison.record();
    }
    result
}

fn is_miss<T>(result: &Result<T, StoreError>) -> bool {
    matches!(result, Err(error) if error.class() == ErrorClass::Deadline)
}
