//! When submitters proved themselves last. It is noted in memory and written
//! down from time to time, all at once: whoever sends mail must not wait for
//! the disk, and a program that connects for each message must not cost a
//! write each.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use store::state::{StoredSubmitter, SubmitterUse};
use types::Timestamp;

use super::Submitters;
use crate::CenterError;

/// Uses that are not written down yet, by the name of the submitter; there are
/// no more than submitters.
#[derive(Default)]
pub(super) struct Uses(Mutex<HashMap<String, (Timestamp, IpAddr)>>);

impl Uses {
    fn all(&self) -> MutexGuard<'_, HashMap<String, (Timestamp, IpAddr)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn note(&self, name: &str, at: Timestamp, from: IpAddr) {
        self.all().insert(name.to_owned(), (at, from));
    }

    pub(super) fn forget(&self, name: &str) {
        self.all().remove(name);
    }

    /// The submitter with its last use, written down or not.
    pub(super) fn with(&self, one: StoredSubmitter) -> StoredSubmitter {
        let noted = self.all().get(&one.name).copied();
        let last_used = noted.into_iter().chain(one.last_used).max_by_key(|(at, _)| *at);
        StoredSubmitter { last_used, ..one }
    }
}

impl Submitters {
    /// Writes down when submitters proved themselves last.
    ///
    /// # Errors
    ///
    /// The store fails; it is tried again next time.
    pub fn keep_uses(&self) -> Result<(), CenterError> {
        let noted = self.uses.all().clone();
        if noted.is_empty() {
            return Ok(());
        }
        let used = |(name, (at, from)): (&String, &(Timestamp, IpAddr))| SubmitterUse {
            name: name.clone(),
            at: *at,
            from: *from,
        };
        let uses: Vec<SubmitterUse> = noted.iter().map(used).collect();
        self.parts.state.keep_uses(&uses)?;
        self.uses.all().retain(|name, used| noted.get(name) != Some(used));
        Ok(())
    }
}
