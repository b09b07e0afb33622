//! How often somebody may try: the wait grows with each failure, per name and
//! per address, in bounded memory.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::time::Duration;

use types::{Timestamp, host_key};

/// How fast waits grow.
struct Pace {
    /// Failures without a wait: people mistype.
    free: u32,
    /// The longest wait.
    wait_max: Duration,
}

/// An account cannot be kept from its owner for longer than this by
/// strangers who guess.
const OF_NAME: Pace = Pace { free: 8, wait_max: Duration::from_secs(5 * 60) };
/// Many people can share an address.
const OF_ADDRESS: Pace = Pace { free: 30, wait_max: Duration::from_secs(60 * 60) };

/// A device does not mistype, but tries again by itself, on many connections
/// at once.
const OF_DEVICE: Pace = Pace { free: 30, wait_max: Duration::from_secs(5 * 60) };
/// Many devices can share an address.
const OF_THEIR_ADDRESS: Pace = Pace { free: 60, wait_max: Duration::from_secs(60 * 60) };

/// After this time without a failure all is forgotten.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(6 * 3_600);
/// Names and addresses remembered, of each.
const REMEMBERED_MAX: usize = 10_000;

/// The failures of all names and addresses.
pub(crate) struct Tries {
    names: Failures<String>,
    addresses: Failures<IpAddr>,
    of_name: &'static Pace,
    of_address: &'static Pace,
}

impl Default for Tries {
    fn default() -> Self {
        Tries::at(&OF_NAME, &OF_ADDRESS)
    }
}

impl Tries {
    fn at(of_name: &'static Pace, of_address: &'static Pace) -> Self {
        let (names, addresses) = (Failures::default(), Failures::default());
        Tries { names, addresses, of_name, of_address }
    }

    /// Those of devices and programs.
    pub(crate) fn of_devices() -> Self {
        Tries::at(&OF_DEVICE, &OF_THEIR_ADDRESS)
    }

    /// Begins a try, which counts as failed until it is [forgiven]; or says
    /// how long to wait. A try that has to wait costs nothing and is not
    /// counted, so that asking again does not make it longer. Without an
    /// address only the name counts.
    ///
    /// [forgiven]: Tries::forgive
    pub(crate) fn begin(
        &mut self,
        name: &str,
        address: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<(), Duration> {
        let (name, address) = (name.to_owned(), address.map(host_key));
        let of_address = address.and_then(|address| self.addresses.wait(&address, now));
        if let Some(wait) = self.names.wait(&name, now).max(of_address) {
            return Err(wait);
        }
        self.names.failed(name, self.of_name, now);
        if let Some(address) = address {
            self.addresses.failed(address, self.of_address, now);
        }
        Ok(())
    }

    /// The try was not looked at: both are given back one failure.
    pub(crate) fn forgive_one(&mut self, name: &str, address: Option<IpAddr>) {
        self.names.give_back(&name.to_owned());
        self.give_back(address);
    }

    /// The try was right: the name begins anew, the address is given back
    /// one failure.
    pub(crate) fn forgive(&mut self, name: &str, address: Option<IpAddr>) {
        self.names.entries.remove(name);
        self.give_back(address);
    }

    fn give_back(&mut self, address: Option<IpAddr>) {
        if let Some(address) = address {
            self.addresses.give_back(&host_key(address));
        }
    }
}

struct Failures<K> {
    entries: HashMap<K, Entry>,
}

impl<K> Default for Failures<K> {
    fn default() -> Self {
        Failures { entries: HashMap::new() }
    }
}

struct Entry {
    failures: u32,
    last: Timestamp,
    until: Option<Timestamp>,
}

impl<K: Eq + Hash + Clone> Failures<K> {
    fn give_back(&mut self, key: &K) {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.failures = entry.failures.saturating_sub(1);
            entry.until = None;
        }
    }

    fn wait(&self, key: &K, now: Timestamp) -> Option<Duration> {
        let until = self.entries.get(key)?.until?;
        (until > now).then(|| until.since(now))
    }

    fn failed(&mut self, key: K, pace: &Pace, now: Timestamp) {
        if !self.entries.contains_key(&key) && self.entries.len() >= REMEMBERED_MAX {
            self.make_room(now);
        }
        let entry =
            self.entries.entry(key).or_insert(Entry { failures: 0, last: now, until: None });
        if now.since(entry.last) > FORGOTTEN_AFTER {
            entry.failures = 0;
        }
        entry.failures = entry.failures.saturating_add(1);
        entry.last = now;
        let beyond = entry.failures.saturating_sub(pace.free);
        entry.until = (beyond > 0).then(|| {
            let wait = Duration::from_secs(1_u64.checked_shl(beyond - 1).unwrap_or(u64::MAX));
            now + wait.min(pace.wait_max)
        });
    }

    /// Forgets what is old; if nothing is, whoever failed least, so that
    /// many new names do not make us forget the one that is guessed at.
    fn make_room(&mut self, now: Timestamp) {
        self.entries.retain(|_, entry| now.since(entry.last) <= FORGOTTEN_AFTER);
        if self.entries.len() < REMEMBERED_MAX {
            return;
        }
        let least = self.entries.iter().min_by_key(|(_, entry)| (entry.failures, entry.last));
        if let Some(key) = least.map(|(key, _)| key.clone()) {
            self.entries.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(1_795_000_000_000 + seconds * 1_000)
    }

    #[test]
    fn the_wait_grows_up_to_its_end_and_is_forgotten() {
        let mut tries = Tries::default();
        let from = |last: u8| IpAddr::from([192, 0, 2, last]);
        let mut now = 0;
        let mut waits = Vec::new();
        for number in 0..20_u8 {
            match tries.begin("ana", Some(from(number)), at(now)) {
                Ok(()) => waits.push(0),
                Err(wait) => {
                    waits.push(wait.as_secs());
                    now += i64::try_from(wait.as_secs()).unwrap();
                    tries.begin("ana", Some(from(number)), at(now)).unwrap();
                }
            }
        }
        assert_eq!(waits, [0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        assert!(tries.begin("bob", Some(from(1)), at(now)).is_ok(), "others are not kept out");
        now += 6 * 3_600 + 301;
        assert!(tries.begin("ana", Some(from(1)), at(now)).is_ok());
        assert!(tries.begin("ana", Some(from(1)), at(now)).is_ok(), "forgotten");
    }

    #[test]
    fn one_address_cannot_try_many_names() {
        let mut tries = Tries::default();
        let begin = |tries: &mut Tries, number: u32| {
            let address =
                IpAddr::from(Ipv6Addr::from_bits((0x2001_0db8 << 96) | u128::from(number)));
            tries.begin(&format!("name{number}"), Some(address), at(0))
        };
        for number in 0..31 {
            assert!(begin(&mut tries, number).is_ok(), "{number}");
        }
        assert_eq!(begin(&mut tries, 31), Err(Duration::from_secs(1)), "one /64 is one client");
    }

    #[test]
    fn being_right_is_forgiven() {
        let mut tries = Tries::default();
        let address = IpAddr::from([192, 0, 2, 1]);
        for _ in 0..100 {
            tries.begin("ana", Some(address), at(0)).unwrap();
            tries.forgive("ana", Some(address));
        }
    }

    #[test]
    fn memory_is_bounded_and_the_worst_is_remembered() {
        let mut tries = Tries::default();
        let address = |number: u32| IpAddr::from(number.to_be_bytes());
        for number in 0..9 {
            tries.begin("ana", Some(address(number)), at(0)).unwrap();
        }
        for number in 0..12_000 {
            tries.begin(&format!("name{number}"), Some(address(100 + number)), at(0)).unwrap();
        }
        assert_eq!(tries.names.entries.len(), REMEMBERED_MAX);
        assert_eq!(tries.addresses.entries.len(), REMEMBERED_MAX);
        assert!(tries.begin("ana", Some(address(5)), at(0)).is_err());
    }
}
