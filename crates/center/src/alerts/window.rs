//! When an alert fires, as a function of the times of the events that match.
//!
//! All of it goes by the times of events, never by a clock, so that the same
//! events give the same firings however late or often they are looked at.

use std::collections::BTreeSet;
use std::time::Duration;

use types::{EventId, Timestamp};

use super::{AlertWhen, minutes_of};

/// One event: its time, and what tells it from others of the same.
pub(super) type Key = (Timestamp, EventId);

/// What is remembered of the events that matched: as many as decide whether
/// it fires, however many came.
#[derive(Debug)]
pub(super) struct Window {
    when: AlertWhen,
    quiet: Duration,
    /// What is not after this does not count.
    since: Timestamp,
    fired: Option<Timestamp>,
    /// The newest that matched, at most [`Window::kept_max`].
    newest: BTreeSet<Key>,
}

impl Window {
    pub(super) fn new(
        when: AlertWhen,
        quiet_minutes: u32,
        since: Timestamp,
        fired: Option<Timestamp>,
    ) -> Self {
        Window { when, quiet: minutes_of(quiet_minutes), since, fired, newest: BTreeSet::new() }
    }

    /// How many of the newest are remembered: those that make it fire.
    pub(super) fn kept_max(&self) -> usize {
        match self.when {
            AlertWhen::MoreThan { count, .. } => count as usize + 1,
            AlertWhen::First => 1,
        }
    }

    /// From when on events matter for one at `at`.
    pub(super) fn reaches_back_to(&self, at: Timestamp) -> Timestamp {
        let span = match self.when {
            AlertWhen::MoreThan { minutes, .. } => minutes_of(minutes),
            AlertWhen::First => self.quiet,
        };
        at.before(span).max(self.since)
    }

    /// Remembers an event from before all that is still to come.
    pub(super) fn known(&mut self, key: Key) {
        if key.0 > self.since {
            self.newest.insert(key);
            self.forget();
        }
    }

    /// An event that matches came; whether the alert fires at it, and at
    /// which time. One that came before changes nothing.
    pub(super) fn came(&mut self, key: Key) -> Option<Timestamp> {
        if key.0 <= self.since {
            return None;
        }
        let before = self.newest.last().copied();
        self.newest.insert(key);
        self.forget();
        let at = self.newest.last()?.0;
        let over = match self.when {
            AlertWhen::MoreThan { minutes, .. } => {
                let from = at.before(minutes_of(minutes));
                self.newest.len() == self.kept_max()
                    && self.newest.first().is_some_and(|oldest| oldest.0 > from)
            }
            // Written late, it is not the first even if its time is.
            AlertWhen::First => match before {
                None => true,
                Some(before) => key > before && key.0 >= before.0 + self.quiet,
            },
        };
        let quiet = self.fired.is_some_and(|fired| at < fired + self.quiet);
        (over && !quiet).then_some(at)
    }

    /// It fired at this time, and that is written down.
    pub(super) fn fired(&mut self, at: Timestamp) {
        self.fired = Some(at);
    }

    fn forget(&mut self) {
        while self.newest.len() > self.kept_max() {
            self.newest.pop_first();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEVER: [i64; 0] = [];

    fn at(second: i64) -> Timestamp {
        Timestamp::from_millis(1_795_000_000_000 + second * 1_000)
    }

    fn key(second: i64, number: u16) -> Key {
        let [high, low] = number.to_be_bytes();
        (at(second), EventId::new(at(second), [high, low, 0, 0, 0, 0, 0, 0, 0, 0]))
    }

    /// Which of the events, given by their seconds, made it fire.
    fn firings(window: &mut Window, seconds: &[i64]) -> Vec<i64> {
        let mut firings = Vec::new();
        for (number, &second) in (0..).zip(seconds) {
            if let Some(fired) = window.came(key(second, number)) {
                window.fired(fired);
                firings.push(second);
            }
        }
        firings
    }

    fn more_than(count: u32, minutes: u32, quiet: u32) -> Window {
        Window::new(AlertWhen::MoreThan { count, minutes }, quiet, at(0), None)
    }

    #[test]
    fn more_than_so_many_fires_at_the_first_too_many() {
        assert_eq!(firings(&mut more_than(2, 1, 1), &[1, 2, 3]), [3]);
        // The window is open at its beginning: a minute later is outside.
        assert_eq!(firings(&mut more_than(2, 1, 1), &[1, 2, 61]), NEVER);
        assert_eq!(firings(&mut more_than(2, 1, 1), &[2, 2, 61]), [61]);
        assert_eq!(firings(&mut more_than(0, 1, 1), &[7]), [7], "more than none is any");
        assert_eq!(firings(&mut more_than(2, 1, 1), &[]), NEVER);
    }

    #[test]
    fn no_event_is_in_two_firings_and_it_does_not_repeat_in_the_quiet_time() {
        // One a second: fires at the third, then with the third after the minute.
        let seconds: Vec<i64> = (1..=200).collect();
        assert_eq!(firings(&mut more_than(2, 1, 1), &seconds), [3, 63, 123, 183]);
        assert_eq!(firings(&mut more_than(2, 1, 2), &seconds), [3, 123]);
        // What came in the quiet time counts once it is over.
        assert_eq!(firings(&mut more_than(2, 1, 1), &[1, 2, 3, 61, 62, 63]), [3, 63]);
        assert_eq!(firings(&mut more_than(2, 1, 1), &[1, 2, 3, 4, 63, 64]), [3]);
    }

    #[test]
    fn an_event_seen_again_counts_once() {
        let mut window = more_than(2, 1, 1);
        for _ in 0..5 {
            assert_eq!(window.came(key(1, 1)), None);
            assert_eq!(window.came(key(2, 2)), None);
        }
        assert_eq!(window.came(key(3, 3)), Some(at(3)));
        window.fired(at(3));
        assert_eq!(window.came(key(3, 3)), None, "it fired already");
        assert!(window.newest.len() == 3, "nothing more is remembered");
    }

    #[test]
    fn what_is_written_late_is_counted_where_it_belongs() {
        assert_eq!(firings(&mut more_than(2, 1, 1), &[2, 3, 1]), [1]);
        assert_eq!(firings(&mut more_than(2, 1, 1), &[50, 61, 0]), NEVER, "it is before the alert");
        assert_eq!(firings(&mut more_than(2, 1, 1), &[59, 65, 1]), NEVER, "more than a minute");
    }

    #[test]
    fn the_first_fires_and_then_only_after_a_quiet_time() {
        let first = || Window::new(AlertWhen::First, 1, at(0), None);
        assert_eq!(firings(&mut first(), &[5, 6, 7, 64, 123, 183, 243]), [5, 183, 243]);
        assert_eq!(firings(&mut first(), &[0, 5]), [5], "what was before the alert is no first");
        assert_eq!(firings(&mut first(), &[65, 4]), [65], "written late it is not the first");
        let mut known = first();
        known.known(key(30, 1));
        assert_eq!(firings(&mut known, &[80, 141]), [141]);
        let mut again = Window::new(AlertWhen::First, 1, at(0), Some(at(30)));
        assert_eq!(firings(&mut again, &[30, 80]), NEVER, "it fired at 30, before a restart");
    }

    #[test]
    fn looked_at_again_from_anywhere_the_same_events_give_the_same_firings() {
        let scattered: BTreeSet<i64> = (0..200).map(|n| n * n % 977).collect();
        let first = || Window::new(AlertWhen::First, 1, at(0), None);
        let more = || more_than(3, 1, 2);
        for (window, spread) in [(&more as &dyn Fn() -> Window, 1), (&first, 12)] {
            let seconds: Vec<i64> = scattered.iter().map(|second| second * spread).collect();
            let expected = firings(&mut window(), &seconds);
            assert!(expected.len() > 2, "{expected:?}");
            for restart in 0..seconds.len() {
                let mut before = window();
                let mut fired = firings(&mut before, &seconds[..restart]);
                // A process that ends has written down when it fired last; the
                // next one looks at the last ten events again.
                let kept = Window::new(before.when, 1, at(0), before.fired);
                let mut after = Window { quiet: before.quiet, ..kept };
                let again = restart.saturating_sub(10);
                for (number, &second) in (0..).zip(&seconds[..again]) {
                    after.known(key(second, number));
                }
                for (number, &second) in (0..).zip(&seconds).skip(again) {
                    if let Some(at) = after.came(key(second, number)) {
                        after.fired(at);
                        fired.push(second);
                    }
                }
                assert_eq!(fired, expected, "restart at {restart}");
            }
        }
    }
}
