//! The managed senders of all recipients: found by recipient and sender,
//! under a hundred octets an entry, changed without compiling all anew.

use std::hash::BuildHasher;
use std::sync::Arc;

use types::lists::{ManagedSender, SenderAction};
use types::{PolicyId, Timestamp};

use crate::hashing::{FastMap, Hashing};
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
type Changes = FastMap<Box<str>, ChangedList>;

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
        let age = |entry: &ManagedSender| (entry.created, entry.id);
        // Who made an entry that another replaced, by place. Pairs that are
        // there twice are rare: a document written by hand has them.
        let mut replaced: FastMap<u32, (Timestamp, Option<PolicyId>)> = FastMap::default();
        let mut first = Vec::with_capacity(entries.len());
        table.places.reserve(entries.len());
        table.records.reserve(entries.len().saturating_mul(RECORD_OCTETS_USUAL));
        for entry in entries {
            let (sender, rank) = spelling(&entry.sender);
            let recipient = table.recipients.enter(entry.recipient.key());
            let hash = table.hash(recipient, &sender);
            let Some(place) = table.find_hashed(hash, recipient, &sender) else {
                first.push((table.next_place(), age(entry)));
                table.add_hashed(hash, recipient, (&sender, rank), Facts::of(entry));
                continue;
            };
            let made = replaced.entry(place).or_insert_with(|| {
                let at = first.binary_search_by_key(&place, |(place, _)| *place);
                at.ok().and_then(|at| first.get(at)).map(|(_, age)| *age).unwrap_or_default()
            });
            if *made < age(entry) {
                *made = age(entry);
                table.replace(place, Facts::of(entry));
            }
        }
        SenderIndex::from_table(table)
    }

    fn from_table(mut table: SenderTable) -> Self {
        table.recipients.shrink();
        table.records.shrink_to_fit();
        let len = table.len;
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
        for (entry, sender) in self.table.entries() {
            let recipient = self.table.recipients.text(entry.recipient);
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
///
/// Everything about an entry stands together, its sender's spelling last, so
/// that a decision that meets it touches one slot and one or two neighbouring
/// lines of memory, however many entries there are.
#[derive(Debug, Default)]
struct SenderTable {
    recipients: Texts,
    /// By recipient: the kinds of spelling in the list, one bit each. Most
    /// lists have addresses only, and need no look-up of domains.
    kinds: Vec<u8>,
    /// The entries, one after the other: [`Entry`] and then the spelling.
    records: Vec<u8>,
    /// Where each entry begins in `records`, in units of [`ALIGNMENT`].
    places: Slots,
    len: usize,
    hasher: Hashing,
}

/// Records begin at multiples of it, so that 32 bits reach 32 GiB.
const ALIGNMENT: usize = 8;

/// Octets of most records, to begin with.
const RECORD_OCTETS_USUAL: usize = 56;

/// The list of one recipient: its number and its kinds of spelling.
type List = (u32, u8);

/// One entry, as it stands before the spelling of its sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    id: u64,
    /// Milliseconds; the last there are for an entry that does not end.
    valid_until_ms: i64,
    recipient: u32,
    sender_octets: u16,
    action: u8,
}

/// Octets of an [`Entry`] in a record: its fields in order, little end first.
const ENTRY_OCTETS: usize = 8 + 8 + 4 + 2 + 1;

/// Actions by the number they have in a record.
const ACTIONS: [SenderAction; 4] =
    [SenderAction::Permit, SenderAction::Block, SenderAction::Auto, SenderAction::Disabled];

impl Entry {
    fn new(recipient: u32, sender: &str, facts: Facts) -> Self {
        let action = ACTIONS.iter().position(|action| *action == facts.action);
        Entry {
            id: facts.id.0,
            valid_until_ms: facts.valid_until.map_or(i64::MAX, Timestamp::as_millis),
            recipient,
            // A spelling is an address or a domain, 256 octets at most.
            sender_octets: u16::try_from(sender.len()).unwrap_or(u16::MAX),
            action: action.and_then(|place| u8::try_from(place).ok()).unwrap_or_default(),
        }
    }

    fn facts(&self) -> Facts {
        let ends = self.valid_until_ms != i64::MAX;
        Facts {
            id: PolicyId(self.id),
            action: ACTIONS
                .get(usize::from(self.action))
                .copied()
                .unwrap_or(SenderAction::Disabled),
            valid_until: ends.then(|| Timestamp::from_millis(self.valid_until_ms)),
        }
    }

    fn written(&self) -> [u8; ENTRY_OCTETS] {
        let mut octets = [0; ENTRY_OCTETS];
        let fields = self.id.to_le_bytes().into_iter().chain(self.valid_until_ms.to_le_bytes());
        let fields = fields.chain(self.recipient.to_le_bytes());
        let fields = fields.chain(self.sender_octets.to_le_bytes()).chain([self.action]);
        octets.iter_mut().zip(fields).for_each(|(to, from)| *to = from);
        octets
    }

    /// The entry at the beginning of `record`, and what follows it.
    fn read(record: &[u8]) -> Option<(Entry, &[u8])> {
        let (id, rest) = record.split_first_chunk()?;
        let (valid_until_ms, rest) = rest.split_first_chunk()?;
        let (recipient, rest) = rest.split_first_chunk()?;
        let (sender_octets, rest) = rest.split_first_chunk()?;
        let (&action, rest) = rest.split_first()?;
        let entry = Entry {
            id: u64::from_le_bytes(*id),
            valid_until_ms: i64::from_le_bytes(*valid_until_ms),
            recipient: u32::from_le_bytes(*recipient),
            sender_octets: u16::from_le_bytes(*sender_octets),
            action,
        };
        Some((entry, rest))
    }

    /// Octets from the beginning of its record to that of the next.
    fn record_octets(&self) -> usize {
        (ENTRY_OCTETS + usize::from(self.sender_octets)).next_multiple_of(ALIGNMENT)
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
        self.entry(place?).map(|(entry, _)| entry.facts())
    }

    fn place_of(&self, recipient: &str, sender: &str) -> Option<u32> {
        self.find(self.recipients.number(recipient)?, sender)
    }

    fn find(&self, recipient: u32, sender: &str) -> Option<u32> {
        self.find_hashed(self.hash(recipient, sender), recipient, sender)
    }

    fn find_hashed(&self, hash: u32, recipient: u32, sender: &str) -> Option<u32> {
        self.places.find(hash, |place| {
            self.entry(place).is_some_and(|(entry, spelling)| {
                entry.recipient == recipient && spelling == sender.as_bytes()
            })
        })
    }

    /// The entry at a place, with the spelling of its sender.
    fn entry(&self, place: u32) -> Option<(Entry, &[u8])> {
        let (entry, rest) = Entry::read(self.records.get(place as usize * ALIGNMENT..)?)?;
        Some((entry, rest.get(..usize::from(entry.sender_octets))?))
    }

    /// Every entry with the spelling of its sender, in the order in which
    /// they were added.
    fn entries(&self) -> impl Iterator<Item = (Entry, &str)> {
        let mut at = 0;
        std::iter::from_fn(move || {
            let (entry, spelling) = self.entry(at)?;
            let units = entry.record_octets() / ALIGNMENT;
            at = at.checked_add(u32::try_from(units).ok()?)?;
            Some((entry, std::str::from_utf8(spelling).unwrap_or("")))
        })
    }

    fn hash(&self, recipient: u32, sender: &str) -> u32 {
        self.hasher.hash_one((recipient, sender)) as u32
    }

    /// Enters a pair that is not there.
    fn add(&mut self, recipient: &str, (sender, rank): (&str, Rank), facts: Facts) {
        let recipient = self.recipients.enter(recipient);
        let hash = self.hash(recipient, sender);
        self.add_hashed(hash, recipient, (sender, rank), facts);
    }

    fn add_hashed(
        &mut self,
        hash: u32,
        recipient: u32,
        (sender, rank): (&str, Rank),
        facts: Facts,
    ) {
        if self.kinds.len() <= recipient as usize {
            self.kinds.push(0);
        }
        if let Some(kinds) = self.kinds.get_mut(recipient as usize) {
            *kinds |= kind(rank);
        }
        let (begin, place) = (self.records.len(), self.next_place());
        self.places.add(hash, place);
        let entry = Entry::new(recipient, sender, facts);
        self.records.extend(entry.written());
        self.records.extend(sender.as_bytes().iter().take(usize::from(entry.sender_octets)));
        self.records.resize(begin + entry.record_octets(), 0);
        self.len += 1;
    }

    /// Where the next entry will stand.
    fn next_place(&self) -> u32 {
        u32::try_from(self.records.len() / ALIGNMENT).unwrap_or(u32::MAX)
    }

    fn replace(&mut self, place: u32, facts: Facts) {
        let Some((old, spelling)) = self.entry(place) else { return };
        let spelling = std::str::from_utf8(spelling).unwrap_or("");
        let new = Entry::new(old.recipient, spelling, facts).written();
        let record = self.records.iter_mut().skip(place as usize * ALIGNMENT);
        record.zip(new).for_each(|(to, from)| *to = from);
    }

    fn octets(&self) -> usize {
        let texts = self.recipients.octets() + self.kinds.capacity();
        texts + self.records.capacity() + self.places.octets()
    }
}
