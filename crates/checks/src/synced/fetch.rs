//! Reads a whole directory from the first of its servers that can be read.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use types::{Domain, GroupsLeftOut};
use world::Clock;
use world::ldap::{LdapDial, LdapDone, LdapError, LdapSearch, LdapSession, LdapUrl, Scope};

use super::SyncSettings;
use super::groups::{self, Flat, NoGroups};
use super::people::{People, UID};
use super::reading::{ACCOUNT_CONTROL, LeftOut, RECIPIENT_TYPE, Reading};
use super::sid::{OBJECT_SID, PRIMARY_GROUP};
use super::values::Values;

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
/// from the beginning: two halves are no whole. Where no server gives the
/// groups, the people of the first that was read are taken all the same.
///
/// # Errors
/// What was wrong with each.
pub(super) async fn fetch(
    dial: &dyn LdapDial,
    clock: &dyn Clock,
    settings: &SyncSettings,
) -> Result<Fetched, Vec<Unread>> {
    let mut unread = Vec::new();
    let mut without_groups: Option<Fetched> = None;
    let mut no_groups: Vec<String> = Vec::new();
    for url in &settings.server.urls {
        let read = tokio::select! {
            biased;
            read = read(dial, settings, url) => read.map_err(Unread::from),
            () = clock.sleep(TIME_MAX) => Err(Unread::TooLong { at: url.to_string() }),
        };
        let people = match read {
            Ok(people) => people,
            Err(error) => {
                no_groups.push(error.to_string());
                unread.push(error);
                continue;
            }
        };
        let (mut fetched, found) = groups_of(clock, settings, people).await;
        match found {
            Some(Err(error)) if error.is_of_server() => {
                no_groups.push(error.to_string());
                without_groups.get_or_insert(fetched);
            }
            found => {
                fetched.groups = found.map(|found| found.map_err(|error| error.to_string()));
                return Ok(fetched);
            }
        }
    }
    match without_groups {
        Some(fetched) => Ok(Fetched { groups: Some(Err(no_groups.join("; "))), ..fetched }),
        None => Err(unread),
    }
}

/// Reads what policies name, if that is wanted, or says why it cannot be had.
async fn groups_of(
    clock: &dyn Clock,
    settings: &SyncSettings,
    Opened { fetched, mut session, names, values }: Opened,
) -> (Fetched, Option<Result<Flat, NoGroups>>) {
    if !settings.feeds_policies() {
        return (fetched, None);
    }
    let flat = match settings.groups.as_ref().zip(names) {
        None => Ok(Flat::default()),
        Some((wanted, names)) => tokio::select! {
            biased;
            read = groups::fetch(&mut *session, wanted, settings.page_size, &names) => read,
            () = clock.sleep(GROUPS_TIME_MAX) => Err(NoGroups::TooLong(GROUPS_TIME_MAX)),
        },
    };
    let flat = flat.and_then(|flat| match values.map(Values::finish).transpose()? {
        None => Ok(flat),
        Some((values, unusable)) => {
            let left_out = GroupsLeftOut { values_unusable: unusable, ..flat.left_out };
            Ok(Flat { values, left_out, ..flat })
        }
    });
    (fetched, Some(flat))
}

/// A server whose people were read. The session is still open.
struct Opened {
    fetched: Fetched,
    session: Box<dyn LdapSession>,
    /// Who is called how, if groups are read.
    names: Option<People>,
    /// Who has which value, if attributes are.
    values: Option<Values>,
}

/// Reads the people of one server.
async fn read(
    dial: &dyn LdapDial,
    settings: &SyncSettings,
    url: &LdapUrl,
) -> Result<Opened, LdapError> {
    let mut session = dial.open(&settings.server, url).await?;
    let attributes = attributes(settings);
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
    let Reading { people, left_out, too_much, names, values, .. } = reading;
    if let Some((what, max)) = too_much {
        return Err(LdapError::TooMuch { at: url.to_string(), what, max });
    }
    let fetched = Fetched { people, left_out, done, groups: None };
    Ok(Opened { fetched, session, names, values })
}

/// What is asked of people.
fn attributes(settings: &SyncSettings) -> Vec<String> {
    let mut all = settings.attributes.clone();
    all.extend([ACCOUNT_CONTROL, RECIPIENT_TYPE].map(str::to_owned));
    if let Some(groups) = &settings.groups {
        all.extend([PRIMARY_GROUP, OBJECT_SID].map(str::to_owned));
        all.extend(groups.by_uid().then(|| UID.to_owned()));
    }
    for name in &settings.policy_attributes {
        // One that is named twice is refused by some servers (RFC 4511 section 4.5.1.8).
        if !all.iter().any(|other| other.eq_ignore_ascii_case(name)) {
            all.push(name.clone());
        }
    }
    all
}
