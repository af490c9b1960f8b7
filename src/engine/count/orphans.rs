//! Rows without their participant, of which nobody has heard yet.

use crate::store::requirements::{Requirement, Unmet};
use crate::store::{StoreError, runs};

use crate::engine::context::Engine;

/// Has runs count such rows, if what is unmet is that foreign keys are in force: whoever deletes participants
/// meanwhile leaves children behind, and once the key is back nothing shows it. What cannot be recorded is said;
/// the next refusal tries again.
pub async fn suspect(engine: &Engine, unmet: &Unmet) {
    if unmet.requirement != Requirement::ForeignKeysInForce {
        return;
    }
    if let Err(error) = record(engine).await {
        tracing::warn!(
            event = "orphans_not_suspected",
            class = error.class().name(),
            code = error.code(),
            "it could not be recorded that the next runs have to count rows without a participant: {error}"
        );
    }
}

async fn record(engine: &Engine) -> Result<(), StoreError> {
    let transaction = engine
        .database
        .begin("recording that keys were not in force")
        .await?;
    runs::suspect_orphans(&transaction).await?;
    transaction.commit().await
}
