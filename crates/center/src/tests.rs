//! The message center over the real embedded store in a temporary folder.

use std::sync::Mutex;
use std::time::Duration;

use policy::PolicySet;
use store::disk::RealDisk;
use store::state::{SqliteAudit, SqliteRequests, SqliteState};
use store::{Acceptance, QueuedMessage, QueuedRecipient, RecipientState, Store, StoreOptions};
use tempfile::TempDir;
use types::event::{Record, SCHEMA};
use types::lists::{Group, ManagedSender, SenderAction};
use types::policy::{BlockOption, GreylistTimes, PolicyOption, RecipientValidation, Scope};
use types::{
    CheckName, Client, ClientFacts, Decision, Event, EventId, EventKind, HeaderMailbox, LifeLineId,
    MessageFacts, Outcome, OutcomeKind, Permissions, Policy, PolicyId, QueueId, Reason, ReasonKind,
    ReplyParameters, ReversePath, SessionId, Stage, Subject, Timestamp,
};
use world::SystemChance;
use world::simulated::SimulatedClock;

use super::*;

/// 2026-11-21T10:00:00Z and `seconds`.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_795_255_200_000 + seconds * 1_000)
}

fn random(number: u64) -> [u8; 10] {
    let mut random = [0; 10];
    random[2..].copy_from_slice(&number.to_be_bytes());
    random
}

pub(crate) fn event_id(number: u64) -> EventId {
    EventId::new(at(0), random(number))
}

pub(crate) fn queue_id(number: u64) -> QueueId {
    QueueId::new(at(0), random(number))
}

/// The attempt `number` that ended for `reason` a second after ten.
pub(crate) fn sample(number: u64, reason: Reason) -> Event {
    let decision = Decision::new(reason, CheckName::Recipient);
    let reply = decision.reply(ReplyParameters::default());
    let outcome = match reason.kind() {
        ReasonKind::Acceptance => Outcome::Accepted { queue: queue_id(number), reason },
        ReasonKind::Hold => Outcome::Held { queue: queue_id(number), decision },
        ReasonKind::Deferral => Outcome::Deferred(decision),
        ReasonKind::Rejection => Outcome::Rejected(decision),
    };
    let client = Client {
        ip: format!("192.0.2.{}", number % 250 + 1).parse().unwrap(),
        port: 40_000,
        listener: "127.0.0.1:2525".into(),
        direction: types::Direction::Inbound,
    };
    let helo = Some("mail.sender.example".into());
    let mailbox = HeaderMailbox { name: None, address: "ann@sender.example".to_owned() };
    Event {
        schema: SCHEMA,
        id: event_id(number),
        at: at(1),
        started: at(0),
        node: NodeName("mx1".into()),
        session: SessionId::new(at(0), random(number)),
        life_line: LifeLineId::new(at(0), random(1_000 + number)),
        subject: Subject {
            client: ClientFacts { client, host_name: None, helo, esmtp: true, tls: None }.into(),
            reverse_path: Some(Arc::new(ReversePath::Address(
                "ann@sender.example".parse().unwrap(),
            ))),
            recipient: Some(types::ForwardPath::Address("bob@corp.example".parse().unwrap())),
            declared_size: None,
            message: Some(Arc::new(MessageFacts {
                size_octets: 1_234,
                header_from: vec![mailbox],
                subject: Some("Hello".to_owned()),
                ..MessageFacts::default()
            })),
        },
        kind: EventKind::Attempt(outcome),
        record: Record { stage: Some(Stage::Rcpt), reply, ..Record::default() },
    }
}

/// Remembers what it was told, and has nothing in force until it is said what.
#[derive(Default)]
pub(crate) struct Activator {
    in_force: Mutex<Option<Arc<PolicySet>>>,
    told: Mutex<Vec<(u64, Activation)>>,
    left_out: Mutex<Vec<String>>,
}

impl PolicyActivator for Activator {
    fn base(&self) -> BasePolicies {
        let domain = "corp.example".parse().unwrap();
        BasePolicies {
            size_max_octets: 1_000_000,
            greylist: GreylistTimes::default(),
            reputation: Default::default(),
            permitted_lists: Vec::new(),
            lists: Vec::new(),
            limits_recipient_rate: false,
            domains: vec![(domain, RecipientValidation::AcceptAll)],
        }
    }

    fn in_force(&self) -> Arc<PolicySet> {
        let nothing = || Arc::new(PolicySet::compile(0, Default::default(), &self.base()).unwrap());
        self.in_force.lock().unwrap().clone().unwrap_or_else(nothing)
    }

    fn activate(&self, version: u64, change: Activation) -> Result<Vec<String>, String> {
        self.told.lock().unwrap().push((version, change));
        Ok(self.left_out.lock().unwrap().clone())
    }
}

struct Quiet;

impl SessionCounters for Quiet {
    fn counts(&self) -> SessionCounts {
        SessionCounts {
            sessions_opened: 3,
            sessions_finished: 2,
            attempts_opened: 6,
            attempts_finished: 4,
            attempts_unrecorded: 1,
        }
    }
}

impl Readiness for Quiet {
    fn checks(&self) -> Vec<ReadyCheck> {
        let check = |name: &str, ok, needed| ReadyCheck {
            name: name.to_owned(),
            ok,
            needed,
            text: String::new(),
        };
        vec![check("store", true, true), check("next_hops", false, false)]
    }
}

/// A message center with everything real but the clock.
pub(crate) struct Gateway {
    pub(crate) center: Center,
    parts: Parts,
    activator: Arc<Activator>,
    clock: Arc<SimulatedClock>,
    folder: TempDir,
}

impl Gateway {
    pub(crate) fn new(now: Timestamp) -> Gateway {
        let folder = tempfile::tempdir().unwrap();
        let options = StoreOptions::simulated(folder.path());
        let (store, _) = Store::open(Arc::new(RealDisk), options, now).unwrap();
        let store = Arc::new(store);
        let activator = Arc::new(Activator::default());
        let clock = Arc::new(SimulatedClock::new(now));
        let parts = Parts {
            log: store.clone(),
            search: store.clone(),
            queue: store.clone(),
            triplets: store.clone(),
            correspondences: store,
            policies: Arc::new(SqliteState::open(&folder.path().join("state.db")).unwrap()),
            audit: Arc::new(SqliteAudit::open(&folder.path().join("state.db")).unwrap()),
            activator: activator.clone(),
            sessions: Arc::new(Quiet),
            events: Arc::new(metrics::MetricsFromEvents::new()),
            readiness: Arc::new(Quiet),
            clock: clock.clone(),
            chance: Arc::new(SystemChance),
            node: NodeName("mx1".into()),
            daily_log_folder: folder.path().join("daily"),
            metadata_kept: Duration::from_secs(7 * 86_400),
            program_version: "0.1.0",
        };
        let requests = SqliteRequests::open(&folder.path().join("state.db")).unwrap();
        let center = Center::new(parts.clone()).with_requests(Arc::new(requests));
        Gateway { center, parts, activator, clock, folder }
    }

    pub(crate) fn logs(&self) -> PathBuf {
        self.folder.path().join("daily")
    }

    /// A message center that remembers nothing of this one but what is stored.
    pub(crate) fn another_process(&self) -> Center {
        Center::new(self.parts.clone())
    }

    /// What it is made of.
    pub(crate) fn parts(&self) -> &Parts {
        &self.parts
    }

    /// The database of everything small.
    pub(crate) fn state_file(&self) -> PathBuf {
        self.folder.path().join("state.db")
    }

    pub(crate) fn advance(&self, span: Duration) {
        self.clock.advance(span);
    }

    /// Puts the stored policies and managed senders in force.
    pub(crate) fn enforce(&self) {
        let mut managed_senders = Vec::new();
        let state = &self.center.parts.policies;
        let content = state.read(&mut |stored| managed_senders.push(stored.sender)).unwrap();
        let policies = content.policies.into_iter().map(|stored| policy::StoredPolicy {
            policy: stored.policy,
            version: stored.provenance.version,
            created: stored.provenance.created,
        });
        let policies = policies.collect();
        let objects = policy::PolicyObjects { policies, managed_senders, ..Default::default() };
        let set = PolicySet::compile(content.version, objects, &self.activator.base()).unwrap();
        *self.activator.in_force.lock().unwrap() = Some(Arc::new(set));
    }

    fn last_activation(&self) -> Option<(u64, Activation)> {
        self.activator.told.lock().unwrap().last().cloned()
    }
}

fn root() -> Caller {
    Caller::with_all("root")
}

pub(crate) fn block(narrative: &str, domain: &str) -> Policy {
    Policy {
        id: None,
        narrative: narrative.to_owned(),
        option: PolicyOption::BlockedSenders(BlockOption::Block),
        based_on: Default::default(),
        from: Scope::Domain(domain.parse().unwrap()),
        to: Scope::Everyone,
        source_ips: Vec::new(),
        source_hosts: Vec::new(),
        validity: Default::default(),
        mode: Default::default(),
        overrides: false,
        bidirectional: false,
    }
}

pub(crate) fn entry(sender: &str, action: SenderAction) -> ManagedSender {
    ManagedSender {
        id: None,
        sender: sender.parse().unwrap(),
        recipient: "bob@corp.example".parse().unwrap(),
        action,
        authenticated_only: false,
        note: String::new(),
        created_by: String::new(),
        created: Timestamp::EPOCH,
        created_from: None,
        valid_until: None,
    }
}

fn trace(gateway: &Gateway, query: &str) -> SearchPage {
    let request =
        SearchRequest { query: query.to_owned(), rows_max: 100, ..SearchRequest::default() };
    gateway.center.search(&root(), &request).unwrap_or_else(|e| panic!("{query}: {e}"))
}

#[test]
fn attempts_are_found_paged_and_explained() {
    let gateway = Gateway::new(at(60));
    let reasons = [Reason::RecipientUnknown, Reason::GreylistFirstSeen, Reason::Accepted];
    let events: Vec<Event> = (0..30)
        .map(|number| sample(number, reasons[number as usize % 3]))
        .map(|event| Event { at: event.at + Duration::from_secs(1), ..event })
        .collect();
    gateway.center.memory.of_house().record(events.clone()).unwrap();
    assert_eq!(trace(&gateway, "").rows.len(), 30);
    assert_eq!(trace(&gateway, "is:rejected").rows.len(), 10);
    assert_eq!(trace(&gateway, "type:greylist time:today to:bob@corp.example").rows.len(), 10);
    assert_eq!(trace(&gateway, "ip:192.0.2.1").rows.len(), 1);
    assert_eq!(trace(&gateway, "-is:rejected info:\"first contact\"").rows.len(), 10);
    assert_eq!(trace(&gateway, "from:nobody").rows.len(), 0);
    let mut request = SearchRequest { rows_max: 12, ..SearchRequest::default() };
    let mut seen = Vec::new();
    loop {
        let page = gateway.center.search(&root(), &request).unwrap();
        seen.extend(page.rows.iter().map(|row| row.id));
        let Some(next) = page.next else { break };
        request.cursor = Some(next.to_string().parse().unwrap());
    }
    assert_eq!(seen.len(), 30);
    let reference = events[0].reference().to_string();
    assert_eq!(trace(&gateway, &reference.to_lowercase()).rows.len(), 1);
    let why = gateway.center.why(&root(), &reference).unwrap();
    assert_eq!(why.id, events[0].id);
    assert_eq!(gateway.center.life(&root(), &reference).unwrap().steps.len(), 1);
    let life = events[0].life_line.reference().to_string();
    assert_eq!(gateway.center.why(&root(), &life).unwrap().id, events[0].id);
    assert!(matches!(gateway.center.why(&root(), "ZZZZZZZZZZZZ"), Err(CenterError::NotFound(_))));
}

#[test]
fn every_function_asks_for_its_permission() {
    let gateway = Gateway::new(at(0));
    let center = &gateway.center;
    let nobody = Caller::new("nobody", Permissions::NONE);
    let denied = [
        center.search(&nobody, &SearchRequest::default()).err(),
        center.why(&nobody, "x").err(),
        center.event(&nobody, "x").err(),
        center.life(&nobody, "x").err(),
        center.policies(&nobody).err(),
        center.policy(&nobody, PolicyId(1)).err(),
        center.put_policy(&nobody, block("x", "x.example"), None, "").err(),
        center.remove_policy(&nobody, PolicyId(1), None, "").err(),
        center.export_policies(&nobody).err(),
        center.check_policies(&nobody, "").err(),
        center.import_policies(&nobody, "", None, "").err(),
        center.versions(&nobody, None, 1).err(),
        center.differences(&nobody, 0, 1).err(),
        center.roll_back(&nobody, 1, None, "").err(),
        center.groups(&nobody).err(),
        center.group(&nobody, "x").err(),
        center.remove_group(&nobody, "x", None, "").err(),
        center.change_members(&nobody, "x", Vec::new(), &[], "").err(),
        center.senders(&nobody, &SenderSearch::default()).err(),
        center.put_sender(&nobody, entry("x.example", SenderAction::Block), "").err(),
        center.remove_sender(&nobody, PolicyId(1), "").err(),
        center.export_senders(&nobody, &SenderSearch::default(), &mut Vec::new()).err(),
        center.import_senders(&nobody, &mut "".as_bytes(), ImportHow::default(), "").err(),
        center.queue_list(&nobody, None, 0).err(),
        center.queue_show(&nobody, queue_id(1)).err(),
        center.queue_shape(&nobody).err(),
        center.queue_command(&nobody, &QueueOrder::of(QueueCommand::Hold, &[])).err(),
        center.greylist_list(&nobody, "", 0).err(),
        center.greylist_pass(&nobody, "x").err(),
        center.greylist_forget(&nobody, "x").err(),
        center.daily_logs(&nobody).err(),
        center.open_daily_log(&nobody, "x").err(),
        center.status(&nobody).err(),
        center.conservation(&nobody).err(),
        center.conservation_hours(&nobody, 1).err(),
    ];
    for (place, error) in denied.iter().enumerate() {
        assert!(matches!(error, Some(CenterError::Denied { .. })), "{place}: {error:?}");
    }
}

#[test]
fn a_policy_change_is_a_version_that_can_be_taken_back() {
    let gateway = Gateway::new(at(0));
    let center = &gateway.center;
    let added = center.put_policy(&root(), block("No x", "x.example"), Some(0), "test").unwrap();
    assert_eq!(added.version, 1);
    assert_eq!(gateway.last_activation(), Some((1, Activation::Policies)));
    let row = center.policies(&root()).unwrap().policies.remove(0);
    let id = row.policy.id.unwrap();
    assert_eq!((row.standing.as_str(), row.kind.as_str()), ("on", "Blocked Senders"));
    let changed = Policy { narrative: "No x at all".to_owned(), ..row.policy };
    let stale = center.put_policy(&root(), changed.clone(), Some(0), "");
    assert!(matches!(stale, Err(CenterError::Conflict { .. })), "{stale:?}");
    center.put_policy(&root(), changed, Some(1), "").unwrap();
    let differences = center.differences(&root(), 1, 2).unwrap();
    assert!(differences[0].after.as_ref().unwrap().contains("No x at all"));
    gateway.activator.left_out.lock().unwrap().push("policy #1 does not fit".to_owned());
    let done = center.roll_back(&root(), 1, None, "back").unwrap();
    assert_eq!(done.left_out, ["policy #1 does not fit"], "whoever goes back is told");
    gateway.activator.left_out.lock().unwrap().clear();
    assert_eq!(center.policy(&root(), id).unwrap().policy.narrative, "No x");
    let versions = center.versions(&root(), None, 10).unwrap();
    assert_eq!(
        (versions.len(), versions[0].restores, versions[0].author.as_str()),
        (3, Some(1), "root")
    );
}

#[test]
fn what_cannot_be_compiled_is_not_stored() {
    let gateway = Gateway::new(at(0));
    let center = &gateway.center;
    let nameless = center.put_policy(&root(), block(" ", "x.example"), None, "");
    let Err(CenterError::Invalid { problems }) = nameless else { panic!("{nameless:?}") };
    assert_eq!(problems[0].message, "it has no narrative");
    let group = Group { name: "A".to_owned(), parent: None, members: Vec::new() };
    center.put_group(&root(), group, None, "").unwrap();
    let scoped = Policy { from: Scope::Group("A".to_owned()), ..block("A", "x.example") };
    center.put_policy(&root(), scoped, None, "").unwrap();
    let orphaning = center.remove_group(&root(), "A", None, "");
    assert!(matches!(orphaning, Err(CenterError::Invalid { .. })), "{orphaning:?}");
    center.change_members(&root(), "A", vec!["y.example".parse().unwrap()], &[], "").unwrap();
    assert_eq!(center.group(&root(), "A").unwrap().group.members.len(), 1);
    let problems = center.check_policies(&root(), "[[policy]]\nnarrative = 3\n").unwrap();
    assert_eq!(problems[0].line, Some(2));
    let document = center.export_policies(&root()).unwrap();
    assert!(center.check_policies(&root(), &document).unwrap().is_empty(), "{document}");
    center.import_policies(&root(), &document, None, "").unwrap();
    let all = center.policies(&root()).unwrap();
    let objects = policy::PolicyObjects::default();
    assert!(PolicySet::compile(all.version, objects, &gateway.activator.base()).is_ok());
}

#[test]
fn managed_senders_replace_their_pair_and_travel_as_csv() {
    let gateway = Gateway::new(at(0));
    let center = &gateway.center;
    center.put_sender(&root(), entry("x.example", SenderAction::Block), "").unwrap();
    center.put_sender(&root(), entry("x.example", SenderAction::Permit), "").unwrap();
    let rows = center.senders(&root(), &SenderSearch::default()).unwrap();
    assert_eq!((rows.len(), rows[0].sender.action), (1, SenderAction::Permit));
    assert!(matches!(gateway.last_activation(), Some((_, Activation::Senders(_)))));
    let own = center.put_sender(&root(), entry("corp.example", SenderAction::Permit), "");
    assert!(matches!(own, Err(CenterError::Invalid { .. })), "{own:?}");
    let mut csv = Vec::new();
    center.export_senders(&root(), &SenderSearch::default(), &mut csv).unwrap();
    assert_eq!(
        String::from_utf8(csv).unwrap(),
        "sender,recipient,action,note,valid_until,authenticated_only\r\n\
         x.example,bob@corp.example,permit,,,\r\n"
    );
    let bad = "sender,recipient,action\ny.example,bob@corp.example,block\nz.example,bob@corp.example,delete\ncorp.example,bob@corp.example,permit\n";
    let refused = center.import_senders(&root(), &mut bad.as_bytes(), ImportHow::default(), "");
    let Err(CenterError::Invalid { problems }) = refused else { panic!("{refused:?}") };
    assert_eq!(problems.iter().map(|p| p.line).collect::<Vec<_>>(), [Some(3), Some(4)]);
    assert_eq!(
        center.senders(&root(), &SenderSearch::default()).unwrap().len(),
        1,
        "nothing changed"
    );
    let done = {
        let how = ImportHow { partial: true, dry_run: false };
        center.import_senders(&root(), &mut bad.as_bytes(), how, "").unwrap()
    };
    assert_eq!((done.stored, done.problems.len()), (1, 2));
    let search = SenderSearch { text: Some("y.ex".to_owned()), ..SenderSearch::default() };
    let id = center.senders(&root(), &search).unwrap()[0].sender.id.unwrap();
    center.remove_sender(&root(), id, "").unwrap();
    assert!(center.senders(&root(), &search).unwrap().is_empty());
}

#[test]
fn the_sum_and_the_numbers_come_from_events() {
    let gateway = Gateway::new(at(0));
    let center = &gateway.center;
    for number in 0..4 {
        let event = sample(number, Reason::ALL[number as usize * 9]);
        center.memory.of_house().record(vec![event.clone()]).unwrap();
        center.parts.events.observe(&event);
    }
    let sum = center.conservation(&root()).unwrap();
    assert_eq!((sum.difference, sum.sessions_open, sum.attempts_open), (0, 1, 1));
    assert_eq!(sum.recorded.iter().map(|(_, count)| count).sum::<u64>(), 4);
    assert_eq!(sum.recorded, sum.kept);
    assert!(sum.recorded.iter().any(|(kind, _)| *kind == OutcomeKind::Rejected));
    let hours = center.conservation_hours(&root(), 24).unwrap();
    assert_eq!((hours.len(), &hours[0].kept), (24, &sum.kept), "all ended in the running hour");
    assert!(hours[1].kept.iter().all(|(_, count)| *count == 0) && hours[1].counted.is_none());
    let counted = hours[0].counted.as_ref().unwrap();
    assert_eq!((counted.attempts_opened, counted.recorded, counted.difference), (6, 4, 0));
    assert_eq!((counted.attempts_unrecorded, counted.attempts_open), (1, 1));
    let status = center.status(&root()).unwrap();
    assert!(status.ready && status.policy_version == Some(0));
    let mut samples = Vec::new();
    metrics::MetricSource::collect(center, &mut samples);
    metrics::MetricSource::collect(&*center.parts.events, &mut samples);
    let decided = samples.iter().filter(|s| s.metric.name == "portcullis_decisions_total").count();
    assert_eq!(decided, 4);
    assert!(samples.iter().all(|sample| sample.labels.len() == sample.metric.labels.len()));
}

#[test]
fn nothing_is_forgotten_before_its_daily_log_is_written() {
    let gateway = Gateway::new(at(0));
    assert_eq!(gateway.center.drop_expired().unwrap(), 0, "no day is closed yet");
    gateway.center.daily_log().keep(at(0)).unwrap();
    assert_eq!(gateway.center.drop_expired().unwrap(), 0);
}

#[test]
fn an_empty_text_never_steers_everybody() {
    let gateway = Gateway::new(at(0));
    assert!(gateway.center.greylist_forget(&root(), "  ").is_err());
    assert_eq!(gateway.center.greylist_pass(&root(), "192.0.2").unwrap(), 0);
}

#[tokio::test]
async fn a_queued_message_is_held_released_and_deleted_with_its_story() {
    let gateway = Gateway::new(at(60));
    let (center, id) = (&gateway.center, queue_id(7));
    let event = sample(7, Reason::Accepted);
    let mut content = center.memory.of_house().content(id);
    content.write(b"Subject: Hello\r\n\r\nHi\r\n").await.unwrap();
    let waiting = RecipientState::Waiting { attempts: 2, due: at(900), warned: false };
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
            state: waiting,
        }],
    };
    let acceptance = Acceptance { message: Some(message), events: vec![event.clone()] };
    let position = center.memory.of_house().commit(Some(content), acceptance).await.unwrap();
    center.memory.of_house().flushed(position).await.unwrap();
    let shape = center.queue_shape(&root()).unwrap();
    assert_eq!((shape.rows[0].domain.as_str(), shape.rows[0].counts[0]), ("corp.example", 1));
    for (command, changed, state) in [
        (QueueCommand::Release, 0, "waiting"),
        (QueueCommand::Hold, 1, "held"),
        (QueueCommand::Retry, 0, "held"),
        (QueueCommand::Release, 1, "waiting"),
    ] {
        gateway.clock.advance(Duration::from_secs(1));
        let done =
            center.queue_command(&root(), &QueueOrder::of(command, &[id, queue_id(8)])).unwrap();
        assert_eq!((done.recipients, done.missing.len()), (changed, 1), "{command:?}");
        assert_eq!(center.queue_show(&root(), id).unwrap().recipients[0].state, state);
    }
    gateway.clock.advance(Duration::from_secs(1));
    center
        .queue_command(&root(), &QueueOrder::of(QueueCommand::Delete, &[id]).because("junk"))
        .unwrap();
    assert!(matches!(center.queue_show(&root(), id), Err(CenterError::NotFound(_))));
    let story = center.life(&root(), &event.reference().to_string()).unwrap();
    let titles: Vec<&str> = story.steps.iter().map(|step| step.title.as_str()).collect();
    assert_eq!(titles, ["accepted", "held back", "released", "deleted"]);
    assert_eq!(story.steps[1].text, "Held back by root.");
}
