//! Addresses the protocol itself refuses. Each is an attempt of its own, so
//! that whoever was told no can be told why. No policy is asked here.

use std::sync::Arc;

use smtp::{Answer, Question};
use types::{CheckName, Decision, Detail, ForwardPath, Outcome, Reason, ReversePath, Stage};

use crate::attempt::OpenAttempt;
use crate::desk::{Desk, UNAVAILABLE};

impl Desk {
    /// Refuses an address that cannot be read.
    pub(crate) fn refuse_syntax(
        &mut self,
        reason: Reason,
        stage: Stage,
        malformed: &smtp::Malformed,
    ) -> Answer {
        let decision = malformed_address(reason, malformed);
        if stage == Stage::Mail {
            return self.beside_transaction(None, |desk, open| {
                desk.refuse(open, Outcome::refused(decision), stage)
            });
        }
        let attempt = self.next_attempt();
        let open = self.opened(attempt, None, stage);
        self.refuse(open, Outcome::refused(decision), stage)
    }

    /// Refuses a well-formed address for what stands beside it. The protocol
    /// has a code for each such mistake, so the reply is its own.
    pub(crate) fn refuse_unfit(&mut self, question: Question) -> Answer {
        let reply = question.own_reply().unwrap_or(UNAVAILABLE);
        match question {
            Question::UnfitSender(path, unfit) => {
                let decision = protocol_decision(Reason::SenderMalformed, unfit.to_string());
                self.beside_transaction(Some(path), |desk, open| {
                    desk.refuse_saying(open, Outcome::refused(decision), Stage::Mail, reply)
                })
            }
            Question::UnfitRecipient(path, unfit) => {
                let decision = protocol_decision(Reason::RecipientMalformed, unfit.to_string());
                let attempt = self.next_attempt();
                let open = self.opened(attempt, Some(path), Stage::Rcpt);
                self.refuse_saying(open, Outcome::refused(decision), Stage::Rcpt, reply)
            }
            _ => Answer::Refuse(reply),
        }
    }

    /// Ends the attempt of a MAIL that opens no transaction. What an earlier
    /// MAIL said is not part of it; an open transaction gets it back.
    fn beside_transaction(
        &mut self,
        reverse_path: Option<ReversePath>,
        refuse: impl FnOnce(&mut Self, OpenAttempt) -> Answer,
    ) -> Answer {
        let attempt = self.next_attempt();
        let reverse_path = reverse_path.map(Arc::new);
        let earlier_path = std::mem::replace(&mut self.visit.reverse_path, reverse_path);
        let earlier_size = self.visit.declared_size.take();
        let earlier_domain = self.visit.sender_domain_found.take();
        let open = self.opened(attempt, None, Stage::Mail);
        let answer = refuse(self, open);
        self.visit.reverse_path = earlier_path;
        self.visit.declared_size = earlier_size;
        self.visit.sender_domain_found = earlier_domain;
        answer
    }

    /// Puts a recipient beyond the number allowed off to another transaction.
    pub(crate) fn too_many(&mut self, recipient: ForwardPath) -> Answer {
        let attempt = self.next_attempt();
        let open = self.opened(attempt, Some(recipient), Stage::Rcpt);
        let limit = u64::from(self.live.settings.session.recipients_max);
        let detail = Detail::Limit { observed: limit + 1, limit };
        let decision = Decision::new(Reason::RecipientsLimited, CheckName::Protocol);
        self.refuse(open, Outcome::refused(decision.with_detail(detail)), Stage::Rcpt)
    }
}

/// A refusal by the protocol itself, with what was wrong.
/// The decision on an address that cannot be read: what it was, and why.
pub(crate) fn malformed_address(reason: Reason, malformed: &smtp::Malformed) -> Decision {
    protocol_decision(reason, format!("{}: {}", malformed.given, malformed.error))
}

fn protocol_decision(reason: Reason, note: String) -> Decision {
    Decision::new(reason, CheckName::Protocol).with_detail(Detail::Note(note.into()))
}
