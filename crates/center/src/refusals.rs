//! How often mail was refused for which reason in each hour: kept longer than
//! the events are, so that a week can be compared with the week before.
//!
//! An hour is counted from the event log once it is over; a start that finds
//! hours uncounted counts them then, as long as their events are there. The
//! counts are of everybody's mail: whoever sees only some domains has nothing
//! to compare with beyond the events.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use store::search::{Filter, Query};
use types::{OutcomeKind, Reason, Timestamp};

use crate::hours::{HOUR, hour_of};
use crate::overview::tiles::tally_reasons;
use crate::{Center, CenterError};

/// Hours kept: two weeks, to compare the last one with, and two days more.
const HOURS_KEPT: usize = 16 * 24;
/// How long after its end an hour is counted: events are recorded when an
/// attempt has ended, and the clock writes expiries a little late.
const SETTLE: Duration = Duration::from_secs(120);
/// Under which name they are kept in the state database.
const FACT: &str = "refusals_by_hour";

/// Refusals by reason of each hour, by its beginning in milliseconds. An hour
/// without refusals is there too: it was counted.
type ByHour = BTreeMap<i64, BTreeMap<String, u64>>;

/// What was counted; nothing before it was first asked for.
#[derive(Default)]
pub(crate) struct Refusals(Mutex<Option<ByHour>>);

impl Center {
    /// Counts the hours that are over; to be called from time to time. Cheap
    /// if none has ended since.
    ///
    /// # Errors
    ///
    /// An event log or a state database that cannot be read or written; the
    /// next call takes it up again.
    pub fn keep_refusals(&self) -> Result<(), CenterError> {
        let over = hour_of(self.parts.clock.now().before(SETTLE));
        let Some(oldest) = self.remembered_from() else { return Ok(()) };
        let kept_from = over.before(HOUR * u32::try_from(HOURS_KEPT).unwrap_or(u32::MAX));
        let mut hours = self.counted_hours()?;
        let Some(by_hour) = hours.as_mut() else { return Ok(()) };
        let before = by_hour.len();
        let mut hour = hour_of(oldest).max(kept_from);
        while hour < over {
            if let Entry::Vacant(place) = by_hour.entry(hour.as_millis()) {
                place.insert(self.refused_in(hour..hour + HOUR)?);
            }
            hour = hour + HOUR;
        }
        if by_hour.len() == before {
            return Ok(());
        }
        by_hour.retain(|at, _| *at >= kept_from.as_millis());
        let kept = serde_json::to_string(&by_hour);
        let kept = kept.map_err(|error| CenterError::invalid(error.to_string()))?;
        Ok(self.parts.policies.set_fact(FACT, Some(&kept))?)
    }

    /// How often mail was refused for each reason, in the whole hours that
    /// begin in `times`; nothing unless every one of them was counted.
    pub(crate) fn refused_by_hour(
        &self,
        times: &Range<Timestamp>,
    ) -> Result<Option<Vec<(Reason, u64)>>, CenterError> {
        let hours = self.counted_hours()?;
        let Some(by_hour) = hours.as_ref() else { return Ok(None) };
        let (first, end) = (hour_of(times.start), hour_of(times.end));
        let mut counts: BTreeMap<Reason, u64> = BTreeMap::new();
        let mut hour = first;
        while hour < end {
            let Some(counted) = by_hour.get(&hour.as_millis()) else { return Ok(None) };
            // A reason that this version no longer has is in no bar.
            for (reason, count) in
                counted.iter().filter_map(|(slug, n)| Some((slug.parse().ok()?, n)))
            {
                *counts.entry(reason).or_default() += count;
            }
            hour = hour + HOUR;
        }
        Ok((first < end).then(|| counts.into_iter().collect()))
    }

    /// What was counted so far, read once. What cannot be understood is
    /// counted anew, as far back as there are events.
    fn counted_hours(&self) -> Result<MutexGuard<'_, Option<ByHour>>, CenterError> {
        let mut hours = self.refusals.0.lock().unwrap_or_else(PoisonError::into_inner);
        if hours.is_none() {
            let kept = self.parts.policies.fact(FACT)?.unwrap_or_default();
            *hours = Some(serde_json::from_str(&kept).unwrap_or_default());
        }
        Ok(hours)
    }

    fn refused_in(&self, times: Range<Timestamp>) -> Result<BTreeMap<String, u64>, CenterError> {
        let filter = Filter::Outcome(OutcomeKind::Rejected);
        let query = Query { filter: &filter, times, stop: self.patience() };
        let counts = tally_reasons(|plan| self.memory.search_of_house().tally(&query, plan))?;
        Ok(counts.into_iter().map(|(reason, count)| (reason.slug().to_owned(), count)).collect())
    }
}

#[cfg(test)]
mod tests {
    use types::{Caller, Event, EventId, Sight};

    use super::*;
    use crate::overview::OverviewSpan;
    use crate::tests::{Gateway, at, sample};

    const DAY_S: i64 = 86_400;
    const WEEK_S: i64 = 7 * DAY_S;

    fn root() -> Caller {
        Caller::with_all("root")
    }

    /// An unknown recipient refused so many seconds after ten.
    fn refused(seconds: i64) -> Event {
        let number = seconds.unsigned_abs();
        let mut random = [1; 10];
        random[2..].copy_from_slice(&number.to_be_bytes());
        let at = at(seconds);
        let event = sample(number, Reason::RecipientUnknown);
        Event { id: EventId::new(at, random), at, started: at, ..event }
    }

    fn week_before(center: &Center, caller: &Caller, span: OverviewSpan) -> (u64, Option<u64>) {
        let bars = center.overview_refused(caller, span).unwrap();
        (bars[0].now.count, bars[0].week_before)
    }

    /// Four refusals on the same day a week ago, of which nothing is left but
    /// what was counted, and six today.
    fn a_week_later() -> Gateway {
        let before = Gateway::new(at(200 - WEEK_S));
        let log = before.center.memory.of_house();
        log.record(vec![refused(-WEEK_S - DAY_S - 7_200)]).unwrap();
        log.record((1..=4).map(|n| refused(-WEEK_S - n * 3_600)).collect()).unwrap();
        before.center.keep_refusals().unwrap();
        let kept = before.center.parts.policies.fact(FACT).unwrap();
        let gateway = Gateway::new(at(0));
        gateway.center.parts.policies.set_fact(FACT, kept.as_deref()).unwrap();
        let today = (1..=6).map(|n| refused(-n * 3_600)).collect();
        gateway.center.memory.of_house().record(today).unwrap();
        gateway.center.keep_refusals().unwrap();
        gateway
    }

    #[test]
    fn a_day_is_compared_with_one_whose_events_are_gone() {
        let gateway = a_week_later();
        let day = OverviewSpan::Day;
        assert_eq!(week_before(&gateway.center, &root(), day), (6, Some(4)));
        let later = gateway.another_process();
        assert_eq!(week_before(&later, &root(), day), (6, Some(4)), "the counts are kept");
    }

    #[test]
    fn an_hour_that_nobody_counted_is_no_hour_without_refusals() {
        let gateway = a_week_later();
        assert_eq!(week_before(&gateway.center, &root(), OverviewSpan::Week), (6, None));
    }

    #[test]
    fn whoever_sees_some_domains_is_not_shown_what_was_counted_of_all() {
        let gateway = a_week_later();
        let some = Sight::of(vec!["corp.example".parse().unwrap()]).unwrap();
        let caller = root().seeing(some);
        assert_eq!(week_before(&gateway.center, &caller, OverviewSpan::Day), (6, None));
    }
}
