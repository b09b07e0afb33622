//! What all parts of delivery have in common: the world, the settings, the
//! next hops, the tasks under way.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use futures_util::future::{self, Either};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use types::EventId;

use crate::bounce_rate::BounceRate;
use crate::deliverer::Parts;
use crate::hop::HopTable;
use crate::settings::DeliverySettings;
use crate::status::Counters;
use crate::sts::{StsParts, TransportPolicies};
use crate::tls::TlsClient;

/// Shared by the loop, the workers and call-forward.
pub(crate) struct Shared {
    pub(crate) parts: Parts,
    pub(crate) hops: HopTable,
    pub(crate) counters: Arc<Counters>,
    pub(crate) bounce_rate: BounceRate,
    pub(crate) tls: TlsClient,
    pub(crate) transport: Arc<TransportPolicies>,
    /// Rings when a lease ends.
    pub(crate) lease_ended: Notify,
    settings: RwLock<Arc<DeliverySettings>>,
    leased: AtomicUsize,
    stopping: AtomicBool,
    stop_order: Notify,
    tasks: Mutex<JoinSet<()>>,
}

impl Shared {
    pub(crate) fn new(parts: Parts, settings: DeliverySettings) -> Self {
        let counters = Arc::new(Counters::default());
        let transport = TransportPolicies::new(StsParts {
            resolver: Arc::clone(&parts.resolver),
            fetch: Arc::clone(&parts.fetch),
            clock: Arc::clone(&parts.clock),
            state: Arc::clone(&parts.policies),
            counters: Arc::clone(&counters),
        });
        Shared {
            parts,
            hops: HopTable::default(),
            counters,
            bounce_rate: BounceRate::new(),
            tls: TlsClient::new(),
            transport: Arc::new(transport),
            lease_ended: Notify::new(),
            settings: RwLock::new(Arc::new(settings)),
            leased: AtomicUsize::new(0),
            stopping: AtomicBool::new(false),
            stop_order: Notify::new(),
            tasks: Mutex::default(),
        }
    }

    /// The settings as they are now.
    pub(crate) fn settings(&self) -> Arc<DeliverySettings> {
        Arc::clone(&self.settings.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn set_settings(&self, settings: DeliverySettings) {
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(settings);
    }

    /// A new identifier for an event of now.
    pub(crate) fn event_id(&self) -> EventId {
        EventId::new(self.parts.clock.now(), self.parts.chance.id_bytes())
    }

    /// How many messages are leased.
    pub(crate) fn leased(&self) -> usize {
        self.leased.load(Ordering::Relaxed)
    }

    /// How many more messages may be leased.
    pub(crate) fn leases_free(&self) -> usize {
        self.settings().leased_max.saturating_sub(self.leased())
    }

    pub(crate) fn lease_begins(&self) {
        self.leased.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn lease_ends(&self) {
        self.leased.fetch_sub(1, Ordering::Relaxed);
        self.lease_ended.notify_one();
    }

    /// Whether nothing new may be begun.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Waits for the order to stop.
    pub(crate) async fn stop_ordered(&self) {
        let order = self.stop_order.notified();
        if !self.is_stopping() {
            order.await;
        }
    }

    /// Runs a task that the end waits for. Nothing starts after the order to
    /// stop; what the task owns is dropped then, which gives leases back.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_stopping() {
            return;
        }
        // Ended tasks are taken out as others come, so that the set stays small.
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
    }

    /// Begins nothing more, lets what is under way end within the grace time,
    /// and breaks off the rest.
    pub(crate) async fn stop(&self) {
        let mut tasks = {
            let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
            self.stopping.store(true, Ordering::Release);
            std::mem::take(&mut *tasks)
        };
        self.stop_order.notify_waiters();
        self.hops.give_back();
        let mut grace = self.parts.clock.sleep(self.settings().stop_grace);
        loop {
            let ended = std::pin::pin!(tasks.join_next());
            match future::select(ended, &mut grace).await {
                Either::Left((Some(_), _)) => {}
                Either::Left((None, _)) | Either::Right(_) => break,
            }
        }
        // What is broken off gives its leases back as it is dropped.
        tasks.shutdown().await;
        self.hops.give_back();
    }
}
