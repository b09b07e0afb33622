//! Octets as people compare them.

use std::fmt::Write;

/// The octets as hexadecimal digits in lower case, two for each.
pub fn hexadecimal(octets: &[u8]) -> String {
    let mut digits = String::with_capacity(octets.len() * 2);
    for octet in octets {
        let written = write!(digits, "{octet:02x}");
        debug_assert!(written.is_ok(), "writing to a String cannot fail");
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_octet_has_two_digits() {
        assert_eq!(hexadecimal(&[0, 9, 0xAB, 0xFF]), "0009abff");
    }
}
