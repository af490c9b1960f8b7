//! Whether a MariaDB server copies its rows from another one. Such a replica takes writes, unless somebody set
//! `read_only`, and says nothing of what it is: whoever deletes there deletes nothing at the source, and ends the
//! replication with the next change of a row that is gone.

use std::sync::Once;

use sea_orm::{DbErr, FromQueryResult, QueryResult};

use crate::store::db::dialect::Dialect;
use crate::store::db::error::{ErrorClass, StoreError};
use crate::store::db::transaction::Transaction;

use super::{Requirement, Unmet};

/// Running replication threads, which every role may count.
const RUNNING: &str = "SELECT CAST(variable_value AS SIGNED) AS n FROM \
     information_schema.global_status WHERE variable_name = 'SLAVES_RUNNING'";

/// A server from which this one copies, or did until it was stopped.
struct Source {
    host: String,
}

impl FromQueryResult for Source {
    fn from_query_result(row: &QueryResult, prefix: &str) -> Result<Self, DbErr> {
        Ok(Self {
            host: row.try_get(prefix, "Master_Host")?,
        })
    }
}

/// The requirement, if a MariaDB server does not meet it.
pub(super) async fn mariadb_source(transaction: &Transaction) -> Result<Option<Unmet>, StoreError> {
    if transaction.dialect() != Dialect::MariaDb {
        return Ok(None);
    }
    let place = match transaction
        .rows::<Source>("requirements.replicas", "SHOW ALL REPLICAS STATUS", &[])
        .await
    {
        Ok(sources) => sources.into_iter().next().map(|source| source.host),
        // It needs the right SLAVE MONITOR. What runs can be counted without; a replica that was stopped
        // cannot be seen.
        Err(error) if error.class() == ErrorClass::Permission => {
            warn_once();
            let running = transaction
                .number("requirements.replica_threads", RUNNING, &[])
                .await?;
            (running > 0).then(|| "the role may not see which".to_owned())
        }
        Err(error) => return Err(error),
    };
    Ok(place.map(|place| Unmet {
        requirement: Requirement::NoReplicationSource,
        place,
    }))
}

/// Once a process: a look every few minutes would say it for ever.
fn warn_once() {
    static SAID: Once = Once::new();
    SAID.call_once(|| {
        tracing::warn!(
            event = "replication_unseen",
            "the role may not ask whether the server is a replica, so one that was stopped is not noticed; an \
             administrator grants the right with deploy/sql/mariadb-replication.sql"
        );
    });
}
