//! Why a time zone cannot be had. What it means is always the same: nothing is reckoned by it.

use thiserror::Error;

use crate::file_fault::FileFault;

use super::super::shown;
use super::tzif::Flaw;

/// Why a zone cannot be had, without its name, which may come from a row. `place` is the database that
/// was asked, such as `/usr/share/zoneinfo (tzdata 2026a)`.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ZoneFault {
    /// No zone could have that name.
    #[error("its name is not written as IANA writes one")]
    NotAName {
        /// What may be meant.
        near: Option<String>,
    },
    /// The database has no such zone.
    #[error("{place} has no zone of that name; correct the name, or update tzdata")]
    Unknown {
        /// The database.
        place: String,
        /// What may be meant.
        near: Option<String>,
    },
    /// The zone's file is there, and cannot be read.
    #[error("its file in {place} cannot be read ({fault}); {}", fault.advice("install tzdata anew"))]
    Unreadable {
        /// The database.
        place: String,
        /// Why.
        fault: FileFault,
    },
    /// The zone's file holds something else than a zone's rules.
    #[error("its file in {place} cannot be used: {flaw}; install tzdata anew")]
    Flawed {
        /// The database.
        place: String,
        /// What is wrong.
        flaw: Flaw,
    },
    /// There is no time-zone database where one should be.
    #[error("there is no time-zone database in {place}; install tzdata there, or set TZDIR")]
    NoDatabase {
        /// Where it should be.
        place: String,
    },
}

impl ZoneFault {
    fn advice(&self) -> String {
        match self {
            Self::NotAName { near: Some(near) }
            | Self::Unknown {
                near: Some(near), ..
            } => format!("did you mean {near}?"),
            Self::NotAName { near: None } => {
                "write an IANA name, for example Europe/Brussels or UTC".to_owned()
            }
            Self::Unknown { place, near: None } => format!(
                "write an IANA name, for example Europe/Brussels or UTC; {place} has no other zones"
            ),
            Self::Unreadable { .. } | Self::Flawed { .. } | Self::NoDatabase { .. } => {
                self.to_string()
            }
        }
    }

    fn is_about_the_name(&self) -> bool {
        matches!(self, Self::NotAName { .. } | Self::Unknown { .. })
    }
}

/// Why a zone cannot be had, with its name: for whoever typed it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "`{name}` {}: {}",
    if fault.is_about_the_name() { "is not a time zone" } else { "cannot be used as a time zone" },
    fault.advice()
)]
pub struct ZoneError {
    name: String,
    fault: ZoneFault,
}

impl ZoneError {
    /// The zone `name` cannot be had.
    #[must_use]
    pub fn new(name: &str, fault: ZoneFault) -> Self {
        Self {
            name: shown(name),
            fault,
        }
    }

    /// Why, without the name.
    #[must_use]
    pub fn into_fault(self) -> ZoneFault {
        self.fault
    }
}
