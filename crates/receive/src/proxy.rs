//! The PROXY protocol header that a listed load balancer sends first.

use std::io;
use std::net::{IpAddr, SocketAddr};

use proxy_header::{Error, ParseConfig, ProxyHeader};
use tokio::io::{AsyncRead, AsyncReadExt};

/// Longest header of version 1, and of version 2 with its extensions, that
/// is read (octets).
const HEADER_OCTETS_MAX: usize = 4 * 1024;

/// What stood before the dialogue.
pub(crate) struct Proxied {
    /// The client the balancer speaks for; nothing for its own health checks.
    pub(crate) client: Option<SocketAddr>,
    /// Octets of the dialogue that came with the header.
    pub(crate) rest: Vec<u8>,
}

/// Reads the header (version 1 or 2).
///
/// # Errors
/// `InvalidData` if the peer sent something else, and what reading gives.
pub(crate) async fn read_header(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Proxied> {
    let mut octets = Vec::with_capacity(256);
    loop {
        match parsed(&octets) {
            Parsed::Whole { client, length } => {
                return Ok(Proxied { client, rest: octets.split_off(length) });
            }
            Parsed::Beginning => {}
            Parsed::Nonsense => return Err(io::ErrorKind::InvalidData.into()),
        }
        if stream.read_buf(&mut octets).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// What the octets are that came so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// A header, and how long it is.
    Whole {
        /// The client the balancer speaks for, if for one.
        client: Option<SocketAddr>,
        /// Octets of the header.
        length: usize,
    },
    /// The beginning of one.
    Beginning,
    /// Neither.
    Nonsense,
}

/// Reads a header off the beginning of what came: a plain function, for
/// fuzzing too.
pub fn parsed(octets: &[u8]) -> Parsed {
    match ProxyHeader::parse(octets, ParseConfig::default()) {
        // What is not there cannot be taken, whatever the library says.
        Ok((_, length)) if length > octets.len() => Parsed::Nonsense,
        Ok((header, length)) => {
            let client = header.proxied_address().map(|address| address.source);
            Parsed::Whole { client, length }
        }
        Err(Error::BufferTooShort) if octets.len() < HEADER_OCTETS_MAX => Parsed::Beginning,
        Err(_) => Parsed::Nonsense,
    }
}

/// IPv4 for an IPv4-mapped IPv6 address, so that lists, triplets and counts
/// see one client on either kind of listener.
pub(crate) fn canonical(address: SocketAddr) -> (IpAddr, u16) {
    (address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(octets: &[u8]) -> io::Result<(Option<String>, Vec<u8>)> {
        let mut stream = octets;
        let proxied = read_header(&mut stream).await?;
        Ok((proxied.client.map(|client| client.to_string()), proxied.rest))
    }

    #[tokio::test]
    async fn both_versions_name_the_client_and_leave_the_rest() {
        let (client, rest) =
            read(b"PROXY TCP4 192.0.2.7 127.0.0.1 4711 25\r\nEHLO x\r\n").await.unwrap();
        assert_eq!(client.as_deref(), Some("192.0.2.7:4711"));
        assert_eq!(rest, b"EHLO x\r\n");
        let mut v2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
        v2.extend([192, 0, 2, 9, 127, 0, 0, 1, 0x12, 0x34, 0, 25]);
        let (client, rest) = read(&v2).await.unwrap();
        assert_eq!((client.as_deref(), rest.len()), (Some("192.0.2.9:4660"), 0));
    }

    #[tokio::test]
    async fn anything_else_is_refused_within_a_limit() {
        assert!(read(b"EHLO mail.sender.example\r\n").await.is_err());
        assert!(read(b"PROXY TCP4").await.is_err());
        assert!(read(&[b'P'; 10_000]).await.is_err());
    }
}
