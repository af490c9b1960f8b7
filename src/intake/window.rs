//! Accepted rows wait until there are many, and are stored in an order that is not the file's.
//!
//! Whoever has the file could otherwise tell, long after a run emptied the fields, whose each row is: the
//! k-th row of the table would be the k-th line. The order is that of the rows' ids, which are random
//! ([`crate::ids::IdSource::of_upload`]): so the table says no more than its ids do, and the key is filled from
//! one end to the other, as an index likes it best. Memory stays bounded: of a long file, each window is
//! mixed by itself, and none is smaller than half of what may wait.

use uuid::Uuid;

use crate::ids::IdSource;

use super::record::Row;

/// Rows that are mixed with each other, unless they are all of the file, or uncommonly long.
pub(super) const ROWS: usize = 10_000;

/// Bytes that may be used by the rows of a window, which fewer rows may use up.
const BYTES: usize = 32 << 20;

/// Rows that are not stored yet, in the order of the file.
#[derive(Debug, Default)]
pub(super) struct Window {
    rows: Vec<Row>,
    bytes: usize,
}

impl Window {
    pub(super) fn push(&mut self, row: Row) {
        self.bytes += row.memory_bytes();
        self.rows.push(row);
    }

    /// Whether rows are to be taken.
    pub(super) fn is_full(&self) -> bool {
        // Twice a window, so that no few rows are left over for the last one.
        self.rows.len() >= 2 * ROWS || self.bytes >= 2 * BYTES
    }

    /// Takes the older half of the rows, each with its new id, in the order of these.
    pub(super) fn take_half(&mut self, ids: &dyn IdSource, upload: Uuid) -> Vec<(Uuid, Row)> {
        let half = self.rows.len().div_ceil(2);
        self.take(half, ids, upload)
    }

    /// Takes all rows, as [`Window::take_half`] does.
    pub(super) fn take_all(&mut self, ids: &dyn IdSource, upload: Uuid) -> Vec<(Uuid, Row)> {
        self.take(self.rows.len(), ids, upload)
    }

    fn take(&mut self, rows: usize, ids: &dyn IdSource, upload: Uuid) -> Vec<(Uuid, Row)> {
        let taken = self.rows.drain(..rows);
        let mut taken: Vec<_> = taken.map(|row| (ids.of_upload(upload), row)).collect();
        taken.sort_unstable_by_key(|(id, _)| *id);
        self.bytes = self.rows.iter().map(Row::memory_bytes).sum();
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::RandomIds;

    fn row(number: usize, chars: usize) -> Row {
        let mut row = Row {
            added_at: chrono::DateTime::UNIX_EPOCH,
            fields: Default::default(),
            metadata: vec![(0, "x".repeat(chars))],
        };
        row.fields[0] = Some(number.to_string());
        row
    }

    fn numbers(taken: &[(Uuid, Row)]) -> Vec<usize> {
        let text = taken.iter().filter_map(|(_, row)| row.fields[0].as_deref());
        text.filter_map(|text| text.parse().ok()).collect()
    }

    #[test]
    fn rows_are_mixed_within_windows_of_which_none_is_small() {
        let upload = RandomIds.next();
        let mut window = Window::default();
        let mut windows = Vec::new();
        // One more than two windows: it does not stand at the end by itself.
        for number in 0..=2 * ROWS {
            window.push(row(number, 1));
            if window.is_full() {
                windows.push(window.take_half(&RandomIds, upload));
            }
        }
        windows.push(window.take_all(&RandomIds, upload));
        assert_eq!(windows.len(), 2);
        let mut first = 0;
        for taken in &windows {
            assert!(taken.len() >= ROWS);
            assert!(taken.is_sorted_by_key(|(id, _)| *id));
            let mut numbers = numbers(taken);
            // As many lines follow the one before them as do by chance: one, on average.
            let follows = numbers.windows(2).filter(|pair| pair[1] == pair[0] + 1);
            assert!(follows.count() < 20);
            numbers.sort_unstable();
            let expected: Vec<usize> = (first..first + taken.len()).collect();
            assert_eq!(numbers, expected, "each row once, and of this window");
            first += taken.len();
        }
        assert!(window.take_all(&RandomIds, upload).is_empty());
    }

    #[test]
    fn long_rows_fill_a_window_by_their_bytes() {
        let upload = RandomIds.next();
        let mut window = Window::default();
        let mut pushed = 0;
        while !window.is_full() {
            window.push(row(pushed, 1 << 20));
            pushed += 1;
        }
        assert!((60..=64).contains(&pushed), "{pushed} MiB wait");
        let taken = window.take_half(&RandomIds, upload);
        assert_eq!(taken.len(), pushed.div_ceil(2));
        assert!(!window.is_full());
        assert_eq!(
            taken.len() + window.take_all(&RandomIds, upload).len(),
            pushed
        );
    }
}
