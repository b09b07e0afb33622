//! What a word without a field means, by what it looks like.

use store::search::{Filter, NumberColumn, TextColumn, TextMatch};
use types::{EmailAddress, EventId};

use super::address::{address, within};
use super::term::{enhanced, in_column, looks_like_a_domain, read_network, words};
use super::tree::Text;

/// What a bare word means. A quoted one is text, whatever it looks like.
pub(super) fn word(word: &Text) -> Filter {
    let text = word.text.as_str();
    if word.quoted {
        return words(TextColumn::Words, word, false);
    }
    if let Some(network) = read_network(text) {
        return Filter::Ip(network);
    }
    if is_autonomous_system(text) {
        return Filter::Text(TextColumn::Network, TextMatch::Equals(text.to_owned()));
    }
    identifier(text).or_else(|| code(text)).unwrap_or_else(|| mail(word))
}

/// Message-ids, identifiers of ours, hashes.
fn identifier(text: &str) -> Option<Filter> {
    if text.starts_with('<') && text.ends_with('>') && text.contains('@') {
        let how = TextMatch::Contains(text.to_owned());
        return Some(Filter::Text(TextColumn::MessageId, how));
    }
    let hash = text.strip_prefix("sha256:").unwrap_or(text);
    if hash.len() == 64 && hash.bytes().all(|octet| octet.is_ascii_hexdigit()) {
        return Some(Filter::Text(TextColumn::Hash, TextMatch::Equals(hash.to_owned())));
    }
    let id = text.parse::<EventId>().ok()?;
    let octets = *id.as_bytes();
    Some(Filter::Any(vec![
        Filter::Ids(vec![id]),
        Filter::LifeLine(types::LifeLineId::from_bytes(octets)),
        Filter::Session(types::SessionId::from_bytes(octets)),
    ]))
}

/// `550` and `5.7.1`, as replies begin (RFC 5321 section 4.2, RFC 3463).
fn code(text: &str) -> Option<Filter> {
    let digits = |text: &str, most: usize| {
        (1..=most).contains(&text.len()) && text.bytes().all(|octet| octet.is_ascii_digit())
    };
    if text.len() == 3 && digits(text, 3) {
        let code = text.parse().ok().filter(|code| (200..600).contains(code))?;
        return Some(Filter::Number(NumberColumn::Code, code..=code));
    }
    let parts: Vec<&str> = text.split('.').collect();
    let [class, subject, detail] = parts.as_slice() else { return None };
    let is_code = matches!(*class, "2" | "4" | "5") && digits(subject, 3) && digits(detail, 3);
    is_code.then(|| Filter::Text(TextColumn::EnhancedCode, enhanced(text)))
}

fn is_autonomous_system(text: &str) -> bool {
    let number = text.strip_prefix("AS").or_else(|| text.strip_prefix("as"));
    number.is_some_and(|number| {
        (1..=10).contains(&number.len()) && number.bytes().all(|octet| octet.is_ascii_digit())
    })
}

/// Addresses, domains, and text.
fn mail(word: &Text) -> Filter {
    let text = word.text.as_str();
    if text.parse::<EmailAddress>().is_ok() || (text.contains('@') && text.contains('*')) {
        return in_column(TextColumn::Address, address(word, false));
    }
    let below = text.strip_prefix('*').unwrap_or(text).to_owned();
    let anything = match looks_like_a_domain(text) {
        true => Filter::Text(TextColumn::Words, TextMatch::Contains(below)),
        false => words(TextColumn::Words, word, false),
    };
    if !looks_like_a_domain(text) {
        return anything;
    }
    // A file name looks like a domain too, so text is searched as well.
    match within(text, TextColumn::Host) {
        Some(Filter::Any(mut ways)) => {
            ways.push(anything);
            Filter::Any(ways)
        }
        Some(way) => Filter::Any(vec![way, anything]),
        None => anything,
    }
}
