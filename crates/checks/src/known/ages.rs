//! The recipients of one domain by their newest mail, so that whoever looks
//! for the oldest of a domain that anybody can write to need not go over all
//! of them while events wait to be written.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use types::Timestamp;

use super::book::Entry;

/// All of one domain, in the order of [`Place`].
#[derive(Default)]
pub(super) struct Ages(BTreeSet<Place>);

/// Where a recipient stands: first those that nobody imported, and of both
/// kinds the one first whose mail is the longest ago.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    imported: bool,
    confirmed: Option<Timestamp>,
    address: Arc<str>,
}

impl Place {
    fn of(address: &Arc<str>, entry: Entry) -> Place {
        let Entry { imported, confirmed, .. } = entry;
        Place { imported, confirmed, address: Arc::clone(address) }
    }

    /// Before everybody of this kind with such mail or newer.
    fn before(imported: bool, confirmed: Option<Timestamp>) -> Place {
        Place { imported, confirmed, address: "".into() }
    }
}

impl Ages {
    /// Has this entry for an address in place of that one; an empty one is
    /// none.
    pub(super) fn replace(&mut self, address: &Arc<str>, before: Entry, now: Entry) {
        if before != Entry::default() {
            self.0.remove(&Place::of(address, before));
        }
        if now != Entry::default() {
            self.0.insert(Place::of(address, now));
        }
    }

    /// Recipients that nobody imported, the one first whose mail is the longest
    /// ago.
    pub(super) fn alone(&self) -> impl Iterator<Item = &Arc<str>> {
        self.0.range(..Place::before(true, None)).map(|place| &place.address)
    }

    /// The newest mail of all.
    pub(super) fn newest(&self) -> Option<Timestamp> {
        let alone = self.0.range(..Place::before(true, None)).next_back();
        let last = self.0.last();
        alone.into_iter().chain(last).filter_map(|place| place.confirmed).max()
    }

    /// Recipients whose newest mail is `remember` or longer before `at`, the
    /// longest ago first, at most `max`.
    pub(super) fn old(
        &self,
        at: Timestamp,
        remember: Duration,
        max: usize,
    ) -> Vec<(Timestamp, Arc<str>)> {
        let first = Some(Timestamp::from_millis(i64::MIN));
        let of = |imported| {
            let with_mail = self.0.range(Place::before(imported, first)..);
            let with_mail = with_mail.take_while(move |place| place.imported == imported);
            let with_mail = with_mail.filter_map(|place| Some((place.confirmed?, &place.address)));
            with_mail.take_while(move |(confirmed, _)| *confirmed + remember <= at).take(max)
        };
        let both = of(false).chain(of(true));
        let mut old: Vec<_> = both.map(|(at, address)| (at, Arc::clone(address))).collect();
        old.sort_unstable();
        old.truncate(max);
        old
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    type All = BTreeMap<Arc<str>, Entry>;

    fn at(day: u64) -> Timestamp {
        Timestamp::EPOCH + Duration::from_secs(day * 86_400)
    }

    /// An address and its entry, drawn from a number.
    fn drawn(number: u64) -> (Arc<str>, Entry) {
        let confirmed = (!number.is_multiple_of(10)).then(|| at(number % 10));
        let imported = (number / 10).is_multiple_of(2);
        let entry = Entry { imported, learned: confirmed, confirmed };
        (format!("{}@corp.example", number / 20 % 12).into(), entry)
    }

    /// What going over all would say.
    #[track_caller]
    fn check(ages: &Ages, all: &All) {
        let confirmed = |entry: &Entry| entry.confirmed;
        assert_eq!(ages.newest(), all.values().filter_map(confirmed).max());
        let mut alone: Vec<_> = all.iter().filter(|(_, entry)| !entry.imported).collect();
        alone.sort_by_key(|(address, entry)| (entry.confirmed, *address));
        let alone: Vec<_> = alone.into_iter().map(|(address, _)| address).collect();
        assert_eq!(ages.alone().collect::<Vec<_>>(), alone);
        let remember = Duration::from_secs(2 * 86_400);
        for (day, max) in [(1, 3), (5, 1), (6, 4), (99, 2), (99, 99)] {
            let with_mail = all.iter().filter_map(|(a, entry)| Some((entry.confirmed?, a.clone())));
            let mut old: Vec<_> =
                with_mail.filter(|(confirmed, _)| *confirmed + remember <= at(day)).collect();
            old.sort();
            old.truncate(max);
            assert_eq!(ages.old(at(day), remember, max), old);
        }
    }

    #[test]
    fn whatever_comes_and_goes_all_stand_in_the_order_of_their_age() {
        let (mut ages, mut all) = (Ages::default(), All::new());
        let mut number = 1_u64;
        for _ in 0..2_000 {
            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let (address, entry) = drawn(number >> 33);
            let before = all.insert(Arc::clone(&address), entry).unwrap_or_default();
            if entry == Entry::default() {
                all.remove(&address);
            }
            ages.replace(&address, before, entry);
            check(&ages, &all);
        }
    }
}
