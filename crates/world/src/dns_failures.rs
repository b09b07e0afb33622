//! What is remembered of questions that failed, so that a name server that is
//! slow or gone holds up nobody twice: RFC 9520.
//!
//! Two things are kept. A question that had no answer fails again at once for
//! a while that doubles (section 3.2). And after a few questions in a row
//! without any answer the servers themselves are suspected: a question that
//! every server can answer is put to them, and only if that fails as well they
//! count as gone, until any question is answered. A stranger's silent domain alone
//! therefore stops nobody else's questions.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hickory_resolver::proto::rr::{Name, RecordType};
use tokio::time::Instant;

use crate::dns::DnsError;

/// Of one name and type.
type Key = (Name, RecordType);

/// How long a question that failed for the first time is not asked again.
/// RFC 9520 section 3.2 demands a second at least.
const FIRST_PAUSE: Duration = Duration::from_secs(5);

/// No failure is kept longer (RFC 9520 section 3.2).
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// Failures kept. What strangers can make us ask is without end.
const KEPT_MAX: usize = 8_192;

/// Questions in a row without an answer after which the servers are suspected.
const SUSPECT_AFTER: u32 = 2;

/// How often servers that are gone are asked whether they are back.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// What to do with a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Advice {
    /// Ask it.
    Ask,
    /// The servers count as gone; ask it to see whether they are back.
    TryAgain,
    /// It would fail with this; do not wait for that.
    Fail(DnsError),
}

/// Failures of questions and of the servers as a whole.
#[derive(Debug, Default)]
pub(crate) struct Failures {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    questions: HashMap<Key, Pause>,
    /// Questions without an answer since the last answer.
    unanswered: u32,
    /// When they are looked at next; nothing while they answer.
    gone_until: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
struct Pause {
    error: DnsError,
    until: Instant,
    length: Duration,
}

impl Failures {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What to do with a question now. Of all who ask while the servers are
    /// gone, one in [`LOOK_EVERY`] is told to try.
    pub(crate) fn advice(&self, key: &Key, now: Instant) -> Advice {
        let mut kept = self.kept();
        if let Some(until) = kept.gone_until {
            if now < until {
                return Advice::Fail(DnsError::TimedOut);
            }
            kept.gone_until = Some(now + LOOK_EVERY);
            return Advice::TryAgain;
        }
        match kept.questions.get(key) {
            Some(pause) if now < pause.until => Advice::Fail(pause.error),
            _ => Advice::Ask,
        }
    }

    /// The servers answered something, whatever it was.
    pub(crate) fn answered(&self, key: &Key) {
        let mut kept = self.kept();
        kept.unanswered = 0;
        kept.gone_until = None;
        kept.questions.remove(key);
    }

    /// The servers answered this question with a failure of theirs.
    pub(crate) fn failed(&self, key: &Key, now: Instant) {
        let mut kept = self.kept();
        kept.unanswered = 0;
        kept.gone_until = None;
        kept.pause(key, DnsError::ServerFailure, now);
    }

    /// The question had no answer. Returns whether to look if the servers are
    /// still there.
    pub(crate) fn timed_out(&self, key: &Key, now: Instant) -> bool {
        let mut kept = self.kept();
        kept.pause(key, DnsError::TimedOut, now);
        kept.unanswered += 1;
        let suspected = kept.unanswered >= SUSPECT_AFTER && kept.gone_until.is_none();
        if suspected {
            kept.unanswered = 0;
        }
        suspected
    }

    /// What looking at the servers told.
    pub(crate) fn looked(&self, present: bool, now: Instant) {
        self.kept().gone_until = (!present).then(|| now + LOOK_EVERY);
    }

    /// Whether the servers count as gone.
    pub(crate) fn are_servers_gone(&self) -> bool {
        self.kept().gone_until.is_some()
    }
}

impl Kept {
    fn pause(&mut self, key: &Key, error: DnsError, now: Instant) {
        if self.questions.len() >= KEPT_MAX {
            self.questions.retain(|_, pause| now < pause.until);
        }
        let length = match self.questions.get(key) {
            Some(pause) => (pause.length * 2).min(LONGEST_PAUSE),
            // Full of what is still valid: this one is asked again.
            None if self.questions.len() >= KEPT_MAX => return,
            None => FIRST_PAUSE,
        };
        self.questions.insert(key.clone(), Pause { error, until: now + length, length });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::monotonic;

    fn key(number: usize) -> Key {
        (Name::from_ascii(format!("n{number}.example.")).unwrap(), RecordType::TXT)
    }

    #[test]
    fn a_failed_question_rests_twice_as_long_each_time() {
        let (failures, mut now) = (Failures::default(), monotonic());
        for seconds in [5, 10, 20, 40, 80, 160, 300, 300] {
            assert_eq!(failures.advice(&key(1), now), Advice::Ask);
            failures.failed(&key(1), now);
            assert_eq!(failures.advice(&key(2), now), Advice::Ask, "others are asked");
            let length = Duration::from_secs(seconds);
            assert_eq!(
                failures.advice(&key(1), now + length / 2),
                Advice::Fail(DnsError::ServerFailure)
            );
            now += length;
        }
        failures.answered(&key(1));
        failures.failed(&key(1), now);
        assert_eq!(failures.advice(&key(1), now + FIRST_PAUSE), Advice::Ask, "it begins anew");
    }

    #[test]
    fn servers_are_gone_only_if_they_answer_nothing_at_all() {
        let (failures, now) = (Failures::default(), monotonic());
        assert!(!failures.timed_out(&key(1), now));
        assert!(failures.timed_out(&key(2), now), "the second in a row");
        failures.looked(true, now);
        assert_eq!(failures.advice(&key(3), now), Advice::Ask, "only those names were silent");
        assert!(!failures.timed_out(&key(4), now));
        failures.failed(&key(5), now);
        assert!(!failures.timed_out(&key(6), now), "an answer came in between");
        assert!(failures.timed_out(&key(7), now));
        failures.looked(false, now);
        assert!(failures.are_servers_gone());
        assert_eq!(failures.advice(&key(3), now), Advice::Fail(DnsError::TimedOut));
        let later = now + LOOK_EVERY;
        assert_eq!(failures.advice(&key(3), later), Advice::TryAgain);
        assert_eq!(
            failures.advice(&key(8), later),
            Advice::Fail(DnsError::TimedOut),
            "one tries at a time"
        );
        failures.looked(true, later);
        assert_eq!(failures.advice(&key(8), later), Advice::Ask);
    }

    #[test]
    fn what_is_kept_has_an_end() {
        let (failures, now) = (Failures::default(), monotonic());
        for number in 0..KEPT_MAX + 100 {
            failures.failed(&key(number), now);
        }
        assert_eq!(failures.kept().questions.len(), KEPT_MAX);
        failures.failed(&key(KEPT_MAX + 200), now + LONGEST_PAUSE);
        assert_eq!(failures.kept().questions.len(), 1);
    }
}
