//! What a batch, a stage or a run did, in rows.

use std::collections::BTreeMap;
use std::ops::AddAssign;

use super::subject::CHILD_TABLES;

/// Rows by what happened to them. Planned and done counts have the same shape, so that the two can
/// be compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Participants that lost their personal fields.
    pub anonymized: u64,
    /// Participants that were deleted.
    pub purged: u64,
    /// Suppression hashes that were new.
    pub suppressions: u64,
    /// Unsubscribed rows erased although their address could not be hashed.
    pub unhashable: u64,
    /// Queued invitations of anonymized participants that were called off.
    pub invitations_expired: u64,
    /// Uploads that went because their last participant had gone.
    pub uploads_removed: u64,
    /// Rows deleted with their participant, in the order of [`CHILD_TABLES`].
    pub children_purged: [u64; CHILD_TABLES.len()],
}

/// Columns of `tenant_run` and `run_batch` for [`Counts::children_purged`].
const CHILD_COLUMNS: [&str; CHILD_TABLES.len()] = [
    "participant_metadata_purged",
    "answer_purged",
    "conversation_message_purged",
    "invitation_purged",
];

impl Counts {
    /// Every count with the column that stores it.
    #[must_use]
    pub fn columns(&self) -> Vec<(&'static str, u64)> {
        let mut copy = *self;
        copy.columns_mut()
            .into_iter()
            .map(|(name, count)| (name, *count))
            .collect()
    }

    /// Every count with the column that stores it, to fill in.
    pub fn columns_mut(&mut self) -> Vec<(&'static str, &mut u64)> {
        let mut columns = vec![
            ("anonymized", &mut self.anonymized),
            ("purged", &mut self.purged),
            ("suppressions", &mut self.suppressions),
            ("unhashable", &mut self.unhashable),
            ("invitations_expired", &mut self.invitations_expired),
            ("uploads_removed", &mut self.uploads_removed),
        ];
        columns.extend(CHILD_COLUMNS.into_iter().zip(&mut self.children_purged));
        columns
    }

    /// Deleted rows by table, participants and uploads included.
    #[must_use]
    pub fn rows_purged(&self) -> BTreeMap<&'static str, u64> {
        let mut tables = BTreeMap::from([
            ("participant", self.purged),
            ("upload", self.uploads_removed),
        ]);
        tables.extend(CHILD_TABLES.into_iter().zip(self.children_purged));
        tables
    }

    /// What these have more than `before`.
    #[must_use]
    pub fn since(mut self, before: Self) -> Self {
        let before = before.columns();
        for ((_, ours), (_, before)) in self.columns_mut().into_iter().zip(before) {
            *ours = ours.saturating_sub(before);
        }
        self
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        let theirs = other.columns();
        for ((_, ours), (_, theirs)) in self.columns_mut().into_iter().zip(theirs) {
            *ours += theirs;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_count_is_added_and_stored() {
        let mut ones = Counts::default();
        for (_, count) in ones.columns_mut() {
            *count = 1;
        }
        let mut sum = ones;
        sum += ones;
        assert_eq!(sum.columns().len(), 6 + CHILD_TABLES.len());
        assert!(sum.columns().iter().all(|(_, count)| *count == 2));
        assert_eq!(sum.rows_purged().len(), 2 + CHILD_TABLES.len());
        assert_eq!(sum.since(ones), ones);
        assert_eq!(ones.since(sum), Counts::default());
    }
}
