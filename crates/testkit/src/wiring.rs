//! The parts of a running gateway, joined as the binary joins them.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use checks::{Checks, Directories, Directory, PlaceSettings};
use deliver::sts::FETCH_TIMEOUT;
use deliver::{Deliverer, Parts};
use policy::{Document, PolicyObjects, PolicySet, StoredPolicy};
use portcullis::notices::ReportWriter;
use receive::{Engine, EngineParts, Tls, Wish};
use store::state::{StoredTransportPolicy, TransportPolicyState};
use store::{EventLog, EventWatcher, OpenReport, Position, Store, StoreError, StoreOptions};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use types::finding::Unavailable;
use types::policy::{ClientIdentity, GreylistOption, PolicyOption};
use types::{Event, NodeName, PolicyId, PolicyType, Timestamp};
use world::simulated::SimulatedClock;
use world::{Authorities, Clock, HttpClient, Reach, Sleep, WebSettings};

use crate::gateway::Around;
use crate::settings::{GatewaySettings, Greylisting};
use crate::submitters::{SubmitterWorld, passwords};

/// The folder on the simulated disk.
const FOLDER: &str = "/var/lib/portcullis";
/// Free space below which no message is taken (octets).
const RESERVE_OCTETS: u64 = 1 << 20;
/// The next hop of all our domains.
pub(crate) const NEXT_HOP: &str = "mail.corp.example:25";

/// The clock of one process: even time moved by what the wall clock showed
/// when the process was started. A clock that is set back meanwhile is not
/// followed (see `world::SystemClock`), so the difference is fixed.
#[derive(Clone, Debug)]
pub(crate) struct ProcessClock {
    even: SimulatedClock,
    ahead_ms: i64,
}

impl ProcessClock {
    fn shifted(&self, at: Timestamp, by_ms: i64) -> Timestamp {
        Timestamp::from_millis(at.as_millis().saturating_add(by_ms))
    }
}

impl Clock for ProcessClock {
    fn now(&self) -> Timestamp {
        self.shifted(self.even.now(), self.ahead_ms)
    }

    fn elapsed(&self) -> Duration {
        self.even.elapsed()
    }

    fn sleep_until(&self, at: Timestamp) -> Sleep {
        self.even.sleep_until(self.shifted(at, -self.ahead_ms))
    }
}

/// One life of the process.
pub(crate) struct Running {
    pub(crate) clock: ProcessClock,
    pub(crate) engine: Arc<Engine>,
    pub(crate) store: Arc<Store>,
    pub(crate) deliverer: Deliverer,
    checks: Arc<Checks>,
    directory: Arc<Directories>,
    policy: Arc<ArcSwap<PolicySet>>,
    pub(crate) wishes: watch::Sender<Wish>,
    /// One for each connection.
    pub(crate) tasks: Vec<JoinHandle<()>>,
    pub(crate) report: OpenReport,
}

/// Learns of clients from every event. It does not keep alive what has the
/// store, because the store has it.
struct Learner(Weak<Checks>);

impl EventWatcher for Learner {
    fn happened(&self, events: &[Arc<Event>]) {
        let Some(checks) = self.0.upgrade() else { return };
        events.iter().for_each(|event| checks.learn(event));
    }
}

/// Starts the gateway on the disk of `around`; `wall_ms` is how far the wall
/// clock is ahead of even time.
pub(crate) fn start(
    around: &Around,
    settings: &GatewaySettings,
    document: &Document,
    version: u64,
    wall_ms: i64,
) -> Result<Running, StoreError> {
    let options = StoreOptions {
        triplets_max: settings.triplets_max,
        reserve_octets: RESERVE_OCTETS,
        retention: settings.retention,
        ..StoreOptions::simulated(FOLDER)
    };
    let mut clock = ProcessClock { even: around.clock.clone(), ahead_ms: wall_ms };
    let (store, report) = Store::open(Arc::new(around.disk.clone()), options, clock.now())?;
    let store = Arc::new(store);
    // As the binary does: our time never begins before the newest event.
    if let Some(newest) = crate::gateway::all_events(&store)?.last().map(|event| event.at) {
        let least = newest.as_millis() - around.clock.now().as_millis();
        clock.ahead_ms = clock.ahead_ms.max(least);
    }
    let (wishes, wish) = watch::channel(Wish::Serve);
    let deliverer = deliverer(around, settings, &store, &clock);
    let policy = Arc::new(ArcSwap::from_pointee(compile(settings, document, version)));
    let directory = Arc::new(Directories::new(directories(settings, clock.now())));
    let checks = Arc::new(Checks::new(
        Arc::new(clock.clone()),
        settings.checks(),
        Arc::clone(&directory),
        deliverer.recipient_probe(),
        store.clone(),
    ));
    let in_force = policy.load();
    let decides = |domain: &types::Domain| in_force.is_by_known(domain.as_str());
    let domains = settings.domains.iter().map(|ours| (&ours.domain, decides(&ours.domain)));
    checks.known().begin(domains, clock.now(), settings.lookup.known);
    know_places(&checks, settings, around.tls_folder.path());
    store.watch(Arc::new(Learner(Arc::downgrade(&checks))));
    let submitters = SubmitterWorld {
        clock: Arc::new(clock.clone()),
        chance: around.chance.clone(),
        policy: Arc::clone(&policy),
    };
    let parts = EngineParts {
        clock: Arc::new(clock.clone()),
        chance: around.chance.clone(),
        policy: Arc::clone(&policy),
        checks: Arc::clone(&checks),
        resolver: around.resolver.clone(),
        log: store.clone(),
        triplets: store.clone(),
        correspondences: store.clone(),
        node: NodeName("gate".into()),
        tls: settings.tls.then(|| tls(around, &settings.host_name)).flatten(),
        submitters: passwords(settings, around.tls_folder.path(), submitters),
    };
    let engine = Engine::new(parts, settings.receive());
    tokio::spawn(run_delivery(deliverer.clone(), wish));
    let tasks = Vec::new();
    let running = Running {
        clock,
        engine,
        store,
        deliverer,
        checks,
        directory,
        policy,
        wishes,
        tasks,
        report,
    };
    Ok(running)
}

/// No domain of the simulated world has a policy about its mail servers.
struct NoPolicies;

impl TransportPolicyState for NoPolicies {
    fn transport_policies(&self) -> Result<Vec<StoredTransportPolicy>, StoreError> {
        Ok(Vec::new())
    }

    fn keep_transport_policies(
        &self,
        _: &[StoredTransportPolicy],
        _: &[String],
    ) -> Result<(), StoreError> {
        Ok(())
    }
}

fn deliverer(
    around: &Around,
    settings: &GatewaySettings,
    store: &Arc<Store>,
    clock: &ProcessClock,
) -> Deliverer {
    let notices = ReportWriter::new(&settings.host_name);
    let (reach, dial) = (Reach::with(Vec::new(), "no setting"), Arc::new(around.network.clone()));
    let authorities = Authorities::none();
    let web = WebSettings {
        reach: reach.clone(),
        authorities: authorities.clone(),
        timeout: FETCH_TIMEOUT,
    };
    let fetch = HttpClient::new(around.resolver.clone(), dial, web);
    let parts = Parts {
        queue: store.clone(),
        log: store.clone(),
        notices: Arc::new(notices.unwrap_or_else(|error| panic!("{error}"))),
        clock: Arc::new(clock.clone()),
        chance: around.chance.clone(),
        dial: Arc::new(around.network.clone()),
        resolver: around.resolver.clone(),
        reach,
        fetch: Arc::new(fetch.unwrap_or_else(|error| panic!("{error}"))),
        policies: Arc::new(NoPolicies),
        authorities,
        node: NodeName("gate".into()),
    };
    let delivery = settings.delivery(NEXT_HOP);
    Deliverer::new(parts, delivery.unwrap_or_else(|error| panic!("{error}")))
}

async fn run_delivery(deliverer: Deliverer, mut wish: watch::Receiver<Wish>) {
    let stop = async move {
        // A sender that is gone wants the same.
        let _stopped = wish.wait_for(|wish| *wish == Wish::Stop).await;
    };
    deliverer.run(stop).await;
}

/// Writes the map of places into the folder, and has it read.
fn know_places(checks: &Checks, settings: &GatewaySettings, folder: &Path) {
    if settings.places.is_empty() {
        return;
    }
    let path = folder.join("places.map");
    let text = format!("# portcullis places 1\n{}\n", settings.places.join("\n"));
    std::fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let errors = checks.places().replace(PlaceSettings { databases: Vec::new(), map: path });
    assert!(errors.is_empty(), "the places of this test: {errors:?}");
}

fn tls(around: &Around, host_name: &str) -> Option<Arc<Tls>> {
    let folder = around.tls_folder.path();
    let files = receive::self_signed(folder, host_name).ok()?;
    let tls = Tls::load(&files).ok()?;
    let trusted = folder.join("clients.crt");
    around.authorities.write(&trusted).ok()?;
    tls.trust(Authorities::only(&trusted).ok()?);
    Some(Arc::new(tls))
}

fn directories(settings: &GatewaySettings, now: Timestamp) -> HashMap<types::Domain, Directory> {
    let read = |ours: &crate::settings::OurDomain| {
        let lines: Vec<&str> = ours.recipients.iter().map(|address| address.as_str()).collect();
        let path = Path::new("recipients.txt");
        let directory = Directory::parse(path, &lines.join("\n"), &ours.domain, now);
        directory.ok().map(|directory| (ours.domain.clone(), directory))
    };
    settings.domains.iter().filter_map(read).collect()
}

/// The product's own policies with what the test adds; numbers count up from
/// one, managed senders last.
fn compile(settings: &GatewaySettings, document: &Document, version: u64) -> PolicySet {
    let mut all = policy::defaults();
    match settings.greylisting {
        Greylisting::Network => {}
        greylisting => {
            for policy in &mut all.policies {
                if let PolicyOption::Greylisting(option) = &mut policy.option {
                    *option = match greylisting {
                        Greylisting::Off => GreylistOption::NoAction,
                        _ => GreylistOption::Apply(ClientIdentity::Address),
                    };
                }
            }
        }
    }
    if !settings.authentication {
        let looks = [PolicyType::AntiSpoofing, PolicyType::DnsAuthentication];
        all.policies.retain(|policy| !looks.contains(&policy.kind()));
    }
    all.policies.extend(document.policies.iter().cloned());
    for group in &document.groups {
        all.groups.retain(|other| other.name != group.name);
        all.groups.push(group.clone());
    }
    all.definitions.extend(document.definitions.iter().cloned());
    let mut numbers = 1..;
    let mut number = || numbers.next().map(PolicyId);
    for policy in &mut all.policies {
        policy.id = number();
    }
    all.managed_senders = document.managed_senders.clone();
    for entry in &mut all.managed_senders {
        entry.id = number();
    }
    let stored = |policy| StoredPolicy { policy, version, created: Timestamp::EPOCH };
    let objects = PolicyObjects {
        policies: all.policies.into_iter().map(stored).collect(),
        groups: all.groups,
        definitions: all.definitions,
        managed_senders: all.managed_senders,
    };
    PolicySet::compile(version, objects, &settings.base())
        .unwrap_or_else(|error| panic!("the policies of this test: {error:?}"))
}

impl Running {
    /// Puts changed settings and policies in force, as a reload does.
    pub(crate) fn reload(
        &self,
        settings: &GatewaySettings,
        document: &Document,
        version: u64,
        folder: &Path,
    ) {
        know_places(&self.checks, settings, folder);
        self.policy.store(Arc::new(compile(settings, document, version)));
        self.directory.replace(directories(settings, self.clock.now()), HashMap::new());
        self.checks.reload(settings.checks());
        self.engine.reload(settings.receive());
        if let Ok(delivery) = settings.delivery(NEXT_HOP) {
            self.deliverer.reload(delivery);
        }
    }

    /// What the binary does about once a second, and the flush that is due
    /// after 50 ms at the latest, which without threads nobody else does.
    pub(crate) async fn tick(&self) -> Result<(), StoreError> {
        let maintained = self.store.maintain(self.clock.now());
        let health = match self.store.ready() {
            Ok(()) => None,
            Err(StoreError::Full) => Some(Unavailable::Disk),
            Err(_) => Some(Unavailable::Store),
        };
        self.engine.health().set(health);
        let expired = receive::write_expired(&self.engine);
        // Whatever the others could not do: flushing has a thread of its own.
        let flushed = self.store.flushed(Position(u64::MAX)).await;
        maintained.and(expired.map(drop)).and(flushed)
    }

    /// Cuts all connections at once: nothing more is said to anybody.
    pub(crate) fn abort(&self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}
