//! One visit, from dialling to hanging up.
//!
//! Who behaves speaks through [`smtp::ClientSession`], as our own delivery
//! does; who does not speaks in bare lines.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use smtp::{ClientOutput, ClientSession, ClientSettings, ContentForm, DeliveryReport, Envelope};
use tokio_rustls::TlsConnector;
use world::{Authorities, Clock, Dial, DialOptions};

use crate::errand::{Act, Errand, Try, Way};
use crate::floor::Pass;
use crate::mishap::Mishap;
use crate::origin::{Origin, Side};
use crate::traffic::{Counters, Mail, add};
use crate::wire::Wire;

/// The ways into the gateway.
#[derive(Clone)]
pub struct Doors {
    /// Where it takes mail from the world.
    pub inbound: SocketAddr,
    /// Where it takes mail of those who prove who they are.
    pub submission: SocketAddr,
    /// Where mail servers ask about recipients.
    pub policy_service: SocketAddr,
    /// TLS with whoever has its certificate.
    pub(crate) tls: TlsConnector,
}

impl Doors {
    /// The doors at these addresses, of the gateway with this certificate.
    ///
    /// # Errors
    /// The certificate cannot be read. A sentence for whoever typed the
    /// command.
    pub fn new(
        inbound: SocketAddr,
        submission: SocketAddr,
        policy_service: SocketAddr,
        certificate: &Path,
    ) -> Result<Doors, String> {
        let tls = Authorities::only(certificate)?.connector()?;
        Ok(Doors { inbound, submission, policy_service, tls })
    }
}

impl std::fmt::Debug for Doors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Doors({}, {}, {})", self.inbound, self.submission, self.policy_service)
    }
}

/// Where visits take place.
pub(crate) struct Venue {
    pub(crate) doors: Doors,
    pub(crate) side: Side,
    pub(crate) dial: Arc<dyn Dial>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) counters: Counters,
}

/// Makes one try of an errand. What is left of it is to be tried again, if
/// there is a further try.
pub(crate) async fn visit(
    venue: &Venue,
    errand: &Errand,
    turn: Try,
    pass: &mut Pass,
) -> Option<Act> {
    let mut visitor = Visitor { venue, errand, turn, pass };
    match visitor.act().await {
        Ok(left) => left,
        Err(_) => {
            add(&venue.counters.failed, 1);
            match errand.act {
                Act::Send { .. } | Act::Ask(_) | Act::Break { .. } | Act::AskPolicy(_) => {
                    Some(errand.act.clone())
                }
                _ => None,
            }
        }
    }
}

pub(crate) struct Visitor<'v> {
    pub(crate) venue: &'v Venue,
    pub(crate) errand: &'v Errand,
    pub(crate) turn: Try,
    pub(crate) pass: &'v mut Pass,
}

/// What an act leaves to be tried again.
pub(crate) type Left = Option<Act>;

impl Visitor<'_> {
    async fn act(&mut self) -> io::Result<Left> {
        match &self.errand.act {
            Act::Send { mails, chunking } => {
                let left = self.send(mails, *chunking).await?;
                Ok((!left.is_empty()).then_some(Act::Send { mails: left, chunking: *chunking }))
            }
            Act::Ask(mail) => self.ask(mail).await,
            Act::Break { mail, mishap } => self.break_off(mail, *mishap).await,
            Act::Say { lines, recipients } => self.say(lines, *recipients).await,
            Act::Insist { lines, recipients } => {
                self.say(lines, *recipients).await?;
                Ok(Some(self.errand.act.clone()))
            }
            Act::Submit(submission) => self.submit(submission).await,
            Act::AskPolicy(mail) => self.ask_policy(mail).await,
            Act::TalkEarly => self.talk_early().await,
            Act::BreakTls => self.break_tls().await,
            Act::Encrypt(mail) => self.encrypt(mail).await,
            Act::Crowd(size) => self.crowd(*size).await,
            Act::KeepSilent => self.keep_silent().await,
            Act::Probe => self.probe().await,
        }
    }

    /// Connects to where mail from the world is taken, itself or through the
    /// balancer, which says who it is for (the PROXY protocol, version 1). It
    /// names addresses of outside even where all of it stays on this machine:
    /// of clients on the loopback interface no reputation is learned.
    async fn enter(&self) -> io::Result<Wire> {
        let mut wire = self.connect(self.venue.doors.inbound).await?;
        if self.errand.way == Way::Balanced {
            let client = self.turn.origin.address(Side::Simulated);
            let (family, to) = match client {
                IpAddr::V4(_) => ("TCP4", "192.0.2.25"),
                IpAddr::V6(_) => ("TCP6", "2001:db8::25"),
            };
            wire.say(&format!("PROXY {family} {client} {to} {CLIENT_PORT} 25")).await?;
        }
        Ok(wire)
    }

    pub(crate) async fn connect(&self, to: SocketAddr) -> io::Result<Wire> {
        add(&self.venue.counters.connections, 1);
        let from = match self.errand.way {
            Way::Direct => self.turn.origin,
            Way::Balanced => Origin::BALANCER,
        };
        let source = Some(from.address(self.venue.side));
        // IPv6 visitors reach the one simulated listener all the same.
        let options = DialOptions { source, ..DialOptions::default() };
        let connection = self.venue.dial.dial(to, options).await?;
        Ok(Wire::new(connection, Arc::clone(&self.venue.clock)))
    }

    /// Hands mails over one after the other; those left for later.
    async fn send(&self, mails: &[Mail], chunking: bool) -> io::Result<Vec<Mail>> {
        let settings =
            ClientSettings { helo_name: Arc::clone(&self.errand.helo), chunking, pipelining: true };
        let mut client = Client {
            session: ClientSession::new(settings),
            wire: self.enter().await?,
            out: Vec::new(),
        };
        let mut left = Vec::new();
        if !client.ready().await? {
            add(&self.venue.counters.attempts, 1);
            return Ok(mails.to_vec());
        }
        for (done, mail) in mails.iter().enumerate() {
            let content = mail.content.write(self.venue.clock.now());
            match client.transaction(mail, &content).await? {
                Some(report) => left.extend(self.settle(mail, &report)),
                None => {
                    // The gateway closes, or cannot take it at all.
                    left.extend(mails.iter().skip(done).cloned());
                    break;
                }
            }
        }
        // All is answered: who closes before we say goodbye (after malformed
        // line ends, say) owes nothing.
        let _ = client.quit().await;
        Ok(left)
    }

    /// Counts the answers; the mail with those who are to be tried again.
    fn settle(&self, mail: &Mail, report: &DeliveryReport) -> Option<Mail> {
        let counters = &self.venue.counters;
        add(&counters.attempts, report.recipients.len().max(1));
        let mut again = Vec::new();
        for (place, recipient) in mail.recipients.iter().enumerate() {
            let answer = report.decisive(place);
            if answer.is_positive() {
                add(&counters.accepted, 1);
            } else if answer.is_temporary() {
                add(&counters.deferred, 1);
                again.push(recipient.clone());
            } else {
                add(&counters.refused, 1);
            }
        }
        (!again.is_empty()).then(|| Mail { recipients: again, ..mail.clone() })
    }

    async fn ask(&self, mail: &Mail) -> io::Result<Left> {
        let mut wire = self.enter().await?;
        let accepted = self.envelope(&mut wire, mail).await?;
        wire.ask("RSET").await?;
        wire.ask("QUIT").await?;
        Ok((!accepted).then(|| self.errand.act.clone()))
    }

    async fn break_off(&mut self, mail: &Mail, mishap: Mishap) -> io::Result<Left> {
        let mut wire = self.enter().await?;
        if !self.envelope(&mut wire, mail).await? {
            wire.ask("QUIT").await?;
            return Ok(Some(self.errand.act.clone()));
        }
        if mishap.is_in_content() && wire.ask("DATA").await? == 354 {
            let content = mail.content.write(self.venue.clock.now());
            let half = content.len() / 2;
            wire.write(content.get(..half).unwrap_or_default()).await?;
        }
        if mishap.is_silence() {
            self.pass.park();
            wire.sit_out().await;
        }
        Ok(None)
    }

    /// EHLO, MAIL and RCPT in bare lines; whether it goes on. A recipient
    /// refused for good counts as going on: there is nothing to come back
    /// for.
    async fn envelope(&self, wire: &mut Wire, mail: &Mail) -> io::Result<bool> {
        wire.reply().await?;
        wire.ask(&format!("EHLO {}", self.errand.helo)).await?;
        wire.ask(&format!("MAIL FROM:{}", mail.reverse_path)).await?;
        let mut deferred = false;
        for recipient in &mail.recipients {
            let code = wire.ask(&format!("RCPT TO:{recipient}")).await?;
            add(&self.venue.counters.attempts, 1);
            deferred |= (400..500).contains(&code);
        }
        Ok(!deferred)
    }

    async fn say(&self, lines: &[String], recipients: usize) -> io::Result<Left> {
        add(&self.venue.counters.attempts, recipients.max(1));
        let mut wire = self.enter().await?;
        wire.reply().await?;
        for line in lines {
            // Who is thrown out in the middle has been served as it deserves.
            if wire.ask(line).await.is_err() {
                break;
            }
        }
        Ok(None)
    }

    async fn talk_early(&self) -> io::Result<Left> {
        add(&self.venue.counters.attempts, 1);
        let mut wire = self.enter().await?;
        wire.say(&format!("EHLO {}", self.errand.helo)).await?;
        let greeted = wire.reply().await?;
        if greeted == 220 {
            wire.reply().await?;
            wire.ask("QUIT").await?;
        }
        Ok(None)
    }

    async fn break_tls(&self) -> io::Result<Left> {
        add(&self.venue.counters.attempts, 1);
        let mut wire = self.enter().await?;
        wire.reply().await?;
        wire.ask(&format!("EHLO {}", self.errand.helo)).await?;
        if wire.ask("STARTTLS").await? == 220 {
            wire.say("this is not a TLS record and never will be").await?;
            wire.sit_out().await;
        } else {
            wire.ask("QUIT").await?;
        }
        Ok(None)
    }

    /// Offers a mail inside TLS; its server has nothing to show who it is.
    async fn encrypt(&self, mail: &Mail) -> io::Result<Left> {
        let mut wire = self.enter().await?;
        wire.reply().await?;
        let hello = format!("EHLO {}", self.errand.helo);
        wire.ask(&hello).await?;
        add(&self.venue.counters.attempts, 1);
        if wire.ask("STARTTLS").await? == 220 {
            wire.start_tls(&self.venue.doors.tls).await?;
            wire.ask(&hello).await?;
            let code = wire.ask(&format!("MAIL FROM:{}", mail.reverse_path)).await?;
            if (500..600).contains(&code) {
                add(&self.venue.counters.refused, 1);
            }
        }
        wire.ask("QUIT").await?;
        Ok(None)
    }

    async fn crowd(&self, size: usize) -> io::Result<Left> {
        add(&self.venue.counters.attempts, size);
        let mut wires = Vec::new();
        for _ in 0..size {
            let mut wire = self.enter().await?;
            // The greeting, so that the connection is counted before the next.
            let greeted = wire.reply().await?;
            wires.push((wire, greeted));
        }
        for (mut wire, greeted) in wires {
            if greeted == 220 {
                wire.ask("QUIT").await?;
            }
        }
        Ok(None)
    }

    /// Whether the gateway answers, as a balancer asks that was not told to
    /// send a header with its question.
    async fn probe(&self) -> io::Result<Left> {
        add(&self.venue.counters.attempts, 1);
        let mut wire = self.enter().await?;
        wire.say("QUIT").await?;
        // It is closed without a word.
        let _no_reply = wire.reply().await;
        Ok(None)
    }

    async fn keep_silent(&mut self) -> io::Result<Left> {
        add(&self.venue.counters.attempts, 1);
        let mut wire = self.enter().await?;
        wire.reply().await?;
        self.pass.park();
        wire.sit_out().await;
        Ok(None)
    }
}

/// The port that the balancer names.
const CLIENT_PORT: u16 = 40_000;

/// A client session with its connection.
struct Client {
    session: ClientSession,
    wire: Wire,
    out: Vec<u8>,
}

impl Client {
    /// Goes on until there is something to decide.
    async fn next(&mut self) -> io::Result<ClientOutput> {
        loop {
            let mut left = self.wire.input.as_slice();
            let output =
                self.session.advance(&mut left, &mut self.out).map_err(io::Error::other)?;
            let taken = self.wire.input.len() - left.len();
            self.wire.input.drain(..taken);
            let out = std::mem::take(&mut self.out);
            if !out.is_empty() {
                self.wire.write(&out).await?;
            }
            match output {
                ClientOutput::Wait => self.wire.read().await?,
                output => return Ok(output),
            }
        }
    }

    /// Waits for the greeting; whether there is one.
    async fn ready(&mut self) -> io::Result<bool> {
        match self.next().await {
            Ok(output) => Ok(output == ClientOutput::Ready),
            // A negative greeting is an answer, not a failure.
            Err(error) if error.kind() == io::ErrorKind::Other => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// One transaction; nothing if it could not be begun.
    async fn transaction(
        &mut self,
        mail: &Mail,
        content: &[u8],
    ) -> io::Result<Option<DeliveryReport>> {
        let envelope = Envelope {
            reverse_path: &mail.reverse_path,
            recipients: &mail.recipients,
            size_octets: content.len() as u64,
            eight_bit: !content.is_ascii(),
            smtputf8: false,
        };
        if self.session.send(&envelope, &mut self.out).is_err() {
            return Ok(None);
        }
        loop {
            match self.next().await? {
                ClientOutput::SendContent(ContentForm::Raw) => self.wire.write(content).await?,
                ClientOutput::SendContent(ContentForm::Dotted) => {
                    self.wire.content(content).await?
                }
                ClientOutput::Done(report) => return Ok(Some(report)),
                _ => return Ok(None),
            }
        }
    }

    async fn quit(&mut self) -> io::Result<()> {
        if self.session.is_ready() {
            self.session.quit(&mut self.out);
            self.next().await?;
        }
        Ok(())
    }
}
