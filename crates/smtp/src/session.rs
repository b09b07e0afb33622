//! The server side of one connection, without I/O.
//!
//! A session is a machine that its caller turns: [`Session::advance`] is
//! shown the octets the client sent, takes what it can use of them, appends
//! replies to a buffer and returns the one thing the caller must do next. The
//! session keeps none of the input: what it did not take (a line that is not
//! complete, commands behind a question) the caller keeps and shows again
//! with what comes after it. So an idle session has no buffer at all, and a
//! client that sends without waiting fills nothing but the caller's buffer,
//! whose size is the caller's limit (at least
//! [`Session::input_octets_min`]).
//!
//! What only policy can decide is a [`Question`]; nothing is taken or
//! replied until [`Session::answer`]. The addresses in a question are handed
//! over, not kept: the envelope belongs to the caller, who must remember it
//! with its attempts anyway. What ends attempts without a question is an
//! [`Output::Ended`]. Which attempts a question or an end concerns is said in
//! each case, so that every attempt can end in exactly one event.
//!
//! ```text
//! loop {
//!     match session.advance(&mut input, &mut replies) {
//!         Output::Wait => break,                       // write, then read
//!         Output::Ask(question) => session.answer(decide(question), &mut replies),
//!         Output::DataBegan => {}
//!         Output::Content(octets) => message.extend(octets),
//!         Output::Ended(end) => finish(end),
//!         Output::StartTls => { write, handshake; session.tls_established() }
//!         Output::Close => { write; return }
//!     }
//! }
//! ```
//!
//! Replies are written when the caller must wait (RFC 2920 section 3.2):
//! before it reads, and before a question that takes long.

mod authentication;
mod conversation;
mod question;
mod tables;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use question::{Answer, End, Ends, MailQuestion, Question};

use crate::content_reader::ContentReader;
use crate::counts::Verb;
use crate::credentials::RESPONSE_OCTETS_MAX;
use crate::profile::SessionProfile;
use types::{Reason, Reply};

use authentication::Exchange;

/// The longest command line, which is the least a caller's input buffer must
/// hold; [`Session::input_octets_min`] says when it is more.
pub const INPUT_OCTETS_MIN: usize = crate::command::PATH_LINE_OCTETS_MAX;

/// What the caller must do next.
#[derive(Debug, PartialEq, Eq)]
pub enum Output<'i> {
    /// Nothing. Unless a question is open: write the replies, read, and show
    /// what is left of the input together with what came.
    Wait,
    /// Decide, then [`Session::answer`].
    Ask(Question),
    /// The client begins to send content, by DATA or by its first BDAT.
    DataBegan,
    /// Content, lines ended with CR LF, dots dropped. It always ends with
    /// CR LF before [`Question::EndOfData`] is asked.
    Content(&'i [u8]),
    /// The transaction, and with it the attempts named, is over without a
    /// reply of its own.
    Ended(End),
    /// Write the replies, do the TLS handshake, then
    /// [`Session::tls_established`] or [`Session::interrupt`]. What the client
    /// sent in clear text after STARTTLS is gone: whoever stands between
    /// could have put it there (RFC 3207 section 6).
    StartTls,
    /// Write the replies and close. Nothing comes after it.
    Close,
}

/// What happens to a connection from outside the dialogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interruption {
    /// The client was silent for longer than [`Session::awaits`] allows.
    TimedOut,
    /// The connection is gone.
    Lost,
    /// The TLS handshake failed; the connection is of no use any more.
    TlsFailed,
    /// We are stopping: end at the next point where no transaction is open.
    Draining,
    /// We are stopping now.
    Stopping,
}

/// Whom a session waits for, which says how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Awaits {
    /// The caller: an answer is due, or the connection is to be closed.
    Nothing,
    /// The client's first command.
    FirstCommand,
    /// The client's next command.
    Command,
    /// The client's content.
    Data,
    /// The TLS handshake.
    Handshake,
}

/// The server side of one connection.
#[derive(Debug)]
pub struct Session {
    profile: Arc<SessionProfile>,
    state: State,
    asked: Option<Asked>,
    helo: Option<Arc<str>>,
    esmtp: bool,
    tls: bool,
    authenticated: bool,
    line: LineState,
    draining: bool,
    /// The last MAIL or message was refused, so what the client had sent
    /// behind it in one write comes out of sequence (RFC 2920) and is not its
    /// mistake.
    refused_before: bool,
    history: History,
    commands: u32,
    commands_wrong: u32,
    /// The command that has no final reply yet, to be counted with it.
    verb: Option<Verb>,
}

/// Each state owns what exists in it, so that a recipient without a sender
/// cannot be written down.
#[derive(Debug, Default)]
enum State {
    /// Before the greeting.
    Connecting,
    /// Greeted, or TLS just established: no HELO name is known.
    Greeted,
    /// EHLO or HELO was accepted.
    Ready,
    /// MAIL was accepted.
    Open(Transaction),
    /// Inside DATA, or inside a chunk of BDAT.
    Content(Transaction, ContentReader, Source),
    /// The content is complete, or refused, and its answer is due.
    ContentEnded(Transaction),
    /// Inside a chunk that nobody wants.
    Dropping(Box<Dropping>),
    /// STARTTLS was accepted.
    Handshake,
    /// AUTH was accepted, and its next response is due.
    Authenticating(Exchange),
    /// Interrupted: what is open must end, with a reply of its own if the
    /// client still hears us.
    Interrupted { end: Option<End>, hears: bool },
    /// To be closed.
    #[default]
    Closed,
}

/// What a transaction is made of, as far as the protocol needs it.
#[derive(Debug, Default)]
struct Transaction {
    smtputf8: bool,
    recipients: u32,
    /// The reader of its chunks, between two of them.
    chunks: Option<ContentReader>,
}

/// What the content comes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Data,
    Chunk { last: bool },
}

/// A chunk that is read and dropped, because no chunk was due; its reply
/// waits for its end (RFC 3030 section 2).
#[derive(Debug)]
struct Dropping {
    left: u64,
    reply: Reply,
    back: State,
}

/// A question that is open, with what its answer changes.
#[derive(Debug)]
enum Asked {
    Connect,
    Helo {
        esmtp: bool,
    },
    Mail {
        smtputf8: bool,
    },
    Rcpt,
    Authenticate,
    /// The address is refused whatever the answer.
    Address,
    EndOfData,
    /// The message is refused whatever the answer.
    Message {
        closes: bool,
    },
    /// The connection is closed whatever the answer.
    Connection {
        early: bool,
    },
}

/// How the line begins that comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LineState {
    /// At its start.
    Start,
    /// In the middle of one that is too long.
    TooLong,
    /// Behind a bare LF, which does not end a line: what follows belongs to
    /// the same bad line.
    Broken,
}

/// How far the connection ever came, which says how its end is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum History {
    /// No MAIL was accepted.
    Unused,
    /// MAIL was accepted, no attempt was asked about.
    Offered,
    /// There was an attempt, which has or will have its own event.
    Attempted,
}

impl Session {
    /// The session of a connection that was just accepted. The first output
    /// is the question whether to greet it.
    pub fn new(profile: Arc<SessionProfile>) -> Self {
        Session {
            profile,
            state: State::Connecting,
            asked: None,
            helo: None,
            esmtp: false,
            tls: false,
            authenticated: false,
            line: LineState::Start,
            draining: false,
            refused_before: false,
            history: History::Unused,
            commands: 0,
            commands_wrong: 0,
            verb: None,
        }
    }

    /// Takes what it can of `input`, appends replies to `out` and returns
    /// what to do next; to be called until it returns [`Output::Wait`] or
    /// [`Output::Close`].
    ///
    /// While a question is open nothing is taken and the output is `Wait`.
    /// The one exception is input while [`Question::Connect`] is open: the
    /// client talks before it was greeted, which takes the question back and
    /// asks to refuse it.
    pub fn advance<'i>(&mut self, input: &mut &'i [u8], out: &mut Vec<u8>) -> Output<'i> {
        loop {
            let before = out.len();
            let output = self.step(input, out);
            self.count(out, before);
            if let Some(output) = output {
                return output;
            }
        }
    }

    /// Gives the answer to the open question. Without an open question it has
    /// no effect.
    pub fn answer(&mut self, answer: Answer, out: &mut Vec<u8>) {
        if let Some(asked) = self.asked.take() {
            let before = out.len();
            self.answered(asked, answer, out);
            self.count(out, before);
        }
    }

    /// Counts the open command if what was written since ends it.
    fn count(&mut self, out: &[u8], before: usize) {
        if let Some(written) = out.get(before..) {
            self.profile.counts().answered(&mut self.verb, written);
        }
    }

    /// The handshake succeeded: the client starts over with EHLO, and what it
    /// said before is forgotten (RFC 3207 section 4.2).
    pub fn tls_established(&mut self) {
        if let State::Handshake = self.state {
            self.tls = true;
            self.helo = None;
            self.esmtp = false;
            self.state = State::Greeted;
        }
    }

    /// Tells the session what happened to the connection. An open question is
    /// taken back, and its recipient is among those the following
    /// [`Output::Ended`] or [`Question::EndConnection`] concerns. A message
    /// that is being committed must be answered first.
    pub fn interrupt(&mut self, why: Interruption) {
        match why {
            Interruption::Draining => self.draining = true,
            Interruption::TimedOut => {
                let inside = self.has_transaction();
                let reason =
                    if inside { Reason::ClientTimedOut } else { Reason::ConnectionTimedOut };
                self.break_off(reason, true);
            }
            Interruption::Stopping => self.break_off(Reason::SystemStopping, true),
            Interruption::TlsFailed => self.break_off(Reason::TlsFailed, false),
            Interruption::Lost => {
                let reason = if self.has_content_begun() {
                    Reason::DataEndedEarly
                } else {
                    Reason::ClientDropped
                };
                self.break_off(reason, false);
            }
        }
    }

    /// Whom the session waits for.
    pub fn awaits(&self) -> Awaits {
        if self.asked.is_some() {
            return Awaits::Nothing;
        }
        match self.state {
            State::Greeted if self.commands == 0 => Awaits::FirstCommand,
            State::Greeted | State::Ready | State::Authenticating(_) => Awaits::Command,
            State::Open(ref transaction) if transaction.chunks.is_some() => Awaits::Data,
            State::Open(_) => Awaits::Command,
            State::Content(..) | State::Dropping { .. } => Awaits::Data,
            State::Handshake => Awaits::Handshake,
            State::Connecting
            | State::ContentEnded(_)
            | State::Interrupted { .. }
            | State::Closed => Awaits::Nothing,
        }
    }

    /// The argument of the last EHLO or HELO, as sent.
    pub fn helo(&self) -> Option<&Arc<str>> {
        self.helo.as_ref()
    }

    /// Whether it was EHLO.
    pub fn is_esmtp(&self) -> bool {
        self.esmtp
    }

    /// Whether the connection is encrypted by STARTTLS.
    pub fn is_tls(&self) -> bool {
        self.tls
    }

    /// Whether the client proved who it is.
    pub fn is_authenticated(&self) -> bool {
        self.authenticated
    }

    /// The least the caller's input buffer must hold now: the longest line
    /// that can come next, in octets.
    pub fn input_octets_min(&self) -> usize {
        match self.state {
            State::Authenticating(_) => RESPONSE_OCTETS_MAX,
            _ => INPUT_OCTETS_MIN,
        }
    }

    /// Whether MAIL was accepted and its transaction is not over.
    pub fn has_transaction(&self) -> bool {
        self.state.transaction().is_some()
    }

    fn has_content_begun(&self) -> bool {
        matches!(self.state, State::Content(..))
            || self.state.transaction().is_some_and(|open| open.chunks.is_some())
    }
}

impl State {
    fn transaction(&self) -> Option<&Transaction> {
        match self {
            State::Open(open) | State::Content(open, ..) | State::ContentEnded(open) => Some(open),
            State::Dropping(dropping) => dropping.back.transaction(),
            State::Connecting
            | State::Greeted
            | State::Ready
            | State::Handshake
            | State::Authenticating(_)
            | State::Interrupted { .. }
            | State::Closed => None,
        }
    }
}
