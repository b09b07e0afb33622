//! The tag lists of DKIM and ARC (RFC 6376 section 3.2). The library reads
//! them generously; a list that breaks the grammar is void.

/// The tags that a signature must have, in comparable order of their RFC.
pub(super) const DKIM: &[&str] = &["v", "a", "b", "bh", "d", "h", "s"];
/// Of ARC-Message-Signature (RFC 8617 section 4.1.2).
pub(super) const ARC_SIGNATURE: &[&str] = &["i", "a", "b", "bh", "d", "h", "s"];
/// Of ARC-Seal (RFC 8617 section 4.1.3).
pub(super) const ARC_SEAL: &[&str] = &["i", "a", "b", "d", "s", "cv"];

/// Whether `value` is a tag list that has each of `required`, and none twice.
pub(super) fn is_sound(value: &[u8], required: &[&str]) -> bool {
    let Ok(text) = std::str::from_utf8(value) else { return false };
    let text = text.trim_end();
    let text = text.strip_suffix(';').unwrap_or(text);
    let mut names: Vec<&str> = Vec::new();
    for tag in text.split(';') {
        let Some((name, _)) = tag.split_once('=') else { return false };
        let name = name.trim();
        let first = name.starts_with(|c: char| c.is_ascii_alphabetic());
        let rest = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !first || !rest || names.contains(&name) {
            return false;
        }
        names.push(name);
    }
    required.iter().all(|name| names.contains(name))
}

/// The value of one tag without blanks and folds, in lower case.
pub(super) fn tag(value: &[u8], name: &str) -> Option<String> {
    let text = std::str::from_utf8(value).ok()?;
    let tags = text.split(';').filter_map(|tag| tag.split_once('='));
    let found = tags.into_iter().find(|(known, _)| known.trim() == name)?.1;
    Some(found.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_lowercase())
}

/// The list with another value of one tag, which stands directly behind its
/// equals sign: what was around the old one is gone too (RFC 6376 section 3.7).
pub(super) fn with(value: &[u8], name: &str, new: &[u8]) -> Vec<u8> {
    let tag = |tag: &[u8]| -> Vec<u8> {
        let behind = tag.iter().position(|octet| *octet == b'=').map_or(0, |at| at + 1);
        match tag.split_at(behind) {
            ([known @ .., b'='], _) if known.trim_ascii() == name.as_bytes() => {
                [known, b"=", new].concat()
            }
            _ => tag.to_vec(),
        }
    };
    value.split(|octet| *octet == b';').map(tag).collect::<Vec<_>>().join(&b';')
}

/// The values of one tag without blanks and folds, in order, as generously as
/// the library reads the record of a key: other tags may be in any encoding,
/// and the case of the name does not matter.
pub(super) fn of_record<'r>(
    record: &'r [u8],
    name: &'r str,
) -> impl DoubleEndedIterator<Item = Vec<u8>> + 'r {
    let bare = |text: &[u8]| -> Vec<u8> {
        text.iter().copied().filter(|octet| !octet.is_ascii_whitespace()).collect()
    };
    record.split(|octet| *octet == b';').filter_map(move |tag| {
        let (known, value) = tag.split_at_checked(tag.iter().position(|octet| *octet == b'=')?)?;
        let is_meant = bare(known).eq_ignore_ascii_case(name.as_bytes());
        is_meant.then(|| bare(value.get(1..).unwrap_or_default()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_void_with_a_tag_twice_or_one_missing() {
        assert!(is_sound(b" a=x; b = y\r\n z;\r\n", &["a", "b"]));
        assert!(is_sound(b"a=;b=1", &["a", "b"]));
        for list in ["a=1; a=2; b=1", "a=1", "a=1;; b=2", "a=1; _=2; b=1", "a=1; b", "A=1; b=1"] {
            assert!(!is_sound(list.as_bytes(), &["a", "b"]), "{list}");
        }
        assert_eq!(tag(b"a=1; h=From:\r\n To", "h").as_deref(), Some("from:to"));
    }

    #[test]
    fn one_value_is_replaced_and_nothing_else() {
        let list = b" a=1;\r\n\tb = MIG\r\n\t f= ;bh=b=;=";
        assert_eq!(with(list, "b", b""), b" a=1;\r\n\tb =;bh=b=;=");
        assert_eq!(with(list, "a", b"2"), b" a=2;\r\n\tb = MIG\r\n\t f= ;bh=b=;=");
        assert_eq!(with(list, "c", b"2"), list);
    }

    #[test]
    fn the_record_of_a_key_is_read_whatever_else_is_in_it() {
        let record = b"v=DKIM1; n=f\xfcr uns; P = MIG\r\n\t f=;p=; k";
        assert_eq!(of_record(record, "p").collect::<Vec<_>>(), [&b"MIGf="[..], b""]);
        assert_eq!(of_record(record, "k").count(), 0);
    }
}
