//! How attempts end that nobody decided on, and how every end is recorded.

use std::sync::Arc;

use smtp::Ends;
use types::{CheckName, Event, ForwardPath, MessageFacts, Observed, Outcome, Reason, Reply, Stage};

use crate::attempt::{End, OpenAttempt};
use crate::desk::{Desk, finding, unavailable_reply};

impl Desk {
    /// Ends what broke off, and says what to tell the client, if it still
    /// listens.
    pub(crate) fn end(&mut self, end: smtp::End) -> Option<Reply> {
        let transaction = self.transaction.take();
        let (open, stage) = match (end.ends, transaction) {
            (Ends::Recipients, Some(transaction)) => {
                let stage = transaction.stage();
                (transaction.accepted, stage)
            }
            (Ends::Connection, _) => match self.connection.take() {
                Some(attempt) => {
                    let stage = self.stage_reached();
                    (vec![self.opened(attempt, None, stage)], stage)
                }
                None => (Vec::new(), Stage::Connect),
            },
            (Ends::Recipients | Ends::Nothing, _) => (Vec::new(), Stage::Rcpt),
        };
        let open = self.with_tls_error(open, stage);
        let reference = open.first().map(|open| open.attempt.id().reference());
        let parameters = types::ReplyParameters {
            reference,
            public_url: self.live.settings.public_url.as_deref(),
            explains_scores: self.live.settings.explains_scores,
            ..Default::default()
        };
        let reply = farewell(end, &parameters);
        let ended =
            self.finish_all(open, reply.as_ref(), stage, None, |_| Outcome::unjudged(end.reason));
        match ended {
            Ok(()) => reply,
            // A reference that leads nowhere is not given; the tally says how
            // many events were lost.
            Err(_) => farewell(end, &types::ReplyParameters::default()),
        }
    }

    /// Adds why the handshake failed, if that is what ended them.
    fn with_tls_error(&mut self, mut open: Vec<OpenAttempt>, stage: Stage) -> Vec<OpenAttempt> {
        if let (Some(cause), Some(first)) = (self.tls_error.take(), open.first_mut()) {
            first.evidence.add(finding(CheckName::Tls, stage, Observed::TlsFailed { cause }));
        }
        open
    }

    /// Ends several attempts in one record; if that fails, gives the reply
    /// that says so.
    pub(crate) fn finish_all(
        &mut self,
        open: Vec<OpenAttempt>,
        reply: Option<&Reply>,
        stage: Stage,
        message: Option<&Arc<MessageFacts>>,
        outcome: impl Fn(&OpenAttempt) -> Outcome,
    ) -> Result<(), Reply> {
        if open.is_empty() {
            return Ok(());
        }
        let events = open
            .into_iter()
            .map(|open| {
                let end = End { outcome: outcome(&open), stage, reply, message };
                open.finish(&self.engine, &self.visit, end)
            })
            .collect();
        self.record(events)
    }

    /// Stores events; if that fails, gives the reply that says so.
    pub(crate) fn record(&self, events: Vec<Event>) -> Result<(), Reply> {
        let kinds: Vec<_> = events.iter().filter_map(Event::outcome_kind).collect();
        match self.engine.parts.log.record(events) {
            Ok(_) => {
                kinds.into_iter().for_each(|kind| self.engine.tally().ended(kind));
                Ok(())
            }
            Err(error) => {
                self.engine.tally().unrecorded(kinds.len() as u64);
                Err(unavailable_reply(&error))
            }
        }
    }

    /// What lets a pair past greylisting ends the wait of its open triplet; only
    /// once the message is ours, or a failure to store it would leave a first
    /// contact without an end.
    pub(crate) fn close_open_window(&self, recipient: &ForwardPath) {
        let Some(sender) = &self.visit.reverse_path else { return };
        // If this fails the entry expires by itself; the mail is accepted.
        let _closed = self.engine.parts.triplets.close_silently(sender, recipient);
    }

    /// How far the session has come, for the event of a connection without
    /// recipients.
    fn stage_reached(&self) -> Stage {
        match (&self.visit.reverse_path, &self.visit.client.helo) {
            (Some(_), _) => Stage::Mail,
            (None, Some(_)) => Stage::Helo,
            (None, None) => Stage::Connect,
        }
    }
}

/// What is said at the end: what the reason says, unless the protocol has a
/// reply of its own.
fn farewell(end: smtp::End, parameters: &types::ReplyParameters<'_>) -> Option<Reply> {
    match end.other_protocol {
        true => Some(smtp::replies::OTHER_PROTOCOL.referring(parameters)),
        false => end.reason.reply(parameters),
    }
}

impl Drop for Desk {
    /// A session ends its attempts itself. If its task panics or is dropped,
    /// they end here: no attempt without a row.
    fn drop(&mut self) {
        let mut open: Vec<OpenAttempt> = self.asked.take().map(|open| *open).into_iter().collect();
        let mut stage = if open.is_empty() { self.stage_reached() } else { Stage::Rcpt };
        if let Some(transaction) = self.transaction.take() {
            stage = transaction.stage();
            open.extend(transaction.accepted);
        }
        if let Some(attempt) = self.connection.take() {
            open.push(self.opened(attempt, None, stage));
        }
        let ended = |_: &OpenAttempt| Outcome::unjudged(Reason::SystemUnavailable);
        // If this fails too, the tally says how many events were lost.
        let _counted = self.finish_all(open, None, stage, None, ended);
    }
}
