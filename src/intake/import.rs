//! An upload, from the first byte to the commit, in one transaction.

use std::path::PathBuf;

use backon::Retryable;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::domain::period::Zone;
use crate::domain::suppression::TenantHasher;
use crate::store::participants::{self, Pages};
use crate::store::uploads::{self, Upload};
use crate::store::{ErrorClass, StoreError, Transaction, arrivals, tenants};

use super::insert::{Chunk, store_rows};
use super::mapping::{Mapping, MappingOptions};
use super::notes::{NoteTaker, Notes};
use super::reader::{Content, Records, Source};
use super::recognition::Recognition;
use super::record::{Row, Rules};
use super::rejects::{self, Rejects};
use super::row_filter::{RowOutcome, next_fate};
use super::times::read_time;
use super::window::Window;
use super::{Intake, IntakeError, Tenant};

/// Longest file name stored, in characters.
const FILE_NAME_CHARS_MAX: usize = 255;

/// Rows after which the progress is told.
const ROWS_BETWEEN_PROGRESS: u64 = 500;

const DOING: &str = "storing the upload";

/// What to upload, and how.
#[derive(Clone, Debug)]
pub struct ImportOptions {
    /// The file.
    pub file: PathBuf,
    /// Which column is which.
    pub mapping: MappingOptions,
    /// When the platform accepted the upload, as [`super::read_time`] reads it; now if unset.
    pub accepted_at: Option<String>,
    /// E9: take a file that was uploaded before.
    pub again: bool,
    /// U12: reject rows whose e-mail value is not one bare address.
    pub strict_email: bool,
}

/// What became of an upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// Unset when no row was accepted: then nothing is stored.
    pub upload_id: Option<Uuid>,
    /// Name of the file, without its folder.
    pub file_name: String,
    /// When the platform accepted it.
    pub accepted_at: DateTime<Utc>,
    /// Rows stored.
    pub accepted: u64,
    /// Rows in the rejects file.
    pub rejected: u64,
    /// Stored rows of people who had unsubscribed.
    pub recognised: u64,
    /// The rejects file, if a row was rejected.
    pub rejects_file: Option<PathBuf>,
    /// What the importer is told of the stored rows.
    pub notes: Notes,
}

/// How far an import is: bytes read, and bytes in all.
pub type Progress<'a> = &'a (dyn Fn(u64, u64) + Send + Sync);

/// Uploads a file for a tenant. Nothing is visible before everything is.
///
/// # Errors
///
/// See [`IntakeError`]; nothing was stored then.
pub async fn import(
    intake: &Intake,
    tenant: &Tenant,
    options: &ImportOptions,
    progress: Progress<'_>,
) -> Result<Imported, IntakeError> {
    let import = Import {
        intake,
        tenant,
        options,
        hasher: intake.keyring.for_tenant(tenant.id),
        progress,
    };
    (|| import.attempt())
        .retry(intake.retry.backoff())
        .when(IntakeError::may_be_retried)
        .await
}

struct Import<'a> {
    intake: &'a Intake,
    tenant: &'a Tenant,
    options: &'a ImportOptions,
    hasher: TenantHasher,
    progress: Progress<'a>,
}

/// What filling the transaction found.
struct Filled {
    accepted_at: DateTime<Utc>,
    accepted: u64,
    recognised: u64,
    rejects: Rejects,
    notes: Notes,
}

impl Import<'_> {
    async fn attempt(&self) -> Result<Imported, IntakeError> {
        let source = Source::new(&self.options.file);
        // Before the transaction: nothing on the database waits for the file to be read, and a
        // wrong header is told before anything else.
        let content = source.content(&self.hasher)?;
        let mut records = source.records(&self.hasher)?;
        let mapping = self.header(&mut records)?;
        rejects::check_replaceable(&rejects::path_beside(&self.options.file))?;
        let id = self.intake.ids.next();
        let transaction = self.intake.database.begin_long(DOING).await?;
        let filled = self
            .fill(&transaction, id, &content, records, &mapping)
            .await;
        let filled = match filled {
            Ok(filled) if filled.accepted > 0 => {
                if let Err(error) = transaction.commit().await {
                    self.was_committed(id, error).await?;
                }
                filled
            }
            other => {
                // What failed first counts; a connection that is gone has rolled back by itself.
                let _ = transaction.rollback().await;
                other?
            }
        };
        Ok(Imported {
            upload_id: (filled.accepted > 0).then_some(id),
            file_name: self.file_name(),
            accepted_at: filled.accepted_at,
            accepted: filled.accepted,
            rejected: filled.rejects.rows,
            recognised: filled.recognised,
            rejects_file: filled.rejects.keep(),
            notes: filled.notes,
        })
    }

    fn header(&self, records: &mut Records) -> Result<Mapping, IntakeError> {
        let path = self.options.file.display();
        let header = records.next()?.ok_or_else(|| {
            IntakeError::Usage(format!(
                "{path} holds no header; its first line must name the columns"
            ))
        })?;
        let names: Vec<&[u8]> = header.iter().collect();
        let mapping = Mapping::of(&names, &self.options.mapping)?;
        if let Some(fault) = records.quotes()?.fault {
            let fault = fault.reason();
            return Err(IntakeError::Usage(format!("the header of {path}: {fault}")));
        }
        Ok(mapping)
    }

    /// Everything between BEGIN and COMMIT.
    async fn fill(
        &self,
        transaction: &Transaction,
        id: Uuid,
        content: &Content,
        mut records: Records,
        mapping: &Mapping,
    ) -> Result<Filled, IntakeError> {
        let now = self.intake.now(transaction).await?;
        let zone = self.tenant.zone.as_ref().map_err(Clone::clone)?;
        let accepted_at = self.accepted_at(zone, now)?;
        self.refuse_known_content(transaction, content, id).await?;
        let unsubscribes = tenants::unsubscribe_count(transaction, self.tenant.id).await?;
        let hasher = self.hasher.clone();
        let recognition = Recognition::begin(transaction, self.tenant.id, hasher).await?;
        let upload = Upload {
            tenant: self.tenant.id,
            id,
            accepted_at,
        };
        let active_mac = content.macs.first().copied().unwrap_or_default();
        uploads::add(transaction, &upload, &self.file_name(), active_mac).await?;

        let rules = Rules {
            mapping,
            accepted_at,
            zone,
            now,
            strict_email: self.options.strict_email,
        };
        let rejects_path = rejects::path_beside(&self.options.file);
        let mut rejects = Rejects::begin(rejects_path, records.raw()?.bytes)?;
        let mut notes = NoteTaker::new(mapping);
        let mut storing = Storing {
            import: self,
            transaction,
            upload: &upload,
            mapping,
            recognition,
            recognised: 0,
            chunks: 0,
        };
        let ids = self.intake.ids.as_ref();
        let mut window = Window::default();
        let (mut accepted, mut read) = (0_u64, 0_u64);
        while let Some(fate) = next_fate(&mut records, &rules)? {
            match fate {
                RowOutcome::Accepted { row, spans_lines } => {
                    notes.see(&row, spans_lines, &records)?;
                    accepted += 1;
                    window.push(row);
                }
                RowOutcome::Rejected { raw, reason } => rejects.add(&raw, &reason)?,
            }
            read += 1;
            if read.is_multiple_of(ROWS_BETWEEN_PROGRESS) {
                (self.progress)(records.position_bytes(), content.bytes);
            }
            if window.is_full() {
                storing.store(window.take_half(ids, id)).await?;
            }
        }
        storing.store(window.take_all(ids, id)).await?;
        let Storing {
            mut recognition,
            mut recognised,
            ..
        } = storing;
        if records.macs() != content.macs {
            return Err(IntakeError::File(format!(
                "{} changed while it was read",
                self.options.file.display()
            )));
        }
        rejects.finish()?;
        if accepted > 0 {
            recognised += self
                .settle(
                    transaction,
                    &upload,
                    content,
                    unsubscribes,
                    &mut recognition,
                )
                .await?;
            uploads::complete(transaction, &upload, accepted).await?;
        }
        Ok(Filled {
            accepted_at,
            accepted,
            recognised,
            rejects,
            notes: notes.finish(),
        })
    }

    /// Takes the tenant's row lock, and looks again at whatever may have changed since the import
    /// began: the same file (E9), and people who unsubscribed. Whoever comes after us sees our rows.
    async fn settle(
        &self,
        transaction: &Transaction,
        upload: &Upload,
        content: &Content,
        unsubscribes_before: i64,
        recognition: &mut Recognition,
    ) -> Result<u64, IntakeError> {
        let tenant = self.tenant.id;
        let unsubscribes = tenants::lock(transaction, tenant).await?;
        tenants::write_across_nodes(transaction, tenant).await?;
        if tenants::find(transaction, tenant).await?.is_none() {
            return Err(IntakeError::TenantGone);
        }
        self.refuse_known_content(transaction, content, upload.id)
            .await?;
        let mut recognised = 0;
        if unsubscribes != unsubscribes_before {
            let mut pages = Pages::of_upload(tenant, upload.id);
            while let Some(page) = pages.next(transaction).await? {
                let addresses: Vec<_> = page.iter().map(|row| Some(row.email.as_str())).collect();
                let hits = recognition.recognise(transaction, &addresses).await?;
                let ids: Vec<Uuid> = page
                    .iter()
                    .zip(&hits)
                    .filter(|(_, hit)| **hit)
                    .map(|(row, _)| row.id)
                    .collect();
                if !ids.is_empty() {
                    // They unsubscribed while the upload was under way.
                    let at = upload.accepted_at;
                    participants::mark_unsubscribed(transaction, tenant, &ids, at).await?;
                    participants::call_off(transaction, tenant, &ids).await?;
                }
                recognised += count(&hits);
            }
        }
        recognition.renew(transaction).await?;
        Ok(recognised)
    }

    /// E9.
    async fn refuse_known_content(
        &self,
        transaction: &Transaction,
        content: &Content,
        ours: Uuid,
    ) -> Result<(), IntakeError> {
        if self.options.again {
            return Ok(());
        }
        // One for each key, so that a file is still known after a rotation.
        for mac in &content.macs {
            let tenant = self.tenant.id;
            if uploads::has_content(transaction, tenant, *mac, ours).await? {
                return Err(IntakeError::UploadedBefore {
                    tenant: self.tenant.slug.clone(),
                });
            }
        }
        Ok(())
    }

    fn accepted_at(&self, zone: &Zone, now: DateTime<Utc>) -> Result<DateTime<Utc>, IntakeError> {
        let Some(text) = &self.options.accepted_at else {
            return Ok(now);
        };
        read_time(text, zone, now)
            .map_err(|error| IntakeError::Usage(format!("--accepted-at {text:?} {error}")))
    }

    fn file_name(&self) -> String {
        let name = self.options.file.file_name().unwrap_or_default();
        name.to_string_lossy()
            .chars()
            .take(FILE_NAME_CHARS_MAX)
            .collect()
    }

    /// Nobody knows whether a commit took place whose reply was lost: so look for the upload.
    async fn was_committed(&self, id: Uuid, error: StoreError) -> Result<(), IntakeError> {
        let lost = matches!(
            error.class(),
            ErrorClass::Unavailable | ErrorClass::Deadline
        );
        if lost && uploads::exists(&self.intake.database, self.tenant.id, id).await? {
            return Ok(());
        }
        Err(error.into())
    }
}

/// The rows of an upload, on their way into the database.
struct Storing<'a> {
    import: &'a Import<'a>,
    transaction: &'a Transaction,
    upload: &'a Upload,
    mapping: &'a Mapping,
    recognition: Recognition,
    /// Stored rows of people who had unsubscribed.
    recognised: u64,
    chunks: u64,
}

impl Storing<'_> {
    /// Stores a window's rows, in their order.
    async fn store(&mut self, rows: Vec<(Uuid, Row)>) -> Result<(), IntakeError> {
        let mut chunk = Chunk::default();
        for (id, row) in rows {
            chunk.push(id, row, self.mapping);
            if chunk.is_full() {
                self.store_chunk(&mut chunk).await?;
            }
        }
        self.store_chunk(&mut chunk).await
    }

    /// Stores a chunk and empties it.
    async fn store_chunk(&mut self, chunk: &mut Chunk) -> Result<(), IntakeError> {
        if chunk.rows().is_empty() {
            return Ok(());
        }
        let (transaction, upload) = (self.transaction, self.upload);
        let recognised = self
            .recognition
            .recognise(transaction, &chunk.addresses())
            .await?;
        let ids = self.import.intake.ids.as_ref();
        store_rows(
            transaction,
            upload,
            self.mapping,
            chunk.rows(),
            &recognised,
            ids,
        )
        .await?;
        chunk.clear();
        self.recognised += count(&recognised);
        self.chunks += 1;
        if self.chunks.is_power_of_two() {
            arrivals::forget_plans(transaction).await?;
        }
        Ok(())
    }
}

fn count(hits: &[bool]) -> u64 {
    hits.iter().map(|hit| u64::from(*hit)).sum()
}
