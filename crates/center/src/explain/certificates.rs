//! What a client's certificate is worth, in words. The names in it are a
//! stranger's text, and whoever shows them makes them presentable.

use types::{
    CertificateFlaw, CertificateNames, CheckName, ClientCertificate, Event, HostCoverage, Observed,
    Outcome, Reason,
};

/// Why an attempt was put off whose client has to be verified, and what
/// follows from that. Its reason is [`Reason::SystemUnavailable`], because what
/// is missing is ours to find out; but nothing of ours is broken.
pub(super) struct PutOff {
    /// What happened.
    pub(super) explanation: &'static str,
    /// Whether what the client showed says more about it.
    pub(super) shows: bool,
    /// What can be done.
    pub(super) remedy: &'static str,
    /// The same, as the smallest change.
    pub(super) change: &'static str,
    /// The command that says more.
    pub(super) command: Option<&'static str>,
}

const NOT_ASKED: PutOff = PutOff {
    explanation: "A policy accepts this sender only from a client whose certificate is verified, and this client was not asked for its certificate: its connection is older than the policy.",
    shows: false,
    remedy: "Nothing needs to be done: the sender will try again, and its next connection is asked for its certificate.",
    change: "None is needed: the sender retries by itself, and its next connection is asked for its certificate.",
    command: None,
};

const NOT_LOOKED_UP: PutOff = PutOff {
    explanation: "A policy accepts this sender only from a client whose certificate is verified, and what this one's is worth could not be found out yet: the name of the client's address could not be looked up.",
    shows: true,
    remedy: "If this lasts, see whether this gateway's resolver answers for the client's address; the sender will try again.",
    change: "None is needed: the sender retries by itself. If this lasts, see whether this gateway's resolver answers for the client's address.",
    command: Some("portcullis check-config --online"),
};

/// Why it was put off, if it was because nobody knows what the certificate of
/// its client is worth.
pub(super) fn put_off(event: &Event) -> Option<&'static PutOff> {
    let decision = event.outcome().and_then(Outcome::decision)?;
    if (decision.reason, decision.check) != (Reason::SystemUnavailable, CheckName::SecureReceipt) {
        return None;
    }
    match event.record.evidence.latest(CheckName::Certificate)? {
        Observed::ClientCertificate(ClientCertificate::NotAsked) => Some(&NOT_ASKED),
        Observed::ClientCertificate(_) => Some(&NOT_LOOKED_UP),
        _ => None,
    }
}

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
