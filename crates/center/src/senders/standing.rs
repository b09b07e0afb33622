//! What decides before an entry whatever it says, so that nobody wonders why
//! it is never applied.

use types::evidence::{Evidence, Loss, Parties};
use types::lists::{ManagedSender, Pattern, SenderPattern};
use types::policy::DomainPattern;
use types::{EmailAddress, Finding, ForwardPath, PolicyRef, PolicyType, ReversePath, Stage};

use crate::Center;
use crate::explain::{loss_words, short};
use crate::proofs::{ANYWHERE, signed_by, spf_passes};

/// Stands for an address of a domain that nobody has named.
const ANYBODY: &str = "anybody-at-all";

/// A mail that an entry covers, and that is proved to be from its sender.
struct Example {
    stage: Stage,
    from: ReversePath,
    proof: Finding,
}

impl Example {
    /// Nothing for a domain too long to have an address.
    fn of(sender: &SenderPattern) -> Option<Example> {
        let from: EmailAddress = match sender {
            SenderPattern::Named(Pattern::Address(address)) => address.clone(),
            SenderPattern::Named(Pattern::Domain(domain)) => {
                format!("{ANYBODY}@{}", name_in(domain)).parse().ok()?
            }
            // Who signed it is all that is said, whoever sends it.
            SenderPattern::Signed(domain) => {
                let proof = signed_by(&name_in(domain));
                return Some(Example { stage: Stage::Data, from: ReversePath::Null, proof });
            }
        };
        let proof = spf_passes(from.domain_key());
        Some(Example { stage: Stage::Rcpt, from: ReversePath::Address(from), proof })
    }
}

/// A domain that a pattern covers.
fn name_in(pattern: &DomainPattern) -> String {
    let below = if pattern.below { "any." } else { "" };
    format!("{below}{}", pattern.domain)
}

impl Center {
    /// What decides before an entry on every mail it covers, as far as one
    /// stands for all: for a domain, that of an address that nobody has named.
    pub(super) fn shadowed_by(&self, entry: &ManagedSender) -> Option<String> {
        let Example { stage, from, proof } = Example::of(&entry.sender)?;
        let evidence: Evidence = [proof].into_iter().collect();
        let recipient = ForwardPath::Address(entry.recipient.clone());
        let who = Parties {
            ip: ANYWHERE,
            host_name: None,
            tls: None,
            reverse_path: Some(&from),
            recipient: Some(&recipient),
            header_from: &[],
        };
        let set = self.parts.activator.in_force();
        let chosen = set.selections(stage, self.parts.clock.now(), &who, &evidence);
        let own = chosen.iter().find(|consulted| consulted.kind == PolicyType::ManagedSenders)?;
        let is_it = |policy: &PolicyRef| matches!(policy, PolicyRef::ManagedSender { id } if Some(*id) == entry.id);
        let (_, loss) = own.losers.iter().find(|(policy, _)| is_it(policy))?;
        let by = match loss {
            Loss::BelowAdministrator => chosen
                .iter()
                .filter(|consulted| consulted.kind != PolicyType::ManagedSenders)
                .find_map(|consulted| match consulted.winner {
                    Some(policy @ PolicyRef::Policy { .. }) => Some(policy),
                    _ => None,
                }),
            _ => own.winner,
        };
        let by = by.map_or(String::new(), |policy| format!("{}: ", short(policy)));
        Some(format!("{by}{}", loss_words(*loss)))
    }
}
