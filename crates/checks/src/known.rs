//! Recipients known by name beside the directories: learned from mail that the
//! next hop took, or imported by somebody.
//!
//! Learning goes on for every domain, however its recipients are validated, so
//! that changing to *known recipients* finds what was learned so far. What is
//! held here is stored by whoever takes the changes.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use store::state::StoredRecipients;
use types::event::{FollowUp, RelayAnswer};
use types::finding::RecipientAnswer;
use types::policy::RecipientValidation;
use types::{
    CheckName, Domain, EmailAddress, EnhancedCode, Event, KnownRecipient, Observed, Timestamp,
    Unproven,
};

/// How recipients are learned and forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownLimits {
    /// How long a domain takes every address, from when it was first seen.
    pub learn_for: Duration,
    /// How long a learned recipient is known after its last mail.
    pub remember: Duration,
    /// Recipients in all; beyond, learned ones are forgotten whose mail is
    /// the longest ago.
    pub max: usize,
}

/// A recipient whose mail came today already is not written again.
const CONFIRMED_AGAIN_AFTER: Duration = Duration::from_secs(86_400);
/// What is forgotten at once where there is no room: a hundredth.
const FORGOTTEN_SHARE: usize = 100;
/// How a next hop says that a mailbox does not exist (RFC 3463 section 3.2).
const NO_SUCH_MAILBOX: EnhancedCode = EnhancedCode(5, 1, 1);

/// What is known of one domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownDomain {
    /// The domain in comparable form.
    pub domain: String,
    /// When its learning began.
    pub since: Timestamp,
    /// Recipients that somebody imported.
    pub imported: usize,
    /// Recipients that were learned.
    pub learned: usize,
}

/// Which known recipients are meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownQuery {
    /// Of this domain alone, in comparable form.
    pub domain: Option<String>,
    /// With this in their address, in lower case.
    pub text: Option<String>,
    /// Behind this address, in order.
    pub after: Option<String>,
}

/// All recipients known by name.
#[derive(Default)]
pub struct KnownRecipients {
    book: RwLock<Book>,
}

#[derive(Default)]
struct Book {
    domains: HashMap<Box<str>, Timestamp>,
    entries: BTreeMap<Box<str>, Entry>,
    /// What differs from what is stored.
    changed: BTreeSet<Box<str>>,
    begun: BTreeSet<Box<str>>,
    /// Imported recipients of each domain that has any.
    imported: HashMap<Box<str>, usize>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Entry {
    imported: bool,
    learned: Option<Timestamp>,
    confirmed: Option<Timestamp>,
}

impl KnownRecipients {
    /// Takes what is stored; to be called once, at the start.
    pub fn restore(&self, stored: StoredRecipients) {
        let mut book = self.write();
        for KnownRecipient { address, imported, learned, confirmed } in stored.kept {
            if imported {
                book.count_imported(&address, 1);
            }
            book.entries.insert(address.into(), Entry { imported, learned, confirmed });
        }
        book.domains.extend(stored.begun.into_iter().map(|(domain, at)| (domain.into(), at)));
    }

    /// Begins to learn for these domains; those that are known go on.
    pub fn begin<'a>(&self, domains: impl Iterator<Item = &'a Domain>, now: Timestamp) {
        let mut book = self.write();
        for domain in domains.map(Domain::as_str) {
            if !book.domains.contains_key(domain) {
                book.domains.insert(domain.into(), now);
                book.begun.insert(domain.into());
            }
        }
    }

    /// Learns what an event says of its recipient.
    pub fn learn(&self, event: &Event, limits: KnownLimits) {
        let Some(address) = event.subject.recipient.as_ref().and_then(|path| path.address()) else {
            return;
        };
        match said(event) {
            Some(Said::Exists) => self.exists(address, event.at, limits),
            Some(Said::DoesNot) => self.does_not_exist(address),
            None => {}
        }
    }

    /// What is known of a recipient whose domain is validated in this way:
    /// nothing if it is unknown.
    pub(crate) fn answer(
        &self,
        recipient: &EmailAddress,
        at: Timestamp,
        limits: KnownLimits,
    ) -> RecipientAnswer {
        let book = self.read();
        if book.entries.get(recipient.key()).is_some_and(|entry| entry.is_known(at, limits)) {
            return RecipientAnswer::Known;
        }
        match book.domains.get(recipient.domain_key()) {
            Some(since) if at < *since + limits.learn_for => {
                let until = *since + limits.learn_for;
                RecipientAnswer::Unproven(Unproven::Learning { until })
            }
            Some(_) => RecipientAnswer::Unknown,
            // Known to us only from now on.
            None => {
                let until = at + limits.learn_for;
                RecipientAnswer::Unproven(Unproven::Learning { until })
            }
        }
    }

    /// Whether somebody imported a recipient; nothing if nobody imported any
    /// of its domain.
    pub(crate) fn is_imported(&self, recipient: &EmailAddress) -> Option<bool> {
        let book = self.read();
        if book.entries.get(recipient.key()).is_some_and(|entry| entry.imported) {
            return Some(true);
        }
        book.imported.contains_key(recipient.domain_key()).then_some(false)
    }

    /// Knows these recipients until somebody removes them; gives how many
    /// were not imported before.
    pub fn import(&self, addresses: &[EmailAddress]) -> usize {
        let mut book = self.write();
        let mut added = 0;
        for address in addresses {
            let entry = book.entries.entry(address.key().into()).or_default();
            if !std::mem::replace(&mut entry.imported, true) {
                added += 1;
                book.count_imported(address.key(), 1);
                book.changed.insert(address.key().into());
            }
        }
        added
    }

    /// Forgets recipients, imported or learned; gives how many there were.
    pub fn forget(&self, addresses: &[EmailAddress]) -> usize {
        let mut book = self.write();
        let gone = addresses.iter().filter(|address| book.remove(address.key()));
        gone.count()
    }

    /// Forgets all imported recipients of a domain but these.
    pub fn keep_imported(&self, domain: &str, addresses: &[EmailAddress]) -> usize {
        let kept: BTreeSet<&str> = addresses.iter().map(EmailAddress::key).collect();
        let mut book = self.write();
        let gone: Vec<Box<str>> = book
            .entries
            .iter()
            .filter(|(address, entry)| entry.imported && is_of(address, domain))
            .filter(|(address, _)| !kept.contains(&***address))
            .map(|(address, _)| address.clone())
            .collect();
        for address in &gone {
            book.unimport(address);
        }
        gone.len()
    }

    /// Forgets what was learned of a domain, which begins to learn anew; gives
    /// how many recipients that were.
    pub fn learn_anew(&self, domain: &str, now: Timestamp) -> usize {
        let mut book = self.write();
        let learned: Vec<Box<str>> = book
            .entries
            .iter()
            .filter(|(address, entry)| entry.learned.is_some() && is_of(address, domain))
            .map(|(address, _)| address.clone())
            .collect();
        for address in &learned {
            book.unlearn(address);
        }
        if let Some(since) = book.domains.get_mut(domain) {
            *since = now;
            book.begun.insert(domain.into());
        }
        learned.len()
    }

    /// Known recipients in the order of their addresses, at most `max`.
    pub fn list(&self, query: &KnownQuery, max: usize) -> Vec<KnownRecipient> {
        let book = self.read();
        let from = query.after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        book.entries
            .range::<str, _>((from, Bound::Unbounded))
            .filter(|(address, _)| {
                let of_domain = query.domain.as_deref().is_none_or(|one| is_of(address, one));
                of_domain && query.text.as_deref().is_none_or(|text| address.contains(text))
            })
            .take(max)
            .map(|(address, entry)| entry.shown(address))
            .collect()
    }

    /// What is known of each domain, by name.
    pub fn domains(&self) -> Vec<KnownDomain> {
        let book = self.read();
        let mut counts: HashMap<&str, (usize, usize)> = HashMap::new();
        for (address, entry) in &book.entries {
            let (imported, learned) = counts.entry(domain_of(address)).or_default();
            *imported += usize::from(entry.imported);
            *learned += usize::from(entry.learned.is_some());
        }
        let counted = |domain: &str| counts.get(domain).copied().unwrap_or_default();
        let mut domains: Vec<KnownDomain> = book
            .domains
            .iter()
            .map(|(domain, since)| {
                let (imported, learned) = counted(domain);
                KnownDomain { domain: domain.to_string(), since: *since, imported, learned }
            })
            .collect();
        domains.sort_by(|one, other| one.domain.cmp(&other.domain));
        domains
    }

    /// How many recipients are known.
    pub fn len(&self) -> usize {
        self.read().entries.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets learned recipients that had no mail for too long.
    pub fn tidy(&self, now: Timestamp, limits: KnownLimits) {
        let mut book = self.write();
        let old: Vec<Box<str>> = book
            .entries
            .iter()
            .filter(|(_, entry)| entry.learned.is_some() && !entry.is_fresh(now, limits))
            .map(|(address, _)| address.clone())
            .collect();
        old.iter().for_each(|address| book.unlearn(address));
    }

    /// What changed since this was asked last; whoever cannot store it gives
    /// it back.
    pub fn take_changes(&self) -> StoredRecipients {
        let mut book = self.write();
        let (changed, begun) = (std::mem::take(&mut book.changed), std::mem::take(&mut book.begun));
        let mut changes = StoredRecipients::default();
        for address in changed {
            match book.entries.get(&address) {
                Some(entry) => changes.kept.push(entry.shown(&address)),
                None => changes.forgotten.push(address.into()),
            }
        }
        let since = |domain: Box<str>| Some((domain.to_string(), *book.domains.get(&domain)?));
        changes.begun = begun.into_iter().filter_map(since).collect();
        changes
    }

    /// Takes changes back that could not be stored.
    pub fn give_back(&self, changes: StoredRecipients) {
        let mut book = self.write();
        let kept = changes.kept.into_iter().map(|one| one.address);
        let addresses = kept.chain(changes.forgotten).map(String::into_boxed_str);
        book.changed.extend(addresses);
        book.begun.extend(changes.begun.into_iter().map(|(domain, _)| domain.into_boxed_str()));
    }

    fn exists(&self, address: &EmailAddress, at: Timestamp, limits: KnownLimits) {
        let is_news = {
            let book = self.read();
            book.domains.contains_key(address.domain_key())
                && book.entries.get(address.key()).is_none_or(|entry| entry.is_news(at))
        };
        if !is_news {
            return;
        }
        let mut book = self.write();
        if book.entries.len() >= limits.max && !book.entries.contains_key(address.key()) {
            book.make_room();
        }
        let entry = book.entries.entry(address.key().into()).or_default();
        entry.learned = entry.learned.or(Some(at));
        entry.confirmed = entry.confirmed.max(Some(at));
        book.changed.insert(address.key().into());
    }

    fn does_not_exist(&self, address: &EmailAddress) {
        let is_learned =
            self.read().entries.get(address.key()).is_some_and(|entry| entry.learned.is_some());
        if is_learned {
            self.write().unlearn(address.key());
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, Book> {
        self.book.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Book> {
        self.book.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    fn remove(&mut self, address: &str) -> bool {
        let Some(entry) = self.entries.remove(address) else { return false };
        if entry.imported {
            self.count_imported(address, -1);
        }
        self.changed.insert(address.into());
        true
    }

    fn count_imported(&mut self, address: &str, by: isize) {
        let domain = domain_of(address);
        let count = self.imported.get(domain).copied().unwrap_or(0).saturating_add_signed(by);
        match count {
            0 => drop(self.imported.remove(domain)),
            count => drop(self.imported.insert(domain.into(), count)),
        }
    }

    /// Forgets that mail for an address was taken.
    fn unlearn(&mut self, address: &str) {
        match self.entries.get_mut(address) {
            Some(entry) if entry.imported => {
                (entry.learned, entry.confirmed) = (None, None);
                self.changed.insert(address.into());
            }
            _ => drop(self.remove(address)),
        }
    }

    /// Forgets that somebody imported an address.
    fn unimport(&mut self, address: &str) {
        match self.entries.get_mut(address) {
            Some(entry) if entry.learned.is_some() => {
                entry.imported = false;
                self.count_imported(address, -1);
                self.changed.insert(address.into());
            }
            _ => drop(self.remove(address)),
        }
    }

    /// Forgets learned recipients whose mail is the longest ago.
    fn make_room(&mut self) {
        let mut learned: Vec<(Option<Timestamp>, Box<str>)> = self
            .entries
            .iter()
            .filter(|(_, entry)| !entry.imported)
            .map(|(address, entry)| (entry.confirmed, address.clone()))
            .collect();
        learned.sort_unstable();
        learned.truncate((self.entries.len() / FORGOTTEN_SHARE).max(1));
        for (_, address) in learned {
            self.remove(&address);
        }
    }
}

impl Entry {
    fn is_known(&self, at: Timestamp, limits: KnownLimits) -> bool {
        self.imported || self.is_fresh(at, limits)
    }

    /// Whether its mail is not too long ago.
    fn is_fresh(&self, at: Timestamp, limits: KnownLimits) -> bool {
        self.confirmed.is_some_and(|confirmed| at < confirmed + limits.remember)
    }

    /// Whether mail taken at `at` is worth writing down.
    fn is_news(&self, at: Timestamp) -> bool {
        self.confirmed.is_none_or(|confirmed| at >= confirmed + CONFIRMED_AGAIN_AFTER)
    }

    fn shown(&self, address: &str) -> KnownRecipient {
        let Entry { imported, learned, confirmed } = *self;
        KnownRecipient { address: address.to_owned(), imported, learned, confirmed }
    }
}

/// The domain of an address in comparable form.
fn domain_of(address: &str) -> &str {
    address.rsplit_once('@').map_or("", |(_, domain)| domain)
}

fn is_of(address: &str, domain: &str) -> bool {
    domain_of(address) == domain
}

/// What an event says of whether its recipient exists.
enum Said {
    Exists,
    DoesNot,
}

fn said(event: &Event) -> Option<Said> {
    match event.follow_up() {
        Some(FollowUp::Delivered(_)) => return Some(Said::Exists),
        Some(FollowUp::DeliveryRejected(relay)) => {
            let RelayAnswer::Reply(quoted) = &relay.answer else { return None };
            return (quoted.enhanced == Some(NO_SUCH_MAILBOX)).then_some(Said::DoesNot);
        }
        Some(_) => return None,
        None => {}
    }
    use RecipientValidation::{CallForward, CallForwardNull};
    match event.record.evidence.latest(CheckName::Recipient)? {
        Observed::Recipient { validation: CallForward | CallForwardNull, answer } => match answer {
            RecipientAnswer::Known => Some(Said::Exists),
            RecipientAnswer::Unknown => Some(Said::DoesNot),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: KnownLimits = KnownLimits {
        learn_for: Duration::from_secs(3_600),
        remember: Duration::from_secs(86_400 * 30),
        max: 4,
    };

    fn at(hour: i64) -> Timestamp {
        Timestamp::from_millis(1_795_000_000_000 + hour * 3_600_000)
    }

    fn address(text: &str) -> EmailAddress {
        text.parse().unwrap()
    }

    /// A book that began to learn for corp.example at hour 0.
    fn begun() -> KnownRecipients {
        let book = KnownRecipients::default();
        let domain: Domain = "corp.example".parse().unwrap();
        book.begin([&domain].into_iter(), at(0));
        book
    }

    #[test]
    fn a_domain_learns_for_a_while_and_then_knows() {
        let book = begun();
        book.exists(&address("Bob@corp.example"), at(0), LIMITS);
        let answer = |who: &str, hour| book.answer(&address(who), at(hour), LIMITS);
        let until = at(1);
        let learning = RecipientAnswer::Unproven(Unproven::Learning { until });
        assert_eq!(answer("bob@corp.example", 0), RecipientAnswer::Known);
        assert_eq!(answer("eve@corp.example", 0), learning);
        assert_eq!(answer("eve@corp.example", 1), RecipientAnswer::Unknown);
        assert_eq!(answer("bob@corp.example", 1), RecipientAnswer::Known);
        assert_eq!(answer("bob@corp.example", 24 * 30), RecipientAnswer::Unknown, "too long ago");
        book.exists(&address("eve@other.example"), at(0), LIMITS);
        assert_eq!(book.len(), 1, "a domain that is not ours is not learned");
    }

    #[test]
    fn who_is_refused_for_good_is_unlearned_unless_imported() {
        let book = begun();
        for who in ["ann@corp.example", "bob@corp.example"] {
            book.exists(&address(who), at(0), LIMITS);
        }
        assert_eq!(book.import(&[address("ann@corp.example")]), 1);
        book.does_not_exist(&address("ann@corp.example"));
        book.does_not_exist(&address("bob@corp.example"));
        let known: Vec<String> =
            book.list(&KnownQuery::default(), 9).into_iter().map(|one| one.address).collect();
        assert_eq!(known, ["ann@corp.example"]);
    }

    #[test]
    fn a_full_book_forgets_the_oldest_that_was_learned() {
        let book = begun();
        book.import(&[address("a@corp.example")]);
        for (who, hour) in [("b", 3), ("c", 2), ("d", 4), ("e", 5)] {
            book.exists(&address(&format!("{who}@corp.example")), at(hour), LIMITS);
        }
        let known: Vec<String> =
            book.list(&KnownQuery::default(), 9).into_iter().map(|one| one.address).collect();
        assert_eq!(known, ["a", "b", "d", "e"].map(|who| format!("{who}@corp.example")));
    }

    #[test]
    fn what_changed_is_given_once_and_taken_back() {
        let book = begun();
        book.exists(&address("bob@corp.example"), at(0), LIMITS);
        book.exists(&address("bob@corp.example"), at(1), LIMITS);
        let changes = book.take_changes();
        assert_eq!(changes.begun, [("corp.example".to_owned(), at(0))]);
        assert_eq!((changes.kept.len(), changes.forgotten.len()), (1, 0));
        assert_eq!(book.take_changes(), StoredRecipients::default());
        book.give_back(changes.clone());
        assert_eq!(book.take_changes(), changes);
        let again = KnownRecipients::default();
        again.restore(changes);
        assert_eq!(again.list(&KnownQuery::default(), 9), book.list(&KnownQuery::default(), 9));
        assert_eq!(again.domains(), book.domains());
        assert_eq!(book.forget(&[address("bob@corp.example")]), 1);
        assert_eq!(book.take_changes().forgotten, ["bob@corp.example"]);
    }

    #[test]
    fn a_list_that_is_imported_anew_takes_the_place_of_the_old_one() {
        let book = begun();
        book.import(&[address("ann@corp.example"), address("bob@corp.example")]);
        book.exists(&address("bob@corp.example"), at(0), LIMITS);
        assert_eq!(book.keep_imported("corp.example", &[address("cid@corp.example")]), 2);
        assert_eq!(book.is_imported(&address("bob@corp.example")), None, "none is left");
        assert_eq!(book.len(), 1, "bob was learned too");
        assert_eq!(book.learn_anew("corp.example", at(9)), 1);
        assert_eq!(book.domains()[0].since, at(9));
    }
}
