//! The rows before and after one row of a list, for going through a list
//! while one message is open.

use store::search::{FoundRows, RowsPage};
use types::{Caller, EventId, Permission};

use super::SearchRequest;
use super::paging::Against;
use crate::{Center, CenterError, permit};

/// The neighbours of a row in the order of its list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Beside {
    /// The row before it; nothing if it is the first.
    pub previous: Option<EventId>,
    /// The row after it; nothing if it is the last.
    pub next: Option<EventId>,
}

impl Center {
    /// The neighbours of the event `id` in the list of `request`. The event
    /// itself need not be in it (any more): its place in the order is what
    /// counts.
    ///
    /// # Errors
    ///
    /// As [`Center::search`], and [`CenterError::NotFound`] for an event that
    /// is not there.
    pub fn beside(
        &self,
        caller: &Caller,
        request: &SearchRequest,
        id: EventId,
    ) -> Result<Beside, CenterError> {
        permit(caller, Permission::SeeMetadata)?;
        let seen = self.seen_by(caller);
        let scope = seen.scope(request)?;
        let event = seen.events.event(id)?;
        let event = event.ok_or_else(|| CenterError::NotFound(format!("attempt {id}")))?;
        let order = request.sort.order();
        let page = RowsPage { after: Some(order.place_of(&event)), rows_max: 1 };
        let before = seen.against(&scope, order.against(), &page)?;
        let after = seen.events.rows(&scope.query(self.patience()), order, &page)?;
        let first = |found: FoundRows| found.events.first().map(|event| event.id);
        Ok(Beside { previous: first(before), next: first(after) })
    }
}
