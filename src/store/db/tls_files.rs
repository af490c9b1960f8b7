//! The files for TLS that a URL names. sqlx reads them at each connection, and says only that some
//! file was not found.

use std::fs;
use std::path::Path;

use crate::config::DatabaseUrl;

use super::error::{ErrorClass, StoreError};

/// Explains an error of connecting by the file that cannot be read, if one cannot.
pub(in crate::store) fn explain(url: &DatabaseUrl, error: StoreError) -> StoreError {
    // What the server said itself has a code, and is not about our files.
    if error.class() != ErrorClass::Unavailable || error.code().is_some() {
        return error;
    }
    let unusable = url.tls_files().into_iter().find_map(|(parameter, file)| {
        let why = why_unusable(&file)?;
        Some(format!(
            "{parameter} of [database] url names the file {}, which {why}; put a file in PEM there \
             that retentiond may read, or name another one",
            file.display()
        ))
    });
    match unusable {
        Some(advice) => error.with_advice(advice),
        None => error,
    }
}

fn why_unusable(file: &Path) -> Option<String> {
    match fs::read(file) {
        Err(error) => Some(format!("cannot be read ({})", error.kind())),
        Ok(bytes) => {
            let is_pem = String::from_utf8_lossy(&bytes).contains("-----BEGIN ");
            (!is_pem).then(|| "holds nothing in PEM".to_owned())
        }
    }
}
