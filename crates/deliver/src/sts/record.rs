//! The record that says that a domain has a policy, and which one
//! (RFC 8461 section 3.1). Pure.

use std::fmt;

/// How a version of a policy is told from the next: 1 to 32 letters and
/// digits that mean nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyId(Box<str>);

/// Longest identifier, in octets.
const ID_OCTETS_MAX: usize = 32;
/// Longest name of an extension, in octets.
const NAME_OCTETS_MAX: usize = 32;

/// Why no policy is known from the texts at `_mta-sts` of a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// None of them is such a record.
    #[error("no record begins with v=STSv1")]
    Absent,
    /// More than one is, and none counts then.
    #[error("more than one record begins with v=STSv1, so none counts")]
    Several,
    /// It does not say what it has to.
    #[error("the record is malformed, so it does not count")]
    Malformed,
}

impl PolicyId {
    /// The identifier, if it is one.
    pub fn read(text: &str) -> Option<Self> {
        let is_one = (1..=ID_OCTETS_MAX).contains(&text.len())
            && text.bytes().all(|octet| octet.is_ascii_alphanumeric());
        is_one.then(|| PolicyId(text.into()))
    }

    /// As it is published.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PolicyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The policy that these texts announce.
///
/// # Errors
/// They announce none that counts.
pub fn announced_in(texts: &[Vec<u8>]) -> Result<PolicyId, RecordError> {
    let mut records = texts.iter().filter_map(|text| fields_of(text));
    match (records.next(), records.next()) {
        (None, _) => Err(RecordError::Absent),
        (Some(fields), None) => id_in(fields).ok_or(RecordError::Malformed),
        (Some(_), Some(_)) => Err(RecordError::Several),
    }
}

/// What follows the version, if this is such a record.
fn fields_of(text: &[u8]) -> Option<&[u8]> {
    text.strip_prefix(b"v=STSv1")?.trim_ascii_start().strip_prefix(b";")
}

/// The identifier among well-formed fields, the first if there are several.
fn id_in(fields: &[u8]) -> Option<PolicyId> {
    let fields = std::str::from_utf8(fields).ok()?;
    let mut id = None;
    let mut fields = fields.split(';').map(|field| field.trim_matches([' ', '\t'])).peekable();
    while let Some(field) = fields.next() {
        match (field.split_once('='), field) {
            (Some(("id", value)), _) => id = id.or(Some(PolicyId::read(value)?)),
            (Some((name, value)), _) if is_extension(name, value) => {}
            // A semicolon may end the record.
            (None, "") if fields.peek().is_none() => {}
            _ => return None,
        }
    }
    id
}

fn is_extension(name: &str, value: &str) -> bool {
    let inner = |octet: u8| octet.is_ascii_alphanumeric() || b"_-.".contains(&octet);
    (1..=NAME_OCTETS_MAX).contains(&name.len())
        && name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.bytes().all(inner)
        && !value.is_empty()
        && value.bytes().all(|octet| octet.is_ascii_graphic() && octet != b'=')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(texts: &[&str], expected: Result<&str, RecordError>) {
        let texts: Vec<_> = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
        let found = announced_in(&texts);
        assert_eq!(found.as_ref().map(PolicyId::as_str).map_err(|error| *error), expected);
    }

    #[test]
    fn exactly_one_well_formed_record_announces_a_policy() {
        let some = Ok("20160831085700Z");
        check(&["v=STSv1; id=20160831085700Z;"], some);
        check(&["v=STSv1;id=20160831085700Z"], some);
        check(&["v=STSv1 ; \tid=20160831085700Z ; "], some);
        check(&["v=spf1 -all", "v=STSv1; id=20160831085700Z;"], some);
        check(&["v=STSv1; x-new.1=a/b+c; id=20160831085700Z; id=2"], some);
        check(&[], Err(RecordError::Absent));
        check(&["v=STSv2; id=1", "v=stsv1; id=1", "v=STSv10; id=1"], Err(RecordError::Absent));
        check(&["v=STSv1; id=1;", "v=STSv1; id=1;"], Err(RecordError::Several));
        let long = format!("v=STSv1; id={};", "1".repeat(33));
        for wrong in [
            "v=STSv1;",
            "v=STSv1; id=;",
            "v=STSv1; id=2016-08-31;",
            "v=STSv1; id=1; ; x=1;",
            "v=STSv1; id=1; x",
            "v=STSv1; id=1; x=a b;",
            "v=STSv1; id=1; -x=a;",
            "v=STSv1; ID=1;",
            "v=STSv1; id=1; x=\u{e9};",
            &long,
        ] {
            check(&[wrong], Err(RecordError::Malformed));
        }
    }
}
