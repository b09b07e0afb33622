//! Leaving a list alone that refuses us. Whoever goes on asking is refused for
//! longer, and every session would wait for an answer that says nothing.
//!
//! Several refusals in a row begin a pause; after it one question is asked for
//! all, and if that is refused the next pause is twice as long. Of
//! several resolvers often one alone is refused: then answers come between,
//! and there is no pause.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use types::Timestamp;

/// So many refusals in a row, without an answer between, begin a pause.
const REFUSALS_IN_A_ROW: u32 = 3;
/// The first pause.
const FIRST: Duration = Duration::from_secs(60);
/// The longest.
const LONGEST: Duration = Duration::from_secs(3_600);

/// Whether one list is asked, and when again.
#[derive(Debug, Default)]
pub(super) struct Pause {
    /// Until when nobody asks, in milliseconds; nought while everybody does,
    /// which is all that a question to a list in order looks at.
    until_ms: AtomicI64,
    course: Mutex<Course>,
}

#[derive(Debug, Default)]
struct Course {
    refusals: u32,
    /// How long the pause is, or the last one was.
    length: Option<Duration>,
}

/// The right to ask one question.
///
/// The one after a pause can be given up with the session that asked it, and a
/// list can be silent. Then nobody knows whether it still refuses us, and
/// nobody is to wait for as long as if it did: dropped with neither a refusal
/// nor an answer noted, the turn is somebody else's at once.
#[derive(Debug)]
#[must_use = "dropped, it is somebody else's"]
pub(super) struct Turn<'a> {
    pause: &'a Pause,
    /// After a pause: the end it had, and the one it has while this is asked.
    taken: Option<(i64, i64)>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let Some((before, meanwhile)) = self.taken {
            // Whatever was noted has set another end.
            self.pause.swap(meanwhile, before);
        }
    }
}

impl Pause {
    /// The turn of whoever has a question, to be kept until the answer is
    /// noted; nothing if it may not be asked now. After a pause there is one
    /// turn; the others wait for what that one hears.
    pub(super) fn turn(&self, now: Timestamp) -> Option<Turn<'_>> {
        let until = self.until_ms.load(Ordering::Relaxed);
        if until == 0 {
            return Some(Turn { pause: self, taken: None });
        }
        if now.as_millis() < until {
            return None;
        }
        let length = self.course().length.unwrap_or(FIRST);
        // A millisecond earlier than from now on, so that this question stands
        // behind [`Self::asked_last`] and its refusal counts.
        let next = (now + length).as_millis().saturating_sub(1);
        self.swap(until, next).then_some(Turn { pause: self, taken: Some((until, next)) })
    }

    /// Has another end of the pause if it is still the one that is known.
    fn swap(&self, known: i64, next: i64) -> bool {
        self.until_ms.compare_exchange(known, next, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Notes that the list refused us. `asked` is when it was asked: refusals
    /// of questions from before the pause began make it no longer.
    pub(super) fn refused(&self, asked: Timestamp, now: Timestamp) {
        let mut course = self.course();
        course.refusals = course.refusals.saturating_add(1);
        let length = match course.length {
            None if course.refusals < REFUSALS_IN_A_ROW => return,
            None => FIRST,
            Some(length) if asked.as_millis() <= self.asked_last(length) => return,
            Some(length) => (length * 2).min(LONGEST),
        };
        course.length = Some(length);
        self.until_ms.store((now + length).as_millis(), Ordering::Relaxed);
    }

    /// When the question was asked, or the pause begun, that is behind the end
    /// of the pause.
    fn asked_last(&self, length: Duration) -> i64 {
        let length = i64::try_from(length.as_millis()).unwrap_or(i64::MAX);
        self.until_ms.load(Ordering::Relaxed).saturating_sub(length)
    }

    /// Notes that it answered: everybody asks again.
    pub(super) fn answered(&self) {
        let mut course = self.course();
        *course = Course::default();
        self.until_ms.store(0, Ordering::Relaxed);
    }

    /// Until when it is left alone, if it is at `now`.
    pub(super) fn until(&self, now: Timestamp) -> Option<Timestamp> {
        let until = self.until_ms.load(Ordering::Relaxed);
        (now.as_millis() < until).then(|| Timestamp::from_millis(until))
    }

    fn course(&self) -> std::sync::MutexGuard<'_, Course> {
        self.course.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(1_795_000_000_000 + seconds * 1_000)
    }

    /// Refused so often in a row at this second, each asked at once.
    fn refused(pause: &Pause, times: u32, second: i64) {
        (0..times).for_each(|_| pause.refused(at(second), at(second)));
    }

    #[test]
    fn the_pause_doubles_up_to_an_hour_and_one_asks_after_each() {
        let pause = Pause::default();
        refused(&pause, 2, 0);
        assert!(pause.turn(at(0)).is_some(), "two are no habit");
        refused(&pause, 1, 0);
        let mut now = 0;
        for minutes in [1, 2, 4, 8, 16, 32, 60, 60] {
            let end = now + minutes * 60;
            assert_eq!(pause.until(at(now)), Some(at(end)), "{minutes} min");
            assert!(pause.turn(at(end - 1)).is_none());
            let turn = pause.turn(at(end)).expect("one asks");
            assert!(pause.turn(at(end)).is_none(), "and the others do not");
            refused(&pause, 1, end);
            drop(turn);
            now = end;
        }
        let turn = pause.turn(at(now + 3_600));
        pause.answered();
        drop(turn);
        assert!(pause.turn(at(now)).is_some() && pause.until(at(now)).is_none());
        refused(&pause, 3, now);
        assert_eq!(pause.until(at(now)), Some(at(now + 60)), "it begins anew");
    }

    #[test]
    fn refusals_of_questions_under_way_make_no_pause_longer() {
        let pause = Pause::default();
        refused(&pause, 3, 10);
        for asked in [9, 10].repeat(10) {
            pause.refused(at(asked), at(12));
        }
        assert_eq!(pause.until(at(12)), Some(at(70)));
    }

    #[test]
    fn answers_between_refusals_are_no_reason_for_a_pause() {
        let pause = Pause::default();
        for second in 0..100 {
            refused(&pause, 2, second);
            pause.answered();
            assert!(pause.turn(at(second)).is_some());
        }
    }

    #[test]
    fn who_asked_and_heard_nothing_leaves_the_turn_to_the_next() {
        let pause = Pause::default();
        refused(&pause, 3, 0);
        let turn = pause.turn(at(60)).expect("the pause is over");
        assert!(pause.turn(at(61)).is_none(), "one at a time");
        drop(turn);
        let turn = pause.turn(at(61)).expect("nobody knows more than before");
        pause.refused(at(61), at(62));
        drop(turn);
        assert_eq!(pause.until(at(62)), Some(at(62 + 120)), "and its refusal counts");
    }
}
