//! What the domain of a sender says of itself.

use types::{CheckName, Decision, Observed, Reason, TakesMail};

use super::RuleAnswer;
use crate::decide::Case;

/// A sender whose domain says that it takes no mail (RFC 7505 section 4.2):
/// nobody could answer, and no bounce would arrive. No permit skips it. That
/// a domain has no exchanger, or does not exist, is a fact and no more.
pub(crate) fn null_mx(case: &mut Case<'_>) -> RuleAnswer {
    match case.evidence.latest(CheckName::SenderDomain) {
        Some(Observed::SenderDomain(facts)) if facts.takes_mail == TakesMail::NullMx => {
            RuleAnswer::Decides(Decision::new(Reason::SenderNullMx, CheckName::SenderDomain))
        }
        _ => RuleAnswer::NotMine,
    }
}
