//! Whether the recipient's domain is one we protect.

use types::{CheckName, Finding, ForwardPath, Micros, Observed, Source, Stage};

/// Who names the recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamedBy {
    /// A client that wants us to take the message over.
    Client,
    /// A mail server that would take it over itself and asks first.
    Server,
}

/// What relay control needs to know of a recipient. The bare postmaster is
/// ours whatever our domains are (RFC 5321 section 4.5.1).
pub fn relay_finding(
    recipient: &ForwardPath,
    named_by: NamedBy,
    is_ours: impl Fn(&str) -> bool,
) -> Finding {
    let internal = match recipient {
        ForwardPath::Postmaster => true,
        ForwardPath::Address(address) => is_ours(address.domain_key()),
    };
    Finding {
        check: CheckName::Relay,
        stage: Stage::Rcpt,
        observed: Observed::Relay { internal, askers: named_by == NamedBy::Server },
        source: Source::Settings,
        took: Micros(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observed(recipient: ForwardPath, named_by: NamedBy) -> Observed {
        relay_finding(&recipient, named_by, |domain| domain == "corp.example").observed
    }

    #[test]
    fn only_our_domains_and_the_bare_postmaster_are_internal() {
        let of_client = |recipient| observed(recipient, NamedBy::Client);
        let address = |text: &str| ForwardPath::Address(text.parse().unwrap());
        let relay = |internal| Observed::Relay { internal, askers: false };
        assert_eq!(of_client(address("bob@Corp.example")), relay(true));
        assert_eq!(of_client(address("bob@x.corp.example")), relay(false));
        assert_eq!(of_client(ForwardPath::Postmaster), relay(true));
    }

    #[test]
    fn a_server_that_asks_answers_for_its_domains() {
        let recipient = ForwardPath::Address("bob@elsewhere.example".parse().unwrap());
        let asked = observed(recipient, NamedBy::Server);
        assert_eq!(asked, Observed::Relay { internal: false, askers: true });
    }
}
