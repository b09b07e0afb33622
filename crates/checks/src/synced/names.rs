//! Distinguished names: the same entry is written in several ways, by the same
//! server even, and a member is found by its name.

/// A name (RFC 4514) in a form in which two spellings of one are the same:
/// without regard to case, spaces, escapes and the order within one step, as
/// RFC 4518 compares the values of the usual attributes. What stands behind a
/// name of the syntax of `uniqueMember` (`#'0101'B`, RFC 4517 section 3.3.21)
/// does not count. Nothing for what is no name.
pub(super) fn comparable(name: &str) -> Option<Box<str>> {
    let mut rest = without_bits(name);
    let mut steps: Vec<String> = Vec::new();
    let mut step: Vec<String> = Vec::new();
    loop {
        let (kind, after) = rest.split_once('=')?;
        let kind = kind.trim().to_ascii_lowercase();
        let kind = kind.strip_prefix("oid.").unwrap_or(&kind);
        if kind.is_empty() || !kind.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.".contains(&b))
        {
            return None;
        }
        let (value, ended_by, after) = value(after)?;
        step.push(format!("{kind}={}", folded(&value)));
        if ended_by != Some(b'+') {
            step.sort_unstable();
            steps.push(std::mem::take(&mut step).join("+"));
        }
        if ended_by.is_none() {
            return Some(steps.join(",").into());
        }
        rest = after;
    }
}

/// A name without the bits of `uniqueMember`.
fn without_bits(name: &str) -> &str {
    let Some(open) = name.strip_suffix("'B") else { return name };
    match open.rsplit_once("#'") {
        Some((before, bits)) if bits.bytes().all(|b| b == b'0' || b == b'1') => before,
        _ => name,
    }
}

/// The first value of a text, what ended it, and what comes after that.
fn value(text: &str) -> Option<(String, Option<u8>, &str)> {
    let mut value: Vec<u8> = Vec::new();
    // Spaces at its end are no part of it, unless they are escaped.
    let mut kept = 0;
    let mut quoted = false;
    let mut at = text.len() - text.trim_start_matches(' ').len();
    let octets = text.as_bytes();
    let mut ended_by = None;
    while let Some(&octet) = octets.get(at) {
        at += 1;
        match octet {
            b'\\' => {
                let (octet, length) = escaped(octets.get(at..)?)?;
                value.push(octet);
                at += length;
                kept = value.len();
            }
            // The way of RFC 2253 and before.
            b'"' => quoted = !quoted,
            b',' | b';' | b'+' if !quoted => {
                ended_by = Some(octet);
                break;
            }
            octet => {
                value.push(octet);
                if octet != b' ' || quoted {
                    kept = value.len();
                }
            }
        }
    }
    if quoted {
        return None;
    }
    value.truncate(kept);
    Some((String::from_utf8(value).ok()?, ended_by, text.get(at..)?))
}

/// What stands behind a backslash: an octet in two digits, or itself.
fn escaped(rest: &[u8]) -> Option<(u8, usize)> {
    let digit = |at: usize| rest.get(at).and_then(|octet| char::from(*octet).to_digit(16));
    match (digit(0), digit(1)) {
        (Some(high), Some(low)) => Some((u8::try_from(high * 16 + low).ok()?, 2)),
        _ => Some((*rest.first()?, 1)),
    }
}

/// A value as it is compared, with its separators escaped again.
fn folded(value: &str) -> String {
    let words: Vec<&str> = value.split_whitespace().collect();
    let mut folded = String::with_capacity(value.len());
    for character in words.join(" ").to_lowercase().chars() {
        if matches!(character, ',' | '+' | '\\') {
            folded.push('\\');
        }
        folded.push(character);
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_name_are_the_same() {
        for (one, other) in [
            ("cn=Ann,dc=corp,dc=example", "CN=ann, DC=Corp , DC=EXAMPLE"),
            ("cn=Ann,dc=corp", "cn=Ann;dc=corp"),
            ("cn=Meyer\\, Ann,dc=corp", "cn=Meyer\\2c Ann,dc=corp"),
            ("cn=Meyer\\, Ann,dc=corp", "cn=\"Meyer, Ann\",dc=corp"),
            ("cn=Ann  Meyer,dc=corp", "cn= Ann Meyer ,dc=corp"),
            ("cn=J\\C3\\B6rg,dc=corp", "cn=JÖRG,dc=corp"),
            ("cn=a+uid=b,dc=corp", "UID=b + CN=A,dc=corp"),
            ("OID.2.5.4.3=a", "2.5.4.3=A"),
            ("cn=a,dc=corp#'0101'B", "cn=a,dc=corp"),
            ("cn=a\\ ,dc=corp", "cn=a,dc=corp"),
            ("cn=,dc=corp", "cn= ,dc=corp"),
        ] {
            assert!(comparable(one).is_some(), "{one}");
            assert_eq!(comparable(one), comparable(other), "{one} and {other}");
        }
    }

    #[test]
    fn other_names_are_others_and_rubbish_is_none() {
        for (one, other) in [
            ("cn=a,dc=corp", "cn=a,dc=corp,dc=example"),
            ("cn=a\\,dc=b", "cn=a,dc=b"),
            ("cn=a\\+uid=b", "cn=a+uid=b"),
            ("cn=a\\5c\\,b", "cn=a\\\\,b=c"),
            ("cn=a b", "cn=ab"),
            ("cn=a#'012'B", "cn=a"),
            ("cn=a", "sn=a"),
        ] {
            assert!(comparable(one).is_some(), "{one}");
            assert_ne!(comparable(one), comparable(other), "{one} and {other}");
        }
        for rubbish in
            ["", "ann", "=a", "cn=a,", "cn=\"a", "cn=a\\", "cn=\\ff\\fe", "c n=a", "cn=a,,dc=b"]
        {
            assert_eq!(comparable(rubbish), None, "{rubbish}");
        }
    }
}
