//! The conservation sum by the hour: what the event log keeps of each hour,
//! beside what the listeners counted in it.
//!
//! The counters belong to the process. What they came to in each hour is kept
//! in the state database once a minute and at an orderly end, so that hours
//! before a restart have theirs, and an hour with a restart in it has the sum;
//! a process that is killed takes its last minute along. They are read once a
//! second: what happens within a second of the hour may be counted on the
//! other side of it. Counters of one row are all read at the same moment, so
//! their difference does not depend on that.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use store::Filter;
use store::contract::Page;
use types::{Caller, OutcomeKind, Permission, Timestamp};

use crate::{Center, CenterError, SessionCounts, permit};

/// Most hours shown, and hours whose counters are remembered: a week.
pub const HOURS_MAX: usize = 7 * 24;

pub(crate) const HOUR: Duration = Duration::from_secs(3_600);

/// One hour of the conservation sum.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct HourRow {
    /// When the hour began, UTC.
    pub hour: Timestamp,
    /// Attempt events of this hour in the event log, by outcome.
    pub kept: Vec<(OutcomeKind, u64)>,
    /// Whether a part of the event log of this hour could not be read.
    pub missing: bool,
    /// What was counted in it; nothing if nobody ran.
    pub counted: Option<HourCounts>,
}

/// What was counted in one hour, by every process that ran in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct HourCounts {
    /// From when: the beginning of the hour, or the start of the process.
    pub since: Timestamp,
    /// Sessions that began.
    pub sessions_opened: u64,
    /// Attempts that were opened.
    pub attempts_opened: u64,
    /// Attempts that ended in an event.
    pub attempts_finished: u64,
    /// Attempts whose event could not be stored.
    pub attempts_unrecorded: u64,
    /// Attempts open at its end.
    pub attempts_open: u64,
    /// Attempt events recorded.
    pub recorded: u64,
    /// Recorded minus finished, summed up from the start of the process to
    /// the end of this hour. Zero, or the few that were being written.
    pub difference: i64,
}

/// The counters as they stood at one moment.
#[derive(Clone, Copy, Debug, Default)]
struct Reading {
    counts: SessionCounts,
    recorded: u64,
}

/// The counters at the beginning of an hour, and when they were last read.
struct Hour {
    since: Timestamp,
    begin: Reading,
    end: Reading,
}

/// The counters of the last hours.
#[derive(Default)]
pub(crate) struct Hours {
    rows: Mutex<VecDeque<Hour>>,
    /// What processes before this one counted, oldest first.
    earlier: Mutex<Vec<HourCounts>>,
}

/// Under which name the hours are kept in the state database.
const FACT: &str = "conservation_hours";

impl Hours {
    fn note(&self, now: Timestamp, reading: Reading) {
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let hour = hour_of(now);
        match rows.back_mut() {
            Some(row) if hour_of(row.since) >= hour => row.end = reading,
            Some(row) => {
                // Read at most a second after the hour ended.
                row.end = reading;
                rows.push_back(Hour { since: hour, begin: reading, end: reading });
            }
            // Everything counted so far was counted since the start.
            None => {
                rows.push_back(Hour { since: now, begin: Reading::default(), end: reading });
            }
        }
        if rows.len() > HOURS_MAX {
            rows.pop_front();
        }
    }

    fn counted(&self, hour: Timestamp) -> Option<HourCounts> {
        self.all().into_iter().find(|counts| hour_of(counts.since) == hour)
    }

    /// What was counted in each hour, oldest first, [`HOURS_MAX`] at most.
    fn all(&self) -> Vec<HourCounts> {
        let rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let earlier = self.earlier.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<HourCounts> = Vec::with_capacity(earlier.len() + rows.len());
        for counts in earlier.iter().cloned().chain(rows.iter().map(HourCounts::from)) {
            match all.iter_mut().find(|other| hour_of(other.since) == hour_of(counts.since)) {
                Some(other) => other.add(&counts),
                None => all.push(counts),
            }
        }
        all.sort_by_key(|counts| counts.since);
        all.split_off(all.len().saturating_sub(HOURS_MAX))
    }

    fn restore(&self, earlier: Vec<HourCounts>) {
        *self.earlier.lock().unwrap_or_else(PoisonError::into_inner) = earlier;
    }
}

impl HourCounts {
    /// Adds what a later process counted in the same hour. What was open when
    /// the one before it ended is open no more.
    fn add(&mut self, later: &HourCounts) {
        self.sessions_opened += later.sessions_opened;
        self.attempts_opened += later.attempts_opened;
        self.attempts_finished += later.attempts_finished;
        self.attempts_unrecorded += later.attempts_unrecorded;
        self.recorded += later.recorded;
        self.attempts_open = later.attempts_open;
        self.difference = self.difference.saturating_add(later.difference);
    }
}

impl From<&Hour> for HourCounts {
    fn from(row: &Hour) -> Self {
        let (begin, end) = (&row.begin.counts, &row.end.counts);
        let signed = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        HourCounts {
            since: row.since,
            sessions_opened: end.sessions_opened.saturating_sub(begin.sessions_opened),
            attempts_opened: end.attempts_opened.saturating_sub(begin.attempts_opened),
            attempts_finished: end.attempts_finished.saturating_sub(begin.attempts_finished),
            attempts_unrecorded: end.attempts_unrecorded.saturating_sub(begin.attempts_unrecorded),
            attempts_open: end
                .attempts_opened
                .saturating_sub(end.attempts_finished + end.attempts_unrecorded),
            recorded: row.end.recorded.saturating_sub(row.begin.recorded),
            difference: signed(row.end.recorded) - signed(end.attempts_finished),
        }
    }
}

/// When the hour of `at` began.
pub(crate) fn hour_of(at: Timestamp) -> Timestamp {
    let hour_ms = i64::try_from(HOUR.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millis(at.as_millis() - at.as_millis().rem_euclid(hour_ms))
}

impl Center {
    /// Reads the counters for the sum by the hour; called once a second.
    pub fn note_hour(&self) {
        self.hours.note(self.parts.clock.now(), self.reading());
    }

    fn reading(&self) -> Reading {
        let counts = self.parts.sessions.counts();
        Reading { counts, recorded: self.parts.events.attempts().iter().sum() }
    }

    /// Keeps the sum by the hour over a restart; to be called from time to
    /// time and at the end.
    ///
    /// # Errors
    ///
    /// A state database that cannot be written.
    pub fn keep_hours(&self) -> Result<(), CenterError> {
        let kept = serde_json::to_string(&self.hours.all());
        let kept = kept.map_err(|error| CenterError::invalid(error.to_string()))?;
        Ok(self.parts.policies.set_fact(FACT, Some(&kept))?)
    }

    /// Brings back what processes before this one counted; to be called once,
    /// at the start. What cannot be understood is forgotten.
    ///
    /// # Errors
    ///
    /// A state database that cannot be read.
    pub fn restore_hours(&self) -> Result<(), CenterError> {
        let kept = self.parts.policies.fact(FACT)?.unwrap_or_default();
        self.hours.restore(serde_json::from_str(&kept).unwrap_or_default());
        Ok(())
    }

    /// The conservation sum of the last `hours` hours, the running one
    /// first; at least one and at most [`HOURS_MAX`].
    ///
    /// # Errors
    ///
    /// [`CenterError::Denied`], or an event log that cannot be read.
    pub fn conservation_hours(
        &self,
        caller: &Caller,
        hours: usize,
    ) -> Result<Vec<HourRow>, CenterError> {
        permit(caller, Permission::SystemStatus)?;
        self.note_hour();
        let mut hour = hour_of(self.parts.clock.now());
        let mut rows = Vec::new();
        for _ in 0..hours.clamp(1, HOURS_MAX) {
            rows.push(self.hour_row(hour)?);
            hour = hour.before(HOUR);
        }
        Ok(rows)
    }

    fn hour_row(&self, hour: Timestamp) -> Result<HourRow, CenterError> {
        let mut row =
            HourRow { hour, kept: Vec::new(), missing: false, counted: self.hours.counted(hour) };
        // Only the count is wanted, but a page has at least one row.
        let page = Page { after: None, rows_max: 1, count_max: usize::MAX };
        for outcome in OutcomeKind::ALL {
            let filter = Filter::All(vec![Filter::IsAttempt, Filter::Outcome(outcome)]);
            let found = self.memory.of_house().search(&filter, hour..hour + HOUR, page)?;
            row.kept.push((outcome, u64::try_from(found.count).unwrap_or(u64::MAX)));
            row.missing |= !found.missing.is_empty();
        }
        Ok(row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(1_795_255_200_000 + seconds * 1_000)
    }

    fn reading(opened: u64, finished: u64, unrecorded: u64) -> Reading {
        let counts = SessionCounts {
            sessions_opened: opened,
            sessions_finished: finished,
            attempts_opened: opened,
            attempts_finished: finished,
            attempts_unrecorded: unrecorded,
        };
        Reading { counts, recorded: finished }
    }

    #[test]
    fn each_hour_has_what_was_counted_in_it_and_the_sums_agree() {
        let hours = Hours::default();
        hours.note(at(1_800), reading(2, 1, 0));
        hours.note(at(3_599), reading(10, 8, 1));
        hours.note(at(3_600), reading(11, 9, 1));
        hours.note(at(7_199), reading(15, 14, 1));
        let first = hours.counted(at(0)).unwrap();
        assert_eq!(first.since, at(1_800));
        assert_eq!((first.attempts_opened, first.attempts_finished), (11, 9));
        assert_eq!((first.attempts_unrecorded, first.attempts_open), (1, 1));
        let second = hours.counted(at(3_600)).unwrap();
        assert_eq!((second.since, second.attempts_opened, second.recorded), (at(3_600), 4, 5));
        assert_eq!((second.attempts_open, second.difference), (0, 0));
        // What was open when the hour began and was opened in it has ended in
        // it or is open at its end.
        assert_eq!(
            first.attempts_open + second.attempts_opened,
            second.attempts_finished + second.attempts_unrecorded + second.attempts_open
        );
        assert_eq!(hours.counted(at(7_200)), None);
    }

    #[test]
    fn what_was_counted_before_a_restart_is_kept_and_an_hour_with_one_has_the_sum() {
        let gateway = crate::tests::Gateway::new(at(0));
        let first = &gateway.center;
        first.hours.note(at(-3_600), reading(5, 4, 0));
        first.hours.note(at(1), reading(7, 7, 0));
        first.keep_hours().unwrap();
        let second = gateway.another_process();
        second.restore_hours().unwrap();
        second.hours.note(at(60), reading(3, 2, 0));
        let before = second.hours.counted(at(-3_600)).unwrap();
        assert_eq!((before.attempts_opened, before.attempts_finished), (7, 7));
        let running = second.hours.counted(at(0)).unwrap();
        assert_eq!((running.since, running.attempts_opened, running.recorded), (at(0), 3, 2));
        second.keep_hours().unwrap();
        let third = gateway.another_process();
        third.restore_hours().unwrap();
        third.hours.note(at(120), reading(10, 10, 1));
        let sum = third.hours.counted(at(0)).unwrap();
        assert_eq!((sum.attempts_opened, sum.attempts_finished), (13, 12));
        assert_eq!((sum.attempts_unrecorded, sum.difference), (1, 0));
        assert_eq!(third.conservation_hours(&Caller::with_all("root"), 2).unwrap().len(), 2);
    }

    #[test]
    fn a_clock_that_goes_back_makes_no_hour_twice_and_old_hours_are_forgotten() {
        let hours = Hours::default();
        for hour in (0..200).chain(150..160) {
            hours.note(at(hour * 3_600), Reading::default());
        }
        assert_eq!(hours.rows.lock().unwrap().len(), HOURS_MAX);
        assert!(hours.counted(at(0)).is_none() && hours.counted(at(199 * 3_600)).is_some());
    }
}
