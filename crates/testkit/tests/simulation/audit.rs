//! What clients and next hops saw, and whether the gateway's events agree.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use testkit::Delivery;
use types::finding::TripletState;
use types::{CheckName, Event, EventKind, FollowUp, Observed, Outcome};

/// What a client knows of one message it has sent to the final dot.
#[derive(Debug)]
pub(crate) struct Sent {
    /// Stands in the message and nowhere else.
    pub(crate) token: String,
    pub(crate) from: String,
    /// Who was agreed to at RCPT.
    pub(crate) to: Vec<String>,
    /// 250 was said after the data.
    pub(crate) acknowledged: bool,
}

/// All that was seen from outside.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) sent: Vec<Sent>,
    /// References quoted in replies, with the reply.
    pub(crate) references: HashMap<String, String>,
    /// Those not flushed yet: a power cut may take their events.
    pub(crate) fresh: HashSet<String>,
}

impl Seen {
    /// Notes the references in replies.
    pub(crate) fn note(&mut self, replies: &[String]) {
        for line in replies {
            let Some((_, rest)) = line.split_once("[ref ") else { continue };
            let reference = rest[..12].to_owned();
            self.fresh.insert(reference.clone());
            self.references.insert(reference, line.clone());
        }
    }

    /// The power went: what was not flushed is not promised.
    pub(crate) fn forget_fresh(&mut self) {
        for reference in self.fresh.drain() {
            self.references.remove(&reference);
        }
    }
}

/// Checks everything once all is quiet.
pub(crate) fn balance(seen: &Seen, events: &[Event], taken: &[Delivery], bounced: &[Delivery]) {
    each_attempt_once(seen, events);
    each_acknowledged_message_arrived(seen, events, taken, bounced);
    nothing_arrived_that_was_not_sent(seen, taken);
    no_triplet_before_its_time(events);
    effects_follow_causes(events);
}

/// Every reference that was given leads to exactly one attempt event, and no
/// attempt has two.
fn each_attempt_once(seen: &Seen, events: &[Event]) {
    let mut found: HashMap<String, usize> = HashMap::new();
    for event in events.iter().filter(|event| event.outcome().is_some()) {
        *found.entry(event.reference().to_string()).or_default() += 1;
    }
    for (reference, times) in &found {
        assert_eq!(*times, 1, "{reference} has {times} events");
    }
    for (reference, reply) in &seen.references {
        assert!(found.contains_key(reference), "there is no event of this reply: {reply}");
    }
}

/// 250 means delivered or, where that failed, told to the sender.
fn each_acknowledged_message_arrived(
    seen: &Seen,
    events: &[Event],
    taken: &[Delivery],
    bounced: &[Delivery],
) {
    for sent in seen.sent.iter().filter(|sent| sent.acknowledged) {
        let holds = |delivery: &&Delivery| has(&delivery.content, &sent.token);
        for to in &sent.to {
            let arrived = taken.iter().filter(holds).any(|delivery| delivery.to.contains(to));
            let told = bounced.iter().filter(holds).any(|delivery| has(&delivery.content, to));
            let cannot_be_told = events.iter().any(|event| ended_untold(event, sent, to));
            assert!(arrived || told || cannot_be_told, "lost: {sent:?} for {to}");
        }
    }
}

/// Whether the event says that nobody could be told of the failure.
fn ended_untold(event: &Event, sent: &Sent, to: &str) -> bool {
    let about = event.subject.recipient.as_ref().is_some_and(|path| path.as_str() == to);
    let subject = event.subject.message.as_ref().and_then(|message| message.subject.as_deref());
    let bounced = matches!(
        event.follow_up(),
        Some(FollowUp::BounceSuppressed { .. } | FollowUp::Bounced { .. })
    );
    // A bounce may itself fail to be delivered; that it was made is enough.
    about && subject == Some(sent.token.as_str()) && bounced
}

fn nothing_arrived_that_was_not_sent(seen: &Seen, taken: &[Delivery]) {
    for delivery in taken {
        let sent = seen.sent.iter().find(|sent| has(&delivery.content, &sent.token));
        let sent = sent.unwrap_or_else(|| panic!("nobody sent this: {delivery:?}"));
        assert_eq!(delivery.from, sent.from);
        for to in &delivery.to {
            assert!(sent.to.contains(to), "{to} was never agreed to: {sent:?}");
        }
    }
}

fn has(content: &[u8], text: &str) -> bool {
    content.windows(text.len()).any(|window| window == text.as_bytes())
}

const EARLIEST: Duration = Duration::from_secs(60);
const WINDOW: Duration = Duration::from_secs(12 * 3_600);

fn no_triplet_before_its_time(events: &[Event]) {
    let by_id: HashMap<_, _> = events.iter().map(|event| (event.id, event)).collect();
    let mut expired = HashSet::new();
    for event in events {
        if let EventKind::FollowUp { of, what: FollowUp::GreylistExpired { .. } } = &event.kind {
            assert!(expired.insert(*of), "{of} expired twice");
            // A power cut may have taken the first attempt's own event.
            if let Some(first) = by_id.get(of) {
                assert_eq!(event.at, first.started + WINDOW, "expired at the wrong time");
            }
        }
        let triplet = event.record.evidence.latest(CheckName::Greylist);
        if let Some(Observed::Triplet(facts)) = triplet {
            let waited = event.started.since(facts.first_seen);
            if facts.state == TripletState::Passed {
                assert!((EARLIEST..=WINDOW).contains(&waited), "passed after {waited:?}");
            }
            if facts.state == TripletState::TooEarly {
                assert!(waited < EARLIEST, "held up after {waited:?}");
            }
        }
    }
}

fn effects_follow_causes(events: &[Event]) {
    let by_id: HashMap<_, _> = events.iter().map(|event| (event.id, event)).collect();
    for event in events {
        assert!(event.at >= event.started, "{event:?}");
        let EventKind::FollowUp { of, .. } = &event.kind else { continue };
        let Some(cause) = by_id.get(of) else { continue };
        assert!(event.at >= cause.at, "{event:?} before {cause:?}");
        let accepted = matches!(cause.outcome(), Some(Outcome::Accepted { .. }));
        let greylisted = matches!(event.follow_up(), Some(FollowUp::GreylistExpired { .. }));
        assert!(accepted || greylisted, "{event:?} follows {cause:?}");
        assert_eq!(event.life_line, cause.life_line);
    }
}
