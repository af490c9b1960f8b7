//! The service's own writers, `unsubscribe` and the import, on addresses that they share. (In
//! process: the same code as the commands run, and dozens of them in a second.)

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use retentiond::clock::{Clock, SystemClock};
use retentiond::domain::email::NormalizedEmail;
use retentiond::ids::TenantId;
use retentiond::intake::import::{ImportOptions, import};
use retentiond::intake::mapping::MappingOptions;
use retentiond::intake::unsubscribe::unsubscribe;
use retentiond::intake::{Intake, IntakeError, Tenant};
use retentiond::store::{RetryPolicy, StoreError};
use tempfile::TempDir;
use uuid::Uuid;

use super::known::{Reach, SHARED_ADDRESSES, Shared, shared_address};
use crate::support::World;

const IMPORTS: usize = 8;

/// As often as it takes: whoever unsubscribes must be heard.
const ATTEMPTS_MAX: usize = 10;

/// The residents before they start.
pub struct Residents {
    intake: Intake,
    tenant: Tenant,
    shared: Shared,
    seed: u64,
    directory: TempDir,
}

/// And what they did.
pub struct Done {
    pub shared: Shared,
    /// Numbers of the addresses that are unsubscribed.
    pub unsubscribed: Vec<usize>,
    pub imports: Vec<Import>,
    /// E9: files that were refused, because they had been uploaded before.
    pub refused: usize,
}

/// A committed upload.
pub struct Import {
    pub upload: Uuid,
    pub added_at: DateTime<Utc>,
    pub addresses: Vec<String>,
    pub asked: DateTime<Utc>,
    pub committed: DateTime<Utc>,
}

impl Residents {
    pub fn new(
        world: &World,
        tenant: TenantId,
        slug: &str,
        shared: Shared,
        random: &mut StdRng,
    ) -> Self {
        let engine = &world.engine;
        Self {
            intake: Intake {
                database: engine.database.clone(),
                clock: Arc::clone(&engine.clock),
                ids: Arc::clone(&engine.ids),
                keyring: engine.keyring.clone(),
                retry: RetryPolicy {
                    attempts_max: 8,
                    ..engine.retry
                },
            },
            tenant: Tenant {
                id: tenant,
                slug: slug.to_owned(),
                zone: Ok(crate::support::world::zone("Europe/Brussels")),
            },
            shared,
            seed: random.random(),
            directory: tempfile::tempdir().expect("a temporary directory"),
        }
    }

    pub async fn work(self, is_over: Arc<AtomicBool>) -> Done {
        let random = || StdRng::seed_from_u64(self.seed);
        let (unsubscribed, (imports, refused)) = tokio::join!(
            self.unsubscribe_some(random()),
            self.import_some(random(), &is_over)
        );
        Done {
            shared: self.shared,
            unsubscribed,
            imports,
            refused,
        }
    }

    /// Every other address, in the middle of everything.
    async fn unsubscribe_some(&self, mut random: StdRng) -> Vec<usize> {
        let mut done = Vec::new();
        for number in (0..SHARED_ADDRESSES).step_by(2) {
            nap(&mut random, 20..300).await;
            // However somebody writes it.
            let written = shared_address(number).to_uppercase();
            let address = NormalizedEmail::normalize(&written).expect("an address");
            let call = || async {
                let done = unsubscribe(&self.intake, &self.tenant, &address).await;
                done.map_err(IntakeError::from)
            };
            again(call).await.expect("unsubscribed");
            done.push(number);
        }
        done
    }

    async fn import_some(&self, mut random: StdRng, is_over: &AtomicBool) -> (Vec<Import>, usize) {
        let mut imports = Vec::new();
        let mut refused = 0;
        let mut file = self.directory.path().join("people.csv");
        let mut addresses = Vec::new();
        for number in 0..IMPORTS {
            nap(&mut random, 20..200).await;
            if number + 1 == IMPORTS {
                // One comes after the run.
                while !is_over.load(Ordering::Relaxed) {
                    nap(&mut random, 10..20).await;
                }
            }
            // Every third upload is the same file again, once with and once without `--again`.
            if number % 3 != 2 {
                addresses = (0..random.random_range(2..6))
                    .map(|_| shared_address(random.random_range(0..SHARED_ADDRESSES)))
                    .collect();
                addresses.push(format!("{}@Import.example", Uuid::now_v7()));
                file = self.directory.path().join(format!("people{number}.csv"));
                let text = format!("Email\n{}\n", addresses.join("\n"));
                fs::write(&file, text).expect("a file");
            }
            let reach = [Reach::Purge, Reach::Anonymize, Reach::Nothing][random.random_range(0..3)];
            let added_at = reach.time(&mut random);
            let options = ImportOptions {
                file: file.clone(),
                mapping: MappingOptions {
                    map: vec![("email".to_owned(), "Email".to_owned())],
                    ..MappingOptions::default()
                },
                accepted_at: Some(added_at.to_rfc3339_opts(SecondsFormat::Micros, true)),
                again: number != 5,
                strict_email: false,
            };
            let asked = SystemClock.now();
            let call = || import(&self.intake, &self.tenant, &options, &|_, _| {});
            match again(call).await {
                Ok(imported) => imports.push(Import {
                    upload: imported.upload_id.expect("rows"),
                    added_at,
                    addresses: addresses.clone(),
                    asked,
                    committed: SystemClock.now(),
                }),
                Err(IntakeError::UploadedBefore { .. }) => refused += 1,
                Err(error) => panic!("{error}"),
            }
        }
        (imports, refused)
    }
}

/// The commands try again what lost to another transaction; whoever ran one would run it again.
async fn again<T>(call: impl AsyncFn() -> Result<T, IntakeError>) -> Result<T, IntakeError> {
    for _ in 1..ATTEMPTS_MAX {
        match call().await {
            Err(IntakeError::Store(error)) if is_transient(&error) => {}
            other => return other,
        }
    }
    call().await
}

fn is_transient(error: &StoreError) -> bool {
    error.class().is_transient()
}

async fn nap(random: &mut StdRng, milliseconds: std::ops::Range<u64>) {
    let milliseconds = random.random_range(milliseconds);
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
}
