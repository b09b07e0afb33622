//! The memory of what people and programs did: the contract of the store for
//! the audit log, and the chain of hashes that makes tampering visible.
//!
//! Entries are only ever added. Changes of policies, accounts and views add
//! theirs in the transaction of the change; see [`Authorship`](super::Authorship),
//! [`AccountState::change`](super::AccountState::change) and
//! [`SavedViewState`](super::SavedViewState).

use std::ops::Range;

use sha2::{Digest, Sha256};
use types::{AccountId, AuditAction, AuditNote, Reference, Timestamp, Via};

use crate::contract::StoreError;

/// SHA-256 of an entry and all before it.
pub type ChainHash = [u8; 32];

/// What stands before the first entry.
pub const CHAIN_START: ChainHash = [0; 32];

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its number; the first is 1, and none is left out.
    pub number: u64,
    /// What it says.
    pub note: AuditNote,
    /// The hash of this entry and the hash before it.
    pub hash: ChainHash,
}

/// Which entries are wanted; what is absent does not restrict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditQuery {
    /// Only what this account or its tokens did.
    pub account: Option<AccountId>,
    /// Only what contains this, without case: in actor, address, reference,
    /// subject, note or details.
    pub text: Option<String>,
    /// Only these actions; empty means all.
    pub actions: Vec<AuditAction>,
    /// Only of an actor of exactly this name.
    pub actor: Option<String>,
    /// Only from the row of this attempt.
    pub row: Option<Reference>,
    /// Only the change that made this version of the policy set.
    pub version: Option<u64>,
    /// Only in this range of time.
    pub times: Option<Range<Timestamp>>,
}

/// Where a chain ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainHead {
    /// The number of the last entry; 0 before the first.
    pub number: u64,
    /// Its hash.
    pub hash: ChainHash,
}

/// What is wrong with a chain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainBreak {
    /// An entry is not what it was when it was written, or the one before it.
    #[error("entry {0} or the one before it was changed after it was written")]
    Changed(u64),
    /// Entries are gone.
    #[error("entries {} to {} are missing", .0.start, .0.end - 1)]
    Missing(Range<u64>),
    /// An entry cannot be read.
    #[error("entry {0} cannot be read: {1}")]
    Unreadable(u64, String),
    /// The differences of a version are not those that were made then.
    #[error("entry {number} made version {version}, whose history was changed since")]
    History {
        /// The entry.
        number: u64,
        /// The version of the policy set.
        version: u64,
    },
}

/// What looking at the whole chain found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Where it ends.
    pub head: ChainHead,
    /// The first break, if there is one; nothing after it can be vouched for.
    pub broken: Option<ChainBreak>,
}

/// The audit log. There is no way to change or remove an entry.
///
/// A locked or missing database is [`StoreError::Database`].
pub trait AuditState: Send + Sync {
    /// Adds an entry; gives its number. It is durable on return.
    fn record(&self, note: &AuditNote) -> Result<u64, StoreError>;

    /// Entries that match, newest first, with numbers below `before`, at most
    /// `max`.
    fn entries(
        &self,
        query: &AuditQuery,
        before: Option<u64>,
        max: usize,
    ) -> Result<Vec<AuditEntry>, StoreError>;

    /// One entry.
    fn entry(&self, number: u64) -> Result<Option<AuditEntry>, StoreError>;

    /// Where the chain ends now.
    fn head(&self) -> Result<ChainHead, StoreError>;

    /// Goes through the whole chain as of one moment.
    fn verify(&self) -> Result<Verified, StoreError>;
}

/// The hash of an entry: of the hash before it, its number and every field,
/// each with its length, so that no two entries have the same octets.
pub fn chain_hash(before: &ChainHash, number: u64, note: &AuditNote) -> ChainHash {
    let mut sha = Sha256::new();
    sha.update(before);
    sha.update(number.to_be_bytes());
    sha.update(note.at.as_millis().to_be_bytes());
    let address = note.actor.from.map(|from| from.to_string()).unwrap_or_default();
    let row = note.actor.row.map(|row| row.to_string()).unwrap_or_default();
    let version = note.version.map(|version| version.to_string()).unwrap_or_default();
    let (via, account, token) = via_columns(&note.actor.via);
    let number_text = |number: Option<u64>| number.map(|n| n.to_string()).unwrap_or_default();
    let (account, token) = (number_text(account), number_text(token));
    let fields = [
        note.action.slug(),
        &note.actor.name,
        via,
        &account,
        &token,
        &address,
        &row,
        &note.subject,
        &note.note,
        &version,
        &note.details,
    ];
    for field in fields {
        sha.update((field.len() as u64).to_be_bytes());
        sha.update(field.as_bytes());
    }
    sha.finalize().into()
}

/// By which way somebody came in, as three columns.
pub(super) fn via_columns(via: &Via) -> (&'static str, Option<u64>, Option<u64>) {
    match via {
        Via::Machine => ("machine", None, None),
        Via::Visitor => ("visitor", None, None),
        Via::Account(account) => ("account", Some(account.0), None),
        Via::Token { account, token } => ("token", Some(account.0), Some(token.0)),
    }
}
