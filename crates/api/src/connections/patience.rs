//! A connection whose other end has to read: one that does not would hold its
//! place, and what we wanted to send, for ever.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// How long the other end of a connection may take to read [`STEP_OCTETS`].
pub(super) const READ_WITHIN: Duration = Duration::from_secs(30);
/// Less than this is no progress: a client that reads an octet now and then
/// is one that does not read.
const STEP_OCTETS: usize = 16 * 1024;

/// Passes on what is read and written, and fails with
/// [`io::ErrorKind::TimedOut`] when what is written is not taken in time.
pub(super) struct Patient<S> {
    stream: S,
    /// How long the other end may take.
    within: Duration,
    /// Runs while something waits to be taken.
    late: Option<Pin<Box<Sleep>>>,
    /// Taken since it runs.
    taken: usize,
}

impl<S> Patient<S> {
    pub(super) fn new(stream: S, within: Duration) -> Self {
        Patient { stream, within, late: None, taken: 0 }
    }

    /// All that was to be written is, or enough to wait anew.
    fn rest(&mut self) {
        (self.late, self.taken) = (None, 0);
    }

    /// What to say while the other end takes nothing.
    fn waiting<T>(&mut self, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        let within = self.within;
        let late = self.late.get_or_insert_with(|| Box::pin(tokio::time::sleep(within)));
        ready!(late.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    fn wrote(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match written {
            Poll::Pending => self.waiting(context),
            Poll::Ready(Ok(octets)) => {
                self.taken += octets;
                if self.taken >= STEP_OCTETS {
                    self.rest();
                }
                Poll::Ready(Ok(octets))
            }
            failed => failed,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, octets);
        self.wrote(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, pieces);
        self.wrote(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.stream).poll_flush(context) {
            Poll::Pending => self.waiting(context),
            flushed => {
                self.rest();
                flushed
            }
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.stream).poll_shutdown(context) {
            Poll::Pending => self.waiting(context),
            shut => shut,
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::sleep;

    use super::*;

    /// Long beside what a test does meanwhile, short for who waits for it.
    const WITHIN: Duration = Duration::from_millis(200);

    #[tokio::test]
    async fn a_client_that_does_not_read_is_given_up() {
        let (ours, _theirs) = duplex(1_000);
        let error = Patient::new(ours, WITHIN).write_all(&[0; 2_000]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn one_that_reads_an_octet_now_and_then_is_too() {
        let (ours, mut theirs) = duplex(1_000);
        tokio::spawn(async move {
            loop {
                sleep(WITHIN / 20).await;
                let _ = theirs.read_u8().await;
            }
        });
        let error = Patient::new(ours, WITHIN).write_all(&[0; 20_000]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn one_that_reads_gets_everything_and_may_rest_between() {
        let (ours, mut theirs) = duplex(1_000);
        let reading = tokio::spawn(async move {
            let (mut all, mut piece) = (0, vec![0; 1_000]);
            loop {
                match theirs.read(&mut piece).await.unwrap() {
                    0 => return all,
                    read => all += read,
                }
            }
        });
        let mut ours = Patient::new(ours, WITHIN);
        for _ in 0..2 {
            ours.write_all(&[0; 100_000]).await.unwrap();
            ours.flush().await.unwrap();
            sleep(WITHIN * 2).await;
        }
        drop(ours);
        assert_eq!(reading.await.unwrap(), 200_000);
    }
}
