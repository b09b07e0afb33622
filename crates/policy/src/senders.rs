//! The managed senders of all recipients: found by recipient and sender,
//! about eighty octets an entry, changed without compiling all anew.

use std::collections::HashMap;
use std::sync::Arc;

use types::lists::{ManagedSender, SenderAction};
use types::{PolicyId, Timestamp};

use crate::objects::SenderChange;
use crate::patterns::{Rank, spelling, spellings};
use crate::texts::{Slots, Texts};

/// The compiled table, and above it the changes since it was compiled.
#[derive(Clone, Debug)]
pub(crate) struct SenderIndex {
    table: Arc<SenderTable>,
    changes: Arc<Changes>,
    len: usize,
}

/// By recipient: what became of its senders since the table was compiled;
/// nothing where an entry was removed.
type Changes = HashMap<Box<str>, Vec<(Box<str>, Option<Facts>)>>;

/// Recipients with changes after which the table is compiled anew: copying
/// so many takes well under a millisecond, and a million entries are not
/// compiled for each change.
const CHANGED_RECIPIENTS_MAX: usize = 2_048;

/// What a decision needs to know of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) id: PolicyId,
    pub(crate) action: SenderAction,
    valid_until: Option<Timestamp>,
}

impl Facts {
    fn of(entry: &ManagedSender) -> Self {
        // An entry without a number is refused before it comes here.
        let id = entry.id.unwrap_or(PolicyId(0));
        Facts { id, action: entry.action, valid_until: entry.valid_until }
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
        let mut table = SenderTable::default();
        let mut made: Vec<(Timestamp, Option<PolicyId>)> = Vec::with_capacity(entries.len());
        for entry in entries {
            let (sender, _) = spelling(&entry.sender);
            let age = (entry.created, entry.id);
            match table.place_of(entry.recipient.key(), &sender) {
                Some(place) => {
                    if let Some(other) = made.get_mut(place as usize)
                        && *other < age
                    {
                        *other = age;
                        table.replace(place, Facts::of(entry));
                    }
                }
                None => {
                    table.add(entry.recipient.key(), &sender, Facts::of(entry));
                    made.push(age);
                }
            }
        }
        SenderIndex::from_table(table)
    }

    fn from_table(mut table: SenderTable) -> Self {
        table.texts.shrink();
        table.entries.shrink_to_fit();
        let len = table.entries.len();
        SenderIndex { table: Arc::new(table), changes: Arc::default(), len }
    }

    /// The index with some entries added, replaced or removed.
    pub(crate) fn changed(&self, changes: &[SenderChange]) -> Self {
        let mut next = self.clone();
        for change in changes {
            next.change(change);
        }
        if next.changes.len() > CHANGED_RECIPIENTS_MAX { next.merged() } else { next }
    }

    fn change(&mut self, change: &SenderChange) {
        let (recipient, sender, facts) = match change {
            SenderChange::Put(entry) => (&entry.recipient, &entry.sender, Some(Facts::of(entry))),
            SenderChange::Remove { recipient, sender } => (recipient, sender, None),
        };
        let (sender, _) = spelling(sender);
        let before = self.facts(recipient.key(), &sender).is_some();
        self.len = self.len - usize::from(before) + usize::from(facts.is_some());
        let list = Arc::make_mut(&mut self.changes).entry(recipient.key().into()).or_default();
        match list.iter_mut().find(|(other, _)| **other == *sender) {
            Some((_, place)) => *place = facts,
            None => list.push((sender.into(), facts)),
        }
    }

    /// The same entries in a table without changes above it.
    fn merged(&self) -> Self {
        let mut table = SenderTable::default();
        for entry in &self.table.entries {
            let recipient = self.table.texts.text(entry.recipient);
            let sender = self.table.texts.text(entry.sender);
            if self.change_of(recipient, sender).is_none() {
                table.add(recipient, sender, entry.facts());
            }
        }
        for (recipient, list) in self.changes.iter() {
            for (sender, facts) in list {
                if let Some(facts) = facts {
                    table.add(recipient, sender, *facts);
                }
            }
        }
        SenderIndex::from_table(table)
    }

    /// How many entries there are.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Octets held by the table.
    pub(crate) fn octets(&self) -> usize {
        let table = &self.table;
        let entries = table.entries.capacity() * size_of::<Entry>();
        table.texts.octets() + table.pairs.octets() + entries
    }

    /// The entries of `recipient` that cover `sender` at `at`, both in
    /// comparable form, the most specific first.
    pub(crate) fn matches<'a>(
        &'a self,
        at: Timestamp,
        recipient: &'a str,
        sender: &'a str,
    ) -> impl Iterator<Item = SenderMatch> + 'a {
        let known = self.table.texts.number(recipient).is_some()
            || (!self.changes.is_empty() && self.changes.contains_key(recipient));
        let sender = if known { sender } else { "" };
        spellings(sender).filter_map(move |(spelling, rank)| {
            let facts = self.facts(recipient, spelling).filter(|facts| facts.applies(at))?;
            Some(SenderMatch { facts, rank })
        })
    }

    fn facts(&self, recipient: &str, sender: &str) -> Option<Facts> {
        match self.change_of(recipient, sender) {
            Some(changed) => changed,
            None => self.table.facts(recipient, sender),
        }
    }

    fn change_of(&self, recipient: &str, sender: &str) -> Option<Option<Facts>> {
        if self.changes.is_empty() {
            return None;
        }
        let list = self.changes.get(recipient)?;
        list.iter().find(|(other, _)| **other == *sender).map(|(_, facts)| *facts)
    }
}

/// Entries by recipient and sender, never changed once compiled.
#[derive(Debug, Default)]
struct SenderTable {
    texts: Texts,
    entries: Vec<Entry>,
    pairs: Slots,
}

/// One entry, as small as it goes.
#[derive(Clone, Copy, Debug)]
struct Entry {
    recipient: u32,
    sender: u32,
    id: u64,
    /// Milliseconds; the last there are for an entry that does not end.
    valid_until_ms: i64,
    action: SenderAction,
}

impl Entry {
    fn facts(&self) -> Facts {
        let ends = self.valid_until_ms != i64::MAX;
        Facts {
            id: PolicyId(self.id),
            action: self.action,
            valid_until: ends.then(|| Timestamp::from_millis(self.valid_until_ms)),
        }
    }
}

impl SenderTable {
    fn facts(&self, recipient: &str, sender: &str) -> Option<Facts> {
        let place = self.place_of(recipient, sender)?;
        self.entries.get(place as usize).map(Entry::facts)
    }

    fn place_of(&self, recipient: &str, sender: &str) -> Option<u32> {
        let pair = (self.texts.number(recipient)?, self.texts.number(sender)?);
        let is_it = |place: u32| {
            self.entries.get(place as usize).is_some_and(|e| (e.recipient, e.sender) == pair)
        };
        self.pairs.find(pair_hash(pair), is_it)
    }

    fn add(&mut self, recipient: &str, sender: &str, facts: Facts) {
        let pair = (self.texts.enter(recipient), self.texts.enter(sender));
        let place = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        self.pairs.add(pair_hash(pair), place);
        self.entries.push(Entry {
            recipient: pair.0,
            sender: pair.1,
            id: facts.id.0,
            valid_until_ms: facts.valid_until.map_or(i64::MAX, Timestamp::as_millis),
            action: facts.action,
        });
    }

    fn replace(&mut self, place: u32, facts: Facts) {
        if let Some(entry) = self.entries.get_mut(place as usize) {
            entry.id = facts.id.0;
            entry.valid_until_ms = facts.valid_until.map_or(i64::MAX, Timestamp::as_millis);
            entry.action = facts.action;
        }
    }
}

/// Both numbers are ours and dense, so a multiplication by the golden ratio
/// (Knuth, The Art of Computer Programming, section 6.4) spreads them well.
fn pair_hash((recipient, sender): (u32, u32)) -> u32 {
    let pair = u64::from(recipient) << 32 | u64::from(sender);
    let mixed = (pair ^ (pair >> 29)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    ((mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 32) as u32
}
