//! What comes, as it comes: for the live tail, `trace --follow` and the
//! stream of the API.

use store::search::FollowPosition;
use types::{Caller, Permission};

use crate::search::{Row, SearchRequest};
use crate::{Center, CenterError, permit};

/// Events looked at in one call.
const LOOK_AT_MAX: usize = 2_000;

/// What came after a position.
#[derive(Clone, Debug, PartialEq)]
pub struct FollowedRows {
    /// The rows that match, in the order in which they came, each with its
    /// own position: where to go on for who saw it last.
    pub rows: Vec<(String, Row)>,
    /// Where to go on, also if nothing matched. Not for whoever is asked for:
    /// it names the newest event of all, theirs or not.
    pub position: String,
    /// Where whoever saw these rows comes back: the same for those who see
    /// everything; for others the last row of their own, or when they began.
    /// Empty where that is where they came back last.
    pub resume: String,
    /// Whether there is more right now.
    pub more: bool,
    /// Whether rows may come that were seen before, because the position
    /// is from before a restart: whoever minds compares their ids.
    pub repeated: bool,
    /// Whether the position is older than all that is kept: rows were missed.
    pub too_old: bool,
}

impl Center {
    /// The rows that came after a position and match the query and the view
    /// of the request; its times, order and page do not matter. Without a
    /// position, from now on: there are no rows yet, but a position.
    ///
    /// # Errors
    ///
    /// A query that cannot be understood, a position that is not ours.
    pub fn follow(
        &self,
        caller: &Caller,
        request: &SearchRequest,
        after: Option<&str>,
    ) -> Result<FollowedRows, CenterError> {
        permit(caller, Permission::SeeMetadata)?;
        let seen = self.seen_by(caller);
        let scope = seen.scope(request)?;
        let after: FollowPosition = match after {
            Some(text) => text.parse().map_err(|_| {
                CenterError::invalid("the last event id is not one this server gave out")
            })?,
            None => {
                let position = seen.events.now_at().to_string();
                let resume = match caller.sight.is_everything() {
                    true => position.clone(),
                    false => FollowPosition::at(self.parts.clock.now()).to_string(),
                };
                let (rows, more, repeated, too_old) = (Vec::new(), false, false, false);
                return Ok(FollowedRows { rows, position, resume, more, repeated, too_old });
            }
        };
        let found = seen.events.follow(&scope.filter, &after, LOOK_AT_MAX)?;
        let by_time = found.position.by_time;
        let place = |event: &types::Event| {
            FollowPosition { at: event.at, id: Some(event.id), by_time }.to_string()
        };
        let rows: Vec<_> =
            found.events.iter().map(|event| (place(event), Row::of(event))).collect();
        let position = found.position.to_string();
        let resume = match caller.sight.is_everything() {
            true => position.clone(),
            false => rows.last().map_or_else(String::new, |(place, _)| place.clone()),
        };
        Ok(FollowedRows {
            rows,
            position,
            resume,
            more: found.more,
            repeated: found.repeated,
            too_old: found.too_old,
        })
    }
}
