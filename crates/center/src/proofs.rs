//! What sender authentication would have found of a mail that never came.

use std::net::{IpAddr, Ipv4Addr};

use types::authentication::{DkimFacts, SignatureFacts, SpfFacts};
use types::{
    CheckName, DkimResult, Finding, Micros, Observed, Source, SpfIdentity, SpfResult, Stage,
};

/// Stands for a client that nobody has named.
pub(crate) const ANYWHERE: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// SPF passes for a domain in comparable form.
pub(crate) fn spf_passes(domain: &str) -> Finding {
    let facts = SpfFacts {
        identity: SpfIdentity::MailFrom,
        domain: domain.to_owned(),
        ip: ANYWHERE,
        result: SpfResult::Pass,
        flaw: None,
        questions: 0,
        explanation: None,
    };
    found(CheckName::Spf, Stage::Rcpt, Observed::Spf(facts))
}

/// A DKIM signature of a domain in comparable form passes.
pub(crate) fn signed_by(domain: &str) -> Finding {
    let domain = domain.to_owned();
    let signature =
        SignatureFacts { domain, result: DkimResult::Pass, ..SignatureFacts::default() };
    let facts =
        DkimFacts { result: DkimResult::Pass, signatures: vec![signature], ..DkimFacts::default() };
    found(CheckName::Dkim, Stage::Data, Observed::Dkim(facts))
}

fn found(check: CheckName, stage: Stage, observed: Observed) -> Finding {
    Finding { check, stage, observed, source: Source::Session, took: Micros(0) }
}
