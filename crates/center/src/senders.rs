//! Keeping managed senders: what a recipient permits and blocks. There may be
//! a million of them, so lists are pages, and files ([`file`]) are streams.

pub(crate) mod file;
mod standing;
#[cfg(test)]
mod tests;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use store::state::{Edit, Hits, Object, ObjectKey, Provenance, SenderQuery, StoredSender};
use types::lists::{ManagedSender, SenderAction, SenderKind};
use types::{Caller, ForwardPath, Permission, PolicyId, Sight};

use crate::input::sender_problem;
use crate::letting::known_late;
use crate::sight::permit_recipient;
use crate::{Center, CenterError, ChangeResult, permit};

/// Most rows of one page.
const PAGE_ROWS_MAX: usize = 1_000;
/// Which entries are wanted; what is absent does not restrict.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SenderSearch {
    /// Sender, recipient or note contains this.
    pub text: Option<String>,
    /// In the list of this recipient.
    pub recipient: Option<String>,
    /// For exactly this address or pattern.
    pub sender: Option<String>,
    /// Only entries that do this.
    pub action: Option<SenderAction>,
    /// Only entries that match this kind of thing.
    pub kind: Option<SenderKind>,
    /// Only entries that count for authenticated mail alone; with `false`, only others.
    pub authenticated_only: Option<bool>,
    /// Only entries that have not decided for this many days, and are older.
    pub unused_days: Option<u32>,
    /// Numbers above this one: where the page before ended.
    pub after: Option<PolicyId>,
    /// Most rows; 0 for 100, at most 1,000.
    pub limit: usize,
}

/// A managed sender with what is kept beside it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct SenderRow {
    /// The entry.
    pub sender: ManagedSender,
    /// Who made it and when.
    pub provenance: Provenance,
    /// How often it decided.
    pub hits: Hits,
    /// Whether it still counts: `active`, `disabled` or `expired`.
    pub standing: String,
    /// What decides before it, whatever it says: the policy or entry, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shadowed_by: Option<String>,
    /// What it cannot do because what it looks at comes late, if so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_late: Option<String>,
}

impl Center {
    /// A page of managed senders, by number.
    ///
    /// # Errors
    ///
    /// See [`CenterError`].
    pub fn senders(
        &self,
        caller: &Caller,
        search: &SenderSearch,
    ) -> Result<Vec<SenderRow>, CenterError> {
        permit(caller, Permission::SeeSenders)?;
        let rows_max = match search.limit {
            0 => 100,
            wanted => wanted.min(PAGE_ROWS_MAX),
        };
        let query = self.sender_query(caller, search);
        let found = self.parts.policies.senders(&query, search.after, rows_max)?;
        Ok(found.into_iter().map(|stored| self.sender_row(stored)).collect())
    }

    /// One managed sender.
    ///
    /// # Errors
    ///
    /// [`CenterError::NotFound`].
    pub fn sender(&self, caller: &Caller, id: PolicyId) -> Result<SenderRow, CenterError> {
        permit(caller, Permission::SeeSenders)?;
        Ok(self.sender_row(self.seen_sender(caller, id)?))
    }

    /// An entry of a recipient whom the caller sees.
    fn seen_sender(&self, caller: &Caller, id: PolicyId) -> Result<StoredSender, CenterError> {
        let stored = self.parts.policies.sender(id)?;
        let is_seen = |stored: &StoredSender| sees(caller, &stored.sender);
        let stored = stored.filter(is_seen);
        stored.ok_or_else(|| CenterError::NotFound(format!("managed sender {id}")))
    }

    fn sender_row(&self, stored: StoredSender) -> SenderRow {
        let now = self.parts.clock.now();
        let is_over = stored.sender.valid_until.is_some_and(|until| until <= now);
        let standing = match stored.sender.action {
            SenderAction::Disabled => "disabled",
            _ if is_over => "expired",
            _ => "active",
        };
        let shadowed_by = match standing {
            "active" => self.shadowed_by(&stored.sender),
            _ => None,
        };
        SenderRow {
            known_late: known_late(&stored.sender).map(str::to_owned),
            sender: stored.sender,
            provenance: stored.provenance,
            hits: stored.hits,
            standing: standing.to_owned(),
            shadowed_by,
        }
    }

    fn sender_query(&self, caller: &Caller, search: &SenderSearch) -> SenderQuery {
        let unused = search.unused_days.map(|days| {
            self.parts.clock.now().before(Duration::from_secs(u64::from(days) * 86_400))
        });
        SenderQuery { unused_since: unused, within: caller.sight.clone(), ..query(search) }
    }

    /// Adds an entry; it replaces any other for the same pair.
    ///
    /// # Errors
    ///
    /// [`CenterError::Invalid`], for instance a permit for an own domain.
    pub fn put_sender(
        &self,
        caller: &Caller,
        sender: ManagedSender,
        note: &str,
    ) -> Result<ChangeResult, CenterError> {
        permit(caller, Permission::EditSenders)?;
        permit_recipient(caller, &ForwardPath::Address(sender.recipient.clone()))?;
        // With the number of another entry it takes that one's place.
        if let Some(id) = sender.id
            && self.parts.policies.sender(id)?.is_some()
        {
            self.seen_sender(caller, id)?;
        }
        let sender = ManagedSender {
            created_by: caller.name.to_string(),
            created: self.parts.clock.now(),
            ..sender
        };
        let base = self.parts.activator.base();
        if let Some(problem) = sender_problem(&sender, &base, self.parts.clock.now()) {
            return Err(CenterError::invalid(problem));
        }
        if let Some(problem) = self.sender_problems(vec![sender.clone()]).first() {
            return Err(CenterError::invalid(problem.wrong.to_string()));
        }
        let who = self.author(caller, None, note);
        let edit = Edit::Put(Object::Sender(sender));
        self.activated(self.parts.policies.change(&who, vec![edit])?)
    }

    /// Removes an entry by its number.
    ///
    /// # Errors
    ///
    /// [`CenterError::NotFound`].
    pub fn remove_sender(
        &self,
        caller: &Caller,
        id: PolicyId,
        note: &str,
    ) -> Result<ChangeResult, CenterError> {
        permit(caller, Permission::EditSenders)?;
        self.seen_sender(caller, id)?;
        let who = self.author(caller, None, note);
        let edit = Edit::Remove(ObjectKey::Sender(id));
        self.activated(self.parts.policies.change(&who, vec![edit])?)
    }
}

/// Whether an entry belongs to a recipient whom the caller sees.
pub(crate) fn sees(caller: &Caller, entry: &ManagedSender) -> bool {
    caller.sight.sees_address(&entry.recipient)
}

fn query(search: &SenderSearch) -> SenderQuery {
    let recipient = search.recipient.as_deref().map(|text| {
        text.parse::<types::EmailAddress>().map_or(text.to_owned(), |a| a.key().to_owned())
    });
    SenderQuery {
        recipient,
        sender: search.sender.clone(),
        text: search.text.clone(),
        action: search.action,
        kind: search.kind,
        authenticated_only: search.authenticated_only,
        unused_since: None,
        within: Sight::Everything,
    }
}
