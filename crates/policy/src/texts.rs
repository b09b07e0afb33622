//! Millions of short texts and pairs in little memory: a text is kept once,
//! in one arena, and found by its number.

use std::hash::BuildHasher;

use crate::hashing::Hashing;

/// A hash table of numbers with open addressing: eight octets a slot, no
/// allocation per entry. What a number stands for, its owner knows.
///
/// A slot holds the hash in its upper half and the number plus one in its
/// lower; zero is free. Nothing is ever taken out, so a search may stop at
/// the first free slot.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slots {
    slots: Vec<u64>,
    used: usize,
}

/// Slots of a table with anything in it; a power of two, as every size is.
const SLOTS_MIN: usize = 16;

impl Slots {
    /// The number with this hash for which `is_it` holds.
    pub(crate) fn find(&self, hash: u32, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        for slot in self.probe(hash) {
            let slot = self.slots.get(slot).copied().filter(|&slot| slot != 0)?;
            let number = (slot as u32).wrapping_sub(1);
            if (slot >> 32) as u32 == hash && is_it(number) {
                return Some(number);
            }
        }
        None
    }

    /// Enters a number that is not in the table.
    pub(crate) fn add(&mut self, hash: u32, number: u32) {
        // Three quarters full is where linear probing begins to walk.
        if self.used * 4 >= self.slots.len() * 3 {
            self.grow();
        }
        self.place(u64::from(hash) << 32 | u64::from(number.wrapping_add(1)));
        self.used += 1;
    }

    /// Makes room for so many more, so that filling does not grow again and
    /// again.
    pub(crate) fn reserve(&mut self, more: usize) {
        let wanted = (self.used + more).saturating_mul(4) / 3 + 1;
        while self.slots.len() < wanted {
            self.grow();
        }
    }

    fn grow(&mut self) {
        let size = (self.slots.len() * 2).max(SLOTS_MIN);
        let old = std::mem::replace(&mut self.slots, vec![0; size]);
        for slot in old.into_iter().filter(|&slot| slot != 0) {
            self.place(slot);
        }
    }

    fn place(&mut self, entry: u64) {
        for place in self.probe((entry >> 32) as u32) {
            if let Some(slot) = self.slots.get_mut(place)
                && *slot == 0
            {
                *slot = entry;
                return;
            }
        }
    }

    /// Every slot once, beginning where the hash points.
    fn probe(&self, hash: u32) -> impl Iterator<Item = usize> + use<> {
        let size = self.slots.len();
        let mask = size.wrapping_sub(1);
        (0..size).map(move |step| (hash as usize).wrapping_add(step) & mask)
    }

    /// Octets held.
    pub(crate) fn octets(&self) -> usize {
        self.slots.capacity() * size_of::<u64>()
    }
}

/// Texts, numbered from zero in the order in which they came.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    arena: String,
    /// Where each text ends; it begins where the one before it ends.
    ends: Vec<usize>,
    numbers: Slots,
    /// Keyed by chance, so that nobody can write texts that collide; no
    /// answer depends on it.
    hasher: Hashing,
}

impl Texts {
    /// The number of a text, if it is there.
    pub(crate) fn number(&self, text: &str) -> Option<u32> {
        self.numbers.find(self.hash(text), |number| self.text(number) == text)
    }

    /// The number of a text, which is entered if it is not there.
    pub(crate) fn enter(&mut self, text: &str) -> u32 {
        let hash = self.hash(text);
        if let Some(number) = self.numbers.find(hash, |number| self.text(number) == text) {
            return number;
        }
        let number = u32::try_from(self.ends.len()).unwrap_or(u32::MAX);
        self.arena.push_str(text);
        self.ends.push(self.arena.len());
        self.numbers.add(hash, number);
        number
    }

    /// The text of a number; empty for one that was never given.
    pub(crate) fn text(&self, number: u32) -> &str {
        let place = number as usize;
        let begin = match place.checked_sub(1) {
            Some(before) => self.ends.get(before).copied().unwrap_or(0),
            None => 0,
        };
        self.ends.get(place).and_then(|&end| self.arena.get(begin..end)).unwrap_or("")
    }

    /// Gives back what growing has reserved.
    pub(crate) fn shrink(&mut self) {
        self.arena.shrink_to_fit();
        self.ends.shrink_to_fit();
    }

    /// Octets held.
    pub(crate) fn octets(&self) -> usize {
        let ends = self.ends.capacity() * size_of::<usize>();
        self.arena.capacity() + ends + self.numbers.octets()
    }

    fn hash(&self, text: &str) -> u32 {
        self.hasher.hash_one(text) as u32
    }
}
