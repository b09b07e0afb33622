//! The addresses that an address field names (RFC 5322 sections 3.4 and 4.4),
//! whatever stands around them: quotes and comments within an address, routes
//! of old, angle brackets inside each other. Programs that show the author
//! read past all of these, so the policy must too; the library does not.
//!
//! Names are not read here.

use types::EmailAddress;

/// What a field names.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Named {
    /// The addresses in order, at most as many as were asked for.
    pub(crate) addresses: Vec<EmailAddress>,
    /// Whether each entry of the list is an address, so that nothing in it is
    /// left unread.
    pub(crate) is_all: bool,
}

/// The first `max` addresses in the value of a field.
pub(crate) fn addresses(value: &str, max: usize) -> Named {
    let tokens = tokens(value);
    let mut named = Named { addresses: Vec::new(), is_all: true };
    for (entry, end) in entries(&tokens) {
        let mut found = angles(entry).flat_map(in_tokens).peekable();
        let mut bare = Vec::new();
        if found.peek().is_none() {
            bare = in_tokens(entry);
            let is_group_name = end == Some(':') && bare.is_empty();
            named.is_all &= is_group_name || is_address_alone(entry, bare.len());
        }
        for address in found.chain(bare) {
            if named.addresses.len() < max && !named.addresses.contains(&address) {
                named.addresses.push(address);
            }
        }
    }
    named
}

/// The words of structured fields (RFC 5322 section 3.2). Comments and blanks
/// are one gap.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    /// Octets that need no quotes.
    Atom(String),
    /// What was between quotes, without its backslashes.
    Quoted(String),
    /// A domain in brackets, with them.
    Literal(String),
    /// A character with a meaning.
    Special(char),
    /// Blanks, line ends, comments.
    Gap,
}

fn tokens(value: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = value;
    // An end that was looked for in vain is not there for later ones either.
    let (mut quotes_end, mut comments_end, mut literals_end) = (true, true, true);
    while let Some(first) = rest.chars().next() {
        let behind = rest.get(first.len_utf8()..).unwrap_or_default();
        let (token, left) = match first {
            '"' if quotes_end => match quoted(behind) {
                Some((text, left)) => (Token::Quoted(text), left),
                None => {
                    quotes_end = false;
                    (Token::Gap, behind)
                }
            },
            '(' if comments_end => match behind_comment(behind) {
                Some(left) => (Token::Gap, left),
                None => {
                    comments_end = false;
                    (Token::Gap, behind)
                }
            },
            '[' if literals_end => match behind.find(']') {
                Some(end) => {
                    let (literal, left) = rest.split_at(end + 2);
                    (Token::Literal(literal.to_owned()), left)
                }
                None => {
                    literals_end = false;
                    (Token::Gap, behind)
                }
            },
            '<' | '>' | '@' | ',' | ';' | ':' | '.' => (Token::Special(first), behind),
            '"' | '(' | ')' | '[' | ']' | '\\' => (Token::Gap, behind),
            c if c.is_whitespace() || c.is_control() => (Token::Gap, behind),
            _ => {
                let end = rest.find(is_no_atom).unwrap_or(rest.len());
                let (atom, left) = rest.split_at(end);
                (Token::Atom(atom.to_owned()), left)
            }
        };
        rest = left;
        if token != Token::Gap || tokens.last() != Some(&Token::Gap) {
            tokens.push(token);
        }
    }
    without_inner_gaps(tokens)
}

fn is_no_atom(c: char) -> bool {
    "\"()[]<>@,;:.\\".contains(c) || c.is_whitespace() || c.is_control()
}

/// The text of a quoted string whose opening quote is gone, and what is behind
/// it; nothing if it has no end.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut content = String::new();
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match c {
            '"' => return Some((content, rest.as_str())),
            '\\' => content.extend(rest.next()),
            '\r' | '\n' => {}
            c => content.push(c),
        }
    }
    None
}

/// What is behind a comment whose opening parenthesis is gone; they nest.
fn behind_comment(text: &str) -> Option<&str> {
    let mut depth = 1_usize;
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            '\\' => drop(rest.next()),
            _ => {}
        }
        if depth == 0 {
            return Some(rest.as_str());
        }
    }
    None
}

/// Around the dots and the sign of an address gaps mean nothing.
fn without_inner_gaps(tokens: Vec<Token>) -> Vec<Token> {
    let joins = |token: Option<&Token>| matches!(token, Some(Token::Special('.' | '@')));
    let is_inner = |place: usize| {
        joins(tokens.get(place + 1)) || place.checked_sub(1).is_some_and(|at| joins(tokens.get(at)))
    };
    let kept = tokens.iter().enumerate();
    kept.filter(|(place, token)| **token != Token::Gap || !is_inner(*place))
        .map(|(_, token)| token.clone())
        .collect()
}

/// The entries of a list, groups opened, each with what ends it: a comma, or
/// the sign behind the name of a group or at its end. Within angle brackets
/// they separate nothing.
fn entries(tokens: &[Token]) -> Vec<(&[Token], Option<char>)> {
    let (mut entries, mut from, mut in_angle) = (Vec::new(), 0, false);
    for (at, token) in tokens.iter().enumerate() {
        match token {
            Token::Special('<') => in_angle = true,
            Token::Special('>') => in_angle = false,
            Token::Special(end @ (',' | ';' | ':')) if !in_angle => {
                entries.push((tokens.get(from..at).unwrap_or_default(), Some(*end)));
                from = at + 1;
            }
            _ => {}
        }
    }
    entries.push((tokens.get(from..).unwrap_or_default(), None));
    entries.retain(|(entry, _)| entry.iter().any(|token| *token != Token::Gap));
    entries
}

/// What is in angle brackets, each without those inside it and without a route
/// (RFC 5322 section 4.4).
fn angles(entry: &[Token]) -> impl Iterator<Item = &[Token]> {
    entry.split(|token| *token == Token::Special('<')).skip(1).map(|angle| {
        let inner = angle.split(|token| *token == Token::Special('>')).next().unwrap_or_default();
        inner.rsplit(|token| *token == Token::Special(':')).next().unwrap_or_default()
    })
}

/// The address around each sign.
fn in_tokens(tokens: &[Token]) -> Vec<EmailAddress> {
    let signs = tokens.iter().enumerate().filter(|(_, token)| **token == Token::Special('@'));
    signs.filter_map(|(at, _)| around(tokens.get(..at)?, tokens.get(at + 1..)?)).collect()
}

fn around(before: &[Token], behind: &[Token]) -> Option<EmailAddress> {
    let is_local =
        |token: &&Token| matches!(token, Token::Atom(_) | Token::Quoted(_) | Token::Special('.'));
    let is_domain =
        |token: &&Token| matches!(token, Token::Atom(_) | Token::Literal(_) | Token::Special('.'));
    let length = before.iter().rev().take_while(is_local).count();
    let local = text_of(before.get(before.len() - length..)?);
    let domain: Vec<Token> = behind.iter().take_while(is_domain).cloned().collect();
    let domain = text_of(&domain);
    let domain = domain.trim_end_matches('.');
    format!("{local}@{domain}").parse().or_else(|_| quoted_local(&local, domain).parse()).ok()
}

fn text_of(tokens: &[Token]) -> String {
    let text = |token: &Token| match token {
        Token::Atom(text) | Token::Quoted(text) | Token::Literal(text) => text.clone(),
        Token::Special(c) => c.to_string(),
        Token::Gap => String::new(),
    };
    tokens.iter().map(text).collect()
}

fn quoted_local(local: &str, domain: &str) -> String {
    let escaped = local.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{escaped}\"@{domain}")
}

/// Whether an entry without brackets is one address and nothing else.
fn is_address_alone(entry: &[Token], found: usize) -> bool {
    let is_gap = |token: &Token| *token == Token::Gap;
    let inner =
        entry.split_first().filter(|(first, _)| is_gap(first)).map_or(entry, |(_, rest)| rest);
    let inner = inner.split_last().filter(|(last, _)| is_gap(last)).map_or(inner, |(_, rest)| rest);
    found == 1 && !inner.iter().any(is_gap)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: &str, expected: &str, is_all: bool) {
        let named = addresses(value, 8);
        let keys: Vec<&str> = named.addresses.iter().map(EmailAddress::key).collect();
        assert_eq!((keys.join(" ").as_str(), named.is_all), (expected, is_all), "{value:?}");
    }

    #[test]
    fn no_spelling_hides_an_address() {
        for value in [
            "ceo@corp.example",
            " \"ceo\"@corp.example",
            "\"ce\\o\"@corp.example",
            "ceo@(c)corp.example",
            "(x) ceo(y)@(z (z) \\) z)corp.example (w)",
            "ceo @ corp . example.",
            "<@a.example,@b.example:ceo@corp.example>",
            "<<ceo@corp.example>>",
            "Ann <ceo@corp.example",
            "Ann <\"ceo\"@\r\n corp.example>",
            "team: (nobody) ceo@corp.example;",
            "CEO@CORP.EXAMPLE",
        ] {
            check(value, "ceo@corp.example", true);
        }
    }

    #[test]
    fn all_of_a_broken_list_are_found() {
        check("<a@x.example> <ceo@corp.example>", "a@x.example ceo@corp.example", true);
        check("a@x.example ceo@corp.example", "a@x.example ceo@corp.example", false);
        check("\"open ceo@corp.example", "ceo@corp.example", false);
        check("(open ceo@corp.example", "ceo@corp.example", false);
        check("a@x.example: ceo@corp.example", "a@x.example ceo@corp.example", true);
        check("ceo@corp.example <x>", "ceo@corp.example", false);
        check("a@b.example@c.example", "a@b.example b.example@c.example", false);
    }

    #[test]
    fn a_name_is_no_address() {
        check("\"ceo@corp.example\" <a@x.example>", "a@x.example", true);
        check("ceo@corp.example via List <a@x.example>", "a@x.example", true);
        check("\"ceo@corp.example\"", "", false);
        check("not an address", "", false);
        check("<>", "", false);
        check("", "", true);
    }

    #[test]
    fn hostile_lengths_cost_a_walk() {
        for piece in ["\"", "(", ")", "[", "<", "a@b.", "\\", "(()", ",", "\"\\\""] {
            let value = piece.repeat(65_536 / piece.len());
            assert!(addresses(&value, 8).addresses.len() <= 8);
        }
    }
}
