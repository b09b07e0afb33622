//! The managed senders of all recipients: found by recipient and sender,
//! under a hundred octets an entry, changed without compiling all anew.

mod changes;
mod looks;
mod table;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use types::lists::{ManagedSender, SenderAction};
use types::{PolicyId, Timestamp};

use crate::hashing::FastMap;
use crate::objects::SenderChange;
use crate::patterns::{Basis, Rank, domain_spellings, rank_of, sender_spelling, spellings};
use changes::{ChangedList, Changes};
use looks::LooksUntil;
use table::{List, SenderTable};

/// The compiled table, and above it the changes since it was compiled.
#[derive(Clone, Debug)]
pub(crate) struct SenderIndex {
    table: Arc<SenderTable>,
    changes: Arc<Changes>,
    len: usize,
}

/// Whom an entry names, as it is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Named<'a> {
    basis: Basis,
    spelling: &'a str,
    rank: Rank,
}

impl<'a> Named<'a> {
    fn stored(basis: Basis, spelling: &'a str) -> Self {
        Named { basis, spelling, rank: rank_of(spelling) }
    }
}

/// What a decision needs to know of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) id: PolicyId,
    pub(crate) action: SenderAction,
    /// Whether it counts for mail alone that is proved to be from its sender.
    pub(crate) authenticated_only: bool,
    valid_until: Option<Timestamp>,
}

impl Facts {
    fn of(entry: &ManagedSender) -> Self {
        // An entry without a number is refused before it comes here.
        let id = entry.id.unwrap_or(PolicyId(0));
        Facts {
            id,
            action: entry.action,
            authenticated_only: entry.authenticated_only,
            valid_until: entry.valid_until,
        }
    }

    fn applies(&self, at: Timestamp) -> bool {
        self.action != SenderAction::Disabled && self.valid_until.is_none_or(|until| at < until)
    }
}

/// An entry that covers a sender, and how precisely.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SenderMatch {
    pub(crate) facts: Facts,
    pub(crate) rank: Rank,
}

impl SenderIndex {
    /// Compiles all entries. Of two for the same pair the one made later
    /// counts.
    pub(crate) fn compile(entries: &[ManagedSender]) -> Self {
        let mut table = SenderTable::with_room_for(entries.len());
        let age = |entry: &ManagedSender| (entry.created, entry.id);
        // Who made an entry that another replaced, by place. Pairs that are
        // there twice are rare: a document written by hand has them.
        let mut replaced: FastMap<u32, (Timestamp, Option<PolicyId>)> = FastMap::default();
        let mut first = Vec::with_capacity(entries.len());
        for entry in entries {
            let (basis, spelling, rank) = sender_spelling(&entry.sender);
            let named = Named { basis, spelling: &spelling, rank };
            let recipient = table.recipients.enter(entry.recipient.key());
            let hash = table.hash(recipient, named);
            let Some(place) = table.find_hashed(hash, recipient, named) else {
                first.push((table.next_place(), age(entry)));
                table.add_hashed(hash, recipient, named, Facts::of(entry));
                continue;
            };
            let made = replaced.entry(place).or_insert_with(|| {
                let at = first.binary_search_by_key(&place, |(place, _)| *place);
                at.ok().and_then(|at| first.get(at)).map(|(_, age)| *age).unwrap_or_default()
            });
            if *made < age(entry) {
                *made = age(entry);
                table.replace(place, named, Facts::of(entry));
            }
        }
        SenderIndex::from_table(table)
    }

    fn from_table(mut table: SenderTable) -> Self {
        table.shrink();
        let len = table.len;
        SenderIndex { table: Arc::new(table), changes: Arc::default(), len }
    }

    /// The index with some entries added, replaced or removed.
    pub(crate) fn changed(&self, changes: &[SenderChange]) -> Self {
        let mut next = self.clone();
        for change in changes {
            next.change(change);
        }
        if next.changes.are_many() { next.merged() } else { next }
    }

    fn change(&mut self, change: &SenderChange) {
        let (recipient, sender, facts) = match change {
            SenderChange::Put(entry) => (&entry.recipient, &entry.sender, Some(Facts::of(entry))),
            SenderChange::Remove { recipient, sender } => (recipient, sender, None),
        };
        let (basis, spelling, rank) = sender_spelling(sender);
        let named = Named { basis, spelling: &spelling, rank };
        let before = self.holds(recipient.key(), named);
        self.len = self.len - usize::from(before) + usize::from(facts.is_some());
        Arc::make_mut(&mut self.changes).put(recipient.key(), named, facts);
    }

    /// The same entries in a table without changes above it.
    fn merged(&self) -> Self {
        let mut table = SenderTable::default();
        for (entry, spelling) in self.table.entries() {
            let recipient = self.table.recipients.text(entry.recipient);
            let named = Named::stored(entry.basis(), spelling);
            if changed(self.changes.list(recipient), named).is_none() {
                table.add(recipient, named, entry.facts());
            }
        }
        for (recipient, named, facts) in self.changes.entries() {
            table.add(recipient, named, facts);
        }
        SenderIndex::from_table(table)
    }

    /// How many entries there are.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Octets held by the table.
    pub(crate) fn octets(&self) -> usize {
        self.table.octets()
    }

    /// The list of a recipient, in comparable form.
    pub(crate) fn list(&self, recipient: &str) -> SenderList<'_> {
        SenderList {
            table: &self.table,
            compiled: self.table.list(recipient),
            changes: self.changes.list(recipient),
        }
    }

    fn holds(&self, recipient: &str, named: Named<'_>) -> bool {
        match changed(self.changes.list(recipient), named) {
            Some(changed) => changed.is_some(),
            None => self.table.holds(recipient, named),
        }
    }
}

/// The entries of one recipient.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SenderList<'a> {
    table: &'a SenderTable,
    compiled: Option<List>,
    changes: Option<&'a ChangedList>,
}

impl<'a> SenderList<'a> {
    /// The entries that cover an address, in comparable form, at `at`; the
    /// most specific first.
    pub(crate) fn of_address<'b>(
        self,
        at: Timestamp,
        address: &'b str,
    ) -> impl Iterator<Item = SenderMatch> + use<'a, 'b> {
        let address = if self.is_empty() { "" } else { address };
        self.matches(at, Basis::Address, spellings(address))
    }

    /// The entries that cover the domain of a signature, given with an `@`
    /// before it, at `at`; the most specific first.
    pub(crate) fn of_signature<'b>(
        self,
        at: Timestamp,
        at_domain: &'b str,
    ) -> impl Iterator<Item = SenderMatch> + use<'a, 'b> {
        self.matches(at, Basis::Signature, domain_spellings(at_domain))
    }

    /// Whether an entry names the domain of a signature at `at`: not one that
    /// is disabled or has ended, but one that a change since the last
    /// compilation has replaced, included.
    pub(crate) fn names_signatures(self, at: Timestamp) -> bool {
        self.any(|looks| looks.has_signatures(at))
    }

    /// Whether an entry counts for authenticated mail alone, likewise.
    pub(crate) fn wants_proof(self, at: Timestamp) -> bool {
        self.any(|looks| looks.wants_proof(at))
    }

    fn any(self, has: impl Fn(LooksUntil) -> bool) -> bool {
        self.compiled.is_some_and(|list| has(self.table.looks(list)))
            || self.changes.is_some_and(|list| has(list.looks()))
    }

    fn is_empty(self) -> bool {
        self.compiled.is_none() && self.changes.is_none()
    }

    fn matches<'b, S>(
        self,
        at: Timestamp,
        basis: Basis,
        spellings: S,
    ) -> impl Iterator<Item = SenderMatch> + use<'a, 'b, S>
    where
        S: Iterator<Item = (&'b str, Rank)>,
    {
        spellings.filter_map(move |(spelling, rank)| {
            let named = Named { basis, spelling, rank };
            let facts = match changed(self.changes, named) {
                Some(changed) => changed,
                None => self.table.facts(self.compiled?, named),
            };
            let facts = facts.filter(|facts| facts.applies(at))?;
            Some(SenderMatch { facts, rank })
        })
    }
}

/// What became of one sender in a list, if anything.
fn changed(changes: Option<&ChangedList>, named: Named<'_>) -> Option<Option<Facts>> {
    changes?.entry(named)
}
