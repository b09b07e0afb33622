//! What became of managed senders since their table was compiled.
//!
//! A recipient can have tens of thousands of entries, and an import brings
//! them in one change: so one is found by its spelling however many there are,
//! and what a decision asks of a whole list is counted along.

use std::sync::Arc;

use super::looks::{LooksEnds, LooksUntil};
use super::{Facts, Named};
use crate::hashing::FastMap;
use crate::patterns::Basis;

/// Changed entries after which the table is compiled anew: copying so many
/// takes well under a millisecond, and a million entries are not compiled for
/// each change.
pub(super) const CHANGED_MAX: usize = 4_096;

/// The changes of all recipients. A copy shares its lists until it changes
/// one.
#[derive(Clone, Debug, Default)]
pub(super) struct Changes {
    lists: FastMap<Arc<str>, Arc<ChangedList>>,
    /// Entries in all lists.
    len: usize,
}

impl Changes {
    pub(super) fn put(&mut self, recipient: &str, named: Named<'_>, facts: Option<Facts>) {
        if !self.lists.contains_key(recipient) {
            self.lists.insert(recipient.into(), Arc::default());
        }
        let list = self.lists.get_mut(recipient).map(Arc::make_mut);
        self.len += usize::from(list.is_some_and(|list| list.put(named, facts)));
    }

    /// Of one recipient, if there are any.
    pub(super) fn list(&self, recipient: &str) -> Option<&ChangedList> {
        // Most of the time nothing has changed, and nothing is to be hashed.
        if self.lists.is_empty() { None } else { self.lists.get(recipient).map(|list| &**list) }
    }

    /// Every changed entry that was not removed, with its recipient.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&str, Named<'_>, Facts)> {
        self.lists.iter().flat_map(|(recipient, list)| {
            list.entries().map(move |(named, facts)| (&**recipient, named, facts))
        })
    }

    /// Whether there are so many that the table is to be compiled anew.
    pub(super) fn are_many(&self) -> bool {
        self.len > CHANGED_MAX
    }
}

/// Of one recipient: each changed sender with its entry, nothing where that
/// was removed.
#[derive(Clone, Debug, Default)]
pub(super) struct ChangedList {
    addresses: FastMap<Arc<str>, Option<Facts>>,
    signatures: FastMap<Arc<str>, Option<Facts>>,
    /// When those end that look at authentication.
    ends: LooksEnds,
}

impl ChangedList {
    /// What became of a sender, if anything.
    pub(super) fn entry(&self, named: Named<'_>) -> Option<Option<Facts>> {
        let entries = match named.basis {
            Basis::Address => &self.addresses,
            Basis::Signature => &self.signatures,
        };
        entries.get(named.spelling).copied()
    }

    /// Until when they look at authentication.
    pub(super) fn looks(&self) -> LooksUntil {
        self.ends.last()
    }

    /// Notes what became of a sender; whether nothing had become of it before.
    fn put(&mut self, named: Named<'_>, facts: Option<Facts>) -> bool {
        let entries = match named.basis {
            Basis::Address => &mut self.addresses,
            Basis::Signature => &mut self.signatures,
        };
        let before = entries.insert(named.spelling.into(), facts);
        if let Some(old) = before.flatten() {
            self.ends.remove(LooksUntil::of(named, old));
        }
        if let Some(new) = facts {
            self.ends.add(LooksUntil::of(named, new));
        }
        before.is_none()
    }

    fn entries(&self) -> impl Iterator<Item = (Named<'_>, Facts)> {
        let both = [(Basis::Address, &self.addresses), (Basis::Signature, &self.signatures)];
        both.into_iter().flat_map(|(basis, entries)| {
            entries.iter().filter_map(move |(spelling, facts)| {
                facts.map(|facts| (Named::stored(basis, spelling), facts))
            })
        })
    }
}
