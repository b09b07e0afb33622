//! A directory server of values.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::BoxFuture;
use crate::ldap::{
    LdapDial, LdapDone, LdapEntry, LdapError, LdapSearch, LdapServer, LdapSession, Scope, TakeEntry,
};

/// Answers each filter with the entries that were set for it, and a search
/// for one entry with that of the name.
#[derive(Default)]
pub struct SimulatedLdap {
    answers: std::sync::Arc<Mutex<Answers>>,
}

#[derive(Clone, Default)]
struct Answers {
    entries: HashMap<String, Vec<LdapEntry>>,
    failing: Option<LdapError>,
    /// Entries after which a search breaks.
    breaks_after: Option<usize>,
    opened: usize,
}

impl SimulatedLdap {
    /// One in which nobody is.
    pub fn new() -> Self {
        SimulatedLdap::default()
    }

    fn change(&self, change: impl FnOnce(&mut Answers)) {
        change(&mut self.answers.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Answers this filter with these entries.
    pub fn set(&self, filter: &str, entries: Vec<LdapEntry>) {
        self.change(|answers| drop(answers.entries.insert(filter.to_owned(), entries)));
    }

    /// Takes no connection, for this reason, or takes them again.
    pub fn fail(&self, error: Option<LdapError>) {
        self.change(|answers| answers.failing = error);
    }

    /// Breaks every search after so many entries, or none.
    pub fn break_after(&self, entries: Option<usize>) {
        self.change(|answers| answers.breaks_after = entries);
    }

    /// How often somebody wanted a connection.
    pub fn opened(&self) -> usize {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).opened
    }
}

impl LdapDial for SimulatedLdap {
    fn open<'a>(
        &'a self,
        _: &'a LdapServer,
    ) -> BoxFuture<'a, Result<Box<dyn LdapSession>, LdapError>> {
        self.change(|answers| answers.opened += 1);
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Box::pin(async move {
            match &answers.failing {
                Some(error) => Err(error.clone()),
                None => Ok(Box::new(answers) as Box<dyn LdapSession>),
            }
        })
    }
}

impl LdapSession for Answers {
    fn search<'a>(
        &'a mut self,
        search: &'a LdapSearch<'a>,
        take: TakeEntry<'a>,
    ) -> BoxFuture<'a, Result<LdapDone, LdapError>> {
        let at = || "ldap://simulated".to_owned();
        let found: Vec<LdapEntry> = match search.scope {
            Scope::Whole => self.entries.get(search.filter.as_str()).cloned().unwrap_or_default(),
            Scope::Base => {
                let all = self.entries.values().flatten();
                all.filter(|entry| entry.name == search.base).take(1).cloned().collect()
            }
        };
        let (max, entries) = (search.entries_max, found.len());
        let breaks = self.breaks_after.filter(|after| *after < entries);
        found.into_iter().take(breaks.unwrap_or(max)).for_each(take);
        let done = match breaks {
            Some(_) => Err(LdapError::Broken { at: at(), why: "it ended early".to_owned() }),
            None if entries > max => Err(LdapError::TooMuch { at: at(), what: "entries", max }),
            None => Ok(LdapDone { entries, pages: 1, referrals: 0 }),
        };
        Box::pin(async move { done })
    }
}
