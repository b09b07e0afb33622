//! What the audit log says of a change of the policy set: what was changed in
//! words, the change itself where it is small, and a hash of it in any case,
//! so that the history is as safe from tampering as the log.

use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use types::{AuditAction, AuditNote, PolicyType, hexadecimal};

use super::database::refused;
use super::objects::{Authorship, Difference, Object, ObjectKey};
use super::rows::{json, number};
use crate::contract::StoreError;

/// Longest change that an entry of the audit log repeats, in octets; longer
/// ones are in the history only.
const REPEATED_OCTETS_MAX: usize = 16 << 10;
/// Most objects of such a change.
const REPEATED_OBJECTS_MAX: usize = 200;
/// Characters kept of an object's name.
const NAME_CHARS_MAX: usize = 120;

/// By which way a version is made.
#[derive(Clone, Copy)]
pub(super) enum Made {
    /// Objects were edited.
    ByHand,
    /// The policy file was applied.
    FromFile,
    /// A document replaced what people made.
    ByImport,
    /// This version was brought back.
    ByRollBack(u64),
}

/// The details of an entry about a version.
#[derive(Serialize, Deserialize)]
struct Details {
    /// How many objects were changed.
    objects: usize,
    /// SHA-256 of the rows of the history, in hexadecimal digits.
    history_sha256: String,
    /// What they were and are; absent if that is long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    changes: Option<serde_json::Value>,
}

impl Made {
    pub(super) fn restores(self) -> Option<u64> {
        match self {
            Made::ByRollBack(number) => Some(number),
            Made::ByHand | Made::FromFile | Made::ByImport => None,
        }
    }

    fn action(self, differences: &[Difference]) -> AuditAction {
        let all = |is: fn(&ObjectKey) -> bool| differences.iter().all(|one| is(&one.key));
        match self {
            Made::FromFile => AuditAction::PolicyFileApplied,
            Made::ByImport => AuditAction::PoliciesImported,
            Made::ByRollBack(_) => AuditAction::RolledBack,
            Made::ByHand if all(|key| matches!(key, ObjectKey::Sender(_))) => {
                AuditAction::SendersChanged
            }
            Made::ByHand if all(|key| matches!(key, ObjectKey::Group(_))) => {
                AuditAction::GroupsChanged
            }
            Made::ByHand if all(|key| matches!(key, ObjectKey::Definition(_))) => {
                AuditAction::DefinitionsChanged
            }
            Made::ByHand if differences.iter().all(is_expecting) => {
                match differences.iter().any(|one| one.after.is_some()) {
                    true => AuditAction::ExpectingBegun,
                    false => AuditAction::ExpectingEnded,
                }
            }
            Made::ByHand => AuditAction::PoliciesChanged,
        }
    }

    /// The entry about `version`, whose history is written already.
    pub(super) fn noted(
        self,
        connection: &Connection,
        who: &Authorship,
        version: u64,
        differences: &[Difference],
    ) -> Result<AuditNote, StoreError> {
        let changes = match differences.len() <= REPEATED_OBJECTS_MAX {
            true => Some(serde_json::to_value(differences).map_err(unwritable)?),
            false => None,
        };
        let is_short = |text: &serde_json::Value| text.to_string().len() <= REPEATED_OCTETS_MAX;
        let details = Details {
            objects: differences.len(),
            history_sha256: history_hash(connection, version)?,
            changes: changes.filter(is_short),
        };
        Ok(AuditNote {
            at: who.at,
            actor: who.actor.clone(),
            action: self.action(differences),
            subject: subject(differences),
            note: who.note.clone(),
            version: Some(version),
            details: json(&details)?,
        })
    }
}

/// Whether the history of `version` is what the entry about it says.
pub(super) fn is_as_noted(
    connection: &Connection,
    version: u64,
    details: &str,
) -> Result<bool, StoreError> {
    let Ok(details) = serde_json::from_str::<Details>(details) else { return Ok(false) };
    Ok(details.history_sha256 == history_hash(connection, version)?)
}

/// The hash of all that the history keeps of one version.
fn history_hash(connection: &Connection, version: u64) -> Result<String, StoreError> {
    let sql = "SELECT key, before, after, provenance FROM differences
        WHERE version = ?1 ORDER BY place";
    let mut statement = connection.prepare_cached(sql).map_err(refused)?;
    let mut rows = statement.query(params![number(version)]).map_err(refused)?;
    let mut sha = Sha256::new();
    while let Some(row) = rows.next().map_err(refused)? {
        for column in 0..4 {
            let text: Option<String> = row.get(column).map_err(refused)?;
            // With lengths, so that no octet can move from one field to the next.
            let length = text.as_ref().map_or(u64::MAX, |text| text.len() as u64);
            sha.update(length.to_be_bytes());
            sha.update(text.unwrap_or_default().as_bytes());
        }
    }
    let hash: [u8; 32] = sha.finalize().into();
    Ok(hexadecimal(&hash))
}

fn unwritable(error: serde_json::Error) -> StoreError {
    StoreError::Database(error.to_string())
}

/// Whether a change is about somebody who expects a mail.
fn is_expecting(difference: &Difference) -> bool {
    let object = difference.after.as_ref().or(difference.before.as_ref());
    matches!(object, Some(Object::Policy(policy)) if policy.kind() == PolicyType::ExpectedMail)
}

/// What was changed, in words.
fn subject(differences: &[Difference]) -> String {
    match differences {
        [one] => {
            let key = &one.key;
            match one.after.as_ref().or(one.before.as_ref()).map(name) {
                Some(name) => {
                    let name: String = name.chars().take(NAME_CHARS_MAX).collect();
                    format!("{key}: {name}")
                }
                None => key.to_string(),
            }
        }
        many => format!("{} objects", many.len()),
    }
}

fn name(object: &Object) -> String {
    match object {
        Object::Policy(policy) => policy.narrative.clone(),
        Object::Group(group) => format!("{} members", group.members.len()),
        Object::Definition(definition) => definition.kind().slug().to_owned(),
        Object::Sender(entry) => {
            let only = if entry.authenticated_only { ", if authenticated" } else { "" };
            format!("{} {} for {}{only}", entry.action.slug(), entry.sender, entry.recipient)
        }
    }
}
