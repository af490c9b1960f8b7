//! The bytes of an upload on their way to the parser.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use crate::domain::suppression::ContentMacs;

/// A record longer than this is a quotation mark that nobody closed. Reading on would read the rest
/// of the file into memory.
pub(super) const RECORD_BYTES_MAX: u64 = 1 << 20;

/// The file's bytes, watched on their way.
pub(super) struct HashingReader {
    file: File,
    /// Of what was read.
    pub macs: ContentMacs,
    /// No byte goes into the MACs twice.
    hashed_bytes: u64,
    /// Where in the file the next byte is read.
    pub read_bytes: u64,
    /// Where the record begins that is being read.
    pub record_start: u64,
}

impl HashingReader {
    pub(super) fn new(file: File, macs: ContentMacs) -> Self {
        Self {
            file,
            macs,
            hashed_bytes: 0,
            read_bytes: 0,
            record_start: 0,
        }
    }
}

impl Read for HashingReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.read_bytes - self.record_start > RECORD_BYTES_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let read = self.file.read(buffer)?;
        let known = self.hashed_bytes - self.read_bytes;
        let known = usize::try_from(known).unwrap_or(usize::MAX).min(read);
        self.macs.update(&buffer[known..read]);
        self.read_bytes += u64::try_from(read).unwrap_or(u64::MAX);
        self.hashed_bytes = self.hashed_bytes.max(self.read_bytes);
        Ok(read)
    }
}

impl Seek for HashingReader {
    /// Only ever backwards.
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.read_bytes = self.file.seek(to)?;
        Ok(self.read_bytes)
    }
}
