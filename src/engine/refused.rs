//! E14: rows that the database does not let us anonymize or delete, because a constraint or a trigger of
//! the platform's stands in the way.
//!
//! One such row must not keep everybody else: a batch that fails is narrowed until the row stands alone
//! ([`stage_runner`](super::batch::stage_runner)). It is left out then, the others go, and the run ends as failed and names it.

use std::fmt;

use uuid::Uuid;

use super::stage::Stage;

/// How many rows a run leaves out before it gives up: each costs a transaction or more, and this many
/// are no exception any more.
pub(super) const ROWS_MAX: usize = 1_000;

/// How many of them a run says one by one in its log; its record has how many there are.
pub(super) const SAID_MAX: usize = 20;

/// A row that the database refused to anonymize or delete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedRow {
    /// What was to be done with it.
    pub stage: Stage,
    /// Id of the participant, or of the upload.
    pub id: Uuid,
    /// Class of the error.
    pub class: &'static str,
    /// The database's code.
    pub code: Option<String>,
    /// The constraint, where the database names it.
    pub constraint: Option<String>,
}

impl fmt::Display for RefusedRow {
    /// `participant 018d… by the constraint audit_participant_fkey (code 23503)`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.stage {
            Stage::Anonymize | Stage::Purge => "participant",
            Stage::Uploads => "upload",
        };
        write!(formatter, "{what} {}", self.id)?;
        match (&self.constraint, self.class) {
            (Some(name), _) => write!(formatter, " by the constraint {name}")?,
            (None, "constraint") => {
                write!(formatter, " by a constraint or trigger of the platform's")?
            }
            (None, class) => write!(formatter, " (class {class})")?,
        }
        match &self.code {
            Some(code) => write!(formatter, " (code {code})"),
            None => Ok(()),
        }
    }
}

/// The rows that were refused in this attempt at a run.
#[derive(Clone, Debug, Default)]
pub(super) struct RefusedRows {
    first: Option<RefusedRow>,
    /// By stage, in the order of [`Stage::ALL`].
    ids: [Vec<Uuid>; Stage::ALL.len()],
}

impl RefusedRows {
    /// Leaves `row` out from now on.
    pub(super) fn add(&mut self, row: RefusedRow) {
        self.ids[row.stage as usize].push(row.id);
        self.first.get_or_insert(row);
    }

    /// Those of `stage`.
    pub(super) fn of(&self, stage: Stage) -> &[Uuid] {
        &self.ids[stage as usize]
    }

    /// The first one; `None` = there are none.
    pub(super) fn first(&self) -> Option<&RefusedRow> {
        self.first.as_ref()
    }

    /// How many there are in all.
    pub(super) fn len(&self) -> usize {
        self.ids.iter().map(Vec::len).sum()
    }
}
