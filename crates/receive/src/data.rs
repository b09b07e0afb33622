//! End of data: the joint at which a message is examined, decided on for each
//! recipient, made durable, and only then acknowledged.

use std::sync::Arc;

use checks::Arrived;
use smtp::{Answer, ContentFault, MailParameters};
use store::Acceptance;
use store::message::{LeftOut, QueuedMessage, QueuedRecipient, RecipientState};
use types::finding::Unavailable;
use types::{
    Attempt, CheckName, Decision, Event, EventId, Evidence, Finding, ForwardPath, LifeLineId,
    MessageFacts, Observed, Outcome, QueueId, Reason, Reply, Stage, Timestamp, Verdict,
};

use crate::attempt::{End, OpenAttempt};
use crate::content_buffer::ContentBuffer;
use crate::desk::{Desk, finding, not_stored, unavailable};
use crate::judge::judge;
use crate::transaction::Content;

/// Messages above this are examined on a thread for blocking work, so that a
/// large one holds up nobody (octets).
const EXAMINED_INLINE_OCTETS_MAX: usize = 128 * 1024;

impl Desk {
    /// DATA or the first BDAT was taken: from here on the client owes us a
    /// message, whether an octet of it arrives or not.
    pub(crate) fn data_began(&mut self) {
        if let Some(transaction) = &mut self.transaction {
            transaction.data_began = true;
        }
    }

    /// Takes octets of content.
    pub(crate) async fn content(&mut self, octets: &[u8]) {
        let Some(transaction) = &mut self.transaction else { return };
        let engine = &self.engine;
        let signs = self.visit.is_outbound() && engine.parts.checks.signing().is_wanted();
        let content = transaction.content.get_or_insert_with(|| {
            let id = engine.new_queue_id(engine.now());
            Content {
                id,
                writer: engine.parts.log.content(id),
                buffer: ContentBuffer::new(&engine.budget),
                body_hash: signs.then(content::BodyHash::default),
                failure: None,
            }
        });
        content.push(octets).await;
    }

    /// Decides on the message and, if anybody is to get it, makes it durable.
    pub(crate) async fn end_of_data(&mut self, octets: u64) -> Answer {
        // A message may be empty; it still has a place of its own.
        self.content(b"").await;
        let content = self.transaction.as_mut().and_then(|open| open.content.take());
        let Some(mut content) = content else { return Answer::Close };
        let failed = content.failure.take().map(|error| (unavailable(&error), not_stored(&error)));
        let failed = failed.or_else(|| content.buffer.lacks_header().then(without_memory));
        if let Some((missing, decision)) = failed {
            let open = self.transaction.take().map(|transaction| transaction.accepted);
            return self.not_taken(open.unwrap_or_default(), missing, &decision, None);
        }
        let buffer =
            std::mem::replace(&mut content.buffer, ContentBuffer::new(&self.engine.budget));
        let buffer = Arc::new(buffer);
        let facts = Arc::new(examine(Arc::clone(&buffer), octets).await);
        let from = content::comparable_addresses(&facts);
        let authenticated = self.authenticate(&buffer, &from).await;
        self.note_host_name();
        let Some(mut transaction) = self.transaction.take() else { return Answer::Close };
        let mut judged = Vec::with_capacity(transaction.accepted.len());
        for mut open in std::mem::take(&mut transaction.accepted) {
            authenticated.iter().for_each(|finding| open.evidence.add(finding.clone()));
            let verdict = self.judge_message(&mut open, &facts, &from).await;
            judged.push((open, verdict));
        }
        if let Some(deferred) = refused_by_all(&judged) {
            return self.refuse_message(judged, deferred, &facts);
        }
        let body_hash = content.body_hash.take();
        let signature = self.sign(body_hash, &buffer, from, &mut judged).await;
        let taken = Taken {
            content,
            parameters: transaction.parameters,
            signature,
            authentication: self.authentication_field(&authenticated).await,
            left_out: self.left_out(&buffer),
        };
        drop(buffer);
        self.accept(judged, taken, &facts).await
    }

    /// What the signatures and the author's policy say, if a policy in force or
    /// the list of a recipient looks at it; the same for all recipients.
    async fn authenticate(&mut self, buffer: &Arc<ContentBuffer>, from: &[String]) -> Vec<Finding> {
        // As the recipients are judged, by the time at which their attempts began.
        let looks = self.transaction.as_ref().is_some_and(|transaction| {
            let policy = self.engine.parts.policy.load();
            let mut accepted = transaction.accepted.iter();
            accepted.any(|open| {
                let at = open.attempt.started();
                let of_recipient = |recipient| policy.list_authenticates(at, recipient);
                policy.authenticates(at) || open.recipient.as_ref().is_some_and(of_recipient)
            })
        });
        if !looks || self.visit.is_outbound() {
            return Vec::new();
        }
        let parts = &self.engine.parts;
        let spf = match &self.visit.spf {
            Some(pending) => Some(pending.finding().await),
            None => None,
        };
        let spf = spf.as_ref().and_then(crate::spf::facts);
        let message: Arc<ContentBuffer> = Arc::clone(buffer);
        let found = parts.checks.authenticate(message, from, spf, &*parts.resolver).await;
        found.into()
    }

    /// The field that tells the next hop what was found; empty if nothing
    /// was looked for.
    async fn authentication_field(&mut self, found: &[Finding]) -> String {
        if found.is_empty() {
            return String::new();
        }
        let spf = match &self.visit.spf {
            Some(pending) => Some(pending.finding().await),
            None => None,
        };
        let mut field = content::AuthenticationResultsField {
            by: &self.live.settings.host_name,
            spf: spf.as_ref().and_then(crate::spf::facts),
            dkim: None,
            dmarc: None,
            arc: None,
        };
        for finding in found {
            match &finding.observed {
                Observed::Dkim(facts) => field.dkim = Some(facts),
                Observed::Dmarc(facts) => field.dmarc = Some(facts),
                Observed::Arc(facts) => field.arc = Some(facts),
                _ => {}
            }
        }
        field.to_text()
    }

    /// The fields of the message that claim to be ours.
    fn left_out(&self, buffer: &ContentBuffer) -> Vec<LeftOut> {
        // What our own servers pass on may have been found by us before.
        if self.visit.is_outbound() {
            return Vec::new();
        }
        let by = &self.live.settings.host_name;
        let place = |at: usize| u64::try_from(at).unwrap_or(u64::MAX);
        content::claimed_results(buffer.octets(), by)
            .into_iter()
            .map(|range| LeftOut { from: place(range.start), to: place(range.end) })
            .collect()
    }

    /// Decides on the message for one recipient.
    async fn judge_message(
        &mut self,
        open: &mut OpenAttempt,
        facts: &MessageFacts,
        from: &[String],
    ) -> Verdict {
        let declared = self.visit.declared_size;
        let limits = self.live.settings.data;
        for finding in checks::message_findings(facts, declared, from.to_vec(), limits) {
            open.evidence.add(finding);
        }
        self.note_display_name(open, facts);
        let mut held = Verdict::Proceed;
        for stage in [Stage::Data, Stage::Content] {
            match judge(&self.engine, &self.visit, stage, open, from).await {
                Verdict::Proceed => {}
                // What is found later can still refuse it.
                hold @ Verdict::Hold(_) if held == Verdict::Proceed => held = hold,
                Verdict::Hold(_) => {}
                decided => return decided,
            }
        }
        held
    }

    /// Notes an author who shows the name of somebody of ours.
    fn note_display_name(&self, open: &mut OpenAttempt, facts: &MessageFacts) {
        if self.visit.is_outbound() {
            return;
        }
        let parts = &self.engine.parts;
        let Some(recipient) = open.recipient.as_ref().and_then(|path| path.address()) else {
            return;
        };
        let policy = parts.policy.load();
        let is_internal = |domain: &str| policy.is_internal(domain);
        let found = parts.checks.display_name(facts, recipient.domain_key(), is_internal);
        if let Some(finding) = found {
            open.evidence.add(finding);
        }
    }

    /// Ends all attempts with a refusal. Where one is deferred all are,
    /// because there is one reply for all and a permanent one would lose mail.
    fn refuse_message(
        &mut self,
        judged: Vec<(OpenAttempt, Verdict)>,
        deferred: Option<Decision>,
        facts: &Arc<MessageFacts>,
    ) -> Answer {
        let outcome_of = |verdict: Verdict| match (&deferred, verdict) {
            (Some(decision), _) => Outcome::refused(decision.clone()),
            (None, verdict) => Outcome::refused(verdict.decision().cloned().unwrap_or_else(lost)),
        };
        let ended: Vec<(OpenAttempt, Outcome)> =
            judged.into_iter().map(|(open, verdict)| (open, outcome_of(verdict))).collect();
        let Some(reply) = ended.first().map(|(open, outcome)| self.reply(outcome, open)) else {
            return Answer::Close;
        };
        let events = ended
            .into_iter()
            .map(|(open, outcome)| {
                let stage = stage_of(&outcome);
                let end = End { outcome, stage, reply: Some(&reply), message: Some(facts) };
                open.finish(&self.engine, &self.visit, end)
            })
            .collect();
        match self.record(events) {
            Ok(()) => Answer::Refuse(reply),
            Err(unavailable) => Answer::Refuse(unavailable),
        }
    }

    /// Takes the message over for every recipient that is not refused.
    async fn accept(
        &mut self,
        judged: Vec<(OpenAttempt, Verdict)>,
        taken: Taken,
        facts: &Arc<MessageFacts>,
    ) -> Answer {
        let now = self.engine.now();
        let first = judged.first().map(|(open, _)| open.attempt.id());
        let Some(reply) = first.map(|id| Reply::accepted(id.reference())) else {
            return Answer::Close;
        };
        let mut recipients = Vec::with_capacity(judged.len());
        let mut events = Vec::with_capacity(judged.len());
        let mut kept = Vec::with_capacity(judged.len());
        let mut let_past = Vec::new();
        let mut taught = Vec::new();
        for (mut open, verdict) in judged {
            let outcome = outcome(taken.content.id, &open, verdict);
            kept.push(Kept::of(&open));
            if let Some(recipient) = queued(&open, &outcome, now) {
                if open.skipped_greylisting() {
                    let_past.push(recipient.path.clone());
                }
                taught.extend(self.teach(&mut open, &recipient.path, facts, now));
                recipients.push(recipient);
            }
            let stage = stage_of(&outcome);
            let end = End { outcome, stage, reply: Some(&reply), message: Some(facts) };
            events.push(open.finish(&self.engine, &self.visit, end));
        }
        let kinds: Vec<_> = events.iter().filter_map(Event::outcome_kind).collect();
        let message = self.queued_message(recipients, &taken, facts, now);
        let acceptance = Acceptance { message: Some(message), events };
        // On return message and events are durable.
        match self.engine.parts.log.commit(Some(taken.content.writer), acceptance).await {
            Ok(_) => {
                kinds.into_iter().for_each(|kind| self.engine.tally().ended(kind));
                let_past.iter().for_each(|recipient| self.close_open_window(recipient));
                self.learn(&taught);
                Answer::ProceedWith(reply)
            }
            Err(error) => {
                let open = kept.into_iter().map(Kept::reopen).collect();
                self.not_taken(open, unavailable(&error), &not_stored(&error), Some(facts))
            }
        }
    }

    fn queued_message(
        &self,
        recipients: Vec<QueuedRecipient>,
        taken: &Taken,
        facts: &Arc<MessageFacts>,
        now: Timestamp,
    ) -> QueuedMessage {
        let Taken { content, parameters, signature, authentication, left_out } = taken;
        let only = match recipients.as_slice() {
            [only] => Some(&only.path),
            _ => None,
        };
        let received = content::ReceivedField {
            client: &self.visit.client,
            by: &self.live.settings.host_name,
            authenticated: self.visit.submission.is_by_somebody(),
            utf8: parameters.smtputf8,
            id: content.id.reference(),
            recipient: only,
            at: now,
        };
        QueuedMessage {
            id: content.id,
            arrived: now,
            reverse_path: self.visit.reverse_path.clone().unwrap_or_else(null_reverse_path),
            smtputf8: parameters.smtputf8,
            eight_bit: parameters.body == Some(smtp::Body::EightBit),
            trace: format!("{signature}{authentication}{}", received.to_text()),
            content_octets: facts.size_octets,
            left_out: left_out.clone(),
            session: self.visit.session,
            client: Arc::clone(&self.visit.client),
            facts: Arc::clone(facts),
            notice: false,
            recipients,
        }
    }

    /// Ends all attempts because something of ours is missing that a message
    /// needs to be taken.
    fn not_taken(
        &mut self,
        mut open: Vec<OpenAttempt>,
        missing: Unavailable,
        decision: &Decision,
        facts: Option<&Arc<MessageFacts>>,
    ) -> Answer {
        for open in &mut open {
            open.evidence.add(checks::unavailable(missing, Stage::Content));
        }
        let decided = || Outcome::refused(decision.clone());
        let Some(reply) = open.first().map(|open| self.reply(&decided(), open)) else {
            return Answer::Close;
        };
        match self.finish_all(open, Some(&reply), Stage::Content, facts, |_| decided()) {
            Ok(()) => Answer::Refuse(reply),
            Err(unavailable) => Answer::Refuse(unavailable),
        }
    }

    /// Ends all attempts because the content is at fault.
    pub(crate) async fn refuse_content(&mut self, fault: ContentFault, octets: u64) -> Reply {
        let open = self.transaction.take().map(|transaction| transaction.accepted);
        let line_max = self.live.settings.session.content.line_octets_max;
        let (check, observed) = match fault {
            ContentFault::BareCr | ContentFault::BareLf => {
                (CheckName::DataFormat, Observed::BareLineEnd)
            }
            ContentFault::LineTooLong => {
                let max = u32::try_from(line_max).unwrap_or(u32::MAX);
                (CheckName::DataFormat, Observed::LineTooLong { max })
            }
            ContentFault::TooLarge => {
                let declared = self.visit.declared_size;
                (CheckName::Size, Observed::Size { declared, received: Some(octets) })
            }
        };
        let mut judged = Vec::new();
        for mut open in open.unwrap_or_default() {
            open.evidence.add(finding(check, Stage::Data, observed.clone()));
            let decision = match judge(&self.engine, &self.visit, Stage::Data, &mut open, &[]).await
            {
                Verdict::Reject(decision) => decision,
                // The protocol has ended the message whatever policy thinks.
                _ => Decision::new(fault.reason(), check),
            };
            judged.push((open, Verdict::of(decision)));
        }
        let facts = Arc::new(MessageFacts { size_octets: octets, ..MessageFacts::default() });
        match self.refuse_message(judged, None, &facts) {
            Answer::Refuse(reply) => reply,
            _ => crate::desk::UNAVAILABLE,
        }
    }
}

/// A message that is to be taken over.
struct Taken {
    content: Content,
    parameters: MailParameters,
    /// The fields that sign it.
    signature: String,
    /// The field that says what was found about the sender.
    authentication: String,
    /// The fields that claim to be that one.
    left_out: Vec<LeftOut>,
}

/// Reads the facts of a message.
async fn examine(buffer: Arc<ContentBuffer>, octets: u64) -> MessageFacts {
    if buffer.octets().len() <= EXAMINED_INLINE_OCTETS_MAX {
        return read(&buffer, octets);
    }
    let read = tokio::task::spawn_blocking(move || read(&buffer, octets));
    read.await.unwrap_or_else(|_| not_examined(octets))
}

/// All that is known of a message that could not be read.
fn not_examined(octets: u64) -> MessageFacts {
    MessageFacts {
        size_octets: octets,
        unread: Some("the message could not be examined".to_owned()),
        ..MessageFacts::default()
    }
}

fn read(buffer: &ContentBuffer, octets: u64) -> MessageFacts {
    // A reader that hostile content can bring down must not take the session,
    // and the events of its recipients, along.
    // Of a beginning only the header is read: an attachment that is cut off
    // would get a size and a hash that are not its own.
    let read = || match buffer.is_whole() {
        true => content::read(buffer.octets(), &content::Limits::default()),
        false => content::read_beginning(buffer.octets(), octets),
    };
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(read)) {
        Ok(facts) => MessageFacts { size_octets: octets, ..facts },
        Err(_) => not_examined(octets),
    }
}

/// Whether nobody is to get the message now: the decision that defers all,
/// or nothing inside if all refuse for good.
#[expect(clippy::option_option, reason = "refused or not, and if so deferred by whom or not")]
fn refused_by_all(judged: &[(OpenAttempt, Verdict)]) -> Option<Option<Decision>> {
    let deferred = judged.iter().find_map(|(_, verdict)| match verdict {
        Verdict::Defer(decision) => Some(decision.clone()),
        _ => None,
    });
    if deferred.is_some() {
        return Some(deferred);
    }
    judged.iter().all(|(_, verdict)| matches!(verdict, Verdict::Reject(_))).then_some(None)
}

/// What the verdict makes of an attempt whose message is taken over.
fn outcome(queue: QueueId, open: &OpenAttempt, verdict: Verdict) -> Outcome {
    let reason = open.let_past(Reason::Accepted);
    match (verdict, &open.hold) {
        (Verdict::Reject(decision), _) => Outcome::refused(decision),
        (Verdict::Hold(decision), _) => Outcome::Held { queue, decision },
        (_, Some(decision)) => Outcome::Held { queue, decision: decision.clone() },
        (_, None) => Outcome::Accepted { queue, reason },
    }
}

/// The recipient as the queue keeps it; nothing for one that was refused.
fn queued(open: &OpenAttempt, outcome: &Outcome, now: Timestamp) -> Option<QueuedRecipient> {
    let state = match outcome {
        Outcome::Accepted { .. } => {
            RecipientState::Waiting { attempts: 0, due: now, warned: false }
        }
        Outcome::Held { .. } => RecipientState::Held { attempts: 0 },
        Outcome::Passed { .. }
        | Outcome::Deferred(_)
        | Outcome::Rejected(_)
        | Outcome::Aborted(_) => return None,
    };
    Some(QueuedRecipient {
        path: open.recipient.clone()?,
        event: open.attempt.id(),
        life_line: open.life_line,
        state,
    })
}

fn stage_of(outcome: &Outcome) -> Stage {
    outcome.reason().stage().max(Stage::Data)
}

fn lost() -> Decision {
    Decision::new(Reason::SystemUnavailable, CheckName::System)
}

/// What is decided where nobody can say who wrote a message.
fn without_memory() -> (Unavailable, Decision) {
    (Unavailable::Memory, lost())
}

fn null_reverse_path() -> Arc<types::ReversePath> {
    Arc::new(types::ReversePath::Null)
}

/// What is needed to end an attempt anew when its message was not stored:
/// the event that was made of it never came to be.
struct Kept {
    id: EventId,
    started: Timestamp,
    recipient: Option<ForwardPath>,
    life_line: LifeLineId,
}

impl Kept {
    fn of(open: &OpenAttempt) -> Self {
        Kept {
            id: open.attempt.id(),
            started: open.attempt.started(),
            recipient: open.recipient.clone(),
            life_line: open.life_line,
        }
    }

    fn reopen(self) -> OpenAttempt {
        let attempt = Attempt::open(self.id, self.started);
        let open = OpenAttempt::new(attempt, self.life_line, Evidence::new());
        OpenAttempt { recipient: self.recipient, ..open }
    }
}
