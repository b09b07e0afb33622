//! A mail server that connects to the gateway: it writes what it is told and
//! shows what it was answered.

use std::io;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsConnector;
use world::Stream;

use crate::gateway::settle;

/// One connection to the gateway.
pub struct Client {
    stream: Option<Box<dyn Stream>>,
    unread: Vec<u8>,
    closed: bool,
}

/// Octets read at once.
const READ_OCTETS: usize = 16 * 1024;

impl Client {
    pub(crate) fn new(stream: impl Stream + 'static) -> Self {
        Client { stream: Some(Box::new(stream)), unread: Vec::new(), closed: false }
    }

    /// Shakes hands, once the gateway has said that it is ready for TLS.
    /// It has to have a certificate for `name`.
    ///
    /// # Errors
    /// Why there is no TLS now; the connection is gone.
    pub async fn start_tls(&mut self, connector: TlsConnector, name: &str) -> Result<(), String> {
        let stream = self.stream.take().ok_or("the client has hung up")?;
        let name = ServerName::try_from(name.to_owned()).map_err(|error| error.to_string())?;
        let shaken = tokio::select! {
            biased;
            shaken = connector.connect(name, stream) => shaken,
            // Nobody waits for time to pass here, so nothing more comes.
            () = settle() => return Err("the gateway does not answer the handshake".to_owned()),
        };
        self.stream = Some(Box::new(shaken.map_err(|error| error.to_string())?));
        Ok(())
    }

    /// Writes `octets`, however slowly they are taken; gives up quietly when
    /// the gateway has closed, as a sender would find out only at its next
    /// read.
    pub async fn send(&mut self, octets: &[u8]) {
        let mut left = octets;
        while !left.is_empty() && !self.closed {
            let Some(stream) = &mut self.stream else { return };
            let written = tokio::select! {
                biased;
                written = stream.write(left) => Some(written),
                () = settle() => None,
            };
            match written {
                Some(Ok(octets)) => left = left.split_at(octets).1,
                Some(Err(_)) => return,
                // The buffer is full and nobody takes anything: the gateway
                // may be waiting to be read from.
                None => {
                    let before = self.unread.len();
                    self.take_in().await;
                    if self.unread.len() == before {
                        return;
                    }
                }
            }
        }
    }

    /// Writes one line and lets everybody run.
    pub async fn say(&mut self, line: &str) -> Vec<String> {
        self.send(format!("{line}\r\n").as_bytes()).await;
        self.replies().await
    }

    /// The complete lines that came since the last call, once everybody has
    /// run as far as possible without time passing.
    pub async fn replies(&mut self) -> Vec<String> {
        settle().await;
        self.take_in().await;
        let Some(end) = self.unread.iter().rposition(|&octet| octet == b'\n') else {
            return Vec::new();
        };
        let lines: Vec<u8> = self.unread.drain(..=end).collect();
        let lines = String::from_utf8_lossy(&lines);
        lines.lines().map(str::to_owned).collect()
    }

    /// The code of the last reply that came; 0 if none did.
    pub async fn code(&mut self) -> u16 {
        let replies = self.replies().await;
        let last = replies.last().and_then(|line| line.get(..3));
        last.and_then(|code| code.parse().ok()).unwrap_or(0)
    }

    /// Whether the gateway has closed the connection.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Closes the connection without a word.
    pub fn hang_up(&mut self) {
        self.stream = None;
        self.closed = true;
    }

    /// Reads what is there.
    async fn take_in(&mut self) {
        while !self.closed {
            let Some(stream) = &mut self.stream else { return };
            let mut octets = [0; READ_OCTETS];
            let read: Option<io::Result<usize>> = tokio::select! {
                biased;
                read = stream.read(&mut octets) => Some(read),
                () = std::future::ready(()) => None,
            };
            match read {
                Some(Ok(0) | Err(_)) => self.closed = true,
                Some(Ok(length)) => self.unread.extend(octets.iter().take(length)),
                None => return,
            }
        }
    }
}
