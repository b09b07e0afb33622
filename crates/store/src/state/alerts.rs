//! Alerts of saved lists, and what is still to be told of those that fired,
//! in the same file over a connection of their own.
//!
//! Whether one fires is decided elsewhere. Here it is made certain that the
//! moment it fired and what is to be told of it are written down together:
//! neither is ever there without the other, whenever the process ends.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};
use types::{AuditNote, Timestamp};

use super::database::{self, refused};
use super::rows::number;
use super::sqlite_audit;
use super::views::{StoredView, read as read_view};
use crate::contract::StoreError;

/// Tellings of one alert that may wait; the oldest beyond are dropped.
pub const TELLINGS_WAITING_MAX: u32 = 20;

/// The alert of a saved list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredAlert {
    /// The list it watches.
    pub view: StoredView,
    /// When it fires and whom it tells, as a document of the message center.
    pub document: String,
    /// What signs the messages to its webhook.
    pub secret: Option<Vec<u8>>,
    /// Only what came after this counts.
    pub since: Timestamp,
    /// The time of the event at which it fired last.
    pub fired: Option<Timestamp>,
    /// When it was told last.
    pub told: Option<Timestamp>,
    /// What kept the last telling from being told, as a document.
    pub failed: Option<String>,
    /// Why it does not watch any more.
    pub stopped: Option<String>,
    /// Tellings that wait.
    pub waiting: u32,
}

/// Something that is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredTelling {
    /// Its number.
    pub id: u64,
    /// The list whose alert fired.
    pub view: u64,
    /// What to tell and whom, as a document of the message center.
    pub document: String,
    /// When it came about.
    pub made: Timestamp,
    /// Tries made so far.
    pub tries: u32,
}

/// An alert that fires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Firing {
    /// The list whose alert it is.
    pub view: u64,
    /// From when on the alert watches. One that was set anew meanwhile is
    /// another, and does not fire.
    pub since: Timestamp,
    /// The time of the event at which it fires; nothing for a test, which
    /// counts as no firing.
    pub event: Option<Timestamp>,
    /// What is to be told, one for each receiver.
    pub tellings: Vec<NewTelling>,
    /// When.
    pub at: Timestamp,
}

/// Something to be told from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTelling {
    /// What holds up only what goes there too, if it is slow.
    pub destination: String,
    /// What to tell and whom.
    pub document: String,
}

/// How a telling went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TellingDone {
    /// It was told.
    Told(Timestamp),
    /// It is tried again, because of this.
    Again {
        /// When.
        due: Timestamp,
        /// Why it was not told, as a document; nothing where it was not tried.
        failed: Option<String>,
    },
    /// It is given up, because of this.
    GivenUp(String),
}

/// Alerts, and what is to be told of them.
///
/// A locked or missing database is [`StoreError::Database`].
pub trait AlertState: Send + Sync {
    /// All alerts, by the number of their list.
    fn alerts(&self) -> Result<Vec<StoredAlert>, StoreError>;

    /// The alert of one list.
    fn alert(&self, view: u64) -> Result<Option<StoredAlert>, StoreError>;

    /// Sets the alert of a list in place of the one there is; it watches from
    /// `since` on. Says whether there is such a list; the audit log gets
    /// `note` if there is.
    fn set_alert(
        &self,
        view: u64,
        document: &str,
        secret: Option<&[u8]>,
        since: Timestamp,
        note: &AuditNote,
    ) -> Result<bool, StoreError>;

    /// Removes an alert with all that is still to be told of it; says whether
    /// there was one. The audit log gets `note` if there was.
    fn remove_alert(&self, view: u64, note: &AuditNote) -> Result<bool, StoreError>;

    /// Stops an alert for this reason; nothing more is told of it. The audit
    /// log gets `note`.
    fn stop_alert(&self, view: u64, why: &str, note: &AuditNote) -> Result<(), StoreError>;

    /// Notes that an alert fires, and what is to be told of it. The audit log
    /// gets `note`, where there is one. Says whether there is still that
    /// alert; nothing is noted if not.
    fn fire(&self, firing: &Firing, note: Option<&AuditNote>) -> Result<bool, StoreError>;

    /// What is due to be told: of each destination the `each_max` that are
    /// due the longest, at most `max` in all.
    fn due_tellings(
        &self,
        now: Timestamp,
        each_max: usize,
        max: usize,
    ) -> Result<Vec<StoredTelling>, StoreError>;

    /// Notes how a telling went; one that is gone meanwhile is passed over.
    fn telling_done(&self, id: u64, done: &TellingDone) -> Result<(), StoreError>;
}

/// The embedded implementation of [`AlertState`].
#[derive(Debug)]
pub struct SqliteAlerts {
    connection: Mutex<Connection>,
}

const SELECT: &str = "SELECT v.id, v.owner, v.name, v.shared, v.request, v.changed,
        a.document, a.secret, a.since, a.fired, a.told, a.failed, a.stopped,
        (SELECT count(*) FROM alert_tellings t WHERE t.view = a.view)
    FROM alerts a JOIN saved_views v ON v.id = a.view";

impl SqliteAlerts {
    /// Opens the state database at `path`, which is made if it is not there,
    /// in a folder that is.
    ///
    /// # Errors
    /// The file cannot be made, is no database, or is of a newer program.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(SqliteAlerts { connection: Mutex::new(database::open(path)?) })
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        // What a panicking thread began is undone when its transaction is dropped.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does `work` in one transaction.
    fn change<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut connection = self.connection();
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(refused)?;
        let done = work(&transaction)?;
        transaction.commit().map_err(refused)?;
        Ok(done)
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<StoredAlert> {
    let time = |column: usize| -> rusqlite::Result<Option<Timestamp>> {
        Ok(row.get::<_, Option<i64>>(column)?.map(Timestamp::from_millis))
    };
    Ok(StoredAlert {
        view: read_view(row)?,
        document: row.get(6)?,
        secret: row.get(7)?,
        since: Timestamp::from_millis(row.get(8)?),
        fired: time(9)?,
        told: time(10)?,
        failed: row.get(11)?,
        stopped: row.get(12)?,
        waiting: row.get(13)?,
    })
}

fn read_telling(row: &Row<'_>) -> rusqlite::Result<StoredTelling> {
    let unsigned = |column: usize| -> rusqlite::Result<u64> {
        Ok(u64::try_from(row.get::<_, i64>(column)?).unwrap_or(0))
    };
    Ok(StoredTelling {
        id: unsigned(0)?,
        view: unsigned(1)?,
        document: row.get(2)?,
        made: Timestamp::from_millis(row.get(3)?),
        tries: row.get(4)?,
    })
}

impl AlertState for SqliteAlerts {
    fn alerts(&self) -> Result<Vec<StoredAlert>, StoreError> {
        let connection = self.connection();
        let mut statement =
            connection.prepare_cached(&format!("{SELECT} ORDER BY v.id")).map_err(refused)?;
        let rows = statement.query_map([], read).map_err(refused)?;
        rows.collect::<Result<_, _>>().map_err(refused)
    }

    fn alert(&self, view: u64) -> Result<Option<StoredAlert>, StoreError> {
        let sql = format!("{SELECT} WHERE v.id = ?1");
        let found = self.connection().query_row(&sql, params![number(view)], read);
        found.optional().map_err(refused)
    }

    fn set_alert(
        &self,
        view: u64,
        document: &str,
        secret: Option<&[u8]>,
        since: Timestamp,
        note: &AuditNote,
    ) -> Result<bool, StoreError> {
        // A list that was removed a moment ago gets no alert that nobody sees.
        let sql = "INSERT OR REPLACE INTO alerts (view, document, secret, since)
            SELECT id, ?2, ?3, ?4 FROM saved_views WHERE id = ?1";
        let values = params![number(view), document, secret, since.as_millis()];
        self.change(|transaction| {
            if transaction.execute(sql, values).map_err(refused)? == 0 {
                return Ok(false);
            }
            forget_tellings(transaction, view)?;
            sqlite_audit::append(transaction, note)?;
            Ok(true)
        })
    }

    fn remove_alert(&self, view: u64, note: &AuditNote) -> Result<bool, StoreError> {
        let sql = "DELETE FROM alerts WHERE view = ?1";
        self.change(|transaction| {
            if transaction.execute(sql, params![number(view)]).map_err(refused)? == 0 {
                return Ok(false);
            }
            forget_tellings(transaction, view)?;
            sqlite_audit::append(transaction, note)?;
            Ok(true)
        })
    }

    fn stop_alert(&self, view: u64, why: &str, note: &AuditNote) -> Result<(), StoreError> {
        let sql = "UPDATE alerts SET stopped = ?2 WHERE view = ?1 AND stopped IS NULL";
        self.change(|transaction| {
            if transaction.execute(sql, params![number(view), why]).map_err(refused)? > 0 {
                forget_tellings(transaction, view)?;
                sqlite_audit::append(transaction, note)?;
            }
            Ok(())
        })
    }

    fn fire(&self, firing: &Firing, note: Option<&AuditNote>) -> Result<bool, StoreError> {
        let view = number(firing.view);
        self.change(|transaction| {
            let sql = "UPDATE alerts SET fired = coalesce(?2, fired)
                WHERE view = ?1 AND since = ?3 AND stopped IS NULL";
            let event = firing.event.map(Timestamp::as_millis);
            let values = params![view, event, firing.since.as_millis()];
            if transaction.execute(sql, values).map_err(refused)? == 0 {
                return Ok(false);
            }
            let insert =
                "INSERT INTO alert_tellings (view, document, made, tries, due, destination)
                VALUES (?1, ?2, ?3, 0, ?3, ?4)";
            for NewTelling { destination, document } in &firing.tellings {
                let values = params![view, document, firing.at.as_millis(), destination];
                transaction.execute(insert, values).map_err(refused)?;
            }
            let drop_oldest = "DELETE FROM alert_tellings WHERE view = ?1 AND id NOT IN
                (SELECT id FROM alert_tellings WHERE view = ?1 ORDER BY id DESC LIMIT ?2)";
            let values = params![view, TELLINGS_WAITING_MAX];
            transaction.execute(drop_oldest, values).map_err(refused)?;
            note.map_or(Ok(()), |note| sqlite_audit::append(transaction, note).map(drop))?;
            Ok(true)
        })
    }

    fn due_tellings(
        &self,
        now: Timestamp,
        each_max: usize,
        max: usize,
    ) -> Result<Vec<StoredTelling>, StoreError> {
        let sql = "SELECT id, view, document, made, tries FROM alert_tellings
            WHERE id IN (
                SELECT id FROM (
                    SELECT id, row_number() OVER (PARTITION BY destination ORDER BY due, id) AS place
                    FROM alert_tellings WHERE due <= ?1
                ) WHERE place <= ?2
            ) ORDER BY due, id LIMIT ?3";
        let connection = self.connection();
        let mut statement = connection.prepare_cached(sql).map_err(refused)?;
        let values = params![now.as_millis(), number(each_max as u64), number(max as u64)];
        let rows = statement.query_map(values, read_telling).map_err(refused)?;
        rows.collect::<Result<_, _>>().map_err(refused)
    }

    fn telling_done(&self, id: u64, done: &TellingDone) -> Result<(), StoreError> {
        let id = number(id);
        let of_it = "view = (SELECT view FROM alert_tellings WHERE id = ?1)";
        let failed = format!("UPDATE alerts SET failed = ?2 WHERE {of_it}");
        self.change(|transaction| {
            let say = |sql: &str, values: &[&dyn rusqlite::ToSql]| {
                transaction.execute(sql, values).map(drop).map_err(refused)
            };
            match done {
                TellingDone::Told(at) => {
                    say(
                        &format!("UPDATE alerts SET told = ?2, failed = NULL WHERE {of_it}"),
                        params![id, at.as_millis()],
                    )?;
                }
                TellingDone::Again { due, failed: why } => {
                    if let Some(why) = why {
                        say(&failed, params![id, why])?;
                    }
                    let tries = i64::from(why.is_some());
                    let sql =
                        "UPDATE alert_tellings SET tries = tries + ?2, due = ?3 WHERE id = ?1";
                    return say(sql, params![id, tries, due.as_millis()]);
                }
                TellingDone::GivenUp(why) => say(&failed, params![id, why])?,
            }
            say("DELETE FROM alert_tellings WHERE id = ?1", params![id])
        })
    }
}

fn forget_tellings(transaction: &Transaction<'_>, view: u64) -> Result<(), StoreError> {
    let sql = "DELETE FROM alert_tellings WHERE view = ?1";
    transaction.execute(sql, params![number(view)]).map(drop).map_err(refused)
}

#[cfg(test)]
mod tests {
    use types::{Actor, AuditAction};

    use super::*;
    use crate::state::{SavedViewState, SqliteViews};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(1_795_000_000_000 + seconds * 1_000)
    }

    fn note() -> AuditNote {
        AuditNote::new(Actor::machine("test"), AuditAction::AlertSet, "a view", at(0))
    }

    fn firing(view: u64, second: i64, tellings: usize) -> Firing {
        let telling = |one| NewTelling {
            destination: format!("to {one}"),
            document: format!("{second}/{one}"),
        };
        let tellings = (0..tellings).map(telling).collect();
        Firing { view, since: at(1), event: Some(at(second)), tellings, at: at(second) }
    }

    struct State {
        views: SqliteViews,
        alerts: SqliteAlerts,
        view: StoredView,
        _folder: tempfile::TempDir,
    }

    /// A state with one list that has an alert.
    fn state() -> State {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        let views = SqliteViews::open(&path).unwrap();
        let view = StoredView {
            id: 0,
            owner: "ann".to_owned(),
            name: "mine".to_owned(),
            shared: false,
            request: "{}".to_owned(),
            changed: at(0),
        };
        let view = StoredView { id: views.keep_view(&view, &note()).unwrap(), ..view };
        let alerts = SqliteAlerts::open(&path).unwrap();
        assert!(alerts.set_alert(view.id, "d", Some(b"secret"), at(1), &note()).unwrap());
        State { views, alerts, view, _folder: folder }
    }

    #[test]
    fn an_alert_and_its_tellings_live_and_go_with_their_view() {
        let State { views, alerts, view, _folder } = state();
        let stored = alerts.alert(view.id).unwrap().unwrap();
        assert_eq!((&stored.view, stored.since, stored.fired), (&view, at(1), None));
        assert_eq!(stored.secret.as_deref(), Some(&b"secret"[..]));
        alerts.fire(&firing(view.id, 5, 2), None).unwrap();
        assert_eq!(alerts.due_tellings(at(4), 9, 9).unwrap(), []);
        assert_eq!(alerts.due_tellings(at(5), 9, 9).unwrap().len(), 2);
        let stored = alerts.alerts().unwrap().remove(0);
        assert_eq!((stored.fired, stored.waiting), (Some(at(5)), 2));
        // Another list under the same name is another question: it begins anew.
        views.keep_view(&StoredView { changed: at(7), ..view.clone() }, &note()).unwrap();
        let stored = alerts.alert(view.id).unwrap().unwrap();
        assert_eq!((stored.since, stored.fired), (at(7), None));
        assert!(views.forget_view(view.id, &note()).unwrap());
        assert_eq!(alerts.alerts().unwrap(), []);
        assert_eq!(alerts.due_tellings(at(99), 9, 9).unwrap(), []);
        assert!(!alerts.set_alert(view.id, "d", None, at(9), &note()).unwrap());
    }

    #[test]
    fn a_telling_is_put_off_told_or_given_up_and_the_alert_says_so() {
        let State { alerts, view, .. } = state();
        alerts.fire(&firing(view.id, 5, 3), None).unwrap();
        let due = alerts.due_tellings(at(5), 9, 9).unwrap();
        let again = TellingDone::Again { due: at(60), failed: Some("no answer".to_owned()) };
        alerts.telling_done(due[0].id, &again).unwrap();
        let failed = || alerts.alert(view.id).unwrap().unwrap().failed;
        assert_eq!(failed().as_deref(), Some("no answer"));
        let told = TellingDone::Told(at(6));
        alerts.telling_done(due[1].id, &told).unwrap();
        assert_eq!(failed(), None, "what was told last is well");
        alerts.telling_done(due[2].id, &TellingDone::GivenUp("refused".to_owned())).unwrap();
        let stored = alerts.alert(view.id).unwrap().unwrap();
        assert_eq!((stored.told, stored.waiting), (Some(at(6)), 1));
        assert_eq!(stored.failed.as_deref(), Some("refused"));
        assert_eq!(alerts.due_tellings(at(59), 9, 9).unwrap(), []);
        assert_eq!(alerts.due_tellings(at(60), 9, 9).unwrap()[0].tries, 1);
        // Waiting for its turn is no try.
        let wait = TellingDone::Again { due: at(70), failed: None };
        alerts.telling_done(due[0].id, &wait).unwrap();
        assert_eq!(alerts.due_tellings(at(70), 9, 9).unwrap()[0].tries, 1);
        alerts.stop_alert(view.id, "may not", &note()).unwrap();
        assert_eq!(alerts.due_tellings(at(99), 9, 9).unwrap(), []);
        let stored = alerts.alert(view.id).unwrap().unwrap();
        assert_eq!(stored.stopped.as_deref(), Some("may not"));
    }

    #[test]
    fn what_waits_for_a_receiver_that_is_gone_does_not_grow_for_ever() {
        let State { alerts, view, .. } = state();
        for second in 2..52 {
            alerts.fire(&firing(view.id, second, 1), None).unwrap();
        }
        let due = alerts.due_tellings(at(99), 99, 99).unwrap();
        assert_eq!(due.len(), TELLINGS_WAITING_MAX as usize);
        assert_eq!(due[0].document, "32/0", "the newest are kept");
    }

    #[test]
    fn of_each_destination_only_the_oldest_are_due() {
        let State { alerts, view, .. } = state();
        for second in 2..7 {
            alerts.fire(&firing(view.id, second, 2), None).unwrap();
        }
        let due = |each, max| {
            let due = alerts.due_tellings(at(99), each, max).unwrap();
            due.into_iter().map(|telling| telling.document).collect::<Vec<_>>()
        };
        assert_eq!(due(2, 99), ["2/0", "2/1", "3/0", "3/1"]);
        assert_eq!(due(1, 1), ["2/0"]);
    }

    #[test]
    fn an_alert_that_was_set_anew_or_stopped_is_not_the_one_that_fires() {
        let State { alerts, view, .. } = state();
        let before = firing(view.id, 5, 1);
        assert!(alerts.set_alert(view.id, "other", None, at(3), &note()).unwrap());
        assert!(!alerts.fire(&before, Some(&note())).unwrap());
        let now = Firing { since: at(3), ..before };
        assert!(alerts.fire(&Firing { event: None, ..now.clone() }, None).unwrap());
        assert_eq!(alerts.alert(view.id).unwrap().unwrap().fired, None, "a test is no firing");
        assert!(alerts.fire(&now, None).unwrap());
        alerts.stop_alert(view.id, "may not", &note()).unwrap();
        assert!(!alerts.fire(&now, None).unwrap());
        assert_eq!(alerts.due_tellings(at(99), 9, 9).unwrap(), []);
    }
}
