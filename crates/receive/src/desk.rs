//! The desk of one connection: every question of the session comes here and
//! leaves with an answer; every attempt that ends gets its event here.

use std::net::IpAddr;
use std::sync::Arc;

use checks::NamedBy;
use smtp::session::MailQuestion;
use smtp::{Answer, Question};
use types::finding::Unavailable;
use types::{
    Attempt, CheckName, ClientFacts, Decision, Domain, Evidence, Finding, ForwardPath, Micros,
    Observed, Outcome, Reason, Reply, ReversePath, SessionId, Source, Stage, Subject, TlsFacts,
    Verdict,
};

use crate::attempt::{End, OpenAttempt};
use crate::client_certificate::ShownCertificate;
use crate::engine::{Engine, Live};
use crate::host_name::HostName;
use crate::judge::judge;
use crate::pending::About;
use crate::session_lists::SessionLists;
use crate::spf::AskedSpf;
use crate::submission::Submission;
use crate::transaction::Transaction;

/// Who is here and what he has said so far.
pub(crate) struct Visit {
    pub(crate) session: SessionId,
    pub(crate) client: Arc<ClientFacts>,
    pub(crate) reverse_path: Option<Arc<ReversePath>>,
    pub(crate) declared_size: Option<u64>,
    /// The client's name, as it is looked up.
    pub(crate) host_name: HostName,
    /// Where the sender's domain takes its mail, as it is looked up.
    pub(crate) sender_domain: Option<About<Domain>>,
    /// The same once it was.
    pub(crate) sender_domain_found: Option<Finding>,
    /// What lists say of the session.
    pub(crate) lists: SessionLists,
    /// Who names the recipients.
    pub(crate) named_by: NamedBy,
    /// Who submits, if the listener is for that.
    pub(crate) submission: Submission,
    /// SPF of the transaction, if the policies in force look at it.
    pub(crate) spf: Option<AskedSpf>,
    /// The certificate it showed.
    pub(crate) certificate: ShownCertificate,
}

impl Visit {
    /// Whether it is a server of our own that sends to the world.
    pub(crate) fn is_outbound(&self) -> bool {
        !self.client.client.direction.is_inbound()
    }

    /// The subject of an event about `recipient`.
    pub(crate) fn subject(&self, recipient: Option<ForwardPath>) -> Subject {
        Subject {
            client: Arc::clone(&self.client),
            reverse_path: self.reverse_path.clone(),
            recipient,
            declared_size: self.declared_size,
            message: None,
        }
    }
}

/// One connection's desk.
pub(crate) struct Desk {
    pub(crate) engine: Arc<Engine>,
    pub(crate) live: Arc<Live>,
    pub(crate) visit: Visit,
    pub(crate) transaction: Option<Box<Transaction>>,
    /// The attempt of a recipient while it is decided on.
    pub(crate) asked: Option<Box<OpenAttempt>>,
    /// What was found of the client itself; part of every attempt.
    pub(crate) connected: Vec<Finding>,
    /// The attempt of the connection itself, until a recipient or a refused
    /// MAIL takes its place.
    pub(crate) connection: Option<Attempt>,
    /// Why a TLS handshake failed.
    pub(crate) tls_error: Option<Arc<str>>,
}

impl Desk {
    /// A desk for a client that has just connected.
    pub(crate) fn new(
        engine: Arc<Engine>,
        client: ClientFacts,
        mut connected: Vec<Finding>,
    ) -> Self {
        let now = engine.now();
        let place = engine.parts.checks.place(client.client.ip);
        // What strangers did is no measure of our own servers.
        let reputed = client.client.direction.is_inbound().then(|| {
            let place = place.as_ref().map(|found| &found.observed);
            engine.parts.checks.reputed(client.client.ip, place)
        });
        connected.extend(place.into_iter().chain(reputed.flatten()));
        let visit = Visit {
            session: engine.new_session_id(now),
            client: Arc::new(client),
            reverse_path: None,
            declared_size: None,
            host_name: HostName::default(),
            sender_domain: None,
            sender_domain_found: None,
            lists: SessionLists::default(),
            named_by: NamedBy::Client,
            submission: Submission::default(),
            spf: None,
            certificate: ShownCertificate::default(),
        };
        engine.tally().session();
        engine.tally().opened();
        let connection = Some(Attempt::open(engine.new_event_id(now), now));
        let live = engine.live();
        Desk {
            engine,
            live,
            visit,
            transaction: None,
            asked: None,
            connected,
            connection,
            tls_error: None,
        }
    }

    /// Adds what was found before the greeting.
    pub(crate) fn found_at_connect(&mut self, check: CheckName, observed: Observed) {
        self.connected.push(finding(check, Stage::Connect, observed));
    }

    /// Notes what STARTTLS agreed on. What was said in clear text before it
    /// counts no more (RFC 3207 section 4.2).
    pub(crate) fn tls_established(&mut self, tls: TlsFacts, certificate: ShownCertificate) {
        let verified = matches!(certificate, ShownCertificate::Verified(_));
        self.engine.tally().encrypted(&tls, verified);
        self.visit.certificate = certificate;
        let client = ClientFacts {
            client: self.visit.client.client.clone(),
            host_name: self.visit.client.host_name.clone(),
            helo: None,
            esmtp: false,
            tls: Some(tls),
        };
        self.visit.client = Arc::new(client);
    }

    /// Notes why a handshake failed.
    pub(crate) fn tls_failed(&mut self, error: &std::io::Error) {
        self.tls_error = Some(error.to_string().into());
    }

    /// Answers a question of the session.
    pub(crate) async fn answer(&mut self, question: Question) -> Answer {
        self.note_host_name();
        match question {
            Question::Connect => self.connect().await,
            Question::Helo { name, esmtp } => {
                let client = Arc::make_mut(&mut self.visit.client);
                client.helo = Some(name);
                client.esmtp = esmtp;
                Answer::Proceed
            }
            Question::Mail(mail) => self.mail(mail).await,
            Question::Rcpt(recipient) => self.rcpt(recipient).await,
            Question::Authenticate(said) => self.prove(said).await,
            Question::EndOfData { octets } => self.end_of_data(octets).await,
            Question::MalformedSender(malformed) => {
                self.refuse_syntax(Reason::SenderMalformed, Stage::Mail, &malformed)
            }
            Question::MalformedRecipient(malformed) => {
                self.refuse_syntax(Reason::RecipientMalformed, Stage::Rcpt, &malformed)
            }
            Question::UnfitSender(..) | Question::UnfitRecipient(..) => self.refuse_unfit(question),
            Question::TooManyRecipients(recipient) => self.too_many(recipient),
            Question::RefuseMessage { fault, octets, closes } => {
                let reply = self.refuse_content(fault, octets).await;
                if closes { Answer::RefuseAndClose(reply) } else { Answer::Refuse(reply) }
            }
            Question::EndConnection(end) => {
                let reply = self.end(end);
                reply.map_or(Answer::Close, Answer::RefuseAndClose)
            }
        }
    }

    async fn connect(&mut self) -> Answer {
        let Some(attempt) = self.connection.take() else { return Answer::Close };
        let mut open = self.opened(attempt, None, Stage::Connect);
        match judge(&self.engine, &self.visit, Stage::Connect, &mut open, &[]).await {
            Verdict::Proceed | Verdict::Hold(_) => {
                self.connection = Some(open.attempt);
                self.begin_by_address();
                Answer::Proceed
            }
            Verdict::Defer(decision) | Verdict::Reject(decision) => {
                self.turn_away(open, Outcome::refused(decision))
            }
        }
    }

    /// Refuses the connection itself; without a reply where its reason has
    /// none.
    fn turn_away(&mut self, open: OpenAttempt, outcome: Outcome) -> Answer {
        let reply = outcome.decision().and_then(|decision| {
            decision.reply(self.live.reply_parameters(open.attempt.id().reference()))
        });
        let end = End { outcome, stage: Stage::Connect, reply: reply.as_ref(), message: None };
        let event = open.finish(&self.engine, &self.visit, end);
        match (self.record(vec![event]), reply) {
            (Ok(()), Some(reply)) => Answer::RefuseAndClose(reply),
            (Ok(()), None) => Answer::Close,
            (Err(unavailable), _) => Answer::RefuseAndClose(unavailable),
        }
    }

    async fn mail(&mut self, mail: MailQuestion) -> Answer {
        self.transaction = None;
        self.visit.reverse_path = Some(Arc::new(mail.reverse_path));
        // That of an earlier transaction says nothing of this sender.
        self.visit.sender_domain_found = None;
        self.visit.declared_size = mail.parameters.size;
        self.renew_submitter().await;
        if self.engine.parts.policy.load().secures_receipt() {
            // Such a policy can be restricted to hosts by their names, or have
            // them compared with a certificate.
            self.seek_host_name().await;
        }
        let connection = self.connection.take();
        let stands_alone = connection.is_none();
        let now = self.engine.now();
        let attempt = match connection {
            Some(attempt) => attempt.restarted(now),
            None => Attempt::open(self.engine.new_event_id(now), now),
        };
        let mut open = self.opened(attempt, None, Stage::Mail);
        let outcome = match judge(&self.engine, &self.visit, Stage::Mail, &mut open, &[]).await {
            Verdict::Proceed | Verdict::Hold(_) => {
                self.connection = (!stands_alone).then_some(open.attempt);
                self.transaction = Some(Transaction::new(mail.parameters));
                self.begin_by_envelope();
                return Answer::Proceed;
            }
            Verdict::Defer(decision) | Verdict::Reject(decision) => Outcome::refused(decision),
        };
        if stands_alone {
            self.engine.tally().opened();
        }
        self.refuse(open, outcome, Stage::Mail)
    }

    async fn rcpt(&mut self, recipient: ForwardPath) -> Answer {
        self.seek_host_name().await;
        self.seek_sender_domain().await;
        self.begin_late_spf(&recipient);
        let attempt = self.next_attempt();
        let mut open = self.opened(attempt, Some(recipient), Stage::Rcpt);
        self.count_with_submitter(&mut open.evidence);
        // A next hop may have to be asked, and if the session is dropped
        // meanwhile the attempt needs its end.
        let open = self.asked.insert(Box::new(open));
        let verdict = judge(&self.engine, &self.visit, Stage::Rcpt, open, &[]).await;
        let Some(mut open) = self.asked.take().map(|open| *open) else { return Answer::Close };
        match verdict {
            Verdict::Defer(decision) | Verdict::Reject(decision) => {
                let unknown = decision.reason == Reason::RecipientUnknown;
                let answer = self.refuse(open, Outcome::refused(decision), Stage::Rcpt);
                if unknown {
                    slow_down(Arc::clone(&self.engine), self.visit.client.client.ip).await;
                }
                answer
            }
            Verdict::Proceed => self.take(open),
            Verdict::Hold(decision) => {
                open.hold = Some(decision);
                self.take(open)
            }
        }
    }

    fn take(&mut self, open: OpenAttempt) -> Answer {
        match &mut self.transaction {
            Some(transaction) => {
                transaction.accepted.push(open);
                Answer::Proceed
            }
            // The session asks about recipients only inside a transaction.
            None => {
                let decision = Decision::new(Reason::SystemUnavailable, CheckName::System);
                self.refuse(open, Outcome::refused(decision), Stage::Rcpt)
            }
        }
    }

    /// Ends one attempt with a refusal. A refusal that could not be stored is
    /// not given: the client is asked to come back instead.
    pub(crate) fn refuse(&mut self, open: OpenAttempt, outcome: Outcome, stage: Stage) -> Answer {
        let reply = self.reply(&outcome, &open);
        self.refuse_with(open, outcome, stage, reply)
    }

    /// The same with a reply of the protocol, to which the reference is added.
    pub(crate) fn refuse_saying(
        &mut self,
        open: OpenAttempt,
        outcome: Outcome,
        stage: Stage,
        reply: Reply,
    ) -> Answer {
        let reference = open.attempt.id().reference();
        let reply = reply.referring(&self.live.reply_parameters(reference));
        self.refuse_with(open, outcome, stage, reply)
    }

    fn refuse_with(
        &mut self,
        open: OpenAttempt,
        outcome: Outcome,
        stage: Stage,
        reply: Reply,
    ) -> Answer {
        let end = End { outcome, stage, reply: Some(&reply), message: None };
        let event = open.finish(&self.engine, &self.visit, end);
        match self.record(vec![event]) {
            Ok(()) => Answer::Refuse(reply),
            Err(unavailable) => Answer::Refuse(unavailable),
        }
    }

    /// The reply that goes with the end of `open`.
    pub(crate) fn reply(&self, outcome: &Outcome, open: &OpenAttempt) -> Reply {
        let parameters = self.live.reply_parameters(open.attempt.id().reference());
        outcome.decision().and_then(|decision| decision.reply(parameters)).unwrap_or(UNAVAILABLE)
    }

    /// The attempt of the connection if it still stands for itself, counted
    /// from now; else a new one.
    pub(crate) fn next_attempt(&mut self) -> Attempt {
        let now = self.engine.now();
        if let Some(attempt) = self.connection.take() {
            return attempt.restarted(now);
        }
        self.engine.tally().opened();
        Attempt::open(self.engine.new_event_id(now), now)
    }

    /// An attempt with everything that is known before policy asks.
    pub(crate) fn opened(
        &self,
        attempt: Attempt,
        recipient: Option<ForwardPath>,
        stage: Stage,
    ) -> OpenAttempt {
        let mut evidence: Evidence = self.connected.iter().cloned().collect();
        // A client that only connects wants nothing of the disk.
        let concerns = |what: &Unavailable| stage > Stage::Helo || *what == Unavailable::Stopping;
        if let Some(missing) = self.engine.health().unavailable().filter(concerns) {
            evidence.add(checks::unavailable(missing, stage));
        }
        if let Some(declared) = self.visit.declared_size.filter(|_| stage >= Stage::Mail) {
            let size = Observed::Size { declared: Some(declared), received: None };
            evidence.add(finding(CheckName::Size, Stage::Mail, size));
        }
        self.visit.submission_said(stage, &mut evidence);
        if stage >= Stage::Mail {
            self.names_said(&mut evidence);
            self.visit.certificate_shown(&mut evidence);
        }
        if let Some(recipient) = &recipient {
            let policy = self.engine.parts.policy.load();
            let is_ours = |domain: &str| policy.is_internal(domain);
            evidence.add(checks::relay_finding(recipient, self.visit.named_by, is_ours));
            let sender = self.visit.reverse_path.as_deref();
            let wrote = sender.filter(|_| !self.visit.is_outbound()).and_then(|sender| {
                let table = &*self.engine.parts.correspondences;
                checks::auto_allow_finding(sender, recipient, attempt.started(), table)
            });
            wrote.into_iter().for_each(|finding| evidence.add(finding));
            if !self.visit.is_outbound() {
                let harvested = self.engine.parts.checks.harvested(self.visit.client.client.ip);
                harvested.into_iter().for_each(|finding| evidence.add(finding));
            }
        }
        let life_line = self.engine.new_life_line_id(attempt.started());
        OpenAttempt { recipient, ..OpenAttempt::new(attempt, life_line, evidence) }
    }
}

/// Counts an unknown recipient, and holds its reply back if the client asks
/// for many: trying names out is worth less the longer each takes. The event
/// is stored by now, and nothing waits but this session.
async fn slow_down(engine: Arc<Engine>, client: IpAddr) {
    let held = engine.parts.checks.asked_for_unknown(client);
    let stopping = engine.health().unavailable() == Some(Unavailable::Stopping);
    if let Some((delay, _place)) = held.filter(|_| !stopping) {
        engine.parts.clock.sleep(delay).await;
    }
}

/// A finding of the dialogue itself.
pub(crate) fn finding(check: CheckName, stage: Stage, observed: Observed) -> Finding {
    Finding { check, stage, observed, source: Source::Session, took: Micros(0) }
}

/// What is said where even the event could not be stored, so that no
/// reference exists.
pub(crate) const UNAVAILABLE: Reply = Reply::fixed(
    451,
    Some(types::EnhancedCode(4, 3, 0)),
    "Temporary problem here, nothing was accepted; please try again later",
);

/// The reply to a failure of the store.
pub(crate) fn unavailable_reply(error: &store::StoreError) -> Reply {
    let reason = not_stored(error).reason;
    reason.reply(&types::ReplyParameters::default()).unwrap_or(UNAVAILABLE)
}

/// What is decided where the store fails.
pub(crate) fn not_stored(error: &store::StoreError) -> Decision {
    let reason = match unavailable(error) {
        Unavailable::Disk => Reason::SystemStorageFull,
        Unavailable::Store | Unavailable::Stopping | Unavailable::Memory | Unavailable::Engine => {
            Reason::SystemUnavailable
        }
    };
    Decision::new(reason, CheckName::System)
}

/// What a failure of the store means for the client.
pub(crate) fn unavailable(error: &store::StoreError) -> Unavailable {
    match error {
        store::StoreError::Full => Unavailable::Disk,
        _ => Unavailable::Store,
    }
}
