//! A version in the making: edits applied one after the other inside one
//! transaction, and what they come to in the end.

use std::collections::HashMap;

use rusqlite::{Connection, Transaction, TransactionBehavior, params};
use types::PolicyId;
use types::lists::ManagedSender;

use super::database::refused;
use super::directories::{self, refuse_managed};
use super::limits;
use super::noted::Made;
use super::objects::{
    Authorship, Changed, Difference, Edit, Object, ObjectKey, Origin, Provenance,
};
use super::rows::{self, number};
use super::sqlite_audit;
use crate::contract::StoreError;

/// What an object was before the draft.
type Before = Option<(Object, Provenance)>;

/// An object that a draft changes.
struct Touched {
    key: ObjectKey,
    before: Before,
    after: Option<Object>,
}

impl From<Touched> for Difference {
    fn from(Touched { key, before, after }: Touched) -> Self {
        Difference { key, before: before.map(|(object, _)| object), after }
    }
}

/// A version in the making. Dropping it undoes everything.
pub(super) struct Draft<'a> {
    transaction: Transaction<'a>,
    who: &'a Authorship,
    version: u64,
    /// Touched objects in the order in which they were first touched.
    touched: Vec<(ObjectKey, Before)>,
    places: HashMap<ObjectKey, usize>,
}

impl<'a> Draft<'a> {
    /// Begins the version after the present one.
    pub(super) fn begin(
        connection: &'a mut Connection,
        who: &'a Authorship,
    ) -> Result<Self, StoreError> {
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(refused)?;
        let found = version(&transaction)?;
        match who.expected {
            Some(expected) if expected != found => Err(StoreError::Conflict { expected, found }),
            _ => Ok(Draft {
                transaction,
                who,
                version: found + 1,
                touched: Vec::new(),
                places: HashMap::new(),
            }),
        }
    }

    /// The database as the draft has it so far.
    pub(super) fn connection(&self) -> &Connection {
        &self.transaction
    }

    /// Applies one edit of somebody who is not the policy file.
    pub(super) fn edit(&mut self, edit: Edit) -> Result<(), StoreError> {
        match edit {
            Edit::Remove(key) => match self.stored(&key)? {
                None => Err(StoreError::NotFound(key.to_string())),
                // Nobody else can remove what its directory has no more.
                Some((_, kept)) if kept.origin == Origin::Gone => self.remove(&key),
                stored => {
                    refuse_managed(&key, stored.as_ref())?;
                    self.remove(&key)
                }
            },
            Edit::Put(object) => self.put_of_people(object, false),
            Edit::PutBack(object) => self.put_of_people(object, true),
        }
    }

    /// Stores an object of somebody who is not the policy file; one of a
    /// number must be there, unless it is put `back`.
    fn put_of_people(&mut self, object: Object, back: bool) -> Result<(), StoreError> {
        let key = key_of(&object);
        if let Some(key) = &key {
            let stored = self.stored(key)?;
            let is_named = matches!(key, ObjectKey::Group(_) | ObjectKey::Definition(_));
            if stored.is_none() && !is_named && !back {
                return Err(StoreError::NotFound(key.to_string()));
            }
            refuse_managed(key, stored.as_ref())?;
        }
        if let Some(other) = self.other_of_pair(&object)? {
            refuse_managed(&other, self.stored(&other)?.as_ref())?;
        }
        self.put(object, Origin::People).map(drop)
    }

    /// Stores an object, gives a new one its number, and removes another
    /// entry of the same pair. Returns its key.
    pub(super) fn put(&mut self, object: Object, origin: Origin) -> Result<ObjectKey, StoreError> {
        if let Object::Group(group) = &object {
            directories::refuse(self, group, origin)?;
        }
        if let Some(other) = self.other_of_pair(&object)? {
            self.remove(&other)?;
        }
        let key = match key_of(&object) {
            Some(key) => key,
            None => self.next_key(&object)?,
        };
        let stored = self.stored(&key)?;
        let made = match &stored {
            Some((_, kept)) => (kept.created, kept.created_by.clone()),
            None => (self.who.at, self.who.actor.name.to_string()),
        };
        let object = complete(object, &key, self.who);
        if stored.as_ref().is_some_and(|(old, kept)| *old == object && kept.origin == origin) {
            return Ok(key);
        }
        let kept = Provenance { origin, created: made.0, created_by: made.1, ..self.changed() };
        self.write(key.clone(), stored, &object, &kept)?;
        Ok(key)
    }

    /// Puts back an object that was there before, as it was.
    pub(super) fn restore(
        &mut self,
        key: ObjectKey,
        object: &Object,
        old: Provenance,
    ) -> Result<(), StoreError> {
        let stored = self.stored(&key)?;
        let is_same =
            |(now, kept): &(Object, Provenance)| now == object && kept.origin == old.origin;
        if stored.as_ref().is_some_and(is_same) {
            return Ok(());
        }
        let kept = Provenance {
            origin: old.origin,
            created: old.created,
            created_by: old.created_by,
            ..self.changed()
        };
        self.write(key, stored, object, &kept)
    }

    /// Whether what is stored under this key, or has the pair of `object`, is
    /// managed elsewhere.
    pub(super) fn is_managed(
        &self,
        key: &ObjectKey,
        object: Option<&Object>,
    ) -> Result<bool, StoreError> {
        let mut keys = vec![key.clone()];
        if let Some(object) = object {
            keys.extend(self.other_of_pair(object)?);
        }
        for key in &keys {
            if self.stored(key)?.is_some_and(|(_, kept)| kept.origin.is_managed()) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Removes an object, if it is there.
    pub(super) fn remove(&mut self, key: &ObjectKey) -> Result<(), StoreError> {
        if let Some(stored) = self.stored(key)? {
            rows::remove(&self.transaction, key)?;
            self.touch(key.clone(), Some(stored));
        }
        Ok(())
    }

    /// Ends the draft: a new version with its entry in the audit log if
    /// anything differs, else nothing.
    pub(super) fn finish(self, made: Made) -> Result<Changed, StoreError> {
        let differences = self.touched_differences()?;
        if differences.is_empty() {
            return Ok(Changed { version: self.version - 1, differences: Vec::new() });
        }
        // What the policy file no longer has is gone: a start must not hang on
        // who is limited to what. They then see nothing there.
        if !matches!(made, Made::FromFile) {
            self.refuse_needed(&differences)?;
        }
        self.note(made.restores(), &differences)?;
        let differences: Vec<_> = differences.into_iter().map(Difference::from).collect();
        let note = made.noted(&self.transaction, self.who, self.version, &differences)?;
        sqlite_audit::append(&self.transaction, &note)?;
        self.transaction.commit().map_err(refused)?;
        Ok(Changed { version: self.version, differences })
    }

    /// What the version would be; nothing is stored.
    pub(super) fn preview(self) -> Result<Changed, StoreError> {
        let differences = self.touched_differences()?;
        self.refuse_needed(&differences)?;
        let version = self.version - u64::from(differences.is_empty());
        let differences = differences.into_iter().map(Difference::from).collect();
        Ok(Changed { version, differences })
    }

    /// Refuses to take a group away from an account that is limited to it.
    fn refuse_needed(&self, differences: &[Touched]) -> Result<(), StoreError> {
        let gone = differences.iter().filter(|touched| touched.after.is_none());
        for touched in gone {
            if let ObjectKey::Group(name) = &touched.key
                && let Some(account) = limits::whom(&self.transaction, name)?
            {
                return Err(StoreError::Needed { what: touched.key.to_string(), account });
            }
        }
        Ok(())
    }

    /// The touched objects that are not what they were.
    fn touched_differences(&self) -> Result<Vec<Touched>, StoreError> {
        let mut differences = Vec::new();
        for (key, before) in &self.touched {
            let after = self.stored(key)?;
            let is_same = match (before, &after) {
                (Some((old, was)), Some((new, is))) => old == new && was.origin == is.origin,
                (None, None) => true,
                _ => false,
            };
            if !is_same {
                let after = after.map(|(object, _)| object);
                differences.push(Touched { key: key.clone(), before: before.clone(), after });
            }
        }
        Ok(differences)
    }

    /// Writes the version and its differences into the history.
    fn note(&self, restores: Option<u64>, differences: &[Touched]) -> Result<(), StoreError> {
        let sql = "INSERT INTO differences (version, place, key, before, after, provenance)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let mut statement = self.transaction.prepare_cached(sql).map_err(refused)?;
        for (Touched { key, before, after }, place) in differences.iter().zip(0_i64..) {
            let old = before.as_ref().map(|(object, _)| rows::json(object)).transpose()?;
            let kept = before.as_ref().map(|(_, kept)| rows::json(kept)).transpose()?;
            let new = after.as_ref().map(rows::json).transpose()?;
            let row = params![number(self.version), place, rows::json(key)?, old, new, kept];
            statement.execute(row).map_err(refused)?;
        }
        let sql = "INSERT INTO versions (number, at, author, note, restores, differences)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let row = params![
            number(self.version),
            self.who.at.as_millis(),
            &*self.who.actor.name,
            self.who.note,
            restores.map(number),
            number(differences.len() as u64),
        ];
        self.transaction.execute(sql, row).map(drop).map_err(refused)
    }

    pub(super) fn stored(&self, key: &ObjectKey) -> Result<Before, StoreError> {
        rows::stored(&self.transaction, key)
    }

    fn write(
        &mut self,
        key: ObjectKey,
        stored: Before,
        object: &Object,
        kept: &Provenance,
    ) -> Result<(), StoreError> {
        rows::put(&self.transaction, &key, object, kept)?;
        self.touch(key, stored);
        Ok(())
    }

    /// Remembers what an object was before it was first touched.
    fn touch(&mut self, key: ObjectKey, before: Before) {
        let next = self.touched.len();
        if *self.places.entry(key.clone()).or_insert(next) == next {
            self.touched.push((key, before));
        }
    }

    /// Another entry of the same pair, which this one would replace.
    fn other_of_pair(&self, object: &Object) -> Result<Option<ObjectKey>, StoreError> {
        let Object::Sender(sender) = object else { return Ok(None) };
        let found = rows::sender_of_pair(&self.transaction, sender)?;
        Ok(found.filter(|id| sender.id != Some(*id)).map(ObjectKey::Sender))
    }

    /// Numbers are never used again, so that an old event that names one
    /// still means the same object.
    fn next_key(&self, object: &Object) -> Result<ObjectKey, StoreError> {
        let next: i64 = self
            .transaction
            .query_row("UPDATE numbers SET next = next + 1 RETURNING next - 1", [], |row| {
                row.get(0)
            })
            .map_err(refused)?;
        let id = PolicyId(u64::try_from(next).unwrap_or(0));
        Ok(match object {
            Object::Sender(_) => ObjectKey::Sender(id),
            Object::Policy(_) | Object::Group(_) | Object::Definition(_) => ObjectKey::Policy(id),
        })
    }

    fn changed(&self) -> Provenance {
        Provenance {
            version: self.version,
            changed: self.who.at,
            changed_by: self.who.actor.name.to_string(),
            ..Provenance::default()
        }
    }
}

/// Under which key an object is stored; nothing if it is new.
fn key_of(object: &Object) -> Option<ObjectKey> {
    match object {
        Object::Policy(policy) => policy.id.map(ObjectKey::Policy),
        Object::Sender(sender) => sender.id.map(ObjectKey::Sender),
        Object::Group(group) => Some(ObjectKey::Group(group.name.clone())),
        Object::Definition(definition) => Some(ObjectKey::Definition(definition.name.clone())),
    }
}

/// The present version of the set.
pub(super) fn version(connection: &Connection) -> Result<u64, StoreError> {
    let sql = "SELECT coalesce(max(number), 0) FROM versions";
    let version: i64 = connection.query_row(sql, [], |row| row.get(0)).map_err(refused)?;
    Ok(u64::try_from(version).unwrap_or(0))
}

/// The object with its number, and a new managed sender with its author.
fn complete(object: Object, key: &ObjectKey, who: &Authorship) -> Object {
    match (object, key) {
        (Object::Policy(policy), ObjectKey::Policy(id)) => {
            Object::Policy(types::Policy { id: Some(*id), ..policy })
        }
        (Object::Sender(sender), ObjectKey::Sender(id)) => {
            let is_new = sender.id.is_none();
            let unsigned = is_new && sender.created_by.is_empty();
            let undated = is_new && sender.created == types::Timestamp::EPOCH;
            Object::Sender(ManagedSender {
                id: Some(*id),
                created_by: if unsigned { who.actor.name.to_string() } else { sender.created_by },
                created: if undated { who.at } else { sender.created },
                ..sender
            })
        }
        (object, _) => object,
    }
}
