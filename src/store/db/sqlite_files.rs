//! Why a SQLite database cannot be opened or written: which of its files is at fault, and what helps.
//!
//! SQLite keeps two files beside the database, `-wal` and `-shm`, which take its mode when they are made.
//! Its errors name none of the three, and "read-only" is what it says of any.

use std::fs::{self, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use sea_orm::sqlx::{AssertSqlSafe, Connection, Executor, SqliteConnection};
use tokio::sync::OnceCell;

use crate::config::DatabaseUrl;
use crate::file_fault;
use crate::trusted_file::{self, Refusal, Untrusted};

use super::error::{ErrorClass, StoreError};

/// How much room is asked for, to find out whether there is any: more than SQLite's first page.
const PROBE_BYTES: usize = 128 * 1024;

/// The file of a SQLite database, and what is to be done with it.
#[derive(Clone, Debug)]
pub(in crate::store) struct SqliteFile {
    pub(in crate::store) path: PathBuf,
    /// The URL asks for no more than to read.
    pub(in crate::store) is_read_only: bool,
    /// Device and inode of the file that is opened.
    opened: Option<(u64, u64)>,
}

impl SqliteFile {
    /// The file of a database that is about to be opened.
    pub(in crate::store) fn new(path: PathBuf, is_read_only: bool) -> Self {
        Self {
            path,
            is_read_only,
            opened: None,
        }
    }

    /// The same, with what tells it from another file of that name.
    pub(in crate::store) fn identified(self) -> Self {
        let opened = identity(&self.path);
        Self { opened, ..self }
    }

    /// Lets SQLite write its temporary files beside the database: `VACUUM` makes a copy of all of it, and the
    /// folder for everybody's temporary files may be on another disk, which nobody thinks of as one with personal
    /// data. They have mode 0600 and no name for longer than it takes to open them.
    ///
    /// It is a setting of the whole process that must not change once a connection works, so the first
    /// database decides. Where the folder cannot be written, SQLite takes the usual one.
    pub(in crate::store) async fn keep_temporary_files_beside(&self) {
        static CHOSEN: OnceCell<()> = OnceCell::const_new();
        let parent = self.path.parent().filter(|parent| parent.as_os_str() != "");
        let folder = fs::canonicalize(parent.unwrap_or(Path::new("."))).unwrap_or_default();
        let Some(folder) = folder.to_str().filter(|folder| !folder.is_empty()) else {
            return;
        };
        let sql = format!(
            "PRAGMA temp_store_directory = '{}'",
            folder.replace('\'', "''")
        );
        let choose = async {
            let mut connection = SqliteConnection::connect("sqlite::memory:").await?;
            connection.execute(AssertSqlSafe(sql)).await?;
            connection.close().await
        };
        // Refused for a folder that cannot be written, of which opening the database says more.
        let _ = CHOSEN.get_or_try_init(|| choose).await;
    }

    /// Whether another file has this name now, or none. Connections that are open go on in the one that was
    /// opened, which nobody else sees any more.
    pub(in crate::store) fn is_replaced(&self) -> bool {
        self.opened.is_some() && identity(&self.path) != self.opened
    }

    /// The error of opening the database, with the file that is at fault in its advice, if one is found,
    /// and of the class that it then has.
    pub(in crate::store) fn explain_opening(&self, error: StoreError) -> StoreError {
        match self.fault(&error) {
            // That writes fail may pass: who waits for a primary waits for this, too.
            Some((_, advice)) if error.class() == ErrorClass::ReadOnly => error.with_advice(advice),
            Some((class, advice)) => error.with_class(class).with_advice(advice),
            None => error,
        }
    }

    /// The same of a later error, whose class stays: it decides whether what was under way is looked up.
    pub(in crate::store) fn explain(&self, error: StoreError) -> StoreError {
        match self.fault(&error) {
            Some((_, advice)) => error.with_advice(advice),
            None => error,
        }
    }

    fn fault(&self, error: &StoreError) -> Option<(ErrorClass, String)> {
        let about_files = matches!(
            error.class(),
            ErrorClass::ReadOnly
                | ErrorClass::Permission
                | ErrorClass::DiskFull
                | ErrorClass::Unavailable
                | ErrorClass::Address
        );
        // A code is SQLite's own; without one it was never asked. And where it found no room, there is
        // none, whatever is left for a smaller file.
        if !about_files || error.code().is_none() {
            return None;
        }
        if error.class() == ErrorClass::DiskFull {
            return Some((ErrorClass::DiskFull, no_room(&self.path)));
        }
        fault(&self.path, self.is_read_only).or_else(|| {
            let advice = format!(
                "the operating system failed to read or write {} or a file beside it; check the disk and \
                 how it is mounted",
                self.path.display()
            );
            (error.class() == ErrorClass::Unavailable).then_some((ErrorClass::Unavailable, advice))
        })
    }
}

/// Refuses a SQLite database that somebody else can write or exchange: its file and those beside it, or where
/// they will be made. Another database passes.
///
/// # Errors
///
/// A [`StoreError`] that names the file.
pub fn believe(url: &DatabaseUrl) -> Result<(), StoreError> {
    let Some((file, _)) = url.sqlite_file() else {
        return Ok(());
    };
    // What SQLite calls a database in memory.
    if file.as_os_str().as_encoded_bytes().starts_with(b"file:") {
        return Ok(());
    }
    // SQLite keeps the others beside the file that a link leads to.
    let whole = match trusted_file::locate(&file) {
        Ok(located) => located.path,
        Err(refusal) => return not_believed(&file, refusal, true),
    };
    if let Err(refusal) = trusted_file::inspect(&whole) {
        not_believed(&file, refusal, true)?;
    }
    for suffix in ["-wal", "-shm", "-journal"] {
        let path = beside(&whole, suffix);
        if let Err(refusal) = trusted_file::inspect(&path) {
            not_believed(&path, refusal, false)?;
        }
    }
    Ok(())
}

/// An error, unless opening the file says better what is wrong.
fn not_believed(path: &Path, refusal: Refusal, is_database: bool) -> Result<(), StoreError> {
    match refusal {
        Refusal::Io(_) => Ok(()),
        Refusal::Untrusted(Untrusted::NotAFile) if is_database => Ok(()),
        Refusal::Untrusted(reason) => {
            let advice = format!("the file {} is not used: {reason}", path.display());
            let doing = "cannot open the database";
            Err(StoreError::new(ErrorClass::Address, doing).with_advice(advice))
        }
    }
}

/// Why the file of a new database cannot be made; `None` = the address is at fault.
pub(in crate::store) fn why_not_made(kind: ErrorKind, file: &Path) -> Option<StoreError> {
    const DOING: &str = "cannot make the file of the database";
    let shown = file.display();
    let (class, advice) = match kind {
        ErrorKind::PermissionDenied => (
            ErrorClass::Permission,
            format!("this user may not make {shown}; give it the right to write in that folder"),
        ),
        ErrorKind::ReadOnlyFilesystem => (
            ErrorClass::ReadOnly,
            format!(
                "{shown} lies on a file system that is mounted read-only; mount it for writing"
            ),
        ),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => (ErrorClass::DiskFull, no_room(file)),
        _ => return None,
    };
    Some(StoreError::new(class, DOING).with_advice(advice))
}

/// What is wrong with the files, as far as opening them shows.
fn fault(file: &Path, is_read_only: bool) -> Option<(ErrorClass, String)> {
    // SQLite says of it no more than that it cannot open something.
    if let Some(limit) = file_fault::likely_limit() {
        return Some((
            ErrorClass::Unavailable,
            format!(
                "{} cannot be opened ({limit}); {}",
                file.display(),
                limit.advice("")
            ),
        ));
    }
    let folder = match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    for path in [file.to_owned(), beside(file, "-wal"), beside(file, "-shm")] {
        let Err(error) = OpenOptions::new()
            .read(true)
            .write(!is_read_only)
            .open(&path)
        else {
            continue;
        };
        let shown = path.display();
        match error.kind() {
            ErrorKind::PermissionDenied => {
                let mode = fs::metadata(&path).map_or_else(
                    |_| "unknown".to_owned(),
                    |found| format!("{:04o}", found.permissions().mode() & 0o7777),
                );
                let right = if is_read_only {
                    "read"
                } else {
                    "read and write"
                };
                let more = if path == file {
                    String::new()
                } else {
                    format!(
                        "; it belongs to the database {} and must have the same owner and mode",
                        file.display()
                    )
                };
                return Some((
                    ErrorClass::Permission,
                    format!(
                        "this user may not {right} {shown} (mode {mode}){more}; give it the right with \
                         chown or chmod"
                    ),
                ));
            }
            ErrorKind::ReadOnlyFilesystem => {
                return Some((
                    ErrorClass::ReadOnly,
                    format!(
                        "{shown} lies on a file system that is mounted read-only; mount it for writing"
                    ),
                ));
            }
            ErrorKind::IsADirectory => {
                return Some((
                    ErrorClass::Address,
                    format!("{shown} is a folder; [database] url must name a file"),
                ));
            }
            _ => {}
        }
    }
    if is_read_only {
        return None;
    }
    match room_in(folder)? {
        ErrorKind::PermissionDenied => Some((
            ErrorClass::Permission,
            format!(
                "this user may not make files in {}, where SQLite keeps {} and {}; give it the right \
                 with chown or chmod",
                folder.display(),
                beside(file, "-wal").display(),
                beside(file, "-shm").display()
            ),
        )),
        ErrorKind::ReadOnlyFilesystem => Some((
            ErrorClass::ReadOnly,
            format!(
                "{} lies on a file system that is mounted read-only; mount it for writing",
                folder.display()
            ),
        )),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            Some((ErrorClass::DiskFull, no_room(file)))
        }
        _ => None,
    }
}

fn identity(file: &Path) -> Option<(u64, u64)> {
    let found = fs::metadata(file).ok()?;
    Some((found.dev(), found.ino()))
}

fn no_room(file: &Path) -> String {
    format!(
        "there is no room left on the disk of {}, or the user's quota is used up; free some, then try \
         again",
        file.display()
    )
}

/// Why a file cannot be made in `folder` and filled; `None` = it can. What was made is removed.
fn room_in(folder: &Path) -> Option<ErrorKind> {
    let probe = folder.join(format!(".retentiond-probe-{}", std::process::id()));
    let written = fs::write(&probe, [0; PROBE_BYTES]);
    // Whether or not all of it could be written.
    let _ = fs::remove_file(&probe);
    written.err().map(|error| error.kind())
}

fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
