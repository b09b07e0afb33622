//! The tiles of the overview that count what happened.

use std::ops::Range;
use std::time::Duration;

use store::StoreError;
use store::search::{FacetBy, Filter, Query, Tallied, TallyPlan, TextColumn, WordColumn};
use store::search::{NumberColumn, RowsPage};
use types::{Caller, OutcomeKind, Permission, Reason, Timestamp};

use super::{Figure, GreylistFunnel, ListLink, NowTile, OverviewSpan, RefusedBar, TopList, TopRow};
use crate::query::edit;
use crate::sight::Seen;
use crate::views::View;
use crate::{Center, CenterError, permit, presentable_within};

/// Bars and rows of a tile.
const ROWS_MAX: usize = 10;
/// Longest label, in characters.
const LABEL_CHARS_MAX: usize = 80;
const MINUTE: Duration = Duration::from_secs(60);
const WEEK: Duration = Duration::from_secs(7 * 86_400);
/// Longer than any greylist window may be, in seconds: nine days.
const WAIT_S_MAX: u64 = 9 * 86_400;

/// A list of the commonest: its heading, what is counted, and the query for a
/// value.
type TopSource = (&'static str, FacetBy, fn(&str) -> String);

impl Center {
    /// How it goes at this moment.
    ///
    /// # Errors
    ///
    /// See [`CenterError`].
    pub fn overview_now(&self, caller: &Caller) -> Result<NowTile, CenterError> {
        permit(caller, Permission::SeeMetadata)?;
        let now = self.parts.clock.now();
        let counts = self.parts.sessions.counts();
        let seen = self.seen_by(caller);
        let queue = seen.queue_depth();
        let all = now.before(WEEK)..now + MINUTE;
        let held = ListLink { view: View::Held, ..ListLink::default() };
        let last_minute = now.before(MINUTE)..now + MINUTE;
        Ok(NowTile {
            // Sessions belong to no recipient.
            sessions_open: caller
                .sight
                .is_everything()
                .then(|| counts.sessions_opened.saturating_sub(counts.sessions_finished)),
            attempts_per_minute: seen.attempts(&Filter::IsAttempt, last_minute)?,
            queue_messages: queue.waiting,
            queue_oldest_age_s: queue.oldest_waiting.map(|oldest| now.since(oldest).as_secs()),
            held: seen.figure(held)?,
            last_accepted: seen.newest(&Filter::Outcome(OutcomeKind::Accepted), all.clone())?,
            last_attempt: seen.newest(&Filter::IsAttempt, all)?,
            checks: self.readiness(),
        })
    }

    /// Why mail was refused: the ten commonest reasons, with the same time a
    /// week before beside them.
    ///
    /// # Errors
    ///
    /// See [`CenterError`].
    pub fn overview_refused(
        &self,
        caller: &Caller,
        span: OverviewSpan,
    ) -> Result<Vec<RefusedBar>, CenterError> {
        permit(caller, Permission::SeeMetadata)?;
        let seen = self.seen_by(caller);
        let times = seen.scope(&ListLink::since(View::All, "", span).request())?.times;
        let before = times.start.before(WEEK)..times.end.before(WEEK);
        let rejected = Filter::Outcome(OutcomeKind::Rejected);
        let now = seen.reasons(&rejected, times)?;
        let kept = self.remembered_from().is_some_and(|from| from <= before.start);
        let week_before = match caller.sight.is_everything() {
            _ if kept => Some(seen.reasons(&rejected, before)?),
            true => self.refused_by_hour(&before)?,
            // What outlives the events was counted of everybody's mail.
            false => None,
        };
        let bar = |(reason, count): (Reason, u64)| {
            let query = edit::term("type", reason.slug());
            let then = |counts: &Vec<(Reason, u64)>| {
                counts.iter().find(|(other, _)| *other == reason).map_or(0, |(_, count)| *count)
            };
            RefusedBar {
                reason,
                label: reason.label().to_owned(),
                now: Figure { count, link: ListLink::since(View::Rejected, query, span) },
                week_before: week_before.as_ref().map(then),
            }
        };
        Ok(now.into_iter().take(ROWS_MAX).map(bar).collect())
    }

    /// What greylisting does.
    ///
    /// # Errors
    ///
    /// See [`CenterError`].
    pub fn overview_greylist(
        &self,
        caller: &Caller,
        span: OverviewSpan,
    ) -> Result<GreylistFunnel, CenterError> {
        permit(caller, Permission::SeeMetadata)?;
        let seen = self.seen_by(caller);
        let of_first = |more: &str| {
            let query = format!("type:greylist.first_seen {more}");
            seen.figure(ListLink::since(View::Deferred, query.trim_end(), span))
        };
        let times = seen.scope(&ListLink::since(View::All, "", span).request())?.times;
        let first_contacts = of_first("")?;
        let came_back = of_first("retried:yes")?;
        let delivered = of_first("is:delivered")?;
        let never_returned = of_first("is:expired")?;
        let waiting = of_first("retried:no -is:expired")?;
        Ok(GreylistFunnel {
            first_contacts: first_contacts.count,
            came_back: came_back.count,
            delivered: delivered.count,
            never_returned: never_returned.count,
            waiting: waiting.count,
            median_wait_ms: seen.median_wait_ms(times)?,
            links: [first_contacts, came_back, delivered, never_returned, waiting]
                .map(|figure| figure.link)
                .into(),
        })
    }

    /// Who sends and receives most.
    ///
    /// # Errors
    ///
    /// See [`CenterError`].
    pub fn overview_top(
        &self,
        caller: &Caller,
        span: OverviewSpan,
    ) -> Result<Vec<TopList>, CenterError> {
        permit(caller, Permission::SeeMetadata)?;
        let seen = self.seen_by(caller);
        let scope = seen.scope(&ListLink::since(View::All, "", span).request())?;
        let lists: [TopSource; 3] = [
            ("Senders", FacetBy::Text(TextColumn::From), |value| edit::exact_term("from", value)),
            ("Recipients", FacetBy::Text(TextColumn::To), |value| edit::exact_term("to", value)),
            ("Networks", FacetBy::Network, |value| edit::term("ip", value)),
        ];
        let facets = lists.iter().map(|(_, by, _)| *by).collect();
        let plan = TallyPlan { facets, values_max: ROWS_MAX, ..TallyPlan::default() };
        let tallied = seen.events.tally(&scope.query(self.patience()), &plan)?;
        let row = |term: fn(&str) -> String, (value, count): (String, u64)| TopRow {
            label: presentable_within(&value, LABEL_CHARS_MAX),
            figure: Figure { count, link: ListLink::since(View::All, term(&value), span) },
        };
        let list = |((label, _, term), facet): (TopSource, store::search::Facet)| {
            let rows = facet.values.into_iter().map(|value| row(term, value)).collect();
            TopList { label: label.to_owned(), rows }
        };
        Ok(lists.into_iter().zip(tallied.facets).map(list).collect())
    }
}

impl Seen<'_> {
    /// A number by the list behind it, so that both always agree.
    fn figure(&self, link: ListLink) -> Result<Figure, CenterError> {
        let scope = self.scope(&link.request())?;
        let count = self.counted(&scope, u64::MAX)?.count;
        Ok(Figure { count, link })
    }

    /// How many events match, exactly.
    pub(super) fn attempts(
        &self,
        filter: &Filter,
        times: Range<Timestamp>,
    ) -> Result<u64, CenterError> {
        let query = Query { filter, times, stop: self.patience() };
        Ok(self.events.count(&query, u64::MAX)?.rows)
    }

    /// When the newest event that matches happened.
    pub(super) fn newest(
        &self,
        filter: &Filter,
        times: Range<Timestamp>,
    ) -> Result<Option<Timestamp>, CenterError> {
        let query = Query { filter, times, stop: self.patience() };
        let page = RowsPage { after: None, rows_max: 1 };
        let found = self.events.rows(&query, store::search::Order::NEWEST, &page)?;
        Ok(found.events.first().map(|event| event.at))
    }

    /// How often each reason occurs, most frequent first.
    pub(super) fn reasons(
        &self,
        filter: &Filter,
        times: Range<Timestamp>,
    ) -> Result<Vec<(Reason, u64)>, CenterError> {
        let query = Query { filter, times, stop: self.patience() };
        tally_reasons(|plan| self.events.tally(&query, plan))
    }

    /// How long half of the retries that passed took at most, to the second:
    /// found by halving the span, because counting a column costs less than
    /// putting its values in order.
    fn median_wait_ms(&self, times: Range<Timestamp>) -> Result<Option<u64>, CenterError> {
        let passed = Filter::Word(WordColumn::Triplet, vec!["passed".to_owned()]);
        let at_most = |seconds: u64| {
            let wait = Filter::Number(NumberColumn::Wait, 1..=seconds.saturating_mul(1_000));
            self.attempts(&Filter::All(vec![passed.clone(), wait]), times.clone())
        };
        let all = at_most(WAIT_S_MAX)?;
        if all == 0 {
            return Ok(None);
        }
        let (mut low, mut high) = (0, WAIT_S_MAX);
        while low < high {
            let middle = u64::midpoint(low, high);
            match at_most(middle)? >= all.div_ceil(2) {
                true => high = middle,
                false => low = middle + 1,
            }
        }
        Ok(Some(low * 1_000))
    }
}

/// How often each reason occurs among what `tally` goes through, most
/// frequent first.
pub(crate) fn tally_reasons(
    tally: impl FnOnce(&TallyPlan) -> Result<Tallied, StoreError>,
) -> Result<Vec<(Reason, u64)>, CenterError> {
    let plan = TallyPlan {
        facets: vec![FacetBy::Word(WordColumn::Reason)],
        values_max: Reason::ALL.len(),
        ..TallyPlan::default()
    };
    let values = tally(&plan)?.facets.into_iter().flat_map(|facet| facet.values);
    Ok(values.filter_map(|(slug, count)| Some((slug.parse().ok()?, count))).collect())
}
