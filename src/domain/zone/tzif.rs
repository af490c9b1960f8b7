//! What a zone's file must hold before its rules are believed.
//!
//! jiff reads TZif (RFC 9636), and takes much that we must not: it passes over leap seconds, and
//! over the end of a file of the first version, after which nothing is known. A zone whose file says
//! less than all, or whose bytes were not all written, is not to be had: no rule is guessed.

use thiserror::Error;

/// What is wrong with the content of a zone's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Flaw {
    /// Something else than TZif.
    #[error("it is not a file of the form TZif")]
    NotTzif,
    /// Version 1.
    #[error("it is TZif of version 1, which says nothing of the time after 2037")]
    Version1,
    /// It ends before its end, or goes on after it.
    #[error("it is cut off, or something follows its end")]
    WrongLength,
    /// From a `right` folder.
    #[error("its clock counts leap seconds, as in a folder `right`; clocks here do not")]
    LeapSeconds,
    /// Changes of the clock are not in order.
    #[error("its changes are not in the order of time")]
    Unordered,
    /// An offset that no zone ever had.
    #[error("it is a day or more away from UTC")]
    FarFromUtc,
    /// Nothing stands where the rule for the time after the last change should.
    #[error("it has no rule for the time after its last change")]
    NoFooter,
    /// Anything else.
    #[error("it is damaged")]
    Senseless,
}

const MAGIC: &[u8] = b"TZif";
const HEADER_BYTES: usize = 44;
const SECONDS_PER_DAY: u32 = 24 * 60 * 60;

/// How much there is of what, in the order in which a header says it.
struct Counts {
    version: u8,
    ut_indicators: usize,
    standard_indicators: usize,
    leap_seconds: usize,
    changes: usize,
    types: usize,
    characters: usize,
}

/// Checks what jiff does not.
pub(super) fn check(content: &[u8]) -> Result<(), Flaw> {
    let (first, content) = header(content)?;
    if first.version < b'2' {
        return Err(Flaw::Version1);
    }
    // The first block, with times of 32 bits, is there for programs of long ago.
    let (_, content) = take(content, block_bytes(&first, 4)?)?;
    let (counts, content) = header(content)?;
    if first.leap_seconds > 0 || counts.leap_seconds > 0 {
        return Err(Flaw::LeapSeconds);
    }
    let (block, footer) = take(content, block_bytes(&counts, 8)?)?;
    let (times, block) = take(block, counts.changes * 8)?;
    let (_, block) = take(block, counts.changes)?;
    let (types, _) = take(block, counts.types * 6)?;
    let times: Vec<i64> = times
        .as_chunks::<8>()
        .0
        .iter()
        .map(|time| i64::from_be_bytes(*time))
        .collect();
    if !times.is_sorted_by(|one, next| one < next) {
        return Err(Flaw::Unordered);
    }
    let is_near = |entry: &[u8; 6]| {
        let [a, b, c, d, ..] = *entry;
        i32::from_be_bytes([a, b, c, d]).unsigned_abs() < SECONDS_PER_DAY
    };
    if !types.as_chunks::<6>().0.iter().all(is_near) {
        return Err(Flaw::FarFromUtc);
    }
    match footer {
        [b'\n', b'\n'] => Err(Flaw::NoFooter),
        [b'\n', rule @ .., b'\n'] if !rule.contains(&b'\n') => Ok(()),
        _ => Err(Flaw::WrongLength),
    }
}

fn header(content: &[u8]) -> Result<(Counts, &[u8]), Flaw> {
    if !content.starts_with(MAGIC) {
        return Err(Flaw::NotTzif);
    }
    let (header, rest) = take(content, HEADER_BYTES)?;
    let count = |number: usize| {
        let start = 20 + 4 * number;
        let bytes = header[start..start + 4].try_into().unwrap_or_default();
        usize::try_from(u32::from_be_bytes(bytes)).map_err(|_| Flaw::WrongLength)
    };
    let counts = Counts {
        version: header[4],
        ut_indicators: count(0)?,
        standard_indicators: count(1)?,
        leap_seconds: count(2)?,
        changes: count(3)?,
        types: count(4)?,
        characters: count(5)?,
    };
    Ok((counts, rest))
}

fn block_bytes(counts: &Counts, time_bytes: usize) -> Result<usize, Flaw> {
    let parts = [
        (counts.changes, time_bytes + 1),
        (counts.types, 6),
        (counts.characters, 1),
        (counts.leap_seconds, time_bytes + 4),
        (counts.standard_indicators, 1),
        (counts.ut_indicators, 1),
    ];
    parts
        .iter()
        .try_fold(0_usize, |sum, (count, bytes)| {
            sum.checked_add(count.checked_mul(*bytes)?)
        })
        .ok_or(Flaw::WrongLength)
}

fn take(content: &[u8], bytes: usize) -> Result<(&[u8], &[u8]), Flaw> {
    content.split_at_checked(bytes).ok_or(Flaw::WrongLength)
}

#[cfg(test)]
mod tests;
