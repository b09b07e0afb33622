//! The managed senders of all recipients: found by recipient and sender,
//! under a hundred octets an entry, changed without compiling all anew.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use types::lists::{ManagedSender, SenderAction};
use types::{PolicyId, Timestamp};

use crate::objects::SenderChange;
use crate::patterns::{Rank, rank_of, spelling, spellings};
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
type Changes = HashMap<Box<str>, ChangedList>;

/// Of one recipient: each changed sender, and its entry unless removed.
type ChangedList = Vec<(Box<str>, Option<Facts>)>;

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
            let (sender, rank) = spelling(&entry.sender);
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
                    table.add(entry.recipient.key(), (&sender, rank), Facts::of(entry));
                    made.push(age);
                }
            }
        }
        SenderIndex::from_table(table)
    }

    fn from_table(mut table: SenderTable) -> Self {
        table.recipients.shrink();
        table.senders.shrink_to_fit();
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
        let before = self.holds(recipient.key(), &sender);
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
            let recipient = self.table.recipients.text(entry.recipient);
            let sender = self.table.sender(entry);
            if changed(self.changes_of(recipient), sender).is_none() {
                table.add(recipient, (sender, rank_of(sender)), entry.facts());
            }
        }
        for (recipient, list) in self.changes.iter() {
            for (sender, facts) in list {
                if let Some(facts) = facts {
                    table.add(recipient, (sender, rank_of(sender)), *facts);
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
        self.table.octets()
    }

    /// The entries of `recipient` that cover `sender` at `at`, both in
    /// comparable form, the most specific first.
    pub(crate) fn matches<'a>(
        &'a self,
        at: Timestamp,
        recipient: &str,
        sender: &'a str,
    ) -> impl Iterator<Item = SenderMatch> + use<'a> {
        let list = self.table.list(recipient);
        let changes = self.changes_of(recipient);
        let anything = list.is_some() || changes.is_some();
        let facts = move |spelling: &str, rank| match changed(changes, spelling) {
            Some(changed) => changed,
            None => self.table.facts(list?, spelling, kind(rank)),
        };
        spellings(if anything { sender } else { "" }).filter_map(move |(spelling, rank)| {
            let facts = facts(spelling, rank).filter(|facts| facts.applies(at))?;
            Some(SenderMatch { facts, rank })
        })
    }

    fn holds(&self, recipient: &str, sender: &str) -> bool {
        match changed(self.changes_of(recipient), sender) {
            Some(changed) => changed.is_some(),
            None => self.table.place_of(recipient, sender).is_some(),
        }
    }

    fn changes_of(&self, recipient: &str) -> Option<&ChangedList> {
        if self.changes.is_empty() { None } else { self.changes.get(recipient) }
    }
}

/// What became of one sender in a list, if anything.
fn changed(changes: Option<&ChangedList>, sender: &str) -> Option<Option<Facts>> {
    changes?.iter().find(|(other, _)| **other == *sender).map(|(_, facts)| *facts)
}

/// Entries by recipient and sender, never changed once compiled.
#[derive(Debug, Default)]
struct SenderTable {
    recipients: Texts,
    /// By recipient: the kinds of spelling in the list, one bit each. Most
    /// lists have addresses only, and need no look-up of domains.
    kinds: Vec<u8>,
    /// The spellings of all senders, one after the other.
    senders: String,
    entries: Vec<Entry>,
    places: Slots,
    hasher: RandomState,
}

/// The list of one recipient: its number and its kinds of spelling.
type List = (u32, u8);

/// One entry, as small as it goes.
#[derive(Clone, Copy, Debug)]
struct Entry {
    recipient: u32,
    sender_octets: u16,
    action: SenderAction,
    sender_begin: usize,
    id: u64,
    /// Milliseconds; the last there are for an entry that does not end.
    valid_until_ms: i64,
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

/// One bit for addresses, one for domains, one for what lies below a domain.
fn kind(rank: Rank) -> u8 {
    match rank {
        Rank::Address => 1,
        Rank::Domain => 2,
        _ => 4,
    }
}

impl SenderTable {
    fn list(&self, recipient: &str) -> Option<List> {
        let number = self.recipients.number(recipient)?;
        Some((number, self.kinds.get(number as usize).copied()?))
    }

    fn facts(&self, (recipient, kinds): List, sender: &str, kind: u8) -> Option<Facts> {
        let place = if kinds & kind == 0 { None } else { self.find(recipient, sender) };
        self.entries.get(place? as usize).map(Entry::facts)
    }

    fn place_of(&self, recipient: &str, sender: &str) -> Option<u32> {
        self.find(self.recipients.number(recipient)?, sender)
    }

    fn find(&self, recipient: u32, sender: &str) -> Option<u32> {
        self.places.find(self.hash(recipient, sender), |place| {
            let entry = self.entries.get(place as usize);
            entry.is_some_and(|e| e.recipient == recipient && self.sender(e) == sender)
        })
    }

    fn sender(&self, entry: &Entry) -> &str {
        let end = entry.sender_begin + usize::from(entry.sender_octets);
        self.senders.get(entry.sender_begin..end).unwrap_or("")
    }

    fn hash(&self, recipient: u32, sender: &str) -> u32 {
        self.hasher.hash_one((recipient, sender)) as u32
    }

    /// Enters a pair that is not there.
    fn add(&mut self, recipient: &str, (sender, rank): (&str, Rank), facts: Facts) {
        let recipient = self.recipients.enter(recipient);
        if self.kinds.len() <= recipient as usize {
            self.kinds.push(0);
        }
        if let Some(kinds) = self.kinds.get_mut(recipient as usize) {
            *kinds |= kind(rank);
        }
        let place = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        self.places.add(self.hash(recipient, sender), place);
        self.entries.push(Entry {
            recipient,
            // A spelling is an address or a domain, 256 octets at most.
            sender_octets: u16::try_from(sender.len()).unwrap_or(u16::MAX),
            action: facts.action,
            sender_begin: self.senders.len(),
            id: facts.id.0,
            valid_until_ms: facts.valid_until.map_or(i64::MAX, Timestamp::as_millis),
        });
        self.senders.push_str(sender);
    }

    fn replace(&mut self, place: u32, facts: Facts) {
        if let Some(entry) = self.entries.get_mut(place as usize) {
            entry.id = facts.id.0;
            entry.valid_until_ms = facts.valid_until.map_or(i64::MAX, Timestamp::as_millis);
            entry.action = facts.action;
        }
    }

    fn octets(&self) -> usize {
        let entries = self.entries.capacity() * size_of::<Entry>();
        let texts = self.recipients.octets() + self.kinds.capacity() + self.senders.capacity();
        texts + entries + self.places.octets()
    }
}
