//! The next hop: a mail server that takes what the gateway relays and keeps
//! nothing but a count. A few of its mailboxes are full or often busy and
//! some do not exist, so that bounces, retries and call-forward have
//! something to report.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use smtp::{
    Answer, Interruption, MailQuestion, Output, Question, Session, SessionLimits, SessionProfile,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use types::{EnhancedCode, ForwardPath, Reply};
use world::{Clock, Stream};

use crate::corp::{self, Standing};

/// How long a silent client is kept.
const IDLE_MAX: Duration = Duration::from_secs(300);
/// Of so many recipients one finds a busy mailbox busy.
const BUSY_EVERY: u64 = 2;

/// The next hop of the demo. Clones share one count.
#[derive(Clone)]
pub struct Sink {
    profile: Arc<SessionProfile>,
    /// Whether it takes addresses beyond ASCII (RFC 6531).
    smtputf8: bool,
    clock: Arc<dyn Clock>,
    counters: Arc<Counters>,
}

/// What the sink has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SinkCounts {
    /// Connections.
    pub connections: u64,
    /// Messages taken.
    pub messages: u64,
    /// Octets of their content.
    pub octets: u64,
    /// Recipients agreed to, by call-forward too.
    pub recipients: u64,
    /// Recipients asked to come back later.
    pub deferred: u64,
    /// Recipients and senders refused.
    pub refused: u64,
}

#[derive(Default)]
struct Counters {
    connections: AtomicU64,
    messages: AtomicU64,
    octets: AtomicU64,
    recipients: AtomicU64,
    deferred: AtomicU64,
    refused: AtomicU64,
    busy_asked: AtomicU64,
}

impl Sink {
    /// A sink that waits by `clock`.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let profile = SessionProfile::new("mail.corp.example", false, SessionLimits::default());
        Sink { profile: Arc::new(profile), smtputf8: true, clock, counters: Arc::default() }
    }

    /// One that takes no addresses beyond ASCII, as mail servers of old; it
    /// counts with this one.
    #[must_use]
    pub fn of_old(&self) -> Self {
        Sink { smtputf8: false, ..self.clone() }
    }

    /// Serves one connection to its end.
    pub async fn serve(&self, mut stream: impl Stream) {
        self.counters.connections.fetch_add(1, Ordering::Relaxed);
        let mut guest = Guest { sink: self, session: Session::new(Arc::clone(&self.profile)) };
        let (mut input, mut replies) = (Vec::new(), Vec::new());
        loop {
            let go_on = guest.advance(&mut input, &mut replies);
            // A peer that is gone needs no reply, and its loss was told to
            // the session already or shows at the next read.
            let written = stream.write_all(&std::mem::take(&mut replies)).await;
            if !go_on || written.is_err() {
                return;
            }
            let idle = self.clock.sleep(IDLE_MAX);
            let read = tokio::select! {
                read = stream.read_buf(&mut input) => Some(read),
                () = idle => None,
            };
            match read {
                Some(Ok(octets)) if octets > 0 => {}
                Some(_) => guest.session.interrupt(Interruption::Lost),
                None => guest.session.interrupt(Interruption::TimedOut),
            }
        }
    }

    /// What was seen so far.
    pub fn counts(&self) -> SinkCounts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counters = &self.counters;
        SinkCounts {
            connections: read(&counters.connections),
            messages: read(&counters.messages),
            octets: read(&counters.octets),
            recipients: read(&counters.recipients),
            deferred: read(&counters.deferred),
            refused: read(&counters.refused),
        }
    }
}

/// One connection of the gateway.
struct Guest<'s> {
    sink: &'s Sink,
    session: Session,
}

impl Guest<'_> {
    /// Lets the session take what came; whether the connection goes on.
    fn advance(&mut self, input: &mut Vec<u8>, replies: &mut Vec<u8>) -> bool {
        let mut left = input.as_slice();
        let go_on = loop {
            match self.session.advance(&mut left, replies) {
                Output::Wait => break true,
                Output::Ask(question) => {
                    let answer = self.answer(&question);
                    let begun = replies.len();
                    self.session.answer(answer, replies);
                    if !self.sink.smtputf8 && matches!(question, Question::Helo { .. }) {
                        forget_smtputf8(replies, begun);
                    }
                }
                Output::Content(octets) => {
                    let octets = octets.len() as u64;
                    self.sink.counters.octets.fetch_add(octets, Ordering::Relaxed);
                }
                Output::DataBegan | Output::Ended(_) => {}
                Output::StartTls | Output::Close => break false,
            }
        };
        let taken = input.len() - left.len();
        input.drain(..taken);
        go_on
    }

    fn answer(&self, question: &Question) -> Answer {
        let counters = &self.sink.counters;
        match question {
            Question::Connect | Question::Helo { .. } => Answer::Proceed,
            Question::Mail(mail) if is_unwanted(mail) => {
                counters.refused.fetch_add(1, Ordering::Relaxed);
                Answer::Refuse(UNWANTED)
            }
            Question::Mail(_) => Answer::Proceed,
            Question::Rcpt(recipient) => self.recipient(recipient),
            Question::EndOfData { .. } => {
                counters.messages.fetch_add(1, Ordering::Relaxed);
                Answer::Proceed
            }
            Question::TooManyRecipients(_) => Answer::Refuse(TOO_MANY),
            Question::MalformedSender(_)
            | Question::MalformedRecipient(_)
            | Question::UnfitSender(..)
            | Question::UnfitRecipient(..)
            | Question::Authenticate(_)
            | Question::RefuseMessage { .. } => Answer::Refuse(MALFORMED),
            Question::EndConnection(_) => Answer::RefuseAndClose(FAREWELL),
        }
    }

    fn recipient(&self, recipient: &ForwardPath) -> Answer {
        let counters = &self.sink.counters;
        let local = recipient.address().map_or("postmaster", |address| address.local());
        let domain = recipient.domain_key();
        let refuse = |reply| {
            counters.refused.fetch_add(1, Ordering::Relaxed);
            Answer::Refuse(reply)
        };
        match corp::standing(local, domain) {
            None => refuse(UNKNOWN),
            Some(Standing::Full) => refuse(FULL),
            Some(Standing::OftenBusy) if self.is_busy() => {
                counters.deferred.fetch_add(1, Ordering::Relaxed);
                Answer::Refuse(BUSY)
            }
            Some(Standing::OftenBusy | Standing::Takes) => {
                counters.recipients.fetch_add(1, Ordering::Relaxed);
                Answer::Proceed
            }
        }
    }

    fn is_busy(&self) -> bool {
        let asked = self.sink.counters.busy_asked.fetch_add(1, Ordering::Relaxed);
        asked.is_multiple_of(BUSY_EVERY)
    }
}

/// Takes the extension out of the reply to EHLO, which begins at `from`.
fn forget_smtputf8(replies: &mut Vec<u8>, from: usize) {
    const LINE: &[u8] = b"250-SMTPUTF8\r\n";
    let reply = replies.get(from..).unwrap_or_default();
    if let Some(at) = reply.windows(LINE.len()).position(|line| line == LINE) {
        replies.drain(from + at..from + at + LINE.len());
    }
}

fn is_unwanted(mail: &MailQuestion) -> bool {
    mail.reverse_path.address().is_some_and(|sender| sender.domain_key() == corp::UNWANTED_DOMAIN)
}

const UNKNOWN: Reply = Reply::fixed(550, Some(EnhancedCode(5, 1, 1)), "No such mailbox here");
const FULL: Reply = Reply::fixed(552, Some(EnhancedCode(5, 2, 2)), "The mailbox is full");
const BUSY: Reply =
    Reply::fixed(450, Some(EnhancedCode(4, 2, 1)), "The mailbox is busy, please come back");
const UNWANTED: Reply =
    Reply::fixed(550, Some(EnhancedCode(5, 7, 1)), "We take nothing from this sender");
const TOO_MANY: Reply = Reply::fixed(452, Some(EnhancedCode(4, 5, 3)), "Too many recipients");
const MALFORMED: Reply = Reply::fixed(554, Some(EnhancedCode(5, 6, 0)), "Cannot read this");
const FAREWELL: Reply = Reply::fixed(421, Some(EnhancedCode(4, 3, 2)), "Good bye");
