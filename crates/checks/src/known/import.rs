//! What a list of recipients changes, worked out before anything is changed.

use std::collections::BTreeSet;
use std::sync::Arc;

use types::{EmailAddress, RecipientsChange};

use super::book::Book;
use super::{KnownLimits, TooManyRecipients};

/// A list, beside what is known.
pub(super) struct Import<'a> {
    /// Who is named and was not imported.
    pub(super) new: Vec<&'a str>,
    /// Who was imported of the domain and is not named.
    pub(super) gone: Vec<Arc<str>>,
    before: usize,
}

impl<'a> Import<'a> {
    /// The list as it changes this book.
    pub(super) fn into(
        book: &Book,
        addresses: &'a [EmailAddress],
        in_place_of: Option<&str>,
        limits: KnownLimits,
    ) -> Result<Import<'a>, TooManyRecipients> {
        let named: BTreeSet<&str> = addresses.iter().map(EmailAddress::key).collect();
        let shelf = in_place_of.and_then(|domain| book.shelves.get(domain));
        let before = shelf.map_or(0, |shelf| shelf.imported);
        let gone: Vec<Arc<str>> = shelf
            .into_iter()
            .flat_map(|shelf| &shelf.entries)
            .filter(|(address, entry)| entry.imported && !named.contains(&***address))
            .map(|(address, _)| address.clone())
            .collect();
        let new: Vec<&str> =
            named.into_iter().filter(|address| !book.entry(address).imported).collect();
        let imported = book.imported();
        if new.len() > gone.len() && imported + new.len() - gone.len() > limits.max {
            return Err(TooManyRecipients { max: limits.max });
        }
        Ok(Import { new, gone, before })
    }

    pub(super) fn change(&self) -> RecipientsChange {
        let Import { new, gone, before } = self;
        RecipientsChange { added: new.len(), removed: gone.len(), before: *before }
    }
}
