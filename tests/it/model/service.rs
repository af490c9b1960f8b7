//! The service: the real engine and the real intake on a real database, told to do what the reference
//! does, and compared with it afterwards.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use retentiond::clock::FixedClock;
use retentiond::domain::counts::Counts;
use retentiond::domain::email::NormalizedEmail;
use retentiond::engine::due::Scope;
use retentiond::engine::pass;
use retentiond::engine::report::{Outcome, PassEntry};
use retentiond::ids::TenantId;
use retentiond::intake::import::{ImportOptions, import};
use retentiond::intake::mapping::MappingOptions;
use retentiond::intake::unsubscribe::unsubscribe;
use retentiond::intake::{self, Intake, IntakeError};
use retentiond::store::{self, Dialect};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::calendar::Tz;
use super::look::{LONG_AGO, Look, file_name};
use super::reference::{File, Import};
use super::runs::End;
use super::seen::Verdict;
use crate::support::world::database_config;
use crate::support::{Backend, World, scratch};

/// The order in which the tables can be emptied.
const TABLES: [&str; 12] = [
    "run_batch",
    "run_lease",
    "tenant_run",
    "suppression",
    "participant_metadata",
    "answer",
    "conversation_message",
    "invitation",
    "participant",
    "upload",
    "policy",
    "tenant",
];

/// Longer than any case: a lease ends when the reference says so, and not because the machine is busy.
const LEASE: Duration = Duration::from_secs(3600);

/// For connections that were dropped in the middle of something.
const PATIENCE: Duration = Duration::from_secs(120);

pub struct Service {
    pub world: World,
    /// As of the last comparison.
    pub look: Look,
    files: TempDir,
    /// A case is under way, or ended in the middle.
    in_case: bool,
}

/// A difference, in words.
pub type Checked = Result<(), String>;

pub fn require_equal<T: PartialEq + Debug>(what: &str, expected: &T, found: &T) -> Checked {
    if expected == found {
        return Ok(());
    }
    Err(format!("{what}: expected {expected:?}, found {found:?}"))
}

impl Service {
    pub async fn new(backend: Backend) -> Self {
        let mut world = World::new(scratch(backend).await, "2020-01-01T00:00:00Z").await;
        world.engine.lease_duration = LEASE;
        // Tiny, so that a fault finds a run between two of them.
        world.engine.batch_rows = 2;
        // One after the other: whether a new tenant comes after a gap depends on what the others have
        // done before it (S13).
        world.engine.tenants_at_a_time = 1;
        Self {
            world,
            look: Look::default(),
            files: tempfile::tempdir().expect("a temporary directory"),
            in_case: false,
        }
    }

    /// Forgets everything of the case before.
    pub async fn begin(&mut self) {
        if self.in_case {
            self.restart().await;
        }
        self.in_case = true;
        for table in TABLES {
            self.world.sql(&format!("DELETE FROM {table}")).await;
        }
        self.look = Look::default();
    }

    pub fn end(&mut self) {
        self.in_case = false;
    }

    pub fn set_clock(&mut self, now: DateTime<Utc>) {
        self.world.engine.clock = Arc::new(FixedClock(now));
    }

    /// Another process takes the place of one that died: whatever that one had begun on the database
    /// has ended when its connections have.
    pub async fn restart(&mut self) {
        let engine = &mut self.world.engine;
        let closed = engine.database.pool().clone().close();
        tokio::time::timeout(PATIENCE, closed)
            .await
            .expect("connections that nobody uses are closed")
            .expect("closed");
        let config = database_config(&self.world.scratch);
        engine.database = store::connect(&config, Duration::from_secs(60))
            .await
            .expect("the database opens again");
        engine.stop = CancellationToken::new();
    }

    pub fn tenant(&self, slug: &str) -> TenantId {
        self.look.tenant_ids[slug]
    }

    /// A pass over what is owed, or over one tenant and a named period.
    pub async fn pass(&self, scope: &Scope) -> BTreeMap<String, (End, Counts)> {
        self.after_what_was_stored().await;
        let entries = pass::run(&self.world.engine, scope)
            .await
            .expect("a pass")
            .expect("known tenants");
        entries.into_iter().map(ended).collect()
    }

    /// SQLite's clock shows milliseconds. What was stored before a run began must not bear the
    /// millisecond in which it begins, or it would pass for late (S11).
    pub async fn after_what_was_stored(&self) {
        if self.world.engine.database.dialect() == Dialect::Sqlite {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    pub async fn expire_leases(&self) {
        self.world
            .sql(&format!(
                "UPDATE run_lease SET expires_at = '{LONG_AGO}' WHERE token IS NOT NULL"
            ))
            .await;
    }

    fn intake(&self) -> Intake {
        let engine = &self.world.engine;
        Intake {
            database: engine.database.clone(),
            clock: Arc::clone(&engine.clock),
            ids: Arc::clone(&engine.ids),
            keyring: engine.keyring.clone(),
            retry: engine.retry,
        }
    }

    fn intake_tenant(&self, slug: &str, zone: Tz) -> intake::Tenant {
        intake::Tenant {
            id: self.tenant(slug),
            slug: slug.to_owned(),
            zone: Ok(crate::support::world::zone(zone.name())),
        }
    }

    pub async fn import(
        &self,
        (slug, zone): (&str, Tz),
        number: u32,
        file: &File,
        accepted_at: Option<DateTime<Utc>>,
        again: bool,
    ) -> Import {
        let path = self.files.path().join(file_name(number));
        std::fs::write(&path, csv_of(file)).expect("the file is written");
        let options = ImportOptions {
            file: path.clone(),
            mapping: MappingOptions {
                added_at_column: Some("added".to_owned()),
                ..MappingOptions::default()
            },
            accepted_at: accepted_at.map(rfc3339),
            again,
            strict_email: false,
        };
        let tenant = self.intake_tenant(slug, zone);
        let imported = import(&self.intake(), &tenant, &options, &|_, _| {}).await;
        std::fs::remove_file(path).expect("the file is removed");
        match imported {
            Ok(done) => Import::Done {
                accepted: done.accepted,
                rejected: done.rejected,
                recognised: done.recognised,
            },
            Err(IntakeError::UploadedBefore { .. }) => Import::Refused,
            Err(IntakeError::Usage(_)) => Import::Unusable,
            Err(error) => panic!("an import failed: {error}"),
        }
    }

    /// Returns how many rows were marked, and how many invitations called off.
    pub async fn unsubscribe(&self, slug: &str, zone: Tz, address: &str) -> (u64, u64) {
        let address = NormalizedEmail::normalize(address).expect("an address");
        let tenant = self.intake_tenant(slug, zone);
        let done = unsubscribe(&self.intake(), &tenant, &address)
            .await
            .expect("unsubscribed");
        (done.marked, done.invitations_expired)
    }

    /// What `verify` says, by slug, with the period that it says it of.
    pub async fn verdicts(&self) -> Result<BTreeMap<String, (String, Verdict)>, String> {
        let mut verdicts = BTreeMap::new();
        for found in self.world.verify(None).await {
            let never = [
                found.orphans,
                found.queued_invitations,
                found.unrecorded,
                found.record_mismatches,
            ];
            require_equal(&format!("verify of {}", found.tenant), &[0; 4], &never)?;
            let whole = found.participants.is_whole();
            require_equal(&format!("parts of {}", found.tenant), &true, &whole)?;
            let verdict = Verdict {
                state: found.state,
                overdue_anonymize: found.overdue_anonymize,
                overdue_purge: found.overdue_purge,
                late: found.late,
                empty_uploads: found.empty_uploads,
                people: found.participants,
                ok: found.ok,
            };
            verdicts.insert(found.tenant, (found.period.to_string(), verdict));
        }
        Ok(verdicts)
    }
}

fn ended(entry: PassEntry) -> (String, (End, Counts)) {
    let report = entry.report;
    let end = match &entry.outcome {
        Outcome::Done => End::Claimed,
        Outcome::AlreadyCompleted => End::AlreadyCompleted,
        Outcome::NoPolicy => End::NoPolicy,
        Outcome::Held => End::Held,
        Outcome::Refused { .. } => End::Refused,
        Outcome::Failed {
            failure_class: "time_zone",
            ..
        } => End::Failed,
        other => panic!("a pass that nothing disturbed: {other:?}"),
    };
    let counts = Counts {
        anonymized: report.anonymized,
        purged: report.purged,
        suppressions: report.suppressions,
        unhashable: report.unhashable,
        invitations_expired: report.invitations_expired,
        uploads_removed: report.uploads_removed,
        children_purged: retentiond::domain::subject::CHILD_TABLES
            .map(|table| report.rows_purged[table]),
    };
    (report.tenant, (end, counts))
}

fn csv_of(file: &File) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let header = [
        "first_name",
        "last_name",
        "email",
        "phone",
        "customer_id",
        "line",
        "team",
        "added",
    ];
    writer.write_record(header).expect("in memory");
    for row in &file.rows {
        let fields = row
            .fields
            .iter()
            .map(|field| field.clone().unwrap_or_default());
        let metadata =
            ["line", "team"].map(|key| row.metadata.get(key).cloned().unwrap_or_default());
        let added_at = [rfc3339(row.added_at)];
        let record = fields.chain(metadata).chain(added_at);
        writer.write_record(record).expect("in memory");
    }
    writer.into_inner().expect("in memory")
}

fn rfc3339(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}
