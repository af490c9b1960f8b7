//! Reading an upload: twice, in constant memory.
//!
//! The first pass computes the MACs of the content, by which the file is recognised when it is
//! uploaded again (E9). The second yields its records, and computes the first of the MACs again: a
//! file that changed in between is not stored under the wrong one.

use std::fmt;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, FileTypeExt};
use std::path::{Path, PathBuf};

use csv::{ByteRecord, Position};

use crate::domain::suppression::TenantHasher;

use super::IntakeError;
use super::hashing_reader::{HashingReader, RECORD_BYTES_MAX};
use super::quotes::Quotes;

const BUFFER_BYTES: usize = 64 * 1024;

/// A file to read; every pass starts anew.
#[derive(Clone, Debug)]
pub struct Source {
    path: PathBuf,
}

/// What the first pass found.
#[derive(Clone, Debug)]
pub struct Content {
    /// Under every key, the active one first.
    pub macs: Vec<[u8; 32]>,
    /// Length of the file.
    pub bytes: u64,
}

impl Source {
    /// A regular file.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
        }
    }

    /// Opens the file for one pass.
    fn open(&self) -> Result<File, IntakeError> {
        let path = self.path.display();
        let unopened = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => usage(format!("there is no file {path}")),
            kind => usage(format!("cannot open {path}: {kind}")),
        };
        // Before it is opened: to open a named pipe is to wait until somebody writes to it.
        check_regular(&self.path, &fs::metadata(&self.path).map_err(unopened)?)?;
        let file = File::open(&self.path).map_err(unopened)?;
        let metadata = file
            .metadata()
            .map_err(|error| usage(format!("cannot read {path}: {}", error.kind())))?;
        check_regular(&self.path, &metadata)?;
        Ok(file)
    }

    /// The first pass.
    ///
    /// # Errors
    ///
    /// When there is no such file, it is empty, or it cannot be read.
    pub fn content(&self, hasher: &TenantHasher) -> Result<Content, IntakeError> {
        let mut file = self.open()?;
        let mut macs = hasher.content_macs();
        let mut bytes = 0;
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            let read = match file.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(self.unreadable(&error)),
            };
            macs.update(&buffer[..read]);
            bytes += u64::try_from(read).unwrap_or(u64::MAX);
        }
        if bytes == 0 {
            return Err(usage(format!(
                "{} is empty; it needs a header line that names the columns",
                self.path.display()
            )));
        }
        Ok(Content {
            macs: macs.finalize(),
            bytes,
        })
    }

    /// The second pass.
    ///
    /// # Errors
    ///
    /// When there is no such file, or it cannot be read.
    pub fn records(&self, hasher: &TenantHasher) -> Result<Records, IntakeError> {
        let file = self.open()?;
        let again = file.try_clone().map_err(|error| self.unreadable(&error))?;
        let reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .buffer_capacity(BUFFER_BYTES)
            .from_reader(HashingReader::new(file, hasher.content_macs()));
        Ok(Records {
            source: self.clone(),
            file: again,
            reader,
            record: ByteRecord::new(),
            read_again_until: 0,
        })
    }

    fn unreadable(&self, error: &io::Error) -> IntakeError {
        IntakeError::File(format!(
            "cannot read {} to its end: {}",
            self.path.display(),
            error.kind()
        ))
    }
}

/// The records of a file, one after the other.
pub struct Records {
    source: Source,
    /// For reading a record's own bytes again.
    file: File,
    reader: csv::Reader<HashingReader>,
    record: ByteRecord,
    /// Before this byte, everything is read for the second time or more.
    read_again_until: u64,
}

/// The bytes of a record, as they stand in the file.
pub struct Raw {
    /// Line on which the record starts; the first is 1.
    pub line: u64,
    /// Without the end of the line.
    pub bytes: Vec<u8>,
    /// Where they begin in the file.
    start: u64,
}

impl fmt::Debug for Raw {
    /// E10: never a value.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Raw(line {})", self.line)
    }
}

impl Records {
    /// The next record; `None` at the end of the file.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or the record is longer than any can be.
    // It lends the record, which no `Iterator` can.
    #[expect(clippy::should_implement_trait, reason = "an iterator cannot lend")]
    pub fn next(&mut self) -> Result<Option<&ByteRecord>, IntakeError> {
        let start = self.reader.position().byte();
        self.reader.get_mut().record_start = start;
        match self.reader.read_byte_record(&mut self.record) {
            Ok(true) => Ok(Some(&self.record)),
            Ok(false) => Ok(None),
            Err(error) => Err(self.failure(&error, start)),
        }
    }

    /// The record that was read last.
    pub(super) fn record(&self) -> &ByteRecord {
        &self.record
    }

    /// How far the file was read, in bytes.
    pub(super) fn position_bytes(&self) -> u64 {
        self.reader.position().byte()
    }

    /// The bytes and the line of the record that was read last.
    ///
    /// # Errors
    ///
    /// When the file cannot be read again.
    pub fn raw(&self) -> Result<Raw, IntakeError> {
        let position = self.record.position();
        let (mut start, mut line) = position.map_or((0, 1), |p| (p.byte(), p.line()));
        let length = self.reader.position().byte().saturating_sub(start);
        let mut bytes = vec![0; usize::try_from(length).unwrap_or_default()];
        self.file
            .read_exact_at(&mut bytes, start)
            .map_err(|error| self.source.unreadable(&error))?;
        if start == 0 && bytes.starts_with(b"\xEF\xBB\xBF") {
            bytes.drain(..3);
            start += 3;
        }
        // The parser leaves the rest of a line's end, and empty lines, to the next record.
        let blank = bytes
            .iter()
            .take_while(|byte| matches!(byte, b'\r' | b'\n'))
            .count();
        for byte in bytes.drain(..blank) {
            line += u64::from(byte == b'\n');
            start += 1;
        }
        while matches!(bytes.last(), Some(b'\r' | b'\n')) {
            bytes.pop();
        }
        Ok(Raw { line, bytes, start })
    }

    /// How the quotation marks stand in the record that was read last. Whether one is bare is told
    /// for certain only of a record that is read again.
    pub(super) fn quotes(&self) -> Result<Quotes, IntakeError> {
        let end = self.reader.position().byte();
        let start = self.record.position().map_or(0, Position::byte);
        let values = self.record.as_slice().len() + self.record.len();
        // Each value and what ends it: no byte is left for a mark that opens or closes one. Only at
        // the end of what was read may the last end be missing, and a mark stand in its place.
        let plain = u64::try_from(values).is_ok_and(|values| end - start == values);
        let at_end = end == self.reader.get_ref().read_bytes;
        if plain && !at_end && !self.is_read_again() {
            return Ok(Quotes::default());
        }
        // Without its trailing line ends, which do not matter here.
        Ok(Quotes::of(&self.raw()?.bytes))
    }

    /// Goes back to the end of the first line of the record that was read last, `raw`, which then
    /// keeps that line only.
    pub(super) fn read_again_after_first_line(&mut self, mut raw: Raw) -> Result<Raw, IntakeError> {
        let line_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
        let Some(length) = raw.bytes.iter().position(line_end) else {
            return Ok(raw);
        };
        let end = self.reader.position().byte();
        self.read_again_until = self.read_again_until.max(end);
        let mut position = Position::new();
        let offset = u64::try_from(length).unwrap_or_default();
        position.set_byte(raw.start + offset).set_line(raw.line);
        self.reader
            .seek(position)
            .map_err(|error| self.failure(&error, raw.start))?;
        raw.bytes.truncate(length);
        Ok(raw)
    }

    /// Whether the record that was read last had been swallowed by another one.
    pub(super) fn is_read_again(&self) -> bool {
        let start = self.record.position().map_or(0, Position::byte);
        start < self.read_again_until
    }

    /// The MACs of everything read; complete once there is no next record.
    #[must_use]
    pub fn macs(self) -> Vec<[u8; 32]> {
        self.reader.into_inner().macs.finalize()
    }

    fn failure(&self, error: &csv::Error, start: u64) -> IntakeError {
        let csv::ErrorKind::Io(error) = error.kind() else {
            return self.source.unreadable(&io::ErrorKind::InvalidData.into());
        };
        if error.kind() != io::ErrorKind::FileTooLarge {
            return self.source.unreadable(error);
        }
        let line = self.line_at(start).map_or_else(
            |_| "a record".to_owned(),
            |line| format!("the record that starts on line {line}"),
        );
        IntakeError::File(format!(
            "{line} of {} is longer than {} KiB, so a quotation mark is probably missing there",
            self.source.path.display(),
            RECORD_BYTES_MAX / 1024
        ))
    }

    /// The number of the line that holds the byte at `end`, or begins after the line's end there.
    fn line_at(&self, end: u64) -> io::Result<u64> {
        let mut line = 1;
        let mut position = 0;
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            let read = self.file.read_at(&mut buffer, position)?;
            for (byte, at) in buffer[..read].iter().zip(position..) {
                let line_end = matches!(byte, b'\r' | b'\n');
                if at >= end && !line_end {
                    return Ok(line);
                }
                line += u64::from(*byte == b'\n');
            }
            if read == 0 {
                return Ok(line);
            }
            position += u64::try_from(read).unwrap_or(u64::MAX);
        }
    }
}

fn check_regular(path: &Path, metadata: &Metadata) -> Result<(), IntakeError> {
    let kind = metadata.file_type();
    if kind.is_file() {
        return Ok(());
    }
    let path = path.display();
    if kind.is_dir() {
        return Err(usage(format!("{path} is a directory; name a CSV file")));
    }
    let kind = if kind.is_fifo() {
        "a pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    };
    Err(usage(format!(
        "{path} is {kind} and no regular file; an upload is read twice, so save it to a file first"
    )))
}

fn usage(sentence: String) -> IntakeError {
    IntakeError::Usage(sentence)
}

#[cfg(test)]
mod tests;
