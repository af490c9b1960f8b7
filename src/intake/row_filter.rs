//! E8: what becomes of each record of a file. Each one comes in or is rejected, and none is lost.

use super::IntakeError;
use super::quotes;
use super::reader::{Raw, Records};
use super::record::{Row, Rules};

/// What becomes of a record.
#[derive(Debug)]
pub enum RowOutcome {
    /// It comes in.
    Accepted {
        /// What is stored.
        row: Row,
        /// Whether it stands on more than one line of the file.
        spans_lines: bool,
    },
    /// It goes to the rejects file.
    Rejected {
        /// Its bytes.
        raw: Raw,
        /// Why.
        reason: String,
    },
}

/// Reads the next record and judges it; `None` at the end of the file.
///
/// Where quotation marks do not match, nobody knows which of the lines is wrong. So only the first
/// one is rejected, and the others are read again, as if it had not been there. They may as well be
/// lines of one long value, so they come in only if they leave no doubt.
///
/// # Errors
///
/// When the file cannot be read, or a record is longer than any can be.
pub fn next_fate(
    records: &mut Records,
    rules: &Rules<'_>,
) -> Result<Option<RowOutcome>, IntakeError> {
    let Some(record) = records.next()? else {
        return Ok(None);
    };
    let verdict = rules.judge(record);
    let quotes = records.quotes()?;
    if let Some(fault) = quotes.fault {
        let raw = records.raw()?;
        let mut reason = fault.reason().to_owned();
        if quotes.line_ends > 0 {
            let spans = quotes::spans(raw.line, quotes.line_ends);
            let next = raw.line + 1;
            reason = format!("{reason}; {spans}; from line {next} on they were read again");
        }
        let raw = records.read_again_after_first_line(raw)?;
        return Ok(Some(RowOutcome::Rejected { raw, reason }));
    }
    let doubtful = |row: &Row| records.is_read_again() && (quotes.bare || !row.has_address());
    let mut reason = match verdict {
        Ok(row) if !doubtful(&row) => {
            return Ok(Some(RowOutcome::Accepted {
                row,
                spans_lines: quotes.line_ends > 0,
            }));
        }
        Ok(_) => "stands among lines whose quotation marks do not match".to_owned(),
        Err(reason) => reason,
    };
    let raw = records.raw()?;
    if quotes.line_ends > 0 {
        let spans = quotes::spans(raw.line, quotes.line_ends);
        reason = format!("{reason}; {spans}");
    }
    Ok(Some(RowOutcome::Rejected { raw, reason }))
}
