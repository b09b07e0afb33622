//! The policy state in SQLite.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params, params_from_iter};
use types::PolicyId;

use super::database::{self, refused};
use super::draft::{Draft, version};
use super::noted::Made;
use super::objects::{
    Authorship, Changed, Difference, DirectoryEdit, Edit, HitNote, Origin, Plan, PolicyDocument,
    PolicySetContent, SenderQuery, StoredDefinition, StoredGroup, StoredPolicy, StoredSender,
    Version,
};
use super::rows::{self, KEPT, number};
use super::{PolicyState, directories, document, history};
use crate::contract::StoreError;

/// Pairs looked for with one statement; SQLite takes no more than some
/// thousands of values.
const PAIRS_AT_ONCE: usize = 500;

/// The embedded implementation of [`PolicyState`]: one file, changed by one
/// connection, read as a whole over further ones.
#[derive(Debug)]
pub struct SqliteState {
    path: PathBuf,
    connection: Mutex<Connection>,
}

impl SqliteState {
    /// Opens the database at `path`, which is made if it is not there, in a
    /// folder that is.
    ///
    /// # Errors
    /// The file cannot be made, is no database, or is of a newer program.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let connection = Mutex::new(database::open(path)?);
        Ok(SqliteState { path: path.to_owned(), connection })
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        // What a panicking thread began is undone when its transaction is dropped.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PolicyState for SqliteState {
    fn version(&self) -> Result<u64, StoreError> {
        version(&self.connection())
    }

    fn read(&self, sender: &mut dyn FnMut(StoredSender)) -> Result<PolicySetContent, StoreError> {
        let mut connection = database::open_to_read(&self.path)?;
        let moment = connection.transaction().map_err(refused)?;
        let version = version(&moment)?;
        let mut policies = Vec::new();
        let sql = format!("SELECT {KEPT}, hits, last_hit FROM policies ORDER BY id");
        each(&moment, &sql, &[], |row| {
            policies.push(rows::policy(row)?);
            Ok(())
        })?;
        let mut groups = Vec::new();
        each(&moment, &format!("SELECT {KEPT} FROM groups ORDER BY name"), &[], |row| {
            groups.push(rows::group(row)?);
            Ok(())
        })?;
        let mut definitions = Vec::new();
        each(&moment, &format!("SELECT {KEPT} FROM definitions ORDER BY name"), &[], |row| {
            definitions.push(rows::definition(row)?);
            Ok(())
        })?;
        let sql = format!("SELECT {KEPT}, hits, last_hit FROM senders ORDER BY id");
        each(&moment, &sql, &[], |row| {
            sender(rows::sender(row)?);
            Ok(())
        })?;
        Ok(PolicySetContent { version, policies, groups, definitions })
    }

    fn policy(&self, id: PolicyId) -> Result<Option<StoredPolicy>, StoreError> {
        let sql = format!("SELECT {KEPT}, hits, last_hit FROM policies WHERE id = ?1");
        one(&self.connection(), &sql, Value::from(number(id.0)), rows::policy)
    }

    fn group(&self, name: &str) -> Result<Option<StoredGroup>, StoreError> {
        let sql = format!("SELECT {KEPT} FROM groups WHERE name = ?1");
        one(&self.connection(), &sql, Value::from(name.to_owned()), rows::group)
    }

    fn definition(&self, name: &str) -> Result<Option<StoredDefinition>, StoreError> {
        let sql = format!("SELECT {KEPT} FROM definitions WHERE name = ?1");
        one(&self.connection(), &sql, Value::from(name.to_owned()), rows::definition)
    }

    fn sender(&self, id: PolicyId) -> Result<Option<StoredSender>, StoreError> {
        let sql = format!("SELECT {KEPT}, hits, last_hit FROM senders WHERE id = ?1");
        one(&self.connection(), &sql, Value::from(number(id.0)), rows::sender)
    }

    fn senders(
        &self,
        query: &SenderQuery,
        after: Option<PolicyId>,
        max: usize,
    ) -> Result<Vec<StoredSender>, StoreError> {
        let mut conditions = vec!["id > ?"];
        let mut values = vec![Value::from(after.map_or(-1, |id| number(id.0)))];
        let lower = |text: &String| Value::from(text.to_lowercase());
        let wanted = [
            ("recipient = ?", query.recipient.as_ref().map(lower)),
            ("sender = ?", query.sender.as_ref().map(lower)),
            ("instr(sought, ?) > 0", query.text.as_ref().map(lower)),
            ("action = ?", query.action.map(|action| Value::from(action.slug().to_owned()))),
            ("kind = ?", query.kind.map(|kind| Value::from(kind.slug().to_owned()))),
            ("authenticated_only = ?", query.authenticated_only.map(|is| i64::from(is).into())),
            (
                "max(coalesce(last_hit, 0), created) < ?",
                query.unused_since.map(|since| Value::from(since.as_millis())),
            ),
        ];
        for (condition, value) in wanted {
            if let Some(value) = value {
                conditions.push(condition);
                values.push(value);
            }
        }
        let conditions = conditions.join(" AND ");
        let sql = format!(
            "SELECT {KEPT}, hits, last_hit, recipient FROM senders WHERE {conditions} ORDER BY id"
        );
        let connection = self.connection();
        let mut statement = connection.prepare_cached(&sql).map_err(refused)?;
        let mut rows = statement.query(params_from_iter(&values)).map_err(refused)?;
        let mut found = Vec::new();
        while found.len() < max
            && let Some(row) = rows.next().map_err(refused)?
        {
            // Looked at before the row is read: of most senders a limited
            // caller sees none, and a group is too large for a condition.
            let recipient = row.get_ref(RECIPIENT).map_err(refused)?;
            if recipient.as_str().is_ok_and(|key| query.within.sees_key(key)) {
                found.push(rows::sender(row)?);
            }
        }
        Ok(found)
    }

    fn senders_of(&self, pairs: &[(String, String)]) -> Result<Vec<StoredSender>, StoreError> {
        let connection = self.connection();
        let mut found = Vec::new();
        for pairs in pairs.chunks(PAIRS_AT_ONCE) {
            let values: Vec<Value> = pairs
                .iter()
                .flat_map(|(recipient, sender)| [recipient.clone().into(), sender.clone().into()])
                .collect();
            let wanted = vec!["(?, ?)"; pairs.len()].join(", ");
            let sql = format!(
                "SELECT {KEPT}, hits, last_hit FROM senders
                WHERE (recipient, sender) IN (VALUES {wanted})"
            );
            each(&connection, &sql, &values, |row| {
                found.push(rows::sender(row)?);
                Ok(())
            })?;
        }
        Ok(found)
    }

    fn change(&self, who: &Authorship, edits: Vec<Edit>) -> Result<Changed, StoreError> {
        let mut connection = self.connection();
        let mut draft = Draft::begin(&mut connection, who)?;
        edits.into_iter().try_for_each(|edit| draft.edit(edit))?;
        draft.finish(Made::ByHand)
    }

    fn apply_file(
        &self,
        who: &Authorship,
        document: PolicyDocument,
    ) -> Result<Changed, StoreError> {
        let mut connection = self.connection();
        let mut draft = Draft::begin(&mut connection, who)?;
        document::replace(&mut draft, document, Origin::File)?;
        draft.finish(Made::FromFile)
    }

    fn take_groups(
        &self,
        who: &Authorship,
        edits: Vec<DirectoryEdit>,
    ) -> Result<Changed, StoreError> {
        let mut connection = self.connection();
        let mut draft = Draft::begin(&mut connection, who)?;
        edits.into_iter().try_for_each(|edit| directories::take(&mut draft, edit))?;
        draft.finish(Made::ByHand)
    }

    fn import(&self, who: &Authorship, document: PolicyDocument) -> Result<Changed, StoreError> {
        let mut connection = self.connection();
        let mut draft = Draft::begin(&mut connection, who)?;
        document::replace(&mut draft, document, Origin::People)?;
        draft.finish(Made::ByImport)
    }

    fn export(&self) -> Result<PolicyDocument, StoreError> {
        let mut senders = Vec::new();
        let mut content = self.read(&mut |stored| senders.push(stored.sender))?;
        content.groups.retain(|stored| !stored.provenance.origin.is_directory());
        Ok(PolicyDocument {
            policies: content.policies.into_iter().map(|stored| stored.policy).collect(),
            groups: content.groups.into_iter().map(|stored| stored.group).collect(),
            definitions: content.definitions.into_iter().map(|stored| stored.definition).collect(),
            senders,
        })
    }

    fn roll_back(&self, who: &Authorship, number: u64) -> Result<Changed, StoreError> {
        let mut connection = self.connection();
        let mut draft = Draft::begin(&mut connection, who)?;
        history::restore(&mut draft, number)?;
        draft.finish(Made::ByRollBack(number))
    }

    fn plan(&self, who: &Authorship, plan: Plan) -> Result<Changed, StoreError> {
        let mut connection = self.connection();
        let mut draft = Draft::begin(&mut connection, who)?;
        match plan {
            Plan::Edits(edits) => edits.into_iter().try_for_each(|edit| draft.edit(edit))?,
            Plan::Import(document) => document::replace(&mut draft, document, Origin::People)?,
            Plan::RollBack(number) => history::restore(&mut draft, number)?,
        }
        draft.preview()
    }

    fn history(&self, before: Option<u64>, max: usize) -> Result<Vec<Version>, StoreError> {
        history::versions(&self.connection(), before, max)
    }

    fn differences(&self, from: u64, to: u64) -> Result<Vec<Difference>, StoreError> {
        history::differences(&self.connection(), from, to)
    }

    fn note_hits(&self, hits: &[HitNote]) -> Result<(), StoreError> {
        let mut connection = self.connection();
        let transaction = connection.transaction().map_err(refused)?;
        for table in ["policies", "senders"] {
            let sql = format!(
                "UPDATE {table} SET hits = hits + ?2, last_hit = max(coalesce(last_hit, ?3), ?3)
                WHERE id = ?1"
            );
            let mut statement = transaction.prepare_cached(&sql).map_err(refused)?;
            for hit in hits {
                let row = params![number(hit.id.0), number(hit.count), hit.last.as_millis()];
                statement.execute(row).map_err(refused)?;
            }
        }
        transaction.commit().map_err(refused)
    }

    fn fact(&self, key: &str) -> Result<Option<String>, StoreError> {
        let sql = "SELECT value FROM facts WHERE key = ?1";
        let found = self.connection().query_row(sql, params![key], |row| row.get(0));
        found.optional().map_err(refused)
    }

    fn set_fact(&self, key: &str, value: Option<&str>) -> Result<(), StoreError> {
        let connection = self.connection();
        let done = match value {
            Some(value) => connection.execute(
                "INSERT INTO facts (key, value) VALUES (?1, ?2)
                ON CONFLICT (key) DO UPDATE SET value = ?2",
                params![key, value],
            ),
            None => connection.execute("DELETE FROM facts WHERE key = ?1", params![key]),
        };
        done.map(drop).map_err(refused)
    }
}

/// Hands every row of a query to `take`.
fn each(
    connection: &Connection,
    sql: &str,
    values: &[Value],
    mut take: impl FnMut(&rusqlite::Row<'_>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(sql).map_err(refused)?;
    let mut rows = statement.query(params_from_iter(values)).map_err(refused)?;
    while let Some(row) = rows.next().map_err(refused)? {
        take(row)?;
    }
    Ok(())
}

/// The one row of a query, if there is one.
fn one<T>(
    connection: &Connection,
    sql: &str,
    value: Value,
    read: impl Fn(&rusqlite::Row<'_>) -> Result<T, StoreError>,
) -> Result<Option<T>, StoreError> {
    let mut found = None;
    each(connection, sql, &[value], |row| {
        found = Some(read(row)?);
        Ok(())
    })?;
    Ok(found)
}

/// The place of a recipient behind [`KEPT`] and the two columns of hits.
const RECIPIENT: usize = 9;
