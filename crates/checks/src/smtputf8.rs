//! Whether the next hop takes internationalized addresses (RFC 6531).

use types::{ForwardPath, Observed, Source};
use world::RecipientProbe;

use crate::Seen;

/// What is known of the next hop from earlier connections; nothing is asked.
pub(crate) fn look(recipient: &ForwardPath, probe: &dyn RecipientProbe) -> Seen {
    let next_hop_offers = probe.smtputf8(recipient.domain_key());
    (Observed::Smtputf8 { next_hop_offers }, Source::Memory)
}
