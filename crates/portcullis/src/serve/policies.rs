//! The policy set in force: read from the store, compiled, swapped.
//!
//! A change is compiled off the hot path and takes effect with one pointer.
//! What is stored was checked before; an object that does not fit the settings
//! any more is left out and told to the log, and the others are in force.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use center::{Activation, PolicyActivator};
use policy::{Document, PolicyObjects, PolicySet};
use store::state::{Authorship, PolicyDocument, PolicyState};
use types::policy::BasePolicies;
use types::{Actor, Timestamp};

use crate::telemetry::{Log, Message};

/// Who applies the defaults and the policy file, as the history shows it.
const AUTHOR: &str = "settings";

/// The policy set in force and the way to the next one.
pub(crate) struct Policies {
    state: Arc<dyn PolicyState>,
    log: Arc<Log>,
    base: ArcSwap<BasePolicies>,
    in_force: Arc<ArcSwap<PolicySet>>,
    /// One change at a time: a set compiled from older objects must not take
    /// the place of a newer one.
    change: Mutex<()>,
}

impl Policies {
    /// Reads and compiles the stored set. A new installation gets the
    /// defaults first.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(super) fn open(
        state: Arc<dyn PolicyState>,
        log: Arc<Log>,
        base: BasePolicies,
        now: Timestamp,
    ) -> Result<Arc<Policies>, String> {
        if state.version().map_err(|error| error.to_string())? == 0 {
            let who = author("a new installation begins with these", now);
            state.import(&who, stored(policy::defaults())).map_err(|error| error.to_string())?;
        }
        let (set, _) = compile(&*state, &base, &log)?;
        Ok(Arc::new(Policies {
            state,
            log,
            base: ArcSwap::from_pointee(base),
            in_force: Arc::new(ArcSwap::from_pointee(set)),
            change: Mutex::new(()),
        }))
    }

    /// The set in force, for whoever decides.
    pub(super) fn shared(&self) -> Arc<ArcSwap<PolicySet>> {
        Arc::clone(&self.in_force)
    }

    /// Applies the policy file and puts the outcome into force. Gives the
    /// version if anything changed.
    ///
    /// # Errors
    /// The file cannot be read, has a mistake, or does not fit what is
    /// stored; everything stays as it was.
    pub(super) fn apply_file(&self, path: &Path, now: Timestamp) -> Result<Option<u64>, String> {
        let document = read_document(path)?;
        let Some(version) = self.store_file(path, document, now)? else { return Ok(None) };
        self.activate(version, Activation::Everything)?;
        Ok(Some(version))
    }

    /// Puts new settings into force below the stored policies, and in the same
    /// moment what the policy file of these settings says, if there is one. What
    /// they need is put there by `first`, once nothing can fail any more; it
    /// must make no version, which would wait for this. Gives the version that
    /// the file made, if it made one.
    ///
    /// # Errors
    /// The file cannot be read or has a mistake, or the store fails; what was
    /// in force stays in force, and `first` is not called.
    pub(super) fn rebase(
        &self,
        base: BasePolicies,
        (file, now): (Option<&Path>, Timestamp),
        first: impl FnOnce(),
    ) -> Result<Option<u64>, String> {
        let document =
            file.map(|path| Ok::<_, String>((path, read_document(path)?))).transpose()?;
        let _one = self.change.lock().unwrap_or_else(PoisonError::into_inner);
        let applied = match document {
            Some((path, document)) => self.store_file(path, document, now)?,
            None => None,
        };
        let (set, _) =
            compile(&*self.state, &base, &self.log).map_err(|problem| match applied {
                // It was stored, and a refusal must not hide that.
                Some(version) => format!(
                    "{problem}; the policy file is stored as version {version}, which comes into \
                     force with the next reload or change"
                ),
                None => problem,
            })?;
        first();
        self.base.store(Arc::new(base));
        self.in_force.store(Arc::new(set));
        Ok(applied)
    }

    /// Stores what the policy file says, and puts nothing into force. Gives the
    /// version if anything changed.
    fn store_file(
        &self,
        path: &Path,
        document: Document,
        now: Timestamp,
    ) -> Result<Option<u64>, String> {
        let before = self.state.version().map_err(|error| error.to_string())?;
        let who = author(&format!("applied {}", path.display()), now);
        let changed =
            self.state.apply_file(&who, stored(document)).map_err(|error| error.to_string())?;
        Ok((changed.version != before).then_some(changed.version))
    }
}

impl PolicyActivator for Policies {
    fn base(&self) -> BasePolicies {
        BasePolicies::clone(&self.base.load())
    }

    fn in_force(&self) -> Arc<PolicySet> {
        self.in_force.load_full()
    }

    fn activate(&self, version: u64, change: Activation) -> Result<Vec<String>, String> {
        let _one = self.change.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.in_force.load();
        // Two changes can arrive in the other order; the newer stands, and
        // whoever cannot build on its predecessor reads everything.
        if now.version() >= version {
            return Ok(Vec::new());
        }
        let (next, left_out) = match change {
            Activation::Senders(changes) if now.version() + 1 == version => {
                let next = now.with_senders(version, &changes);
                (next.map_err(|error| error.to_string())?, Vec::new())
            }
            _ => compile(&*self.state, &self.base.load(), &self.log)?,
        };
        self.in_force.store(Arc::new(next));
        Ok(left_out)
    }
}

/// Reads a policy document; problems name the file and the line.
pub(super) fn read_document(path: &Path) -> Result<Document, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    Document::parse(&text)
        .map_err(|error| format!("{}:{}: {}", path.display(), error.line, error.message))
}

/// Compiles what is stored, as far as it fits these settings; the rest is told
/// to the log and given.
fn compile(
    state: &dyn PolicyState,
    base: &BasePolicies,
    log: &Log,
) -> Result<(PolicySet, Vec<String>), String> {
    let mut managed_senders = Vec::new();
    let content = state
        .read(&mut |stored| managed_senders.push(stored.sender))
        .map_err(|error| error.to_string())?;
    let policies = content.policies.into_iter().map(|stored| policy::StoredPolicy {
        policy: stored.policy,
        version: stored.provenance.version,
        created: stored.provenance.created,
    });
    let objects = PolicyObjects {
        policies: policies.collect(),
        groups: content.groups.into_iter().map(|stored| stored.group).collect(),
        definitions: content.definitions.into_iter().map(|stored| stored.definition).collect(),
        managed_senders,
    };
    let (set, left_out) = PolicySet::compile_fitting(content.version, objects, base);
    let left_out: Vec<String> = left_out.iter().map(ToString::to_string).collect();
    for problem in &left_out {
        log.say(&Message::ObjectLeftOut { problem: problem.clone() });
    }
    Ok((set, left_out))
}

fn stored(document: Document) -> PolicyDocument {
    PolicyDocument {
        policies: document.policies,
        groups: document.groups,
        definitions: document.definitions,
        senders: document.managed_senders,
    }
}

fn author(note: &str, at: Timestamp) -> Authorship {
    Authorship { actor: Actor::machine(AUTHOR), note: note.to_owned(), at, expected: None }
}
