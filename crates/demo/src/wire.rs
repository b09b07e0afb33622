//! One connection as a visitor holds it: lines out, replies in, and patience
//! that ends.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use smtp::ContentWriter;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use world::{Clock, Connection, Stream};

use crate::corp::HOST_NAME;

/// How long a visitor waits for a reply.
const PATIENCE: Duration = Duration::from_secs(6 * 60);
/// How long a silent visitor stays, unless it is thrown out before.
const SILENCE: Duration = Duration::from_secs(40 * 60);
/// Longest reply that is read, in octets.
const REPLY_OCTETS_MAX: usize = 64 * 1_024;

/// An open connection with what was read and not yet used.
pub(crate) struct Wire {
    stream: Box<dyn Stream>,
    clock: Arc<dyn Clock>,
    pub(crate) input: Vec<u8>,
}

impl Wire {
    pub(crate) fn new(connection: Connection, clock: Arc<dyn Clock>) -> Self {
        Wire { stream: connection.stream, clock, input: Vec::new() }
    }

    pub(crate) async fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        tokio::select! {
            written = self.stream.write_all(octets) => written,
            () = self.clock.sleep(PATIENCE) => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    pub(crate) async fn say(&mut self, line: &str) -> io::Result<()> {
        self.write(format!("{line}\r\n").as_bytes()).await
    }

    /// Shakes hands, after the reply to STARTTLS; the gateway has to show that
    /// it is the one that is meant.
    pub(crate) async fn start_tls(&mut self, connector: &TlsConnector) -> io::Result<()> {
        let name = ServerName::try_from(HOST_NAME).map_err(io::Error::other)?;
        let plain = std::mem::replace(&mut self.stream, Box::new(tokio::io::empty()));
        self.input.clear();
        self.stream = Box::new(connector.connect(name, plain).await?);
        Ok(())
    }

    /// Writes a message with its final dot.
    pub(crate) async fn content(&mut self, content: &[u8]) -> io::Result<()> {
        let mut writer = ContentWriter::new();
        let mut octets = Vec::new();
        writer.append(content, &mut octets);
        octets.extend_from_slice(writer.finish());
        self.write(&octets).await
    }

    /// Reads more; an end of the stream is an error.
    pub(crate) async fn read(&mut self) -> io::Result<()> {
        if self.input.len() > REPLY_OCTETS_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let octets = tokio::select! {
            read = self.stream.read_buf(&mut self.input) => read?,
            () = self.clock.sleep(PATIENCE) => return Err(io::ErrorKind::TimedOut.into()),
        };
        if octets == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }

    /// The code of the next reply (RFC 5321 section 4.2): its last line has a
    /// blank after the code.
    pub(crate) async fn reply(&mut self) -> io::Result<u16> {
        loop {
            while let Some(end) = self.input.iter().position(|&b| b == b'\n') {
                let line: Vec<u8> = self.input.drain(..=end).collect();
                let code = line.get(..3).and_then(|code| std::str::from_utf8(code).ok());
                let code = code.and_then(|code| code.parse().ok());
                if line.get(3) != Some(&b'-') {
                    return code.ok_or_else(|| io::ErrorKind::InvalidData.into());
                }
            }
            self.read().await?;
        }
    }

    /// What comes up to the next empty line, without line ends.
    pub(crate) async fn paragraph(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = self.input.windows(2).position(|pair| pair == b"\n\n") {
                let octets: Vec<u8> = self.input.drain(..end + 2).collect();
                return Ok(String::from_utf8_lossy(&octets).trim_end().to_owned());
            }
            self.read().await?;
        }
    }

    /// Says a line and reads the reply to it.
    pub(crate) async fn ask(&mut self, line: &str) -> io::Result<u16> {
        self.say(line).await?;
        self.reply().await
    }

    /// Takes what comes until the other side closes.
    pub(crate) async fn sit_out(&mut self) {
        let over = self.clock.sleep(SILENCE);
        tokio::pin!(over);
        loop {
            self.input.clear();
            let read = tokio::select! {
                read = self.stream.read_buf(&mut self.input) => read,
                () = &mut over => return,
            };
            if !matches!(read, Ok(octets) if octets > 0) {
                return;
            }
        }
    }
}
