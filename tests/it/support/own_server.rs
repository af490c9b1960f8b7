//! Database servers that belong to one test, which may kill them.

use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::MetadataExt;

use rand::Rng;

/// A server of the test's own, on loopback, gone when dropped.
pub trait OwnServer {
    /// The superuser's URL.
    fn url(&self) -> String;

    /// `kill -9` of every process of the server, as when the machine loses its power.
    async fn kill(&mut self);

    /// Starts it again, on the same port and the same files, and returns once it answers.
    async fn start_again(&mut self);
}

/// Below the range of outgoing connections, one of which could take it while the server is down.
pub fn free_port() -> u16 {
    loop {
        let port = rand::rng().random_range(20_000..32_000);
        if std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

/// Whether a server has to be started as another user: none runs as root.
pub fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}
