//! Who competes.

use std::fmt;

use clap::ValueEnum;
use retentiond::store::Dialect;

use crate::work::Work;

/// A way to erase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ValueEnum)]
pub enum Contender {
    /// One statement for everybody, on SQLite for a tenant; children go by cascade. What the others are
    /// compared with.
    Giant,
    /// One transaction that deletes the children table by table, and then the participants.
    GiantExplicit,
    /// `retentiond run` with one worker and the default settings.
    Ours,
    /// The same with two workers.
    OursTwoWorkers,
    /// With one worker, short batches and a limited rate, as docs/performance.md describes.
    OursGentle,
    /// `pt-archiver --bulk-delete` of the Percona Toolkit, tenant by tenant.
    PtArchiver,
}

impl Contender {
    /// Those that can do it, the reference first.
    pub fn of(work: Work, dialect: Dialect) -> Vec<Self> {
        let mut all = vec![Self::Giant];
        if work == Work::Purge {
            all.push(Self::GiantExplicit);
            if dialect == Dialect::MariaDb {
                all.push(Self::PtArchiver);
            }
        }
        all.push(Self::Ours);
        // SQLite has one writer at a time.
        if dialect != Dialect::Sqlite {
            all.push(Self::OursTwoWorkers);
        }
        all.push(Self::OursGentle);
        all
    }

    pub fn is_measured_once(self) -> bool {
        self == Self::OursGentle
    }

    /// What the configuration of `retentiond` has, for those that are ours.
    pub fn settings(self) -> Option<&'static [(&'static str, &'static str)]> {
        match self {
            Self::Ours => Some(&[("RETENTIOND__ENGINE__WORKERS", "1")]),
            Self::OursTwoWorkers => Some(&[("RETENTIOND__ENGINE__WORKERS", "2")]),
            Self::OursGentle => Some(&[
                ("RETENTIOND__ENGINE__WORKERS", "1"),
                ("RETENTIOND__ENGINE__BATCH_ROWS", "50"),
                ("RETENTIOND__ENGINE__ROWS_PER_SECOND_MAX", "5000"),
            ]),
            _ => None,
        }
    }
}

impl fmt::Display for Contender {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Giant => "giant",
            Self::GiantExplicit => "giant-explicit",
            Self::Ours => "ours",
            Self::OursTwoWorkers => "ours-two-workers",
            Self::OursGentle => "ours-gentle",
            Self::PtArchiver => "pt-archiver",
        })
    }
}
