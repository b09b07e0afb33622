//! Attributes that come in parts. Active Directory gives no more than some
//! thousand values at once and calls them `member;range=0-1499`; the next are
//! asked for as `member;range=1500-*`, until a part ends with `*` (MS-ADTS
//! section 3.1.1.3.1.3.3). A part must never be taken for all.

use super::message::VALUES_MAX;
use super::{LdapEntry, LdapError};

/// Octets of all values of one entry that came in parts.
const OCTETS_MAX: usize = 32 << 20;

/// Why parts make no whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PartsError {
    /// One is not the part that is due.
    Unfit,
    /// There are more than so many values or octets.
    TooMuch(&'static str, usize),
}

impl PartsError {
    /// As what was wrong with the server `at`.
    pub(super) fn of(self, at: &str) -> LdapError {
        let at = at.to_owned();
        match self {
            PartsError::Unfit => LdapError::Parts { at },
            PartsError::TooMuch(what, max) => LdapError::TooMuch { at, what, max },
        }
    }
}

/// Whether an attribute of this entry came in parts.
pub(super) fn is_in_parts(entry: &LdapEntry) -> bool {
    entry.attributes.iter().any(|(name, _)| name.split(';').skip(1).any(|one| range(one).is_some()))
}

/// What stands behind `range=`, which is an option of an attribute.
fn range(option: &str) -> Option<&str> {
    let (name, range) = option.split_once('=')?;
    name.eq_ignore_ascii_case("range").then_some(range)
}

/// What the name of an attribute says of its values.
#[derive(Debug, PartialEq, Eq)]
struct Part {
    /// The attribute, with its other options.
    attribute: String,
    /// The number of its first value.
    from: usize,
    /// That of its last; nothing if no part comes after it.
    to: Option<usize>,
}

impl Part {
    /// Nothing for an attribute that is whole.
    fn read(name: &str) -> Result<Option<Part>, PartsError> {
        let mut options = name.split(';');
        let mut attribute = options.next().unwrap_or_default().to_owned();
        let mut found = None;
        for option in options {
            match range(option) {
                Some(range) if found.is_none() => found = Some(range),
                Some(_) => return Err(PartsError::Unfit),
                None => attribute = format!("{attribute};{option}"),
            }
        }
        let Some(range) = found else { return Ok(None) };
        let (from, to) = range.split_once('-').ok_or(PartsError::Unfit)?;
        let number = |text: &str| text.parse::<usize>().map_err(|_| PartsError::Unfit);
        let to = if to == "*" { None } else { Some(number(to)?) };
        Ok(Some(Part { attribute, from: number(from)?, to }))
    }

    /// The number of the value that comes after these; nothing at the end.
    fn next(&self, values: usize) -> Result<Option<usize>, PartsError> {
        let Some(to) = self.to else { return Ok(None) };
        let next = to.checked_add(1).ok_or(PartsError::Unfit)?;
        match next.checked_sub(self.from) {
            // Each goes on, and is itself whole.
            Some(count) if count > 0 && count == values => Ok(Some(next)),
            _ => Err(PartsError::Unfit),
        }
    }
}

/// An entry that is put together.
pub(super) struct Gathered {
    entry: LdapEntry,
    /// Attributes in parts, and which value is due; nothing where none is.
    due: Vec<(String, Option<usize>)>,
    values: usize,
    octets: usize,
}

impl Gathered {
    /// What the first answer has.
    pub(super) fn of(first: LdapEntry) -> Result<Gathered, PartsError> {
        let entry = LdapEntry { name: first.name, attributes: Vec::new() };
        let mut gathered = Gathered { entry, due: Vec::new(), values: 0, octets: 0 };
        for (name, values) in first.attributes {
            match Part::read(&name)? {
                None => gathered.put(&name, values)?,
                Some(part) => gathered.part(&part, values)?,
            }
        }
        Ok(gathered)
    }

    /// The attribute to ask for next.
    pub(super) fn wanted(&self) -> Option<String> {
        let (attribute, next) = self.due.iter().find(|(_, next)| next.is_some())?;
        Some(format!("{attribute};range={}-*", (*next)?))
    }

    /// Takes the answer to that question.
    pub(super) fn add(&mut self, more: LdapEntry) -> Result<(), PartsError> {
        let asked = self.wanted();
        for (name, values) in more.attributes {
            match Part::read(&name)? {
                Some(part) => self.part(&part, values)?,
                // Beside its part stands the attribute itself, and nothing in it.
                None if values.is_empty() => {}
                None => return Err(PartsError::Unfit),
            }
        }
        // Another attribute is no answer.
        if self.wanted() == asked { Err(PartsError::Unfit) } else { Ok(()) }
    }

    /// The entry, of which nothing is due any more.
    pub(super) fn whole(self) -> LdapEntry {
        self.entry
    }

    fn part(&mut self, part: &Part, values: Vec<Vec<u8>>) -> Result<(), PartsError> {
        let next = part.next(values.len())?;
        let is_it = |(name, _): &&mut (String, _)| name.eq_ignore_ascii_case(&part.attribute);
        match self.due.iter_mut().find(is_it) {
            Some((_, due)) if *due == Some(part.from) => *due = next,
            None if part.from == 0 => self.due.push((part.attribute.clone(), next)),
            _ => return Err(PartsError::Unfit),
        }
        self.put(&part.attribute, values)
    }

    fn put(&mut self, attribute: &str, values: Vec<Vec<u8>>) -> Result<(), PartsError> {
        // An attribute without a value needs room as well.
        self.values += values.len().max(1);
        self.octets += values.iter().map(Vec::len).sum::<usize>();
        if self.values > VALUES_MAX {
            return Err(PartsError::TooMuch("values in one entry", VALUES_MAX));
        }
        if self.octets > OCTETS_MAX {
            return Err(PartsError::TooMuch("octets in one entry", OCTETS_MAX));
        }
        let is_it = |(name, _): &&mut (String, _)| name.eq_ignore_ascii_case(attribute);
        match self.entry.attributes.iter_mut().find(is_it) {
            Some((_, before)) => before.extend(values),
            None => self.entry.attributes.push((attribute.to_owned(), values)),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(attributes: &[(&str, &[&str])]) -> LdapEntry {
        let octets = |values: &[&str]| values.iter().map(|one| one.as_bytes().to_vec()).collect();
        let attributes = attributes.iter().map(|(name, all)| ((*name).to_owned(), octets(all)));
        LdapEntry { name: "cn=a".to_owned(), attributes: attributes.collect() }
    }

    #[test]
    fn parts_are_put_together_beside_what_came_whole() {
        let first = [
            ("cn;lang-en", &["a"][..]),
            ("member", &[]),
            ("member;range=0-1", &["x", "y"]),
            ("mail;lang-en;Range=0-*", &["a@b"]),
        ];
        assert!(is_in_parts(&entry(&first)) && !is_in_parts(&entry(&first[..2])));
        let mut gathered = Gathered::of(entry(&first)).unwrap();
        assert_eq!(gathered.wanted().as_deref(), Some("member;range=2-*"));
        gathered.add(entry(&[("member", &[]), ("MEMBER;range=2-2", &["z"])])).unwrap();
        assert_eq!(gathered.wanted().as_deref(), Some("member;range=3-*"));
        gathered.add(entry(&[("member;range=3-*", &[])])).unwrap();
        assert_eq!(gathered.wanted(), None);
        let whole =
            [("cn;lang-en", &["a"][..]), ("member", &["x", "y", "z"]), ("mail;lang-en", &["a@b"])];
        assert_eq!(gathered.whole(), entry(&whole));
    }

    #[test]
    fn what_is_not_the_part_that_is_due_is_refused() {
        for first in [
            "member;range=1-2",
            "member;range=0-2",
            "member;range=0-0",
            "member;range=5-1",
            "member;range=-1",
            "member;range=0",
            "member;range=x-*",
            "member;range=0-18446744073709551615",
            "member;range=0-1;range=0-1",
        ] {
            let gathered = Gathered::of(entry(&[(first, &["x", "y"])]));
            assert_eq!(gathered.err(), Some(PartsError::Unfit), "{first}");
        }
        let empty = Gathered::of(entry(&[("member;range=0-*", &[]), ("member;range=0-*", &[])]));
        assert_eq!(empty.err(), Some(PartsError::Unfit), "twice");
        for more in ["member", "mail", "mail;range=2-*", "member;range=0-1", "member;range=3-*"] {
            let mut gathered = Gathered::of(entry(&[("member;range=0-1", &["x", "y"])])).unwrap();
            let added = gathered.add(entry(&[(more, &["z", "z"])]));
            assert_eq!(added, Err(PartsError::Unfit), "{more}");
        }
        let mut gathered = Gathered::of(entry(&[("member;range=0-1", &["x", "y"])])).unwrap();
        assert_eq!(gathered.add(entry(&[])), Err(PartsError::Unfit));
    }
}
