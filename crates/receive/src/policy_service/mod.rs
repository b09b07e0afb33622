//! A second way in: a mail server that has the sessions itself asks at each
//! RCPT what to do (`check_policy_service` of Postfix). The decision, its
//! evidence and its event are those of our own sessions; what is missing is
//! what the asking server keeps to itself, the content above all.
//!
//! The service never answers what it does not know. Where a peer does not
//! speak the protocol, the connection is closed without an answer, as the
//! protocol asks for: the server then does what it is set to do, which is to
//! defer.

mod advise;
mod listener;

use std::sync::Arc;

use smtp::policy_delegation::{
    PolicyAdvice, PolicyRequest, PolicyRequestError, PolicyRequestReader, RecipientRequest,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;
use types::{Client, ClientFacts};
use world::Stream;

use crate::connection::Wish;
use crate::desk::Desk;
use crate::engine::Engine;

pub use listener::{Complaint, PolicyService, PolicyServiceSettings};

/// Whether what is advised is meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AdviceMode {
    /// The asking server is told what was decided.
    #[default]
    Enforce,
    /// It is always told to go on; what would have been advised is recorded.
    Observe,
}

/// A place where servers ask.
#[derive(Clone, Debug)]
pub struct Counter {
    /// How events name it, as `address:port`.
    pub name: Arc<str>,
    /// Whether advice is meant.
    pub mode: AdviceMode,
}

/// Why a connection of an asking server ended.
#[derive(Debug, thiserror::Error)]
pub enum AskingError {
    /// It does not speak the protocol.
    #[error(transparent)]
    Protocol(#[from] PolicyRequestError),
    /// It was silent for too long, or for too long inside a request.
    #[error("nothing came for too long")]
    TimedOut,
    /// It broke off inside a request, or cannot be written to.
    #[error(transparent)]
    Lost(#[from] std::io::Error),
}

/// Octets read at once.
const READ_OCTETS: usize = 4 * 1024;

/// Answers the questions of one connection until it ends or the process
/// wants to stop. Public for a simulated network, which has no sockets.
///
/// # Errors
/// What ended it, unless the peer closed it between two requests.
pub async fn attend<S: Stream>(
    engine: Arc<Engine>,
    mut stream: S,
    counter: Counter,
    mut wishes: watch::Receiver<Wish>,
) -> Result<(), AskingError> {
    let mut reader = PolicyRequestReader::default();
    let mut asked = Asked { engine, counter, desk: None };
    let mut octets = [0; READ_OCTETS];
    loop {
        while let Some(request) = reader.next_request()? {
            let mut answer = Vec::new();
            asked.advice(request).await.write(&mut answer);
            stream.write_all(&answer).await?;
            stream.flush().await?;
        }
        if *wishes.borrow() != Wish::Serve && !reader.is_in_request() {
            return Ok(());
        }
        let idle = asked.engine.live().settings.timeouts.idle;
        let read = tokio::select! {
            biased;
            read = stream.read(&mut octets) => read?,
            changed = wishes.changed() => match changed {
                Ok(()) => continue,
                Err(_) => return Ok(()),
            },
            () = asked.engine.parts.clock.sleep(idle) => return Err(AskingError::TimedOut),
        };
        match octets.get(..read) {
            Some([]) | None if reader.is_in_request() => {
                return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
            }
            Some([]) | None => return Ok(()),
            Some(arrived) => reader.push(arrived),
        }
    }
}

/// What was asked on one connection.
struct Asked {
    engine: Arc<Engine>,
    counter: Counter,
    /// The desk of the transaction asked about last: the recipients of one
    /// transaction belong to one session, as they do where we have it.
    desk: Option<(String, Desk)>,
}

impl Asked {
    async fn advice(&mut self, request: PolicyRequest) -> PolicyAdvice {
        let PolicyRequest::Recipient(request) = request else { return PolicyAdvice::GoOn };
        let request = *request;
        let _open = self.engine.question();
        let of = &request.instance;
        let same = |(earlier, _): &(String, Desk)| !of.is_empty() && earlier == of;
        let desk = match self.desk.take().filter(same) {
            Some((_, desk)) => desk,
            None => Desk::asked_by_server(Arc::clone(&self.engine), self.client(&request)),
        };
        let (_, desk) = self.desk.insert((request.instance, desk));
        let mode = self.counter.mode;
        // On the heap, as an answer in the making is large.
        match request.reverse_path {
            Ok(reverse_path) => {
                desk.told_of(reverse_path, request.declared_size);
                Box::pin(desk.advise(request.recipient, mode)).await
            }
            Err(malformed) => {
                Box::pin(desk.advise_on_malformed(&malformed, request.recipient, mode)).await
            }
        }
    }

    fn client(&self, request: &RecipientRequest) -> ClientFacts {
        ClientFacts {
            client: Client {
                ip: request.client_ip,
                port: request.client_port,
                listener: Arc::clone(&self.counter.name),
                direction: types::Direction::Inbound,
            },
            host_name: request.client_name.clone(),
            helo: request.helo.clone(),
            esmtp: request.esmtp,
            tls: request.tls.clone(),
        }
    }
}
