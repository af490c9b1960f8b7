//! The rejects file: rows that could not come in, with the reason, for whoever mends them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::IntakeError;
use super::reader::Raw;

/// Beside the upload: `people.csv` gives `people.rejects.csv`.
pub(super) fn path_beside(file: &Path) -> PathBuf {
    let is_csv = file
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("csv"));
    let stem = if is_csv {
        file.file_stem()
    } else {
        file.file_name()
    };
    let mut name = stem.unwrap_or_default().to_owned();
    name.push(".rejects.csv");
    file.with_file_name(name)
}

/// What each of them begins with.
const BEGINNING: &[u8] = b"line,reason,";

/// Refuses a path at which something stands that no import wrote: it would be replaced. What an import
/// wrote is a regular file that begins with the columns `line` and `reason`, or an empty one, if the
/// import was killed.
///
/// # Errors
///
/// What stands there, and what to do.
pub(super) fn check_replaceable(path: &Path) -> Result<(), IntakeError> {
    let shown = path.display();
    let refused = |what: &str| {
        Err(IntakeError::Usage(format!(
            "{shown} {what}; the rejected rows would be written there, so move it away, or import \
             the file under another name (nothing was stored)"
        )))
    };
    let kind = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata.file_type(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(_) => return refused("cannot be looked at"),
    };
    if kind.is_symlink() {
        return refused("is a symbolic link");
    }
    if !kind.is_file() {
        return refused("is no regular file");
    }
    let mut beginning = Vec::new();
    let length = u64::try_from(BEGINNING.len()).unwrap_or(u64::MAX);
    let read = File::open(path).and_then(|file| file.take(length).read_to_end(&mut beginning));
    match read {
        Err(_) => refused("cannot be read"),
        Ok(0) => Ok(()),
        Ok(_) if beginning == BEGINNING => Ok(()),
        Ok(_) => refused("is not a rejects file of an earlier import"),
    }
}

/// Writes the file when the first row comes; there is none without rows.
pub(super) struct Rejects {
    path: PathBuf,
    header: Vec<u8>,
    writer: Option<BufWriter<File>>,
    /// Rows written.
    pub rows: u64,
    keep: bool,
}

impl Rejects {
    /// Removes what an earlier upload of that file left.
    pub(super) fn begin(path: PathBuf, header: Vec<u8>) -> Result<Self, IntakeError> {
        // Somebody may have put one there since the import looked.
        check_replaceable(&path)?;
        // Where there is nothing to remove, nothing is asked of the folder: an upload without rejects may lie
        // on a file system that takes no writes.
        if fs::symlink_metadata(&path).is_ok() {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(failure(&path, &error));
                }
                _ => {}
            }
        }
        Ok(Self {
            path,
            header,
            writer: None,
            rows: 0,
            keep: false,
        })
    }

    /// Adds a row, its bytes as they stood in the file.
    pub(super) fn add(&mut self, raw: &Raw, reason: &str) -> Result<(), IntakeError> {
        self.write(raw, reason)
            .map_err(|error| failure(&self.path, &error))?;
        self.rows += 1;
        Ok(())
    }

    fn write(&mut self, raw: &Raw, reason: &str) -> io::Result<()> {
        let writer = match &mut self.writer {
            Some(writer) => writer,
            none => {
                // It holds personal data: for its owner only, and never through somebody's link.
                let file = OpenOptions::new()
                    .write(true)
                    .create_new(true)
                    .mode(0o600)
                    .open(&self.path)?;
                let writer = none.insert(BufWriter::new(file));
                writer.write_all(BEGINNING)?;
                writer.write_all(&self.header)?;
                writer.write_all(b"\n")?;
                writer
            }
        };
        write!(writer, "{},{},", raw.line, quoted(reason))?;
        writer.write_all(&raw.bytes)?;
        writer.write_all(b"\n")
    }

    /// Writes everything to disk.
    pub(super) fn finish(&mut self) -> Result<(), IntakeError> {
        let Some(writer) = &mut self.writer else {
            return Ok(());
        };
        writer
            .flush()
            .and_then(|()| writer.get_ref().sync_all())
            .map_err(|error| failure(&self.path, &error))
    }

    /// The upload is through: the file stays. Its path, if there is one.
    pub(super) fn keep(mut self) -> Option<PathBuf> {
        self.keep = true;
        self.writer.is_some().then(|| self.path.clone())
    }
}

impl Drop for Rejects {
    /// An upload that failed was not taken at all, so no part of it was rejected.
    fn drop(&mut self) {
        if !self.keep && self.writer.is_some() {
            // What is left of it is replaced by the next attempt.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// A reason names a column, whose name may hold anything: also what a spreadsheet would take for a formula,
/// which an apostrophe before it prevents.
fn quoted(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        return quoted(&format!("'{text}"));
    }
    if text.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

fn failure(path: &Path, error: &io::Error) -> IntakeError {
    IntakeError::File(format!(
        "cannot write the rejected rows to {}: {}",
        path.display(),
        error.kind()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_no_formula_for_a_spreadsheet() {
        for (reason, written) in [
            ("too long", "too long"),
            ("a, b", "\"a, b\""),
            (
                "=cmd|' /C calc'!A0: too long",
                "'=cmd|' /C calc'!A0: too long",
            ),
            ("+1, -1", "\"'+1, -1\""),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\ttab", "'\ttab"),
        ] {
            assert_eq!(quoted(reason), written);
        }
    }

    #[test]
    fn e08_the_rejects_file_stands_beside_the_upload() {
        for (file, rejects) in [
            ("people.csv", "people.rejects.csv"),
            ("/in/people.CSV", "/in/people.rejects.csv"),
            ("people", "people.rejects.csv"),
            ("people.txt", "people.txt.rejects.csv"),
        ] {
            assert_eq!(path_beside(Path::new(file)), Path::new(rejects));
        }
    }

    #[test]
    fn e16_only_what_an_import_wrote_is_replaced() {
        let directory = tempfile::tempdir().expect("a folder");
        let path = directory.path().join("people.rejects.csv");
        assert!(check_replaceable(&path).is_ok(), "there is nothing");
        for (content, good) in [
            (&b""[..], true),
            (b"line,reason,email\n2,x,y\n", true),
            (b"line,reason,", true),
            (b"old", false),
            (b"\n", false),
            (b"line,reason\n", false),
            (b"Line,Reason,email\n", false),
            (b"email\nann@example.be\n", false),
        ] {
            fs::write(&path, content).expect("written");
            assert_eq!(check_replaceable(&path).is_ok(), good, "{content:?}");
        }
        fs::write(&path, "line,reason,email\n").expect("written");
        let link = directory.path().join("link.rejects.csv");
        std::os::unix::fs::symlink(&path, &link).expect("linked");
        let folder = directory.path().join("folder.rejects.csv");
        fs::create_dir(&folder).expect("a folder");
        let dangling = directory.path().join("dangling.rejects.csv");
        std::os::unix::fs::symlink("nowhere", &dangling).expect("linked");
        for path in [link, folder, dangling] {
            let sentence = check_replaceable(&path).expect_err("refused").to_string();
            assert!(sentence.contains("nothing was stored"), "{sentence}");
        }
    }
}
