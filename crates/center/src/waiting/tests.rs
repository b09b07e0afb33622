//! What is said of mail that waits, over a store and a next hop that takes nothing.

use crate::Center;
use std::sync::Mutex;
use std::time::Duration;

use store::Acceptance;
use types::event::{RelayAnswer, RelayAttempt};
use types::{ForwardPath, Micros, Quoted, Reason};

use super::*;
use crate::tests::{Gateway, at, queue_id, sample};
use crate::{NextHops, QueueCommand, QueueOrder, QueueStanding, RowQueue, SearchRequest, View};

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

/// Accepts the sample message 7, or a notice about it, with these tries
/// behind it.
async fn accept(center: &Center, attempts: u32, notice: bool) -> Event {
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
        notice,
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
    let event = accept(&center, 2, false).await;
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

    let delete = QueueOrder::of(QueueCommand::Delete, &[queue_id(7)]).because("junk");
    center.queue_command(&root, &delete).unwrap();
    let gone = center.why(&root, &event.reference().to_string()).unwrap();
    assert!(!gone.sentence.contains("queue"), "{}", gone.sentence);
    assert_eq!(gone.queued, None);
}

#[tokio::test]
async fn a_row_of_the_queue_says_how_it_stands_and_when_it_is_tried_next() {
    let gateway = Gateway::new(at(60));
    let root = Caller::with_all("root");
    let center = gateway.another_process().with_next_hops(Arc::new(Dead::default()));
    let row = || {
        let request = SearchRequest { view: View::Queue, ..SearchRequest::default() };
        center.search(&root, &request).unwrap().rows.remove(0).queue.unwrap()
    };
    let event = accept(&center, 2, false).await;
    center.memory.of_house().record(vec![deferred(&event)]).unwrap();
    let expected = RowQueue {
        standing: QueueStanding::Deferred,
        attempts: 2,
        next: Some(at(900)),
        text: "next try in 14 min".to_owned(),
        answer: Some("451 not ?[2Jnow".to_owned()),
    };
    assert_eq!(row(), expected);
    center.parts.queue.lease_due(at(900), 1);
    assert_eq!(row(), expected, "others of its message are tried, not this one");
    gateway.advance(Duration::from_secs(840));
    let tried = row();
    assert_eq!((tried.standing, tried.next), (QueueStanding::Trying, None));
    let all = center.search(&root, &SearchRequest::default()).unwrap();
    assert!(all.rows.iter().all(|row| row.queue.is_none()), "elsewhere it is what it became");
}

#[tokio::test]
async fn a_notice_that_waits_is_listed_beside_the_rows() {
    let gateway = Gateway::new(at(60));
    let root = Caller::with_all("root");
    let center = gateway.another_process().with_next_hops(Arc::new(Dead::default()));
    let event = accept(&center, 0, true).await;
    let notices = center.queued_notices(&root).unwrap();
    let [notice] = notices.rows.as_slice() else { panic!("{notices:?}") };
    assert_eq!((notice.id, notice.life), (queue_id(7), event.life_line));
    assert_eq!((notice.to.as_str(), notices.more), ("bob@corp.example", 0));
    assert_eq!(notice.queue.standing, QueueStanding::Queued);
    assert_eq!(notice.queue.answer.as_deref(), Some("Connection refused"));
    let request = SearchRequest { view: View::Queue, ..SearchRequest::default() };
    assert!(center.search(&root, &request).unwrap().rows.is_empty());
    let blind = Caller::new("blind", types::Permissions::NONE);
    assert!(center.queued_notices(&blind).is_err());
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

#[test]
fn a_next_hop_whose_pause_is_over_is_down_for_nobody() {
    let gateway = Gateway::new(at(60));
    let root = Caller::with_all("root");
    let center = gateway.another_process().with_next_hops(Arc::new(Dead::default()));
    let told = || {
        let mut samples = Vec::new();
        crate::metrics::MetricSource::collect(&center, &mut samples);
        let up = samples.iter().find(|one| one.metric.name == "portcullis_next_hop_up").unwrap();
        let is_up = up.value == crate::metrics::Value::Number(1.0);
        let attention = center.overview_attention(&root).unwrap();
        (is_up, attention.iter().any(|one| one.text.contains("takes no connections")))
    };
    assert_eq!(told(), (false, true));
    gateway.advance(Duration::from_secs(239));
    assert_eq!(told(), (false, true));
    gateway.advance(Duration::from_secs(1));
    assert_eq!(told(), (true, false));
}

#[tokio::test]
async fn a_retry_ends_the_back_off_and_a_held_message_says_why_it_is_not_tried() {
    let gateway = Gateway::new(at(60));
    let root = Caller::with_all("root");
    let hops = Arc::new(Dead::default());
    let center = gateway.another_process().with_next_hops(hops.clone());
    accept(&center, 0, false).await;
    let command =
        |command| center.queue_command(&root, &QueueOrder::of(command, &[queue_id(7)])).unwrap();

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
