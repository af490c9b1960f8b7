//! The stages of a run, as data: which rows each may touch, in the order in which they come.

use chrono::{DateTime, Utc};
use sea_orm::Value;

use crate::domain::cutoff::Cutoffs;
use crate::domain::dated::dated_since;
use crate::store::{Dialect, Parameters};

/// A stage of a tenant-run, in the order of their turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Personal fields go.
    Anonymize,
    /// The participant goes, with everything that belongs to it.
    Purge,
    /// Uploads go whose last participant went.
    Uploads,
}

impl Stage {
    /// All stages, in their order.
    pub const ALL: [Self; 3] = [Self::Anonymize, Self::Purge, Self::Uploads];

    /// The stages that work on participants.
    pub const OF_PARTICIPANTS: [Self; 2] = [Self::Anonymize, Self::Purge];

    /// Name in the ledger, in logs and in metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Anonymize => "anonymize",
            Self::Purge => "purge",
            Self::Uploads => "uploads",
        }
    }
}

/// The participants that a stage may touch: `floor <= added_at < cutoff`, and for the anonymizer
/// not yet anonymized. Always strictly before the cutoff, and never before dates are real (E13).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Selection {
    /// Nobody added at or after this instant is touched.
    pub(super) cutoff: DateTime<Utc>,
    /// P4: people who are to be deleted are not anonymized first.
    pub(super) floor: DateTime<Utc>,
    /// Only people who still have their personal fields.
    pub(super) only_identified: bool,
}

impl Selection {
    /// What `stage` may touch under `cutoffs`; `None` = nothing.
    #[must_use]
    pub fn of(stage: Stage, cutoffs: Cutoffs) -> Option<Self> {
        match stage {
            Stage::Anonymize => Some(Self {
                cutoff: cutoffs.anonymize?,
                floor: cutoffs
                    .purge
                    .map_or_else(dated_since, |purge| purge.max(dated_since())),
                only_identified: true,
            }),
            Stage::Purge => Some(Self {
                cutoff: cutoffs.purge?,
                floor: dated_since(),
                only_identified: false,
            }),
            Stage::Uploads => None,
        }
    }

    /// E14: those of the people to be deleted who still have their personal fields: what is left to do for
    /// somebody whom the database does not let us delete.
    #[must_use]
    pub fn undeletable(cutoffs: Cutoffs) -> Option<Self> {
        Some(Self {
            only_identified: true,
            ..Self::of(Stage::Purge, cutoffs)?
        })
    }

    /// Whether a time is one that the stage may touch; the condition in SQL says the same.
    #[must_use]
    pub fn admits(&self, added_at: DateTime<Utc>) -> bool {
        self.floor <= added_at && added_at < self.cutoff
    }

    /// The condition in SQL, on columns of `participant` with `prefix` before their names, with the
    /// parameters `:cutoff` and `:floor`. Both the select and the write of a batch carry it.
    #[must_use]
    pub fn condition(&self, dialect: Dialect, prefix: &str) -> String {
        self.condition_with(dialect, prefix, "floor", "cutoff")
    }

    /// As [`Selection::condition`], with other names of the two parameters.
    #[must_use]
    pub(super) fn condition_with(
        &self,
        dialect: Dialect,
        prefix: &str,
        floor: &str,
        cutoff: &str,
    ) -> String {
        let identified = if self.only_identified {
            format!(" AND {prefix}anonymized_at IS NULL")
        } else {
            String::new()
        };
        // On PostgreSQL whatever lies between two instants is one.
        let instant = match dialect {
            Dialect::Postgres => String::new(),
            Dialect::MariaDb | Dialect::Sqlite => {
                format!(" AND {}", dialect.is_instant(&format!("{prefix}added_at")))
            }
        };
        format!(
            "{prefix}added_at < :{cutoff} AND {prefix}added_at >= :{floor}{instant}{identified}"
        )
    }
}

/// Condition that a run deleted participants of an upload, and that none is left (E6). An upload
/// that never had one, or that the platform is still filling, is not "left empty".
pub(super) const LEFT_EMPTY: &str = "upload.first_purged_at IS NOT NULL AND NOT EXISTS \
     (SELECT 1 FROM participant WHERE participant.tenant_id = upload.tenant_id \
     AND participant.upload_id = upload.id)";

/// The condition of a statement that erases, with the values of its parameters. There is no other way to one
/// than these two functions, so nothing can be erased by ids alone.
#[derive(Clone, Debug)]
pub struct Guard {
    condition: String,
    values: Vec<(&'static str, Value)>,
}

impl Guard {
    /// That a participant is one of `selection`.
    #[must_use]
    pub fn of(selection: &Selection, dialect: Dialect) -> Self {
        Self {
            condition: selection.condition(dialect, "participant."),
            values: vec![
                ("cutoff", selection.cutoff.into()),
                ("floor", selection.floor.into()),
            ],
        }
    }

    /// That an upload was left empty.
    #[must_use]
    pub fn left_empty() -> Self {
        Self {
            condition: LEFT_EMPTY.to_owned(),
            values: Vec::new(),
        }
    }

    /// The condition in SQL.
    pub(super) fn condition(&self) -> &str {
        &self.condition
    }

    /// The values of its parameters, and `others`.
    pub(super) fn values<const N: usize>(
        &self,
        others: [(&'static str, Value); N],
    ) -> Parameters<'static> {
        self.values.iter().cloned().chain(others).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a valid time")
    }

    #[test]
    fn p04_whoever_is_to_be_deleted_is_not_anonymized() {
        let cutoffs = Cutoffs {
            anonymize: Some(at("2024-02-29T23:00:00Z")),
            purge: Some(at("2023-03-31T22:00:00Z")),
        };
        let selection = Selection::of(Stage::Anonymize, cutoffs).expect("a selection");
        assert_eq!(selection.floor, at("2023-03-31T22:00:00Z"));
        assert_eq!(selection.cutoff, at("2024-02-29T23:00:00Z"));
    }

    #[test]
    fn p01_p02_an_unset_period_selects_nobody() {
        let nothing = Cutoffs {
            anonymize: None,
            purge: None,
        };
        assert_eq!(Selection::of(Stage::Anonymize, nothing), None);
        assert_eq!(Selection::of(Stage::Purge, nothing), None);
    }

    #[test]
    fn e13_no_stage_reaches_back_before_dates_are_real() {
        let a_century = Cutoffs {
            anonymize: Some(at("2024-02-29T23:00:00Z")),
            purge: Some(at("1924-02-29T23:00:00Z")),
        };
        for stage in Stage::OF_PARTICIPANTS {
            let selection = Selection::of(stage, a_century).expect("a selection");
            assert_eq!(selection.floor, dated_since(), "{stage:?}");
            assert!(!selection.admits(at("0001-01-01T00:00:00Z")));
        }
    }
}
