//! An address that comes again after everything else about its owner has gone (U6), through the
//! same door as every upload.

use std::io;
use std::path::Path;
use std::sync::Arc;

use sea_orm::FromQueryResult;

use crate::engine::Engine;
use crate::intake::import::{ImportOptions, import};
use crate::intake::mapping::MappingOptions;
use crate::intake::{Intake, IntakeError, Tenant};

use super::DemoError;
use super::seeded::Seeded;

/// Name of the upload, which is left for whoever wants to look.
const FILE_NAME: &str = "uploaded-again.csv";

/// What became of an uploaded address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Received {
    /// Stored as unsubscribed.
    pub(super) unsubscribed: bool,
    /// Gets an invitation.
    pub(super) invited: bool,
}

/// Uploads `addresses` for `tenant` from a file in `directory`, and says what became of each.
/// Empty if they were not all taken.
pub(super) async fn upload(
    engine: &Engine,
    tenant: &Seeded,
    addresses: &[&str],
    directory: &Path,
) -> Result<Vec<Received>, DemoError> {
    let file = directory.join(FILE_NAME);
    let mut text = String::from("email,team\n");
    for address in addresses {
        text.push_str(&format!("\"{address}\",Billing\n"));
    }
    std::fs::write(&file, text).map_err(|error| cannot_write(&error))?;

    let intake = Intake {
        database: engine.database.clone(),
        clock: Arc::clone(&engine.clock),
        ids: Arc::clone(&engine.ids),
        keyring: engine.keyring.clone(),
        retry: engine.retry,
    };
    let door = Tenant {
        id: tenant.tenant,
        slug: tenant.slug.to_owned(),
        zone: Ok(tenant.zone.clone()),
    };
    let options = ImportOptions {
        file,
        mapping: MappingOptions::default(),
        accepted_at: None,
        again: false,
        strict_email: false,
    };
    let imported = import(&intake, &door, &options, &|_, _| {}).await?;
    let Some(upload) = imported.upload_id else {
        return Ok(Vec::new());
    };
    let transaction = engine
        .database
        .begin_read("looking at the demo's upload")
        .await?;
    let mut received = Vec::with_capacity(addresses.len());
    for address in addresses {
        // Values are stored as they came, so the address finds its row.
        let row = transaction
            .row::<Row>(
                "demo.uploaded_people",
                "SELECT CASE WHEN unsubscribed_at IS NULL THEN 0 ELSE 1 END AS unsubscribed, \
                 COUNT(CASE WHEN state = 'queued' THEN 1 END) AS queued FROM participant \
                 LEFT JOIN invitation ON invitation.tenant_id = participant.tenant_id \
                 AND invitation.participant_id = participant.id \
                 WHERE participant.tenant_id = :tenant AND upload_id = :upload \
                 AND email = :address GROUP BY participant.id, unsubscribed_at",
                &[
                    ("tenant", tenant.tenant.into()),
                    ("upload", upload.into()),
                    ("address", (*address).into()),
                ],
            )
            .await?;
        received.extend(row.map(|row| Received {
            unsubscribed: row.unsubscribed == 1,
            invited: row.queued > 0,
        }));
    }
    transaction.rollback().await?;
    Ok(received)
}

fn cannot_write(error: &io::Error) -> DemoError {
    IntakeError::File(format!("cannot write {FILE_NAME}: {}", error.kind())).into()
}

#[derive(FromQueryResult)]
struct Row {
    unsubscribed: i64,
    queued: i64,
}
