//! What could be typed next: fields, or values of the present result.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use types::{Caller, Permission};

use super::SearchRequest;
use crate::query::FIELDS;
use crate::{Center, CenterError, permit};

/// Proposals for the place of the caret.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Completion {
    /// The octets of the query that a proposal replaces.
    pub replace: Range<usize>,
    /// Proposals, best first, at most ten.
    pub items: Vec<CompletionItem>,
}

/// One proposal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CompletionItem {
    /// What takes the place of [`Completion::replace`].
    pub insert: String,
    /// What people read.
    pub label: String,
    /// More about it.
    pub help: String,
    /// Matches with this value in the present result.
    pub count: Option<u64>,
}

impl Center {
    /// Proposals for the query of `request` with the caret after its first
    /// `caret` octets.
    ///
    /// # Errors
    ///
    /// [`CenterError::Denied`]; a query that is not yet right is no error.
    pub fn complete(
        &self,
        caller: &Caller,
        request: &SearchRequest,
        caret: usize,
    ) -> Result<Completion, CenterError> {
        permit(caller, Permission::SeeMetadata)?;
        let text = request.query.get(..caret).unwrap_or(&request.query);
        let from =
            text.rfind(|c: char| c.is_whitespace() || "(-".contains(c)).map_or(0, |at| at + 1);
        let word = text.get(from..).unwrap_or("").to_lowercase();
        let items = FIELDS
            .iter()
            .filter(|field| field.name.starts_with(&word))
            .take(10)
            .map(|field| CompletionItem {
                insert: format!("{}:", field.name),
                label: format!("{}:", field.name),
                help: field.help.to_owned(),
                count: None,
            })
            .collect();
        Ok(Completion { replace: from..text.len(), items })
    }
}
