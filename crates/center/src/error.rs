//! Why the message center did not do what was asked, and whose fault it is.

use serde::{Deserialize, Serialize};
use store::StoreError;
use types::Permission;

use crate::query::QueryError;

/// Why something was not done.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CenterError {
    /// The caller lacks a permission.
    #[error("this needs the permission {}", permission.slug())]
    Denied {
        /// Which one.
        permission: Permission,
    },
    /// It belongs to somebody whom the caller does not see.
    #[error("you do not see the mail of {recipient}; you see that of {limits}")]
    OutOfSight {
        /// Whose it is.
        recipient: String,
        /// The domains and groups the caller sees.
        limits: String,
    },
    /// There is no such thing.
    #[error("there is no {0}")]
    NotFound(String),
    /// The query cannot be understood.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// What was given is not acceptable; nothing was changed.
    #[error("{}", problems.first().map_or("not acceptable", |problem| &problem.message))]
    Invalid {
        /// All that is wrong with it; at least one.
        problems: Vec<Problem>,
    },
    /// Somebody changed the policy set in between.
    #[error("changed meanwhile: this was made on version {expected}, there is {found} now")]
    Conflict {
        /// The version the change was made on.
        expected: u64,
        /// The version there is.
        found: u64,
    },
    /// The object belongs to the policy file.
    #[error("{0} comes from the policy file and is changed there")]
    FileManaged(String),
    /// The object belongs to a directory on a server.
    #[error("{0} comes from a directory on a server and is changed there")]
    DirectoryManaged(String),
    /// The change is stored, but the old version stays in force.
    #[error("version {version} is stored but could not be put into force: {why}")]
    NotActivated {
        /// The version stored.
        version: u64,
        /// What the activation says.
        why: String,
    },
    /// Our own storage fails.
    #[error(transparent)]
    Store(StoreError),
    /// A file could not be read or written.
    #[error("{doing}: {message}")]
    File {
        /// What was being done.
        doing: String,
        /// What the operating system said.
        message: String,
    },
}

impl CenterError {
    /// One thing that is wrong with what was given.
    pub fn invalid(message: impl Into<String>) -> Self {
        CenterError::Invalid { problems: vec![Problem::new(message)] }
    }

    /// A word that is none of those there are; says which these are.
    pub(crate) fn none_of<'a>(
        what: &str,
        word: &str,
        known: impl Iterator<Item = &'a str>,
    ) -> Self {
        let word = crate::presentable_within(word, 40);
        let known = known.collect::<Vec<_>>().join(", ");
        CenterError::invalid(format!("there is no {what} {word:?}; there are {known}"))
    }

    pub(crate) fn file(doing: impl Into<String>, error: &std::io::Error) -> Self {
        CenterError::File { doing: doing.into(), message: error.to_string() }
    }
}

impl From<StoreError> for CenterError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict { expected, found } => CenterError::Conflict { expected, found },
            StoreError::NotFound(what) => CenterError::NotFound(what),
            StoreError::FileManaged(what) => CenterError::FileManaged(what),
            StoreError::DirectoryManaged(what) => CenterError::DirectoryManaged(what),
            error @ (StoreError::Needed { .. }
            | StoreError::TooMany { .. }
            | StoreError::NameOfDirectory { .. }
            | StoreError::NameTaken(_)) => CenterError::invalid(error.to_string()),
            other => CenterError::Store(other),
        }
    }
}

/// One thing that is wrong with what was given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Problem {
    /// The line of a document or file, from one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// Which object, as people find it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// The field of the object that is at fault, by the names of the policy
    /// document: `reject_weight`, `lists.2.weight` (places from one).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What is wrong, and what to do instead where that is known.
    pub message: String,
}

impl Problem {
    /// Something wrong with what was given as a whole.
    pub fn new(message: impl Into<String>) -> Self {
        Problem { line: None, object: None, field: None, message: message.into() }
    }

    /// Something wrong with one field of what was given.
    pub fn of_field(field: impl Into<String>, message: impl Into<String>) -> Self {
        Problem { field: Some(field.into()), ..Problem::new(message) }
    }

    pub(crate) fn at_line(line: usize, message: impl Into<String>) -> Self {
        Problem { line: Some(line), ..Problem::new(message) }
    }
}
