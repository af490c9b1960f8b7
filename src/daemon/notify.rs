//! What the service manager is told (sd_notify(3)). Without one, nothing is sent anywhere.

use std::time::Duration;

use sd_notify::NotifyState;

/// How often the watchdog wants to hear from the loop; unset = never.
pub(super) fn watchdog_interval() -> Option<Duration> {
    sd_notify::watchdog_enabled()
}

/// The service is up, or its reload is over.
pub(super) fn ready(status: &str) {
    send(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// The configuration is being read again.
pub(super) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => send(&[NotifyState::Reloading, now]),
        Err(_) => send(&[NotifyState::Reloading]),
    }
}

/// The service is about to end.
pub(super) fn stopping(status: &str) {
    send(&[NotifyState::Stopping, NotifyState::Status(status)]);
}

/// The loop turns.
pub(super) fn alive() {
    send(&[NotifyState::Watchdog]);
}

/// What the service is doing, for `systemctl status`.
pub(super) fn status(text: &str) {
    send(&[NotifyState::Status(text)]);
}

fn send(states: &[NotifyState<'_>]) {
    // The manager restarts what it does not hear from; there is nobody else to tell.
    let _ = sd_notify::notify(states);
}
