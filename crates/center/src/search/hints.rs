//! What to do about an empty list.

use serde::{Deserialize, Serialize};
use types::{Caller, Permission};

use super::page::BeyondRetention;
use super::{Count, SearchRequest};
use crate::{Center, CenterError, permit};

/// One way out of an empty list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Hint {
    /// No attempt has been recorded at all.
    NothingYet,
    /// There are matches in a wider range.
    Wider {
        /// From when, as a request writes it: `now-7d`; empty for all.
        from: String,
        /// What people read: *the last 7 days*.
        label: String,
        /// How many there are.
        count: Count,
    },
    /// There are matches without one of the chips.
    Without {
        /// What the chip says.
        chip: String,
        /// The query without it.
        query: String,
        /// How many there are.
        count: Count,
    },
    /// There are matches in another list.
    OtherView {
        /// The list that has them.
        view: crate::views::View,
        /// How many there are.
        count: Count,
    },
    /// The range is older than what is kept.
    Beyond(BeyondRetention),
}

impl Center {
    /// Ways out of an empty list, best first.
    ///
    /// # Errors
    ///
    /// As [`Center::search`].
    pub fn hints(
        &self,
        caller: &Caller,
        request: &SearchRequest,
    ) -> Result<Vec<Hint>, CenterError> {
        permit(caller, Permission::SeeMetadata)?;
        let scope = self.scope(request)?;
        Ok(self.beyond(caller, &scope)?.map(Hint::Beyond).into_iter().collect())
    }
}
