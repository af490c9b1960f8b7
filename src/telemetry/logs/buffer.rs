//! The buffer between the work and stderr, for `serve`.
//!
//! A pipe whose reader hangs takes 64 KiB and then blocks whoever writes to it. So nobody who works
//! writes to stderr: a thread does, and lines wait for it here. What does not fit is dropped and
//! counted, and the log says how many once there is room again.
//!
//! Not `tracing-appender`: when it is dropped while its pipe is stuck it prints about that, to the same
//! stuck pipe; and it does not tell whether there is room again.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tracing_subscriber::fmt::MakeWriter;

/// How many lines wait at most: some seconds of a very busy service, and about half a megabyte.
const LINES_MAX: usize = 2048;

/// Lines that wait for the thread that writes them.
#[derive(Clone, Debug)]
pub(super) struct Buffer(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    /// Lines have come.
    filled: Condvar,
    /// Nothing waits any more.
    emptied: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    lines: VecDeque<Vec<u8>>,
    /// The thread has taken a line and not yet written it.
    is_writing: bool,
    /// The last line could not be written.
    is_failing: bool,
    /// Lines that did not fit or could not be written, since the start.
    dropped: u64,
    /// How many of them the log has told of.
    told: u64,
}

impl Buffer {
    /// Starts the thread that writes to `out`.
    ///
    /// # Errors
    ///
    /// The operating system gives no thread.
    pub(super) fn start(out: impl Write + Send + 'static) -> io::Result<Self> {
        let buffer = Self(Arc::default());
        let shared = Arc::clone(&buffer.0);
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || shared.write_to(out))?;
        Ok(buffer)
    }

    /// How many lines were dropped since the start.
    pub(super) fn dropped(&self) -> u64 {
        self.0.queue().dropped
    }

    /// How many lines were dropped since this was last asked, once there is plenty of room for a line
    /// that says so. Counts them as told.
    pub(super) fn take_untold(&self) -> Option<u64> {
        let mut queue = self.0.queue();
        let untold = queue.dropped - queue.told;
        if untold == 0 || queue.is_failing || queue.lines.len() > LINES_MAX / 2 {
            return None;
        }
        queue.told = queue.dropped;
        Some(untold)
    }

    /// Waits until all is written, but no longer than `limit`. Whether it is.
    pub(super) fn flush(&self, limit: Duration) -> bool {
        let end = Instant::now() + limit;
        let mut queue = self.0.queue();
        while queue.is_writing || !queue.lines.is_empty() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let waited = self.0.emptied.wait_timeout(queue, left);
            (queue, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
        true
    }
}

impl Shared {
    /// No code that can panic runs under the lock, so a poisoned one is whole.
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes for as long as the process lives. The lock is never held meanwhile.
    fn write_to(&self, mut out: impl Write) {
        loop {
            let line = self.next_line();
            let written = out.write_all(&line).and_then(|()| out.flush());
            let mut queue = self.queue();
            queue.is_writing = false;
            queue.is_failing = written.is_err();
            queue.dropped += u64::from(written.is_err());
            if queue.lines.is_empty() {
                self.emptied.notify_all();
            }
        }
    }

    fn next_line(&self) -> Vec<u8> {
        let mut queue = self.queue();
        loop {
            if let Some(line) = queue.lines.pop_front() {
                queue.is_writing = true;
                return line;
            }
            let woken = self.filled.wait(queue);
            queue = woken.unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Takes one line with each call, as the log gives them. Never fails: whoever logs can do nothing about it.
impl Write for &Buffer {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut queue = self.0.queue();
        if queue.lines.len() < LINES_MAX {
            queue.lines.push_back(line.to_vec());
            self.0.filled.notify_one();
        } else {
            queue.dropped += 1;
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Buffer {
    type Writer = &'a Buffer;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

    use super::*;

    /// A pipe that takes nothing until somebody reads.
    struct Pipe(SyncSender<Vec<u8>>);

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let sent = self.0.send(bytes.to_vec());
            sent.map_err(|_| io::ErrorKind::BrokenPipe)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn buffer() -> (Buffer, Receiver<Vec<u8>>) {
        let (pipe, reader) = sync_channel(0);
        (Buffer::start(Pipe(pipe)).expect("a thread"), reader)
    }

    fn log(mut buffer: &Buffer, lines: usize) {
        for number in 0..lines {
            buffer
                .write_all(number.to_string().as_bytes())
                .expect("it never fails");
        }
    }

    #[test]
    fn what_does_not_fit_is_dropped_and_told_once_when_there_is_room() {
        let (buffer, reader) = buffer();
        // Two more than fit, besides the one that the thread may have in hand.
        log(&buffer, LINES_MAX + 3);
        let dropped = buffer.dropped();
        assert!((2..=3).contains(&dropped), "{dropped}");
        assert_eq!(buffer.take_untold(), None, "there is no room to tell it");
        assert!(!buffer.flush(Duration::from_millis(10)), "nobody reads");

        let fitted = LINES_MAX + 3 - usize::try_from(dropped).expect("a few");
        let read = thread::spawn(move || reader.iter().take(fitted).count());
        assert!(buffer.flush(Duration::from_secs(60)));
        assert_eq!(read.join().expect("it reads"), fitted);
        assert_eq!(buffer.take_untold(), Some(dropped));
        assert_eq!(buffer.take_untold(), None, "it was told");
    }

    #[test]
    fn lines_are_written_whole_and_in_order_and_a_flush_waits_for_them() {
        let (pipe, reader) = sync_channel(16);
        let buffer = Buffer::start(Pipe(pipe)).expect("a thread");
        log(&buffer, 10);
        assert!(buffer.flush(Duration::from_secs(60)));
        let read: Vec<Vec<u8>> = reader.try_iter().collect();
        let wanted: Vec<Vec<u8>> = (0..10)
            .map(|number: u32| number.to_string().into_bytes())
            .collect();
        assert_eq!(read, wanted);
        assert_eq!(buffer.dropped(), 0);
    }

    #[test]
    fn lines_that_cannot_be_written_count_as_dropped_and_are_not_told_to_nobody() {
        let (buffer, reader) = buffer();
        drop(reader);
        log(&buffer, 5);
        assert!(buffer.flush(Duration::from_secs(60)));
        assert_eq!(buffer.dropped(), 5);
        assert_eq!(buffer.take_untold(), None);
    }
}
