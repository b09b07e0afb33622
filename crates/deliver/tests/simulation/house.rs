//! Everything around delivery, simulated.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::memory_store::{MemoryLog, MemoryPolicies, MemoryStore};
use deliver::{
    Deliverer, DeliverySettings, Notice, NoticeKind, NoticeText, NoticeWriter, Parts, Route,
    RoutingTable,
};
use store::{MessageQueue, QueuedMessage, QueuedRecipient, RecipientState};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use types::{
    Client, ClientFacts, EventId, EventKind, FollowUp, ForwardPath, LifeLineId, MessageFacts,
    NodeName, QueueId, ReversePath, SessionId, Timestamp,
};
use world::simulated::{SeededChance, SimulatedClock, SimulatedNetwork, SimulatedResolver};
use world::{Authorities, Chance, Clock, HttpClient, Reach, WebSettings};

pub(crate) const START: Timestamp = Timestamp::from_millis(1_795_000_000_000);
pub(crate) const HOP: &str = "192.0.2.25:25";

/// Everything around a [`Deliverer`].
pub(crate) struct House {
    pub(crate) clock: SimulatedClock,
    pub(crate) chance: Arc<SeededChance>,
    pub(crate) network: SimulatedNetwork,
    pub(crate) resolver: Arc<SimulatedResolver>,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) deliverer: Deliverer,
    parts: Parts,
    stop: Option<oneshot::Sender<()>>,
    running: Option<JoinHandle<()>>,
}

/// Writes the facts of a notice one per line.
struct PlainNotices;

impl NoticeWriter for PlainNotices {
    fn write(&self, notice: &Notice<'_>) -> NoticeText {
        let kind = match notice.kind {
            NoticeKind::Failed => "failed",
            NoticeKind::Delayed { .. } => "delayed",
        };
        let mut text = format!("{kind} to {}\r\n", notice.to);
        for told in &notice.recipients {
            let path = told.recipient.path.as_str();
            text += &format!("{path} {} {:?}\r\n", told.status, told.attempt.answer);
        }
        text += &String::from_utf8_lossy(notice.original);
        NoticeText { octets: text.into_bytes(), facts: MessageFacts::default() }
    }
}

/// The settings of most tests: `corp.example` at [`HOP`].
pub(crate) fn settings() -> DeliverySettings {
    let mut routes = RoutingTable::new();
    routes.insert(&"corp.example".parse().unwrap(), Route::parse(&[HOP]).unwrap());
    DeliverySettings::new("gate.example", routes)
}

impl House {
    pub(crate) fn new() -> Self {
        House::with(settings())
    }

    pub(crate) fn with(settings: DeliverySettings) -> Self {
        House::trusting(None, settings)
    }

    /// With the authorities of this file.
    pub(crate) fn trusting(ca_file: Option<&Path>, settings: DeliverySettings) -> Self {
        let clock = SimulatedClock::new(START);
        let network = SimulatedNetwork::new(Arc::new(clock.clone()));
        let store = Arc::new(MemoryStore::default());
        let resolver = Arc::new(SimulatedResolver::new());
        let chance = Arc::new(SeededChance::new(5));
        let (dial, reach) = (Arc::new(network.clone()), Reach::with(Vec::new(), "none"));
        let web = WebSettings {
            reach: reach.clone(),
            authorities: Authorities::load(ca_file).unwrap(),
            timeout: Duration::from_secs(10),
        };
        let parts = Parts {
            queue: store.clone(),
            log: Arc::new(MemoryLog::new(store.clone())),
            notices: Arc::new(PlainNotices),
            clock: Arc::new(clock.clone()),
            chance: chance.clone(),
            authorities: web.authorities.clone(),
            fetch: Arc::new(HttpClient::new(resolver.clone(), dial.clone(), web).unwrap()),
            policies: Arc::new(MemoryPolicies::default()),
            dial,
            resolver: resolver.clone(),
            reach,
            node: NodeName("test".into()),
        };
        let deliverer = Deliverer::new(parts.clone(), settings);
        let (stop, running) = (None, None);
        House { clock, chance, network, resolver, store, deliverer, parts, stop, running }
    }

    pub(crate) fn start(&mut self) {
        let (stop, stopped) = oneshot::channel::<()>();
        let deliverer = self.deliverer.clone();
        self.stop = Some(stop);
        self.running = Some(tokio::spawn(async move {
            deliverer
                .run(async {
                    let _ = stopped.await;
                })
                .await;
        }));
    }

    /// Stops in order and starts anew with what was kept.
    pub(crate) async fn restart(&mut self, settings: DeliverySettings) {
        self.order_stop();
        self.settle().await;
        self.deliverer.keep_policies().unwrap();
        self.deliverer = Deliverer::new(self.parts.clone(), settings);
        self.deliverer.restore_policies().unwrap();
        self.start();
    }

    pub(crate) fn order_stop(&mut self) {
        let _ = self.stop.take().unwrap().send(());
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.running.as_ref().unwrap().is_finished()
    }

    /// A message from ann to these, with 20 octets of content.
    pub(crate) fn accept(&self, recipients: &[&str]) -> QueueId {
        self.accept_as(recipients, |_| {})
    }

    pub(crate) fn accept_as(
        &self,
        recipients: &[&str],
        change: impl FnOnce(&mut QueuedMessage),
    ) -> QueueId {
        let content = b"Subject: x\r\n\r\n.dot\r\n";
        let now = self.clock.now();
        let id = QueueId::new(now, self.chance.id_bytes());
        let client = Client {
            ip: "203.0.113.1".parse().unwrap(),
            port: 40_000,
            listener: "192.0.2.1:25".into(),
            direction: types::Direction::Inbound,
        };
        let recipient = |path: &&str| QueuedRecipient {
            path: ForwardPath::Address(path.parse().unwrap()),
            event: EventId::new(now, self.chance.id_bytes()),
            life_line: LifeLineId::new(now, self.chance.id_bytes()),
            state: RecipientState::Waiting { attempts: 0, due: now, warned: false },
        };
        let mut message = QueuedMessage {
            id,
            arrived: now,
            reverse_path: Arc::new(ReversePath::Address("ann@sender.example".parse().unwrap())),
            smtputf8: false,
            eight_bit: false,
            trace: "Received: here\r\n".into(),
            content_octets: content.len() as u64,
            left_out: Vec::new(),
            session: SessionId::new(now, self.chance.id_bytes()),
            client: Arc::new(ClientFacts {
                client,
                host_name: None,
                helo: None,
                esmtp: true,
                tls: None,
            }),
            facts: Arc::default(),
            notice: false,
            recipients: recipients.iter().map(recipient).collect(),
        };
        change(&mut message);
        self.store.put(message, content);
        id
    }

    /// Lets everybody run until nobody can without time passing.
    pub(crate) async fn settle(&self) {
        for _ in 0..300 {
            tokio::task::yield_now().await;
        }
    }

    /// Lets time pass, step by step, for `span`.
    pub(crate) async fn pass(&self, span: Duration) {
        let end = self.clock.now() + span;
        self.settle().await;
        while self.clock.next_deadline().is_some_and(|next| next <= end) {
            self.clock.advance_to_next();
            self.settle().await;
        }
        self.clock.advance_to(end);
        self.settle().await;
    }

    /// Lets time pass until the queue is empty; at most two weeks.
    pub(crate) async fn pass_until_empty(&self) {
        let end = START + Duration::from_secs(14 * 86_400);
        self.settle().await;
        while self.store.depth().messages() > 0 {
            let next = self.clock.advance_to_next();
            assert!(next.is_some_and(|next| next < end), "the queue does not become empty");
            self.settle().await;
        }
    }

    /// The follow-ups so far, one line each: recipient and what happened.
    pub(crate) fn story(&self) -> Vec<String> {
        self.store
            .events()
            .iter()
            .map(|event| {
                let EventKind::FollowUp { what, .. } = &event.kind else { panic!("no follow-up") };
                let to = event.subject.recipient.as_ref().unwrap().as_str();
                format!("{to} {}", told(what))
            })
            .collect()
    }
}

/// A follow-up in a few words.
fn told(what: &FollowUp) -> String {
    use types::event::{DeliveryStep, RelayAnswer};
    let answer = |attempt: &types::RelayAttempt| match &attempt.answer {
        RelayAnswer::Reply(quoted) => format!("#{} {quoted}", attempt.number),
        RelayAnswer::NoReply(why) => format!("#{} - {why}", attempt.number),
    };
    let of = if matches!(what, FollowUp::Notice { .. }) { "notice " } else { "" };
    if let Some((step, attempt)) = what.delivery() {
        let step = match step {
            DeliveryStep::Delivered => "delivered",
            DeliveryStep::Deferred => "deferred",
            DeliveryStep::Rejected => "rejected",
            DeliveryStep::Expired => "expired",
        };
        return format!("{of}{step} {}", answer(attempt));
    }
    match what {
        FollowUp::DelayWarned => "warned".into(),
        FollowUp::Bounced { .. } => "bounced".into(),
        FollowUp::BounceSuppressed { why } => format!("suppressed {why:?}"),
        other => format!("{other:?}"),
    }
}
