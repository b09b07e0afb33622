//! Before there is a recipient: the connection and MAIL.

use types::policy::{PolicyOption, SecureReceiptOption};
use types::{CheckName, Decision, Detail, Observed, PolicyRef, PolicyType, Reason, TlsFacts};

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

/// A sender who is taken over an encrypted connection alone, and came without
/// one (RFC 3207 section 4). It stands at MAIL, so that no recipient is said
/// in clear text, and again at RCPT, which is the first thing that a mail
/// server asks that stays the MX itself.
pub(crate) fn secure_receipt(case: &mut Case<'_>) -> RuleAnswer {
    if !case.set.secures_receipt() {
        return RuleAnswer::NotMine;
    }
    let Some(compiled) = case.stored_policy(PolicyType::SecureReceipt).map(|one| one.compiled)
    else {
        return RuleAnswer::NotMine;
    };
    let required = PolicyOption::SecureReceipt(SecureReceiptOption::RequireTls);
    if compiled.policy.option != required || case.who.tls.is_some_and(TlsFacts::is_current) {
        return RuleAnswer::NotMine;
    }
    let decision = Decision::new(Reason::TlsRequired, CheckName::SecureReceipt);
    RuleAnswer::Decides(decision.by(compiled.reference))
}
