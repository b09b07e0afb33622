//! The names of entries in a directory (RFC 4514).

use std::fmt;
use std::str::FromStr;

/// Longest distinguished name, in octets.
const OCTETS_MAX: usize = 1_000;
/// Characters that a value has only behind a backslash (RFC 4514 section 3).
const SPECIAL: &str = "\"+,;<>\\";
/// What else may stand behind a backslash (the same).
const ESCAPABLE: &str = " #=";

/// The text is no distinguished name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DistinguishedNameError(&'static str);

/// A distinguished name as it is written (RFC 4514): `dc=corp,dc=example`. It
/// has one part at least; spaces around `,`, `+` and `=` are let pass, as every
/// server lets them (RFC 2253 section 4), and a value is not empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DistinguishedName(String);

impl DistinguishedName {
    /// The name as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DistinguishedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for DistinguishedName {
    type Err = DistinguishedNameError;

    fn from_str(text: &str) -> Result<Self, DistinguishedNameError> {
        if text.len() > OCTETS_MAX {
            return Err(DistinguishedNameError("the name is longer than 1000 octets"));
        }
        if text.chars().any(char::is_control) {
            return Err(DistinguishedNameError("the name has a control character"));
        }
        unescaped_parts(text).into_iter().try_for_each(part)?;
        Ok(DistinguishedName(text.to_owned()))
    }
}

/// The parts between `,` and `+` that no backslash stands before.
fn unescaped_parts(text: &str) -> Vec<&str> {
    let (mut parts, mut begin, mut escaped) = (Vec::new(), 0, false);
    for (at, letter) in text.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ',' | '+' => {
                parts.extend(text.get(begin..at));
                begin = at + 1;
            }
            _ => {}
        }
    }
    parts.extend(text.get(begin..));
    parts
}

/// `dc=corp`.
fn part(text: &str) -> Result<(), DistinguishedNameError> {
    if text.trim().is_empty() {
        return Err(DistinguishedNameError("a part of the name is empty"));
    }
    let Some((kind, value)) = text.split_once('=') else {
        return Err(DistinguishedNameError("a part of the name has no `=`, as in dc=corp"));
    };
    if !is_kind(kind.trim()) {
        return Err(DistinguishedNameError("no attribute stands before a `=`, as in dc=corp"));
    }
    match value.trim_start().strip_prefix('#') {
        Some(digits) => hexadecimal(digits.trim_end()),
        None => string(value.trim_start()),
    }
}

/// `dc`, or a number such as `0.9.2342.19200300.100.1.25` (RFC 4512 section
/// 1.4).
fn is_kind(text: &str) -> bool {
    let is_number = |one: &str| {
        let whole = !one.is_empty() && one.bytes().all(|octet| octet.is_ascii_digit());
        whole && (one == "0" || !one.starts_with('0'))
    };
    let of_name = |octet: u8| octet.is_ascii_alphanumeric() || octet == b'-';
    match text.starts_with(|first: char| first.is_ascii_alphabetic()) {
        true => text.bytes().all(of_name),
        false => text.contains('.') && text.split('.').all(is_number),
    }
}

/// The octets of a value, each with two digits.
fn hexadecimal(digits: &str) -> Result<(), DistinguishedNameError> {
    let whole = !digits.is_empty() && digits.len().is_multiple_of(2);
    match whole && digits.bytes().all(|octet| octet.is_ascii_hexdigit()) {
        true => Ok(()),
        false => Err(DistinguishedNameError("behind `=#` stand no pairs of hexadecimal digits")),
    }
}

/// A value as text; `\,` and `\2c` stand for a comma.
fn string(text: &str) -> Result<(), DistinguishedNameError> {
    if text.is_empty() {
        return Err(DistinguishedNameError("a value is empty, as in `dc=`"));
    }
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => escape(letters.next(), &mut letters)?,
            special if SPECIAL.contains(special) => {
                let text = "a value has one of \" + , ; < > without a backslash before it";
                return Err(DistinguishedNameError(text));
            }
            _ => {}
        }
    }
    Ok(())
}

fn escape(
    first: Option<char>,
    rest: &mut std::str::Chars<'_>,
) -> Result<(), DistinguishedNameError> {
    match first {
        Some(letter) if SPECIAL.contains(letter) || ESCAPABLE.contains(letter) => Ok(()),
        Some(digit)
            if digit.is_ascii_hexdigit()
                && rest.next().is_some_and(|digit| digit.is_ascii_hexdigit()) =>
        {
            Ok(())
        }
        _ => Err(DistinguishedNameError("a backslash stands before nothing that needs one")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_grammar_are_taken() {
        for fine in [
            "dc=corp,dc=example",
            "DC=corp, DC=example",
            "ou=people+l=here,o=Corp",
            "UID=jsmith,DC=example,DC=net",
            "CN=James \\\"Jim\\\" Smith\\, III,DC=example,DC=net",
            "CN=Before\\0dAfter,DC=example,DC=net",
            "1.3.6.1.4.1.1466.0=#04024869",
            "CN=Lu\\C4\\8Di\\C4\\87",
            "cn=a=b\\ ,o=Größe",
            "ou=x#y",
        ] {
            let name = fine.parse::<DistinguishedName>();
            assert_eq!(name.as_ref().map(DistinguishedName::as_str), Ok(fine), "{name:?}");
        }
    }

    #[test]
    fn others_are_refused_with_what_is_wrong() {
        for (wrong, why) in [
            ("", "is empty"),
            (" ", "is empty"),
            ("not a dn", "no `=`"),
            ("=x", "no attribute"),
            ("dc=corp,,dc=example", "is empty"),
            ("dc=corp,", "is empty"),
            ("dc=", "a value is empty"),
            ("d c=x", "no attribute"),
            ("1.02=x", "no attribute"),
            ("7=x", "no attribute"),
            ("cn=a;b", "without a backslash"),
            ("cn=\"a\"", "without a backslash"),
            ("cn=a\\", "a backslash"),
            ("cn=a\\zb", "a backslash"),
            ("cn=#0", "hexadecimal"),
            ("cn=#", "hexadecimal"),
            ("cn=a\nb", "control character"),
        ] {
            let error = wrong.parse::<DistinguishedName>().unwrap_err().to_string();
            assert!(error.contains(why), "{wrong:?}: {error}");
        }
        let long = format!("cn={}", "x".repeat(OCTETS_MAX));
        assert!(long.parse::<DistinguishedName>().is_err());
    }
}
