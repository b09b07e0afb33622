//! A directory server of values.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::BoxFuture;
use crate::ldap::{
    LdapDial, LdapDone, LdapEntry, LdapError, LdapSearch, LdapServer, LdapSession, LdapUrl, Scope,
    TakeEntry,
};

/// Answers each filter with the entries that were set for it, and a search
/// for one entry with that of the name.
#[derive(Default)]
pub struct SimulatedLdap {
    answers: Mutex<Answers>,
}

/// How a server fails that takes us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LdapFault {
    /// Its searches break after so many entries, if there are more.
    BreaksAfter(usize),
    /// It does not answer a search.
    Silent,
    /// Its connections break at searches with this filter.
    BreaksAbout(&'static str),
    /// It does not answer searches with this filter.
    SilentAbout(&'static str),
}

#[derive(Clone, Default)]
struct Answers {
    entries: HashMap<String, Vec<LdapEntry>>,
    failing: Option<LdapError>,
    /// By the address of the server.
    faults: HashMap<String, LdapFault>,
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

    /// Has the server at this address fail so, or not any more.
    pub fn fault(&self, url: &str, fault: Option<LdapFault>) {
        self.change(|answers| match fault {
            Some(fault) => drop(answers.faults.insert(url.to_owned(), fault)),
            None => drop(answers.faults.remove(url)),
        });
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
        url: &'a LdapUrl,
    ) -> BoxFuture<'a, Result<Box<dyn LdapSession>, LdapError>> {
        self.change(|answers| answers.opened += 1);
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let at = url.to_string();
        Box::pin(async move {
            match &answers.failing {
                Some(error) => Err(error.clone()),
                None => Ok(Box::new(Opened { answers, at }) as Box<dyn LdapSession>),
            }
        })
    }
}

/// A connection to the server at an address.
struct Opened {
    answers: Answers,
    at: String,
}

impl Opened {
    fn found(&self, search: &LdapSearch<'_>) -> Vec<LdapEntry> {
        let entries = &self.answers.entries;
        match search.scope {
            Scope::Whole => entries.get(search.filter.as_str()).cloned().unwrap_or_default(),
            Scope::Base => {
                let all = entries.values().flatten();
                all.filter(|entry| entry.name == search.base).take(1).cloned().collect()
            }
        }
    }
}

impl LdapSession for Opened {
    fn search<'a>(
        &'a mut self,
        search: &'a LdapSearch<'a>,
        take: TakeEntry<'a>,
    ) -> BoxFuture<'a, Result<LdapDone, LdapError>> {
        let (found, fault) = (self.found(search), self.answers.faults.get(&self.at).copied());
        let (at, max, entries) = (self.at.clone(), search.entries_max, found.len());
        let breaks = match fault {
            Some(LdapFault::Silent) => return Box::pin(std::future::pending()),
            Some(LdapFault::SilentAbout(filter)) if filter == search.filter.as_str() => {
                return Box::pin(std::future::pending());
            }
            Some(LdapFault::BreaksAfter(after)) if after < entries => Some(after),
            Some(LdapFault::BreaksAbout(filter)) if filter == search.filter.as_str() => Some(0),
            _ => None,
        };
        found.into_iter().take(breaks.unwrap_or(max)).for_each(take);
        let done = match breaks {
            Some(_) => Err(LdapError::Broken { at, why: "it ended early".to_owned() }),
            None if entries > max => Err(LdapError::TooMuch { at, what: "entries", max }),
            None => Ok(LdapDone { entries, pages: 1, referrals: 0 }),
        };
        Box::pin(async move { done })
    }
}
