//! Which entries of the recipient's list a mail meets, and which of them count:
//! some count for mail alone that is proved to be from its sender.

use types::evidence::{Evidence, Need, Parties};
use types::lists::SenderAction;
use types::{CheckName, DkimResult, Domain, Observed, PolicyId, PolicyRef, Timestamp};

use crate::index::authors;
use crate::keys::Party;
use crate::patterns::Rank;
use crate::proof::{Proof, proof_of_stranger};
use crate::senders::{SenderList, SenderMatch};
use crate::set::PolicySet;

/// An entry of the recipient's that covers the sender.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) found: SenderMatch,
    /// Whether the envelope sender is what it covers, not only an author or a
    /// signature.
    pub(crate) by_envelope: bool,
}

impl Entry {
    /// Whether it was learned from outbound mail, here or elsewhere.
    pub(crate) fn is_learned(&self) -> bool {
        self.found.facts.action == SenderAction::Auto
    }

    pub(crate) fn blocks(&self) -> bool {
        self.found.facts.action == SenderAction::Block
    }

    pub(crate) fn reference(&self) -> PolicyRef {
        PolicyRef::ManagedSender { id: self.found.facts.id }
    }

    /// The more specific wins, on a tie a block; what is learned comes last.
    /// The number only makes the choice among equals the same every time.
    pub(crate) fn standing(&self) -> (bool, Rank, bool, std::cmp::Reverse<PolicyId>) {
        let id = std::cmp::Reverse(self.found.facts.id);
        (!self.is_learned(), self.found.rank, self.blocks(), id)
    }

    fn is(&self, other: &Entry) -> bool {
        self.found.facts.id == other.found.facts.id
    }
}

/// An entry that counts for authenticated mail alone, where nothing has proved
/// the sender so far.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unproven {
    pub(crate) entry: Entry,
    /// How near to a proof it came, of all whom it covers.
    proof: Proof,
}

/// Why it cannot be said that an entry without its proof does not count. The
/// first weighs most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Doubt {
    /// The end of the data can still prove it.
    Later,
    /// A question was not answered that may be at the next attempt.
    Open,
    /// There is a signature that is not looked at.
    Unseen,
}

impl Unproven {
    fn doubt(&self, proof_follows: bool) -> Option<Doubt> {
        match self.proof {
            _ if proof_follows => Some(Doubt::Later),
            Proof::Open => Some(Doubt::Open),
            Proof::Unseen => Some(Doubt::Unseen),
            Proof::Missing | Proof::Given => None,
        }
    }
}

/// The recipient's entries that a mail meets.
#[derive(Clone, Debug, Default)]
pub(crate) struct Entries {
    /// Those that count.
    pub(crate) counting: Vec<Entry>,
    /// Those that would, were their sender proved.
    pub(crate) unproven: Vec<Unproven>,
    /// What has to be asked before more can be said.
    pub(crate) lacks: Option<Need>,
}

impl Entries {
    /// Looks in the list of the recipient: for the envelope sender, and once
    /// the header is known for the authors and the signatures too.
    pub(crate) fn met(
        set: &PolicySet,
        at: Timestamp,
        who: &Parties<'_>,
        evidence: &Evidence,
        header_known: bool,
    ) -> Entries {
        let mut entries = Entries::default();
        let Some(recipient) = who.recipient.and_then(|path| path.address()) else {
            return entries;
        };
        let list = set.senders().list(recipient.key());
        let mut named = |party: Party<'_>, by_envelope| {
            let Party::Address(sender) = party else { return };
            for found in list.of_address(at, sender) {
                entries.meet(Entry { found, by_envelope }, sender, evidence);
            }
        };
        if let Some(path) = who.reverse_path {
            named(path.into(), true);
        }
        if header_known {
            authors(who).for_each(|author| named(author, false));
            entries.meet_signatures(list, at, evidence);
        }
        let looks = header_known && list.names_signatures(at);
        entries.lacks = entries.lack(looks, header_known, evidence);
        entries
    }

    /// Entries without a proof of which it cannot be said that they do not
    /// count, and why.
    pub(crate) fn doubtful(&self, proof_follows: bool) -> Vec<(Entry, Doubt)> {
        let doubtful = |one: &Unproven| Some((one.entry, one.doubt(proof_follows)?));
        self.unproven.iter().filter_map(doubtful).collect()
    }

    /// An entry that covers both envelope and author counts as covering the
    /// envelope; one that needs a proof counts for whichever it is given.
    fn meet(&mut self, entry: Entry, sender: &str, evidence: &Evidence) {
        if self.counting.iter().any(|other| other.is(&entry)) {
            return;
        }
        let domain = sender.rsplit_once('@').map_or("", |(_, domain)| domain);
        let proof = match entry.found.facts.authenticated_only {
            true => proof_of_stranger(evidence, domain),
            false => Proof::Given,
        };
        let known = self.unproven.iter_mut().find(|other| other.entry.is(&entry));
        match (proof, known) {
            (Proof::Given, _) => {
                self.unproven.retain(|other| !other.entry.is(&entry));
                self.counting.push(entry);
            }
            (_, Some(known)) => known.proof = known.proof.max(proof),
            (_, None) => self.unproven.push(Unproven { entry, proof }),
        }
    }

    /// A signature that passes proves who made it.
    fn meet_signatures(&mut self, list: SenderList<'_>, at: Timestamp, evidence: &Evidence) {
        let Some(Observed::Dkim(facts)) = evidence.latest(CheckName::Dkim) else { return };
        if !list.names_signatures(at) {
            return;
        }
        for one in facts.signatures.iter().filter(|one| one.result == DkimResult::Pass) {
            // A signer may write its domain in letters beyond ASCII (RFC 8616).
            let Ok(domain) = one.domain.parse::<Domain>() else { continue };
            for found in list.of_signature(at, &format!("@{domain}")) {
                let entry = Entry { found, by_envelope: false };
                if !self.counting.iter().any(|other| other.is(&entry)) {
                    self.counting.push(entry);
                }
            }
        }
    }

    /// SPF can prove a sender from RCPT on, DKIM and DMARC at end of data.
    fn lack(
        &self,
        looks_at_signatures: bool,
        header_known: bool,
        evidence: &Evidence,
    ) -> Option<Need> {
        let is_asked = |check| evidence.latest(check).is_some();
        let waits = !self.unproven.is_empty();
        if waits && !is_asked(CheckName::Spf) {
            return Some(Need::Spf);
        }
        let looks = header_known && (waits || looks_at_signatures);
        (looks && !is_asked(CheckName::Dkim)).then_some(Need::Authentication)
    }
}
