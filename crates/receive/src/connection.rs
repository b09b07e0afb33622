//! Turns the session of one connection: reads, writes, waits, and carries
//! questions to the desk.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use smtp::{Answer, Interruption, Output, Question, Session};
use tokio::sync::watch;
use types::{CheckName, ClientFacts, Finding, Observed, Timestamp};
use world::{Clock, Sleep, Stream};

use crate::desk::Desk;
use crate::engine::Engine;
use crate::wire::Wire;

/// What the process wants of its connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wish {
    /// To go on.
    #[default]
    Serve,
    /// To end as soon as no transaction is open.
    Drain,
    /// To end now.
    Stop,
}

/// A client that has just connected.
pub struct Arrival<S> {
    /// What to read from and write to.
    pub stream: S,
    /// Who it is.
    pub client: ClientFacts,
    /// What was found before the dialogue.
    pub findings: Vec<Finding>,
    /// Octets of the dialogue that were read with a PROXY header.
    pub read: Vec<u8>,
}

/// Serves one connection to its end. Every attempt on it ends in one event.
pub async fn serve<S: Stream>(
    engine: Arc<Engine>,
    arrival: Arrival<S>,
    wishes: watch::Receiver<Wish>,
) {
    let desk = Desk::new(Arc::clone(&engine), arrival.client, arrival.findings);
    let session = Session::new(Arc::clone(desk.live.profile(desk.offers_auth())));
    let timer = Timer::new(&engine, desk.live.settings.timeouts.session);
    let mut connection = Connection {
        wire: Wire::Clear(arrival.stream),
        session,
        desk,
        input: arrival.read,
        replies: Vec::new(),
        timer,
        wishes,
        wish: Wish::Serve,
    };
    connection.run().await;
    connection.close().await;
}

struct Connection<S> {
    wire: Wire<S>,
    session: Session,
    desk: Desk,
    /// What the client sent and the session has not taken.
    input: Vec<u8>,
    /// What is to be written.
    replies: Vec<u8>,
    timer: Timer,
    wishes: watch::Receiver<Wish>,
    /// The wish that was followed last.
    wish: Wish,
}

/// What ended a wait.
enum Happened {
    Arrived,
    Interrupted(Interruption),
}

/// What ended a run of the session.
enum Pause {
    /// It wants input.
    Input,
    /// It wants a TLS handshake.
    StartTls,
    /// It is over.
    Over,
}

impl<S: Stream> Connection<S> {
    async fn run(&mut self) {
        self.hold_greeting().await;
        loop {
            let pause = self.advance().await;
            let written = self.write().await;
            match pause {
                Pause::Over => return,
                _ if written.is_err() => self.session.interrupt(Interruption::Lost),
                Pause::StartTls => self.start_tls().await,
                Pause::Input => match self.wait().await {
                    Happened::Arrived => {}
                    Happened::Interrupted(why) => self.session.interrupt(why),
                },
            }
        }
    }

    /// Lets the session take what has arrived, until it wants something that
    /// takes time.
    async fn advance(&mut self) -> Pause {
        let input = std::mem::take(&mut self.input);
        let mut left = input.as_slice();
        let pause = loop {
            match self.session.advance(&mut left, &mut self.replies) {
                Output::Wait => break Pause::Input,
                Output::Ask(question) => self.ask(question, left).await,
                Output::DataBegan => self.desk.data_began(),
                Output::Content(octets) => self.desk.content(octets).await,
                Output::Ended(end) => drop(self.desk.end(end)),
                Output::StartTls => break Pause::StartTls,
                Output::Close => break Pause::Over,
            }
        };
        // Capacity is kept only while something is pending: an idle
        // connection holds no buffer.
        let left = left.len();
        if left > 0 {
            let taken = input.len() - left;
            self.input = input;
            self.input.drain(..taken);
        }
        pause
    }

    async fn ask(&mut self, question: Question, left: &[u8]) {
        if question == Question::Connect && !left.is_empty() {
            // The session takes its question back when it sees the input.
            self.desk.found_at_connect(CheckName::EarlyTalk, Observed::EarlyTalk);
            return;
        }
        // On the heap, because the state of an answer in the making is large
        // and an idle connection should not carry room for it.
        let answer: Answer = Box::pin(self.desk.answer(question)).await;
        self.session.answer(answer, &mut self.replies);
    }

    /// Holds the greeting back, to see whether the client waits for it.
    async fn hold_greeting(&mut self) {
        let delay = self.desk.live.settings.greeting_delay;
        if delay.is_zero() || !self.input.is_empty() {
            return;
        }
        let waited = self.desk.engine.parts.clock.sleep(delay);
        tokio::select! {
            biased;
            read = self.wire.read(&mut self.input) => {
                if !matches!(read, Ok(octets) if octets > 0) {
                    self.session.interrupt(Interruption::Lost);
                }
            }
            () = waited => {}
        }
    }

    async fn write(&mut self) -> io::Result<()> {
        if self.replies.is_empty() {
            return Ok(());
        }
        let replies = std::mem::take(&mut self.replies);
        let deadline = self.timer.expires_after(self.desk.live.settings.timeouts.idle);
        tokio::select! {
            biased;
            written = self.wire.write(&replies) => written,
            () = deadline => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    /// Says goodbye, for a limited time: a client that reads nothing must not
    /// hold its place for ever.
    async fn close(&mut self) {
        let limit = self.desk.engine.parts.clock.sleep(self.desk.live.settings.timeouts.handshake);
        tokio::select! {
            biased;
            () = self.wire.close() => {}
            () = limit => {}
        }
    }

    /// Waits for octets, for a time-out, or for the process to stop.
    async fn wait(&mut self) -> Happened {
        if self.input.len() >= self.session.input_octets_min() {
            // The session takes a line of this length or drops it, so this
            // much can be left only behind a question that is now answered.
            return Happened::Arrived;
        }
        let wish = *self.wishes.borrow_and_update();
        if wish != self.wish {
            self.wish = wish;
            match wish {
                Wish::Serve => {}
                Wish::Drain => return Happened::Interrupted(Interruption::Draining),
                Wish::Stop => return Happened::Interrupted(Interruption::Stopping),
            }
        }
        let idle = self.desk.live.settings.timeouts.idle;
        tokio::select! {
            biased;
            read = self.wire.read(&mut self.input) => match read {
                Ok(octets) if octets > 0 => Happened::Arrived,
                Ok(_) | Err(_) => Happened::Interrupted(Interruption::Lost),
            },
            () = self.timer.expires_after(idle) => Happened::Interrupted(Interruption::TimedOut),
            changed = self.wishes.changed() => match changed {
                Ok(()) => Happened::Arrived,
                Err(_) => Happened::Interrupted(Interruption::Stopping),
            },
        }
    }

    async fn start_tls(&mut self) {
        // What came in clear text behind STARTTLS may be an attacker's.
        self.input = Vec::new();
        let Some(tls) = &self.desk.engine.parts.tls else {
            return self.session.interrupt(Interruption::TlsFailed);
        };
        let limit = self.desk.engine.parts.clock.sleep(self.desk.live.settings.timeouts.handshake);
        let handshake = tls.handshake(self.desk.asks_for_certificate());
        let now = self.desk.engine.now();
        let shaken = tokio::select! {
            biased;
            shaken = Box::pin(self.wire.start_tls(handshake, now)) => shaken,
            () = limit => Err(io::ErrorKind::TimedOut.into()),
        };
        match shaken {
            Ok((facts, shown)) => {
                self.desk.tls_established(facts, shown);
                self.session.tls_established();
            }
            Err(error) => {
                self.desk.tls_failed(&error);
                self.session.interrupt(Interruption::TlsFailed);
            }
        }
    }
}

/// One timer per connection, set anew without being made anew: a busy
/// connection moves its deadline with every command and never pays for it.
struct Timer {
    clock: Arc<dyn Clock>,
    session_ends: Timestamp,
    deadline: Timestamp,
    sleep: Option<Sleep>,
}

impl Timer {
    fn new(engine: &Engine, session: Duration) -> Self {
        let clock = Arc::clone(&engine.parts.clock);
        let now = clock.now();
        Timer { clock, session_ends: now + session, deadline: now, sleep: None }
    }

    /// Waits until `idle` has passed from now, or the session's time is up.
    async fn expires_after(&mut self, idle: Duration) {
        self.deadline = (self.clock.now() + idle).min(self.session_ends);
        loop {
            let (clock, deadline) = (&self.clock, self.deadline);
            self.sleep.get_or_insert_with(|| clock.sleep_until(deadline)).await;
            self.sleep = None;
            if self.clock.now() >= self.deadline {
                return;
            }
        }
    }
}
