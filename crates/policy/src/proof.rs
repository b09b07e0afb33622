//! What counts as a proof that a domain stands behind a message: for mail in
//! our own name, and for entries that count for authenticated mail alone, of
//! whose domains we know less.

use types::authentication::is_within;
use types::{CheckName, DkimResult, DmarcResult, Evidence, Flaw, Observed, SpfResult};

/// Whether anything proves that a domain stands behind a message, from the
/// weakest to the strongest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Proof {
    /// Nothing does.
    Missing,
    /// A question was not answered that could have.
    Open,
    /// There is a signature that is not looked at, because the header is
    /// larger than any of ours. Coming back would not help, and to let it pass
    /// would be a way around for everybody: somebody has to look.
    Unseen,
    /// Something does.
    Given,
}

/// What SPF, DKIM and DMARC prove of `domain`, one of ours. A name below the
/// domain speaks for it; one above may belong to others.
pub(crate) fn proof(evidence: &Evidence, domain: &str) -> Proof {
    proof_by(evidence, domain, |name| is_within(name, domain))
}

/// The same of a domain of somebody else's. Below a public suffix are
/// strangers, who do not speak for it; and where the domain publishes a policy
/// by which the message fails (RFC 9989: under strict alignment the names below
/// do not speak for it), nothing else proves the contrary.
pub(crate) fn proof_of_stranger(evidence: &Evidence, domain: &str) -> Proof {
    if dmarc_result(evidence, domain) == Some(DmarcResult::Fail) {
        return Proof::Missing;
    }
    let is_shared = psl::suffix_str(domain) == Some(domain);
    proof_by(evidence, domain, |name| match is_shared {
        true => name == domain,
        false => is_within(name, domain),
    })
}

/// What DMARC says of exactly this domain of an author.
fn dmarc_result(evidence: &Evidence, domain: &str) -> Option<DmarcResult> {
    match evidence.latest(CheckName::Dmarc) {
        Some(Observed::Dmarc(facts)) if facts.domain == domain => Some(facts.result),
        _ => None,
    }
}

/// What is proved of `domain` by names that speak for it.
fn proof_by(evidence: &Evidence, domain: &str, speaks: impl Fn(&str) -> bool) -> Proof {
    let mut proof = Proof::Missing;
    if let Some(Observed::Spf(facts)) = evidence.latest(CheckName::Spf)
        && speaks(&facts.domain)
    {
        match facts.result {
            SpfResult::Pass => return Proof::Given,
            SpfResult::TempError => proof = Proof::Open,
            _ => {}
        }
    }
    if let Some(Observed::Dkim(facts)) = evidence.latest(CheckName::Dkim) {
        for one in facts.signatures.iter().filter(|one| speaks(&one.domain)) {
            match (one.result, one.flaw) {
                (DkimResult::Pass, _) => return Proof::Given,
                (DkimResult::TempError, _) => proof = Proof::Open,
                (_, Some(Flaw::TooLarge)) if proof == Proof::Missing => proof = Proof::Unseen,
                _ => {}
            }
        }
    }
    match dmarc_result(evidence, domain) {
        Some(DmarcResult::Pass) => Proof::Given,
        _ => proof,
    }
}
