//! Time: the only place in the product that reads it.

use std::pin::Pin;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use types::Timestamp;

/// A wait that ends at a point in time.
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What time it is, and waiting.
pub trait Clock: Send + Sync + 'static {
    /// The present moment. Never earlier than any answer given before.
    fn now(&self) -> Timestamp;

    /// Time since some fixed moment, for measuring spans: it runs evenly even
    /// when [`now`](Clock::now) jumps.
    fn elapsed(&self) -> Duration;

    /// Waits until [`now`](Clock::now) is at or after `at`.
    ///
    /// The real clock measures the wait when this is called, by the even
    /// clock: a wall clock that is set forward meanwhile shortens no wait.
    fn sleep_until(&self, at: Timestamp) -> Sleep;

    /// Waits for `span`.
    fn sleep(&self, span: Duration) -> Sleep {
        self.sleep_until(self.now() + span)
    }
}

/// The clock of this machine, which never steps back.
///
/// It is the monotonic clock plus an offset that only grows. Where the wall
/// clock is ahead of ours we follow it within 10 ms; where it was set back, ours
/// goes on evenly until the wall clock has caught up or the process is
/// started again. So no triplet expires early, no wait becomes negative and
/// no event is older than the one before it.
#[derive(Debug)]
pub struct SystemClock {
    started: Instant,
    ours: Ratchet,
}

impl SystemClock {
    /// A clock that starts at wall time.
    pub fn new() -> Self {
        SystemClock::not_before(Timestamp::EPOCH)
    }

    /// A clock that starts at wall time or at `earliest`, whichever is later:
    /// with the time of the newest stored event, the log stays in order even
    /// if the wall clock was set back while we were not running.
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn not_before(earliest: Timestamp) -> Self {
        let earliest = earliest.as_millis().saturating_mul(NANOS_PER_MILLI);
        SystemClock { started: Instant::now(), ours: Ratchet::new(earliest.max(wall())) }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        SystemClock::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let even = || nanos(self.started.elapsed());
        // The wall clock is read first: if the thread is suspended between
        // the two readings, the offset comes out too small and is ignored.
        // The other way round every suspension would push our time forward.
        let ours = self.ours.read(even(), || {
            let wall = wall();
            (wall, even())
        });
        Timestamp::from_millis(ours.div_euclid(NANOS_PER_MILLI))
    }

    fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    fn sleep_until(&self, at: Timestamp) -> Sleep {
        // One millisecond more than the difference, because `now` is cut to
        // whole milliseconds: a sleeper must not wake before its time.
        let now = self.now();
        let span = if at > now { at.since(now) + Duration::from_millis(1) } else { Duration::ZERO };
        Box::pin(tokio::time::sleep(span))
    }
}

const NANOS_PER_MILLI: i64 = 1_000_000;

/// Whole nanoseconds; as a count since 1970 they fit until the year 2262.
fn nanos(span: Duration) -> i64 {
    i64::try_from(span.as_nanos()).unwrap_or(i64::MAX)
}

/// The wall clock, in nanoseconds since 1970; 0 if it stands before that.
/// The monotonic clock of the runtime, for what must be waited for and is
/// never written down.
#[expect(clippy::disallowed_methods, reason = "this is the clock")]
pub(crate) fn monotonic() -> tokio::time::Instant {
    tokio::time::Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "this is the clock")]
fn wall() -> i64 {
    nanos(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// How long the wall clock is left unread, in nanoseconds: reading both each
/// time would make every look at the time cost twice as much.
const LOOK_EVERY: i64 = 10 * NANOS_PER_MILLI;

/// The offset between even time and ours, in nanoseconds. It only grows.
///
/// Relaxed ordering suffices: our time is made of one number, and a single
/// atomic is seen by every thread in one order. That two threads look at the
/// wall clock at once does no harm.
#[derive(Debug)]
struct Ratchet {
    offset: AtomicI64,
    /// Even time of the last look at the wall clock.
    looked: AtomicI64,
}

impl Ratchet {
    /// Begins with this offset at even time 0.
    fn new(offset: i64) -> Self {
        Ratchet { offset: AtomicI64::new(offset), looked: AtomicI64::new(0) }
    }

    /// Our time at `even`; `look` reads the wall clock and then even time.
    fn read(&self, even: i64, look: impl FnOnce() -> (i64, i64)) -> i64 {
        if even.saturating_sub(self.looked.load(Ordering::Relaxed)) < LOOK_EVERY {
            return even.saturating_add(self.offset.load(Ordering::Relaxed));
        }
        self.looked.store(even, Ordering::Relaxed);
        let (wall, even) = look();
        let seen = wall.saturating_sub(even);
        let before = self.offset.fetch_max(seen, Ordering::Relaxed);
        even.saturating_add(before.max(seen))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a ratchet that begins at `start` and compares our time; each
    /// reading is (wall, even, expected), in steps of 10 ms, so that each
    /// looks at the wall clock.
    fn check(start: i64, readings: &[(i64, i64, i64)]) {
        let ratchet = Ratchet::new(start * LOOK_EVERY);
        for &(wall, even, ours) in readings {
            let (wall, even) = (wall * LOOK_EVERY, even * LOOK_EVERY);
            let read = ratchet.read(even, || (wall, even));
            assert_eq!(read, ours * LOOK_EVERY, "wall {wall}, even {even}");
        }
    }

    #[test]
    fn a_clock_that_is_left_alone_shows_wall_time() {
        check(1_000, &[(1_001, 1, 1_001), (1_005, 5, 1_005), (1_900, 900, 1_900)]);
    }

    #[test]
    fn a_wall_clock_set_forward_is_followed_at_the_next_look() {
        check(1_000, &[(1_001, 1, 1_001), (5_002, 2, 5_002), (5_003, 3, 5_003)]);
    }

    #[test]
    fn a_wall_clock_set_back_is_not_followed_and_ours_goes_on_evenly() {
        check(1_000, &[(400, 10, 1_010), (450, 60, 1_060), (1_900, 100, 1_900)]);
    }

    #[test]
    fn a_start_before_the_newest_event_begins_at_that_event() {
        check(9_000, &[(1_001, 1, 9_001), (1_010, 10, 9_010)]);
        let late = Timestamp::from_millis(7_258_118_400_000);
        assert!(SystemClock::not_before(late).now() >= late);
    }

    #[test]
    fn between_two_looks_time_runs_evenly_without_the_wall_clock() {
        let ratchet = Ratchet::new(1_000);
        assert_eq!(ratchet.read(LOOK_EVERY - 1, || panic!("looked")), LOOK_EVERY + 999);
    }

    #[test]
    fn a_suspension_between_the_two_readings_pushes_nothing() {
        let ratchet = Ratchet::new(0);
        // Suspended for 500 after the wall clock was read.
        let look = || (LOOK_EVERY, LOOK_EVERY + 500);
        assert_eq!(ratchet.read(LOOK_EVERY, look), LOOK_EVERY + 500);
        let look = || (2 * LOOK_EVERY, 2 * LOOK_EVERY);
        assert_eq!(ratchet.read(2 * LOOK_EVERY, look), 2 * LOOK_EVERY);
    }

    #[test]
    fn readings_at_the_ends_of_the_number_range_do_not_overflow() {
        let ratchet = Ratchet::new(i64::MAX);
        assert_eq!(ratchet.read(i64::MAX, || (i64::MIN, i64::MAX)), i64::MAX);
    }

    #[tokio::test]
    async fn a_sleeper_does_not_wake_before_its_time() {
        let clock = SystemClock::new();
        let at = clock.now() + Duration::from_millis(3);
        clock.sleep_until(at).await;
        assert!(clock.now() >= at);
        clock.sleep_until(Timestamp::EPOCH).await;
    }

    #[test]
    fn time_read_by_many_threads_never_steps_back() {
        let clock = SystemClock::new();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let mut last = clock.now();
                    for _ in 0..2_000 {
                        let now = clock.now();
                        assert!(now >= last);
                        last = now;
                    }
                });
            }
        });
    }
}
