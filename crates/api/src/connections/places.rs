//! How many connections one address has: a stranger must not take all there
//! are.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use types::host_key;

/// Connections of one address (IPv6: of one /64) at once. A browser opens six
/// to a console, and an office shares an address.
pub(super) const OF_ADDRESS_MAX: usize = 64;

/// The connections there are, by address. Never more entries than there are
/// connections.
#[derive(Default)]
pub(super) struct Places(Mutex<HashMap<IpAddr, usize>>);

impl Places {
    /// A place for one more connection, until it is dropped; nothing if the
    /// address has all it may have.
    pub(super) fn take(self: &Arc<Self>, ip: IpAddr) -> Option<Place> {
        let key = host_key(ip);
        let mut taken = self.taken();
        let count = taken.entry(key).or_default();
        if *count >= OF_ADDRESS_MAX {
            return None;
        }
        *count += 1;
        Some(Place { places: Arc::clone(self), key })
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection's place.
pub(super) struct Place {
    places: Arc<Places>,
    key: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        if let Some(count) = taken.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_takes_no_more_than_its_part_and_gives_it_back() {
        let places = Arc::new(Places::default());
        let stranger = |last: u16| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, last]);
        let held: Vec<_> = (0..64).map(|last| places.take(stranger(last)).unwrap()).collect();
        assert!(places.take(stranger(99)).is_none(), "all of a /64 together");
        assert!(places.take([192, 0, 2, 1].into()).is_some(), "others come in");
        drop(held);
        assert!(places.taken().is_empty(), "nothing is remembered of who has gone");
        assert!(places.take(stranger(99)).is_some());
    }
}
