//! When a message is tried again, when its sender is warned, when it is given
//! up. Pure: time is an argument, the numbers come from the settings.

use std::time::Duration;

use types::Timestamp;

/// Why a list of waits is no schedule. The operator's mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// There would be no attempt at all.
    #[error("a retry schedule needs at least one wait")]
    Empty,
    /// More attempts than [`RetrySchedule::ATTEMPTS_MAX`].
    #[error("a retry schedule has at most 1000 waits")]
    TooLong,
}

/// The waits before each attempt and the end of all attempts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetrySchedule {
    waits: Vec<Duration>,
    expire_after: Duration,
    warn_after: Option<u32>,
}

const MINUTE_S: u64 = 60;
const HOUR_S: u64 = 3_600;

/// Waits of the default schedule as (attempts, seconds before each).
const DEFAULT_WAITS: [(usize, u64); 9] = [
    (1, 0),
    (1, MINUTE_S),
    (1, 5 * MINUTE_S),
    (1, 9 * MINUTE_S),
    (1, 15 * MINUTE_S),
    (1, 30 * MINUTE_S),
    (9, HOUR_S),
    (6, 4 * HOUR_S),
    (9, 8 * HOUR_S),
];

impl Default for RetrySchedule {
    /// 30 attempts in 106 hours, given up after 108, warned after the sixth.
    fn default() -> Self {
        let waits = DEFAULT_WAITS
            .iter()
            .flat_map(|&(attempts, wait_s)| {
                std::iter::repeat_n(Duration::from_secs(wait_s), attempts)
            })
            .collect();
        RetrySchedule {
            waits,
            expire_after: Duration::from_secs(108 * HOUR_S),
            warn_after: Some(6),
        }
    }
}

impl RetrySchedule {
    /// Most attempts a schedule may have.
    pub const ATTEMPTS_MAX: usize = 1_000;

    /// A schedule with `waits` before each attempt (the first is the wait
    /// after acceptance), given up `expire_after` acceptance at the latest.
    /// The sender is warned after attempt `warn_after`, if at all.
    ///
    /// # Errors
    /// The list is empty or too long.
    pub fn new(
        waits: Vec<Duration>,
        expire_after: Duration,
        warn_after: Option<u32>,
    ) -> Result<Self, ScheduleError> {
        match waits.len() {
            0 => Err(ScheduleError::Empty),
            count if count > Self::ATTEMPTS_MAX => Err(ScheduleError::TooLong),
            _ => Ok(RetrySchedule { waits, expire_after, warn_after }),
        }
    }

    /// Attempts made at most.
    pub fn attempts_max(&self) -> u32 {
        u32::try_from(self.waits.len()).unwrap_or(u32::MAX)
    }

    /// When the first attempt is due.
    pub fn first(&self, arrived: Timestamp) -> Timestamp {
        arrived + self.waits.first().copied().unwrap_or_default()
    }

    /// When the attempt after the `attempts` made so far is due, the last of
    /// which failed at `now`; nothing if that was the last one. The last
    /// attempt falls on the moment of expiry rather than after it.
    pub fn next(&self, attempts: u32, now: Timestamp, arrived: Timestamp) -> Option<Timestamp> {
        let wait = *self.waits.get(usize::try_from(attempts).ok()?)?;
        let expires = self.expires(arrived);
        (now < expires).then(|| (now + wait).min(expires))
    }

    /// When the message is given up even if attempts are left.
    pub fn expires(&self, arrived: Timestamp) -> Timestamp {
        arrived + self.expire_after
    }

    /// Whether the sender has to be told by now that it takes longer.
    ///
    /// That is after attempt `warn_after`, or at the time it would have been
    /// made: attempts at a next hop known to be dead are put off, and the
    /// sender must not wait longer for the warning because of that.
    pub fn warning_is_due(&self, attempts: u32, now: Timestamp, arrived: Timestamp) -> bool {
        self.warn_after.is_some_and(|after| {
            let made = usize::try_from(after).unwrap_or(usize::MAX).min(self.waits.len());
            let span: Duration = self.waits.iter().take(made).sum();
            attempts >= after || now > arrived + span
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARRIVED: Timestamp = Timestamp::from_millis(1_795_000_000_000);

    /// Waits before each attempt in minutes, when each fails at once.
    fn waits_min(schedule: &RetrySchedule) -> Vec<u64> {
        let mut now = ARRIVED;
        let mut waits = vec![schedule.first(ARRIVED).since(ARRIVED).as_secs() / 60];
        for attempts in 1.. {
            let Some(due) = schedule.next(attempts, now, ARRIVED) else { break };
            waits.push(due.since(now).as_secs() / 60);
            now = due;
        }
        waits
    }

    #[test]
    fn the_default_makes_thirty_attempts_in_106_hours() {
        let waits = waits_min(&RetrySchedule::default());
        assert_eq!(waits.len(), 30);
        assert_eq!(waits[..6], [0, 1, 5, 9, 15, 30]);
        assert!(waits[6..15].iter().all(|&wait| wait == 60));
        assert!(waits[15..21].iter().all(|&wait| wait == 4 * 60));
        assert!(waits[21..].iter().all(|&wait| wait == 8 * 60));
        assert_eq!(waits.iter().sum::<u64>(), 106 * 60);
    }

    #[test]
    fn the_end_of_time_comes_before_the_end_of_the_list() {
        let wait = Duration::from_secs(3_600);
        let schedule = RetrySchedule::new(vec![wait; 10], 2 * wait + wait / 2, None).unwrap();
        assert_eq!(waits_min(&schedule), [60, 60, 60, 30]);
    }

    #[test]
    fn the_warning_is_due_after_the_sixth_attempt_or_its_hour() {
        let schedule = RetrySchedule::default();
        let minutes = |m: u64| ARRIVED + Duration::from_secs(m * 60);
        for (attempts, at_min, due) in
            [(5, 30, false), (6, 60, true), (6, 59, true), (1, 60, false), (1, 61, true)]
        {
            let answer = schedule.warning_is_due(attempts, minutes(at_min), ARRIVED);
            assert_eq!(answer, due, "{attempts} attempts, minute {at_min}");
        }
        let silent = RetrySchedule::new(vec![Duration::ZERO], Duration::MAX, None).unwrap();
        assert!(!silent.warning_is_due(900, minutes(9_000), ARRIVED));
    }

    #[test]
    fn no_attempts_and_too_many_are_refused() {
        let new = |count| RetrySchedule::new(vec![Duration::ZERO; count], Duration::MAX, None);
        assert_eq!(new(0), Err(ScheduleError::Empty));
        assert_eq!(new(1_001), Err(ScheduleError::TooLong));
    }
}
