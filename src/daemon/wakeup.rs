//! What makes the daemon look at what is owed. A wake-up carries nothing but its cause: what is due
//! comes from the database and the calendar.

use tokio::sync::mpsc;

/// Why the daemon looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// It has just started.
    Start,
    /// The monthly trigger of a time zone.
    Cron,
    /// The slow round that finds whatever a tick missed.
    Sweep,
    /// A retry, a lease that expired, or a due instant that was known.
    Timer,
    /// The wall clock jumped, or the machine was suspended.
    Clock,
    /// The database, or the clocks, came back.
    Recovery,
    /// The configuration was read again.
    Reload,
    /// The server refused our password.
    Password,
}

impl Source {
    /// All causes.
    pub const ALL: [Self; 8] = [
        Self::Start,
        Self::Cron,
        Self::Sweep,
        Self::Timer,
        Self::Clock,
        Self::Recovery,
        Self::Reload,
        Self::Password,
    ];

    /// Name in metrics and in the log.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Cron => "cron",
            Self::Sweep => "sweep",
            Self::Timer => "timer",
            Self::Clock => "clock",
            Self::Recovery => "recovery",
            Self::Reload => "reload",
            Self::Password => "password",
        }
    }
}

/// Wakes the daemon up.
#[derive(Clone, Debug)]
pub(super) struct WakeupSender(mpsc::Sender<Source>);

impl WakeupSender {
    /// A wakeups, and what the loop listens to.
    pub(super) fn new() -> (Self, mpsc::Receiver<Source>) {
        // Several rings before the loop listens are one look: it is idempotent.
        let (sender, receiver) = mpsc::channel(4);
        (Self(sender), receiver)
    }

    /// Rings; never waits, never fails. With the channel full, the loop is about to look anyway.
    pub(super) fn ring(&self, source: Source) {
        let _ = self.0.try_send(source);
    }
}
