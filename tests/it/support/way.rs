//! The way to a server, which a test closes, opens and turns to another server.

use std::net::SocketAddr;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::AbortOnDropHandle;

/// The way to a server, open for as long as the value lives.
pub struct Way {
    accepting: AbortOnDropHandle<()>,
}

impl Way {
    pub async fn open(from: SocketAddr, to: SocketAddr) -> Self {
        let listener = TcpListener::bind(from)
            .await
            .expect("the port is still free");
        let accepting = tokio::spawn(async move {
            let mut connections = Vec::new();
            while let Ok((mut client, _)) = listener.accept().await {
                // Dropped with the list, and that with the task: the connections break off.
                connections.push(AbortOnDropHandle::new(tokio::spawn(async move {
                    if let Ok(mut server) = TcpStream::connect(to).await {
                        let _ = copy_bidirectional(&mut client, &mut server).await;
                    }
                })));
            }
        });
        Self {
            accepting: AbortOnDropHandle::new(accepting),
        }
    }

    /// Closes it, and returns once its port is free again: another way may begin there.
    pub async fn close(self) {
        self.accepting.abort();
        // It was ended, as it was told.
        let _ = self.accepting.await;
    }
}

/// Address of the server in a URL, and the URL with another one.
pub fn redirected(url: &str, to: SocketAddr) -> (SocketAddr, String) {
    let start = url.find('@').expect("a user") + 1;
    let end = start + url[start..].find('/').expect("a database");
    let server = url[start..end].parse().expect("an address and a port");
    (server, format!("{}{to}{}", &url[..start], &url[end..]))
}
