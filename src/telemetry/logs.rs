//! The log: one JSON object a line on stderr, or lines for people on a terminal.
//!
//! Only our own events get through, at any level. Other crates' events may hold what we promised
//! to forget: a database driver logs statements, its errors quote rows. A panic is logged by where
//! it happened and never by its message, which may quote anything.
//!
//! An event's name is its field `event`; its other facts are fields too. Times are RFC 3339 in UTC
//! with microseconds.
//!
//! `serve` logs through a buffer, so that a stderr which nobody reads stops nothing. `run` writes each
//! line itself: its log is what it tells whoever started it, so it may wait for them, as any command in a
//! pipe does, and loses none.

use std::io::{self, Write as _};
use std::panic;
use std::sync::OnceLock;
use std::time::Duration;

use tracing::level_filters::LevelFilter;
use tracing::subscriber::SetGlobalDefaultError;
use tracing::{Subscriber, dispatcher, error};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{Layer, Registry, reload};

use crate::config::{LogConfig, LogFormat, LogLevel};

use super::stderr::{self, Stderr};

mod buffer;

use buffer::Buffer;

/// Events of this crate's modules, and of nothing else.
const OUR_TARGET: &str = "retentiond";

/// What the log is made for.
#[derive(Clone, Copy, Debug)]
struct Reader {
    /// Somebody reads it as it comes.
    is_terminal: bool,
    wants_colors: bool,
}

impl Reader {
    /// Whoever reads stderr.
    fn of_stderr() -> Self {
        Self {
            is_terminal: stderr::is_terminal(),
            wants_colors: stderr::wants_colors(&io::stderr()),
        }
    }
}

/// Starts the log on stderr, for the whole process.
///
/// # Errors
///
/// If it was started before.
pub fn init(config: &LogConfig) -> Result<LogLevelSetter, SetGlobalDefaultError> {
    let (subscriber, setter) = subscriber(config, Reader::of_stderr(), || Stderr);
    tracing::subscriber::set_global_default(subscriber)?;
    Ok(setter)
}

/// What the log of this process goes through, if it is buffered. As global as the log itself.
static BUFFER: OnceLock<Buffer> = OnceLock::new();

/// How long the end of the process waits at most for the lines that are still to be written.
const FLUSH_MAX: Duration = Duration::from_secs(3);

/// Why the log cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// It was started before.
    #[error("the log was started twice")]
    Twice(#[from] SetGlobalDefaultError),
    /// The thread that writes it cannot be started.
    #[error("cannot start the thread that writes the log: {}", .0.kind())]
    Thread(io::Error),
}

/// As [`init`], through a buffer: nobody who logs ever waits for stderr. Whoever calls it calls
/// [`finish`] before the process ends; see [`Finish`].
///
/// # Errors
///
/// See [`LogError`].
pub fn init_buffered(config: &LogConfig) -> Result<LogLevelSetter, LogError> {
    let buffer = Buffer::start(Stderr).map_err(LogError::Thread)?;
    let (subscriber, setter) = subscriber(config, Reader::of_stderr(), buffer.clone());
    tracing::subscriber::set_global_default(subscriber)?;
    // Empty until now: the line above succeeds once.
    let _ = BUFFER.set(buffer);
    Ok(setter)
}

/// Lines of the log that were dropped since the start, because stderr took no more.
pub fn lines_dropped() -> u64 {
    BUFFER.get().map_or(0, Buffer::dropped)
}

/// Says how many lines were dropped since it was last said, once there is room for that line.
pub fn tell_dropped() {
    if let Some(lines) = BUFFER.get().and_then(Buffer::take_untold) {
        // An error, so that no `[log] level` hides it: errors may be among those lines.
        error!(
            event = "log_lines_dropped",
            lines,
            "{lines} lines of the log were dropped before this one: stderr was not read for too \
             long"
        );
    }
}

/// Waits until the log is written, but not for ever: a pipe that nobody reads must not keep the
/// process alive.
pub fn finish() {
    if let Some(buffer) = BUFFER.get()
        && buffer.flush(FLUSH_MAX)
    {
        tell_dropped();
        buffer.flush(FLUSH_MAX);
    }
}

/// Calls [`finish`] when it is dropped, so after a panic, too.
#[derive(Debug)]
pub struct Finish;

impl Drop for Finish {
    fn drop(&mut self) {
        finish();
    }
}

/// An event at level `info` if the first argument is true, else at `debug`: what happens to each of very many,
/// and is worth a line only now and then.
macro_rules! info_if {
    ($is_telling:expr, $($event:tt)+) => {
        if $is_telling {
            tracing::info!($($event)+)
        } else {
            tracing::debug!($($event)+)
        }
    };
}

pub(crate) use info_if;

/// Starts the log as it is without a configuration, for whoever has to say that it cannot be read.
///
/// # Errors
///
/// If it was started before.
pub fn init_unconfigured() -> Result<(), SetGlobalDefaultError> {
    let config = LogConfig {
        format: None,
        level: LogLevel::Info,
    };
    init(&config).map(|_| ())
}

/// Changes the level of the log while it runs.
#[derive(Debug)]
pub struct LogLevelSetter(reload::Handle<Targets, Registry>);

impl LogLevelSetter {
    /// From now on nothing less severe than `level` is logged.
    pub fn set(&self, level: LogLevel) {
        // Fails only when the log is gone, and with it whoever would notice.
        let _ = self.0.reload(ours(level));
    }
}

/// Our own events, from `level` up.
fn ours(level: LogLevel) -> Targets {
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    Targets::new().with_target(OUR_TARGET, level)
}

/// Lets a panic say where it happened, and nothing else: in the log if there is one, else in one
/// line on stderr. Replaces the hook that prints the message.
pub fn install_panic_hook() {
    panic::set_hook(Box::new(|panicked| {
        let location = panicked.location().map_or_else(
            || "an unknown place".to_owned(),
            |location| format!("{}:{}", location.file(), location.line()),
        );
        if dispatcher::has_been_set() {
            error!(
                event = "panic",
                location, "a defect in retentiond: please report it"
            );
        } else {
            // Nothing more can be done if stderr is gone.
            let _ = writeln!(
                Stderr,
                "error: a defect in retentiond, at {location}; please report it"
            );
        }
    }));
}

fn subscriber<W>(
    config: &LogConfig,
    reader: Reader,
    writer: W,
) -> (Box<dyn Subscriber + Send + Sync>, LogLevelSetter)
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let format = config.format.unwrap_or(if reader.is_terminal {
        LogFormat::Pretty
    } else {
        LogFormat::Json
    });
    let (ours, handle) = reload::Layer::new(ours(config.level));
    let subscriber: Box<dyn Subscriber + Send + Sync> = match format {
        // Flattened fields could repeat a key. Spans are left out because an event has all of its
        // facts itself.
        LogFormat::Json => Box::new(
            Registry::default().with(
                fmt::layer()
                    .json()
                    .flatten_event(false)
                    .with_current_span(false)
                    .with_span_list(false)
                    .with_writer(writer)
                    .with_filter(ours),
            ),
        ),
        LogFormat::Pretty => Box::new(
            Registry::default().with(
                fmt::layer()
                    .compact()
                    .with_ansi(reader.wants_colors)
                    .with_target(false)
                    .with_writer(writer)
                    .with_filter(ours),
            ),
        ),
    };
    (subscriber, LogLevelSetter(handle))
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use chrono::{DateTime, Utc};
    use tracing::{debug, info};

    use super::*;

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(
        format: Option<LogFormat>,
        level: LogLevel,
        is_terminal: bool,
        work: impl FnOnce(),
    ) -> String {
        let buffer = Buffer::default();
        let writer = buffer.clone();
        let config = LogConfig { format, level };
        let reader = Reader {
            is_terminal,
            wants_colors: is_terminal,
        };
        let (subscriber, _) = subscriber(&config, reader, move || writer.clone());
        tracing::subscriber::with_default(subscriber, work);
        let bytes = buffer.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn an_event_is_one_json_object_with_its_name_in_fields_event() {
        let log = logged(None, LogLevel::Info, false, || {
            info!(event = "wakeup", tenant = "acme", purged = 3);
            debug!(event = "batch_committed");
        });
        assert_eq!(log.lines().count(), 1, "{log}");
        let line: serde_json::Value = serde_json::from_str(&log).unwrap();
        assert_eq!(line["fields"]["event"], "wakeup");
        assert_eq!(line["fields"]["tenant"], "acme");
        assert_eq!(line["fields"]["purged"], 3);
        assert_eq!(line["level"], "INFO");
        let timestamp = line["timestamp"].as_str().unwrap();
        timestamp.parse::<DateTime<Utc>>().unwrap();
        assert_eq!(timestamp.len(), "2024-04-01T00:00:00.000000Z".len());
        assert!(timestamp.ends_with('Z'));
    }

    #[test]
    fn e10_other_crates_events_never_get_through() {
        for format in [LogFormat::Json, LogFormat::Pretty] {
            let log = logged(Some(format), LogLevel::Trace, false, || {
                error!(target: "sqlx::query", "Duplicate entry 'ann@example.org'");
                error!(target: "sea_orm", "ann@example.org");
                error!(target: "sea_orm_migration::migrator", "ann@example.org");
                debug!(event = "batch_committed");
            });
            assert_eq!(log.lines().count(), 1, "{log}");
            assert!(log.contains("batch_committed"));
        }
    }

    #[test]
    fn a_terminal_gets_lines_for_people_unless_told_otherwise() {
        let say = || info!(event = "wakeup", "looking at what is due");
        let on_terminal = logged(None, LogLevel::Info, true, say);
        assert!(!on_terminal.starts_with('{') && on_terminal.contains("looking at what is due"));
        assert!(logged(Some(LogFormat::Json), LogLevel::Info, true, say).starts_with('{'));
        let piped = logged(Some(LogFormat::Pretty), LogLevel::Info, false, say);
        assert!(!piped.contains('\u{1b}'), "no colours outside a terminal");
    }

    #[test]
    fn e10_a_panic_is_logged_by_its_place_only() {
        let log = logged(None, LogLevel::Error, false, || {
            let before = panic::take_hook();
            install_panic_hook();
            let result = panic::catch_unwind(|| panic!("ann@example.org"));
            panic::set_hook(before);
            assert!(result.is_err());
        });
        assert!(!log.contains("ann@example.org"), "{log}");
        let line: serde_json::Value = serde_json::from_str(&log).unwrap();
        assert_eq!(line["fields"]["event"], "panic");
        let location = line["fields"]["location"].as_str().unwrap();
        assert!(location.starts_with("src/telemetry/logs.rs:"), "{location}");
    }
}
