//! How many there are.

use serde::{Deserialize, Serialize};
use store::search::{Exactness, TallyPlan};
use types::{Caller, Permission};

use super::{Scope, SearchRequest, Span};
use crate::sight::Seen;
use crate::views::View;
use crate::{Center, CenterError, permit};

/// How far matches are counted exactly.
pub(crate) const EXACT_MAX: u64 = 10_000;

/// How many attempts match.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Count {
    /// The number.
    pub count: u64,
    /// Whether it is exact; it is up to 10,000.
    pub exact: bool,
    /// Whether counting took too long and was ended: there are at least so
    /// many.
    #[serde(default)]
    pub at_least: bool,
    /// Spans that could not be read and are not in it.
    #[serde(default)]
    pub missing: Vec<Span>,
}

/// How many attempts of one built-in list match.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
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
        let seen = self.seen_by(caller);
        let scope = seen.scope(request)?;
        seen.counted(&scope, EXACT_MAX)
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
        permit(caller, Permission::SeeMetadata)?;
        // One pass counts all that is filed by its outcome.
        let everything = SearchRequest { view: View::All, ..request.clone() };
        let seen = self.seen_by(caller);
        let scope = seen.scope(&everything)?;
        let stop = self.patience();
        let tallied = seen.events.tally(&scope.query(stop), &TallyPlan::default())?;
        let missing: Vec<Span> = tallied.missing.iter().cloned().map(Span::from).collect();
        let exact = |count| Count {
            count,
            exact: !tallied.stopped,
            at_least: tallied.stopped,
            missing: missing.clone(),
        };
        let [accepted, _, deferred, rejected] = tallied.outcomes;
        let of_view = |view| {
            let count = match view {
                View::All => exact(tallied.rows),
                View::Accepted => exact(accepted),
                View::Deferred => exact(deferred),
                View::Rejected => exact(rejected),
                View::Held | View::Queue | View::Delivered | View::Bounced => {
                    let request = SearchRequest { view, ..request.clone() };
                    seen.counted(&seen.scope(&request)?, EXACT_MAX)?
                }
            };
            Ok(ViewCount { view, count })
        };
        View::ALL.into_iter().map(of_view).collect()
    }
}

impl Seen<'_> {
    /// How many events are in a scope, exact to `exact_max`.
    pub(crate) fn counted(&self, scope: &Scope, exact_max: u64) -> Result<Count, CenterError> {
        let found = self.events.count(&scope.query(self.patience()), exact_max)?;
        Ok(Count {
            count: found.rows,
            exact: found.exactness == Exactness::Exact,
            at_least: found.exactness == Exactness::AtLeast,
            missing: found.missing.into_iter().map(Span::from).collect(),
        })
    }
}
