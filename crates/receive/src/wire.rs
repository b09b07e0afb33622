//! The stream of one connection: in clear text first, through TLS later.
//!
//! A connection that waits holds no buffer: octets are read into one that the
//! thread's connections share, and only what came is kept.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};
use tokio_rustls::server::TlsStream;
use types::{Timestamp, TlsFacts};
use world::Stream;

use crate::client_certificate::ShownCertificate;
use crate::tls::Handshake;

/// Octets read at once.
const READ_OCTETS: usize = 64 * 1024;

thread_local! {
    static READ_BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_OCTETS].into());
}

/// A connection's stream.
pub(crate) enum Wire<S> {
    Clear(S),
    Tls(Box<TlsStream<S>>),
    /// A handshake failed: there is nothing left to read from or write to.
    Gone,
}

impl<S: Stream> Wire<S> {
    /// Reads what is there, waiting for the first octet, and appends it.
    /// Nothing appended means that the other end has closed.
    pub(crate) async fn read(&mut self, input: &mut Vec<u8>) -> io::Result<usize> {
        poll_fn(|context| {
            READ_BUFFER.with_borrow_mut(|buffer| {
                let mut buffer = ReadBuf::new(buffer);
                ready!(self.poll_read(context, &mut buffer))?;
                input.extend_from_slice(buffer.filled());
                Poll::Ready(Ok(buffer.filled().len()))
            })
        })
        .await
    }

    fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self {
            Wire::Clear(stream) => Pin::new(stream).poll_read(context, buffer),
            Wire::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
            Wire::Gone => Poll::Ready(Ok(())),
        }
    }

    /// Writes all of `octets`.
    pub(crate) async fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        match self {
            Wire::Clear(stream) => stream.write_all(octets).await,
            Wire::Tls(stream) => {
                stream.write_all(octets).await?;
                stream.flush().await
            }
            Wire::Gone => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Says through TLS that nothing more comes; in clear text closing says
    /// so itself, without a system call of its own. An error here tells
    /// nothing new.
    pub(crate) async fn close(&mut self) {
        if let Wire::Tls(stream) = self {
            let _closed = stream.shutdown().await;
        }
    }

    /// Does the server's side of the handshake. A certificate counts if it
    /// does at `now`.
    pub(crate) async fn start_tls(
        &mut self,
        handshake: Handshake,
        now: Timestamp,
    ) -> io::Result<(TlsFacts, ShownCertificate)> {
        match std::mem::replace(self, Wire::Gone) {
            Wire::Clear(stream) => {
                let stream = handshake.acceptor().accept(stream).await?;
                let shown = handshake.shown(stream.get_ref().1.peer_certificates(), now);
                let shown = shown.await;
                let facts = facts(&stream);
                *self = Wire::Tls(Box::new(stream));
                Ok((facts, shown))
            }
            Wire::Tls(_) | Wire::Gone => Err(io::ErrorKind::AlreadyExists.into()),
        }
    }
}

/// What the two sides agreed on.
fn facts<S>(stream: &TlsStream<S>) -> TlsFacts {
    let (_, session) = stream.get_ref();
    let version = match session.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_2) => "TLSv1.2",
        Some(rustls::ProtocolVersion::TLSv1_3) => "TLSv1.3",
        _ => "TLS",
    };
    let cipher = session.negotiated_cipher_suite().map(|suite| suite.suite());
    let cipher = cipher.and_then(|cipher| cipher.as_str()).unwrap_or("unknown");
    TlsFacts { version: Arc::from(version), cipher: Arc::from(cipher) }
}
