//! One open connection to a next hop: the SMTP client session of [`smtp`],
//! turned over a stream, with every wait limited.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{self, Either};
use smtp::client::{ClientError, Step};
use smtp::{Capabilities, ClientOutput, ClientSession, ClientSettings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use types::{Domain, Quoted, Timestamp};
use world::{Clock, Sleep, Stream};

use crate::settings::Timeouts;
use crate::tried::{Answer, Reached};

/// Octets read at once; more than a whole reply of the longest line.
const READ_OCTETS: usize = 8 * 1024;

/// Why a connection cannot be used any more.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Lost {
    /// The next hop refused, left, was silent or talked nonsense.
    #[error("{0}")]
    Peer(#[from] ClientError),
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Broken(#[from] io::Error),
    /// The next hop reads too slowly.
    #[error("the peer took nothing for too long")]
    Stuck,
    /// Our own content could not be read; the next hop must not take the rest
    /// for the whole.
    #[error("the content could not be read: {0}")]
    Content(String),
}

impl Lost {
    /// What it means for the recipients.
    pub(crate) fn into_answer(self) -> Answer {
        match self {
            Lost::Peer(ClientError::Refused(reply)) => Answer::Later(reply.quoted),
            other => Answer::Silent(other.to_string()),
        }
    }

    /// What the next hop said, if it said why.
    pub(crate) fn words(&self) -> Option<&Quoted> {
        match self {
            Lost::Peer(ClientError::Refused(reply)) => Some(&reply.quoted),
            _ => None,
        }
    }

    /// Whether the next hop had not answered anything yet since MAIL: on a
    /// connection that was kept open it just means that it was closed.
    /// `awaits` is what it owed a reply to. A connection that breaks later may
    /// have lost the reply to a message that was taken, so it counts as a try.
    pub(crate) fn is_unanswered(&self, awaits: Step) -> bool {
        let at_once = |step| matches!(step, Step::Rset | Step::Mail);
        match self {
            Lost::Peer(ClientError::Closed(step) | ClientError::TimedOut(step)) => at_once(*step),
            Lost::Peer(ClientError::Refused(_) | ClientError::Unasked(_)) => true,
            Lost::Broken(_) => at_once(awaits),
            Lost::Peer(_) | Lost::Stuck | Lost::Content(_) => false,
        }
    }
}

/// One open connection.
pub(crate) struct HopConnection {
    stream: Box<dyn Stream>,
    pub(crate) session: ClientSession,
    /// Commands to be written.
    pub(crate) out: Vec<u8>,
    input: Vec<u8>,
    /// Where it leads and how it is protected.
    pub(crate) reached: Reached,
    /// The host that its certificate was verified for; nothing if it was not.
    pub(crate) proved: Option<Domain>,
    /// Transactions begun on it.
    pub(crate) used: u32,
    clock: Arc<dyn Clock>,
    pub(crate) timeouts: Timeouts,
}

impl HopConnection {
    /// Over a stream that was just opened. The next hop owes its greeting.
    pub(crate) fn new(
        stream: Box<dyn Stream>,
        reached: Reached,
        settings: ClientSettings,
        clock: Arc<dyn Clock>,
        timeouts: Timeouts,
    ) -> Self {
        HopConnection {
            stream,
            session: ClientSession::new(settings),
            out: Vec::new(),
            input: Vec::with_capacity(READ_OCTETS),
            reached,
            proved: None,
            used: 0,
            clock,
            timeouts,
        }
    }

    /// The present moment.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// What the next hop announced.
    pub(crate) fn capabilities(&self) -> &Capabilities {
        self.session.capabilities()
    }

    /// Writes what is to be written and reads until something happened.
    /// `latest` is the end of all patience, whatever the next hop does.
    pub(crate) async fn turn(&mut self, latest: Timestamp) -> Result<ClientOutput, Lost> {
        let mut deadline = None;
        loop {
            let mut rest = self.input.as_slice();
            let output = self.session.advance(&mut rest, &mut self.out)?;
            let taken = self.input.len() - rest.len();
            self.input.drain(..taken);
            if output != ClientOutput::Wait {
                return Ok(output);
            }
            self.write_out().await?;
            // Each line that comes earns the time for the next one. Octets
            // that drip do not.
            if taken > 0 || deadline.is_none() {
                deadline = Some(self.clock.now() + self.patience());
            }
            self.read(deadline.unwrap_or(latest).min(latest)).await?;
        }
    }

    /// How long the next hop may take for what it owes.
    fn patience(&self) -> Duration {
        match self.session.awaits() {
            Step::Connection => self.timeouts.greeting,
            Step::Ehlo | Step::Helo | Step::StartTls => self.timeouts.hello,
            Step::Rset | Step::Mail | Step::Rcpt | Step::Nothing => self.timeouts.envelope,
            Step::Data => self.timeouts.data,
            Step::Content | Step::NoContent => self.timeouts.end_of_data,
            Step::Quit => self.timeouts.quit,
        }
    }

    /// Writes everything in [`out`](Self::out).
    pub(crate) async fn write_out(&mut self) -> Result<(), Lost> {
        if self.out.is_empty() {
            return Ok(());
        }
        let write = async {
            self.stream.write_all(&self.out).await?;
            self.stream.flush().await
        };
        let limit = || self.clock.sleep(self.timeouts.piece);
        within(limit, write).await.ok_or(Lost::Stuck)??;
        self.out.clear();
        Ok(())
    }

    async fn read(&mut self, deadline: Timestamp) -> Result<(), Lost> {
        self.input.reserve(READ_OCTETS);
        let read = self.stream.read_buf(&mut self.input);
        match within(|| self.clock.sleep_until(deadline), read).await {
            Some(Ok(0)) => Err(self.session.closed().into()),
            Some(read) => Ok(read.map(|_| ())?),
            None => Err(self.session.timed_out().into()),
        }
    }

    /// Gives up the stream for a TLS handshake. What the next hop sent after
    /// its reply to STARTTLS is forgotten (RFC 3207 section 6).
    pub(crate) fn take_stream(&mut self) -> Box<dyn Stream> {
        self.input.clear();
        self.out.clear();
        std::mem::replace(&mut self.stream, Box::new(tokio::io::empty()))
    }

    /// Goes on over TLS.
    pub(crate) fn encrypted(&mut self, stream: Box<dyn Stream>, how: Arc<str>) {
        self.stream = stream;
        self.reached.tls = Some(how);
        self.session.tls_established(&mut self.out);
    }

    /// Says goodbye and closes; whether the next hop answers does not matter.
    pub(crate) async fn quit(mut self) {
        if self.session.is_ready() {
            self.session.quit(&mut self.out);
            let latest = self.clock.now() + self.timeouts.quit;
            let _ = self.turn(latest).await;
        }
        within(|| self.clock.sleep(self.timeouts.quit), self.stream.shutdown()).await;
    }
}

/// What `work` comes to, or nothing if it takes longer than `limit`. The
/// clock is only set if something has to be waited for at all.
async fn within<T>(limit: impl FnOnce() -> Sleep, work: impl Future<Output = T>) -> Option<T> {
    let mut work = std::pin::pin!(work);
    if let Some(done) = future::poll_immediate(&mut work).await {
        return Some(done);
    }
    match future::select(work, limit()).await {
        Either::Left((done, _)) => Some(done),
        Either::Right(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_that_breaks_after_the_answer_to_mail_counts_as_a_try() {
        let reset = || Lost::Broken(io::ErrorKind::ConnectionReset.into());
        for step in [Step::Rset, Step::Mail] {
            assert!(reset().is_unanswered(step), "{step}");
            assert!(Lost::Peer(ClientError::Closed(step)).is_unanswered(step), "{step}");
        }
        for step in [Step::Rcpt, Step::Data, Step::Content, Step::Nothing] {
            assert!(!reset().is_unanswered(step), "{step}");
            assert!(!Lost::Peer(ClientError::Closed(step)).is_unanswered(step), "{step}");
        }
        assert!(!Lost::Stuck.is_unanswered(Step::Mail));
    }
}
