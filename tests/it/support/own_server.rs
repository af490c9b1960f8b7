//! Database servers that belong to one test, which may kill them.

/// A server of the test's own, on loopback, gone when dropped.
pub trait OwnServer {
    /// The superuser's URL.
    fn url(&self) -> String;

    /// `kill -9` of every process of the server, as when the machine loses its power.
    async fn kill(&mut self);

    /// Starts it again, on the same port and the same files, and returns once it answers.
    async fn start_again(&mut self);
}
