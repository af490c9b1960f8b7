//! The way to a server, which a test closes, opens, makes longer and turns to another server.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::AbortOnDropHandle;

/// The way to a server, open for as long as the value lives.
pub struct Way {
    accepting: AbortOnDropHandle<()>,
    /// Of new connections; `None` = they are taken, and nobody answers.
    to: Arc<Mutex<Option<SocketAddr>>>,
    unanswered: Arc<AtomicU64>,
    delay_milliseconds: Arc<AtomicU64>,
}

impl Way {
    pub async fn open(from: SocketAddr, to: SocketAddr) -> Self {
        let listener = TcpListener::bind(from)
            .await
            .expect("the port is still free");
        let delay_milliseconds = Arc::new(AtomicU64::new(0));
        let delay = Arc::clone(&delay_milliseconds);
        let to = Arc::new(Mutex::new(Some(to)));
        let target = Arc::clone(&to);
        let unanswered = Arc::new(AtomicU64::new(0));
        let waiting = Arc::clone(&unanswered);
        let accepting = tokio::spawn(async move {
            let mut connections = Vec::new();
            while let Ok((mut client, _)) = listener.accept().await {
                let delay = Arc::clone(&delay);
                let waiting = Arc::clone(&waiting);
                let to = *target.lock().unwrap_or_else(PoisonError::into_inner);
                // Dropped with the list, and that with the task: the connections break off.
                connections.push(AbortOnDropHandle::new(tokio::spawn(async move {
                    let Some(to) = to else {
                        // Until the client goes.
                        waiting.fetch_add(1, Ordering::Relaxed);
                        let _ = client.read_to_end(&mut Vec::new()).await;
                        waiting.fetch_sub(1, Ordering::Relaxed);
                        return;
                    };
                    if let Ok(server) = TcpStream::connect(to).await {
                        carry(client, server, &delay).await;
                    }
                })));
            }
        });
        Self {
            accepting: AbortOnDropHandle::new(accepting),
            to,
            unanswered,
            delay_milliseconds,
        }
    }

    /// New connections go to `server` from now on, or to nobody who answers; those that are open stay where
    /// they are, as when a name in DNS moves.
    pub fn turn_to(&self, server: Option<SocketAddr>) {
        *self.to.lock().unwrap_or_else(PoisonError::into_inner) = server;
    }

    /// Connections that wait for an answer that will not come.
    pub fn unanswered(&self) -> u64 {
        self.unanswered.load(Ordering::Relaxed)
    }

    /// From now on whatever is sent to the server takes so much longer.
    pub fn set_delay(&self, delay: Duration) {
        let milliseconds = u64::try_from(delay.as_millis()).expect("a short time");
        self.delay_milliseconds
            .store(milliseconds, Ordering::Relaxed);
    }

    /// Closes it, and returns once its port is free again: another way may begin there.
    pub async fn close(self) {
        self.accepting.abort();
        // It was ended, as it was told.
        let _ = self.accepting.await;
    }
}

/// Carries bytes both ways until either side is closed.
async fn carry(client: TcpStream, server: TcpStream, delay_milliseconds: &AtomicU64) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let requests = async {
        let mut buffer = [0; 16 * 1024];
        while let Ok(length @ 1..) = from_client.read(&mut buffer).await {
            let delay = delay_milliseconds.load(Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(delay)).await;
            if to_server.write_all(&buffer[..length]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = requests => {}
        _ = copy(&mut from_server, &mut to_client) => {}
    }
}

/// Address of the server in a URL, and the URL with another one.
pub fn redirected(url: &str, to: SocketAddr) -> (SocketAddr, String) {
    let start = url.find('@').expect("a user") + 1;
    let end = start + url[start..].find('/').expect("a database");
    let server = url[start..end].parse().expect("an address and a port");
    (server, format!("{}{to}{}", &url[..start], &url[end..]))
}
