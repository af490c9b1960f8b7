//! Standard error, which the log, the warnings and the line of progress share.
//!
//! On a terminal the line of progress stays at the bottom. Whoever writes a line of text writes it here: the line
//! of progress is taken away first and drawn again afterwards, so neither overwrites the other.

use std::env;
use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::termios::tcgetwinsize;

/// Where the terminal does not tell its width.
const COLUMNS_DEFAULT: u16 = 80;

/// To the first column, and erase the line.
const ERASE: &str = "\r\x1b[2K";

/// What the line of progress says now; empty = there is none.
static PROGRESS: Mutex<String> = Mutex::new(String::new());

fn progress() -> MutexGuard<'static, String> {
    // A text is whole, whoever panicked with it in hand.
    PROGRESS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether stderr is a terminal.
#[must_use]
pub fn is_terminal() -> bool {
    io::stderr().is_terminal()
}

/// Whether stderr is a terminal on which a line can be drawn again. Where TERM is `dumb`, it cannot.
#[must_use]
pub fn can_redraw() -> bool {
    is_terminal() && env::var_os("TERM").is_none_or(|name| name != "dumb")
}

/// Whether `stream` gets colours: only a terminal does, unless NO_COLOR is set and not empty
/// (<https://no-color.org>) or TERM is `dumb`.
#[must_use]
pub fn wants_colors(stream: &impl IsTerminal) -> bool {
    let is_set = |value: Option<std::ffi::OsString>| value.is_some_and(|value| !value.is_empty());
    stream.is_terminal()
        && !is_set(env::var_os("NO_COLOR"))
        && env::var_os("TERM").is_none_or(|name| name != "dumb")
}

/// Writes to stderr around the line of progress. Give it whole lines.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stderr;

impl Write for Stderr {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.write_all(text).map(|()| text.len())
    }

    fn write_all(&mut self, text: &[u8]) -> io::Result<()> {
        // Held until everything is written: nobody draws in between.
        let progress = progress();
        if progress.is_empty() {
            return io::stderr().write_all(text);
        }
        let redrawn = if text.ends_with(b"\n") {
            cut(&progress, columns())
        } else {
            ""
        };
        // In one piece: a terminal that shows half of it would flicker.
        let whole = [ERASE.as_bytes(), text, redrawn.as_bytes()].concat();
        io::stderr().write_all(&whole)
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// The line of progress, which goes when the value is dropped.
#[derive(Debug)]
pub struct ProgressLine(());

impl ProgressLine {
    /// A line that says nothing yet; `None` where it could not be drawn again, as in a pipe.
    #[must_use]
    pub fn begin() -> Option<Self> {
        can_redraw().then_some(Self(()))
    }

    /// Draws the line anew.
    pub fn say(&self, text: String) {
        let mut progress = progress();
        *progress = text;
        // Nothing more can be done if stderr is gone.
        let _ = write!(io::stderr(), "{ERASE}{}", cut(&progress, columns()));
    }
}

impl Drop for ProgressLine {
    /// Waits for a line of text that is being written: it would draw this line again.
    fn drop(&mut self) {
        take_away(progress());
    }
}

/// Takes the line of progress away, for a process that ends at once. It does not wait: while a line is being
/// written, which may be for ever to a terminal that stands still, the line of progress stays.
pub fn clear_progress_unless_busy() {
    if let Ok(progress) = PROGRESS.try_lock() {
        take_away(progress);
    }
}

fn take_away(mut progress: MutexGuard<'_, String>) {
    if !progress.is_empty() {
        progress.clear();
        let _ = write!(io::stderr(), "{ERASE}");
    }
}

fn columns() -> usize {
    let size = tcgetwinsize(io::stderr()).map_or(0, |size| size.ws_col);
    usize::from(if size == 0 { COLUMNS_DEFAULT } else { size })
}

/// As much of `text` as stands in one line. The last column stays free: some terminals go on to the next line as
/// soon as it is written. Each character takes one column, since the texts are ours and plain.
fn cut(text: &str, columns: usize) -> &str {
    let end = text.char_indices().nth(columns.saturating_sub(1));
    end.map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    #[test]
    fn the_end_of_a_process_waits_for_no_writer_and_the_end_of_the_line_does() {
        let line = ProgressLine(());
        let (is_writing, begun) = mpsc::channel();
        let (end, may_end) = mpsc::channel::<()>();
        let writer = thread::spawn(move || {
            let mut progress = progress();
            progress.push_str("running");
            is_writing.send(()).expect("the test waits");
            // Until the test lets it go, or has failed.
            let _ = may_end.recv();
        });
        begun.recv().expect("the writer has begun");
        clear_progress_unless_busy();
        let ended = thread::spawn(move || drop(line));
        end.send(()).expect("the writer waits");
        writer.join().expect("the writer ends");
        ended.join().expect("the line is taken away");
        assert_eq!(*progress(), "");
    }

    #[test]
    fn a_line_is_cut_to_the_width_and_leaves_the_last_column_free() {
        assert_eq!(cut("running: 1 of 3", 80), "running: 1 of 3");
        assert_eq!(cut("running", 8), "running");
        assert_eq!(cut("running", 7), "runnin");
        assert_eq!(cut("läuft", 3), "lä");
        assert_eq!(cut("running", 1), "");
        assert_eq!(cut("running", 0), "");
    }
}
