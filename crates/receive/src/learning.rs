//! What mail of our own people teaches: to whom they wrote, and who may
//! therefore answer.

use store::QueuedRecipient;
use types::{Correspondence, ForwardPath, MessageFacts, Parties, Timestamp};

use crate::desk::Desk;

impl Desk {
    /// The pairs that a message for these recipients teaches. An automatic
    /// reply, a mailing and a bounce teach nothing: whoever gets one was not
    /// written to by a person. Neither does what could not be read, because
    /// it may be one of those; nor a reverse-path that was made for this
    /// message, to which nobody will answer: strangers whose mail is forwarded
    /// would fill the table with those.
    pub(crate) fn taught_by(
        &self,
        recipients: &[QueuedRecipient],
        facts: &MessageFacts,
        at: Timestamp,
    ) -> Vec<Correspondence> {
        let sender = self.visit.reverse_path.as_deref();
        let once = sender.is_some_and(types::triplet::is_of_one_message);
        let Some(own) = sender.and_then(|path| path.address()) else { return Vec::new() };
        if once || !self.visit.is_outbound() || facts.automatic.is_some() || facts.unread.is_some()
        {
            return Vec::new();
        }
        let policy = self.engine.parts.policy.load();
        if !policy.is_internal(own.domain_key()) {
            return Vec::new();
        }
        let learns = |recipient: &ForwardPath| {
            let who = Parties {
                ip: self.visit.client.client.ip,
                host_name: None,
                tls: None,
                reverse_path: sender,
                recipient: Some(recipient),
                header_from: &[],
            };
            policy.learns(at, &who)
        };
        let paths = recipients.iter().map(|recipient| &recipient.path);
        paths
            .filter_map(|path| Some((path, path.address()?)))
            .filter(|(path, other)| !policy.is_internal(other.domain_key()) && learns(path))
            .map(|(_, other)| Correspondence { own: own.clone(), other: other.clone(), wrote: at })
            .collect()
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
