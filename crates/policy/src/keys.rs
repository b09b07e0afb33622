//! Scopes as numbers: every scope that a policy uses has one, and a party of
//! an attempt has the few numbers of the scopes it lies in.

use std::collections::HashMap;

use types::lists::{Group, Pattern};
use types::policy::{BasePolicies, Scope};
use types::{DirectoryAttribute, ForwardPath, ReversePath};

use crate::groups::GroupTree;
use crate::hashing::{FastMap, FastSet};
use crate::patterns::{Rank, domain_spelling, spelling, spellings};

/// A scope that a party lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    /// The scope's number.
    pub(crate) number: u32,
    /// How precisely it names the party.
    pub(crate) rank: Rank,
}

/// One side of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Party<'a> {
    /// The null reverse-path, or a message without an author: nobody we know.
    Nobody,
    /// The bare postmaster, who is ours.
    Postmaster,
    /// An address in comparable form; of an author, as the header has it.
    Address(&'a str),
}

impl<'a> From<&'a ReversePath> for Party<'a> {
    fn from(path: &'a ReversePath) -> Self {
        path.address().map_or(Party::Nobody, |address| Party::Address(address.key()))
    }
}

impl<'a> From<&'a ForwardPath> for Party<'a> {
    fn from(path: &'a ForwardPath) -> Self {
        path.address().map_or(Party::Postmaster, |address| Party::Address(address.key()))
    }
}

const EVERYONE: Key = Key { number: 0, rank: Rank::Everyone };
const INTERNAL: Key = Key { number: 1, rank: Rank::Side };
const EXTERNAL: Key = Key { number: 2, rank: Rank::Side };
/// The first number that a scope of the policies' own gets.
const NAMED: u32 = 3;

/// The scopes in use, found by the spellings of the addresses in them.
#[derive(Debug)]
pub(crate) struct Keys {
    internal: FastSet<Box<str>>,
    by_spelling: FastMap<Box<str>, Vec<Key>>,
}

impl Keys {
    /// Whether a domain in comparable form is one of ours.
    pub(crate) fn is_internal(&self, domain_key: &str) -> bool {
        self.internal.contains(domain_key)
    }

    /// Puts whom a member names into a scope.
    fn enter(&mut self, member: &Pattern, key: Key) {
        self.by_spelling.entry(spelling(member).0.into()).or_default().push(key);
    }

    /// The scopes in which whoever comes will lie.
    pub(crate) fn of_everyone() -> Vec<Key> {
        vec![EVERYONE]
    }

    /// The scopes a party lies in.
    pub(crate) fn of(&self, party: Party<'_>) -> Vec<Key> {
        let mut keys = Vec::with_capacity(8);
        keys.push(EVERYONE);
        let address = match party {
            Party::Nobody => "",
            Party::Postmaster => {
                keys.push(INTERNAL);
                return keys;
            }
            Party::Address(address) => address,
        };
        let domain = address.rsplit_once('@').map_or("", |(_, domain)| domain);
        keys.push(if self.is_internal(domain) { INTERNAL } else { EXTERNAL });
        for (spelling, _) in spellings(address) {
            for key in self.by_spelling.get(spelling).into_iter().flatten() {
                // A group can have both an address and its domain.
                if !keys.contains(key) {
                    keys.push(*key);
                }
            }
        }
        keys
    }
}

/// Gives numbers to scopes.
pub(crate) struct KeysBuilder<'a> {
    groups: GroupTree<'a>,
    group_numbers: HashMap<&'a str, u32>,
    /// By the key of the attribute and its value.
    value_numbers: HashMap<String, u32>,
    next: u32,
    keys: Keys,
}

impl<'a> KeysBuilder<'a> {
    pub(crate) fn new(groups: &'a [Group], base: &BasePolicies) -> Self {
        let internal = base.domains.iter().map(|(domain, _)| domain.as_str().into()).collect();
        KeysBuilder {
            groups: GroupTree::new(groups),
            group_numbers: HashMap::new(),
            value_numbers: HashMap::new(),
            next: NAMED,
            keys: Keys { internal, by_spelling: FastMap::default() },
        }
    }

    /// The number of a scope.
    pub(crate) fn number(&mut self, scope: &Scope) -> u32 {
        match scope {
            Scope::Everyone => EVERYONE.number,
            Scope::Internal => INTERNAL.number,
            Scope::External => EXTERNAL.number,
            Scope::Domain(pattern) => {
                let (spelling, rank) = domain_spelling(pattern);
                self.named(spelling, rank)
            }
            Scope::Address(address) => self.named(address.key().to_owned(), Rank::Address),
            Scope::Group(name) => self.group(name),
            Scope::Attribute(held) => self.value(held),
        }
    }

    pub(crate) fn finish(self) -> Keys {
        self.keys
    }

    fn named(&mut self, spelling: String, rank: Rank) -> u32 {
        let keys = self.keys.by_spelling.entry(spelling.into()).or_default();
        if let Some(own) = keys.iter().find(|key| key.rank == rank) {
            return own.number;
        }
        keys.push(Key { number: self.next, rank });
        self.next += 1;
        self.next - 1
    }

    /// A group counts only once a policy names it, so groups nobody uses
    /// cost nothing.
    fn group(&mut self, name: &str) -> u32 {
        if let Some(&number) = self.group_numbers.get(name) {
            return number;
        }
        let number = self.next;
        self.next += 1;
        if let Some(group) = self.groups.get(name) {
            self.group_numbers.insert(&group.name, number);
        }
        for member in self.groups.members(name) {
            self.keys.enter(member, Key { number, rank: Rank::Group });
        }
        number
    }

    /// As with groups: a value that no policy names costs nothing.
    fn value(&mut self, held: &DirectoryAttribute) -> u32 {
        let key = held.key();
        if let Some(&number) = self.value_numbers.get(&key) {
            return number;
        }
        let number = self.next;
        self.next += 1;
        self.value_numbers.insert(key, number);
        for member in self.groups.holders(held) {
            self.keys.enter(member, Key { number, rank: Rank::Attribute });
        }
        number
    }
}
