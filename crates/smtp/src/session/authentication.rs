//! AUTH (RFC 4954 section 4): who the client is, by its own proof.
//!
//! What stands behind AUTH in the same write is taken as its responses, as a
//! client that sent more could not have waited for the challenge either. An
//! exchange ends with one final reply, and it is that reply AUTH is counted
//! with.

use types::Reply;

use super::{Asked, Output, Question, Session, State};
use crate::credentials::{
    Credentials, InitialResponse, Mechanism, RESPONSE_OCTETS_MAX, ResponseFault, login_name,
};
use crate::replies;

type Step<'i> = Option<Output<'i>>;

/// What the next response is to say.
#[derive(Debug)]
pub(super) enum Exchange {
    /// PLAIN: all of it.
    Plain,
    /// LOGIN: the name.
    Name,
    /// LOGIN: the password of this name.
    Password(Box<str>),
}

impl Exchange {
    fn challenge(&self) -> Reply {
        match self {
            Exchange::Plain => replies::SAY_CREDENTIALS,
            Exchange::Name => replies::SAY_NAME,
            Exchange::Password(_) => replies::SAY_PASSWORD,
        }
    }
}

impl Session {
    /// AUTH.
    pub(super) fn auth<'i>(
        &mut self,
        mechanism: Option<Mechanism>,
        initial: Option<InitialResponse<'_>>,
        out: &mut Vec<u8>,
    ) -> Step<'i> {
        if let Some(refusal) = self.refuses_auth() {
            return self.protest(refusal, out);
        }
        let exchange = match mechanism {
            Some(Mechanism::Plain) => Exchange::Plain,
            Some(Mechanism::Login) => Exchange::Name,
            None => return self.protest(replies::MECHANISM_UNKNOWN, out),
        };
        match initial {
            Some(initial) => self.responded(exchange, initial.encoded(), out),
            None => self.challenge(exchange, out),
        }
    }

    /// Whether AUTH may be given, or what is said to it.
    fn refuses_auth(&self) -> Option<Reply> {
        Some(match &self.state {
            _ if !self.profile.auth() => replies::NOT_IMPLEMENTED,
            State::Greeted => replies::HELO_FIRST,
            _ if !self.tls => replies::AUTH_NEEDS_TLS,
            _ if self.authenticated => replies::AUTHENTICATED_ALREADY,
            State::Open(_) => replies::AUTH_IN_TRANSACTION,
            _ => return None,
        })
    }

    /// Whether AUTH is offered to this client.
    pub(super) fn offers_auth(&self) -> bool {
        self.profile.auth() && self.tls
    }

    fn challenge<'i>(&mut self, exchange: Exchange, out: &mut Vec<u8>) -> Step<'i> {
        replies::render(&exchange.challenge(), out);
        self.state = State::Authenticating(exchange);
        None
    }

    /// A line of the client inside the exchange.
    pub(super) fn response<'i>(&mut self, line: &[u8], out: &mut Vec<u8>) -> Step<'i> {
        let State::Authenticating(exchange) = std::mem::replace(&mut self.state, State::Ready)
        else {
            return None;
        };
        match line {
            _ if line.len() + 2 > RESPONSE_OCTETS_MAX => {
                self.give_up(replies::RESPONSE_TOO_LONG, out)
            }
            b"*" => self.give_up(replies::AUTH_CANCELLED, out),
            _ => self.responded(exchange, line, out),
        }
    }

    /// The exchange is over, by a mistake of the client or by its wish.
    pub(super) fn give_up<'i>(&mut self, reply: Reply, out: &mut Vec<u8>) -> Step<'i> {
        self.state = State::Ready;
        self.protest(reply, out)
    }

    fn responded<'i>(&mut self, exchange: Exchange, encoded: &[u8], out: &mut Vec<u8>) -> Step<'i> {
        let credentials = match exchange {
            Exchange::Plain => Credentials::plain(encoded),
            Exchange::Password(name) => Credentials::login(name, encoded),
            Exchange::Name => match login_name(encoded) {
                Ok(name) => return self.challenge(Exchange::Password(name), out),
                Err(fault) => Err(fault),
            },
        };
        match credentials {
            Ok(said) => Some(self.ask(Asked::Authenticate, Question::Authenticate(said))),
            Err(ResponseFault::Malformed) => self.protest(replies::RESPONSE_MALFORMED, out),
            Err(ResponseFault::ForAnother) => self.protest(replies::CREDENTIALS_INVALID, out),
        }
    }
}
