//! Small things that change: the policy set with its history, and a few
//! facts about this node; beside them, who may come in.
//!
//! [`PolicyState`] is the contract, [`SqliteState`] the embedded
//! implementation; [`AccountState`] and [`SqliteAccounts`] are the same for
//! accounts, [`AuditState`] and [`SqliteAudit`] for the audit log of both.
//! Policies, groups, definitions and managed senders form one versioned set:
//! every change is one new version with author, note, time and, for
//! each object, what it was and what it is. What objects mean is not known
//! here. All calls block for the database; async callers keep them off
//! their workers.

pub mod accounts;
#[cfg(test)]
mod accounts_tests;
mod alerts;
pub mod audit;
#[cfg(test)]
mod audit_tests;
mod database;
mod directories;
mod document;
mod draft;
mod history;
mod limits;
mod noted;
mod objects;
mod recipients;
mod requests;
mod rows;
#[cfg(test)]
mod sender_tests;
mod sqlite;
mod sqlite_account_changes;
mod sqlite_accounts;
mod sqlite_audit;
mod submitters;
#[cfg(test)]
mod tests;
mod transport;
mod views;

pub use accounts::{AccountChanges, AccountState};
pub use alerts::{
    AlertState, Firing, NewTelling, SqliteAlerts, StoredAlert, StoredTelling, TELLINGS_WAITING_MAX,
    TellingDone,
};
pub use audit::AuditState;
pub use objects::{
    Authorship, Changed, Difference, DirectoryEdit, Edit, HitNote, Hits, Object, ObjectKey, Origin,
    Plan, PolicyDocument, PolicySetContent, Provenance, SenderQuery, StoredDefinition, StoredGroup,
    StoredPolicy, StoredSender, Version,
};
pub use recipients::{LearningDomain, RecipientState, SqliteRecipients, StoredRecipients};
pub use requests::{RequestQuery, ReviewRequestState, SqliteRequests, StoredAnswer, StoredRequest};
pub use sqlite::SqliteState;
pub use sqlite_accounts::SqliteAccounts;
pub use sqlite_audit::SqliteAudit;
pub use submitters::{
    SqliteSubmitters, StoredSubmitter, SubmitterChange, SubmitterState, SubmitterUse,
};
pub use transport::{SqliteTransportPolicies, StoredTransportPolicy, TransportPolicyState};
pub use views::{SavedViewState, SqliteViews, StoredView};

use types::PolicyId;

use crate::contract::StoreError;

/// The policy set, its history, and facts about this node.
///
/// A locked or missing database is [`StoreError::Database`].
pub trait PolicyState: Send + Sync {
    /// The version of the set; 0 before the first change.
    fn version(&self) -> Result<u64, StoreError>;

    /// The whole set as of one moment. Managed senders, of which there may be
    /// a million, are handed to `sender` one by one, by number.
    fn read(&self, sender: &mut dyn FnMut(StoredSender)) -> Result<PolicySetContent, StoreError>;

    /// One policy.
    fn policy(&self, id: PolicyId) -> Result<Option<StoredPolicy>, StoreError>;

    /// One group.
    fn group(&self, name: &str) -> Result<Option<StoredGroup>, StoreError>;

    /// One definition.
    fn definition(&self, name: &str) -> Result<Option<StoredDefinition>, StoreError>;

    /// One managed sender.
    fn sender(&self, id: PolicyId) -> Result<Option<StoredSender>, StoreError>;

    /// Managed senders that match, by number, at most `max`, with numbers
    /// above `after`.
    fn senders(
        &self,
        query: &SenderQuery,
        after: Option<PolicyId>,
        max: usize,
    ) -> Result<Vec<StoredSender>, StoreError>;

    /// The managed senders of these pairs of recipient and sender, in the form
    /// in which they are compared, as far as there are any, in any order.
    fn senders_of(&self, pairs: &[(String, String)]) -> Result<Vec<StoredSender>, StoreError>;

    /// Makes one new version out of `edits`, all or none. Edits that change
    /// nothing make no version.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the expected version is not the present
    /// one, [`StoreError::NotFound`] for an object that is not there,
    /// [`StoreError::FileManaged`] for one that belongs to the policy file,
    /// [`StoreError::DirectoryManaged`] for one that a directory has,
    /// [`StoreError::NameOfDirectory`] for a new group that is called as one.
    fn change(&self, who: &Authorship, edits: Vec<Edit>) -> Result<Changed, StoreError>;

    /// Replaces exactly the objects that came from the policy file by those
    /// of `document`, in one version. A group or definition of the document takes
    /// over the one of its name, a sender the entry of its pair; policies are
    /// recognised by their content, so an unchanged file changes nothing.
    fn apply_file(&self, who: &Authorship, document: PolicyDocument)
    -> Result<Changed, StoreError>;

    /// Takes what a directory says of its groups, in one version. A group that
    /// it has no more goes, unless a policy or an account names it: then it
    /// stays as it was last, and is marked.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] as for [`change`](Self::change);
    /// [`StoreError::NameTaken`] for a name that people or the policy file use.
    fn take_groups(
        &self,
        who: &Authorship,
        edits: Vec<DirectoryEdit>,
    ) -> Result<Changed, StoreError>;

    /// Replaces everything that people made by `document`, in one version.
    /// Numbers in it are kept where an object of that number and kind exists,
    /// and given anew elsewhere.
    fn import(&self, who: &Authorship, document: PolicyDocument) -> Result<Changed, StoreError>;

    /// The whole set as one document, without the groups of directories: they
    /// come from there.
    fn export(&self) -> Result<PolicyDocument, StoreError>;

    /// Brings back the content of version `number` as a new version. One
    /// step back is the version before the present one. Objects get their old
    /// numbers; nothing of the history is lost. What is or was managed by the
    /// policy file or a directory stays as it is.
    fn roll_back(&self, who: &Authorship, number: u64) -> Result<Changed, StoreError>;

    /// What a change would do, with the numbers that new objects would be
    /// given; nothing is stored.
    ///
    /// # Errors
    /// Those of the change itself.
    fn plan(&self, who: &Authorship, plan: Plan) -> Result<Changed, StoreError>;

    /// Versions, newest first, below `before`.
    fn history(&self, before: Option<u64>, max: usize) -> Result<Vec<Version>, StoreError>;

    /// What differs between two versions, one entry per object; `from` may
    /// be the later one.
    fn differences(&self, from: u64, to: u64) -> Result<Vec<Difference>, StoreError>;

    /// Adds uses of policies and managed senders; numbers that are gone are ignored.
    fn note_hits(&self, hits: &[HitNote]) -> Result<(), StoreError>;

    /// A fact about this node, such as the time of the last daily log.
    fn fact(&self, key: &str) -> Result<Option<String>, StoreError>;

    /// Remembers a fact, or with nothing forgets it.
    fn set_fact(&self, key: &str, value: Option<&str>) -> Result<(), StoreError>;
}
