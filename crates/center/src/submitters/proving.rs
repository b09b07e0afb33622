//! Whether a name and a password are right.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use store::state::StoredSubmitter;
use types::{Submitter, host_key};

use super::Submitters;
use crate::CenterError;
use crate::accounts::{Busy, Tries, comparable};

/// How often the use of a submitter is noted.
const NOTED_EVERY: Duration = Duration::from_secs(5 * 60);

/// Why nobody may send. To the client all but [`Wrong`](Self::Wrong) are the
/// same, and that is the same for whatever is wrong.
#[derive(Debug, thiserror::Error)]
pub enum SubmitRefusal {
    /// No such pair, or one that is closed, or not from there.
    #[error("{}", .0.text())]
    Wrong(Wrong),
    /// Too many were wrong before.
    #[error("too many wrong passwords, the next is looked at in {} s", .0.as_secs().max(1))]
    Wait(Duration),
    /// Too many at once.
    #[error("too many passwords are being checked")]
    Busy,
    /// Our failure.
    #[error(transparent)]
    Failed(#[from] CenterError),
}

/// What is wrong, for the operator's log alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// Nobody is called so. The name is not kept: people type their password
    /// where the name belongs.
    Name,
    /// The password of this submitter is another one.
    Password(String),
    /// This submitter is closed.
    Disabled(String),
    /// This submitter comes from elsewhere.
    Network(String),
}

impl Wrong {
    fn text(&self) -> String {
        match self {
            Wrong::Name => "no submitter has that name".to_owned(),
            Wrong::Password(name) => format!("the password of {name} is another one"),
            Wrong::Disabled(name) => format!("{name} is disabled"),
            Wrong::Network(name) => format!("{name} may not come from there"),
        }
    }
}

impl Submitters {
    /// Whether this is the name and password of a submitter that may come
    /// from there. Blocks for tens of milliseconds of processor time.
    ///
    /// # Errors
    ///
    /// See [`SubmitRefusal`].
    pub fn prove(
        &self,
        name: &str,
        password: &str,
        from: IpAddr,
    ) -> Result<Submitter, SubmitRefusal> {
        let (name, now) = (comparable(name), self.parts.clock.now());
        let found = self.parts.state.submitter(&name).map_err(CenterError::from)?;
        let found = found.map(|one| self.uses.with(one));
        // Where it last was right it is kept out neither by strangers who guess
        // its name nor by neighbours who are wrong about theirs.
        let at_home = |one: &StoredSubmitter| {
            one.last_used.is_some_and(|(_, at)| host_key(at) == host_key(from))
        };
        let (counted, address) = match found.as_ref().is_some_and(at_home) {
            true => (format!("{name}\n{}", host_key(from)), None),
            false => (name.clone(), Some(from)),
        };
        self.tries().begin(&counted, address, now).map_err(SubmitRefusal::Wait)?;
        let stored = found.as_ref().map(|one| one.password.as_str());
        let is_right = self.hasher.is_right(password, stored).inspect_err(|_: &Busy| {
            // It was not looked at, so it was not wrong.
            self.tries().forgive_one(&counted, address);
        });
        let is_right = is_right.map_err(|_: Busy| SubmitRefusal::Busy)?;
        let submitter = match found {
            None => return Err(SubmitRefusal::Wrong(Wrong::Name)),
            Some(one) if !is_right => return Err(SubmitRefusal::Wrong(Wrong::Password(one.name))),
            Some(one) => allowed(one, from).map_err(SubmitRefusal::Wrong)?,
        };
        // At home: what strangers guessed meanwhile still counts against them.
        self.tries().forgive(&counted, address);
        let is_noted = |(at, from_before)| {
            now.since(at) < NOTED_EVERY && host_key(from_before) == host_key(from)
        };
        if !submitter.last_used.is_some_and(is_noted) {
            self.uses.note(&name, now, from);
        }
        Ok(as_sender(submitter))
    }

    /// What a submitter that has proved itself may send as now; nothing if it
    /// is closed or gone, has another password, or may not come from there
    /// any more.
    ///
    /// # Errors
    ///
    /// The store fails.
    pub fn as_it_is_now(
        &self,
        before: &Submitter,
        from: IpAddr,
    ) -> Result<Option<Submitter>, CenterError> {
        let found = self.parts.state.submitter(&before.name)?;
        let now = found.and_then(|one| allowed(one, from).ok()).map(as_sender);
        Ok(now.filter(|now| now.proof == before.proof))
    }

    fn tries(&self) -> MutexGuard<'_, Tries> {
        self.tries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn allowed(one: StoredSubmitter, from: IpAddr) -> Result<StoredSubmitter, Wrong> {
    let from = from.to_canonical();
    if one.disabled {
        return Err(Wrong::Disabled(one.name));
    }
    match one.networks.is_empty() || one.networks.iter().any(|net| net.contains(&from)) {
        true => Ok(one),
        false => Err(Wrong::Network(one.name)),
    }
}

fn as_sender(one: StoredSubmitter) -> Submitter {
    let mut proof = DefaultHasher::new();
    (&one.password, one.created).hash(&mut proof);
    Submitter { name: Arc::from(one.name), senders: one.senders, proof: proof.finish() }
}
