//! What is known of each domain, with its numbers counted along, so that
//! nobody has to go over all entries for them.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use store::state::{LearningDomain, StoredRecipients};
use types::{Domain, KnownRecipient, Timestamp};

use super::ages::Ages;
use super::{KnownLimits, STEP};

/// A recipient whose mail came today already is not written again.
const CONFIRMED_AGAIN_AFTER: Duration = Duration::from_secs(86_400);
/// What a domain forgets at once where there is no room: a hundredth, and not
/// more than a step.
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
    /// When its learning began; nothing while nobody of it is known.
    pub(super) since: Option<Timestamp>,
    pub(super) entries: BTreeMap<Arc<str>, Entry>,
    /// The same by their newest mail.
    ages: Ages,
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
    /// All of it is validated in other ways.
    Beside,
    /// They decide what is refused, for some of it at least.
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
        for LearningDomain { domain, since, pushed_out } in stored.begun {
            let shelf = self.shelves.entry(domain.into()).or_default();
            // Of a book that was begun with the settings and not with the first address.
            shelf.since = Some(since).filter(|_| !shelf.entries.is_empty());
            shelf.pushed_out = pushed_out;
        }
    }

    pub(super) fn entry(&self, address: &str) -> Entry {
        let shelf = self.shelves.get(domain_of(address));
        shelf.and_then(|shelf| shelf.entries.get(address)).copied().unwrap_or_default()
    }

    /// Has this entry for an address from now on; an empty one is none.
    /// With the last of a domain its learning is over, to begin anew with the
    /// next.
    pub(super) fn set(&mut self, address: &str, entry: Entry) {
        self.put(address, entry);
        self.changed.insert(address.into());
        let domain = domain_of(address);
        let shelf = self.shelves.get_mut(domain).filter(|shelf| shelf.entries.is_empty());
        if shelf.is_some_and(|shelf| shelf.since.take().is_some()) {
            self.begun.insert(domain.into());
        }
    }

    fn put(&mut self, address: &str, entry: Entry) {
        let shelf = self.shelves.entry(domain_of(address).into()).or_default();
        let known = shelf.entries.get_key_value(address);
        let known = known.map(|(address, entry)| (Arc::clone(address), *entry));
        let (address, before) = known.unwrap_or_else(|| (address.into(), Entry::default()));
        shelf.ages.replace(&address, before, entry);
        match entry == Entry::default() {
            true => shelf.entries.remove(&address),
            false => shelf.entries.insert(address, entry),
        };
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

    /// Has these domains, each with whether its known recipients decide. One
    /// that comes back when even its newest mail is too long ago learns anew.
    pub(super) fn begin<'a>(
        &mut self,
        domains: impl Iterator<Item = (&'a Domain, bool)>,
        now: Timestamp,
        limits: KnownLimits,
    ) {
        let role = |decides| if decides { Role::Decides } else { Role::Beside };
        let ours: HashMap<&str, Role> =
            domains.map(|(domain, decides)| (domain.as_str(), role(decides))).collect();
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
            if is_back && is_long_ago(shelf) {
                self.begin_anew(domain, now);
            }
        }
    }

    /// Lets a domain learn from now on, if somebody of it is known: a book that
    /// is empty must never be all there is.
    pub(super) fn begin_anew(&mut self, domain: &str, now: Timestamp) {
        let shelf = self.shelves.get_mut(domain).filter(|shelf| !shelf.entries.is_empty());
        if let Some(shelf) = shelf {
            (shelf.since, shelf.pushed_out) = (Some(now), None);
            self.begun.insert(domain.into());
        }
    }

    /// Gives every domain of which somebody is known a beginning. One that is
    /// yet to come, because the clock was ahead, is now if `may_be_early` says
    /// that it is not the clock that is behind.
    pub(super) fn settle(&mut self, now: Timestamp, may_be_early: bool) {
        let wrong = |shelf: &Shelf| match shelf.since {
            None => !shelf.entries.is_empty(),
            Some(since) => may_be_early && since > now,
        };
        for (domain, shelf) in self.shelves.iter_mut().filter(|(_, shelf)| wrong(shelf)) {
            shelf.since = Some(now);
            self.begun.insert(domain.clone());
        }
    }

    /// Leaves this time out of all learning: nothing was learned in it.
    pub(super) fn pause(&mut self, from: Timestamp, to: Timestamp, limits: KnownLimits) {
        for (domain, shelf) in &mut self.shelves {
            let Some(since) = shelf.since else { continue };
            if since <= from && from < since + limits.learn_for {
                shelf.since = Some(since + to.since(from));
                self.begun.insert(domain.clone());
            }
        }
    }

    /// The newest mail of all.
    pub(super) fn newest(&self) -> Option<Timestamp> {
        self.shelves.values().filter_map(Shelf::newest).max()
    }

    /// Recipients that were imported, of all domains that are ours: those of
    /// another are known to nobody.
    pub(super) fn imported(&self) -> usize {
        let ours = self.shelves.values().filter(|shelf| shelf.is_ours());
        ours.map(|shelf| shelf.imported).sum()
    }

    /// Recipients that were learned and not imported, in all.
    pub(super) fn learned_alone(&self) -> usize {
        self.shelves.values().map(Shelf::learned_alone).sum()
    }

    /// Forgets learned recipients whose mail is the longest ago, of the domain
    /// that has the most of those that need them the least: so none can push
    /// out what a smaller one knows, nor one that needs nobody what decides.
    /// Whoever is missing from it now may exist, so it learns anew. False if
    /// there is no room for a newcomer of this domain.
    pub(super) fn make_room(&mut self, newcomers: &str, now: Timestamp) -> bool {
        let role = self.shelves.get(newcomers).map_or(Role::Gone, |shelf| shelf.role);
        let full = self.shelves.iter().filter(|(_, shelf)| shelf.learned_alone() > 0);
        let gives = full.max_by_key(|(_, shelf)| (Reverse(shelf.role), shelf.learned_alone()));
        let Some((domain, shelf)) = gives.filter(|(_, shelf)| shelf.role <= role) else {
            return false;
        };
        let domain = domain.clone();
        let count = (shelf.learned_alone() / FORGOTTEN_SHARE).clamp(1, STEP);
        let oldest: Vec<Arc<str>> = shelf.ages.alone().take(count).cloned().collect();
        for address in oldest {
            self.set(&address, Entry::default());
        }
        self.begin_anew(&domain, now);
        if let Some(shelf) = self.shelves.get_mut(&domain) {
            shelf.pushed_out = Some(now);
        }
        true
    }

    /// Forgets these, unless mail for them was taken meanwhile, and the domain
    /// itself if it is not ours any more and nobody of it is known.
    pub(super) fn forget_aged(&mut self, domain: &str, aged: Vec<(Timestamp, Arc<str>)>) {
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
            let shelf = self.shelves.get(&domain);
            let begun = shelf.and_then(|shelf| Some((shelf.since?, shelf.pushed_out)));
            let domain = domain.into();
            match begun {
                Some((since, pushed_out)) => {
                    changes.begun.push(LearningDomain { domain, since, pushed_out });
                }
                None => changes.ended.push(domain),
            }
        }
        changes
    }

    pub(super) fn give_back(&mut self, changes: StoredRecipients) {
        let kept = changes.kept.into_iter().map(|one| one.address);
        let addresses = kept.chain(changes.forgotten).map(String::into_boxed_str);
        self.changed.extend(addresses);
        let begun = changes.begun.into_iter().map(|one| one.domain);
        self.begun.extend(begun.chain(changes.ended).map(String::into_boxed_str));
    }
}

impl Shelf {
    fn learned_alone(&self) -> usize {
        self.entries.len().saturating_sub(self.imported)
    }

    fn newest(&self) -> Option<Timestamp> {
        self.ages.newest()
    }

    /// Whether it is one of the settings.
    pub(super) fn is_ours(&self) -> bool {
        self.role != Role::Gone
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
    ) -> Option<Vec<(Timestamp, Arc<str>)>> {
        if self.is_over() {
            return Some(Vec::new());
        }
        let newest = self.newest()?;
        let at = if self.role == Role::Gone { now } else { newest.min(now) };
        let count = (self.learned / AGED_SHARE).clamp(1, STEP);
        let aged = self.ages.old(at, limits.remember, count);
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
