//! Before there is a recipient: the connection and MAIL.

use types::policy::{PolicyOption, SecureReceiptOption};
use types::{
    CheckName, ClientCertificate, Decision, Detail, EmailAddress, HostCoverage, Need, Observed,
    Parties, Policy, PolicyRef, PolicyType, Reason, ReversePath, TlsFacts,
};

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
/// one (RFC 3207 section 4), or from verified clients alone, and came from
/// another. It stands at MAIL, so that no recipient is said in clear text, and
/// again at RCPT, which is the first thing that a mail server asks that stays
/// the MX itself.
pub(crate) fn secure_receipt(case: &mut Case<'_>) -> RuleAnswer {
    if !case.set.secures_receipt() {
        return RuleAnswer::NotMine;
    }
    let Some(compiled) = case.stored_policy(PolicyType::SecureReceipt).map(|one| one.compiled)
    else {
        return RuleAnswer::NotMine;
    };
    let PolicyOption::SecureReceipt(option) = compiled.policy.option else {
        return RuleAnswer::NotMine;
    };
    let is_encrypted = case.who.tls.is_some_and(TlsFacts::is_current);
    let reason = match option {
        SecureReceiptOption::Opportunistic => return RuleAnswer::NotMine,
        _ if !is_encrypted => Reason::TlsRequired,
        SecureReceiptOption::RequireTls => return RuleAnswer::NotMine,
        SecureReceiptOption::RequireVerified => match unverified(case, &compiled.policy) {
            Ok(Some(reason)) => reason,
            Ok(None) => return RuleAnswer::NotMine,
            Err(need) => return RuleAnswer::Needs(need),
        },
    };
    let decision = Decision::new(reason, CheckName::SecureReceipt);
    RuleAnswer::Decides(decision.by(compiled.reference))
}

/// What speaks against a client that has to be verified; nothing where its
/// certificate counts and names who sends: the domain of the reverse-path, or
/// the client's host where that host stands for the sender.
fn unverified(case: &Case<'_>, policy: &Policy) -> Result<Option<Reason>, Need> {
    let Some(Observed::ClientCertificate(shown)) = case.evidence.latest(CheckName::Certificate)
    else {
        return Err(Need::Certificate);
    };
    let names = match shown {
        ClientCertificate::Verified(names) => names,
        // We did not ask, because the policy is younger than the connection:
        // the next one is asked, so the client may come back.
        ClientCertificate::NotAsked => return Ok(Some(Reason::SystemUnavailable)),
        ClientCertificate::NotTold
        | ClientCertificate::NotShown
        | ClientCertificate::NotVerified { .. } => return Ok(Some(Reason::TlsUnverified)),
    };
    match names.host {
        _ if names.covers_sender => Ok(None),
        HostCoverage::Covered if host_stands_for_sender(case.who, policy) => Ok(None),
        HostCoverage::Covered | HostCoverage::NotCovered => Ok(Some(Reason::TlsUnverified)),
        // It may be the very host of the sender: a failure of the DNS refuses
        // nobody for good.
        HostCoverage::Unanswered => Ok(Some(Reason::SystemUnavailable)),
        HostCoverage::NotSought => Err(Need::Certificate),
    }
}

/// Whether the client's host stands for the sender. Anybody can have a host
/// with a name and a certificate for it, so the host of a stranger proves
/// nothing of whom the reverse-path names: it must lie in that domain, or the
/// policy itself must say which hosts are meant. Behind the null reverse-path
/// nobody is named whom it could belie.
fn host_stands_for_sender(who: &Parties<'_>, policy: &Policy) -> bool {
    let domain = who.reverse_path.and_then(ReversePath::address).map(EmailAddress::domain_key);
    who.host_name.is_some_and(|host| match domain {
        None => true,
        Some(_) if !policy.source_hosts.is_empty() => true,
        Some(domain) => is_within(host, domain),
    })
}

/// Whether a host is a domain or lies below it; both in comparable form, but
/// for the case of the host.
fn is_within(host: &str, domain: &str) -> bool {
    let start = host.len().checked_sub(domain.len());
    let parts = start.and_then(|start| host.split_at_checked(start));
    parts.is_some_and(|(below, same)| {
        same.eq_ignore_ascii_case(domain) && (below.is_empty() || below.ends_with('.'))
    })
}
