//! A folder of the time-zone database, as `zic` fills it: a file for each zone, below its name.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use crate::domain::zone::{Release, Zone, ZoneFault, is_plain_name};

/// Ten times as much as the largest zone's file ever had.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// More than a line has that names the release.
const LINE_BYTES_MAX: u64 = 256;

/// One folder.
#[derive(Debug)]
pub(super) struct Directory(PathBuf);

/// Whether a database is at `place`, in whatever state. Nothing there, or an empty folder, is none.
pub(super) fn is_there(place: &Path) -> bool {
    match fs::read_dir(place) {
        Ok(mut entries) => entries.next().is_some(),
        // One that cannot be looked at is there: the bundled copy may be older.
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    }
}

impl Directory {
    pub(super) fn at(path: &Path) -> Self {
        Self(path.to_path_buf())
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// The release, as far as the folder says: in the first line of `tzdata.zi`, or, on other
    /// systems, in a file `+VERSION`.
    pub(super) fn release(&self) -> Release {
        let line = |name: &str| -> io::Result<String> {
            let path = self.0.join(name);
            // A pipe would wait for whoever writes to it.
            if !fs::metadata(&path)?.is_file() {
                return Err(io::ErrorKind::InvalidInput.into());
            }
            let mut line = String::new();
            BufReader::new(File::open(path)?.take(LINE_BYTES_MAX)).read_line(&mut line)?;
            Ok(line)
        };
        let of_rules = line("tzdata.zi").ok();
        let of_rules = of_rules
            .as_deref()
            .and_then(|line| line.strip_prefix("# version "));
        match of_rules {
            Some(text) => Release::named(text),
            None => Release::named(&line("+VERSION").unwrap_or_default()),
        }
    }

    /// How errors name it.
    fn place(&self) -> String {
        format!("{} (tzdata {})", self.0.display(), self.release())
    }

    /// Reads a zone. Its name is a plain one, so nothing outside of the folder is read but by links that
    /// stand in it.
    pub(super) fn zone(&self, name: &str) -> Result<Zone, ZoneFault> {
        let content = self.content(name)?;
        // Looked at after the file was: an update that comes in between is then not taken for older than
        // what was read.
        Zone::from_tzif(name, &content, self.release()).map_err(|flaw| ZoneFault::Flawed {
            place: self.place(),
            flaw,
        })
    }

    fn content(&self, name: &str) -> Result<Vec<u8>, ZoneFault> {
        debug_assert!(is_plain_name(name), "a name that leads elsewhere");
        let path = self.0.join(name);
        let read = || -> io::Result<Vec<u8>> {
            if !fs::metadata(&path)?.is_file() {
                return Err(io::ErrorKind::NotFound.into());
            }
            let mut content = Vec::new();
            File::open(&path)?
                .take(FILE_BYTES_MAX)
                .read_to_end(&mut content)?;
            Ok(content)
        };
        read().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory if !is_there(&self.0) => {
                ZoneFault::NoDatabase {
                    place: self.0.display().to_string(),
                }
            }
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => ZoneFault::Unknown {
                place: self.place(),
                near: None,
            },
            _ => ZoneFault::Unreadable {
                place: self.place(),
                fault: (&error).into(),
            },
        })
    }

    /// The plain name of a file here that is called so but for its capitals. What was asked for is only
    /// compared, and opens nothing.
    pub(super) fn near(&self, name: &str) -> Option<String> {
        let mut path = self.0.clone();
        let mut found = String::new();
        for part in name.split('/') {
            let entry = fs::read_dir(&path)
                .ok()?
                .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
                .find(|entry| entry.eq_ignore_ascii_case(part))?;
            path.push(&entry);
            if !found.is_empty() {
                found.push('/');
            }
            found.push_str(&entry);
        }
        (is_plain_name(&found) && path.is_file()).then_some(found)
    }
}
