//! An attribute of people in a directory, with one of its values: what a
//! policy names, and what a directory was read to say.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Longest name of an attribute, in octets.
pub const ATTRIBUTE_NAME_OCTETS_MAX: usize = 64;
/// Longest value, in octets. Longer texts tell nobody apart from others.
pub const ATTRIBUTE_VALUE_OCTETS_MAX: usize = 256;

/// An attribute with a value, such as `department` = `Sales`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DirectoryAttribute {
    /// What the directory calls the attribute.
    pub name: String,
    /// A value of it, compared without case and without regard to how many
    /// spaces stand where.
    pub value: String,
}

/// Why nobody can have such an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AttributeFault {
    /// RFC 4512 section 1.4 knows no such name.
    #[error(
        "the name of an attribute is a letter, then letters, digits and hyphens, \
         {ATTRIBUTE_NAME_OCTETS_MAX} in all"
    )]
    Name,
    /// Nothing is left of it where values are compared.
    #[error("the attribute has no value")]
    NoValue,
    /// No directory is believed to say it.
    #[error(
        "the value of an attribute has {ATTRIBUTE_VALUE_OCTETS_MAX} octets at most, and no \
         control characters"
    )]
    Value,
}

/// Whether an attribute can be called so (RFC 4512 section 1.4: a `descr`).
pub fn is_attribute_name(name: &str) -> bool {
    let fits = name.len() <= ATTRIBUTE_NAME_OCTETS_MAX;
    let begins = name.starts_with(|first: char| first.is_ascii_alphabetic());
    fits && begins && name.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-')
}

impl DirectoryAttribute {
    /// An attribute with a value as a directory or a person wrote it, its
    /// spaces put in order (RFC 4518 section 2.6.1).
    ///
    /// # Errors
    /// See [`AttributeFault`].
    pub fn new(name: &str, value: &str) -> Result<DirectoryAttribute, AttributeFault> {
        let value = value.split_whitespace().collect::<Vec<_>>().join(" ");
        let made = DirectoryAttribute { name: name.trim().to_owned(), value };
        made.fault().map_or(Ok(made), Err)
    }

    /// What is wrong with it.
    pub fn fault(&self) -> Option<AttributeFault> {
        let too_long = self.value.len() > ATTRIBUTE_VALUE_OCTETS_MAX;
        match () {
            () if !is_attribute_name(&self.name) => Some(AttributeFault::Name),
            () if self.value.trim().is_empty() => Some(AttributeFault::NoValue),
            () if too_long || self.value.contains(char::is_control) => Some(AttributeFault::Value),
            () => None,
        }
    }

    /// The form in which two are compared. The name of an attribute has no
    /// `=`, so two that differ have keys that differ.
    pub fn key(&self) -> String {
        let value = self.value.split_whitespace().collect::<Vec<_>>().join(" ");
        format!("{}={}", self.name.to_ascii_lowercase(), value.to_lowercase())
    }
}

impl fmt::Display for DirectoryAttribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}", self.name, self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_compared_without_case_and_spaces_and_names_without_case() {
        let key = |name, value| DirectoryAttribute::new(name, value).unwrap().key();
        assert_eq!(key("department", "Sales"), "department=sales");
        for (name, value) in [("Department", "SALES"), (" department ", " sales\u{a0} ")] {
            assert_eq!(key(name, value), key("department", "Sales"), "{name} {value:?}");
        }
        assert_eq!(key("l", "Bad  Öls"), key("l", "bad ÖLS"));
        assert_ne!(key("department", "Sales"), key("department", "Sales 2"));
        assert_ne!(key("a", "b=c"), key("a-b", "c"));
        let written = DirectoryAttribute { name: "L".to_owned(), value: " Bad  öls ".to_owned() };
        assert_eq!(written.key(), key("l", "Bad Öls"), "as a document has it");
    }

    #[test]
    fn what_no_directory_says_is_none() {
        let long = "x".repeat(ATTRIBUTE_VALUE_OCTETS_MAX + 1);
        for (name, value, fault) in [
            ("", "x", AttributeFault::Name),
            ("1a", "x", AttributeFault::Name),
            ("a b", "x", AttributeFault::Name),
            ("a=b", "x", AttributeFault::Name),
            (&long, "x", AttributeFault::Name),
            ("l", "", AttributeFault::NoValue),
            ("l", " \n ", AttributeFault::NoValue),
            ("l", "a\u{0}b", AttributeFault::Value),
            ("l", &long, AttributeFault::Value),
        ] {
            assert_eq!(DirectoryAttribute::new(name, value), Err(fault), "{name:?} {value:?}");
        }
        let longest = "x".repeat(ATTRIBUTE_VALUE_OCTETS_MAX);
        assert!(DirectoryAttribute::new("extensionAttribute1", &longest).is_ok());
    }
}
