//! How often something may happen: the generic cell rate algorithm (ITU-T
//! I.371 annex A) on plain numbers. All there is to remember of a rate is one
//! instant; where it is kept, and behind which lock, is the caller's affair.

/// Milliseconds in a minute.
const MINUTE_MS: i64 = 60_000;

/// A rate, and how much may come at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Once in so many milliseconds in the long run; at least one.
    every_ms: i64,
    /// So many at once, after a quiet time; at least one.
    burst: u32,
}

impl Rate {
    /// Once in `every_ms` milliseconds, and `burst` at once; zero counts as one.
    pub const fn every_ms(every_ms: u32, burst: u32) -> Rate {
        let every_ms = if every_ms == 0 { 1 } else { every_ms as i64 };
        Rate { every_ms, burst: if burst == 0 { 1 } else { burst } }
    }

    /// So many a minute, and `burst` at once. More than one in a millisecond
    /// is that; none at all is no rate.
    pub fn per_minute(most: u32, burst: u32) -> Option<Rate> {
        let every_ms = MINUTE_MS.checked_div(i64::from(most))?.max(1);
        Some(Rate { every_ms, burst: burst.max(1) })
    }

    /// Takes one at `now_ms` from a rate whose remembered instant is `due_ms`:
    /// gives the instant to remember, or in how many milliseconds there will
    /// be one to take. Any instant in the past stands for a quiet time; see
    /// [`Rate::believed`] for one that is too far ahead.
    ///
    /// # Errors
    /// The rate is used up; nothing is to be remembered then.
    pub fn take(self, due_ms: i64, now_ms: i64) -> Result<i64, u64> {
        let start = self.believed(due_ms, now_ms);
        let tolerance = self.every_ms.saturating_mul(i64::from(self.burst) - 1);
        match u64::try_from(start.saturating_sub(now_ms).saturating_sub(tolerance)) {
            Ok(early) if early > 0 => Err(early),
            Ok(_) | Err(_) => Ok(start.saturating_add(self.every_ms)),
        }
    }

    /// What a remembered instant says at `now_ms`: no more than that a burst
    /// is used up. One that lies much further ahead was remembered by a clock
    /// that was set back since, and is taken for a quiet time: nobody is to
    /// wait a day because of that.
    pub fn believed(self, due_ms: i64, now_ms: i64) -> i64 {
        let used_up = self.every_ms.saturating_mul(i64::from(self.burst));
        let doubtful = used_up.saturating_mul(2).saturating_add(MINUTE_MS);
        match due_ms.saturating_sub(now_ms) {
            ahead if ahead > doubtful => now_ms,
            ahead => now_ms.saturating_add(ahead.clamp(0, used_up)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes at each instant; gives how long each had to wait, 0 if not.
    fn waits(rate: Rate, at_ms: &[i64]) -> Vec<u64> {
        let mut due = i64::MIN;
        let take = |now: &i64| match rate.take(due, *now) {
            Ok(next) => {
                due = next;
                0
            }
            Err(wait) => wait,
        };
        at_ms.iter().map(take).collect()
    }

    #[test]
    fn a_burst_passes_then_one_at_a_time() {
        let rate = Rate::every_ms(1_000, 3);
        assert_eq!(
            waits(rate, &[0, 0, 0, 0, 400, 1_000, 1_000, 60_000]),
            [0, 0, 0, 1_000, 600, 0, 1_000, 0]
        );
    }

    #[test]
    fn a_clock_that_was_ahead_holds_nobody_up() {
        let (rate, day_ms) = (Rate::every_ms(1_000, 3), 86_400_000);
        assert_eq!(waits(rate, &[day_ms, 0, 0, 0, 0, 1_000]), [0, 0, 0, 0, 1_000, 0]);
        // Set back by seconds, it may be the answer of another thread.
        assert_eq!(waits(rate, &[5_000, 5_000, 5_000, 4_000]), [0, 0, 0, 1_000]);
    }

    #[test]
    fn extremes_neither_overflow_nor_stand_still() {
        assert_eq!(Rate::per_minute(0, 9), None);
        let fast = Rate::per_minute(u32::MAX, u32::MAX).unwrap();
        assert_eq!(fast.take(i64::MAX, i64::MIN), Ok(i64::MIN + 1));
        assert_eq!(fast.take(i64::MIN, i64::MAX), Ok(i64::MAX));
        assert_eq!(waits(Rate::every_ms(0, 0), &[5, 5, 6]), [0, 1, 0]);
        let slow = Rate::per_minute(1, 1).unwrap();
        assert_eq!(waits(slow, &[0, 59_999, 60_000]), [0, 1, 0]);
    }
}
