//! What client and sender say they are, in words. The names were written by
//! strangers.

use types::{CheckName, Event, HeloForm, Observed, ReverseFacts, SenderDomainFacts, TakesMail};

/// The name of the client, as far as it is known: one that a mail server tells
/// us of is confirmed by that server.
pub(super) fn host_name(event: &Event) -> Option<String> {
    if let Some(name) = event.subject.client.host_name.as_deref() {
        return Some(format!("{name} (confirmed)"));
    }
    match event.record.evidence.latest(CheckName::HostName)? {
        Observed::Reverse(facts) if facts.claimed.is_empty() => Some("none".to_owned()),
        Observed::Reverse(facts) => Some(format!("claims {}, not confirmed", claims(facts))),
        Observed::Inconclusive(_) => Some("no answer from the DNS".to_owned()),
        _ => None,
    }
}

/// The names that an address claims.
fn claims(facts: &ReverseFacts) -> String {
    facts.claimed.join(", ")
}

pub(super) fn reverse(facts: &ReverseFacts) -> String {
    match (&facts.confirmed, facts.claimed.is_empty()) {
        (Some(name), _) => format!("confirmed: {name}"),
        (None, true) => "its address has no name".to_owned(),
        (None, false) => {
            format!("claims {}, which does not lead back", claims(facts))
        }
    }
}

pub(super) const fn helo(form: HeloForm) -> &'static str {
    match form {
        HeloForm::Name => "a domain name",
        HeloForm::OwnName => "the confirmed name of the client",
        HeloForm::OwnAddress => "the client's own address",
        HeloForm::OtherAddress => "an address that is not the client's",
        HeloForm::SingleLabel => "a name without a dot, which is nobody's on the Internet",
        HeloForm::Ours => "a name of our own, which the client cannot have",
        HeloForm::Unusable => "no name and no address",
    }
}

pub(super) fn sender_domain(facts: &SenderDomainFacts) -> String {
    let domain = &facts.domain;
    match facts.takes_mail {
        TakesMail::Exchangers => format!("{domain} has mail exchangers"),
        TakesMail::OwnAddress => format!("{domain} takes mail at its own address"),
        TakesMail::NullMx => format!("{domain} says that it takes no mail (null MX)"),
        TakesMail::Nowhere => format!("{domain} has neither mail exchangers nor an address"),
        TakesMail::NoSuchDomain => format!("{domain} does not exist"),
    }
}
