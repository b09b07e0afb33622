//! One step of a session: what is done with the next octets, by state.

use memchr::memchr;
use types::{Reason, Reply};

use super::{
    Asked, Dropping, End, Ends, History, LineState, Output, Question, Session, Source, State,
};
use crate::command::{Chunk, Command};
use crate::content_reader::{ContentFault, ContentReader, Piece};
use crate::counts::Verb;
use crate::replies::{self, RESPONSE_TOO_LONG};

impl Session {
    /// Does one thing. Nothing returned means that there may be more to do.
    pub(super) fn step<'i>(
        &mut self,
        input: &mut &'i [u8],
        out: &mut Vec<u8>,
    ) -> Option<Output<'i>> {
        if let Some(asked) = &self.asked {
            let talks_early = matches!(asked, Asked::Connect) && !input.is_empty();
            return Some(if talks_early { self.talks_early() } else { Output::Wait });
        }
        match &self.state {
            State::Connecting => Some(self.ask(Asked::Connect, Question::Connect)),
            State::Greeted | State::Ready if self.draining => {
                Some(self.end_connection(Reason::SystemStopping))
            }
            State::Greeted | State::Ready | State::Open(_) if self.is_over_limit() => {
                Some(self.end_connection(Reason::ProtocolErrors))
            }
            State::Greeted | State::Ready | State::Open(_) | State::Authenticating(_) => {
                self.line(input, out)
            }
            State::Content(..) => self.content(input, out),
            State::Dropping(_) => self.drop_chunk(input, out),
            State::Interrupted { .. } => self.interrupted(),
            State::ContentEnded(_) | State::Handshake => Some(Output::Wait),
            State::Closed => {
                *input = &[];
                Some(Output::Close)
            }
        }
    }

    /// Opens a question.
    pub(super) fn ask<'i>(&mut self, asked: Asked, question: Question) -> Output<'i> {
        self.asked = Some(asked);
        Output::Ask(question)
    }

    fn talks_early<'i>(&mut self) -> Output<'i> {
        let end = End {
            reason: Reason::ClientEarlyTalker,
            ends: Ends::Connection,
            other_protocol: false,
        };
        self.ask(Asked::Connection { early: true }, Question::EndConnection(end))
    }

    pub(super) fn end_connection<'i>(&mut self, reason: Reason) -> Output<'i> {
        let end = End { reason, ends: self.ends(), other_protocol: false };
        self.ask(Asked::Connection { early: false }, Question::EndConnection(end))
    }

    /// Whoever speaks HTTP to us does so on behalf of an attacker, and the
    /// body that follows is full of what he wants executed.
    pub(super) fn speaks_another_protocol<'i>(&mut self) -> Output<'i> {
        let end = End { reason: Reason::ProtocolErrors, ends: self.ends(), other_protocol: true };
        self.ask(Asked::Connection { early: false }, Question::EndConnection(end))
    }

    fn is_over_limit(&self) -> bool {
        let limits = self.profile.limits();
        self.commands_wrong >= limits.commands_wrong_max || self.commands >= limits.commands_max
    }

    /// Which attempts end if the connection ends now.
    fn ends(&self) -> Ends {
        let address_asked = matches!(self.asked, Some(Asked::Rcpt | Asked::Address));
        let recipients = self.state.transaction().map_or(0, |open| open.recipients);
        if recipients > 0 || address_asked {
            Ends::Recipients
        } else if self.history < History::Attempted {
            Ends::Connection
        } else {
            Ends::Nothing
        }
    }

    /// Ends whatever the session is doing.
    pub(super) fn break_off(&mut self, reason: Reason, hears: bool) {
        if let State::Interrupted { hears: still_hears, .. } = &mut self.state {
            // The first cause stays; but whoever is gone hears no farewell.
            *still_hears &= hears;
            self.asked = None;
            return;
        }
        if matches!(self.state, State::Closed) {
            return;
        }
        let end = End { reason, ends: self.ends(), other_protocol: false };
        // Half a handshake is no channel for a reply.
        let hears = hears && !matches!(self.state, State::Handshake);
        let told = hears || self.has_transaction() || end.ends != Ends::Nothing;
        self.asked = None;
        self.state = State::Interrupted { end: told.then_some(end), hears };
    }

    fn interrupted<'i>(&mut self) -> Option<Output<'i>> {
        let State::Interrupted { end, hears } = &mut self.state else { return None };
        let farewell = end.filter(|_| *hears);
        if let Some(end) = farewell {
            return Some(
                self.ask(Asked::Connection { early: false }, Question::EndConnection(end)),
            );
        }
        match end.take() {
            Some(end) => Some(Output::Ended(end)),
            None => {
                self.state = State::Closed;
                None
            }
        }
    }

    /// Takes a command line, or a response of AUTH. Only CR LF ends one.
    fn line<'i>(&mut self, input: &mut &'i [u8], out: &mut Vec<u8>) -> Option<Output<'i>> {
        let whole = *input;
        let Some(at) = memchr(b'\n', whole) else {
            self.line_incomplete(input);
            return Some(Output::Wait);
        };
        let (line, after) = whole.split_at(at);
        let too_long = self.line == LineState::TooLong || at >= self.input_octets_min();
        let ended = line.strip_suffix(b"\r");
        let authenticates = matches!(self.state, State::Authenticating(_));
        match (ended, self.line) {
            (Some(line), LineState::Start) if authenticates => {
                *input = after.split_at(1).1;
                return self.response(line, out);
            }
            (Some(line), LineState::Start) => return self.command_line(line, input, out),
            _ => *input = after.split_at(1).1,
        }
        self.line = if ended.is_some() { LineState::Start } else { LineState::Broken };
        if authenticates {
            return self.give_up(if too_long { RESPONSE_TOO_LONG } else { replies::BAD_LINE }, out);
        }
        self.verb = Some(Verb::Other);
        self.commands = self.commands.saturating_add(1);
        self.protest(if too_long { replies::LINE_TOO_LONG } else { replies::BAD_LINE }, out)
    }

    /// Drops the beginning of a line that is too long already.
    fn line_incomplete(&mut self, input: &mut &[u8]) {
        if self.line == LineState::TooLong || input.len() >= self.input_octets_min() {
            self.line = LineState::TooLong;
            // The CR is kept: whether the line ends depends on what follows.
            let keep = usize::from(input.last() == Some(&b'\r'));
            *input = input.split_at(input.len() - keep).1;
        }
    }

    fn command_line<'i>(
        &mut self,
        line: &[u8],
        input: &mut &'i [u8],
        out: &mut Vec<u8>,
    ) -> Option<Output<'i>> {
        let parsed = Command::parse(line);
        // A command that ends a transaction is taken only after that end has
        // been told, so that one step has one output.
        if let Some(end) = parsed.as_ref().ok().and_then(|command| self.abandoned_by(command)) {
            return Some(Output::Ended(end));
        }
        *input = input.split_at(line.len() + 2).1;
        self.verb = Some(Verb::of(&parsed));
        self.commands = self.commands.saturating_add(1);
        let output = match parsed {
            Ok(command) => self.command(command, out),
            Err(error) => self.refused(error, out),
        };
        if matches!(self.state, State::Handshake) {
            *input = &[];
        }
        output
    }

    /// What ends if the client gives `command`: the open transaction, and at
    /// QUIT the connection.
    fn abandoned_by(&mut self, command: &Command<'_>) -> Option<End> {
        let quits = match command {
            Command::Quit => true,
            Command::Rset | Command::Ehlo(_) | Command::Helo(_) => false,
            Command::StartTls if self.can_start_tls() => false,
            _ => return None,
        };
        let ends = match self.ends() {
            Ends::Connection if !quits => Ends::Nothing,
            ends => ends,
        };
        let open = matches!(self.state, State::Open(_));
        if !open && (!quits || ends == Ends::Nothing) {
            return None;
        }
        let unused = !open && self.history == History::Unused;
        if open {
            self.state = State::Ready;
        }
        if quits {
            self.history = History::Attempted;
        }
        let reason = if unused { Reason::ConnectionUnused } else { Reason::TransactionAbandoned };
        Some(End { reason, ends, other_protocol: false })
    }

    /// A mistake of the client: answered by the protocol, and counted, unless
    /// it only comes of sending several commands in one write.
    pub(super) fn protest<'i>(&mut self, reply: Reply, out: &mut Vec<u8>) -> Option<Output<'i>> {
        let excused = reply == replies::NO_RECIPIENTS
            || (self.refused_before && reply == replies::BAD_SEQUENCE);
        if !excused {
            self.commands_wrong = self.commands_wrong.saturating_add(1);
        }
        replies::render(&reply, out);
        None
    }

    /// Takes content.
    fn content<'i>(&mut self, input: &mut &'i [u8], out: &mut Vec<u8>) -> Option<Output<'i>> {
        let State::Content(_, reader, _) = &mut self.state else { return None };
        match reader.advance(input) {
            Piece::Content(octets) => Some(Output::Content(octets)),
            Piece::More => Some(Output::Wait),
            Piece::Broken(fault) => self.refuse_message(fault, true),
            Piece::End => self.content_end(out),
        }
    }

    /// The final dot, or the end of a chunk.
    fn content_end<'i>(&mut self, out: &mut Vec<u8>) -> Option<Output<'i>> {
        let State::Content(_, reader, source) = &mut self.state else { return None };
        if let Some(fault) = reader.fault() {
            return self.refuse_message(fault, false);
        }
        match source {
            Source::Data => self.ask_end_of_data(),
            Source::Chunk { last: true } => match reader.finish_chunks() {
                Ok(b"") => self.ask_end_of_data(),
                Ok(line_end) => Some(Output::Content(line_end)),
                Err(fault) => self.refuse_message(fault, true),
            },
            Source::Chunk { last: false } => {
                if let State::Content(mut open, reader, _) = std::mem::take(&mut self.state) {
                    open.chunks = Some(reader);
                    self.state = State::Open(open);
                    replies::render(&replies::CHUNK_OK, out);
                }
                None
            }
        }
    }

    fn ask_end_of_data<'i>(&mut self) -> Option<Output<'i>> {
        let octets = self.end_content()?;
        Some(self.ask(Asked::EndOfData, Question::EndOfData { octets }))
    }

    fn refuse_message<'i>(&mut self, fault: ContentFault, closes: bool) -> Option<Output<'i>> {
        let octets = self.end_content()?;
        let question = Question::RefuseMessage { fault, octets, closes };
        Some(self.ask(Asked::Message { closes }, question))
    }

    /// Leaves the content and returns its size.
    fn end_content(&mut self) -> Option<u64> {
        let State::Content(open, reader, _) = std::mem::take(&mut self.state) else { return None };
        self.state = State::ContentEnded(open);
        Some(reader.octets())
    }

    /// BDAT: whatever its fate, its octets follow (RFC 3030 section 2).
    pub(super) fn chunk<'i>(&mut self, chunk: Chunk) -> Option<Output<'i>> {
        let reply = match &self.state {
            State::Greeted => replies::HELO_FIRST,
            State::Open(open) if open.recipients > 0 => return self.begin_chunk(chunk),
            State::Open(_) => replies::NO_RECIPIENTS,
            _ => replies::BAD_SEQUENCE,
        };
        if ContentReader::chunks(self.profile.limits().content).is_beyond_reading(chunk.octets) {
            return Some(self.end_connection(Reason::ProtocolErrors));
        }
        let back = std::mem::take(&mut self.state);
        self.state = State::Dropping(Box::new(Dropping { left: chunk.octets, reply, back }));
        None
    }

    fn begin_chunk<'i>(&mut self, chunk: Chunk) -> Option<Output<'i>> {
        let State::Open(mut open) = std::mem::take(&mut self.state) else { return None };
        let first = open.chunks.is_none();
        let limits = self.profile.limits().content;
        let mut reader = open.chunks.take().unwrap_or_else(|| ContentReader::chunks(limits));
        let beyond = reader.is_beyond_reading(chunk.octets);
        reader.chunk(chunk.octets);
        self.state = State::Content(open, reader, Source::Chunk { last: chunk.last });
        if beyond {
            return self.refuse_message(ContentFault::TooLarge, true);
        }
        first.then_some(Output::DataBegan)
    }

    fn drop_chunk<'i>(&mut self, input: &mut &'i [u8], out: &mut Vec<u8>) -> Option<Output<'i>> {
        let State::Dropping(dropping) = &mut self.state else { return None };
        let used = usize::try_from(dropping.left).unwrap_or(usize::MAX).min(input.len());
        dropping.left = dropping.left.saturating_sub(used as u64);
        *input = input.split_at(used).1;
        if dropping.left > 0 {
            return Some(Output::Wait);
        }
        if let State::Dropping(dropping) = std::mem::take(&mut self.state) {
            self.state = dropping.back;
            return self.protest(dropping.reply, out);
        }
        None
    }
}
