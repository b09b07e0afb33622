//! The client side of one connection, without I/O: to a next hop, to a server
//! that is asked about a recipient, or to ourselves in a demonstration.
//!
//! Turned by its caller like the server side: [`ClientSession::advance`] is
//! shown what the peer sent, appends commands to a buffer and returns what
//! happened. An incomplete reply line stays with the caller, whose buffer must
//! hold [`REPLY_LINE_OCTETS_MAX`] octets and more.
//!
//! A connection serves any number of transactions: [`ClientSession::send`]
//! with content, [`ClientSession::probe`] without. Where the peer announces
//! PIPELINING, MAIL, all RCPT and DATA go out in one write (RFC 2920). The
//! results are the peer's replies, verbatim; what they mean is not decided
//! here.

mod capabilities;
mod envelope;
mod peer_reply;
mod step;
#[cfg(test)]
mod tests;
mod transaction;

use std::collections::VecDeque;
use std::sync::Arc;

pub use capabilities::Capabilities;
pub use envelope::{CannotSend, DeliveryReport, Envelope};
pub use peer_reply::{PeerReply, REPLY_LINE_OCTETS_MAX, ReplyError};
pub use step::{ClientError, Step};

use peer_reply::{RawReply, ReplyReader};
use transaction::{Content, Transaction};

/// How a client behaves.
#[derive(Clone, Debug)]
pub struct ClientSettings {
    /// The name given with EHLO.
    pub helo_name: Arc<str>,
    /// Whether content goes by BDAT where the peer announces CHUNKING.
    pub chunking: bool,
    /// Whether commands are sent in one write where the peer announces
    /// PIPELINING.
    pub pipelining: bool,
}

/// What happened, and what the caller must do.
#[derive(Debug, PartialEq, Eq)]
pub enum ClientOutput {
    /// Write the commands, read, and show what is left of the input together
    /// with what came.
    Wait,
    /// The peer greeted us, or took EHLO after TLS: transactions may begin.
    Ready,
    /// The peer agreed to STARTTLS: do the handshake, then
    /// [`ClientSession::tls_established`]. What it sent after its reply is
    /// gone (RFC 3207 section 6).
    StartTls,
    /// The peer announced STARTTLS and refused it; the connection is ready as
    /// it was.
    StartTlsRefused(PeerReply),
    /// Write the commands, then the whole content in this form, then read.
    SendContent(ContentForm),
    /// The transaction is over.
    Done(DeliveryReport),
    /// The peer answered QUIT: close.
    Closed,
}

/// How content is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentForm {
    /// By a [`ContentWriter`](crate::ContentWriter), with its end.
    Dotted,
    /// As it is, exactly as many octets as the envelope says.
    Raw,
}

/// The client side of one connection.
#[derive(Debug)]
pub struct ClientSession {
    settings: ClientSettings,
    capabilities: Capabilities,
    tls: bool,
    /// Whether the peer may have a transaction open that nobody wants.
    leftover: bool,
    /// The peer said that it closes, or did.
    over: bool,
    replies: ReplyReader,
    /// What was sent and is not answered, in order.
    owed: VecDeque<Step>,
    /// What is sent when all that is owed has come: one by one.
    later: VecDeque<(Step, Box<[u8]>)>,
    transaction: Option<Transaction>,
}

impl ClientSession {
    /// The session of a connection that was just made; the peer owes its
    /// greeting.
    pub fn new(settings: ClientSettings) -> Self {
        ClientSession {
            settings,
            capabilities: Capabilities::default(),
            tls: false,
            leftover: false,
            over: false,
            replies: ReplyReader::default(),
            owed: VecDeque::from([Step::Connection]),
            later: VecDeque::new(),
            transaction: None,
        }
    }

    /// Takes replies from `input` and appends commands to `out`.
    ///
    /// # Errors
    /// The peer refuses the connection or does not speak SMTP.
    pub fn advance(
        &mut self,
        input: &mut &[u8],
        out: &mut Vec<u8>,
    ) -> Result<ClientOutput, ClientError> {
        while let Some(raw) = self.replies.advance(input)? {
            let Some(step) = self.owed.pop_front() else {
                self.over = true;
                return Err(ClientError::Unasked(raw.into_reply()));
            };
            if raw.code == 421 {
                return self.farewell(step, raw);
            }
            if let Some(output) = self.replied(step, raw, out)? {
                if output == ClientOutput::StartTls {
                    *input = &[];
                }
                return Ok(output);
            }
        }
        Ok(ClientOutput::Wait)
    }

    /// Begins a transaction with content.
    ///
    /// # Errors
    /// The peer cannot take it; nothing was sent.
    pub fn send(&mut self, envelope: &Envelope<'_>, out: &mut Vec<u8>) -> Result<(), CannotSend> {
        let chunking = self.settings.chunking && self.capabilities.chunking;
        let content =
            if chunking { Content::Chunk { octets: envelope.size_octets } } else { Content::Data };
        self.begin(envelope, content, out)
    }

    /// Begins a transaction that only asks about recipients; it is reset
    /// before the next.
    ///
    /// # Errors
    /// The peer cannot take it; nothing was sent.
    pub fn probe(&mut self, envelope: &Envelope<'_>, out: &mut Vec<u8>) -> Result<(), CannotSend> {
        self.begin(envelope, Content::None, out)
    }

    /// Asks for TLS; only where [`Capabilities::starttls`] says so and
    /// nothing is under way. Returns whether it was asked.
    pub fn start_tls(&mut self, out: &mut Vec<u8>) -> bool {
        let possible = self.is_ready() && self.capabilities.starttls && !self.tls;
        if possible {
            self.say(Step::StartTls, b"STARTTLS\r\n", out);
        }
        possible
    }

    /// The handshake succeeded: everything learnt in clear text is forgotten
    /// and EHLO said again (RFC 3207 section 4.2).
    pub fn tls_established(&mut self, out: &mut Vec<u8>) {
        self.tls = true;
        self.capabilities = Capabilities::default();
        self.hello(Step::Ehlo, out);
    }

    /// Says goodbye.
    pub fn quit(&mut self, out: &mut Vec<u8>) {
        self.say(Step::Quit, b"QUIT\r\n", out);
    }

    /// The error of a connection the peer has closed.
    pub fn closed(&self) -> ClientError {
        ClientError::Closed(self.awaits())
    }

    /// The error of a peer that is silent for too long.
    pub fn timed_out(&self) -> ClientError {
        ClientError::TimedOut(self.awaits())
    }

    /// What the peer owes a reply to.
    pub fn awaits(&self) -> Step {
        self.owed.front().copied().unwrap_or(Step::Nothing)
    }

    /// Whether a transaction may begin.
    pub fn is_ready(&self) -> bool {
        self.owed.is_empty() && self.transaction.is_none() && !self.over
    }

    /// What the peer announced.
    pub fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// Whether TLS is established.
    pub fn is_tls(&self) -> bool {
        self.tls
    }

    fn begin(
        &mut self,
        envelope: &Envelope<'_>,
        content: Content,
        out: &mut Vec<u8>,
    ) -> Result<(), CannotSend> {
        if !self.is_ready() {
            return Err(CannotSend::NotReady);
        }
        envelope.check(&self.capabilities)?;
        if std::mem::take(&mut self.leftover) {
            self.later.push_back((Step::Rset, b"RSET\r\n".as_slice().into()));
        }
        self.later.push_back((Step::Mail, self.mail_line(envelope)));
        for recipient in envelope.recipients {
            self.later
                .push_back((Step::Rcpt, format!("RCPT TO:{recipient}\r\n").into_bytes().into()));
        }
        if content == Content::Data {
            self.later.push_back((Step::Data, b"DATA\r\n".as_slice().into()));
        }
        self.transaction = Some(Transaction::new(content, envelope.recipients.len()));
        self.say_more(out);
        Ok(())
    }

    fn mail_line(&self, envelope: &Envelope<'_>) -> Box<[u8]> {
        let mut line = format!("MAIL FROM:{}", envelope.reverse_path);
        if self.capabilities.size && envelope.size_octets > 0 {
            line.push_str(&format!(" SIZE={}", envelope.size_octets));
        }
        if envelope.eight_bit && self.capabilities.eight_bit {
            line.push_str(" BODY=8BITMIME");
        }
        if envelope.needs_smtputf8() {
            line.push_str(" SMTPUTF8");
        }
        line.push_str("\r\n");
        line.into_bytes().into()
    }

    fn hello(&mut self, step: Step, out: &mut Vec<u8>) {
        let verb = if step == Step::Helo { "HELO" } else { "EHLO" };
        let name: String = self.settings.helo_name.chars().filter(char::is_ascii_graphic).collect();
        self.say(step, format!("{verb} {name}\r\n").as_bytes(), out);
    }

    fn say(&mut self, step: Step, line: &[u8], out: &mut Vec<u8>) {
        self.owed.push_back(step);
        out.extend_from_slice(line);
    }

    /// Sends the next command, or all of them where the peer takes them in
    /// one write.
    fn say_more(&mut self, out: &mut Vec<u8>) {
        let all = self.settings.pipelining && self.capabilities.pipelining;
        while let Some((step, line)) = self.later.pop_front() {
            self.say(step, &line, out);
            if !all {
                return;
            }
        }
    }

    /// 421: the peer closes. It is its answer to everything that is still
    /// owed.
    fn farewell(&mut self, step: Step, raw: RawReply) -> Result<ClientOutput, ClientError> {
        self.over = true;
        self.owed.clear();
        self.later.clear();
        let reply = raw.into_reply();
        match self.transaction.take() {
            Some(transaction) => Ok(ClientOutput::Done(transaction.broken_off(reply))),
            None if step == Step::Quit => Ok(ClientOutput::Closed),
            None => Err(ClientError::Refused(reply)),
        }
    }

    /// What a reply does, by what it replies to.
    fn replied(
        &mut self,
        step: Step,
        raw: RawReply,
        out: &mut Vec<u8>,
    ) -> Result<Option<ClientOutput>, ClientError> {
        let positive = (200..300).contains(&raw.code);
        match step {
            Step::Connection if positive => self.hello(Step::Ehlo, out),
            Step::Ehlo if positive => {
                self.capabilities = Capabilities::parse(raw.text.lines());
                return Ok(Some(ClientOutput::Ready));
            }
            Step::Ehlo if raw.code >= 500 => self.hello(Step::Helo, out),
            Step::Helo if positive => return Ok(Some(ClientOutput::Ready)),
            Step::Connection | Step::Ehlo | Step::Helo => {
                self.over = true;
                return Err(ClientError::Refused(raw.into_reply()));
            }
            Step::StartTls if positive => return Ok(Some(ClientOutput::StartTls)),
            Step::StartTls => {
                return Ok(Some(ClientOutput::StartTlsRefused(raw.into_reply())));
            }
            Step::Quit => {
                self.over = true;
                return Ok(Some(ClientOutput::Closed));
            }
            Step::Rset => self.say_more(out),
            Step::Mail | Step::Rcpt | Step::Data | Step::Content | Step::NoContent => {
                return Ok(self.transaction_replied(step, raw.into_reply(), out));
            }
            Step::Nothing => {}
        }
        Ok(None)
    }

    fn transaction_replied(
        &mut self,
        step: Step,
        reply: PeerReply,
        out: &mut Vec<u8>,
    ) -> Option<ClientOutput> {
        let transaction = self.transaction.as_mut()?;
        transaction.note(step, reply);
        if !self.owed.is_empty() {
            return None;
        }
        if transaction.is_refused(self.later.front().map(|(next, _)| *next)) {
            self.later.clear();
        }
        if !self.later.is_empty() {
            self.say_more(out);
            return None;
        }
        let output = self.offer_content(step, out);
        if output.is_none() && self.owed.is_empty() { self.finish() } else { output }
    }

    /// All commands are answered: whether, and how, the content goes out.
    fn offer_content(&mut self, step: Step, out: &mut Vec<u8>) -> Option<ClientOutput> {
        let transaction = self.transaction.as_mut()?;
        let wanted = transaction.has_recipients();
        match (step, transaction.content) {
            (Step::Data, _) if transaction.may_send() => {
                transaction.offered = true;
                if wanted {
                    self.owed.push_back(Step::Content);
                    return Some(ClientOutput::SendContent(ContentForm::Dotted));
                }
                // RFC 2920 section 3.1: DATA went out with the rest and the
                // peer took it without a recipient; it must see an end.
                self.say(Step::NoContent, b".\r\n", out);
                None
            }
            (Step::Mail | Step::Rcpt, Content::Chunk { octets }) if wanted => {
                transaction.offered = true;
                self.say(Step::Content, format!("BDAT {octets} LAST\r\n").as_bytes(), out);
                Some(ClientOutput::SendContent(ContentForm::Raw))
            }
            _ => None,
        }
    }

    fn finish(&mut self) -> Option<ClientOutput> {
        let transaction = self.transaction.take()?;
        self.leftover = transaction.leaves_something();
        transaction.into_report().map(ClientOutput::Done)
    }
}
