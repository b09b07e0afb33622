//! The protocol as three tables: what a command does, what a line does that
//! is no command, and what an answer does. Whoever wants to check the session
//! against RFC 5321 section 4.3.2 reads these.

use std::sync::Arc;

use types::{ForwardPath, Reason, Reply, ReversePath};

use super::{
    Answer, Asked, History, MailQuestion, Output, Question, Session, Source, State, Transaction,
};
use crate::command::{Command, CommandError, Unfit};
use crate::content_reader::ContentReader;
use crate::parameters::MailParameters;
use crate::replies;

type Step<'i> = Option<Output<'i>>;

impl Session {
    /// What a command does. EHLO, HELO, RSET and QUIT find no open transaction
    /// any more: its end has been told before.
    pub(super) fn command<'i>(&mut self, command: Command<'_>, out: &mut Vec<u8>) -> Step<'i> {
        use Command as C;
        match (&self.state, command) {
            (_, C::Quit) => self.quit(out),
            (_, C::Noop | C::Rset) => self.reply(&replies::OK, out),
            (_, C::Vrfy) => self.reply(&replies::CANNOT_VERIFY, out),
            (_, C::Help) => {
                replies::help(out);
                None
            }
            (_, C::StartTls) => self.start_tls(out),
            (_, C::Ehlo(name)) => self.hello(name, true),
            (_, C::Helo(name)) => self.hello(name, false),
            (_, C::Bdat(chunk)) => self.chunk(chunk),
            (_, C::Auth(mechanism, initial)) => self.auth(mechanism, initial, out),
            (State::Greeted, C::Mail(..) | C::Rcpt(_) | C::Data) => {
                self.protest(replies::HELO_FIRST, out)
            }
            (State::Ready, C::Mail(path, MailParameters { auth: true, .. }))
                if !self.offers_auth() =>
            {
                self.address(Question::UnfitSender(path, Unfit::ParameterUnknown))
            }
            (State::Ready, C::Mail(reverse_path, parameters)) => {
                self.mail(reverse_path, parameters)
            }
            // RFC 5321 section 4.1.4: MAIL must not be sent while a transaction
            // is open, and the one that is open is not touched by it.
            (State::Open(_), C::Mail(..)) => self.protest(replies::NESTED_MAIL, out),
            (State::Open(open), C::Data) if open.chunks.is_some() => {
                self.protest(replies::DATA_AFTER_BDAT, out)
            }
            (State::Open(open), C::Rcpt(_)) if open.chunks.is_some() => {
                self.protest(replies::BAD_SEQUENCE, out)
            }
            (State::Open(open), C::Rcpt(path)) => {
                let needs_smtputf8 = path.address().is_some_and(|a| !a.is_ascii());
                if needs_smtputf8 && !open.smtputf8 {
                    return self.address(Question::UnfitRecipient(path, Unfit::NeedsSmtputf8));
                }
                let room = open.recipients < self.profile.limits().recipients_max;
                self.recipient(path, room)
            }
            (State::Open(open), C::Data) if open.recipients == 0 => {
                self.protest(replies::NO_RECIPIENTS, out)
            }
            (State::Open(_), C::Data) => self.data(out),
            (_, C::Mail(..) | C::Rcpt(_) | C::Data) => self.protest(replies::BAD_SEQUENCE, out),
        }
    }

    /// What a line does that is no command.
    pub(super) fn refused<'i>(&mut self, error: CommandError, out: &mut Vec<u8>) -> Step<'i> {
        use CommandError as E;
        let reply = match error {
            E::Unknown => replies::UNKNOWN_COMMAND,
            E::NotImplemented => replies::NOT_IMPLEMENTED,
            E::OtherProtocol => return Some(self.speaks_another_protocol()),
            // No row: of a line that is dropped as it comes, nobody knows whom
            // it named, and keeping it would give a stranger our memory.
            E::TooLong => replies::LINE_TOO_LONG,
            E::ControlCharacter => replies::BAD_LINE,
            E::Argument => replies::BAD_ARGUMENT,
            E::Sender(malformed) => {
                return self.refused_sender(Question::MalformedSender(malformed), out);
            }
            E::UnfitSender(path, unfit) => {
                return self.refused_sender(Question::UnfitSender(path, unfit), out);
            }
            E::Recipient(malformed) => {
                return self.refused_recipient(Question::MalformedRecipient(malformed), out);
            }
            E::UnfitRecipient(path, unfit) => {
                return self.refused_recipient(Question::UnfitRecipient(path, unfit), out);
            }
        };
        self.protest(reply, out)
    }

    /// MAIL that is refused for its address or what stands beside it.
    fn refused_sender<'i>(&mut self, question: Question, out: &mut Vec<u8>) -> Step<'i> {
        match self.state {
            State::Greeted => self.protest(replies::HELO_FIRST, out),
            _ => self.address(question),
        }
    }

    /// RCPT that is refused for its address or what stands beside it.
    fn refused_recipient<'i>(&mut self, question: Question, out: &mut Vec<u8>) -> Step<'i> {
        match &self.state {
            State::Greeted => self.protest(replies::HELO_FIRST, out),
            State::Open(open) if open.chunks.is_none() => self.address(question),
            _ => self.protest(replies::BAD_SEQUENCE, out),
        }
    }

    /// What an answer does.
    pub(super) fn answered(&mut self, asked: Asked, answer: Answer, out: &mut Vec<u8>) {
        let told = Told::from(answer);
        let refusal = || {
            let negative = told.reply.clone().filter(|reply| !reply.is_positive());
            negative.unwrap_or(replies::LOCAL_ERROR)
        };
        match (asked, told.yes) {
            (Asked::Connect | Asked::Connection { early: true }, true) => {
                let greeting = Arc::clone(&self.profile);
                self.go(State::Greeted, &told, greeting.greeting(), out);
            }
            (Asked::Helo { esmtp }, true) => {
                let profile = Arc::clone(&self.profile);
                let hello = if esmtp { profile.ehlo(self.tls) } else { profile.helo() };
                self.go(State::Ready, &told, hello, out);
            }
            (Asked::Mail { smtputf8 }, true) => {
                self.history = self.history.max(History::Offered);
                self.refused_before = false;
                self.state = State::Open(Transaction { smtputf8, ..Transaction::default() });
                replies::render(told.reply.as_ref().unwrap_or(&replies::SENDER_OK), out);
            }
            (Asked::Rcpt, true) => {
                if let State::Open(open) = &mut self.state {
                    open.recipients = open.recipients.saturating_add(1);
                }
                replies::render(told.reply.as_ref().unwrap_or(&replies::RECIPIENT_OK), out);
            }
            (Asked::Authenticate, true) => {
                self.authenticated = true;
                replies::render(&replies::AUTHENTICATED, out);
            }
            (Asked::EndOfData, true) => {
                self.state = State::Ready;
                replies::render(told.reply.as_ref().unwrap_or(&replies::ACCEPTED), out);
            }
            (Asked::Helo { .. }, false) => {
                self.history = History::Attempted;
                self.helo = None;
                self.state = State::Greeted;
                self.turn_down(&told, refusal(), out);
            }
            (Asked::Mail { .. }, false) => {
                self.history = History::Attempted;
                self.refused_before = true;
                self.turn_down(&told, refusal(), out);
            }
            (Asked::Authenticate, false) => self.turn_down_credentials(&told, refusal(), out),
            (Asked::Rcpt, false) | (Asked::Address, _) => {
                self.turn_down_address(&told, refusal(), out);
            }
            (Asked::EndOfData, false) | (Asked::Message { closes: false }, _) => {
                self.state = State::Ready;
                self.refused_before = true;
                self.turn_down(&told, refusal(), out);
            }
            (Asked::Connect | Asked::Message { .. } | Asked::Connection { .. }, _) => {
                self.turn_down(&told, refusal(), out);
                self.state = State::Closed;
            }
        }
    }

    /// Goes on with the caller's reply or the protocol's own octets.
    fn go(&mut self, state: State, told: &Told, own: &[u8], out: &mut Vec<u8>) {
        self.state = state;
        match &told.reply {
            Some(reply) => replies::render(reply, out),
            None => out.extend_from_slice(own),
        }
    }

    fn turn_down(&mut self, told: &Told, reply: Reply, out: &mut Vec<u8>) {
        if !told.silent {
            replies::render(&reply, out);
        }
        if told.closes {
            self.state = State::Closed;
        }
    }

    /// Refuses an address. The recipients accepted before it keep their
    /// transaction, even at a 421, which may be a next hop's and not ours; if
    /// the caller insists on closing, their end is told.
    fn turn_down_address(&mut self, told: &Told, reply: Reply, out: &mut Vec<u8>) {
        if !told.silent {
            replies::render(&reply, out);
        }
        if told.insists {
            self.break_off(Reason::SystemUnavailable, false);
        }
    }

    /// Refuses a name and password: a mistake like others, unless it is ours.
    fn turn_down_credentials(&mut self, told: &Told, reply: Reply, out: &mut Vec<u8>) {
        if reply.code >= 500 {
            self.commands_wrong = self.commands_wrong.saturating_add(1);
        }
        if !told.silent {
            replies::render(&reply, out);
        }
        if told.closes {
            self.break_off(Reason::SubmissionFailed, false);
        }
    }

    fn reply<'i>(&mut self, reply: &Reply, out: &mut Vec<u8>) -> Step<'i> {
        replies::render(reply, out);
        None
    }

    fn quit<'i>(&mut self, out: &mut Vec<u8>) -> Step<'i> {
        self.state = State::Closed;
        self.reply(&replies::BYE, out)
    }

    pub(super) fn can_start_tls(&self) -> bool {
        self.profile.starttls() && !self.tls
    }

    pub(super) fn start_tls<'i>(&mut self, out: &mut Vec<u8>) -> Step<'i> {
        if self.can_start_tls() {
            self.state = State::Handshake;
            replies::render(&replies::READY_FOR_TLS, out);
            return Some(Output::StartTls);
        }
        let refusal = if self.tls { replies::TLS_ACTIVE } else { replies::NOT_IMPLEMENTED };
        self.protest(refusal, out)
    }

    fn hello<'i>(&mut self, name: &str, esmtp: bool) -> Step<'i> {
        let name: Arc<str> = name.into();
        self.helo = Some(Arc::clone(&name));
        self.esmtp = esmtp;
        Some(self.ask(Asked::Helo { esmtp }, Question::Helo { name, esmtp }))
    }

    fn mail<'i>(&mut self, reverse_path: ReversePath, parameters: MailParameters) -> Step<'i> {
        let asked = Asked::Mail { smtputf8: parameters.smtputf8 };
        Some(self.ask(asked, Question::Mail(MailQuestion { reverse_path, parameters })))
    }

    fn recipient<'i>(&mut self, path: ForwardPath, room: bool) -> Step<'i> {
        self.history = History::Attempted;
        Some(if room {
            self.ask(Asked::Rcpt, Question::Rcpt(path))
        } else {
            self.ask(Asked::Address, Question::TooManyRecipients(path))
        })
    }

    /// A malformed or unfit address: a mistake like others, but one that is remembered.
    fn address<'i>(&mut self, question: Question) -> Step<'i> {
        self.history = History::Attempted;
        self.refused_before |= matches!(self.state, State::Ready);
        self.commands_wrong = self.commands_wrong.saturating_add(1);
        Some(self.ask(Asked::Address, question))
    }

    fn data<'i>(&mut self, out: &mut Vec<u8>) -> Step<'i> {
        let State::Open(open) = std::mem::take(&mut self.state) else { return None };
        let reader = ContentReader::data(self.profile.limits().content);
        self.state = State::Content(open, reader, Source::Data);
        replies::render(&replies::GO_AHEAD, out);
        Some(Output::DataBegan)
    }
}

/// An answer, taken apart.
struct Told {
    yes: bool,
    reply: Option<Reply>,
    /// The connection is closed, because the caller says so or the code does.
    closes: bool,
    /// The caller says so.
    insists: bool,
    silent: bool,
}

impl From<Answer> for Told {
    fn from(answer: Answer) -> Self {
        let (yes, reply, insists) = match answer {
            Answer::Proceed => (true, None, false),
            Answer::ProceedWith(reply) => (true, Some(reply), false),
            Answer::Refuse(reply) => (false, Some(reply), false),
            Answer::RefuseAndClose(reply) => (false, Some(reply), true),
            Answer::Close => {
                return Told { yes: false, reply: None, closes: true, insists: true, silent: true };
            }
        };
        let closes = insists || reply.as_ref().is_some_and(|reply| reply.code == 421);
        Told { yes, reply, closes, insists, silent: false }
    }
}
