//! The compiled part of the managed senders: under a hundred octets an entry.

use std::hash::BuildHasher;

use types::lists::SenderAction;
use types::{PolicyId, Timestamp};

use super::looks::LooksUntil;
use super::{Facts, Named};
use crate::hashing::{FastMap, Hashing};
use crate::patterns::{Basis, Rank};
use crate::texts::{Slots, Texts};

/// Entries by recipient and sender, never changed once compiled.
///
/// Everything about an entry stands together, its sender's spelling last, so
/// that a decision that meets it touches one slot and one or two neighbouring
/// lines of memory, however many entries there are.
#[derive(Debug, Default)]
pub(super) struct SenderTable {
    pub(super) recipients: Texts,
    /// By recipient: what is in the list, one bit each. Most lists have
    /// addresses only, and need no look-up of domains.
    kinds: Vec<Kinds>,
    /// By recipient, of the few lists that look at authentication: until when.
    looks: FastMap<u32, LooksUntil>,
    /// The entries, one after the other: [`Entry`] and then the spelling.
    records: Vec<u8>,
    /// Where each entry begins in `records`, in units of [`ALIGNMENT`].
    places: Slots,
    pub(super) len: usize,
    hasher: Hashing,
}

/// Records begin at multiples of it, so that 32 bits reach 32 GiB.
const ALIGNMENT: usize = 8;

/// Octets of most records, to begin with.
const RECORD_OCTETS_USUAL: usize = 56;

/// The list of one recipient: its number and what is in it.
pub(super) type List = (u32, Kinds);

/// What is in a list, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Kinds(u8);

impl Kinds {
    /// How far the bits of signatures stand behind those of addresses.
    const SIGNATURES: u8 = 3;

    /// Where entries of a kind of spelling have their bit.
    fn of(basis: Basis, rank: Rank) -> Kinds {
        let bit = match rank {
            Rank::Address => 1,
            Rank::Domain => 2,
            _ => 4,
        };
        Kinds(match basis {
            Basis::Address => bit,
            Basis::Signature => bit << Kinds::SIGNATURES,
        })
    }

    fn add(&mut self, named: Named<'_>) {
        self.0 |= Kinds::of(named.basis, named.rank).0;
    }

    fn has(self, other: Kinds) -> bool {
        self.0 & other.0 != 0
    }
}

/// One entry, as it stands before the spelling of its sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    id: u64,
    /// Milliseconds; the last there are for an entry that does not end.
    valid_until_ms: i64,
    pub(super) recipient: u32,
    sender_octets: u16,
    /// The place of its action, and the bits below.
    traits: u8,
}

/// The bits of `traits` that are the place of an action.
const ACTION: u8 = 0b11;
/// It looks at signatures.
const SIGNATURE: u8 = 1 << 2;
/// It counts for authenticated mail alone.
const AUTHENTICATED_ONLY: u8 = 1 << 3;

/// Octets of an [`Entry`] in a record: its fields in order, little end first.
const ENTRY_OCTETS: usize = 8 + 8 + 4 + 2 + 1;

/// Actions by the number they have in a record, at most [`ACTION`].
const ACTIONS: [SenderAction; 4] =
    [SenderAction::Permit, SenderAction::Block, SenderAction::Auto, SenderAction::Disabled];

impl Entry {
    fn new(recipient: u32, named: Named<'_>, facts: Facts) -> Self {
        let action = ACTIONS.iter().position(|action| *action == facts.action);
        let action = action.and_then(|place| u8::try_from(place).ok()).unwrap_or(ACTION);
        let bit = |is_set: bool, bit: u8| if is_set { bit } else { 0 };
        Entry {
            id: facts.id.0,
            valid_until_ms: facts.valid_until.map_or(i64::MAX, Timestamp::as_millis),
            recipient,
            // A spelling is an address or a domain, 256 octets at most.
            sender_octets: u16::try_from(named.spelling.len()).unwrap_or(u16::MAX),
            traits: action
                | bit(named.basis == Basis::Signature, SIGNATURE)
                | bit(facts.authenticated_only, AUTHENTICATED_ONLY),
        }
    }

    pub(super) fn facts(&self) -> Facts {
        let ends = self.valid_until_ms != i64::MAX;
        let action = ACTIONS.get(usize::from(self.traits & ACTION)).copied();
        Facts {
            id: PolicyId(self.id),
            action: action.unwrap_or(SenderAction::Disabled),
            authenticated_only: self.traits & AUTHENTICATED_ONLY != 0,
            valid_until: ends.then(|| Timestamp::from_millis(self.valid_until_ms)),
        }
    }

    pub(super) fn basis(&self) -> Basis {
        if self.traits & SIGNATURE == 0 { Basis::Address } else { Basis::Signature }
    }

    fn written(&self) -> [u8; ENTRY_OCTETS] {
        let mut octets = [0; ENTRY_OCTETS];
        let fields = self.id.to_le_bytes().into_iter().chain(self.valid_until_ms.to_le_bytes());
        let fields = fields.chain(self.recipient.to_le_bytes());
        let fields = fields.chain(self.sender_octets.to_le_bytes()).chain([self.traits]);
        octets.iter_mut().zip(fields).for_each(|(to, from)| *to = from);
        octets
    }

    /// The entry at the beginning of `record`, and what follows it.
    fn read(record: &[u8]) -> Option<(Entry, &[u8])> {
        let (id, rest) = record.split_first_chunk()?;
        let (valid_until_ms, rest) = rest.split_first_chunk()?;
        let (recipient, rest) = rest.split_first_chunk()?;
        let (sender_octets, rest) = rest.split_first_chunk()?;
        let (&traits, rest) = rest.split_first()?;
        let entry = Entry {
            id: u64::from_le_bytes(*id),
            valid_until_ms: i64::from_le_bytes(*valid_until_ms),
            recipient: u32::from_le_bytes(*recipient),
            sender_octets: u16::from_le_bytes(*sender_octets),
            traits,
        };
        Some((entry, rest))
    }

    /// Octets from the beginning of its record to that of the next.
    fn record_octets(&self) -> usize {
        (ENTRY_OCTETS + usize::from(self.sender_octets)).next_multiple_of(ALIGNMENT)
    }
}

impl SenderTable {
    pub(super) fn with_room_for(entries: usize) -> SenderTable {
        let mut table = SenderTable::default();
        table.places.reserve(entries);
        table.records.reserve(entries.saturating_mul(RECORD_OCTETS_USUAL));
        table
    }

    /// Gives back what room is left over.
    pub(super) fn shrink(&mut self) {
        self.recipients.shrink();
        self.records.shrink_to_fit();
        self.looks.shrink_to_fit();
    }

    pub(super) fn list(&self, recipient: &str) -> Option<List> {
        let number = self.recipients.number(recipient)?;
        Some((number, self.kinds.get(number as usize).copied()?))
    }

    /// What is known of one of a list.
    pub(super) fn facts(&self, (recipient, kinds): List, named: Named<'_>) -> Option<Facts> {
        let is_there = kinds.has(Kinds::of(named.basis, named.rank));
        let place = if is_there { self.find(recipient, named) } else { None };
        self.entry(place?).map(|(entry, _)| entry.facts())
    }

    pub(super) fn holds(&self, recipient: &str, named: Named<'_>) -> bool {
        self.list(recipient).is_some_and(|list| self.facts(list, named).is_some())
    }

    fn find(&self, recipient: u32, named: Named<'_>) -> Option<u32> {
        self.find_hashed(self.hash(recipient, named), recipient, named)
    }

    pub(super) fn find_hashed(&self, hash: u32, recipient: u32, named: Named<'_>) -> Option<u32> {
        self.places.find(hash, |place| {
            self.entry(place).is_some_and(|(entry, spelling)| {
                entry.recipient == recipient
                    && entry.basis() == named.basis
                    && spelling == named.spelling.as_bytes()
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
    pub(super) fn entries(&self) -> impl Iterator<Item = (Entry, &str)> {
        let mut at = 0;
        std::iter::from_fn(move || {
            let (entry, spelling) = self.entry(at)?;
            let units = entry.record_octets() / ALIGNMENT;
            at = at.checked_add(u32::try_from(units).ok()?)?;
            Some((entry, std::str::from_utf8(spelling).unwrap_or("")))
        })
    }

    pub(super) fn hash(&self, recipient: u32, named: Named<'_>) -> u32 {
        self.hasher.hash_one((recipient, named.basis, named.spelling)) as u32
    }

    /// Enters a pair that is not there.
    pub(super) fn add(&mut self, recipient: &str, named: Named<'_>, facts: Facts) {
        let recipient = self.recipients.enter(recipient);
        let hash = self.hash(recipient, named);
        self.add_hashed(hash, recipient, named, facts);
    }

    pub(super) fn add_hashed(&mut self, hash: u32, recipient: u32, named: Named<'_>, facts: Facts) {
        if self.kinds.len() <= recipient as usize {
            self.kinds.push(Kinds::default());
        }
        self.note(recipient, named, facts);
        let (begin, place) = (self.records.len(), self.next_place());
        self.places.add(hash, place);
        let entry = Entry::new(recipient, named, facts);
        let spelling = named.spelling.as_bytes();
        self.records.extend(entry.written());
        self.records.extend(spelling.iter().take(usize::from(entry.sender_octets)));
        self.records.resize(begin + entry.record_octets(), 0);
        self.len += 1;
    }

    fn note(&mut self, recipient: u32, named: Named<'_>, facts: Facts) {
        if let Some(kinds) = self.kinds.get_mut(recipient as usize) {
            kinds.add(named);
        }
        let looks = LooksUntil::of(named, facts);
        if looks != LooksUntil::default() {
            self.looks.entry(recipient).or_default().add(looks);
        }
    }

    /// Until when a list looks at authentication.
    pub(super) fn looks(&self, (recipient, _): List) -> LooksUntil {
        self.looks.get(&recipient).copied().unwrap_or_default()
    }

    /// Where the next entry will stand.
    pub(super) fn next_place(&self) -> u32 {
        u32::try_from(self.records.len() / ALIGNMENT).unwrap_or(u32::MAX)
    }

    /// Puts other facts in the place of those of an entry.
    pub(super) fn replace(&mut self, place: u32, named: Named<'_>, facts: Facts) {
        let Some((old, _)) = self.entry(place) else { return };
        self.note(old.recipient, named, facts);
        let new = Entry::new(old.recipient, named, facts).written();
        let record = self.records.iter_mut().skip(place as usize * ALIGNMENT);
        record.zip(new).for_each(|(to, from)| *to = from);
    }

    pub(super) fn octets(&self) -> usize {
        let texts = self.recipients.octets() + self.kinds.capacity();
        // Beside each place of such a table stands an octet that says whether
        // it is taken.
        let looks = self.looks.capacity() * (size_of::<(u32, LooksUntil)>() + 1);
        texts + self.records.capacity() + self.places.octets() + looks
    }
}
