//! Authors from outside who show the name or the address of one of our own
//! people: `"Ann Miller" <x@elsewhere.example>` where ann.miller is ours.
//!
//! A fact and nothing more: namesakes exist, and people write home from
//! private addresses.

use types::{EmailAddress, HeaderMailbox, Observed};

/// Most words of a name that are put together.
const WORDS_MAX: usize = 4;

/// The first author from outside who shows somebody of ours; `domain` is the
/// recipient's, in comparable form, and `is_known` says whether an address is
/// that of somebody we know by name.
pub(crate) fn look(
    authors: &[HeaderMailbox],
    domain: &str,
    is_internal: impl Fn(&str) -> bool,
    is_known: impl Fn(&EmailAddress) -> bool,
) -> Option<Observed> {
    authors.iter().find_map(|author| {
        let shown = author.name.as_deref()?;
        let address = author.address.parse::<EmailAddress>();
        if address.is_ok_and(|address| is_internal(address.domain_key())) {
            return None;
        }
        let read: String = shown.chars().filter(|c| !is_invisible(*c)).collect();
        let own =
            own_address(&read, &is_internal).or_else(|| own_name(&read, domain, &is_known))?;
        Some(Observed::ShowsOwnName {
            shown: shown.to_owned(),
            own,
            author: author.address.clone(),
        })
    })
}

/// An address of ours that stands in the name.
fn own_address(shown: &str, is_internal: impl Fn(&str) -> bool) -> Option<String> {
    let edge = |c: char| !c.is_alphanumeric();
    let words = shown.split(|c: char| c.is_whitespace() || "<>()[]\"',;:".contains(c));
    words
        .filter(|word| word.contains('@'))
        .filter_map(|word| word.trim_matches(edge).parse::<EmailAddress>().ok())
        .find(|address| is_internal(address.domain_key()))
        .map(|address| address.key().to_owned())
}

/// Whether a character is not seen where it stands: with one of them inside, a
/// name looks like that of somebody and compares as that of nobody.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{feff}'
    )
}

/// The known address that two words of the name make: titles and initials may
/// stand beside them.
fn own_name(shown: &str, domain: &str, is_known: impl Fn(&EmailAddress) -> bool) -> Option<String> {
    let words: Vec<String> = shown
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .take(WORDS_MAX)
        .map(str::to_lowercase)
        .collect();
    let pairs = words.iter().enumerate().flat_map(|(place, one)| {
        words.iter().skip(place + 1).flat_map(move |other| [(one, other), (other, one)])
    });
    let locals = pairs.flat_map(|(one, other)| {
        [".", "_", "-", ""].map(|between| format!("{one}{between}{other}"))
    });
    locals
        .filter_map(|local| format!("{local}@{domain}").parse::<EmailAddress>().ok())
        .find(is_known)
        .map(|address| address.key().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, address: &str, own: Option<&str>) {
        let people = ["ann.miller@corp.example", "boss@corp.example", "jo_li@corp.example"];
        let known = |address: &EmailAddress| people.contains(&address.key());
        let author = HeaderMailbox { name: Some(name.to_owned()), address: address.to_owned() };
        let internal = |domain: &str| domain == "corp.example";
        let found = look(&[author], "corp.example", internal, known);
        let found = found.map(|seen| match seen {
            Observed::ShowsOwnName { own, .. } => own,
            other => panic!("{other:?}"),
        });
        assert_eq!(found.as_deref(), own, "{name} <{address}>");
    }

    #[test]
    fn names_and_addresses_of_our_people_are_seen_on_strangers_only() {
        let stranger = "x@elsewhere.example";
        check("Ann Miller", stranger, Some("ann.miller@corp.example"));
        check("MILLER, Ann", stranger, Some("ann.miller@corp.example"));
        check("Dr. Ann B. Miller", stranger, Some("ann.miller@corp.example"));
        check("Ann Miller (Accounts)", stranger, Some("ann.miller@corp.example"));
        check("A\u{200b}nn Mil\u{ad}ler", stranger, Some("ann.miller@corp.example"));
        check("bo\u{2060}ss@corp.example", stranger, Some("boss@corp.example"));
        check("Ann Other", stranger, None);
        check("One Two Three Four Ann Miller", stranger, None);
        check("Jo Li", stranger, Some("jo_li@corp.example"));
        check("boss@corp.example", stranger, Some("boss@corp.example"));
        check("\"Boss\" <boss@corp.example>", "not an address", Some("boss@corp.example"));
        check("Ann Miller", "ann.miller@corp.example", None);
        check("Boss", stranger, None);
        check("", stranger, None);
        check("a@b", stranger, None);
    }
}
