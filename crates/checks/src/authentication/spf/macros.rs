//! Macros of SPF: names and explanations that are made of the sender and the
//! client (RFC 7208 section 7).

use std::net::IpAddr;

/// A text with macros in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct MacroText(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Literal(String),
    Expand(Expand),
}

/// One `%{…}`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Expand {
    letter: char,
    escaped: bool,
    /// How many parts are kept, from the right; 0 for all.
    parts: usize,
    reversed: bool,
    /// What separates the parts; a dot if empty.
    delimiters: String,
}

/// Where a text stands, which decides what may be in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In a record: no blanks, no `%{c}`, `%{r}`, `%{t}`.
    Record,
    /// What an `exp=` leads to.
    Explanation,
}

/// What the letters stand for.
pub(super) struct Letters<'a> {
    pub(super) ip: IpAddr,
    pub(super) sender: &'a str,
    pub(super) domain: &'a str,
    pub(super) helo: &'a str,
    pub(super) host_name: &'a str,
    /// The confirmed name of the client.
    pub(super) validated: &'a str,
    /// Seconds since 1970.
    pub(super) now_s: u64,
}

/// Octets after which nothing more is put into a text: far more than a name
/// may have, or is kept of an explanation.
const EXPANDED_OCTETS: usize = 4_096;

impl MacroText {
    /// Reads a text; nothing if it does not follow the grammar.
    pub(super) fn parse(text: &str, place: Place) -> Option<MacroText> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (piece, behind) = piece(rest, place)?;
            pieces.push(piece);
            rest = behind;
        }
        Some(MacroText(pieces))
    }

    /// Reads the name in a term: it ends in a macro, or in a top-level label
    /// that is not all digits (RFC 7208 section 7.1).
    pub(super) fn parse_name(text: &str) -> Option<MacroText> {
        let parsed = MacroText::parse(text, Place::Record)?;
        match parsed.0.last()? {
            Piece::Expand(_) => Some(parsed),
            Piece::Literal(_) if text.ends_with("%%") || text.ends_with("%_") => None,
            Piece::Literal(end) => {
                let end = end.strip_suffix('.').unwrap_or(end);
                let (before, label) = end.rsplit_once('.')?;
                let begins = !before.is_empty() || parsed.0.len() > 1 || text.starts_with('.');
                (begins && is_top_label(label)).then_some(parsed)
            }
        }
    }

    /// The text, if there is no macro in it.
    pub(super) fn literal(&self) -> Option<String> {
        let literal = |piece: &Piece| match piece {
            Piece::Literal(literal) => Some(literal.clone()),
            Piece::Expand(_) => None,
        };
        self.0.iter().map(literal).collect()
    }

    /// Whether the client's confirmed name is in it.
    pub(super) fn needs_name(&self) -> bool {
        self.0.iter().any(|piece| matches!(piece, Piece::Expand(one) if one.letter == 'p'))
    }

    /// The text with everything put in. Of one that is far too long only the
    /// part that counts is made: a few octets can stand for hundreds, and a
    /// record has room for thousands of them. Of a name that is its end (RFC
    /// 7208 section 7.3), of an explanation its beginning.
    pub(super) fn expand(&self, place: Place, letters: &Letters<'_>) -> String {
        let value = |piece: &Piece| match piece {
            Piece::Literal(literal) => literal.clone(),
            Piece::Expand(one) => one.value(letters),
        };
        let mut octets = 0;
        let has_room = |value: &String| {
            let before = octets;
            octets += value.len();
            before < EXPANDED_OCTETS
        };
        match place {
            Place::Explanation => self.0.iter().map(value).take_while(has_room).collect(),
            Place::Record => {
                let mut end: Vec<String> =
                    self.0.iter().rev().map(value).take_while(has_room).collect();
                end.reverse();
                end.concat()
            }
        }
    }
}

/// The next piece and what is behind it.
fn piece(text: &str, place: Place) -> Option<(Piece, &str)> {
    let Some(special) = text.strip_prefix('%') else {
        let end = text.find('%').unwrap_or(text.len());
        let (literal, rest) = text.split_at_checked(end)?;
        let allowed = |c: char| c.is_ascii_graphic() || (c == ' ' && place == Place::Explanation);
        return literal.chars().all(allowed).then(|| (Piece::Literal(literal.to_owned()), rest));
    };
    for (sign, stands_for) in [('%', "%"), ('_', " "), ('-', "%20")] {
        if let Some(rest) = special.strip_prefix(sign) {
            return Some((Piece::Literal(stands_for.to_owned()), rest));
        }
    }
    let (inner, rest) = special.strip_prefix('{')?.split_once('}')?;
    Some((Piece::Expand(expand(inner, place)?), rest))
}

/// Reads what stands between the braces.
fn expand(inner: &str, place: Place) -> Option<Expand> {
    let letter = inner.chars().next()?;
    let rest = inner.get(letter.len_utf8()..)?;
    let lower = letter.to_ascii_lowercase();
    let known =
        "slodiphv".contains(lower) || (place == Place::Explanation && "crt".contains(lower));
    let digits_end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (digits, rest) = rest.split_at_checked(digits_end)?;
    let parts = match digits {
        "" => 0,
        // More parts than any name has are all of them.
        digits => digits.parse().map_or(usize::MAX, |parts: usize| parts),
    };
    let reversed = rest.starts_with(['r', 'R']);
    let delimiters = if reversed { rest.get(1..)? } else { rest };
    let delimits = delimiters.chars().all(|c| ".-+,/_=".contains(c));
    (known && delimits && (digits.is_empty() || parts > 0)).then(|| Expand {
        letter: lower,
        escaped: letter.is_ascii_uppercase(),
        parts,
        reversed,
        delimiters: delimiters.to_owned(),
    })
}

impl Expand {
    fn value(&self, letters: &Letters<'_>) -> String {
        let raw = raw(self.letter, letters);
        let separates = |c: char| match self.delimiters.is_empty() {
            true => c == '.',
            false => self.delimiters.contains(c),
        };
        let mut parts: Vec<&str> = raw.split(separates).collect();
        if self.reversed {
            parts.reverse();
        }
        let skipped = if self.parts == 0 { 0 } else { parts.len().saturating_sub(self.parts) };
        let kept = parts.get(skipped..).unwrap_or_default().join(".");
        if self.escaped { escaped(&kept) } else { kept }
    }
}

/// What a letter stands for (RFC 7208 section 7.2).
fn raw(letter: char, letters: &Letters<'_>) -> String {
    let (local, domain) = letters.sender.rsplit_once('@').unwrap_or(("", letters.sender));
    match letter {
        's' => letters.sender.to_owned(),
        'l' => local.to_owned(),
        'o' => domain.to_owned(),
        'd' => letters.domain.to_owned(),
        'i' => dotted(letters.ip),
        'p' => letters.validated.to_owned(),
        'v' => if letters.ip.is_ipv4() { "in-addr" } else { "ip6" }.to_owned(),
        'h' => letters.helo.to_owned(),
        'c' => letters.ip.to_string(),
        'r' => letters.host_name.to_owned(),
        't' => letters.now_s.to_string(),
        _ => String::new(),
    }
}

/// The address as labels: octets, or nibbles of an IPv6 address.
fn dotted(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => {
            let nibbles = ip.octets().into_iter().flat_map(|octet| [octet >> 4, octet & 15]);
            nibbles.map(|nibble| format!("{nibble:X}")).collect::<Vec<_>>().join(".")
        }
    }
}

/// As in an address of the web: all but unreserved characters as `%XX`.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for octet in text.bytes() {
        match octet {
            b'-' | b'.' | b'_' | b'~' => out.push(octet.into()),
            _ if octet.is_ascii_alphanumeric() => out.push(octet.into()),
            _ => out.push_str(&format!("%{octet:02X}")),
        }
    }
    out
}

/// A label with a letter, or with a hyphen inside.
fn is_top_label(label: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    !label.is_empty()
        && label.chars().all(plain)
        && !label.starts_with('-')
        && !label.ends_with('-')
        && !label.chars().all(|c| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(text: &str) -> Option<String> {
        let letters = Letters {
            ip: "192.0.2.3".parse().unwrap(),
            sender: "strong-bad@email.example.com",
            domain: "email.example.com",
            helo: "mail.example.com",
            host_name: "mx.corp.example",
            validated: "unknown",
            now_s: 7,
        };
        Some(MacroText::parse(text, Place::Explanation)?.expand(Place::Explanation, &letters))
    }

    #[test]
    fn the_examples_of_rfc_7208_section_7_4() {
        for (text, expected) in [
            ("%{s}", "strong-bad@email.example.com"),
            ("%{o}", "email.example.com"),
            ("%{d4}", "email.example.com"),
            ("%{d2}", "example.com"),
            ("%{d1}", "com"),
            ("%{dr}", "com.example.email"),
            ("%{d2r}", "example.email"),
            ("%{l}", "strong-bad"),
            ("%{l-}", "strong.bad"),
            ("%{lr-}", "bad.strong"),
            ("%{l1r-}", "strong"),
            ("%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"),
            ("%{L}%{t}%%%_%-", "strong-bad7% %20"),
        ] {
            assert_eq!(expanded(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn a_macro_bomb_is_expanded_no_further_than_it_counts() {
        let helo = "a".repeat(255);
        let letters = Letters {
            ip: "2001:db8::1".parse().unwrap(),
            sender: "ann@sender.example",
            domain: "sender.example",
            helo: &helo,
            host_name: "mx.corp.example",
            validated: "unknown",
            now_s: 7,
        };
        let bomb = format!("{}.end.%{{d}}", "%{h}".repeat(16_000));
        let text = MacroText::parse(&bomb, Place::Record).unwrap();
        let (name, spoken) =
            (text.expand(Place::Record, &letters), text.expand(Place::Explanation, &letters));
        assert!(name.ends_with("aaa.end.sender.example") && spoken.starts_with("aaa"));
        let most = EXPANDED_OCTETS + helo.len();
        assert!((EXPANDED_OCTETS..=most).contains(&name.len()), "{}", name.len());
        assert!((EXPANDED_OCTETS..=most).contains(&spoken.len()), "{}", spoken.len());
    }

    #[test]
    fn what_is_not_in_the_grammar_is_refused() {
        for text in ["%", "%{", "%{}", "%{x}", "%{d0}", "%{dr2}", "%{d*}", "%(d)", "\u{7f}"] {
            assert_eq!(expanded(text), None, "{text}");
        }
        assert!(MacroText::parse("%{c}", Place::Record).is_none());
        assert!(MacroText::parse("a b", Place::Record).is_none());
        for name in ["a.example", "a.example.", "_x.%{d}", "%{ir}.a.b-c"] {
            assert!(MacroText::parse_name(name).is_some(), "{name}");
        }
        for name in ["", "a", "a.1", "a.", "a.-b", "%%", "a.example-"] {
            assert!(MacroText::parse_name(name).is_none(), "{name}");
        }
    }
}
