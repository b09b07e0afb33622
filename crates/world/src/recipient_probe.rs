//! Asking the next hop about a recipient (call-forward) without knowing SMTP.
//!
//! The check that asks may not import the delivery that can; this trait
//! stands between them and the binary joins them.

use std::net::IpAddr;
use std::sync::Arc;

use types::finding::RecipientAnswer;
use types::{ForwardPath, Inconclusive, ReversePath};

use crate::BoxFuture;

/// Asks the next hop whether it would take a recipient.
pub trait RecipientProbe: Send + Sync + 'static {
    /// Offers `recipient` to the next hop of `domain` (its comparable form)
    /// and gives what it answers, without sending anything. The reverse-path
    /// is what MAIL names: the sender's, or null where a definition asks for
    /// that.
    ///
    /// Takes as long as the next hop takes; the caller sets the deadline. An
    /// earlier answer may be given again, with its age.
    fn probe<'a>(
        &'a self,
        domain: &'a str,
        reverse_path: &'a ReversePath,
        recipient: &'a ForwardPath,
    ) -> BoxFuture<'a, ProbeAnswer>;

    /// Whether the next hop of `domain` offers SMTPUTF8 (RFC 6531), as far
    /// as earlier sessions have shown; nothing if it was never asked. Does
    /// not wait.
    fn smtputf8(&self, domain: &str) -> Option<bool>;
}

/// What the next hop said, and which it was.
#[derive(Clone, Debug, PartialEq)]
pub struct ProbeAnswer {
    /// Its answer, or why there is none.
    pub answer: Result<RecipientAnswer, Inconclusive>,
    /// Host and port that answered, or that was tried last.
    pub host: Arc<str>,
    /// The address that was connected to, if one was.
    pub ip: Option<IpAddr>,
    /// Seconds since an earlier answer was given; nothing if it was asked for
    /// this recipient just now.
    pub age_s: Option<u64>,
}
