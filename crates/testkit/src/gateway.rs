//! The whole gateway and the world around it.

use std::net::{IpAddr, SocketAddr};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use policy::Document;
use receive::policy_service::{AdviceMode, Counter, attend};
use receive::{Door, DoorRole, Engine, TallySnapshot, Wish, welcome};
use store::disk::{Crash, SimulatedDisk};
use store::{EventLog, MessageQueue, Position, Store, StoreError};
use tempfile::TempDir;
use tokio::io::DuplexStream;
use types::finding::Unavailable;
use types::{Event, Timestamp};
use world::Clock;
use world::simulated::{SeededChance, SimulatedClock, SimulatedNetwork, SimulatedResolver};

use crate::certificates::ClientAuthorities;
use crate::client::Client;
use crate::next_hop::NextHop;
use crate::settings::GatewaySettings;
use crate::wiring::{self, Running};

/// Octets a client may be ahead of the gateway, as in a socket buffer.
const SOCKET_OCTETS: usize = 64 * 1024;
/// Turns every task gets before time may pass, in each of [`ROUNDS`]. A task
/// of ours hands on in a few turns; a wrong number shows as a story that ends
/// too early.
const TURNS: usize = 50;
/// How often work on another thread may follow from work on another thread.
const ROUNDS: usize = 3;

/// Runs a test on one thread, with one more for blocking work, so that
/// [`settle`] can wait for both and the same seed does the same things.
///
/// # Panics
/// No runtime can be had.
pub fn simulate<T>(test: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().max_blocking_threads(1).build();
    runtime.unwrap_or_else(|error| panic!("no runtime: {error}")).block_on(test)
}

/// Lets everybody run until nobody can without time passing. To be called
/// inside [`simulate`].
pub async fn settle() {
    for _ in 0..ROUNDS {
        for _ in 0..TURNS {
            tokio::task::yield_now().await;
        }
        // With one thread for blocking work this comes after all of it.
        let _waited = tokio::task::spawn_blocking(|| ()).await;
    }
    for _ in 0..TURNS {
        tokio::task::yield_now().await;
    }
}

/// What is not ours: it stays when the gateway goes down.
pub struct Around {
    /// Even time.
    pub clock: SimulatedClock,
    /// Chance.
    pub chance: Arc<SeededChance>,
    /// Who can be dialled.
    pub network: SimulatedNetwork,
    /// Who has which name.
    pub resolver: Arc<SimulatedResolver>,
    /// The disk.
    pub disk: SimulatedDisk,
    /// Who makes the certificates that clients show.
    pub authorities: ClientAuthorities,
    pub(crate) tls_folder: TempDir,
}

/// A gateway in a simulated world, with a next hop for its own domains and
/// one mail server for all senders of `sender.example`.
pub struct Gateway {
    /// What is around it.
    pub around: Around,
    /// What it is set to; takes effect with [`Gateway::reload`] or a start.
    pub settings: GatewaySettings,
    /// Policies, groups and managed senders beyond the product's own.
    pub document: Document,
    /// Where our domains' mail goes.
    pub next_hop: NextHop,
    /// Where bounces to `sender.example` go.
    pub senders_host: NextHop,
    /// How far the wall clock is ahead of even time, in milliseconds; read
    /// at a start.
    pub wall_ahead_ms: i64,
    running: Option<Running>,
    version: u64,
    next_port: u16,
}

impl Gateway {
    /// A gateway that is not running yet; `seed` determines all chance.
    ///
    /// # Panics
    /// There is no folder for temporary files.
    pub fn new(start: Timestamp, seed: u64) -> Self {
        let clock = SimulatedClock::new(start);
        let network = SimulatedNetwork::new(Arc::new(clock.clone()));
        let resolver = Arc::new(SimulatedResolver::new());
        let hop = |name: &str, ip: [u8; 4]| {
            let ip = IpAddr::from(ip);
            resolver.set_addresses(name, Ok(vec![ip]));
            NextHop::new(name, SocketAddr::new(ip, 25), &network)
        };
        let next_hop = hop("mail.corp.example", [192, 0, 2, 25]);
        let senders_host = hop("mx.sender.example", [198, 51, 100, 25]);
        if let (Ok(domain), Ok(host)) = ("sender.example".parse(), "mx.sender.example".parse()) {
            resolver.set_mx_host(&domain, &host);
        }
        let around = Around {
            clock,
            chance: Arc::new(SeededChance::new(seed)),
            network,
            resolver,
            disk: SimulatedDisk::new(),
            authorities: ClientAuthorities::new().unwrap_or_else(|error| panic!("{error}")),
            tls_folder: TempDir::new().unwrap_or_else(|error| panic!("temporary folder: {error}")),
        };
        Gateway {
            around,
            settings: GatewaySettings::default(),
            document: Document::default(),
            next_hop,
            senders_host,
            wall_ahead_ms: 0,
            running: None,
            version: 1,
            next_port: 40_000,
        }
    }

    /// Starts it, if it is not running.
    ///
    /// # Errors
    /// The disk cannot be used.
    pub async fn start(&mut self) -> Result<(), StoreError> {
        if self.running.is_none() {
            let (settings, document) = (&self.settings, &self.document);
            let (version, wall_ms) = (self.version, self.wall_ahead_ms);
            let running = wiring::start(&self.around, settings, document, version, wall_ms)?;
            self.running = Some(running);
            self.tick().await;
            settle().await;
        }
        Ok(())
    }

    /// Whether it is running.
    pub fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Puts changed settings and policies in force as a new version.
    pub fn reload(&mut self) {
        self.version += 1;
        if let Some(running) = &self.running {
            let folder = self.around.tls_folder.path();
            running.reload(&self.settings, &self.document, self.version, folder);
        }
    }

    /// Opens a connection from `ip`; the gateway must be running, or the
    /// connection is closed at once, as if refused.
    pub fn connect(&mut self, ip: IpAddr) -> Client {
        Client::new(self.open(ip))
    }

    /// The same as a bare stream, for a client that does its own talking.
    pub fn open(&mut self, ip: IpAddr) -> DuplexStream {
        self.open_at("192.0.2.1:25", DoorRole::Inbound, ip)
    }

    /// Opens a connection of a server of our own at the outbound listener.
    pub fn connect_outbound(&mut self, ip: IpAddr) -> Client {
        let allow_from = self.settings.outbound_from.as_slice().into();
        let auth = !self.settings.submitters.is_empty();
        let role = DoorRole::Outbound { allow_from, auth };
        Client::new(self.open_at("192.0.2.1:2526", role, ip))
    }

    /// Opens a connection of a mail server that asks about recipients, at the
    /// policy service.
    pub fn connect_asking(&mut self) -> Client {
        let (ours, theirs) = tokio::io::duplex(SOCKET_OCTETS);
        if let Some(running) = &mut self.running {
            let counter = Counter { name: "192.0.2.1:10023".into(), mode: AdviceMode::Enforce };
            let (engine, wishes) = (Arc::clone(&running.engine), running.wishes.subscribe());
            let asked = async move { drop(attend(engine, theirs, counter, wishes).await) };
            running.tasks.push(tokio::spawn(asked));
        }
        Client::new(ours)
    }

    fn open_at(&mut self, name: &str, role: DoorRole, ip: IpAddr) -> DuplexStream {
        let (ours, theirs) = tokio::io::duplex(SOCKET_OCTETS);
        self.next_port = self.next_port.checked_add(1).unwrap_or(40_000);
        let peer = SocketAddr::new(ip, self.next_port);
        if let Some(running) = &mut self.running {
            let proxies = self.settings.proxies.as_slice().into();
            let door = Door { name: name.into(), proxies, role };
            let wishes = running.wishes.subscribe();
            let served = welcome(Arc::clone(&running.engine), theirs, peer, door, wishes);
            running.tasks.retain(|task| !task.is_finished());
            running.tasks.push(tokio::spawn(served));
        }
        ours
    }

    /// The engine of the running gateway, to put real listeners before it.
    pub fn engine(&self) -> Option<Arc<Engine>> {
        self.running.as_ref().map(|running| Arc::clone(&running.engine))
    }

    /// Where the certificate behind STARTTLS is.
    pub fn certificate(&self) -> PathBuf {
        self.around.tls_folder.path().join("self-signed.crt")
    }

    /// The gateway's own time.
    pub fn now(&self) -> Timestamp {
        let even = || self.around.clock.now();
        self.running.as_ref().map_or_else(even, |running| running.clock.now())
    }

    /// Lets time pass, waking everybody at their hour; stands still where the
    /// machine goes down.
    pub async fn pass(&mut self, span: Duration) {
        let clock = self.around.clock.clone();
        let end = clock.now() + span;
        settle().await;
        while clock.next_deadline().is_some_and(|next| next <= end) {
            clock.advance_to_next();
            settle().await;
            self.tick().await;
            settle().await;
            if self.around.disk.is_down() {
                return;
            }
        }
        clock.advance_to(end);
        settle().await;
        self.tick().await;
        settle().await;
    }

    /// Lets the gateway do what it does about once a second. What fails on
    /// the disk is tried again at the next tick.
    pub async fn tick(&self) {
        if let Some(running) = &self.running {
            let _tried_again = running.tick().await;
        }
    }

    /// Flushes what was written, as happens within 50 ms, and lets everybody
    /// run who waits for it. A failure shows to whoever waits.
    pub async fn flush(&self) {
        if let Some(running) = &self.running {
            let _shown_elsewhere = running.store.flushed(Position(u64::MAX)).await;
            settle().await;
        }
    }

    /// Asks all connections to end.
    pub async fn wish(&self, wish: Wish) {
        if let Some(running) = &self.running {
            running.wishes.send_replace(wish);
        }
        settle().await;
    }

    /// Says that a part of us is missing; until the next tick.
    pub fn set_health(&self, unavailable: Option<Unavailable>) {
        if let Some(running) = &self.running {
            running.engine.health().set(unavailable);
        }
    }

    /// Stops in order: connections end, delivery ends, the store is closed.
    ///
    /// # Errors
    /// The store could not write its checkpoint.
    pub async fn stop(&mut self) -> Result<(), StoreError> {
        self.wish(Wish::Stop).await;
        let Some(running) = self.running.take() else { return Ok(()) };
        let closed = running.store.close(running.clock.now());
        drop(running);
        settle().await;
        self.around.disk = self.around.disk.restart(Crash::Kill);
        closed
    }

    /// Goes down as `crash` says; nothing is said to anybody.
    pub async fn crash(&mut self, crash: Crash) {
        // The disk goes first, so that nothing of the old life is written.
        self.around.disk = self.around.disk.restart(crash);
        let Some(running) = self.running.take() else { return };
        running.abort();
        settle().await;
        // Nobody is connected any more; this ends what delivery has under way.
        running.wishes.send_replace(Wish::Stop);
        settle().await;
    }

    /// Drops the tasks of all connections, as a panic in each would.
    pub async fn drop_connections(&self) {
        if let Some(running) = &self.running {
            running.abort();
        }
        settle().await;
    }

    /// All events, oldest first.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn events(&self) -> Result<Vec<Event>, StoreError> {
        self.running.as_ref().map_or_else(|| Ok(Vec::new()), |running| all_events(&running.store))
    }

    /// Attempts opened and ended since the start.
    pub fn tally(&self) -> TallySnapshot {
        self.running.as_ref().map(|running| running.engine.tally().snapshot()).unwrap_or_default()
    }

    /// Messages that have not left us.
    pub fn queue_depth(&self) -> usize {
        self.running.as_ref().map_or(0, |running| running.store.depth().messages())
    }

    /// The store of the running gateway.
    pub fn store(&self) -> Option<&Arc<Store>> {
        self.running.as_ref().map(|running| &running.store)
    }

    /// What the last start found damaged, in words for an operator.
    pub fn damage(&self) -> Vec<String> {
        self.running.as_ref().map(|running| running.report.damage.clone()).unwrap_or_default()
    }
}

/// All events of a store, oldest first.
pub(crate) fn all_events(store: &Store) -> Result<Vec<Event>, StoreError> {
    /// The year 2200.
    const FAR: Timestamp = Timestamp::from_millis(7_258_118_400_000);
    let mut events = Vec::new();
    store.visit(Timestamp::EPOCH..FAR, &mut |event| {
        events.push(event);
        ControlFlow::Continue(())
    })?;
    Ok(events)
}
