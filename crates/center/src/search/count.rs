//! How many there are.

use serde::{Deserialize, Serialize};
use store::contract::Page;
use types::{Caller, Permission};

use super::SearchRequest;
use crate::views::View;
use crate::{Center, CenterError, permit};

/// How far matches are counted exactly.
const EXACT_MAX: usize = 10_000;

/// How many attempts match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// The number.
    pub count: u64,
    /// Whether it is exact; it is up to 10,000.
    pub exact: bool,
}

/// How many attempts of one built-in list match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViewCount {
    /// The list.
    pub view: View,
    /// How many.
    pub count: Count,
}

impl Center {
    /// How many attempts match; exact to 10,000, an estimate beyond.
    ///
    /// # Errors
    ///
    /// As [`Center::search`].
    pub fn count(&self, caller: &Caller, request: &SearchRequest) -> Result<Count, CenterError> {
        permit(caller, Permission::SeeMetadata)?;
        let scope = self.scope(request)?;
        let page = Page { after: None, rows_max: 1, count_max: EXACT_MAX };
        let found = self.parts.log.search(&scope.filter, scope.times, page)?;
        Ok(Count { count: u64::try_from(found.count).unwrap_or(u64::MAX), exact: !found.more })
    }

    /// The same query counted in every built-in list, for the tabs.
    ///
    /// # Errors
    ///
    /// As [`Center::search`].
    pub fn view_counts(
        &self,
        caller: &Caller,
        request: &SearchRequest,
    ) -> Result<Vec<ViewCount>, CenterError> {
        let of_view = |view| {
            let request = SearchRequest { view, ..request.clone() };
            Ok(ViewCount { view, count: self.count(caller, &request)? })
        };
        View::ALL.into_iter().map(of_view).collect()
    }
}
