//! What is known of each domain, with its numbers counted along, so that
//! nobody has to go over all entries for them.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use store::state::StoredRecipients;
use types::policy::RecipientValidation;
use types::{Domain, KnownRecipient, Timestamp};

use super::KnownLimits;

/// A recipient whose mail came today already is not written again.
const CONFIRMED_AGAIN_AFTER: Duration = Duration::from_secs(86_400);
/// What a domain forgets at once where there is no room: a hundredth.
const FORGOTTEN_SHARE: usize = 100;
/// What a domain forgets at once because it is old: a thousandth.
const AGED_SHARE: usize = 1_000;

/// All domains.
#[derive(Default)]
pub(super) struct Book {
    pub(super) shelves: BTreeMap<Box<str>, Shelf>,
    /// What differs from what is stored.
    changed: BTreeSet<Box<str>>,
    begun: BTreeSet<Box<str>>,
}

/// One domain.
#[derive(Default)]
pub(super) struct Shelf {
    /// When its learning began.
    pub(super) since: Option<Timestamp>,
    pub(super) entries: BTreeMap<Box<str>, Entry>,
    pub(super) imported: usize,
    pub(super) learned: usize,
    /// When it last lost recipients for lack of room.
    pub(super) pushed_out: Option<Timestamp>,
    role: Role,
}

/// What a domain needs its learned recipients for: the less, the sooner they
/// make room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Role {
    /// It is not in the settings any more.
    #[default]
    Gone,
    /// It is validated in another way.
    Beside,
    /// They decide what is refused.
    Decides,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) imported: bool,
    pub(super) learned: Option<Timestamp>,
    pub(super) confirmed: Option<Timestamp>,
}

impl Book {
    pub(super) fn restore(&mut self, stored: StoredRecipients) {
        for KnownRecipient { address, imported, learned, confirmed } in stored.kept {
            self.put(&address, Entry { imported, learned, confirmed });
        }
        for (domain, at) in stored.begun {
            self.shelves.entry(domain.into()).or_default().since = Some(at);
        }
    }

    pub(super) fn entry(&self, address: &str) -> Entry {
        let shelf = self.shelves.get(domain_of(address));
        shelf.and_then(|shelf| shelf.entries.get(address)).copied().unwrap_or_default()
    }

    /// Has this entry for an address from now on; an empty one is none.
    pub(super) fn set(&mut self, address: &str, entry: Entry) {
        self.put(address, entry);
        self.changed.insert(address.into());
    }

    fn put(&mut self, address: &str, entry: Entry) {
        let shelf = self.shelves.entry(domain_of(address).into()).or_default();
        let before = match entry == Entry::default() {
            true => shelf.entries.remove(address),
            false => shelf.entries.insert(address.into(), entry),
        };
        let before = before.unwrap_or_default();
        let count = |count: usize, now: bool, before: bool| {
            (count + usize::from(now)).saturating_sub(usize::from(before))
        };
        shelf.imported = count(shelf.imported, entry.imported, before.imported);
        shelf.learned = count(shelf.learned, entry.learned.is_some(), before.learned.is_some());
    }

    /// Forgets that mail for an address was taken.
    pub(super) fn unlearn(&mut self, address: &str) {
        let entry = self.entry(address);
        self.set(address, Entry { learned: None, confirmed: None, ..entry });
    }

    /// Forgets that somebody imported an address.
    pub(super) fn unimport(&mut self, address: &str) {
        let entry = self.entry(address);
        self.set(address, Entry { imported: false, ..entry });
    }

    /// Has these domains. One that is new learns from now on, and so does one
    /// that comes back when even its newest mail is too long ago.
    pub(super) fn begin<'a>(
        &mut self,
        domains: impl Iterator<Item = (&'a Domain, RecipientValidation)>,
        now: Timestamp,
        limits: KnownLimits,
    ) {
        let role = |validation| match validation {
            RecipientValidation::Known => Role::Decides,
            _ => Role::Beside,
        };
        let ours: HashMap<&str, Role> =
            domains.map(|(domain, validation)| (domain.as_str(), role(validation))).collect();
        for (domain, shelf) in &mut self.shelves {
            if !ours.contains_key(&**domain) {
                shelf.role = Role::Gone;
            }
        }
        for (domain, role) in ours {
            let shelf = self.shelves.entry(domain.into()).or_default();
            let is_back = std::mem::replace(&mut shelf.role, role) == Role::Gone;
            let is_long_ago = |shelf: &Shelf| {
                shelf.newest().is_some_and(|newest| newest + limits.remember <= now)
            };
            if shelf.since.is_none() || (is_back && is_long_ago(shelf)) {
                self.begin_anew(domain, now);
            }
        }
    }

    /// Lets a domain learn from now on.
    pub(super) fn begin_anew(&mut self, domain: &str, now: Timestamp) {
        if let Some(shelf) = self.shelves.get_mut(domain) {
            shelf.since = Some(now);
            self.begun.insert(domain.into());
        }
    }

    /// Recipients that were learned and not imported, in all.
    pub(super) fn learned_alone(&self) -> usize {
        self.shelves.values().map(Shelf::learned_alone).sum()
    }

    /// Forgets learned recipients whose mail is the longest ago, of the domain
    /// that has the most of those that need them the least: so none can push
    /// out what a smaller one knows. Whoever is missing from it now may exist,
    /// so it learns anew.
    pub(super) fn make_room(&mut self, now: Timestamp) {
        let full = self.shelves.iter().filter(|(_, shelf)| shelf.learned_alone() > 0);
        let Some((domain, shelf)) =
            full.max_by_key(|(_, shelf)| (Reverse(shelf.role), shelf.learned_alone()))
        else {
            return;
        };
        let domain = domain.clone();
        let alone = shelf.entries.iter().filter(|(_, entry)| !entry.imported);
        let mut learned: Vec<(Option<Timestamp>, Box<str>)> =
            alone.map(|(address, entry)| (entry.confirmed, address.clone())).collect();
        learned.sort_unstable();
        learned.truncate((learned.len() / FORGOTTEN_SHARE).max(1));
        for (_, address) in learned {
            self.set(&address, Entry::default());
        }
        self.begin_anew(&domain, now);
        if let Some(shelf) = self.shelves.get_mut(&domain) {
            shelf.pushed_out = Some(now);
        }
    }

    /// Forgets these, unless mail for them was taken meanwhile, and the domain
    /// itself if it is not ours any more and nobody of it is known.
    pub(super) fn forget_aged(&mut self, domain: &str, aged: Vec<(Timestamp, Box<str>)>) {
        for (confirmed, address) in aged {
            if self.entry(&address).confirmed == Some(confirmed) {
                self.unlearn(&address);
            }
        }
        if self.shelves.get(domain).is_some_and(Shelf::is_over) {
            self.shelves.remove(domain);
            self.begun.insert(domain.into());
        }
    }

    pub(super) fn take_changes(&mut self) -> StoredRecipients {
        let mut changes = StoredRecipients::default();
        for address in std::mem::take(&mut self.changed) {
            match self.entry(&address) {
                entry if entry == Entry::default() => changes.forgotten.push(address.into()),
                entry => changes.kept.push(entry.shown(&address)),
            }
        }
        for domain in std::mem::take(&mut self.begun) {
            match self.shelves.get(&domain).and_then(|shelf| shelf.since) {
                Some(since) => changes.begun.push((domain.into(), since)),
                None => changes.ended.push(domain.into()),
            }
        }
        changes
    }

    pub(super) fn give_back(&mut self, changes: StoredRecipients) {
        let kept = changes.kept.into_iter().map(|one| one.address);
        let addresses = kept.chain(changes.forgotten).map(String::into_boxed_str);
        self.changed.extend(addresses);
        let begun = changes.begun.into_iter().map(|(domain, _)| domain);
        self.begun.extend(begun.chain(changes.ended).map(String::into_boxed_str));
    }
}

impl Shelf {
    fn learned_alone(&self) -> usize {
        self.entries.len().saturating_sub(self.imported)
    }

    fn newest(&self) -> Option<Timestamp> {
        self.entries.values().filter_map(|entry| entry.confirmed).max()
    }

    fn is_over(&self) -> bool {
        self.role == Role::Gone && self.entries.is_empty()
    }

    /// Learned recipients that had no mail for too long: by the newest mail
    /// of the domain and not by the clock, and few at once, because the clock
    /// may be ahead for a while. By the clock once the domain is gone, as no
    /// mail comes for it.
    ///
    /// Nothing if there is nothing to do.
    pub(super) fn aged(
        &self,
        now: Timestamp,
        limits: KnownLimits,
    ) -> Option<Vec<(Timestamp, Box<str>)>> {
        if self.is_over() {
            return Some(Vec::new());
        }
        let newest = self.newest()?;
        let at = if self.role == Role::Gone { now } else { newest.min(now) };
        let old = self.entries.iter().filter_map(|(address, entry)| {
            let confirmed = entry.confirmed.filter(|confirmed| *confirmed + limits.remember <= at);
            Some((confirmed?, address.clone()))
        });
        let mut aged: Vec<_> = old.collect();
        aged.sort_unstable();
        aged.truncate((self.learned / AGED_SHARE).max(1));
        (!aged.is_empty()).then_some(aged)
    }
}

impl Entry {
    /// Whether mail taken at `at` is worth writing down.
    pub(super) fn is_news(&self, at: Timestamp) -> bool {
        self.confirmed.is_none_or(|confirmed| at >= confirmed + CONFIRMED_AGAIN_AFTER)
    }

    pub(super) fn shown(&self, address: &str) -> KnownRecipient {
        let Entry { imported, learned, confirmed } = *self;
        KnownRecipient { address: address.to_owned(), imported, learned, confirmed }
    }
}

/// The domain of an address in comparable form.
fn domain_of(address: &str) -> &str {
    address.rsplit_once('@').map_or("", |(_, domain)| domain)
}
