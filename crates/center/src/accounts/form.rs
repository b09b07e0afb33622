//! What a form has to hold to come from a page of ours.
//!
//! It follows from the secret of the browser's cookie, so nothing is kept, and
//! who knows one does not know the other. It is written differently each time:
//! pages are packed, and the size of a packed page in which a stranger can
//! have text of his own repeated tells what else stands in it (BREACH).

use types::hexadecimal;
use world::Chance;

use super::secret;

/// Octets of the token and of its mask.
const OCTETS: usize = 32;

/// The token of all forms of one browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormToken([u8; OCTETS]);

impl FormToken {
    /// The one of the browser whose cookie holds this secret.
    pub fn of(cookie: &str) -> Self {
        FormToken(secret::hash(&format!("form {cookie}")))
    }

    /// As it stands in a page: a fresh mask, and the token under it, in
    /// hexadecimal digits.
    pub(super) fn masked(&self, chance: &dyn Chance) -> String {
        let mut mask = [0; OCTETS];
        chance.fill(&mut mask);
        hexadecimal(&mask) + &hexadecimal(&under(&self.0, &mask))
    }

    /// Whether this was written for the same browser. The time it takes does
    /// not say where they differ.
    pub fn is(&self, sent: &[u8]) -> bool {
        let (halves, rest) = sent.as_chunks::<{ 2 * OCTETS }>();
        let ([mask, token], []) = (halves, rest) else { return false };
        let (Some(mask), Some(token)) = (octets(mask), octets(token)) else { return false };
        let differ = under(&under(&token, &mask), &self.0);
        differ.iter().fold(0, |bits, octet| bits | octet) == 0
    }
}

fn under(one: &[u8; OCTETS], other: &[u8; OCTETS]) -> [u8; OCTETS] {
    let mut both = *one;
    both.iter_mut().zip(other).for_each(|(octet, with)| *octet ^= with);
    both
}

fn octets(digits: &[u8; 2 * OCTETS]) -> Option<[u8; OCTETS]> {
    let digit =
        |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let mut read = [0; OCTETS];
    let (pairs, _) = digits.as_chunks::<2>();
    for (octet, [high, low]) in read.iter_mut().zip(pairs) {
        *octet = digit(*high)? << 4 | digit(*low)?;
    }
    Some(read)
}

#[cfg(test)]
mod tests {
    use world::SystemChance;

    use super::*;

    #[test]
    fn it_is_written_differently_each_time_and_recognised() {
        let token = FormToken::of("secret of a cookie");
        let (one, other) = (token.masked(&SystemChance), token.masked(&SystemChance));
        assert_ne!(one, other);
        assert!(token.is(one.as_bytes()) && token.is(other.as_bytes()));
        assert!(!FormToken::of("another").is(one.as_bytes()));
        let shown = hexadecimal(&token.0);
        assert!(!one.contains(&shown) && !token.is(shown.as_bytes()), "never without a mask");
        for wrong in
            ["", "00", &*"0".repeat(128), &*"g".repeat(128), &*(one.clone() + "0"), &one[1..]]
        {
            assert!(!token.is(wrong.as_bytes()), "{wrong}");
        }
    }
}
