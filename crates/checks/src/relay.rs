//! Whether the recipient's domain is one we protect.

use types::{CheckName, Finding, ForwardPath, Micros, Observed, Source, Stage};

/// What relay control needs to know of a recipient. The bare postmaster is
/// ours whatever our domains are (RFC 5321 section 4.5.1).
pub fn relay_finding(recipient: &ForwardPath, is_ours: impl Fn(&str) -> bool) -> Finding {
    let internal = match recipient {
        ForwardPath::Postmaster => true,
        ForwardPath::Address(address) => is_ours(address.domain_key()),
    };
    Finding {
        check: CheckName::Relay,
        stage: Stage::Rcpt,
        observed: Observed::Relay { internal },
        source: Source::Settings,
        took: Micros(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_domains_and_the_bare_postmaster_are_internal() {
        let internal = |recipient: ForwardPath| {
            relay_finding(&recipient, |domain| domain == "corp.example").observed
        };
        let address = |text: &str| ForwardPath::Address(text.parse().unwrap());
        assert_eq!(internal(address("bob@Corp.example")), Observed::Relay { internal: true });
        assert_eq!(internal(address("bob@x.corp.example")), Observed::Relay { internal: false });
        assert_eq!(internal(ForwardPath::Postmaster), Observed::Relay { internal: true });
    }
}
