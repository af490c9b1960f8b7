//! Which server answers, by the name that it gives itself, and whether it is one that the service can use at
//! all. Asked once, when the database is opened; what may change under a running service is asked again and
//! again, by `requirements`.

use sea_orm::FromQueryResult;

use super::connect::Database;
use super::dialect::Dialect;
use super::error::{ErrorClass, StoreError};

const DOING: &str = "cannot use the database";

#[derive(FromQueryResult)]
struct Answer {
    server: String,
    /// MySQL speaks MariaDB's protocol, but not its SQL.
    is_known: i32,
    encoding: String,
    /// SQLite: deleted values are overwritten in the file; a build may lack the feature.
    overwrites: i32,
}

fn query(dialect: Dialect) -> String {
    let rest = match dialect {
        Dialect::Postgres => {
            "1 AS is_known, current_setting('server_encoding') AS encoding, 1 AS overwrites"
        }
        // Each column of ours says its encoding itself, whatever the database's default is.
        Dialect::MariaDb => {
            "CAST(VERSION() LIKE '%MariaDB%' AS INT) AS is_known, 'UTF8' AS encoding, \
             CAST(1 AS INT) AS overwrites"
        }
        Dialect::Sqlite => {
            "1 AS is_known, (SELECT encoding FROM pragma_encoding) AS encoding, \
             (SELECT secure_delete FROM pragma_secure_delete) AS overwrites"
        }
    };
    format!("SELECT {} AS server, {rest}", dialect.server())
}

impl Database {
    /// The name that the server gives itself.
    ///
    /// # Errors
    ///
    /// The database's, or that the service cannot use it.
    pub(in crate::store) async fn look_at_server(&self) -> Result<String, StoreError> {
        let transaction = self.begin_read(DOING).await?;
        let answer = transaction
            .row::<Answer>("server.identify", &query(self.dialect()), &[])
            .await?;
        transaction.rollback().await?;
        let Some(answer) = answer else {
            return Err(StoreError::new(ErrorClass::Schema, DOING));
        };
        if answer.is_known != 1 {
            return Err(StoreError::new(
                ErrorClass::Address,
                "the server is MySQL, and retentiond needs MariaDB 10.11 or newer",
            ));
        }
        // Names and addresses must come back as they went in, and an address must hash to what it hashed
        // to before: that takes one encoding, which holds every character.
        if !["UTF8", "UTF-8"].contains(&answer.encoding.as_str()) {
            let advice = format!(
                "its encoding is {}, and retentiond needs UTF-8, or names and addresses are lost or not \
                 recognised; make a database with UTF-8 (on PostgreSQL: ENCODING 'UTF8' TEMPLATE template0) \
                 and move the data there",
                answer.encoding
            );
            return Err(StoreError::new(ErrorClass::Address, DOING).with_advice(advice));
        }
        if answer.overwrites != 1 {
            return Err(StoreError::new(
                ErrorClass::Schema,
                "SQLite does not overwrite what it deletes (secure_delete is off)",
            ));
        }
        Ok(answer.server)
    }
}
