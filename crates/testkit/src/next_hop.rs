//! A mail server behind the gateway, or one that a bounce goes to: our own
//! server session, answering by a list of rules. What it was given is what
//! has arrived.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use smtp::session::MailQuestion;
use smtp::{Answer, Interruption, Output, Question, Session, SessionLimits, SessionProfile};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::task::{JoinHandle, JoinSet};
use types::{EnhancedCode, ForwardPath, Reply};
use world::simulated::{SimulatedListener, SimulatedNetwork};

/// A message that a next hop has taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Who took it.
    pub host: String,
    /// The reverse-path; empty for the null one.
    pub from: String,
    /// The recipients of the transaction.
    pub to: Vec<String>,
    /// The content, dots undone.
    pub content: Vec<u8>,
}

/// A simulated mail server. Clones are the same server.
#[derive(Clone)]
pub struct NextHop(Arc<Server>);

struct Server {
    name: String,
    at: SocketAddr,
    network: SimulatedNetwork,
    behaviour: Mutex<Behaviour>,
    taken: Mutex<Vec<Delivery>>,
    listening: Mutex<Option<JoinHandle<()>>>,
}

/// How it answers; the first rule that fits counts, else it agrees.
#[derive(Clone, Debug)]
struct Behaviour {
    rules: Vec<Rule>,
    smtputf8: bool,
}

#[derive(Clone, Debug)]
struct Rule {
    /// `CONNECT`, `MAIL`, `RCPT` or `DATA` (after the final dot).
    step: String,
    /// The address it is about; any if absent.
    address: Option<String>,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    Say(Reply),
    Drop,
    Hang,
}

impl NextHop {
    /// A server that agrees to everything, listening at `at`.
    pub fn new(name: &str, at: SocketAddr, network: &SimulatedNetwork) -> Self {
        let hop = NextHop(Arc::new(Server {
            name: name.to_owned(),
            at,
            network: network.clone(),
            behaviour: Mutex::new(Behaviour { rules: Vec::new(), smtputf8: true }),
            taken: Mutex::default(),
            listening: Mutex::default(),
        }));
        hop.revive();
        hop
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Changes its behaviour: `accepts`, `dead`, `silent`, `without
    /// SMTPUTF8`, or a rule such as `RCPT bob@corp.example 550 5.1.1 Who?`,
    /// `MAIL 451 4.3.2 Busy`, `DATA drops`, `RCPT hangs`.
    ///
    /// # Errors
    /// The text is none of these.
    pub fn behave(&self, text: &str) -> Result<(), String> {
        match text {
            "accepts" => self.revive(),
            "dead" => self.die(),
            "silent" => {
                self.die();
                self.0.network.silence(self.0.at);
            }
            "without SMTPUTF8" => lock(&self.0.behaviour).smtputf8 = false,
            _ => {
                let rule = Rule::parse(text).ok_or_else(|| format!("not a behaviour: {text}"))?;
                lock(&self.0.behaviour).rules.push(rule);
            }
        }
        Ok(())
    }

    /// Goes away: its connections are cut and new ones refused.
    pub fn die(&self) {
        if let Some(listening) = lock(&self.0.listening).take() {
            listening.abort();
        }
    }

    /// Listens, if it was dead, and agrees to everything.
    pub fn revive(&self) {
        *lock(&self.0.behaviour) = Behaviour { rules: Vec::new(), smtputf8: true };
        let mut listening = lock(&self.0.listening);
        if listening.is_none() {
            let listener = self.0.network.listen(self.0.at);
            *listening = Some(tokio::spawn(listen(self.clone(), listener)));
        }
    }

    /// What it has taken, in order.
    pub fn taken(&self) -> Vec<Delivery> {
        lock(&self.0.taken).clone()
    }

    /// What it does at a step about an address.
    fn does(&self, step: &str, address: &str) -> Option<What> {
        let behaviour = lock(&self.0.behaviour);
        let fits = |rule: &&Rule| {
            let same = |own: &String| own.eq_ignore_ascii_case(address);
            rule.step == step && rule.address.as_ref().is_none_or(same)
        };
        behaviour.rules.iter().find(fits).map(|rule| rule.what.clone())
    }
}

impl Rule {
    fn parse(text: &str) -> Option<Rule> {
        let (step, rest) = text.split_once(' ')?;
        if !["CONNECT", "MAIL", "RCPT", "DATA"].contains(&step) {
            return None;
        }
        let (address, rest) = match rest.split_once(' ') {
            Some((address, rest)) if address.contains('@') => (Some(address.to_owned()), rest),
            _ => (None, rest),
        };
        let what = match rest {
            "drops" => What::Drop,
            "hangs" => What::Hang,
            reply => What::Say(read_reply(reply)?),
        };
        Some(Rule { step: step.to_owned(), address, what })
    }
}

/// `550 5.1.1 No such user`, with or without the enhanced code.
fn read_reply(text: &str) -> Option<Reply> {
    let (code, rest) = text.split_once(' ')?;
    let (enhanced, rest) = match rest.split_once(' ') {
        Some((word, tail)) => match word.parse::<EnhancedCode>() {
            Ok(enhanced) => (Some(enhanced), tail),
            Err(()) => (None, rest),
        },
        None => (None, rest),
    };
    Some(Reply { code: code.parse().ok()?, enhanced, text: rest.to_owned().into() })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes connections; those under way end with it.
async fn listen(hop: NextHop, mut listener: SimulatedListener) {
    let mut guests = JoinSet::new();
    while let Some((stream, _)) = listener.accept().await {
        while guests.try_join_next().is_some() {}
        guests.spawn(Guest::new(hop.clone()).serve(stream));
    }
}

/// One connection.
struct Guest {
    hop: NextHop,
    session: Session,
    from: String,
    to: Vec<String>,
    content: Vec<u8>,
    /// What became of the connection beyond the protocol.
    fate: Fate,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    GoesOn,
    Drops,
    Hangs,
}

impl Guest {
    fn new(hop: NextHop) -> Self {
        let profile = SessionProfile::new(hop.name(), false, SessionLimits::default());
        Guest {
            session: Session::new(Arc::new(profile)),
            hop,
            from: String::new(),
            to: Vec::new(),
            content: Vec::new(),
            fate: Fate::GoesOn,
        }
    }

    async fn serve(mut self, mut stream: DuplexStream) {
        let (mut input, mut replies) = (Vec::new(), Vec::new());
        loop {
            let over = self.advance(&mut input, &mut replies);
            let said = self.said(&mut replies);
            match self.fate {
                Fate::Hangs => std::future::pending().await,
                Fate::Drops => return,
                Fate::GoesOn => {}
            }
            if stream.write_all(&said).await.is_err() || over {
                return;
            }
            match stream.read_buf(&mut input).await {
                Ok(octets) if octets > 0 => {}
                _ => self.session.interrupt(Interruption::Lost),
            }
        }
    }

    /// What is written, without the extensions it does not offer.
    fn said(&self, replies: &mut Vec<u8>) -> Vec<u8> {
        let said = std::mem::take(replies);
        if lock(&self.hop.0.behaviour).smtputf8 {
            return said;
        }
        String::from_utf8_lossy(&said).replace("250-SMTPUTF8\r\n", "").into_bytes()
    }

    /// Lets the session take what came; whether the connection is over.
    fn advance(&mut self, input: &mut Vec<u8>, replies: &mut Vec<u8>) -> bool {
        let octets = std::mem::take(input);
        let mut left = octets.as_slice();
        let over = loop {
            match self.session.advance(&mut left, replies) {
                Output::Wait => break false,
                Output::Ask(question) => {
                    let answer = self.answer(question);
                    self.session.answer(answer, replies);
                }
                Output::Content(piece) => self.content.extend_from_slice(piece),
                Output::DataBegan => self.content.clear(),
                Output::Ended(_) => {}
                Output::StartTls | Output::Close => break true,
            }
            if self.fate != Fate::GoesOn {
                break true;
            }
        };
        *input = left.to_vec();
        over
    }

    fn answer(&mut self, question: Question) -> Answer {
        match question {
            Question::Connect => self.act("CONNECT", "", |_| {}),
            Question::Helo { .. } => Answer::Proceed,
            Question::Mail(MailQuestion { reverse_path, .. }) => {
                let from = reverse_path.as_str().to_owned();
                self.act("MAIL", &from.clone(), |guest| {
                    guest.from = from;
                    guest.to.clear();
                })
            }
            Question::Rcpt(recipient) => {
                let to = ForwardPath::as_str(&recipient).to_owned();
                self.act("RCPT", &to.clone(), |guest| guest.to.push(to))
            }
            Question::EndOfData { .. } => {
                let from = self.from.clone();
                self.act("DATA", &from, Guest::take)
            }
            Question::MalformedSender(_)
            | Question::MalformedRecipient(_)
            | Question::UnfitSender(..)
            | Question::UnfitRecipient(..)
            | Question::TooManyRecipients(_)
            | Question::Authenticate(_)
            | Question::RefuseMessage { .. } => Answer::Refuse(CANNOT),
            Question::EndConnection(_) => Answer::RefuseAndClose(CANNOT),
        }
    }

    fn act(&mut self, step: &str, address: &str, agree: impl FnOnce(&mut Self)) -> Answer {
        match self.hop.does(step, address) {
            None => {
                agree(self);
                Answer::Proceed
            }
            Some(What::Say(reply)) => Answer::Refuse(reply),
            Some(What::Drop) => {
                self.fate = Fate::Drops;
                Answer::Close
            }
            Some(What::Hang) => {
                self.fate = Fate::Hangs;
                Answer::Close
            }
        }
    }

    fn take(&mut self) {
        let delivery = Delivery {
            host: self.hop.name().to_owned(),
            from: std::mem::take(&mut self.from),
            to: std::mem::take(&mut self.to),
            content: std::mem::take(&mut self.content),
        };
        lock(&self.hop.0.taken).push(delivery);
    }
}

const CANNOT: Reply = Reply::fixed(554, Some(EnhancedCode(5, 5, 0)), "Cannot take this");
