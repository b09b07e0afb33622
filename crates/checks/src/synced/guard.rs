//! Whether an answer can be meant: a server that is half restored, or a wrong
//! filter, answers with fewer people and no error, and everybody who is missing
//! would be refused for good.

use std::fmt;

use types::Domain;

use super::snapshot::Content;
use super::{SyncSettings, is_of};

/// What speaks against an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It names nobody of a domain.
    Nobody(Domain),
    /// It names far fewer than before.
    Shrunk {
        /// Recipients before.
        was: usize,
        /// Recipients of then that are gone.
        gone: usize,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Nobody(domain) => write!(f, "the answer names nobody of {domain}")?,
            Refusal::Shrunk { was, gone } => {
                write!(f, "{gone} of {was} recipients are gone in the answer")?;
            }
        }
        f.write_str(", which is taken for a mistake until somebody accepts it")
    }
}

/// What speaks against taking this content in the place of the old.
pub(super) fn look(
    old: Option<&Content>,
    new: &Content,
    settings: &SyncSettings,
) -> Option<Refusal> {
    let has = |content: &Content, domain: &Domain| {
        content.addresses.iter().any(|address| is_of(address, domain))
    };
    // A domain that was accepted without anybody stays as it is.
    let was_empty =
        |domain: &Domain| old.is_some_and(|old| old.domains.contains(domain) && !has(old, domain));
    let nobody = settings.domains.iter().find(|domain| !has(new, domain) && !was_empty(domain));
    if let Some(domain) = nobody {
        return Some(Refusal::Nobody(domain.clone()));
    }
    let old = old?;
    let ours = |address: &str| settings.domains.iter().any(|domain| is_of(address, domain));
    let of = || old.addresses.iter().map(AsRef::as_ref).filter(|address| ours(address));
    let was = of().count();
    let gone = of().filter(|address| !new.has(address)).count();
    let may = was.saturating_mul(usize::from(settings.shrink_percent_max)) / 100;
    (gone > may && gone > 0).then_some(Refusal::Shrunk { was, gone })
}
