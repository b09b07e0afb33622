//! Whether the recipient wrote to the sender lately.

use store::CorrespondenceTable;
use types::{
    CheckName, Finding, ForwardPath, Micros, Observed, ReversePath, Source, Stage, Timestamp,
};

/// That the recipient wrote to the sender, if the sender's answer is still
/// expected at `at`. No [`types::Need`] asks for it: it is in memory, and
/// where nobody wrote there is no finding.
pub fn auto_allow_finding(
    sender: &ReversePath,
    recipient: &ForwardPath,
    at: Timestamp,
    table: &dyn CorrespondenceTable,
) -> Option<Finding> {
    // To the null reverse-path and the bare postmaster nobody writes.
    let (own, other) = (recipient.address()?, sender.address()?);
    let untagged = || table.between(own, &types::triplet::untagged(other)?, at);
    let pair = table.between(own, other, at).or_else(untagged)?;
    Some(Finding {
        check: CheckName::AutoAllow,
        stage: Stage::Rcpt,
        observed: Observed::Correspondence(pair),
        source: Source::Memory,
        took: Micros(0),
    })
}
