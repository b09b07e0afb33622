//! Names as the domain name system takes them, which are not all names of
//! hosts: `_dmarc.corp.example`, or what a macro makes of a sender.

/// Longest name in octets, without the dot of the root (RFC 1035 section
/// 2.3.4 as RFC 7208 section 7.3 counts it).
const NAME_OCTETS_MAX: usize = 253;
/// Longest label in octets.
const LABEL_OCTETS_MAX: usize = 63;

/// Whether `name`, without the dot of the root, can be asked about at all.
pub(crate) fn is_question(name: &str) -> bool {
    name.len() <= NAME_OCTETS_MAX
        && !name.starts_with('[')
        && name.split('.').all(|label| (1..=LABEL_OCTETS_MAX).contains(&label.len()))
}

/// The name without the dot of the root.
pub(crate) fn unrooted(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

/// The name without so many of its first labels that it is short enough
/// (RFC 7208 section 7.3).
pub(crate) fn shortened(mut name: &str) -> &str {
    while name.len() > NAME_OCTETS_MAX {
        match name.split_once('.') {
            Some((_, rest)) => name = rest,
            None => return name,
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_a_name_is_no_question() {
        for name in ["a.example", "_dmarc.a.example", "*.x", "a"] {
            assert!(is_question(name), "{name}");
        }
        for name in ["", "a..example", ".example", "[192.0.2.1]", &"a".repeat(64)] {
            assert!(!is_question(name), "{name}");
        }
        assert!(!is_question(&"a.".repeat(130)));
    }

    #[test]
    fn a_name_that_is_too_long_loses_its_first_labels() {
        let long = format!("{}example", "aaaaaaaaa.".repeat(30));
        let short = shortened(&long);
        assert!(short.len() <= 253 && short.len() > 240 && long.ends_with(short));
        assert_eq!(shortened("a.example"), "a.example");
    }
}
