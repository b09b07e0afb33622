//! What a managed sender matches: who a message says it is from, or who
//! signed it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::address::AddressError;
use crate::lists::Pattern;
use crate::policy::DomainPattern;

/// Stands before the domain of a signature. No address and no domain begins
/// like this, because a colon is allowed in neither.
const DKIM_MARK: &str = "dkim:";

/// Whom a managed sender matches.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SenderPattern {
    /// `ann@sender.example`, `sender.example` or `*.sender.example`: the
    /// envelope sender, or an author in the From field.
    Named(Pattern),
    /// `dkim:sender.example` or `dkim:*.sender.example`: a DKIM signature
    /// that passes, whose signing domain (`d=`, RFC 6376 section 3.5) this is.
    /// Known at end of data.
    Signed(DomainPattern),
}

impl SenderPattern {
    /// What kind of thing it is.
    pub fn kind(&self) -> SenderKind {
        match self {
            SenderPattern::Named(Pattern::Address(_)) => SenderKind::Address,
            SenderPattern::Named(Pattern::Domain(_)) => SenderKind::Domain,
            SenderPattern::Signed(_) => SenderKind::DkimDomain,
        }
    }

    /// Its comparable form: two patterns with the same one are the same, and
    /// an entry for one replaces the entry for the other.
    pub fn key(&self) -> String {
        match self {
            SenderPattern::Named(Pattern::Address(address)) => address.key().to_owned(),
            SenderPattern::Named(Pattern::Domain(_)) | SenderPattern::Signed(_) => self.to_string(),
        }
    }

    /// Whom it names among those a message says it is from; nothing for the
    /// domain of a signature.
    pub fn named(&self) -> Option<&Pattern> {
        match self {
            SenderPattern::Named(pattern) => Some(pattern),
            SenderPattern::Signed(_) => None,
        }
    }
}

impl From<Pattern> for SenderPattern {
    fn from(pattern: Pattern) -> Self {
        SenderPattern::Named(pattern)
    }
}

impl fmt::Display for SenderPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SenderPattern::Named(pattern) => pattern.fmt(f),
            SenderPattern::Signed(domain) => write!(f, "{DKIM_MARK}{domain}"),
        }
    }
}

impl FromStr for SenderPattern {
    type Err = AddressError;

    /// Reads an address, a domain, `@domain` or `*.domain`, and the domain of
    /// a signature with `dkim:` before it.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let text = text.trim();
        let mark = text.get(..DKIM_MARK.len());
        match mark.filter(|mark| mark.eq_ignore_ascii_case(DKIM_MARK)) {
            Some(mark) => {
                let domain = text.get(mark.len()..).unwrap_or_default().trim();
                domain.parse().map(SenderPattern::Signed)
            }
            None => text.parse().map(SenderPattern::Named),
        }
    }
}

impl Serialize for SenderPattern {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SenderPattern {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $slug:literal, $title:literal;)*) => {
        /// What kind of thing a managed sender matches.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum SenderKind { $($(#[$doc])* $name,)* }

        impl SenderKind {
            /// Every kind, in the order of a choice.
            pub const ALL: &'static [SenderKind] = &[$(SenderKind::$name),*];

            /// The name in files, API and command line.
            pub const fn slug(self) -> &'static str {
                match self { $(SenderKind::$name => $slug,)* }
            }

            /// What people read.
            pub const fn title(self) -> &'static str {
                match self { $(SenderKind::$name => $title,)* }
            }
        }
    };
}

kinds! {
    /// One address.
    Address = "address", "an address";
    /// A domain, or what lies below one.
    Domain = "domain", "a domain";
    /// The domain of a DKIM signature, or what lies below one.
    DkimDomain = "dkim_domain", "a DKIM domain";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_is_read_and_written_back() {
        for (text, kind, written) in [
            ("Ann@Sender.example", SenderKind::Address, "Ann@Sender.example"),
            ("@sender.example", SenderKind::Domain, "sender.example"),
            ("*.Sender.example", SenderKind::Domain, "*.sender.example"),
            ("dkim:Sender.example", SenderKind::DkimDomain, "dkim:sender.example"),
            (" DKIM: *.sender.example ", SenderKind::DkimDomain, "dkim:*.sender.example"),
            // A quoted local part can have a colon, and is an address still.
            ("\"dkim:ann\"@sender.example", SenderKind::Address, "\"dkim:ann\"@sender.example"),
        ] {
            let pattern: SenderPattern = text.parse().unwrap();
            assert_eq!((pattern.kind(), pattern.to_string().as_str()), (kind, written), "{text}");
            assert_eq!(written.parse::<SenderPattern>().unwrap(), pattern);
        }
        for wrong in ["dkim:", "dkim:ann@sender.example", "dkim:a b", "dkim:dkim:x.example"] {
            assert!(wrong.parse::<SenderPattern>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_domain_of_a_signature_is_another_pattern_than_the_domain_of_a_sender() {
        let key = |text: &str| text.parse::<SenderPattern>().unwrap().key();
        assert_eq!(key("Ann@Sender.example"), "ann@sender.example");
        assert_ne!(key("sender.example"), key("dkim:sender.example"));
        assert_eq!(key("dkim:SENDER.example"), key("DKIM:sender.example"));
    }
}
