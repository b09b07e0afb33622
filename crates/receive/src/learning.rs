//! What mail of our own people teaches: to whom they wrote, and who may
//! therefore answer.

use types::{
    CheckName, Consulted, Correspondence, ForwardPath, Lesson, MessageFacts, Observed, Parties,
    Stage, Timestamp, Untaught,
};

use crate::attempt::OpenAttempt;
use crate::desk::{Desk, finding};

impl Desk {
    /// Notes in the attempt of a message that is taken over what it teaches of
    /// its recipient, and gives the pair if there is one. A message that comes
    /// in teaches nothing, and nothing is noted.
    pub(crate) fn teach(
        &self,
        open: &mut OpenAttempt,
        recipient: &ForwardPath,
        facts: &MessageFacts,
        at: Timestamp,
    ) -> Option<Correspondence> {
        if !self.visit.is_outbound() {
            return None;
        }
        let (lesson, consulted) = self.lesson(recipient, facts, at);
        let observed = Observed::Lesson(lesson.clone());
        open.evidence.add(finding(CheckName::AutoAllow, Stage::Content, observed));
        open.consulted.extend(consulted);
        match lesson {
            Lesson::Taught(pair) => Some(pair),
            Lesson::Nothing(_) => None,
        }
    }

    /// What a message teaches of one recipient, and which policy was asked. An
    /// automatic reply, a mailing and a bounce teach nothing: whoever gets one
    /// was not written to by a person. Neither does what could not be read,
    /// because it may be one of those; nor a reverse-path that was made for
    /// this message, to which nobody will answer: strangers whose mail is
    /// forwarded would fill the table with those.
    fn lesson(
        &self,
        recipient: &ForwardPath,
        facts: &MessageFacts,
        at: Timestamp,
    ) -> (Lesson, Option<Consulted>) {
        let nothing = |why| (Lesson::Nothing(why), None);
        let sender = self.visit.reverse_path.as_deref();
        let Some(own) = sender.and_then(|path| path.address()) else {
            return nothing(Untaught::NoSender);
        };
        let policy = self.engine.parts.policy.load();
        let other = recipient.address().filter(|address| !policy.is_internal(address.domain_key()));
        let why_not = [
            (sender.is_some_and(types::triplet::is_of_one_message), Untaught::SenderOfOneMessage),
            (facts.automatic.is_some(), Untaught::Automatic),
            (facts.unread.is_some(), Untaught::Unread),
            (!policy.is_internal(own.domain_key()), Untaught::SenderNotOurs),
        ];
        if let Some((_, why)) = why_not.into_iter().find(|(applies, _)| *applies) {
            return nothing(why);
        }
        let Some(other) = other else { return nothing(Untaught::RecipientOurs) };
        let who = Parties {
            ip: self.visit.client.client.ip,
            host_name: None,
            tls: None,
            reverse_path: sender,
            recipient: Some(recipient),
            header_from: &[],
        };
        let consulted = policy.learns(at, &who);
        let lesson = match consulted.no_action {
            true => Lesson::Nothing(Untaught::Policy),
            false => {
                Lesson::Taught(Correspondence { own: own.clone(), other: other.clone(), wrote: at })
            }
        };
        (lesson, Some(consulted))
    }

    /// Keeps what was taught. What cannot be kept is not the sender's
    /// business, whose message is ours already: answers wait like first
    /// contacts then.
    pub(crate) fn learn(&self, pairs: &[Correspondence]) {
        if !pairs.is_empty() {
            let _kept = self.engine.parts.correspondences.wrote(pairs);
        }
    }
}
