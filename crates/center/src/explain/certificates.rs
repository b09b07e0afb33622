//! What a client's certificate is worth, in words. The names in it are a
//! stranger's text, and whoever shows them makes them presentable.

use types::{
    CertificateFlaw, CertificateNames, CheckName, ClientCertificate, Event, HostCoverage, Observed,
};

/// What was seen of the certificate of an attempt; nothing where nobody asked.
pub(super) fn shown(event: &Event) -> Option<String> {
    match event.record.evidence.latest(CheckName::Certificate)? {
        Observed::ClientCertificate(shown) => Some(words(shown)),
        _ => None,
    }
}

/// What was seen.
pub(super) fn words(shown: &ClientCertificate) -> String {
    match shown {
        ClientCertificate::NotAsked => {
            "the client was not asked for one: its connection is older than the policy".to_owned()
        }
        ClientCertificate::NotTold => {
            "not known: the mail server that asks does not tell what the client showed".to_owned()
        }
        ClientCertificate::NotShown => "none, though it was asked for one".to_owned(),
        ClientCertificate::NotVerified { flaw } => {
            format!("one that does not count: {}", of(*flaw))
        }
        ClientCertificate::Verified(names) => verified(names),
    }
}

fn of(flaw: CertificateFlaw) -> &'static str {
    match flaw {
        CertificateFlaw::UnknownAuthority => "no authority that is trusted here made it",
        CertificateFlaw::Expired => "it, or one it depends on, has expired",
        CertificateFlaw::NotYetValid => "it, or one it depends on, is not valid yet",
        CertificateFlaw::WrongPurpose => "it was made neither for clients nor for servers",
        CertificateFlaw::KeyNotProven => "the client did not prove that it has the key",
        CertificateFlaw::TooLarge => {
            "more certificates came with it than are looked at, or larger ones"
        }
        CertificateFlaw::Malformed => "it cannot be read, or breaks a rule for certificates",
    }
}

fn verified(names: &CertificateNames) -> String {
    let covers = match (names.covers_sender, names.host) {
        (true, HostCoverage::Covered) => "covers the sender's domain and the client's host name",
        (true, _) => "covers the sender's domain",
        (false, HostCoverage::Covered) => "covers the client's host name, not the sender's domain",
        (false, HostCoverage::NotCovered) => {
            "covers neither the sender's domain nor the client's host name"
        }
        (false, HostCoverage::Unanswered) => {
            "does not cover the sender's domain, and the client's host name, which it may cover, could not be looked up"
        }
        (false, HostCoverage::NotSought) => {
            "does not cover the sender's domain, and nobody waited for the client's host name, which it may cover"
        }
    };
    let all = names.names.join(", ");
    match (names.names.is_empty(), names.more) {
        (true, _) => format!("a verified one without DNS names: it {covers}"),
        (false, 0) => format!("a verified one for {all}: it {covers}"),
        (false, more) => format!("a verified one for {all} and {more} more: it {covers}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_shown_and_whom_it_names_is_said() {
        let verified = |names: &[&str], more, covers_sender, host| {
            let names = names.iter().map(|&name| name.into()).collect();
            words(&ClientCertificate::Verified(CertificateNames {
                names,
                more,
                covers_sender,
                host,
            }))
        };
        assert_eq!(
            verified(&["bank.example", "*.bank.example"], 3, true, HostCoverage::NotSought),
            "a verified one for bank.example, *.bank.example and 3 more: it covers the sender's domain"
        );
        assert_eq!(
            verified(&[], 0, false, HostCoverage::NotCovered),
            "a verified one without DNS names: it covers neither the sender's domain nor the client's host name"
        );
        // What is not known is not said to be so.
        for host in [HostCoverage::Unanswered, HostCoverage::NotSought] {
            let said = verified(&["mx1.bank.example"], 0, false, host);
            assert!(said.contains("which it may cover") && !said.contains("neither"), "{said}");
        }
        let flaw = CertificateFlaw::Expired;
        assert_eq!(
            words(&ClientCertificate::NotVerified { flaw }),
            "one that does not count: it, or one it depends on, has expired"
        );
        assert_eq!(words(&ClientCertificate::NotShown), "none, though it was asked for one");
    }
}
