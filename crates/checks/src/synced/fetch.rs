//! Reads a whole directory from its server.

use world::ldap::{LdapDial, LdapDone, LdapError, LdapSearch, Scope};

use super::SyncSettings;
use super::reading::{ACCOUNT_CONTROL, LeftOut, RECIPIENT_TYPE, Reading};

/// What a server has.
pub(super) struct Fetched {
    /// Addresses in comparable form, sorted, each once.
    pub(super) addresses: Vec<Box<str>>,
    pub(super) left_out: LeftOut,
    pub(super) done: LdapDone,
}

/// Fetches everything.
///
/// # Errors
/// Some of it could not be fetched, so none is given.
pub(super) async fn fetch(
    dial: &dyn LdapDial,
    settings: &SyncSettings,
) -> Result<Fetched, LdapError> {
    let mut session = dial.open(&settings.server).await?;
    let mut attributes = settings.attributes.clone();
    attributes.extend([ACCOUNT_CONTROL.to_owned(), RECIPIENT_TYPE.to_owned()]);
    let search = LdapSearch {
        base: &settings.base,
        scope: Scope::Whole,
        filter: &settings.filter,
        attributes: &attributes,
        page_size: settings.page_size,
        entries_max: settings.entries_max,
    };
    let mut reading = Reading { settings, addresses: Vec::new(), left_out: LeftOut::default() };
    let done = session.search(&search, &mut |entry| reading.entry(&entry)).await?;
    let Reading { mut addresses, left_out, .. } = reading;
    addresses.sort_unstable();
    addresses.dedup();
    Ok(Fetched { addresses, left_out, done })
}
