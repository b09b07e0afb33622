//! The policy set as one readable TOML document: what people export, edit,
//! review and import, and what `policy_file` names.

use serde::{Deserialize, Serialize};
use types::Policy;
use types::lists::{Group, ManagedSender};

use crate::validate::ObjectName;

/// Policies, groups and managed senders as a document has them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// `[[policy]]`
    #[serde(default, rename = "policy", skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<Policy>,
    /// `[[group]]`
    #[serde(default, rename = "group", skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Group>,
    /// `[[managed_sender]]`
    #[serde(default, rename = "managed_sender", skip_serializing_if = "Vec::is_empty")]
    pub managed_senders: Vec<ManagedSender>,
}

/// The text is no such document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct DocumentError {
    /// The line, from one.
    pub line: usize,
    /// What is wrong there.
    pub message: String,
}

impl Document {
    /// Reads a document.
    ///
    /// # Errors
    ///
    /// The first line that is not TOML, has an unknown key or a value that
    /// is not one of those allowed.
    pub fn parse(text: &str) -> Result<Document, DocumentError> {
        toml::from_str(text).map_err(|error| DocumentError {
            line: error.span().map_or(1, |span| line_at(text, span.start)),
            message: error.message().to_owned(),
        })
    }

    /// The line at which an object of the document begins, to go with a
    /// [`Problem`](crate::Problem) found in it.
    pub fn line_of(text: &str, object: &ObjectName) -> Option<usize> {
        let (heading, place) = match object {
            ObjectName::Policy(_, place) => ("[[policy]]", *place),
            ObjectName::Group(_, place) => ("[[group]]", *place),
            ObjectName::ManagedSender(_, place) => ("[[managed_sender]]", *place),
        };
        let mut begins = (1..).zip(text.lines()).filter(|(_, line)| line.trim().starts_with(heading));
        begins.nth(place.checked_sub(1)?).map(|(line, _)| line)
    }
}

fn line_at(text: &str, place: usize) -> usize {
    1 + text.bytes().take(place).filter(|&byte| byte == b'\n').count()
}
