//! The parts of delivery put together, and what its owner can do with them.
//!
//! The loop of [`Deliverer::run`] leases messages that are due and hands each
//! to the workers of its next hops. It never waits for a next hop itself.

use std::pin::pin;
use std::sync::Arc;

use futures_util::future::{self, Either};
use store::state::TransportPolicyState;
use store::{EventLog, MessageQueue, StoreError};
use types::{ForwardPath, NodeName};
use world::{Authorities, Chance, Clock, Dial, Fetch, Reach, RecipientProbe, Resolver};

use crate::call_forward::CallForward;
use crate::notice::NoticeWriter;
use crate::route::{Mail, RouteFailure};
use crate::settings::DeliverySettings;
use crate::shared::Shared;
use crate::status::{DeliveryStatus, HopStatus};
use crate::worker::dispatch;

/// What delivery works with.
#[derive(Clone)]
pub struct Parts {
    /// Accepted messages.
    pub queue: Arc<dyn MessageQueue>,
    /// Takes the notices we write.
    pub log: Arc<dyn EventLog>,
    /// Puts notices into words.
    pub notices: Arc<dyn NoticeWriter>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// For identifiers and the order among equal hosts.
    pub chance: Arc<dyn Chance>,
    /// Opens connections.
    pub dial: Arc<dyn Dial>,
    /// Names.
    pub resolver: Arc<dyn Resolver>,
    /// Where mail may go that is sent where somebody else says.
    pub reach: Reach,
    /// Asks other domains for their policies (MTA-STS).
    pub fetch: Arc<dyn Fetch>,
    /// Keeps them.
    pub policies: Arc<dyn TransportPolicyState>,
    /// Whose certificates count where such a policy asks for one.
    pub authorities: Authorities,
    /// The machine, as events name it.
    pub node: NodeName,
}

/// Messages leased from the queue in one go.
const BATCH: usize = 256;

/// Takes messages from the queue to their next hops. Clones share all state.
#[derive(Clone)]
pub struct Deliverer {
    shared: Arc<Shared>,
    probe: Arc<CallForward>,
}

impl Deliverer {
    /// Puts the parts together; nothing happens before [`run`](Self::run).
    pub fn new(parts: Parts, settings: DeliverySettings) -> Self {
        let shared = Arc::new(Shared::new(parts, settings));
        let probe = Arc::new(CallForward::new(Arc::clone(&shared)));
        Deliverer { shared, probe }
    }

    /// Answers call-forward questions; works without [`run`](Self::run).
    pub fn recipient_probe(&self) -> Arc<dyn RecipientProbe> {
        Arc::clone(&self.probe) as Arc<dyn RecipientProbe>
    }

    /// Takes in the policies of other domains that were kept. To be done
    /// before [`run`](Self::run).
    ///
    /// # Errors
    /// They cannot be read.
    pub fn restore_policies(&self) -> Result<(), StoreError> {
        self.shared.transport.restore()
    }

    /// Keeps the policies of other domains that were fetched since. Blocks
    /// for the database.
    ///
    /// # Errors
    /// They cannot be written; the next call tries again.
    pub fn keep_policies(&self) -> Result<(), StoreError> {
        self.shared.transport.keep()
    }

    /// Delivery as it stands.
    pub fn status(&self) -> DeliveryStatus {
        DeliveryStatus {
            counts: self.shared.counters.read(),
            hops: self.shared.hops.status(&self.shared.settings().routes),
        }
    }

    /// Messages handed to workers and not yet settled. Zero, with nothing due
    /// in the queue, means that delivery rests.
    pub fn leased(&self) -> usize {
        self.shared.leased()
    }

    /// Goes on with other settings. Transfers under way end with the old ones.
    pub fn reload(&self, settings: DeliverySettings) {
        self.shared.set_settings(settings);
    }

    /// Ends every back-off: somebody knows that the next hops are there again.
    pub fn try_now(&self) {
        self.shared.hops.forget_failures();
    }

    /// Ends the back-off of the next hop of this recipient, so that what is
    /// due there is tried at once.
    pub fn try_now_for(&self, to: &ForwardPath, mail: Mail) {
        if let Ok(next_hop) = self.shared.settings().routes.next_hop(to, mail) {
            self.shared.hops.forget_failures_of(&next_hop);
        }
    }

    /// The next hop of mail for this recipient as it is now.
    ///
    /// # Errors
    /// No route leads anywhere.
    pub fn next_hop_of(&self, to: &ForwardPath, mail: Mail) -> Result<HopStatus, RouteFailure> {
        let settings = self.shared.settings();
        let next_hop = settings.routes.next_hop(to, mail)?;
        // Accepted mail goes by the settings, other mail where senders say
        // unless the settings name its hosts.
        let ours = mail == Mail::Accepted || next_hop.is_ours(&settings.routes.named_hosts());
        let known = self.shared.hops.find(&next_hop).map(|hop| hop.status(ours));
        Ok(known.unwrap_or_else(|| HopStatus::untried(&next_hop, ours)))
    }

    /// Delivers until `stop` is ready, then ends in order: what is being
    /// transferred is finished within the grace time, every other lease is
    /// given back. To be run once.
    pub async fn run(&self, stop: impl Future<Output = ()> + Send) {
        let mut stop = pin!(stop);
        let parts = &self.shared.parts;
        self.shared.spawn(keep_policies_fresh(Arc::clone(&self.shared)));
        loop {
            // Asked before leasing, so that no message slips in between.
            let mut changed = parts.queue.changed();
            let already = future::poll_immediate(&mut changed).await.is_some();
            let leased = self.lease();
            if already || leased == BATCH {
                tokio::task::yield_now().await;
                if future::poll_immediate(&mut stop).await.is_some() {
                    break;
                }
                continue;
            }
            let wait = pin!(self.wait(changed));
            if let Either::Left(_) = future::select(&mut stop, wait).await {
                break;
            }
        }
        self.shared.stop().await;
    }

    /// Leases what is due, at most [`BATCH`], and hands it on; how many.
    fn lease(&self) -> usize {
        let now = self.shared.parts.clock.now();
        let max = self.shared.leases_free().min(BATCH);
        if max == 0 {
            return 0;
        }
        let messages = self.shared.parts.queue.lease_due(now, max);
        let leased = messages.len();
        for message in messages {
            dispatch::hand_on(&self.shared, message, now);
        }
        leased
    }

    /// Waits until there may be something to lease: a new message, one whose
    /// time has come, or room for more leases.
    async fn wait(&self, changed: store::contract::Later<'_, ()>) {
        let parts = &self.shared.parts;
        if self.shared.leases_free() == 0 {
            self.shared.lease_ended.notified().await;
            return;
        }
        match parts.queue.next_due() {
            Some(due) => {
                future::select(changed, parts.clock.sleep_until(due)).await;
            }
            None => changed.await,
        }
    }
}

/// Renews the policies of other domains before they end, until the order to
/// stop.
async fn keep_policies_fresh(shared: Arc<Shared>) {
    let work = async {
        loop {
            shared.transport.renewal_due().await;
            shared.transport.renew(shared.settings().mta_sts_counts()).await;
        }
    };
    future::select(pin!(shared.stop_ordered()), pin!(work)).await;
}
