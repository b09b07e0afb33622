//! Names that found no place in the counts of a day, as marks of a fixed size:
//! one that was noted is always found, and of thousands that were not, few are.
//!
//! A stranger can put many names here, and then some more are taken for noted;
//! for those nothing is claimed, as for all others before there were marks.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use sha2::{Digest, Sha256};

/// Octets of the marks: with 10,000 names, one of 200 others is taken for one.
const OCTETS: usize = 16 * 1_024;
/// Marks of a name.
const EACH: usize = 4;

/// The marks of a day; none before the first name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Marks(Option<Box<[u8]>>);

impl Marks {
    /// Those of a day of which nobody knows which names they were: all.
    pub(super) fn of_all() -> Marks {
        Marks(Some(vec![u8::MAX; OCTETS].into()))
    }

    /// Notes a name.
    pub(super) fn add(&mut self, name: &str) {
        let octets = self.0.get_or_insert_with(|| vec![0; OCTETS].into());
        for (place, bit) in places(name) {
            if let Some(octet) = octets.get_mut(place) {
                *octet |= bit;
            }
        }
    }

    /// Whether a name may have been noted.
    pub(super) fn may_have(&self, name: &str) -> bool {
        let Some(octets) = &self.0 else { return false };
        places(name).all(|(place, bit)| octets.get(place).is_some_and(|octet| octet & bit != 0))
    }

    /// As it is stored; nothing without a name.
    pub(super) fn stored(&self) -> Option<String> {
        self.0.as_ref().map(|octets| STANDARD_NO_PAD.encode(octets))
    }

    /// From what was stored; what cannot be understood has all names.
    pub(super) fn read(stored: &str) -> Marks {
        match STANDARD_NO_PAD.decode(stored) {
            Ok(octets) if octets.len() == OCTETS => Marks(Some(octets.into())),
            _ => Marks::of_all(),
        }
    }
}

/// The octets of a name, and the bit of each.
fn places(name: &str) -> impl Iterator<Item = (usize, u8)> {
    let hash: [u8; 32] = Sha256::digest(name.as_bytes()).into();
    (0..EACH).map(move |number| {
        let piece = hash.get(4 * number..4 * number + 4).and_then(|piece| piece.try_into().ok());
        let at = u32::from_le_bytes(piece.unwrap_or_default()) as usize % (OCTETS * 8);
        (at / 8, 1 << (at % 8))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_noted_is_found_and_few_others_are() {
        let mut marks = Marks::default();
        assert!(!marks.may_have("0.example") && marks.stored().is_none());
        (0..10_000).for_each(|number| marks.add(&format!("{number}.example")));
        assert!((0..10_000).all(|number| marks.may_have(&format!("{number}.example"))));
        let wrong = (0..10_000).filter(|number| marks.may_have(&format!("{number}.test"))).count();
        assert!(wrong < 100, "{wrong}");
        let again = Marks::read(&marks.stored().unwrap());
        assert_eq!(again, marks);
        assert!(Marks::read("?").may_have("0.test"), "nobody knows who was noted");
    }
}
