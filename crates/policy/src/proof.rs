//! What counts as a proof that a domain stands behind a message: for mail in
//! our own name, and for entries that count for authenticated mail alone.

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

/// What SPF, DKIM and DMARC prove of `domain`. A name below the domain speaks
/// for it; one above may belong to others.
pub(crate) fn proof(evidence: &Evidence, domain: &str) -> Proof {
    let mut proof = Proof::Missing;
    if let Some(Observed::Spf(facts)) = evidence.latest(CheckName::Spf)
        && is_within(&facts.domain, domain)
    {
        match facts.result {
            SpfResult::Pass => return Proof::Given,
            SpfResult::TempError => proof = Proof::Open,
            _ => {}
        }
    }
    if let Some(Observed::Dkim(facts)) = evidence.latest(CheckName::Dkim) {
        for one in facts.signatures.iter().filter(|one| is_within(&one.domain, domain)) {
            match (one.result, one.flaw) {
                (DkimResult::Pass, _) => return Proof::Given,
                (DkimResult::TempError, _) => proof = Proof::Open,
                (_, Some(Flaw::TooLarge)) if proof == Proof::Missing => proof = Proof::Unseen,
                _ => {}
            }
        }
    }
    if let Some(Observed::Dmarc(facts)) = evidence.latest(CheckName::Dmarc)
        && facts.domain == domain
        && facts.result == DmarcResult::Pass
    {
        return Proof::Given;
    }
    proof
}
