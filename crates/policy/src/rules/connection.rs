//! Before there is a recipient: the connection and MAIL.

use types::{CheckName, Decision, Detail, Observed, PolicyRef, PolicyType, Reason};

use super::{RuleAnswer, over_size};
use crate::decide::Case;

/// A listed peer that sends no PROXY header hides who is behind it.
pub(crate) fn proxy_header(case: &mut Case<'_>) -> RuleAnswer {
    match case.evidence.latest(CheckName::Proxy) {
        Some(Observed::ProxyInvalid) => {
            RuleAnswer::Decides(Decision::new(Reason::ProxyInvalid, CheckName::Proxy))
        }
        _ => RuleAnswer::NotMine,
    }
}

/// One client, or all together, hold more connections than we keep.
pub(crate) fn connections(case: &mut Case<'_>) -> RuleAnswer {
    let Some(&Observed::Connections { by_client, by_client_max, in_all, in_all_max }) =
        case.evidence.latest(CheckName::Connections)
    else {
        return RuleAnswer::NotMine;
    };
    let (observed, limit) = match (by_client > by_client_max, in_all > in_all_max) {
        (true, _) => (by_client, by_client_max),
        (false, true) => (in_all, in_all_max),
        (false, false) => return RuleAnswer::NotMine,
    };
    let detail = Detail::Limit { observed: observed.into(), limit: limit.into() };
    let decision = Decision::new(Reason::ConnectionsLimited, CheckName::Connections);
    RuleAnswer::Decides(decision.with_detail(detail))
}

/// One client opened more connections in a short time than the rate allows.
pub(crate) fn connection_rate(case: &mut Case<'_>) -> RuleAnswer {
    match case.evidence.latest(CheckName::Rate) {
        Some(&Observed::Rate { exceeded: true, retry_in_s, .. }) => {
            let decision = Decision::new(Reason::ConnectionsLimited, CheckName::Rate);
            RuleAnswer::Decides(decision.with_detail(Detail::RetryIn { seconds: retry_in_s }))
        }
        _ => RuleAnswer::NotMine,
    }
}

/// A client that does not wait for the greeting does not read replies.
pub(crate) fn early_talk(case: &mut Case<'_>) -> RuleAnswer {
    match case.evidence.latest(CheckName::EarlyTalk) {
        Some(Observed::EarlyTalk) => {
            RuleAnswer::Decides(Decision::new(Reason::ClientEarlyTalker, CheckName::EarlyTalk))
        }
        _ => RuleAnswer::NotMine,
    }
}

/// A declared size that no recipient can get, since policies only lower the
/// limit of the settings.
pub(crate) fn declared_size_for_anybody(case: &mut Case<'_>) -> RuleAnswer {
    match case.evidence.latest(CheckName::Size) {
        Some(&Observed::Size { declared: Some(declared), .. }) => {
            let by = PolicyRef::Base(PolicyType::EmailSizeLimits);
            over_size(declared, (case.set.base().size_max_octets, by))
        }
        _ => RuleAnswer::NotMine,
    }
}
