//! A tenant that was made, and what must become of its participants.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::domain::cutoff::Cutoffs;
use crate::domain::email::NormalizedEmail;
use crate::domain::period::Zone;
use crate::domain::policy::Terms;
use crate::domain::suppression::TenantHasher;
use crate::ids::TenantId;

/// A tenant as it was made, with what the specification says must become of its participants.
pub struct Seeded {
    pub(super) tenant: TenantId,
    pub(super) slug: &'static str,
    pub(super) zone: Zone,
    pub(super) terms: Terms,
    pub(super) effective_from: DateTime<Utc>,
    pub(super) cutoffs: Cutoffs,
    pub(super) participants: u64,
    /// Counted from what was made, not from the database: the check on the engine.
    pub(super) to_anonymize: u64,
    pub(super) to_delete: u64,
    pub(super) to_hash: u64,
    pub(super) unhashable: u64,
    /// Of the hand-placed people, in their order.
    pub(super) people: Vec<Uuid>,
}

impl Seeded {
    /// No two participants of a tenant have one address, so each makes a hash of its own.
    pub(super) fn count(&mut self, added_at: DateTime<Utc>, unsubscribed_email: Option<&str>) {
        let before = |cutoff: Option<DateTime<Utc>>| cutoff.is_some_and(|cutoff| added_at < cutoff);
        self.participants += 1;
        if before(self.cutoffs.purge) {
            self.to_delete += 1;
        } else if before(self.cutoffs.anonymize) {
            self.to_anonymize += 1;
        } else {
            return;
        }
        match unsubscribed_email.map(NormalizedEmail::normalize) {
            None => {}
            Some(Some(_)) => self.to_hash += 1,
            Some(None) => self.unhashable += 1,
        }
    }
}

pub(super) fn content_hmac(hasher: &TenantHasher, file_name: &str) -> [u8; 32] {
    let mut macs = hasher.content_macs();
    macs.update(file_name.as_bytes());
    macs.finalize().first().copied().unwrap_or_default()
}
