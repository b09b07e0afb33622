//! Opening connections.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpSocket;

use crate::BoxFuture;

/// A two-way stream of octets: TCP, TLS over it, or two ends in memory.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// An open connection.
pub struct Connection {
    /// What to read from and write to.
    pub stream: Box<dyn Stream>,
    /// The other end.
    pub peer: SocketAddr,
    /// Our end.
    pub local: SocketAddr,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connection({} to {})", self.local, self.peer)
    }
}

/// How to dial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DialOptions {
    /// The local address to dial from; the system's choice if absent. Must be
    /// of the peer's family.
    pub source: Option<IpAddr>,
    /// How long opening may take.
    pub timeout: Duration,
}

impl Default for DialOptions {
    /// The system's source address and 30 seconds, as mail transfer agents
    /// commonly wait for a connection.
    fn default() -> Self {
        DialOptions { source: None, timeout: Duration::from_secs(30) }
    }
}

/// Opens connections. Names become addresses at [`crate::Resolver`].
pub trait Dial: Send + Sync + 'static {
    /// Opens a connection to `to`.
    ///
    /// # Errors
    /// As the operating system gives them; `TimedOut` after
    /// [`DialOptions::timeout`].
    fn dial(&self, to: SocketAddr, options: DialOptions) -> BoxFuture<'_, io::Result<Connection>>;
}

/// TCP, without the delay that waits for more to send (Nagle): a command
/// waits for its reply, so there is nothing more.
#[derive(Clone, Copy, Debug, Default)]
pub struct TcpDial;

impl Dial for TcpDial {
    fn dial(&self, to: SocketAddr, options: DialOptions) -> BoxFuture<'_, io::Result<Connection>> {
        Box::pin(async move {
            match tokio::time::timeout(options.timeout, connect(to, options.source)).await {
                Ok(connected) => connected,
                Err(_) => Err(io::ErrorKind::TimedOut.into()),
            }
        })
    }
}

async fn connect(to: SocketAddr, source: Option<IpAddr>) -> io::Result<Connection> {
    let socket = if to.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    if let Some(source) = source {
        socket.bind(SocketAddr::new(source, 0))?;
    }
    let stream = socket.connect(to).await?;
    stream.set_nodelay(true)?;
    let (peer, local) = (stream.peer_addr()?, stream.local_addr()?);
    Ok(Connection { stream: Box::new(stream), peer, local })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn a_dialled_connection_carries_octets_and_comes_from_where_it_was_told() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let to = listener.local_addr().unwrap();
        let source = Some("127.8.1.2".parse().unwrap());
        let options = DialOptions { source, ..DialOptions::default() };
        let dialled = tokio::spawn(TcpDial.dial(to, options));
        let (mut theirs, from) = listener.accept().await.unwrap();
        let mut ours = dialled.await.unwrap().unwrap();
        assert_eq!(Some(from.ip()), source);
        assert_eq!((ours.peer, ours.local), (to, from));
        theirs.write_all(b"220").await.unwrap();
        let mut greeting = [0; 3];
        ours.stream.read_exact(&mut greeting).await.unwrap();
        assert_eq!(&greeting, b"220");
    }

    #[tokio::test]
    async fn a_closed_port_refuses() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let to = listener.local_addr().unwrap();
        drop(listener);
        let error = TcpDial.dial(to, DialOptions::default()).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }
}
