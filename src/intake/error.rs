//! Why something could not come in.

use thiserror::Error;

use crate::domain::zone::ZoneFault;
use crate::store::StoreError;

/// Why an upload, or an address, was not taken. Holds no value from a file.
#[derive(Debug, Error)]
pub enum IntakeError {
    /// The file, its header or the options for it are wrong.
    #[error("{0}")]
    Usage(String),
    /// E9: the tenant has an upload with the same content.
    #[error(
        "this file was uploaded for tenant {tenant} before, with the same content; nothing was \
         stored (use --again to upload it once more)"
    )]
    UploadedBefore {
        /// Slug.
        tenant: String,
    },
    /// The tenant's zone cannot be had: nobody knows when its days begin.
    #[error("the tenant's time zone cannot be used, and nothing was stored: {0}")]
    TimeZone(#[from] ZoneFault),
    /// The tenant has gone meanwhile.
    #[error("the tenant was removed meanwhile; nothing was stored")]
    TenantGone,
    /// The file cannot be read to its end, or the rejects file cannot be written.
    #[error("{0}; nothing was stored")]
    File(String),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl IntakeError {
    /// Whether the whole transaction may be tried again: it lost to another one.
    pub(super) fn may_be_retried(&self) -> bool {
        use crate::store::Disposition;
        matches!(self, Self::Store(error) if error.class().disposition() == Disposition::Retry)
    }
}
