//! Reads the database into the shape of [`super::seen`], and compares it with the reference.

use std::collections::{BTreeMap, HashMap};

use entity::{
    answer, conversation_message, invitation, participant, participant_metadata, run_batch,
    run_lease, suppression, tenant, tenant_run, upload,
};
use retentiond::domain::counts::Counts;
use retentiond::domain::email::NormalizedEmail;
use retentiond::domain::run_state::RunState;
use retentiond::domain::suppression::Keyring;
use retentiond::ids::TenantId;
use retentiond::store::runs;
use sea_orm::{DatabaseConnection, EntityTrait};
use uuid::Uuid;

use super::reference::{self, Reference, invitation as invitation_line};
use super::seen::{Cutoffs, Key, Person, Run, Tenant, Upload, differences};
use crate::support::{at, snapshot::counts_of_batch};

/// When a lease of a vanished holder ran out, in the tests.
pub const LONG_AGO: &str = "2020-01-01 00:00:00";

/// What is stored, and under which ids.
#[derive(Default)]
pub struct Look {
    /// By slug.
    pub tenants: BTreeMap<String, Tenant>,
    pub tenant_ids: HashMap<String, TenantId>,
    pub upload_ids: HashMap<u32, Uuid>,
    pub people_ids: HashMap<Key, Uuid>,
    /// What is wrong whatever the reference says.
    pub faults: Vec<String>,
}

impl Look {
    /// Reads all tables. Nobody works on them meanwhile.
    pub async fn take(db: &DatabaseConnection) -> Self {
        let mut look = Self::default();
        let mut slugs = HashMap::new();
        for row in all::<tenant::Entity>(db).await {
            look.tenants.insert(row.slug.clone(), Tenant::default());
            look.tenant_ids.insert(row.slug.clone(), TenantId(row.id));
            slugs.insert(row.id, row.slug);
        }
        look.subjects(db, &slugs).await;
        look.records(db, &slugs).await;
        look
    }

    fn tenant(&mut self, slugs: &HashMap<i64, String>, id: i64) -> &mut Tenant {
        self.tenants.get_mut(&slugs[&id]).expect("a foreign key")
    }

    async fn subjects(&mut self, db: &DatabaseConnection, slugs: &HashMap<i64, String>) {
        let mut uploads = HashMap::new();
        for row in all::<upload::Entity>(db).await {
            let number = number_of(&row.file_name);
            uploads.insert(row.id, number);
            self.upload_ids.insert(number, row.id);
            let seen = Upload {
                rows: row.row_count,
                accepted_at: row.accepted_at,
                first_purged_at: row.first_purged_at,
            };
            self.tenant(slugs, row.tenant_id)
                .uploads
                .insert(number, seen);
        }
        let mut people: HashMap<Uuid, (i64, u32, Person)> = HashMap::new();
        for row in all::<participant::Entity>(db).await {
            let fields = [
                row.first_name,
                row.last_name,
                row.email,
                row.phone,
                row.customer_id,
            ];
            let person = Person {
                added_at: row.added_at,
                fields,
                unsubscribed_at: row.unsubscribed_at,
                anonymized_at: row.anonymized_at,
                ..Person::default()
            };
            people.insert(row.id, (row.tenant_id, uploads[&row.upload_id], person));
        }
        let faults = &mut self.faults;
        let mut add =
            |table: &str, id: &Uuid, put: &mut dyn FnMut(&mut Person)| match people.get_mut(id) {
                Some((_, _, person)) => put(person),
                None => faults.push(format!("an orphan in {table}")),
            };
        for row in all::<participant_metadata::Entity>(db).await {
            add("participant_metadata", &row.participant_id, &mut |person| {
                person.metadata.insert(row.key.clone(), row.value.clone());
            });
        }
        for row in all::<answer::Entity>(db).await {
            let line = format!(
                "{} {:?} {:?} {}",
                row.question, row.score, row.body, row.answered_at
            );
            add("answer", &row.participant_id, &mut |person| {
                person.answers.insert(line.clone());
            });
        }
        for row in all::<conversation_message::Entity>(db).await {
            let line = format!("{} {} {}", row.direction, row.body, row.sent_at);
            add("conversation_message", &row.participant_id, &mut |person| {
                person.messages.insert(line.clone());
            });
        }
        for row in all::<invitation::Entity>(db).await {
            add("invitation", &row.participant_id, &mut |person| {
                person
                    .invitations
                    .push(invitation_line(&row.state, row.send_at));
            });
        }
        for (id, (tenant, number, mut person)) in people {
            person.invitations.sort();
            let line = person
                .metadata
                .get("line")
                .and_then(|line| line.parse().ok());
            let Some(line) = line else {
                self.faults
                    .push(format!("a person of upload {number} without its metadata"));
                continue;
            };
            self.people_ids.insert((number, line), id);
            let twice = self
                .tenant(slugs, tenant)
                .people
                .insert((number, line), person);
            if twice.is_some() {
                self.faults
                    .push(format!("person {line} of upload {number} is there twice"));
            }
        }
    }

    async fn records(&mut self, db: &DatabaseConnection, slugs: &HashMap<i64, String>) {
        for row in all::<suppression::Entity>(db).await {
            let tenant = self.tenant(slugs, row.tenant_id);
            tenant.hashes.insert(row.email_hmac, row.suppressed_month);
        }
        let mut batches: HashMap<Uuid, Counts> = HashMap::new();
        for row in all::<run_batch::Entity>(db).await {
            *batches.entry(row.run_id).or_default() += counts_of_batch(&row);
        }
        let leases = all::<run_lease::Entity>(db).await;
        let leases: HashMap<Uuid, run_lease::Model> =
            leases.into_iter().map(|row| (row.run_id, row)).collect();
        let expired = at("2020-01-02T00:00:00Z");
        for row in all::<tenant_run::Entity>(db).await {
            let counts = runs::counts_of(&row);
            // Hashes are counted by the run alone (S15).
            let of_batches = Counts {
                suppressions: 0,
                ..counts
            };
            let name = format!("the run of {} for {}", slugs[&row.tenant_id], row.period);
            if batches.remove(&row.id).unwrap_or_default() != of_batches {
                self.faults
                    .push(format!("{name}: its counts are not those of its batches"));
            }
            let lease = leases.get(&row.id);
            let state: RunState = row.state.parse().expect("a state");
            let is_over = matches!(state, RunState::Completed | RunState::Superseded);
            if is_over && lease.is_some_and(|lease| lease.cursor_id.is_some()) {
                self.faults
                    .push(format!("{name}: its cursor still names a person"));
            }
            let held = lease.is_some_and(|lease| {
                lease.token.is_some() && lease.expires_at.is_some_and(|expiry| expiry > expired)
            });
            let run = Run {
                state: state.name(),
                due_at: row.due_at,
                version: row.policy_version,
                cutoffs: Cutoffs {
                    anonymize: row.anonymize_cutoff,
                    purge: row.purge_cutoff,
                },
                recount_version: row.recount_version,
                counts,
                attempts: row.attempts,
                failure: row.failure_class.filter(|_| state == RunState::Failed),
                held,
            };
            self.tenant(slugs, row.tenant_id)
                .runs
                .insert(row.period, run);
        }
        if !batches.is_empty() {
            self.faults.push("batches of no run".to_owned());
        }
    }

    /// What differs from the reference, a line each.
    pub fn differences(&self, reference: &Reference, keyring: &Keyring) -> Vec<String> {
        let mut found = self.faults.clone();
        for tenant in &reference.tenants {
            let seen = &self.tenants[&tenant.slug];
            let slug = &tenant.slug;
            let people = plain(&tenant.people);
            differences(
                &format!("{slug}: person"),
                &people,
                &seen.people,
                &mut found,
            );
            let uploads = plain(&tenant.uploads);
            differences(
                &format!("{slug}: upload"),
                &uploads,
                &seen.uploads,
                &mut found,
            );
            let runs = tenant.runs.iter();
            let runs = runs.map(|(period, run)| (period.to_string(), run.seen.clone()));
            differences(
                &format!("{slug}: run"),
                &runs.collect(),
                &seen.runs,
                &mut found,
            );
            self.hash_differences(tenant, keyring, &mut found);
        }
        found
    }

    fn hash_differences(
        &self,
        tenant: &reference::Tenant,
        keyring: &Keyring,
        found: &mut Vec<String>,
    ) {
        let slug = &tenant.slug;
        let hasher = keyring.for_tenant(self.tenant_ids[slug]);
        let mut stored = self.tenants[slug].hashes.clone();
        for (address, months) in &tenant.hashes {
            let address_hashed = NormalizedEmail::normalize(address).expect("an address");
            match stored.remove(hasher.hash(&address_hashed).hmac.as_slice()) {
                None => found.push(format!("{slug}: no hash of {address}")),
                Some(month) if !months.contains(&month) => {
                    found.push(format!(
                        "{slug}: hash of {address}: {month}, not {months:?}"
                    ));
                }
                Some(_) => {}
            }
        }
        if !stored.is_empty() {
            found.push(format!("{slug}: {} hashes of nobody's", stored.len()));
        }
    }
}

fn plain<K: Ord + Clone, V: Clone>(stored: &BTreeMap<K, reference::Stored<V>>) -> BTreeMap<K, V> {
    let pairs = stored.iter();
    pairs
        .map(|(key, value)| (key.clone(), value.seen.clone()))
        .collect()
}

/// Name of the file of an upload.
pub fn file_name(number: u32) -> String {
    format!("upload-{number}.csv")
}

fn number_of(file_name: &str) -> u32 {
    let number = file_name.strip_prefix("upload-");
    let number = number.and_then(|rest| rest.strip_suffix(".csv"));
    number.expect("our own names").parse().expect("a number")
}

async fn all<E: EntityTrait>(db: &DatabaseConnection) -> Vec<E::Model> {
    E::find().all(db).await.expect("rows")
}
