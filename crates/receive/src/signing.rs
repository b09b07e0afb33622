//! Signing what our own servers send, once it is sure that somebody gets it.

use std::sync::Arc;

use types::Verdict;

use crate::attempt::OpenAttempt;
use crate::content_buffer::ContentBuffer;
use crate::desk::Desk;

impl Desk {
    /// The fields that sign the message, to be put before all others; empty if
    /// it is not to be signed or cannot be. What came of it stands in the
    /// record of every recipient.
    ///
    /// What is signed is the content as it was taken, which is what leaves:
    /// `deliver` writes trace fields before it and doubles dots, which the next
    /// server takes out again.
    pub(crate) async fn sign(
        &mut self,
        body_hash: Option<content::BodyHash>,
        buffer: &Arc<ContentBuffer>,
        from: Vec<String>,
        judged: &mut [(OpenAttempt, Verdict)],
    ) -> String {
        let Some(hash) = body_hash else { return String::new() };
        // Whoever is in a listed network loses nothing by proving more.
        let may_be_theirs = self.is_listed() || self.visit.submission.may_send_as_all(&from);
        let message: Arc<ContentBuffer> = Arc::clone(buffer);
        let leaving = checks::Leaving { message, body_hash: hash.finish(), from, may_be_theirs };
        let (fields, finding) = self.engine.parts.checks.sign(leaving).await;
        for (open, _) in judged {
            open.evidence.add(finding.clone());
        }
        fields
    }
}
