//! Why a queued message waits: the last answer of its next hop, the next try,
//! and what a person can do about it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use store::{QueuedMessage, QueuedRecipient, RecipientState};
use types::event::{DeliveryStep, QueueAction};
use types::{Caller, Event, EventKind, FollowUp, Outcome, QueueId, ReasonKind, Timestamp};

use crate::explain::Explanation;
use crate::queue::{QueueOffer, is_dangerous};
use crate::sight::Seen;
use crate::{CenterError, NextHopState, presentable, presentable_within};

/// Most characters of a next hop's answer that are shown.
const ANSWER_CHARS_MAX: usize = 300;

/// The last try of one recipient at its next hop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct LastTry {
    /// Its number, counted from one.
    pub number: u32,
    /// When it ended.
    pub at: Timestamp,
    /// Host and port that were asked.
    pub host: String,
    /// What the host answered, or what kept it from answering.
    pub answer: String,
}

/// That the message of an attempt is still in the queue, and what its reader
/// can do to it there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct StillQueued {
    /// The message.
    pub message: QueueId,
    /// Whether it is held back; else it waits for its next hop.
    pub held: bool,
    /// Whether it was held for what can do harm when it is opened or believed.
    pub dangerous: bool,
    /// What can be done, and what of it this reader may not.
    pub offers: Vec<QueueOffer>,
}

/// What is known of the wait of one recipient.
pub(crate) struct Wait {
    pub(crate) last_try: Option<LastTry>,
    pub(crate) next_hop: Result<NextHopState, String>,
    /// Who holds it back.
    held_by: Option<String>,
    /// Whether it is a notice, whose tries stand on the life-line of the
    /// message it is about.
    is_notice: bool,
}

impl Seen<'_> {
    /// Looks up why a recipient waits: its newest follow-up events, and the
    /// state of its next hop.
    pub(crate) fn wait(
        &self,
        message: &QueuedMessage,
        recipient: &QueuedRecipient,
    ) -> Result<Wait, CenterError> {
        let next_hop = self.next_hops.of(message, &recipient.path);
        let mut wait = Wait { last_try: None, next_hop, held_by: None, is_notice: message.notice };
        let RecipientState::Waiting { attempts: 0, .. } = recipient.state else {
            for event in self.events.life_line(recipient.life_line)? {
                wait.note(&event, recipient);
            }
            return Ok(wait);
        };
        Ok(wait)
    }

    /// The attempt that an event is, or that it followed.
    pub(crate) fn attempt_of(&self, event: &Event) -> Result<Option<Event>, CenterError> {
        Ok(match &event.kind {
            EventKind::Attempt(_) => Some(event.clone()),
            EventKind::FollowUp { of, .. } => self.events.event(*of)?,
        })
    }

    /// The message of an attempt, as long as it is in the queue.
    pub(crate) fn queued_as(&self, attempt: &Event) -> Option<Arc<QueuedMessage>> {
        accepted_as(attempt).and_then(|id| self.parts.queue.message(id))
    }

    /// Says of an attempt whose message is still in the queue that it is, why,
    /// and what can be done.
    pub(crate) fn tell_if_queued(
        &self,
        caller: &Caller,
        event: &Event,
        explanation: &mut Explanation,
    ) -> Result<(), CenterError> {
        let Some(attempt) = self.attempt_of(event)? else { return Ok(()) };
        let by_policy = event.reason().is_some_and(|reason| reason.kind() == ReasonKind::Hold);
        let message = self.queued_as(&attempt);
        let here = message.as_ref().and_then(|message| {
            let mut recipients = message.recipients.iter();
            let found = recipients.find(|one| one.event == attempt.id)?;
            (found.state != RecipientState::Done).then_some((message, found))
        });
        let Some((message, recipient)) = here else {
            if by_policy {
                NO_LONGER_HELD.clone_into(&mut explanation.remedy);
                explanation.change = None;
            }
            return Ok(());
        };
        let why = self.wait(message, recipient)?.why(recipient.state, self.parts.clock.now());
        explanation.sentence += &format!(" It is still in the queue: {why}.");
        let held = matches!(recipient.state, RecipientState::Held { .. });
        match held && by_policy {
            // Its reason knows best what to do about it; the change is the same.
            true => explanation.change = None,
            false => remedy(recipient.state).clone_into(&mut explanation.remedy),
        }
        explanation.queued = Some(StillQueued {
            message: message.id,
            held,
            dangerous: attempt.reason().is_some_and(is_dangerous),
            offers: self.offers(caller, recipient)?,
        });
        Ok(())
    }
}

/// What is said of a message that was held and is in the queue no more.
const NO_LONGER_HELD: &str =
    "Nothing is left to decide: it is held no more, and its life-line says what became of it.";

/// The queued message that an attempt was accepted as.
fn accepted_as(attempt: &Event) -> Option<QueueId> {
    match attempt.outcome()? {
        Outcome::Accepted { queue, .. } | Outcome::Held { queue, .. } => Some(*queue),
        Outcome::Passed { .. }
        | Outcome::Deferred(_)
        | Outcome::Rejected(_)
        | Outcome::Aborted(_) => None,
    }
}

/// What a person can do about a message that is still in the queue.
fn remedy(state: RecipientState) -> &'static str {
    match state {
        RecipientState::Held { .. } => {
            "Release it, and it goes to its recipient at once; or delete it, and nobody is told."
        }
        _ => {
            "Nothing is lost: it is tried again by itself. Once the next hop takes mail again, a \
             retry tries it at once."
        }
    }
}

impl Wait {
    fn note(&mut self, event: &Event, recipient: &QueuedRecipient) {
        let EventKind::FollowUp { of, what } = &event.kind else { return };
        // Of the notice where that is what waits, else of the message.
        if *of != recipient.event || what.is_of_notice() != self.is_notice {
            return;
        }
        match what {
            FollowUp::DeliveryDeferred { attempt, .. }
            | FollowUp::Notice { step: DeliveryStep::Deferred, attempt } => {
                let answer = attempt.answer.to_string();
                self.last_try = Some(LastTry {
                    number: attempt.number,
                    at: event.at,
                    host: presentable(&attempt.host).into_owned(),
                    answer: presentable_within(&answer, ANSWER_CHARS_MAX),
                });
            }
            FollowUp::Queue { action: QueueAction::Hold, by, .. } => {
                self.held_by = Some(presentable(by).into_owned());
            }
            _ => {}
        }
    }

    /// Why it waits, as the end of a sentence.
    pub(crate) fn why(&self, state: RecipientState, now: Timestamp) -> String {
        let due = match state {
            RecipientState::Done => return "it has left".to_owned(),
            RecipientState::Held { .. } => {
                let by = self.held_by.as_deref().map(|by| format!(" by {by}")).unwrap_or_default();
                return format!("held back{by} until somebody releases it");
            }
            RecipientState::Waiting { due, .. } => due,
        };
        let next = if due <= now { "due now".to_owned() } else { format!("next try {due}") };
        let mut parts = Vec::new();
        if let Some(last) = &self.last_try {
            let LastTry { number, at, host, answer } = last;
            parts.push(format!("try {number} at {at}, {host}: {}", answer.trim_end_matches('.')));
        }
        match &self.next_hop {
            Ok(hop) => parts.extend(left_alone(hop, now)),
            // The last try has said so itself.
            Err(_) if self.last_try.is_some() => {}
            Err(why) => parts.push(presentable(why).into_owned()),
        }
        parts.push(next);
        parts.join("; ")
    }
}

/// What keeps a next hop from being asked, if anything does.
fn left_alone(hop: &NextHopState, now: Timestamp) -> Option<String> {
    let until = hop.left_alone_until.filter(|until| *until > now)?;
    let shown = |answer: &str| format!(" ({})", presentable_within(answer, ANSWER_CHARS_MAX));
    let why = hop.last_answer.as_ref().map(|(_, answer)| shown(answer)).unwrap_or_default();
    let name = presentable(&hop.name);
    Some(format!("{name} takes no connection{why} and is left alone until {until}"))
}

#[cfg(test)]
mod tests {
    use crate::Center;
    use std::sync::Mutex;

    use store::Acceptance;
    use types::event::{RelayAnswer, RelayAttempt};
    use types::{ForwardPath, Micros, Quoted, Reason};

    use super::*;
    use crate::tests::{Gateway, at, queue_id, sample};
    use crate::{NextHops, QueueCommand, QueueOrder};

    /// One next hop that is left alone until somebody asks for a try.
    #[derive(Default)]
    struct Dead(Mutex<bool>);

    impl NextHops for Dead {
        fn of(&self, _: &QueuedMessage, _: &ForwardPath) -> Result<NextHopState, String> {
            let forgiven = *self.0.lock().unwrap();
            Ok(NextHopState {
                name: "hop.corp.example:25".to_owned(),
                ours: true,
                failures: 3,
                left_alone_until: (!forgiven).then(|| at(300)),
                connections: 0,
                last_answer: Some((at(2), "Connection refused".to_owned())),
            })
        }

        fn all(&self) -> Vec<NextHopState> {
            let hop = |name: String, ours| NextHopState {
                name,
                ours,
                failures: 1,
                left_alone_until: Some(at(300)),
                connections: 0,
                last_answer: None,
            };
            let many = (0..500).map(|number| hop(format!("hop{number}:25"), true));
            many.chain([hop("mx of sender.example".to_owned(), false)]).collect()
        }

        fn try_now(&self, _: &QueuedMessage, _: &ForwardPath) {
            *self.0.lock().unwrap() = true;
        }
    }

    /// Accepts the sample message 7 with these tries behind it.
    async fn accept(center: &Center, attempts: u32) -> Event {
        let (id, event) = (queue_id(7), sample(7, Reason::Accepted));
        let mut content = center.memory.of_house().content(id);
        content.write(b"Subject: Hello\r\n\r\nHi\r\n").await.unwrap();
        let message = QueuedMessage {
            id,
            arrived: at(0),
            reverse_path: event.subject.reverse_path.clone().unwrap(),
            smtputf8: false,
            eight_bit: false,
            trace: String::new(),
            content_octets: content.octets(),
            left_out: Vec::new(),
            session: event.session,
            client: Arc::clone(&event.subject.client),
            facts: event.subject.message.clone().unwrap(),
            notice: false,
            recipients: vec![QueuedRecipient {
                path: event.subject.recipient.clone().unwrap(),
                event: event.id,
                life_line: event.life_line,
                state: RecipientState::Waiting { attempts, due: at(900), warned: false },
            }],
        };
        let acceptance = Acceptance { message: Some(message), events: vec![event.clone()] };
        let position = center.memory.of_house().commit(Some(content), acceptance).await.unwrap();
        center.memory.of_house().flushed(position).await.unwrap();
        event
    }

    fn deferred(event: &Event) -> Event {
        let attempt = RelayAttempt {
            number: 2,
            host: "hop.corp.example:25".into(),
            ip: None,
            tls: None,
            tls_policy: None,
            policy_refused: false,
            answer: RelayAnswer::Reply(Quoted::new(Some(451), None, "not \u{1b}[2Jnow")),
            took: Micros(1),
        };
        let what = FollowUp::DeliveryDeferred { attempt, next: at(900) };
        Event {
            id: types::EventId::new(at(5), [9; 10]),
            at: at(5),
            kind: EventKind::FollowUp { of: event.id, what },
            ..event.clone()
        }
    }

    #[tokio::test]
    async fn the_queue_and_why_say_what_a_message_waits_for() {
        let gateway = Gateway::new(at(60));
        let root = Caller::with_all("root");
        let center = gateway.another_process().with_next_hops(Arc::new(Dead::default()));
        let event = accept(&center, 2).await;
        center.memory.of_house().record(vec![deferred(&event)]).unwrap();

        let row = center.queue_show(&root, queue_id(7)).unwrap().recipients.remove(0);
        assert_eq!(row.last_try.as_ref().map(|last| last.number), Some(2));
        assert_eq!(
            row.why,
            format!(
                "try 2 at {}, hop.corp.example:25: 451 not ?[2Jnow; \
                 hop.corp.example:25 takes no connection (Connection refused) and is left alone \
                 until {}; next try {}",
                at(5),
                at(300),
                at(900)
            )
        );
        let listed = center.queue_list(&root, None, 0).unwrap().remove(0).recipients.remove(0);
        assert_eq!(listed, row);

        let why = center.why(&root, &event.reference().to_string()).unwrap();
        assert!(why.sentence.contains("It is still in the queue: try 2"), "{}", why.sentence);
        assert!(why.remedy.contains("a retry tries it at once"), "{}", why.remedy);
        let offers = |why: &Explanation| {
            let queued = why.queued.as_ref().unwrap();
            assert_eq!(queued.message, queue_id(7));
            queued.offers.iter().map(|offer| offer.action).collect::<Vec<_>>()
        };
        assert_eq!(offers(&why), [QueueCommand::Retry, QueueCommand::Hold, QueueCommand::Delete]);

        center.queue_command(&root, &QueueOrder::of(QueueCommand::Hold, &[queue_id(7)])).unwrap();
        let held = center.why(&root, &event.reference().to_string()).unwrap();
        assert!(held.sentence.ends_with("held back by root until somebody releases it."));
        assert_eq!(offers(&held), [QueueCommand::Release, QueueCommand::Delete]);
        assert!(!format!("{} {}", held.sentence, held.remedy).contains('`'), "{}", held.remedy);

        center
            .queue_command(
                &root,
                &QueueOrder::of(QueueCommand::Delete, &[queue_id(7)]).because("junk"),
            )
            .unwrap();
        let gone = center.why(&root, &event.reference().to_string()).unwrap();
        assert!(!gone.sentence.contains("queue"), "{}", gone.sentence);
        assert_eq!(gone.queued, None);
    }

    #[test]
    fn next_hops_of_the_settings_are_labels_and_those_of_senders_never() {
        let gateway = Gateway::new(at(60));
        let center = gateway.another_process().with_next_hops(Arc::new(Dead::default()));
        let mut samples = Vec::new();
        crate::metrics::MetricSource::collect(&center, &mut samples);
        let up: Vec<_> =
            samples.iter().filter(|one| one.metric.name == "portcullis_next_hop_up").collect();
        assert_eq!(up.len(), 100, "bounded");
        assert!(up.iter().all(|one| one.labels[0].starts_with("hop")));
        assert!(up.iter().all(|one| one.value == crate::metrics::Value::Number(0.0)));
    }

    #[tokio::test]
    async fn a_retry_ends_the_back_off_and_a_held_message_says_why_it_is_not_tried() {
        let gateway = Gateway::new(at(60));
        let root = Caller::with_all("root");
        let hops = Arc::new(Dead::default());
        let center = gateway.another_process().with_next_hops(hops.clone());
        accept(&center, 0).await;
        let command = |command| {
            center.queue_command(&root, &QueueOrder::of(command, &[queue_id(7)])).unwrap()
        };

        let released = command(QueueCommand::Release);
        assert_eq!(released.recipients, 0);
        assert!(released.unchanged[0].why.contains("a retry"), "{released:?}");
        assert!(!*hops.0.lock().unwrap(), "nobody asked for a try");
        assert_eq!(command(QueueCommand::Retry).recipients, 1);
        assert!(*hops.0.lock().unwrap(), "the next hop is tried at once");
        let row = center.queue_show(&root, queue_id(7)).unwrap().recipients.remove(0);
        assert_eq!((row.due, row.why.as_str()), (Some(at(60)), "due now"));

        command(QueueCommand::Hold);
        let retried = command(QueueCommand::Retry);
        assert_eq!((retried.messages, retried.recipients), (0, 0));
        assert_eq!(retried.unchanged[0].to, "bob@corp.example");
        assert!(retried.unchanged[0].why.contains("a release"), "{retried:?}");
        *hops.0.lock().unwrap() = false;
        assert_eq!(command(QueueCommand::Release).recipients, 1);
        assert!(*hops.0.lock().unwrap(), "what is released is tried at once too");
    }
}
