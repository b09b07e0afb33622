//! The rules of the data: its form, its size and its way here. The authors
//! are weighed by the sender rules of RCPT, asked once more.

use types::{CheckName, Decision, Detail, Observed, Reason};

use super::{RuleAnswer, over_size, size_limit};
use crate::decide::Case;

/// A bare CR or LF, by which a second message could be smuggled past us to a
/// next hop that takes it for a line end.
pub(crate) fn line_endings(case: &mut Case<'_>) -> RuleAnswer {
    match case.evidence.findings().iter().any(|f| f.observed == Observed::BareLineEnd) {
        true => {
            RuleAnswer::Decides(Decision::new(Reason::ProtocolSmuggling, CheckName::DataFormat))
        }
        false => RuleAnswer::NotMine,
    }
}

/// A line longer than anybody needs.
pub(crate) fn line_length(case: &mut Case<'_>) -> RuleAnswer {
    let findings = case.evidence.findings().iter();
    match findings.rev().find(|f| matches!(f.observed, Observed::LineTooLong { .. })) {
        Some(finding) => {
            RuleAnswer::Decides(Decision::new(Reason::ProtocolLineTooLong, finding.check))
        }
        None => RuleAnswer::NotMine,
    }
}

/// A message over what this recipient may get.
pub(crate) fn received_size(case: &mut Case<'_>) -> RuleAnswer {
    match case.evidence.latest(CheckName::Size) {
        Some(&Observed::Size { received: Some(received), .. }) => {
            over_size(received, size_limit(case))
        }
        _ => RuleAnswer::NotMine,
    }
}

/// More Received fields than any honest way has (RFC 5321 section 6.3).
pub(crate) fn hops(case: &mut Case<'_>) -> RuleAnswer {
    match case.evidence.latest(CheckName::Hops) {
        Some(&Observed::Hops { received_fields, max }) if received_fields > max => {
            let detail = Detail::Limit { observed: received_fields.into(), limit: max.into() };
            RuleAnswer::Decides(Decision::new(Reason::Loop, CheckName::Hops).with_detail(detail))
        }
        _ => RuleAnswer::NotMine,
    }
}
