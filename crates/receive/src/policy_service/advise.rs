//! The advice on one recipient, and the event that explains it.

use std::sync::Arc;

use checks::NamedBy;
use smtp::Malformed;
use smtp::policy_delegation::{DEFERRED_CODE, PolicyAdvice};
use store::Acceptance;
use types::finding::TripletState;
use types::{
    CheckName, ClientFacts, Decision, ForwardPath, Observed, Outcome, Reason, Reply, ReversePath,
    Stage, Verdict,
};

use super::AdviceMode;
use crate::attempt::{End, OpenAttempt};
use crate::client_certificate::ShownCertificate;
use crate::desk::{Desk, not_stored, unavailable_reply};
use crate::engine::Engine;
use crate::host_name::HostName;
use crate::judge::judge;
use crate::mistake::malformed_address;

impl Desk {
    /// A desk for the session of another server, with what that server knows
    /// of the client.
    pub(super) fn asked_by_server(engine: Arc<Engine>, client: ClientFacts) -> Desk {
        let mut desk = Desk::new(engine, client, Vec::new());
        desk.visit.named_by = NamedBy::Server;
        // It has looked the name up itself, and tells it where it is confirmed.
        desk.visit.host_name = HostName::Told;
        // What the client showed it tells in parts that prove no name.
        desk.visit.certificate = ShownCertificate::NotTold;
        desk
    }

    /// Notes the envelope as the server has it.
    pub(super) fn told_of(&mut self, reverse_path: ReversePath, declared_size: Option<u64>) {
        self.visit.reverse_path = Some(Arc::new(reverse_path));
        self.visit.declared_size = declared_size;
        self.begin_by_envelope();
    }

    /// Decides on one recipient and ends its attempt: the server that asks
    /// does the rest.
    pub(super) async fn advise(
        &mut self,
        recipient: ForwardPath,
        mode: AdviceMode,
    ) -> PolicyAdvice {
        self.seek_sender_domain().await;
        self.begin_late_spf(&recipient);
        let attempt = self.next_attempt();
        let open = self.opened(attempt, Some(recipient), Stage::Rcpt);
        // If the task is dropped meanwhile, the attempt still gets its end.
        let open = self.asked.insert(Box::new(open));
        let verdict = judge(&self.engine, &self.visit, Stage::Rcpt, open, &[]).await;
        let Some(open) = self.asked.take().map(|open| *open) else { return self.no_advice() };
        if verdict.decision().is_some_and(|found| found.reason == Reason::RecipientUnknown) {
            // Counted, but not slowed: the server that asks has others waiting.
            let ip = self.visit.client.client.ip;
            drop(self.engine.parts.checks.asked_for_unknown(ip));
        }
        match (verdict, mode) {
            // A message that is not ours cannot be kept back.
            (Verdict::Proceed | Verdict::Hold(_), _) => self.pass(open).await,
            (Verdict::Defer(decision) | Verdict::Reject(decision), AdviceMode::Observe) => {
                self.would_refuse(open, decision).await
            }
            (Verdict::Defer(decision) | Verdict::Reject(decision), AdviceMode::Enforce) => {
                self.advise_against(open, Outcome::refused(decision))
            }
        }
    }

    /// Refuses a sender that is no address, as a session of ours does: whoever
    /// writes one gets past no policy by it.
    pub(super) async fn advise_on_malformed(
        &mut self,
        malformed: &Malformed,
        recipient: ForwardPath,
        mode: AdviceMode,
    ) -> PolicyAdvice {
        self.visit.reverse_path = None;
        let attempt = self.next_attempt();
        let open = self.opened(attempt, Some(recipient), Stage::Mail);
        let decision = malformed_address(Reason::SenderMalformed, malformed);
        match mode {
            AdviceMode::Observe => self.would_refuse(open, decision).await,
            AdviceMode::Enforce => self.advise_against(open, Outcome::refused(decision)),
        }
    }

    async fn pass(&mut self, open: OpenAttempt) -> PolicyAdvice {
        let reason = open.let_past(Reason::AcceptedPassed);
        let end = End {
            outcome: Outcome::Passed { reason },
            stage: Stage::Rcpt,
            reply: None,
            message: None,
        };
        let past_greylisting = open.recipient.clone().filter(|_| open.skipped_greylisting());
        let event = open.finish(&self.engine, &self.visit, end);
        let kind = event.outcome_kind();
        // Committed rather than recorded: what passes closes its life-line.
        let passed = Acceptance { message: None, events: vec![event] };
        match self.engine.parts.log.commit(None, passed).await {
            Ok(_) => {
                kind.into_iter().for_each(|kind| self.engine.tally().ended(kind));
                past_greylisting.iter().for_each(|recipient| self.close_open_window(recipient));
                PolicyAdvice::GoOn
            }
            Err(error) => {
                self.engine.tally().unrecorded(1);
                PolicyAdvice::Refuse(unavailable_reply(&error))
            }
        }
    }

    /// Lets it pass and records what would have been advised. As nobody asks
    /// the sender to come back, a first contact counts as one that did: an
    /// open window would end in a retry that never came.
    async fn would_refuse(&mut self, mut open: OpenAttempt, decision: Decision) -> PolicyAdvice {
        if let Err(error) = self.take_as_returned(&open) {
            return self.advise_against(open, Outcome::refused(not_stored(&error)));
        }
        open.would = Some(decision);
        self.pass(open).await
    }

    fn take_as_returned(&self, open: &OpenAttempt) -> Result<(), store::StoreError> {
        let Some(Observed::Triplet(facts)) = open.evidence.latest(CheckName::Greylist) else {
            return Ok(());
        };
        let waits = matches!(facts.state, TripletState::FirstSeen | TripletState::TooEarly);
        let (true, Some(recipient)) = (waits, &open.recipient) else { return Ok(()) };
        let parts = &self.engine.parts;
        let remember = parts.policy.load().base().greylist.remember;
        parts.triplets.take_as_returned(facts, recipient, open.attempt.started(), remember)
    }

    fn advise_against(&mut self, open: OpenAttempt, outcome: Outcome) -> PolicyAdvice {
        let reply = self.reply(&outcome, &open);
        // The event says what the client will be told, and Postfix has one
        // code for everything that asks to come back.
        let code = if reply.is_temporary() { DEFERRED_CODE } else { reply.code };
        let reply = Reply { code, ..reply };
        let end = End { outcome, stage: Stage::Rcpt, reply: Some(&reply), message: None };
        let event = open.finish(&self.engine, &self.visit, end);
        match self.record(vec![event]) {
            Ok(()) => PolicyAdvice::Refuse(reply),
            Err(unavailable) => PolicyAdvice::Refuse(unavailable),
        }
    }

    fn no_advice(&self) -> PolicyAdvice {
        PolicyAdvice::Refuse(crate::desk::UNAVAILABLE)
    }
}
