//! Listening sockets, and what to say when an address cannot be had.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket};

use crate::failure::{Failure, Outcome};
use crate::settings::Door;

/// Listens on `address`; `what` is served there, and `flag` changes it.
pub async fn bind(address: SocketAddr, what: &str, flag: &str) -> Outcome<TcpListener> {
    TcpListener::bind(address)
        .await
        .map_err(|error| Failure::failed(refusal(address, what, flag, &error)))
}

/// The same for a door that may be left out, before which `backlog` connections may wait.
pub fn open(door: Door, backlog: u32, what: &str, flag: &str) -> Outcome<Option<TcpListener>> {
    let Door::At(address) = door else {
        return Ok(None);
    };
    let listen = || {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(backlog)
    };
    match listen() {
        Ok(listener) => Ok(Some(listener)),
        Err(error) => Err(Failure::failed(refusal(address, what, flag, &error))),
    }
}

fn refusal(address: SocketAddr, what: &str, flag: &str, error: &io::Error) -> String {
    let why = match error.kind() {
        io::ErrorKind::AddrInUse => "another process uses that port".to_owned(),
        io::ErrorKind::PermissionDenied => "ports below 1024 are for privileged users".to_owned(),
        io::ErrorKind::AddrNotAvailable => "this machine does not have that address".to_owned(),
        _ => error.to_string(),
    };
    format!("cannot listen on {address} for {what}: {why}; {flag} changes it")
}

/// Whether another process listens on `address`; errors of other kinds are left to the node that
/// will listen there.
pub async fn taken(address: SocketAddr) -> bool {
    matches!(
        TcpListener::bind(address).await,
        Err(error) if error.kind() == io::ErrorKind::AddrInUse
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn a_taken_port_is_named_with_the_flag_that_changes_it() {
        let first = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = first.local_addr().unwrap();
        assert!(taken(address).await);
        let failure = bind(address, "HTTP", "--http").await.unwrap_err();
        let expected = format!(
            "cannot listen on {address} for HTTP: another process uses that port; --http changes it"
        );
        assert_eq!(failure.message, expected);
        drop(first);
        assert!(!taken(address).await);
    }
}
