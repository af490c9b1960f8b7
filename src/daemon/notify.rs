//! What the service manager is told (sd_notify(3)). Without one, nothing is sent anywhere.

use std::io;
use std::sync::Once;
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
    static SAID: Once = Once::new();
    if let Err(error) = try_send(states) {
        // The manager restarts what it does not hear from, and this is the only trace of why.
        let reason = error.kind();
        SAID.call_once(|| {
            tracing::warn!(
                event = "manager_not_reached",
                "the service manager cannot be told anything ({reason}), and may restart the service because \
                 of that; see NOTIFY_SOCKET"
            );
        });
    }
}

fn try_send(states: &[NotifyState<'_>]) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    if let Some(name) = abstract_socket::name() {
        return abstract_socket::send(&name, states);
    }
    sd_notify::notify(states)
}

/// A socket that is no file: `NOTIFY_SOCKET` is `@` and its name. The library takes it for a file of that
/// name. Only Linux has such sockets.
#[cfg(target_os = "linux")]
mod abstract_socket {
    use std::env;
    use std::fmt::Write as _;
    use std::io;
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::net::{SocketAddr, UnixDatagram};

    use sd_notify::NotifyState;

    /// The name, without the `@`.
    pub(super) fn name() -> Option<Vec<u8>> {
        let socket = env::var_os("NOTIFY_SOCKET")?;
        socket.as_bytes().strip_prefix(b"@").map(<[u8]>::to_vec)
    }

    pub(super) fn send(name: &[u8], states: &[NotifyState<'_>]) -> io::Result<()> {
        let mut message = String::new();
        for state in states {
            // A String takes everything.
            let _ = writeln!(message, "{state}");
        }
        let address = SocketAddr::from_abstract_name(name)?;
        UnixDatagram::unbound()?.send_to_addr(message.as_bytes(), &address)?;
        Ok(())
    }
}
