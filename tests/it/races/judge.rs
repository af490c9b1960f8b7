//! Whether survivors and victims are exactly those that they must be.

use std::collections::BTreeSet;
use std::ops::AddAssign;

use retentiond::domain::counts::Counts;
use retentiond::domain::email::NormalizedEmail;
use retentiond::ids::TenantId;
use retentiond::store::runs;
use uuid::Uuid;

use super::facts::Facts;
use super::known::{People, Person, Reach, Version, shared_address};
use super::residents::{Done, Import};
use crate::support::{World, at, month_start};

/// What was seen, for the record.
#[derive(Debug, Default)]
pub struct Verdict {
    people: usize,
    purged: u64,
    anonymized: u64,
    hashes: usize,
    /// Marked by a writer while the run worked, and then erased: the race for the hash.
    marked_in_time: usize,
    /// A writer came after the erasure.
    came_after: usize,
    /// Moved out of reach before the run came, and kept.
    rescued: usize,
    left_in_reach: u64,
    /// Writers' transactions that lost to another and were tried again.
    pub retries: usize,
    batches_retried: usize,
    uploads_refused: usize,
}

impl AddAssign for Verdict {
    fn add_assign(&mut self, other: Self) {
        self.people += other.people;
        self.purged += other.purged;
        self.anonymized += other.anonymized;
        self.hashes += other.hashes;
        self.marked_in_time += other.marked_in_time;
        self.came_after += other.came_after;
        self.rescued += other.rescued;
        self.left_in_reach += other.left_in_reach;
        self.retries += other.retries;
        self.batches_retried += other.batches_retried;
        self.uploads_refused += other.uploads_refused;
    }
}

impl Verdict {
    /// A campaign in which nobody met the run would prove nothing.
    pub fn require_races(&self, rounds: u64) {
        let rounds = usize::try_from(rounds).expect("few");
        assert!(self.marked_in_time >= rounds, "{self:?}");
        assert!(self.came_after >= rounds, "{self:?}");
        assert!(self.rescued >= 1, "{self:?}");
    }
}

/// Asserts everything.
pub fn judge(
    world: &World,
    tenant: TenantId,
    platform: &[People],
    residents: &Done,
    facts: &Facts,
) -> Verdict {
    let mut judge = Judge {
        world,
        tenant,
        facts,
        done: Counts::default(),
        invitations_unknown: 0,
        hashes: BTreeSet::new(),
        uploads_purged: BTreeSet::new(),
        seen: Verdict::default(),
    };
    for person in platform.iter().flat_map(|people| &people.persons) {
        judge.person(person, None);
    }
    let unsubscribed: BTreeSet<String> = residents
        .unsubscribed
        .iter()
        .map(|number| shared_address(*number))
        .collect();
    for person in &residents.shared.persons {
        let email = person.last().row.email.as_deref();
        let is_unsubscribed = unsubscribed.contains(email.expect("an address"));
        judge.person(person, Some(is_unsubscribed));
    }
    for import in &residents.imports {
        judge.import(import, &unsubscribed);
    }
    // The run recorded the hashes of whom it erased; `unsubscribe` its own, and nobody else any.
    judge.done.suppressions = judge.hashes.len() as u64;
    let mut hashes = judge.hashes.clone();
    for address in &unsubscribed {
        hashes.insert(world.hash(tenant, address));
    }
    assert_eq!(facts.hashes, hashes, "hashes");
    judge.uploads(platform, residents);
    judge.record();
    let left = facts.left();
    Verdict {
        hashes: judge.hashes.len(),
        purged: judge.done.purged,
        anonymized: judge.done.anonymized,
        left_in_reach: left.anonymize + left.purge + left.late,
        batches_retried: facts.told.retried,
        uploads_refused: residents.refused,
        ..judge.seen
    }
}

struct Judge<'a> {
    world: &'a World,
    tenant: TenantId,
    facts: &'a Facts,
    /// What the run must have counted.
    done: Counts,
    /// Invitations of whom the real `unsubscribe` or the run may have called off, or of which an
    /// import that recognised somebody made none: the order is not known.
    invitations_unknown: u64,
    /// What the run must have recorded.
    hashes: BTreeSet<Vec<u8>>,
    uploads_purged: BTreeSet<Uuid>,
    seen: Verdict,
}

impl Judge<'_> {
    /// `shared`: whether `unsubscribe` was called for the address, where it may have been.
    fn person(&mut self, person: &Person, shared: Option<bool>) {
        let (id, last) = (person.id(), person.last());
        self.seen.people += 1;
        self.not_overdue_between(person);
        let Some(row) = self.facts.people.get(&id) else {
            return self.gone(person, shared);
        };
        assert!(!person.was_gone, "{id}: gone, and there again");
        for answer in &person.answers {
            let answers = &self.facts.answers[&id];
            assert!(answers.contains(answer), "{id}: a committed answer is gone");
        }
        for invitation in &person.invitations {
            let invitations = &self.facts.invitations[&id];
            assert!(invitations.contains_key(invitation), "{id}: an invitation");
        }
        let mut expected = last.row.clone();
        if shared == Some(true) {
            // Marked unless the run came first.
            let marked = Some(at("2024-04-02T00:00:00Z"));
            if row.anonymized_at.is_none() || row.unsubscribed_at.is_some() {
                expected.unsubscribed_at = marked;
            }
        }
        if row.anonymized_at.is_none() {
            assert!(!person.was_anonymous, "{id}: anonymous, and not any more");
            assert!(*row == expected, "{id}: a row that was not erased differs");
            let queued = if shared == Some(true) {
                0
            } else {
                person.queued()
            };
            assert_eq!(self.facts.queued(id), queued, "{id}: invitations");
            if Reach::of(row.added_at) == Reach::Nothing {
                let in_reach =
                    |version: &Version| Reach::of(version.row.added_at) != Reach::Nothing;
                self.seen.rescued += usize::from(person.versions.iter().any(in_reach));
            } else {
                assert!(self.facts.came_too_late(last), "{id}: missed by the run");
            }
            return;
        }
        expected.anonymized_at = row.anonymized_at;
        // The month stays of a mark that was there; one that the platform set later stays whole.
        if shared == Some(true) || !last.is_anonymous() {
            expected.unsubscribed_at = expected.unsubscribed_at.map(month_start);
        }
        for field in [
            &mut expected.first_name,
            &mut expected.last_name,
            &mut expected.email,
            &mut expected.phone,
            &mut expected.customer_id,
        ] {
            *field = None;
        }
        assert!(
            *row == expected,
            "{id}: anonymized otherwise than it should be"
        );
        assert_eq!(self.facts.queued(id), 0, "E2: {id}: invitations");
        self.anonymized(person, shared);
        if Reach::of(row.added_at) == Reach::Purge {
            assert!(self.facts.came_too_late(last), "{id}: missed by the purge");
        }
    }

    /// What was in reach when the run recounted was erased before the run ended.
    fn not_overdue_between(&self, person: &Person) {
        for pair in person.versions.windows(2) {
            let (version, next) = (&pair[0], &pair[1]);
            let is_due = match Reach::of(version.row.added_at) {
                Reach::Purge => true,
                Reach::Anonymize => !version.is_anonymous() && !next.is_anonymous(),
                Reach::Nothing => false,
            };
            let was_missed = is_due
                && !self.facts.came_too_late(version)
                && next.asked > self.facts.told.completed_before;
            assert!(!was_missed, "{}: missed by the run", person.id());
        }
    }

    fn gone(&mut self, person: &Person, shared: Option<bool>) {
        let (id, last) = (person.id(), person.last());
        assert_eq!(
            Reach::of(last.row.added_at),
            Reach::Purge,
            "{id}: deleted too early"
        );
        self.not_after_the_end(last);
        assert!(self.facts.is_without_children(id), "{id}: orphans");
        self.done.purged += 1;
        for (count, children) in self.done.children_purged.iter_mut().zip(person.children) {
            *count += children;
        }
        self.done.children_purged[1] += person.answers.len() as u64;
        self.done.children_purged[3] += person.invitations.len() as u64;
        self.uploads_purged.insert(last.row.upload_id);
        self.seen.came_after += usize::from(person.was_gone);
        if last.is_anonymous() {
            // First the one, and then the other, because somebody moved the row.
            self.anonymized(person, shared);
        } else {
            self.erased(person, last);
        }
    }

    fn anonymized(&mut self, person: &Person, shared: Option<bool>) {
        let identified = person.last_identified();
        assert_eq!(
            Reach::of(identified.row.added_at),
            Reach::Anonymize,
            "{}: anonymized, and should not have been",
            person.id()
        );
        self.not_after_the_end(identified);
        self.done.anonymized += 1;
        if shared == Some(true) {
            self.invitations_unknown += person.queued();
        } else {
            self.done.invitations_expired += person.queued();
        }
        let came_after = person.was_anonymous || person.last().is_anonymous();
        self.seen.came_after += usize::from(came_after);
        self.erased(person, identified);
    }

    /// The hash of whoever was unsubscribed in the row as it was erased (U11, U10).
    fn erased(&mut self, person: &Person, version: &Version) {
        let (Some(_), Some(email)) = (version.row.unsubscribed_at, &version.row.email) else {
            return;
        };
        if person.versions[0].row.unsubscribed_at.is_none() {
            self.seen.marked_in_time += 1;
        }
        if NormalizedEmail::normalize(email).is_some() {
            let hash = self.world.hash(self.tenant, email);
            assert!(
                self.facts.hashes.contains(&hash),
                "{}: marked as unsubscribed and erased without a hash",
                person.id()
            );
            self.hashes.insert(hash);
        } else {
            self.done.unhashable += 1;
        }
    }

    fn not_after_the_end(&self, version: &Version) {
        assert!(
            version.asked < self.facts.told.completed_before,
            "{}: erased after the run's end",
            version.row.id
        );
    }

    fn import(&mut self, import: &Import, unsubscribed: &BTreeSet<String>) {
        let facts = self.facts;
        let rows: Vec<_> = facts
            .people
            .values()
            .filter(|row| row.upload_id == import.upload)
            .collect();
        let mut erased = import.addresses.clone();
        self.seen.people += erased.len();
        for row in &rows {
            assert_eq!(row.added_at, import.added_at);
            let Some(email) = &row.email else { continue };
            // U5, U6: whoever came second saw the other.
            let must_be = unsubscribed.contains(email);
            assert_eq!(row.unsubscribed_at.is_some(), must_be, "an import's mark");
            assert_eq!(facts.queued(row.id), u64::from(!must_be), "its invitation");
            let place = erased.iter().position(|address| address == email);
            erased.swap_remove(place.expect("one of the file's"));
        }
        let still_there = import.addresses.len() - erased.len();
        let reach = Reach::of(import.added_at);
        if reach == Reach::Nothing {
            assert!(erased.is_empty(), "an upload's people went too early");
            return;
        }
        // All of them came to be at once.
        let too_late = import.committed >= facts.told.recounted_after;
        assert!(still_there == 0 || too_late, "missed by the run");
        let in_time = import.asked < facts.told.completed_before;
        assert!(erased.is_empty() || in_time, "erased after the run's end");
        let (mut known, mut unknown) = (0, 0);
        for address in &erased {
            let count = if unsubscribed.contains(address) {
                &mut unknown
            } else {
                &mut known
            };
            *count += 1;
        }
        let count = erased.len() as u64;
        self.invitations_unknown += unknown;
        if reach == Reach::Purge {
            assert_eq!(rows.len(), still_there, "anonymous, and should be gone");
            self.done.purged += count;
            self.done.children_purged[3] += known;
            if count > 0 {
                self.uploads_purged.insert(import.upload);
            }
        } else {
            assert_eq!(rows.len(), import.addresses.len(), "gone too early");
            for row in rows.iter().filter(|row| row.anonymized_at.is_some()) {
                assert_eq!(facts.queued(row.id), 0, "E2");
            }
            self.done.anonymized += count;
            self.done.invitations_expired += known;
        }
    }

    /// E6: an upload goes with the last of its people, and not before.
    fn uploads(&mut self, platform: &[People], residents: &Done) {
        let peopled: BTreeSet<Uuid> = self
            .facts
            .people
            .values()
            .map(|row| row.upload_id)
            .collect();
        let mut known: BTreeSet<Uuid> = residents.shared.uploads.iter().copied().collect();
        known.extend(residents.imports.iter().map(|import| import.upload));
        known.extend(platform.iter().flat_map(|people| people.uploads.clone()));
        for upload in &known {
            let is_there = self.facts.uploads.contains_key(upload);
            let must_go = self.uploads_purged.contains(upload) && !peopled.contains(upload);
            assert_eq!(is_there, !must_go, "upload {upload}");
            self.done.uploads_removed += u64::from(!is_there);
        }
        assert!(
            self.facts
                .uploads
                .keys()
                .all(|upload| known.contains(upload))
        );
        for upload in platform.iter().flat_map(|people| &people.uploads_gone) {
            let is_there = self.facts.uploads.contains_key(upload);
            assert!(!is_there, "{upload}: refused a person, and is there");
        }
    }

    /// The run's record equals what is gone.
    fn record(&self) {
        let mut recorded = runs::counts_of(&self.facts.run);
        let mut done = self.done;
        let unknown = self.invitations_unknown;
        for (recorded, done) in [
            (
                &mut recorded.invitations_expired,
                &mut done.invitations_expired,
            ),
            (
                &mut recorded.children_purged[3],
                &mut done.children_purged[3],
            ),
        ] {
            let range = *done..=*done + unknown;
            assert!(
                range.contains(recorded),
                "invitations: {recorded}, {range:?}"
            );
            *recorded = *done;
        }
        assert_eq!(recorded, done, "the run's record and what is gone");
        assert_eq!(self.facts.run.state, "completed");
    }
}
