//! What came of signing our own people's mail (DKIM, RFC 6376): which keys
//! signed it, or why none did.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The name of a key below `_domainkey` of its domain (RFC 6376 section 3.1),
/// in lower case.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(try_from = "String")]
pub struct Selector(Box<str>);

/// Longest selector in octets; with it, the name of the key stays a name for
/// every domain that people have.
const SELECTOR_OCTETS_MAX: usize = 63;

impl Selector {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Where the key of `domain` under this name is published.
    pub fn name_at(&self, domain: &str) -> String {
        format!("{self}._domainkey.{domain}")
    }
}

/// A text that is no selector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a selector is made of letters, digits and hyphens, in parts between dots, at most 63")]
pub struct SelectorError;

impl FromStr for Selector {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Self, SelectorError> {
        let is_label = |label: &str| {
            !label.is_empty()
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        };
        let fits = text.len() <= SELECTOR_OCTETS_MAX && text.split('.').all(is_label);
        if fits { Ok(Selector(text.to_ascii_lowercase().into())) } else { Err(SelectorError) }
    }
}

impl TryFrom<String> for Selector {
    type Error = SelectorError;

    fn try_from(text: String) -> Result<Self, SelectorError> {
        text.parse()
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What came of signing a message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct SigningFacts {
    /// The domain of the author, in comparable form; empty where the From
    /// field names none, or several.
    pub domain: String,
    /// The signatures of that domain which the message leaves with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signatures: Vec<OwnSignature>,
    /// Why there is no signature of ours, where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unsigned: Option<Unsigned>,
}

/// A signature of the author's domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct OwnSignature {
    /// The name of the key, `s=`.
    pub selector: Selector,
    /// The algorithm, `a=`.
    pub algorithm: String,
    /// Whether the message came with it, and it is valid.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub brought: bool,
}

macro_rules! unsigned {
    ($($(#[$doc:meta])* $name:ident = $words:literal,)*) => {
        /// Why a message is not signed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum Unsigned { $($(#[$doc])* $name,)* }

        impl Unsigned {
            /// For people: lower case, no full stop.
            pub const fn words(self) -> &'static str {
                match self { $(Unsigned::$name => $words,)* }
            }
        }
    };
}

unsigned! {
    /// There is no From field, or something in it that cannot be read.
    NoAuthor = "the From field has an author that cannot be read, or none",
    /// Two From fields, or authors of several domains.
    SeveralAuthors = "there are several From fields, or authors of several domains",
    /// A submitter that may not send as the author.
    DeniedAuthor = "the submitter may not send as the author",
    /// Nobody wants the domain's mail signed.
    NoSelector = "no selector is set for the author's domain",
    /// The domain's keys cannot be used.
    NoKey = "no key of the author's domain can be used",
    /// Programs would disagree about the fields.
    MalformedHeader = "the header has lines that are not written as fields are",
    /// The header is larger than what is looked at.
    HeaderTooLarge = "the header is too large",
    /// The library failed.
    Failed = "signing failed",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_are_labels_between_dots() {
        for (text, kept) in [("S2026", "s2026"), ("a.b-c", "a.b-c"), ("7", "7")] {
            assert_eq!(text.parse::<Selector>().unwrap().as_str(), kept);
        }
        let long = "a".repeat(64);
        for text in ["", ".", "a.", "-a", "a-", "a_b", "a/b", "..", "ä", "a b", &long] {
            assert_eq!(text.parse::<Selector>(), Err(SelectorError), "{text}");
        }
        let selector: Selector = "s2026".parse().unwrap();
        assert_eq!(selector.name_at("corp.example"), "s2026._domainkey.corp.example");
    }
}
