//! Recipients known by name beside the directories: learned from mail that the
//! next hop took, or imported by somebody.
//!
//! Learning goes on for every domain, however its recipients are validated, so
//! that changing to *known recipients* finds what was learned so far. What is
//! held here is stored by whoever takes the changes.

mod ages;
mod book;
mod import;

use std::ops::Bound;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use store::state::StoredRecipients;
use types::event::{DeliveryStep, FollowUp, RelayAnswer};
use types::finding::RecipientAnswer;
use types::policy::RecipientValidation;
use types::{
    CheckName, Domain, EmailAddress, EnhancedCode, Event, KnownRecipient, Observed,
    RecipientsChange, Timestamp, Unproven,
};

use book::{Book, Entry, Shelf};
use import::Import;

/// How recipients are learned and forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownLimits {
    /// How long a domain takes every address, from when the first of it was
    /// known.
    pub learn_for: Duration,
    /// How long a learned recipient is known after its last mail.
    pub remember: Duration,
    /// Recipients that are learned, in all; beyond, those are forgotten whose
    /// mail is the longest ago. As many again can be imported.
    pub max: usize,
}

/// A time without us that is left out of all learning.
const AWAY: Duration = Duration::from_secs(86_400);
/// How often recipients are looked for that are too old.
const TIDIED_EVERY: Duration = Duration::from_secs(3_600);
/// Entries looked at in one go. Who writes events waits for so many, and not
/// for all.
const STEP: usize = 2_000;
/// How a next hop says that a mailbox does not exist (RFC 3463 section 3.2).
const NO_SUCH_MAILBOX: EnhancedCode = EnhancedCode(5, 1, 1);

/// What is known of one domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownDomain {
    /// The domain in comparable form.
    pub domain: String,
    /// When its learning began; nothing while nobody of it is known.
    pub since: Option<Timestamp>,
    /// Recipients that somebody imported.
    pub imported: usize,
    /// Recipients that were learned.
    pub learned: usize,
    /// When it last lost recipients for lack of room, if that is why it learns.
    pub pushed_out: Option<Timestamp>,
}

/// More were to be imported than there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyRecipients {
    /// How many there may be.
    pub max: usize,
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
    /// When recipients were last looked for that are too old.
    tidied: Mutex<Option<Timestamp>>,
    /// When we last knew that we were there.
    seen: Mutex<Option<Timestamp>>,
}

impl KnownRecipients {
    /// Takes what is stored; to be called once, at the start.
    pub fn restore(&self, stored: StoredRecipients) {
        let mut book = self.write();
        book.restore(stored);
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = book.newest();
    }

    /// Has these domains, each with whether what is known decides for any of
    /// its recipients; to be called whenever they may have changed.
    pub fn begin<'a>(
        &self,
        domains: impl Iterator<Item = (&'a Domain, bool)>,
        now: Timestamp,
        limits: KnownLimits,
    ) {
        self.write().begin(domains, now, limits);
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

    /// What is known of a recipient whose domain is validated in this way.
    /// Who is too old is known until it is forgotten, so that no clock makes
    /// everybody unknown; and where nobody is known nobody is unknown, however
    /// long ago the domain was named.
    pub(crate) fn answer(
        &self,
        recipient: &EmailAddress,
        at: Timestamp,
        limits: KnownLimits,
    ) -> RecipientAnswer {
        let book = self.read();
        let shelf = book.shelves.get(recipient.domain_key());
        let Some(shelf) = shelf.filter(|shelf| !shelf.entries.is_empty()) else {
            return RecipientAnswer::Unproven(Unproven::NobodyKnown);
        };
        if shelf.entries.contains_key(recipient.key()) {
            return RecipientAnswer::Known;
        }
        // It has no beginning yet where somebody was imported a moment ago; one
        // that is yet to come is of a clock that was ahead.
        let since = shelf.since.map_or(at, |since| since.min(at));
        let until = since + limits.learn_for;
        match at < until {
            true => RecipientAnswer::Unproven(Unproven::Learning { until }),
            false => RecipientAnswer::Unknown,
        }
    }

    /// Whether this recipient is known, be it learned or imported.
    pub(crate) fn knows(&self, recipient: &EmailAddress) -> bool {
        let book = self.read();
        let shelf = book.shelves.get(recipient.domain_key());
        shelf.is_some_and(|shelf| shelf.entries.contains_key(recipient.key()))
    }

    /// Whether somebody imported a recipient; nothing if nobody imported any
    /// of its domain.
    pub(crate) fn is_imported(&self, recipient: &EmailAddress) -> Option<bool> {
        let book = self.read();
        let shelf = book.shelves.get(recipient.domain_key()).filter(|shelf| shelf.imported > 0)?;
        Some(shelf.entries.get(recipient.key()).is_some_and(|entry| entry.imported))
    }

    /// What [`KnownRecipients::import`] would change.
    ///
    /// # Errors
    /// As there.
    pub fn would_import(
        &self,
        addresses: &[EmailAddress],
        in_place_of: Option<&str>,
        limits: KnownLimits,
    ) -> Result<RecipientsChange, TooManyRecipients> {
        Ok(Import::into(&self.read(), addresses, in_place_of, limits)?.change())
    }

    /// Knows these recipients until somebody removes them; with a domain,
    /// forgets all others that were imported of it.
    ///
    /// # Errors
    /// More would be imported than there may be, and than there were;
    /// nothing is changed.
    pub fn import(
        &self,
        addresses: &[EmailAddress],
        in_place_of: Option<&str>,
        limits: KnownLimits,
    ) -> Result<RecipientsChange, TooManyRecipients> {
        let mut book = self.write();
        let import = Import::into(&book, addresses, in_place_of, limits)?;
        import.gone.iter().for_each(|address| book.unimport(address));
        for address in &import.new {
            let entry = book.entry(address);
            book.set(address, Entry { imported: true, ..entry });
        }
        Ok(import.change())
    }

    /// Forgets recipients, imported or learned; gives how many there were.
    pub fn forget(&self, addresses: &[EmailAddress]) -> usize {
        let mut book = self.write();
        let mut gone = 0;
        for address in addresses.iter().map(EmailAddress::key) {
            if book.entry(address) != Entry::default() {
                book.set(address, Entry::default());
                gone += 1;
            }
        }
        gone
    }

    /// Forgets all recipients of a domain, imported or learned; gives how many
    /// there were.
    pub fn forget_all_of(&self, domain: &str) -> usize {
        let mut book = self.write();
        let Some(shelf) = book.shelves.get(domain) else { return 0 };
        let addresses: Vec<Arc<str>> = shelf.entries.keys().cloned().collect();
        addresses.iter().for_each(|address| book.set(address, Entry::default()));
        addresses.len()
    }

    /// Forgets what was learned of a domain, which begins to learn anew; gives
    /// how many recipients that were.
    pub fn learn_anew(&self, domain: &str, now: Timestamp) -> usize {
        let mut book = self.write();
        let Some(shelf) = book.shelves.get(domain) else { return 0 };
        let learned: Vec<Arc<str>> = shelf
            .entries
            .iter()
            .filter(|(_, entry)| entry.learned.is_some())
            .map(|(address, _)| address.clone())
            .collect();
        learned.iter().for_each(|address| book.unlearn(address));
        book.begin_anew(domain, now);
        learned.len()
    }

    /// Known recipients in the order of their addresses, at most `max`.
    pub fn list(&self, query: &KnownQuery, max: usize) -> Vec<KnownRecipient> {
        let domains = match &query.domain {
            Some(domain) => vec![domain.as_str().into()],
            None => self.domain_names(),
        };
        let mut found = Vec::new();
        for domain in &domains {
            self.list_of(domain, query, max, &mut found);
        }
        found.sort_by(|one, other| one.address.cmp(&other.address));
        found.truncate(max);
        found
    }

    /// What is known of each domain, by name.
    pub fn domains(&self) -> Vec<KnownDomain> {
        let book = self.read();
        let told = book.shelves.iter().map(|(domain, shelf)| KnownDomain {
            domain: domain.to_string(),
            since: shelf.since,
            imported: shelf.imported,
            learned: shelf.learned,
            pushed_out: shelf.pushed_out,
        });
        told.collect()
    }

    /// How many recipients are known.
    pub fn len(&self) -> usize {
        self.read().shelves.values().map(|shelf| shelf.entries.len()).sum()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets learned recipients that had no mail for too long: a few of each
    /// domain, once an hour however often it is called. To be called often, so
    /// that the time we are away is seen.
    pub fn tidy(&self, now: Timestamp, limits: KnownLimits) {
        self.leave_out_time_away(now, limits);
        let mut tidied = self.tidied.lock().unwrap_or_else(PoisonError::into_inner);
        if tidied.is_some_and(|last| last <= now && now < last + TIDIED_EVERY) {
            return;
        }
        // A clock is behind at a start at most, and not an hour later.
        let may_be_early = tidied.is_some_and(|last| last <= now);
        *tidied = Some(now);
        self.write().settle(now, may_be_early);
        for domain in self.domain_names() {
            let aged = self.read().shelves.get(&domain).and_then(|shelf| shelf.aged(now, limits));
            if let Some(aged) = aged {
                self.write().forget_aged(&domain, aged);
            }
        }
    }

    /// What changed since this was asked last; whoever cannot store it gives
    /// it back.
    pub fn take_changes(&self) -> StoredRecipients {
        self.write().take_changes()
    }

    /// Takes changes back that could not be stored.
    pub fn give_back(&self, changes: StoredRecipients) {
        self.write().give_back(changes);
    }

    /// Whoever was away, or whose clock was behind till now, has learned
    /// nothing meanwhile.
    fn leave_out_time_away(&self, now: Timestamp, limits: KnownLimits) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = seen.replace(now).filter(|last| *last + AWAY <= now) {
            self.write().pause(last, now, limits);
        }
    }

    fn domain_names(&self) -> Vec<Box<str>> {
        self.read().shelves.keys().cloned().collect()
    }

    /// Adds the first `max` of a domain, without holding the book for longer
    /// than a step.
    fn list_of(
        &self,
        domain: &str,
        query: &KnownQuery,
        max: usize,
        found: &mut Vec<KnownRecipient>,
    ) {
        let full = found.len() + max;
        let mut after: Option<Arc<str>> = query.after.as_deref().map(Into::into);
        loop {
            let book = self.read();
            let Some(shelf) = book.shelves.get(domain) else { return };
            let from = after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
            let mut last = None;
            let step = shelf.entries.range::<str, _>((from, Bound::Unbounded)).take(STEP);
            for (address, entry) in step {
                if found.len() >= full {
                    return;
                }
                if query.text.as_deref().is_none_or(|text| address.contains(text)) {
                    found.push(entry.shown(address));
                }
                last = Some(address.clone());
            }
            if last.is_none() {
                return;
            }
            after = last;
        }
    }

    fn exists(&self, address: &EmailAddress, at: Timestamp, limits: KnownLimits) {
        let is_news = {
            let book = self.read();
            let is_ours = book.shelves.get(address.domain_key()).is_some_and(Shelf::is_ours);
            is_ours && book.entry(address.key()).is_news(at)
        };
        if !is_news {
            return;
        }
        let mut book = self.write();
        let is_new = book.entry(address.key()) == Entry::default();
        let is_full = is_new && book.learned_alone() >= limits.max;
        if is_full && !book.make_room(address.domain_key(), at) {
            return;
        }
        let entry = book.entry(address.key());
        let learned = entry.learned.or(Some(at));
        let confirmed = entry.confirmed.max(Some(at));
        book.set(address.key(), Entry { learned, confirmed, ..entry });
        let shelf = book.shelves.get(address.domain_key());
        if shelf.is_some_and(|shelf| shelf.since.is_none()) {
            book.begin_anew(address.domain_key(), at);
        }
    }

    fn does_not_exist(&self, address: &EmailAddress) {
        let is_learned = self.read().entry(address.key()).learned.is_some();
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

/// What an event says of whether its recipient exists.
enum Said {
    Exists,
    DoesNot,
}

fn said(event: &Event) -> Option<Said> {
    match event.follow_up() {
        Some(FollowUp::Delivered(_) | FollowUp::Notice { step: DeliveryStep::Delivered, .. }) => {
            return Some(Said::Exists);
        }
        Some(
            FollowUp::DeliveryRejected(relay)
            | FollowUp::Notice { step: DeliveryStep::Rejected, attempt: relay },
        ) => {
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
mod tests;
