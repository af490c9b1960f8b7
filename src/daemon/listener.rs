//! The socket on which metrics and health are asked for.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

/// Connections that wait to be taken.
const BACKLOG: i32 = 1024;

/// No support for this family of addresses (`EAFNOSUPPORT`, errno(3)): a host without IPv6.
const NO_SUCH_FAMILY: i32 = 97;

/// Listens. `[::]` takes IPv4 as well, whatever the host's `net.ipv6.bindv6only` says: one setting serves
/// clusters of either kind; on a host without IPv6 it is `0.0.0.0`.
///
/// # Errors
///
/// The operating system's.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    match bind_to(address) {
        Err(error)
            if address.ip() == std::net::Ipv6Addr::UNSPECIFIED && is_without_ipv6(&error) =>
        {
            bind_to((Ipv4Addr::UNSPECIFIED, address.port()).into())
        }
        bound => bound,
    }
}

fn is_without_ipv6(error: &io::Error) -> bool {
    error.raw_os_error() == Some(NO_SUCH_FAMILY) || error.kind() == io::ErrorKind::AddrNotAvailable
}

fn bind_to(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    // A port that was in use a moment ago, by the process before this one.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn the_unspecified_address_of_ipv6_takes_both() {
        let listener = bind("[::]:0".parse().unwrap()).unwrap();
        let port = listener.local_addr().unwrap().port();
        for address in ["127.0.0.1", "::1"] {
            let connected = TcpStream::connect((address, port)).await;
            if address == "::1" && connected.is_err() && !listener.local_addr().unwrap().is_ipv6() {
                // A host without IPv6 has no such address.
                continue;
            }
            assert!(connected.is_ok(), "{address}: {connected:?}");
        }
        let again = bind(listener.local_addr().unwrap());
        assert_eq!(again.unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }
}
