//! What to do about an empty list.

use serde::{Deserialize, Serialize};
use types::{Caller, Permission};

use super::count::EXACT_MAX;
use super::page::BeyondRetention;
use super::{Count, Scope, SearchRequest};
use crate::query::edit;
use crate::sight::{Seen, reads_subjects};
use crate::views::View;
use crate::{Center, CenterError, permit};

/// One way out of an empty list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
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
    /// The query asks for a word of a subject, and there are attempts that
    /// ended before one was sent.
    NoSubject {
        /// The query for these.
        query: String,
        /// How many there are.
        count: Count,
    },
    /// There are matches in another list.
    OtherView {
        /// The list that has them.
        view: View,
        /// How many there are.
        count: Count,
    },
    /// The range is older than what is kept.
    Beyond(BeyondRetention),
}

/// Ranges that people widen to, narrowest first: as a request writes them,
/// and as people read them.
const WIDER: [(&str, &str); 4] = [
    ("now-24h", "the last 24 hours"),
    ("now-7d", "the last 7 days"),
    ("now-30d", "the last 30 days"),
    ("", "all that is kept"),
];

/// What ended before a subject was sent.
const NO_SUBJECT: &str = "-subject:* is:deferred,rejected";

/// Most chips that are tried.
const CHIPS_MAX: usize = 8;

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
        let seen = self.seen_by(caller);
        let scope = seen.scope(request)?;
        if seen.events.oldest().is_none() {
            return Ok(vec![Hint::NothingYet]);
        }
        let beyond = seen.beyond(caller, &scope)?.map(Hint::Beyond);
        let mut hints: Vec<Hint> = beyond.into_iter().collect();
        hints.extend(seen.wider(request, &scope)?);
        hints.extend(seen.without_a_subject(request)?);
        hints.extend(seen.without_a_chip(request)?);
        // Of an empty list without a query there is nothing to be found elsewhere.
        if request.view != View::All && !request.query.trim().is_empty() {
            let view = View::All;
            let count = seen.matches(&SearchRequest { view, ..request.clone() })?;
            hints.extend((count.count > 0).then_some(Hint::OtherView { view, count }));
        }
        Ok(hints)
    }
}

impl Seen<'_> {
    fn matches(&self, request: &SearchRequest) -> Result<Count, CenterError> {
        self.counted(&self.scope(request)?, EXACT_MAX)
    }

    /// The narrowest wider range in which there is something.
    fn wider(&self, request: &SearchRequest, scope: &Scope) -> Result<Option<Hint>, CenterError> {
        for (from, label) in WIDER {
            let to = String::new();
            let wider = SearchRequest { from: from.to_owned(), to, ..request.clone() };
            let times = self.scope(&wider)?.times;
            if times.start >= scope.times.start && times.end <= scope.times.end {
                continue;
            }
            let count = self.matches(&wider)?;
            if count.count > 0 {
                let (from, label) = (from.to_owned(), label.to_owned());
                return Ok(Some(Hint::Wider { from, label, count }));
            }
        }
        Ok(None)
    }

    /// The attempts that have no subject, where a subject is asked for, among
    /// those that match everything else.
    fn without_a_subject(&self, request: &SearchRequest) -> Result<Option<Hint>, CenterError> {
        if !self.events.subjects() {
            return Ok(None);
        }
        let mut query = String::new();
        let mut asks = false;
        for chip in edit::chips(&request.query)? {
            let alone = SearchRequest { query: chip.text.clone(), ..SearchRequest::default() };
            match reads_subjects(&self.scope(&alone)?.filter) && !chip.negated {
                true => asks = true,
                false => query = edit::and(&query, &chip.text),
            }
        }
        if !asks {
            return Ok(None);
        }
        let query = edit::and(&query, NO_SUBJECT);
        let all = SearchRequest { query: query.clone(), view: View::All, ..request.clone() };
        let count = self.matches(&all)?;
        Ok((count.count > 0).then_some(Hint::NoSubject { query, count }))
    }

    /// The chips without which there would be something; the one that stands
    /// most in the way first.
    fn without_a_chip(&self, request: &SearchRequest) -> Result<Vec<Hint>, CenterError> {
        let mut found = Vec::new();
        let chips = edit::chips(&request.query)?;
        for (place, chip) in chips.iter().enumerate().take(CHIPS_MAX) {
            let query = edit::without(&request.query, place);
            let count = self.matches(&SearchRequest { query: query.clone(), ..request.clone() })?;
            if count.count > 0 {
                found.push((count.count, Hint::Without { chip: chip.text.clone(), query, count }));
            }
        }
        found.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
        Ok(found.into_iter().map(|(_, hint)| hint).collect())
    }
}
