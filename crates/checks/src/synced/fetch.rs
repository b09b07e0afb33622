//! Reads a whole directory from the first of its servers that can be read.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use types::Domain;
use world::Clock;
use world::ldap::{LdapDial, LdapDone, LdapError, LdapSearch, LdapSession, LdapUrl, Scope};

use super::SyncSettings;
use super::groups::{self, Flat, GroupSettings};
use super::people::{People, UID};
use super::reading::{ACCOUNT_CONTROL, LeftOut, RECIPIENT_TYPE, Reading};

/// How long reading the people of one server may take in all.
const TIME_MAX: Duration = Duration::from_secs(30 * 60);
/// The same for its groups, which come after them: however slow they are, the
/// people are known.
const GROUPS_TIME_MAX: Duration = Duration::from_secs(30 * 60);

/// What a server has.
pub(super) struct Fetched {
    /// Addresses in comparable form, by the domains that ask it.
    pub(super) people: HashMap<Domain, HashSet<Box<str>>>,
    pub(super) left_out: LeftOut,
    pub(super) done: LdapDone,
    /// Its groups, if they are read, or why they cannot be had.
    pub(super) groups: Option<Result<Flat, String>>,
}

/// Why it was not read from one server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unread {
    /// The server could not be read.
    #[error(transparent)]
    Ldap(#[from] LdapError),
    /// It took too long in all.
    #[error("reading {at} took longer than {} minutes", TIME_MAX.as_secs() / 60)]
    TooLong {
        /// Which server.
        at: String,
    },
}

/// Fetches everything. Whatever is wrong with a server, the next one is read,
/// from the beginning: two halves are no whole.
///
/// # Errors
/// What was wrong with each.
pub(super) async fn fetch(
    dial: &dyn LdapDial,
    clock: &dyn Clock,
    settings: &SyncSettings,
) -> Result<Fetched, Vec<Unread>> {
    let mut unread = Vec::new();
    for url in &settings.server.urls {
        let read = tokio::select! {
            biased;
            read = read(dial, settings, url) => read.map_err(Unread::from),
            () = clock.sleep(TIME_MAX) => Err(Unread::TooLong { at: url.to_string() }),
        };
        match read {
            Ok((mut fetched, session, names)) => {
                fetched.groups = groups_of(clock, settings, session, names).await;
                return Ok(fetched);
            }
            Err(error) => unread.push(error),
        }
    }
    Err(unread)
}

/// Reads the groups, if they are wanted, or why they cannot be had.
async fn groups_of(
    clock: &dyn Clock,
    settings: &SyncSettings,
    mut session: Box<dyn LdapSession>,
    names: Option<People>,
) -> Option<Result<Flat, String>> {
    let (wanted, names) = settings.groups.as_ref().zip(names)?;
    Some(tokio::select! {
        biased;
        read = groups::fetch(&mut *session, wanted, settings.page_size, &names) => read,
        () = clock.sleep(GROUPS_TIME_MAX) => {
            Err(format!("reading the groups took longer than {} minutes", GROUPS_TIME_MAX.as_secs() / 60))
        }
    })
}

/// Reads the people of one server, and who is called how if groups are read.
/// The session is still open.
async fn read(
    dial: &dyn LdapDial,
    settings: &SyncSettings,
    url: &LdapUrl,
) -> Result<(Fetched, Box<dyn LdapSession>, Option<People>), LdapError> {
    let mut session = dial.open(&settings.server, url).await?;
    let mut attributes = settings.attributes.clone();
    attributes.extend([ACCOUNT_CONTROL.to_owned(), RECIPIENT_TYPE.to_owned()]);
    if settings.groups.as_ref().is_some_and(GroupSettings::by_uid) {
        attributes.push(UID.to_owned());
    }
    let search = LdapSearch {
        base: &settings.base,
        scope: Scope::Whole,
        filter: &settings.filter,
        attributes: &attributes,
        page_size: settings.page_size,
        entries_max: settings.entries_max,
    };
    let mut reading = Reading::new(settings);
    let done = session.search(&search, &mut |entry| reading.entry(&entry)).await?;
    let Reading { people, left_out, too_much, names, .. } = reading;
    if let Some((what, max)) = too_much {
        return Err(LdapError::TooMuch { at: url.to_string(), what, max });
    }
    Ok((Fetched { people, left_out, done, groups: None }, session, names))
}
