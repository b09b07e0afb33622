//! Whether a list is believed. A zone that is shut down often begins to list
//! everything, one whose servers we may not ask lists nothing; either way
//! its answers mean nothing, and it is suspended until its test entries are
//! right again.
//!
//! Two things are watched: the test entries of RFC 5782, from time to time,
//! and the share of clients that are listed.
//!
//! The rule for tests: from the moment one is due until it has come out right,
//! no listing by the list is believed, whatever was thought of it before; a
//! session with a listing waits for the test, and without its result counts the
//! list as not answered. That nobody is listed is believed meanwhile, for it
//! refuses nobody. A test without an answer is a failed one: a list that was
//! never found good, or looked suspicious since, is suspended by the first, one
//! that was good once they go on for a minute, so that one slow test does not
//! switch it off. Tests in which the zone answers nothing at all count as
//! silence.

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use types::Timestamp;

use super::question::ListKey;

/// How long test entries are trusted.
const TESTED_FOR: Duration = Duration::from_secs(600);
/// How long until they are tried again where they gave no answer.
const TRIED_AGAIN: Duration = Duration::from_secs(60);
/// How long the tests of a list that was found good may go without an answer.
const DOUBTED_FOR: Duration = Duration::from_secs(60);
/// How long a list is suspended before it is tested again.
const SUSPENDED_FOR: Duration = Duration::from_secs(300);
/// Different keys looked back at.
const KEYS: usize = 256;
/// So many different keys in a row, all listed, are everything.
const ALL_LISTED: usize = 128;
/// Answers after which the share of listings is known.
const SHARE_KNOWN: f64 = 1_000.0;
/// A list that listed more than this share all along may go on.
const SHARE_HIGH: f64 = 0.9;
/// A list that listed less than this share may well list nothing for a while.
const SHARE_LOW: f64 = 0.05;
/// Listings after which it is known that a list has any.
const LISTINGS_MIN: u64 = 20;

/// So many questions in a row without an answer in time, and the list is not
/// waited for.
const SILENT_AFTER: u32 = 8;
/// How long until one is waited for again.
const NOT_WAITED_FOR: Duration = Duration::from_secs(10);

/// Why a list is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suspicion {
    /// The entry that every list has is not there.
    TestMissing,
    /// An entry that no list may have is there.
    ListsTheUnlistable,
    /// The test entries were asked for and not answered.
    TestUnanswered,
    /// Suddenly everybody is listed.
    ListsEverything,
    /// Suddenly nobody is.
    ListsNothing,
}

impl Suspicion {
    /// The sentence for an operator.
    pub const fn words(self) -> &'static str {
        match self {
            Suspicion::TestMissing => "its test entry, which every list has, is not there",
            Suspicion::ListsTheUnlistable => "it lists the test entry that no list may have",
            Suspicion::TestUnanswered => {
                "its test entries are not answered, so nobody knows whether to believe it"
            }
            Suspicion::ListsEverything => "it suddenly lists everybody",
            Suspicion::ListsNothing => "it suddenly lists nobody",
        }
    }
}

/// What the test entries said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tested {
    Right,
    Wrong(Suspicion),
    /// There was no answer, or none in time.
    Unknown,
}

/// Whether to ask, and what to do besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is believed.
    Believed,
    /// Its test entries are due: until they are right, no listing counts.
    Due,
    /// It did not answer of late: whoever waited for it would wait in vain.
    Silent,
    /// It is not believed.
    Suspended,
    /// It was not believed, and its test entries decide.
    OnTrial,
}

#[derive(Debug, Default)]
pub(super) struct Guard {
    state: Mutex<State>,
    hashing: RandomState,
    /// Held by the session that asks for the test entries; given back where
    /// it ends before they came, so that the next one asks.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    /// When the test entries are due again; at once if absent.
    due: Option<Timestamp>,
    suspended: Option<(Suspicion, Timestamp)>,
    /// Since when tests of a list that was good have had no answer.
    doubted: Option<Timestamp>,
    /// Tests that came to an end.
    tests_ended: u64,
    /// The last different keys and whether each is listed.
    seen: VecDeque<(u64, bool)>,
    answers: u64,
    listings: u64,
    /// Which share of them was listed in the long run.
    share: f64,
    /// Whether the test entries were right the last time, and nothing was
    /// suspicious since.
    proven: bool,
    /// Questions without an answer in time since the last answer.
    silences: u32,
    /// Until when nobody waits for an answer.
    silent_until: Option<Timestamp>,
}

impl Guard {
    /// How the list stands. Everybody is told that a test is due, and takes a
    /// [`Guard::turn`] for it; of a suspended list only one is.
    pub(super) fn standing(&self, now: Timestamp, has_test_entries: bool) -> Standing {
        let mut state = self.lock();
        if let Some(until) = state.silent_until {
            if now < until {
                return Standing::Silent;
            }
            // One is waited for, the others not until it has its answer.
            state.silent_until = Some(now + NOT_WAITED_FOR);
        }
        match (state.suspended.is_some(), state.is_due(now)) {
            (true, false) => Standing::Suspended,
            (true, true) if has_test_entries => {
                // Until its test says more, which a session that ends can cut off.
                state.due = Some(now + TRIED_AGAIN);
                Standing::OnTrial
            }
            // Without test entries it gets another chance.
            (true, true) => {
                state.suspended = None;
                Standing::Believed
            }
            (false, true) if has_test_entries => Standing::Due,
            (false, _) => Standing::Believed,
        }
    }

    /// Whether the test entries are due, and not right yet.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        self.lock().is_due(now)
    }

    /// Whose turn it is to ask for the test entries.
    pub(super) fn turn(&self) -> &tokio::sync::Mutex<()> {
        &self.turn
    }

    /// How many tests came to an end, for those who wait for one.
    pub(super) fn tests_ended(&self) -> u64 {
        self.lock().tests_ended
    }

    /// Notes what the test entries said.
    pub(super) fn tested(&self, found: Tested, now: Timestamp) {
        let mut state = self.lock();
        state.tests_ended += 1;
        match found {
            Tested::Right => {
                state.suspended = None;
                state.doubted = None;
                state.proven = true;
                state.due = Some(now + TESTED_FOR);
            }
            Tested::Wrong(why) => state.suspend(why, now),
            Tested::Unknown if state.suspended.is_some() => {}
            Tested::Unknown => {
                let since = *state.doubted.get_or_insert(now);
                if !state.proven || now.since(since) >= DOUBTED_FOR {
                    state.suspend(Suspicion::TestUnanswered, now);
                }
            }
        }
    }

    /// Notes that there was no answer in time.
    pub(super) fn silent(&self, now: Timestamp) {
        let mut state = self.lock();
        state.silences = state.silences.saturating_add(1);
        if state.silences >= SILENT_AFTER {
            state.silent_until = Some(now + NOT_WAITED_FOR);
        }
    }

    /// Notes an answer; the list may be suspended for it.
    pub(super) fn answered(&self, key: &ListKey, listed: bool, now: Timestamp) {
        let hash = self.hashing.hash_one(key);
        let mut state = self.lock();
        state.silences = 0;
        state.silent_until = None;
        // One client that comes a thousand times says as much as one that
        // comes once.
        if state.suspended.is_some() || state.seen.iter().any(|(other, _)| *other == hash) {
            return;
        }
        if state.seen.len() == KEYS {
            state.seen.pop_front();
        }
        state.seen.push_back((hash, listed));
        state.answers += 1;
        state.listings += u64::from(listed);
        let weight = 1.0 / SHARE_KNOWN.min(state.answers as f64);
        state.share += (f64::from(u8::from(listed)) - state.share) * weight;
        let Some(why) = state.suspicion() else { return };
        if std::mem::take(&mut state.proven) {
            // A flood of listed clients looks the same, and must not switch
            // the list off: its test entries tell the two apart.
            state.due = None;
            state.seen.clear();
        } else {
            state.suspend(why, now);
        }
    }

    /// Why and since when the list is suspended.
    pub(super) fn suspended(&self) -> Option<(Suspicion, Timestamp)> {
        self.lock().suspended
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_due(&self, now: Timestamp) -> bool {
        self.due.is_none_or(|due| due <= now)
    }

    fn suspicion(&self) -> Option<Suspicion> {
        let in_a_row =
            |listed: bool| self.seen.iter().rev().take_while(|one| one.1 == listed).count();
        let known = self.answers as f64 >= SHARE_KNOWN;
        if in_a_row(true) >= ALL_LISTED && !(known && self.share >= SHARE_HIGH) {
            return Some(Suspicion::ListsEverything);
        }
        let had_some = self.listings >= LISTINGS_MIN && self.share >= SHARE_LOW;
        (had_some && in_a_row(false) >= KEYS).then_some(Suspicion::ListsNothing)
    }

    fn suspend(&mut self, why: Suspicion, now: Timestamp) {
        // Since when: what is found again is not new.
        let since = self.suspended.map_or(now, |(_, since)| since);
        self.suspended = Some((why, since));
        self.due = Some(match why {
            Suspicion::TestUnanswered => now + TRIED_AGAIN,
            _ => now + SUSPENDED_FOR,
        });
        self.doubted = None;
        self.proven = false;
        self.seen.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    fn key(number: u32) -> ListKey {
        ListKey::Ip(std::net::IpAddr::from(number.to_be_bytes()))
    }

    fn answers(guard: &Guard, keys: std::ops::Range<u32>, listed: impl Fn(u32) -> bool) {
        keys.for_each(|number| guard.answered(&key(number), listed(number), at(1)));
    }

    #[test]
    fn test_entries_are_due_at_first_and_every_ten_minutes() {
        let guard = Guard::default();
        assert_eq!(guard.standing(at(0), true), Standing::Due);
        assert_eq!(guard.standing(at(0), true), Standing::Due, "until the test is over");
        guard.tested(Tested::Right, at(1));
        assert_eq!(guard.standing(at(600), true), Standing::Believed);
        assert_eq!(guard.standing(at(601), true), Standing::Due);
        assert_eq!(Guard::default().standing(at(0), false), Standing::Believed);
    }

    #[test]
    fn a_test_without_an_answer_suspends_at_once_what_was_never_found_good() {
        let unanswered = |at| Some((Suspicion::TestUnanswered, at));
        let guard = Guard::default();
        guard.tested(Tested::Unknown, at(0));
        assert_eq!(guard.suspended(), unanswered(at(0)));
        assert_eq!(guard.standing(at(59), true), Standing::Suspended);
        assert_eq!(guard.standing(at(60), true), Standing::OnTrial);
        assert_eq!(guard.standing(at(60), true), Standing::Suspended, "one tests, not all");
        guard.tested(Tested::Right, at(61));
        // From now on it is a good one.
        guard.tested(Tested::Unknown, at(661));
        assert_eq!((guard.suspended(), guard.standing(at(661), true)), (None, Standing::Due));
        guard.tested(Tested::Unknown, at(720));
        assert_eq!(guard.suspended(), None);
        guard.tested(Tested::Unknown, at(721));
        assert_eq!(guard.suspended(), unanswered(at(721)));
    }

    #[test]
    fn wrong_test_entries_suspend_until_they_are_right() {
        let guard = Guard::default();
        guard.standing(at(0), true);
        guard.tested(Tested::Wrong(Suspicion::TestMissing), at(0));
        assert_eq!(guard.standing(at(299), true), Standing::Suspended);
        assert_eq!(guard.standing(at(300), true), Standing::OnTrial);
        guard.tested(Tested::Wrong(Suspicion::ListsTheUnlistable), at(300));
        assert_eq!(guard.suspended(), Some((Suspicion::ListsTheUnlistable, at(0))));
        assert_eq!(guard.standing(at(600), true), Standing::OnTrial);
        guard.tested(Tested::Right, at(600));
        assert_eq!((guard.suspended(), guard.standing(at(601), true)), (None, Standing::Believed));
    }

    #[test]
    fn a_list_that_suddenly_lists_everybody_is_suspended() {
        let guard = Guard::default();
        answers(&guard, 0..500, |number| number % 3 == 0);
        answers(&guard, 500..626, |_| true);
        assert_eq!(guard.suspended(), None);
        answers(&guard, 626..640, |_| true);
        assert_eq!(guard.suspended(), Some((Suspicion::ListsEverything, at(1))));
    }

    #[test]
    fn one_client_that_comes_often_is_not_everybody() {
        let guard = Guard::default();
        (0..5_000).for_each(|_| guard.answered(&key(7), true, at(1)));
        assert_eq!(guard.suspended(), None);
    }

    #[test]
    fn a_list_that_always_listed_nearly_everybody_may_go_on() {
        let guard = Guard::default();
        answers(&guard, 0..2_000, |number| number % 20 != 0);
        answers(&guard, 2_000..3_000, |_| true);
        assert_eq!(guard.suspended(), None);
    }

    #[test]
    fn a_list_that_suddenly_lists_nobody_is_suspended_and_a_rare_one_is_not() {
        let guard = Guard::default();
        answers(&guard, 0..500, |number| number % 4 == 0);
        answers(&guard, 500..760, |_| false);
        assert_eq!(guard.suspended().map(|(why, _)| why), Some(Suspicion::ListsNothing));
        let rare = Guard::default();
        answers(&rare, 0..5_000, |number| number % 500 == 0);
        assert_eq!(rare.suspended(), None);
    }

    #[test]
    fn a_flood_of_listed_clients_brings_the_test_forward() {
        let guard = Guard::default();
        guard.standing(at(0), true);
        guard.tested(Tested::Right, at(0));
        answers(&guard, 0..128, |_| true);
        assert_eq!((guard.suspended(), guard.standing(at(1), true)), (None, Standing::Due));
        answers(&guard, 200..328, |_| true);
        let why = guard.suspended().map(|(why, _)| why);
        assert_eq!(why, Some(Suspicion::ListsEverything), "the test had no answer");
    }

    #[test]
    fn a_silent_list_is_waited_for_by_one_at_a_time() {
        let guard = Guard::default();
        (0..7).for_each(|_| guard.silent(at(0)));
        assert_eq!(guard.standing(at(0), false), Standing::Believed);
        guard.silent(at(0));
        assert_eq!(guard.standing(at(9), false), Standing::Silent);
        assert_eq!(guard.standing(at(10), false), Standing::Believed);
        assert_eq!(guard.standing(at(10), false), Standing::Silent);
        guard.answered(&key(1), false, at(11));
        assert_eq!(guard.standing(at(11), false), Standing::Believed);
    }
}
