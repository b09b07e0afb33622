//! One attempt between its opening and its event.

use std::sync::Arc;

use policy::Permit;
use types::event::Record;
use types::outcome::Ending;
use types::{
    Attempt, CheckName, Consulted, Decision, Event, Evidence, ForwardPath, LifeLineId,
    MessageFacts, Micros, Outcome, Reason, Reply, Stage, Subject,
};

use crate::desk::Visit;
use crate::engine::Engine;

/// An attempt that has no end yet, with all that was found about it.
pub(crate) struct OpenAttempt {
    pub(crate) attempt: Attempt,
    pub(crate) recipient: Option<ForwardPath>,
    pub(crate) evidence: Evidence,
    pub(crate) consulted: Vec<Consulted>,
    pub(crate) would: Option<Decision>,
    pub(crate) permit: Option<Permit>,
    /// A decision to keep the message back, if one was made at RCPT.
    pub(crate) hold: Option<Decision>,
    pub(crate) policy_version: u64,
    pub(crate) life_line: LifeLineId,
}

/// What the event of an attempt says of its end.
pub(crate) struct End<'a> {
    pub(crate) outcome: Outcome,
    pub(crate) stage: Stage,
    pub(crate) reply: Option<&'a Reply>,
    pub(crate) message: Option<&'a Arc<MessageFacts>>,
}

impl OpenAttempt {
    pub(crate) fn new(attempt: Attempt, life_line: LifeLineId, evidence: Evidence) -> Self {
        OpenAttempt {
            attempt,
            recipient: None,
            evidence,
            consulted: Vec::new(),
            would: None,
            permit: None,
            hold: None,
            policy_version: 0,
            life_line,
        }
    }

    /// Why it gets past: what permits it, or else `unpermitted`.
    pub(crate) fn let_past(&self, unpermitted: Reason) -> Reason {
        match self.permit {
            Some(permit) if permit.auto => Reason::AcceptedAutoAllowed,
            Some(_) => Reason::AcceptedPermitted,
            None => unpermitted,
        }
    }

    /// Whether something let it past greylisting without its triplet: a permit,
    /// a policy that takes it out, a mail that was expected, a client that is
    /// no stranger. Its pair may wait all the same, from before.
    pub(crate) fn skipped_greylisting(&self) -> bool {
        self.permit.is_some() || self.evidence.latest(CheckName::Greylist).is_none()
    }

    /// Ends it. This is the only way out.
    pub(crate) fn finish(self, engine: &Engine, visit: &Visit, end: End<'_>) -> Event {
        let at = engine.now();
        let mut evidence = self.evidence;
        visit.host_name.found().into_iter().for_each(|found| evidence.add(found.clone()));
        visit.complete_certificate(&mut evidence);
        let record = Record {
            stage: Some(end.stage),
            took: Micros::from(at.since(self.attempt.started())),
            evidence,
            consulted: self.consulted,
            policy_version: self.policy_version,
            reply: end.reply.cloned(),
            would: self.would,
        };
        let subject = Subject { message: end.message.cloned(), ..visit.subject(self.recipient) };
        let ending = Ending {
            at,
            node: engine.parts.node.clone(),
            session: visit.session,
            life_line: self.life_line,
            subject,
            record,
        };
        self.attempt.finish(end.outcome, ending)
    }
}
