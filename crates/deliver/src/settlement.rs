//! What a try means for a recipient: its next state, the event, the notice.
//! Pure: a function of the recipient, the answer, the schedule and the time.

use std::time::Duration;

use store::{QueuedMessage, RecipientState};
use types::{EnhancedCode, FollowUp, RelayAttempt, Timestamp};

use crate::schedule::RetrySchedule;
use crate::tried::{Answer, Came, Reached, Try};

/// What becomes of one recipient.
#[derive(Debug)]
pub(crate) struct Settlement {
    /// Which, by place in the message.
    pub(crate) place: usize,
    /// Its new state.
    pub(crate) state: RecipientState,
    /// What happened, if there was a try or an end.
    pub(crate) follow_up: Option<FollowUp>,
    /// What the sender has to be told.
    pub(crate) notice: Option<NoticeDue>,
    /// What became of that.
    pub(crate) told: Option<FollowUp>,
}

impl Settlement {
    /// A new state without anything to tell.
    pub(crate) fn silent(place: usize, state: RecipientState) -> Self {
        Settlement { place, state, follow_up: None, notice: None, told: None }
    }
}

/// A notice that is due.
#[derive(Debug)]
pub(crate) struct NoticeDue {
    pub(crate) what: Told,
    /// What is wrong (RFC 3463).
    pub(crate) status: EnhancedCode,
    /// The last try.
    pub(crate) attempt: RelayAttempt,
}

/// What a sender is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// That it failed.
    Failed,
    /// That it takes longer.
    Delayed,
}

/// Delivery time expired (RFC 3463 section 3.5).
const EXPIRED: EnhancedCode = EnhancedCode(4, 4, 7);

/// What `came` of the recipient at `place` means at `now`. Nothing if there
/// is no such recipient or it waits for nothing.
pub(crate) fn settle(
    message: &QueuedMessage,
    place: usize,
    came: Came,
    schedule: &RetrySchedule,
    now: Timestamp,
) -> Option<Settlement> {
    let recipient = message.recipients.get(place)?;
    let RecipientState::Waiting { attempts, due, warned } = recipient.state else { return None };
    let view = View { message, place, attempts, due, warned, schedule, now };
    Some(match came {
        Came::Tried(tried) => view.tried(tried),
        Came::PutOff { until, host, why } => view.put_off(until, Reached::only(host), &why),
    })
}

impl Reached {
    /// A host that was not connected to.
    pub(crate) fn only(host: std::sync::Arc<str>) -> Self {
        Reached { host, ip: None, tls: None }
    }
}

/// One recipient and all that its future depends on.
struct View<'a> {
    message: &'a QueuedMessage,
    place: usize,
    attempts: u32,
    due: Timestamp,
    warned: bool,
    schedule: &'a RetrySchedule,
    now: Timestamp,
}

impl View<'_> {
    fn tried(&self, tried: Try) -> Settlement {
        let made = self.attempts.saturating_add(1);
        let status = tried.answer.status();
        match tried.answer {
            Answer::Took(_) => self.ends(FollowUp::Delivered(tried.into_attempt(made)), None),
            Answer::Refused(_) | Answer::Impossible(..) => {
                let attempt = tried.into_attempt(made);
                let notice = NoticeDue { what: Told::Failed, status, attempt: attempt.clone() };
                self.ends(FollowUp::DeliveryRejected(attempt), Some(notice))
            }
            Answer::Later(_) | Answer::Silent(_) => {
                let attempt = tried.into_attempt(made);
                match self.schedule.next(made, self.now, self.message.arrived) {
                    Some(next) => self.waits(made, next, status, attempt, true),
                    None => self.expires(attempt),
                }
            }
        }
    }

    fn put_off(&self, until: Timestamp, at: Reached, why: &str) -> Settlement {
        let answer = Answer::Silent(why.to_owned());
        let status = answer.status();
        let attempt = Try { at, answer, took: Duration::ZERO }.into_attempt(self.attempts);
        let expires = self.schedule.expires(self.message.arrived);
        if self.now >= expires {
            return self.expires(attempt);
        }
        self.waits(self.attempts, until.max(self.due).min(expires), status, attempt, false)
    }

    /// Waits on; `recorded` if there was a try to record.
    fn waits(
        &self,
        attempts: u32,
        due: Timestamp,
        status: EnhancedCode,
        attempt: RelayAttempt,
        recorded: bool,
    ) -> Settlement {
        let warn = !self.warned
            && !self.message.notice
            && self.schedule.warning_is_due(attempts, self.now, self.message.arrived);
        let what = Told::Delayed;
        let notice = warn.then(|| NoticeDue { what, status, attempt: attempt.clone() });
        Settlement {
            place: self.place,
            state: RecipientState::Waiting { attempts, due, warned: self.warned },
            follow_up: recorded.then_some(FollowUp::DeliveryDeferred { attempt, next: due }),
            notice,
            told: None,
        }
    }

    fn expires(&self, attempt: RelayAttempt) -> Settlement {
        let notice = NoticeDue { what: Told::Failed, status: EXPIRED, attempt: attempt.clone() };
        self.ends(FollowUp::DeliveryExpired(attempt), Some(notice))
    }

    fn ends(&self, follow_up: FollowUp, notice: Option<NoticeDue>) -> Settlement {
        Settlement {
            place: self.place,
            state: RecipientState::Done,
            follow_up: Some(follow_up),
            notice,
            told: None,
        }
    }
}
