//! The policy set that is asked about, made from the one in force without
//! storing anything: the store says what a change would come to, and that is
//! laid over the set.

use policy::{Document, PolicyObjects, PolicySet};
use store::state::{Changed, Difference, Edit, Object, ObjectKey, Plan};
use types::{Caller, Timestamp};

use super::ReplayChange;
use crate::input::sender_problem;
use crate::policies::{objects, refuse, sender_change};
use crate::versions::{stored_document, unreadable};
use crate::{Center, CenterError, VersionDifference};

/// What was changed, and the set it makes.
pub(crate) struct ChangedSet {
    /// In words, for the report.
    pub(crate) what: String,
    /// Nothing if nothing is changed.
    pub(crate) set: Option<PolicySet>,
    /// What would differ.
    pub(crate) differences: Vec<VersionDifference>,
}

impl Center {
    /// The set that a change would make.
    pub(crate) fn changed_set(
        &self,
        caller: &Caller,
        live: &PolicySet,
        change: &ReplayChange,
    ) -> Result<ChangedSet, CenterError> {
        let Some((what, plan)) = self.planned(change)? else {
            let what = "nothing".to_owned();
            return Ok(ChangedSet { what, set: None, differences: Vec::new() });
        };
        let who = self.author(caller, None, "");
        let changed = self.parts.policies.plan(&who, plan)?;
        let set = Some(self.overlaid(live, &changed)?);
        let differences = changed.differences.into_iter().map(VersionDifference::from).collect();
        Ok(ChangedSet { what, set, differences })
    }

    /// The change as the store makes it, once it is known to be allowed.
    fn planned(&self, change: &ReplayChange) -> Result<Option<(String, Plan)>, CenterError> {
        let (what, edit) = match change {
            ReplayChange::Nothing => return Ok(None),
            ReplayChange::Policy(policy) => {
                let what = match policy.id {
                    Some(id) => format!("policy {id} changed"),
                    None => "a policy added".to_owned(),
                };
                (what, Edit::Put(Object::Policy(policy.as_ref().clone())))
            }
            ReplayChange::RemovePolicy(id) => {
                (format!("policy {id} removed"), Edit::Remove(ObjectKey::Policy(*id)))
            }
            ReplayChange::Sender(entry) => {
                let base = self.parts.activator.base();
                if let Some(problem) = sender_problem(entry, &base, self.parts.clock.now()) {
                    return Err(CenterError::invalid(problem));
                }
                refuse(self.sender_problems(vec![entry.as_ref().clone()]), None)?;
                let (action, sender) = (entry.action.slug(), &entry.sender);
                let what = format!("{action} {sender} for {}", entry.recipient);
                (what, Edit::Put(Object::Sender(entry.as_ref().clone())))
            }
            ReplayChange::Definition(definition) => {
                let what = format!("definition {:?} changed", definition.name);
                (what, Edit::Put(Object::Definition(definition.as_ref().clone())))
            }
            ReplayChange::Document(text) => {
                let document = Document::parse(text).map_err(unreadable)?;
                self.checked(&document, text)?;
                let plan = Plan::Import(stored_document(document));
                return Ok(Some(("the document imported".to_owned(), plan)));
            }
            ReplayChange::Version(number) => {
                let what = format!("back to version {number}");
                return Ok(Some((what, Plan::RollBack(*number))));
            }
        };
        self.check_edits(std::slice::from_ref(&edit))?;
        Ok(Some((what, Plan::Edits(vec![edit]))))
    }

    /// The set in force with what would differ. What of the stored objects
    /// does not fit the settings is left out, as it is in the set in force.
    fn overlaid(&self, live: &PolicySet, changed: &Changed) -> Result<PolicySet, CenterError> {
        let content = self.parts.policies.read(&mut |_| {})?;
        let mut laid = objects(&content);
        for difference in &changed.differences {
            lay(&mut laid, difference, changed.version, self.parts.clock.now());
        }
        let senders: Vec<_> = changed.differences.iter().filter_map(sender_change).collect();
        let (set, _) = live.with_fitting(changed.version, laid);
        set.with_senders(changed.version, &senders)
            .map_err(|error| CenterError::invalid(error.to_string()))
    }
}

/// Puts one object as it would be in the place of the one there is.
fn lay(laid: &mut PolicyObjects, difference: &Difference, version: u64, now: Timestamp) {
    match &difference.key {
        ObjectKey::Policy(id) => {
            let known = laid.policies.iter().find(|stored| stored.policy.id == Some(*id));
            let created = known.map_or(now, |known| known.created);
            laid.policies.retain(|stored| stored.policy.id != Some(*id));
            if let Some(Object::Policy(policy)) = &difference.after {
                let policy = types::Policy { id: Some(*id), ..policy.clone() };
                laid.policies.push(policy::StoredPolicy { policy, version, created });
            }
        }
        ObjectKey::Group(name) => {
            laid.groups.retain(|group| group.name != *name);
            if let Some(Object::Group(group)) = &difference.after {
                laid.groups.push(group.clone());
            }
        }
        ObjectKey::Definition(name) => {
            laid.definitions.retain(|definition| definition.name != *name);
            if let Some(Object::Definition(definition)) = &difference.after {
                laid.definitions.push(definition.clone());
            }
        }
        ObjectKey::Sender(_) => {}
    }
}
