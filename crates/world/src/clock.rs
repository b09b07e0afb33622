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
/// clock is ahead of ours we follow it at once; where it was set back, ours
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
        let ours = Ratchet::new(earliest.as_millis().saturating_mul(NANOS_PER_MILLI));
        SystemClock { started: Instant::now(), ours }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        SystemClock::new()
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    fn now(&self) -> Timestamp {
        // The wall clock is read first: if the thread is suspended between
        // the two readings, the offset comes out too small and is ignored.
        // The other way round every suspension would push our time forward.
        let wall = nanos(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default());
        let even = nanos(self.started.elapsed());
        Timestamp::from_millis(self.ours.read(wall, even).div_euclid(NANOS_PER_MILLI))
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

/// The offset between even time and ours, in nanoseconds. It only grows.
#[derive(Debug)]
struct Ratchet(AtomicI64);

impl Ratchet {
    fn new(offset: i64) -> Self {
        Ratchet(AtomicI64::new(offset))
    }

    /// Our time for one reading of both clocks.
    ///
    /// Relaxed ordering suffices: all of the state is this one number, and a
    /// single atomic is seen by every thread in one order.
    fn read(&self, wall: i64, even: i64) -> i64 {
        let seen = wall.saturating_sub(even);
        let mut offset = self.0.load(Ordering::Relaxed);
        if seen > offset {
            offset = self.0.fetch_max(seen, Ordering::Relaxed).max(seen);
        }
        even.saturating_add(offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a ratchet at pairs of (wall, even) and compares our time.
    fn check(ratchet: &Ratchet, readings: &[(i64, i64, i64)]) {
        for &(wall, even, ours) in readings {
            assert_eq!(ratchet.read(wall, even), ours, "wall {wall}, even {even}");
        }
    }

    #[test]
    fn a_clock_that_is_left_alone_shows_wall_time() {
        check(&Ratchet::new(0), &[(1_000, 0, 1_000), (1_005, 5, 1_005), (1_900, 900, 1_900)]);
    }

    #[test]
    fn a_wall_clock_set_forward_is_followed_at_once() {
        check(&Ratchet::new(0), &[(1_000, 0, 1_000), (5_001, 1, 5_001), (5_002, 2, 5_002)]);
    }

    #[test]
    fn a_wall_clock_set_back_is_not_followed_and_ours_goes_on_evenly() {
        check(
            &Ratchet::new(0),
            &[(1_000, 0, 1_000), (400, 10, 1_010), (450, 60, 1_060), (1_900, 100, 1_900)],
        );
    }

    #[test]
    fn a_suspension_between_the_two_readings_pushes_nothing() {
        // Wall read at 1,010, then 500 pass, then the even clock is read.
        check(&Ratchet::new(0), &[(1_000, 0, 1_000), (1_010, 510, 1_510), (1_511, 511, 1_511)]);
    }

    #[test]
    fn a_start_before_the_newest_event_begins_at_that_event() {
        check(&Ratchet::new(9_000), &[(1_000, 0, 9_000), (1_010, 10, 9_010)]);
        let late = Timestamp::from_millis(7_258_118_400_000);
        assert!(SystemClock::not_before(late).now() >= late);
    }

    #[test]
    fn readings_at_the_ends_of_the_number_range_do_not_overflow() {
        check(&Ratchet::new(i64::MAX), &[(i64::MIN, i64::MAX, i64::MAX)]);
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
