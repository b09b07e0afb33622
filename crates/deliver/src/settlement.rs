//! What a try means for a recipient: its next state, the event, the notice.
//! Pure: a function of the recipient, the answer, the schedule and the time.

use std::time::Duration;

use store::{QueuedMessage, RecipientState};
use types::{EnhancedCode, FollowUp, RelayAttempt, Timestamp};

use crate::schedule::RetrySchedule;
use crate::tried::{Answer, Came, FORBIDDEN, Reached, Try, Why};

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

/// What a sender is told at the end, if the last try came to `status`: what is
/// forbidden says more than that time is over.
fn end(status: EnhancedCode) -> EnhancedCode {
    if status == FORBIDDEN { FORBIDDEN } else { EXPIRED }
}

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
        Came::PutOff { until, host, why } => view.put_off(until, Reached::only(host), why),
    })
}

impl Reached {
    /// A host that was not connected to.
    pub(crate) fn only(host: std::sync::Arc<str>) -> Self {
        Reached { host, ip: None, tls: None, policy: None }
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
            Answer::Later(_) | Answer::Silent(_) | Answer::Forbidden(_) => {
                let attempt = tried.into_attempt(made);
                match self.schedule.next(made, self.now, self.message.arrived) {
                    Some(next) => self.waits(made, next, status, attempt, true),
                    None => self.expires(attempt, end(status)),
                }
            }
        }
    }

    fn put_off(&self, until: Timestamp, at: Reached, why: Why) -> Settlement {
        let answer = why.into_answer();
        let status = answer.status();
        let attempt = Try { at, answer, took: Duration::ZERO }.into_attempt(self.attempts);
        let expires = self.schedule.expires(self.message.arrived);
        if self.now >= expires {
            return self.expires(attempt, end(status));
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
            follow_up: recorded
                .then(|| self.told(FollowUp::DeliveryDeferred { attempt, next: due })),
            notice,
            told: None,
        }
    }

    fn expires(&self, attempt: RelayAttempt, status: EnhancedCode) -> Settlement {
        let notice = NoticeDue { what: Told::Failed, status, attempt: attempt.clone() };
        self.ends(FollowUp::DeliveryExpired(attempt), Some(notice))
    }

    /// What is recorded: a notice is no delivery of the message it is about.
    fn told(&self, follow_up: FollowUp) -> FollowUp {
        if self.message.notice { follow_up.of_notice() } else { follow_up }
    }

    fn ends(&self, follow_up: FollowUp, notice: Option<NoticeDue>) -> Settlement {
        Settlement {
            place: self.place,
            state: RecipientState::Done,
            follow_up: Some(self.told(follow_up)),
            notice,
            told: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::QueuedRecipient;
    use types::{
        Client, ClientFacts, EventId, ForwardPath, LifeLineId, QueueId, Quoted, ReversePath,
        SessionId,
    };

    const ARRIVED: Timestamp = Timestamp::from_millis(1_795_000_000_000);

    fn message(attempts: u32, warned: bool) -> QueuedMessage {
        let client = Client {
            ip: [192, 0, 2, 1].into(),
            port: 25,
            listener: "192.0.2.2:25".into(),
            direction: Default::default(),
        };
        let (host_name, helo, tls) = (None, None, None);
        QueuedMessage {
            id: QueueId::from_bytes([1; 16]),
            arrived: ARRIVED,
            reverse_path: ReversePath::Null.into(),
            smtputf8: false,
            eight_bit: false,
            trace: String::new(),
            content_octets: 0,
            left_out: Vec::new(),
            session: SessionId::from_bytes([2; 16]),
            client: ClientFacts { client, host_name, helo, esmtp: true, tls }.into(),
            facts: std::sync::Arc::default(),
            notice: false,
            recipients: vec![QueuedRecipient {
                path: ForwardPath::Postmaster,
                event: EventId::from_bytes([3; 16]),
                life_line: LifeLineId::from_bytes([4; 16]),
                state: RecipientState::Waiting { attempts, due: ARRIVED, warned },
            }],
        }
    }

    fn tried(answer: Answer) -> Came {
        let took = Duration::from_millis(5);
        Came::Tried(Try { at: Reached::only("hop:25".into()), answer, took })
    }

    fn quoted(code: u16) -> Quoted {
        Quoted::new(Some(code), None, "words")
    }

    /// What is settled after `attempts` tries when one more comes to `came`
    /// this many minutes after acceptance: state, event, notice.
    fn check(attempts: u32, came: Came, at_min: u64, expected: &str) {
        let now = ARRIVED + Duration::from_secs(at_min * 60);
        let schedule = RetrySchedule::default();
        let settled = settle(&message(attempts, false), 0, came, &schedule, now).unwrap();
        let state = match settled.state {
            RecipientState::Waiting { attempts, due, .. } => {
                format!("{attempts} tries, next in {} min", due.since(now).as_secs() / 60)
            }
            other => format!("{other:?}"),
        };
        let event = match settled.follow_up {
            None => "nothing".into(),
            Some(FollowUp::Delivered(attempt)) => format!("delivered #{}", attempt.number),
            Some(FollowUp::DeliveryDeferred { attempt, .. }) => {
                format!("deferred #{}", attempt.number)
            }
            Some(FollowUp::DeliveryRejected(attempt)) => format!("rejected #{}", attempt.number),
            Some(FollowUp::DeliveryExpired(attempt)) => format!("expired #{}", attempt.number),
            Some(other) => format!("{other:?}"),
        };
        let notice = settled.notice.map(|n| format!("{:?} {}", n.what, n.status));
        let notice = notice.unwrap_or_else(|| "nobody told".into());
        assert_eq!(format!("{state}; {event}; {notice}"), expected);
    }

    #[test]
    fn every_answer_has_its_settlement() {
        let later = || tried(Answer::Later(quoted(451)));
        let silent = || tried(Answer::Silent("gone".into()));
        let no = EnhancedCode(5, 6, 7);
        check(0, tried(Answer::Took(quoted(250))), 0, "Done; delivered #1; nobody told");
        check(0, tried(Answer::Refused(quoted(550))), 0, "Done; rejected #1; Failed 5.0.0");
        check(2, tried(Answer::Impossible(no, "x".into())), 6, "Done; rejected #3; Failed 5.6.7");
        check(0, later(), 0, "1 tries, next in 1 min; deferred #1; nobody told");
        check(5, later(), 60, "6 tries, next in 60 min; deferred #6; Delayed 4.0.0");
        let forbidden = || tried(Answer::Forbidden("no TLS".into()));
        check(5, forbidden(), 60, "6 tries, next in 60 min; deferred #6; Delayed 4.7.4");
        check(29, forbidden(), 106 * 60, "Done; expired #30; Failed 4.7.4");
        check(29, silent(), 106 * 60, "Done; expired #30; Failed 4.4.7");
        check(3, silent(), 108 * 60, "Done; expired #4; Failed 4.4.7");
    }

    #[test]
    fn who_is_put_off_spends_no_attempt_and_expires_all_the_same() {
        let put_off = |until_min: u64| Came::PutOff {
            until: ARRIVED + Duration::from_secs(until_min * 60),
            host: "hop:25".into(),
            why: Why::Unable("down".into()),
        };
        check(2, put_off(9), 6, "2 tries, next in 3 min; nothing; nobody told");
        check(2, put_off(70), 65, "2 tries, next in 5 min; nothing; Delayed 4.4.1");
        let end = 108 * 60;
        check(2, put_off(end + 4), end - 1, "2 tries, next in 1 min; nothing; Delayed 4.4.1");
        check(2, put_off(end + 4), end, "Done; expired #2; Failed 4.4.7");
        let why = Why::Forbidden("no TLS".into());
        let forbidden = Came::PutOff { until: ARRIVED, host: "hop:25".into(), why };
        check(2, forbidden, end, "Done; expired #2; Failed 4.7.4");
    }

    #[test]
    fn who_does_not_wait_is_not_settled() {
        let mut held = message(0, false);
        let came = || tried(Answer::Took(quoted(250)));
        let schedule = RetrySchedule::default();
        assert!(settle(&held, 1, came(), &schedule, ARRIVED).is_none());
        held.recipients[0].state = RecipientState::Held { attempts: 0 };
        assert!(settle(&held, 0, came(), &schedule, ARRIVED).is_none());
    }
}
