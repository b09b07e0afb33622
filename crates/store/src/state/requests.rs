//! What refused senders wrote to us about a refusal, beside the policies in
//! the same file, over a connection of its own.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OptionalExtension, Row, params};
use types::Timestamp;

use super::database::{self, refused};
use super::rows::number;
use crate::contract::StoreError;

/// What one refused sender wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRequest {
    /// Its number.
    pub id: u64,
    /// The reference it is about.
    pub reference: String,
    /// What they wrote.
    pub text: String,
    /// How they can be reached, in their words; may be empty.
    pub contact: String,
    /// The network address they wrote from.
    pub address: String,
    /// When it came.
    pub received: Timestamp,
    /// The attempt of that reference as it was found then, as a document of
    /// the message center.
    pub attempt: Option<String>,
    /// All that it is found by, in lower case.
    pub words: String,
    /// What became of it.
    pub answer: Option<StoredAnswer>,
}

/// That somebody dealt with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredAnswer {
    /// When.
    pub at: Timestamp,
    /// Who, by the name callers have.
    pub by: String,
    /// What they noted; may be empty.
    pub note: String,
}

/// Which requests are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestQuery {
    /// Only those nobody has dealt with, or only the others.
    pub answered: Option<bool>,
    /// Part of its words, in lower case; empty for all.
    pub part: String,
    /// Only those with a smaller number.
    pub before: Option<u64>,
}

/// Requests of refused senders.
///
/// A locked or missing database is [`StoreError::Database`].
pub trait ReviewRequestState: Send + Sync {
    /// Requests that match, newest first, at most `max`.
    fn requests(&self, query: &RequestQuery, max: usize) -> Result<Vec<StoredRequest>, StoreError>;

    /// One request.
    fn request(&self, id: u64) -> Result<Option<StoredRequest>, StoreError>;

    /// How many nobody has dealt with: in all, and about one reference.
    fn open_requests(&self, reference: &str) -> Result<(u64, u64), StoreError>;

    /// Keeps a new request; its number is ignored. Gives the number.
    fn keep_request(&self, request: &StoredRequest) -> Result<u64, StoreError>;

    /// Notes that a request was dealt with, in place of what was noted
    /// before, or that it was not; says whether there is such a request.
    fn answer_request(&self, id: u64, answer: Option<&StoredAnswer>) -> Result<bool, StoreError>;

    /// Forgets those that were dealt with before a time; says how many.
    fn forget_requests(&self, answered_before: Timestamp) -> Result<u64, StoreError>;
}

/// The embedded implementation of [`ReviewRequestState`].
#[derive(Debug)]
pub struct SqliteRequests {
    connection: Mutex<Connection>,
}

const COLUMNS: &str =
    "id, reference, text, contact, address, received, attempt, words, answered, answered_by, note";

impl SqliteRequests {
    /// Opens the state database at `path`, which is made if it is not there,
    /// in a folder that is.
    ///
    /// # Errors
    /// The file cannot be made, is no database, or is of a newer program.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(SqliteRequests { connection: Mutex::new(database::open(path)?) })
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        // Every call is one statement, so a panic leaves nothing half done.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<StoredRequest> {
    let answered: Option<i64> = row.get(8)?;
    let answer = match answered {
        None => None,
        Some(at) => Some(StoredAnswer {
            at: Timestamp::from_millis(at),
            by: row.get::<_, Option<String>>(9)?.unwrap_or_default(),
            note: row.get::<_, Option<String>>(10)?.unwrap_or_default(),
        }),
    };
    Ok(StoredRequest {
        id: u64::try_from(row.get::<_, i64>(0)?).unwrap_or(0),
        reference: row.get(1)?,
        text: row.get(2)?,
        contact: row.get(3)?,
        address: row.get(4)?,
        received: Timestamp::from_millis(row.get(5)?),
        attempt: row.get(6)?,
        words: row.get(7)?,
        answer,
    })
}

fn count(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

impl ReviewRequestState for SqliteRequests {
    fn requests(&self, query: &RequestQuery, max: usize) -> Result<Vec<StoredRequest>, StoreError> {
        let connection = self.connection();
        let sql = format!(
            "SELECT {COLUMNS} FROM review_requests
            WHERE (?1 IS NULL OR (answered IS NOT NULL) = ?1) AND (?2 IS NULL OR id < ?2)
            AND (?3 = '' OR instr(words, ?3) > 0)
            ORDER BY id DESC LIMIT ?4"
        );
        let mut statement = connection.prepare_cached(&sql).map_err(refused)?;
        let max = i64::try_from(max).unwrap_or(i64::MAX);
        let values = params![query.answered, query.before.map(number), query.part, max];
        let rows = statement.query_map(values, read).map_err(refused)?;
        rows.collect::<Result<_, _>>().map_err(refused)
    }

    fn request(&self, id: u64) -> Result<Option<StoredRequest>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM review_requests WHERE id = ?1");
        let found = self.connection().query_row(&sql, params![number(id)], read);
        found.optional().map_err(refused)
    }

    fn open_requests(&self, reference: &str) -> Result<(u64, u64), StoreError> {
        let sql = "SELECT count(*), coalesce(sum(reference = ?1), 0) FROM review_requests
            WHERE answered IS NULL";
        let read = |row: &Row<'_>| Ok((count(row.get(0)?), count(row.get(1)?)));
        self.connection().query_row(sql, params![reference], read).map_err(refused)
    }

    fn keep_request(&self, request: &StoredRequest) -> Result<u64, StoreError> {
        let sql = "INSERT INTO review_requests
            (reference, text, contact, address, received, attempt, words, answered, answered_by,
                note)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) RETURNING id";
        let answer = request.answer.as_ref();
        let values = params![
            request.reference,
            request.text,
            request.contact,
            request.address,
            request.received.as_millis(),
            request.attempt,
            request.words,
            answer.map(|answer| answer.at.as_millis()),
            answer.map(|answer| &answer.by),
            answer.map(|answer| &answer.note),
        ];
        let id = self.connection().query_row(sql, values, |row| row.get(0)).map_err(refused)?;
        Ok(count(id))
    }

    fn answer_request(&self, id: u64, answer: Option<&StoredAnswer>) -> Result<bool, StoreError> {
        let sql = "UPDATE review_requests SET answered = ?2, answered_by = ?3, note = ?4
            WHERE id = ?1";
        let values = params![
            number(id),
            answer.map(|answer| answer.at.as_millis()),
            answer.map(|answer| &answer.by),
            answer.map(|answer| &answer.note),
        ];
        let changed = self.connection().execute(sql, values).map_err(refused)?;
        Ok(changed > 0)
    }

    fn forget_requests(&self, answered_before: Timestamp) -> Result<u64, StoreError> {
        let sql = "DELETE FROM review_requests WHERE answered < ?1";
        let gone = self.connection().execute(sql, params![answered_before.as_millis()]);
        gone.map(|rows| rows as u64).map_err(refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    fn about(reference: &str, text: &str) -> StoredRequest {
        StoredRequest {
            id: 0,
            reference: reference.to_owned(),
            text: text.to_owned(),
            contact: "Post@Acme.example".to_owned(),
            address: "192.0.2.7".to_owned(),
            received: at(5),
            attempt: Some("{}".to_owned()),
            words: format!("{reference} {text} post@acme.example").to_lowercase(),
            answer: None,
        }
    }

    #[test]
    fn requests_are_kept_found_answered_and_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        let state = SqliteRequests::open(&path).unwrap();
        let first = state.keep_request(&about("7K2M4QX9B0TA", "one")).unwrap();
        let second = state.keep_request(&about("7K2M4QX9B0TA", "two")).unwrap();
        let third = state.keep_request(&about("AAAAAAAAAAAA", "100 % sure_")).unwrap();
        let found = |query: RequestQuery| -> Vec<u64> {
            let found = SqliteRequests::open(&path).unwrap().requests(&query, 10).unwrap();
            found.into_iter().map(|request| request.id).collect()
        };
        let part = |part: &str| RequestQuery { part: part.to_owned(), ..Default::default() };
        assert_eq!(found(RequestQuery::default()), [third, second, first]);
        assert_eq!(found(RequestQuery { before: Some(third), ..part("7k2m4") }), [second, first]);
        assert_eq!(found(part("acme.example")).len(), 3);
        assert_eq!(found(part("0 % sure_")), [third], "no character is a wildcard");
        assert_eq!(found(part("%")), [third]);
        assert_eq!(state.open_requests("7K2M4QX9B0TA").unwrap(), (3, 2));
        let answer = StoredAnswer { at: at(9), by: "kim".to_owned(), note: String::new() };
        assert!(state.answer_request(first, Some(&answer)).unwrap());
        assert!(!state.answer_request(999, Some(&answer)).unwrap());
        assert_eq!(state.request(first).unwrap().unwrap().answer, Some(answer.clone()));
        let of = |answered| RequestQuery { answered: Some(answered), ..Default::default() };
        assert_eq!((found(of(true)), found(of(false))), (vec![first], vec![third, second]));
        assert_eq!(state.open_requests("7K2M4QX9B0TA").unwrap(), (2, 1));
        assert!(state.answer_request(first, None).unwrap(), "it can be taken up again");
        assert_eq!(state.open_requests("7K2M4QX9B0TA").unwrap(), (3, 2));
        state.answer_request(second, Some(&answer)).unwrap();
        assert_eq!(state.forget_requests(at(9)).unwrap(), 0);
        assert_eq!(state.forget_requests(at(10)).unwrap(), 1);
        assert_eq!(found(RequestQuery::default()), [third, first]);
        assert_eq!(state.request(second).unwrap(), None);
    }
}
