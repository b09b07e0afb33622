//! One next hop: the messages that wait for it, the workers that serve it,
//! and how its failures are met.
//!
//! A next hop that takes no connection is left alone for a while: no message
//! spends an attempt on it meanwhile, and then one worker finds out alone
//! whether it is there again, before others connect too. A slow one fills its own share of the leases
//! and nobody else's.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use types::Timestamp;

use crate::lease::Job;
use crate::probe_line::ProbeLines;
use crate::route::{NextHop, RoutingTable};
use crate::settings::{DeliverySettings, HopLimits};
use crate::status::{HopState, HopStatus};
use crate::tried::Why;

/// Next hops remembered. Beyond it those without work are forgotten.
const HOPS_MAX: usize = 10_000;

/// The next hops in use.
#[derive(Default)]
pub(crate) struct HopTable {
    hops: Mutex<HashMap<NextHop, Arc<Hop>>>,
}

impl HopTable {
    fn lock(&self) -> MutexGuard<'_, HashMap<NextHop, Arc<Hop>>> {
        self.hops.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The entry of `next_hop`, made if there is none.
    pub(crate) fn entry(&self, next_hop: NextHop, settings: &DeliverySettings) -> Arc<Hop> {
        let mut hops = self.lock();
        if let Some(hop) = hops.get(&next_hop) {
            return Arc::clone(hop);
        }
        if hops.len() >= HOPS_MAX {
            hops.retain(|_, hop| hop.is_in_use());
        }
        let hop = Arc::new(Hop::new(next_hop.clone(), settings.probe.connections_max));
        hops.insert(next_hop, Arc::clone(&hop));
        hop
    }

    /// The entry of `next_hop`, if there is one.
    pub(crate) fn find(&self, next_hop: &NextHop) -> Option<Arc<Hop>> {
        self.lock().get(next_hop).cloned()
    }

    /// All of them, by name.
    pub(crate) fn status(&self, routes: &RoutingTable) -> Vec<HopStatus> {
        let named = routes.named_hosts();
        let mut hops: Vec<_> =
            self.lock().values().map(|hop| hop.status(hop.next_hop.is_ours(&named))).collect();
        hops.sort_by(|a, b| a.name.cmp(&b.name));
        hops
    }

    /// Ends every back-off.
    pub(crate) fn forget_failures(&self) {
        for hop in self.lock().values() {
            hop.lock().health = Health::default();
        }
    }

    /// Ends the back-off of one next hop, if it is known.
    pub(crate) fn forget_failures_of(&self, next_hop: &NextHop) {
        if let Some(hop) = self.find(next_hop) {
            hop.lock().health = Health::default();
        }
    }

    /// Gives back every message that waits, and sends idle workers home.
    pub(crate) fn give_back(&self) {
        let hops: Vec<_> = self.lock().values().cloned().collect();
        for hop in hops {
            hop.give_back();
            hop.work.notify_waiters();
        }
    }
}

/// One next hop.
pub(crate) struct Hop {
    pub(crate) next_hop: NextHop,
    /// For people.
    pub(crate) name: Arc<str>,
    /// Connections kept for questions about recipients.
    pub(crate) probes: ProbeLines,
    /// Rings once per message when a worker waits for one.
    pub(crate) work: Notify,
    smtputf8: AtomicU8,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Job>,
    workers: usize,
    /// Workers that wait for a message.
    idle: usize,
    /// How many of them were called and have not woken yet.
    called: usize,
    /// Workers with an open connection.
    connected: usize,
    /// Most workers until then: how many connections it took when it refused
    /// one more.
    ceiling: Option<(usize, Timestamp)>,
    health: Health,
    last_answer: Option<(Timestamp, Arc<str>)>,
}

/// How the latest connections went.
#[derive(Clone, Default)]
struct Health {
    failures: u32,
    left_alone_until: Timestamp,
    why: Why,
}

/// What became of a message that was handed to a next hop.
pub(crate) enum Handed {
    /// A worker was called, or all are busy and one will come to it.
    Taken,
    /// It waits, and a worker must be started for it.
    NeedsWorker,
    /// The next hop is left alone until then.
    LeftAlone { job: Job, until: Timestamp, why: Why },
    /// It has its share of the leases.
    Full { job: Job },
}

/// What a connection that could not be opened means.
pub(crate) enum Failure {
    /// The next hop takes nothing: it is left alone until then, and these
    /// messages have to wait with it.
    Down { until: Timestamp, others: VecDeque<Job> },
    /// It has connections with us and takes no more: fewer will do.
    Enough,
}

impl Hop {
    fn new(next_hop: NextHop, probes_max: usize) -> Self {
        Hop {
            name: next_hop.to_string().into(),
            next_hop,
            probes: ProbeLines::new(probes_max),
            work: Notify::new(),
            smtputf8: AtomicU8::new(SMTPUTF8_UNKNOWN),
            state: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives back every message that waits.
    pub(crate) fn give_back(&self) {
        // Dropped without the lock: giving a lease back enters the store.
        let waiting = std::mem::take(&mut self.lock().waiting);
        drop(waiting);
    }

    /// Hands over one message, unless the next hop is left alone at `now` or
    /// more than `share` messages wait already.
    pub(crate) fn hand(
        &self,
        job: Job,
        now: Timestamp,
        share: usize,
        limits: &HopLimits,
    ) -> Handed {
        let mut state = self.lock();
        if state.health.left_alone_until > now {
            let Health { left_alone_until: until, ref why, .. } = state.health;
            return Handed::LeftAlone { job, until, why: why.clone() };
        }
        if state.waiting.len() > share {
            return Handed::Full { job };
        }
        state.waiting.push_back(job);
        self.call_worker(&mut state, now, limits)
    }

    /// Puts back a message whose worker has no connection for it.
    pub(crate) fn put_back(&self, job: Job, now: Timestamp, limits: &HopLimits) -> Handed {
        let mut state = self.lock();
        state.waiting.push_front(job);
        self.call_worker(&mut state, now, limits)
    }

    fn call_worker(&self, state: &mut State, now: Timestamp, limits: &HopLimits) -> Handed {
        if state.idle > state.called {
            state.called += 1;
            self.work.notify_one();
            return Handed::Taken;
        }
        if state.workers < state.workers_max(now, limits) {
            state.workers += 1;
            return Handed::NeedsWorker;
        }
        Handed::Taken
    }

    /// The next message; nothing if there is none, and then the worker is
    /// counted among those who wait. It must listen to [`Hop::work`] already.
    pub(crate) fn next_or_wait(&self) -> Option<Job> {
        let mut state = self.lock();
        let job = state.waiting.pop_front();
        state.idle += usize::from(job.is_none());
        job
    }

    /// Ends the wait of a worker, called or not, with the next message if
    /// there is one.
    pub(crate) fn next_after_wait(&self) -> Option<Job> {
        let mut state = self.lock();
        state.idle = state.idle.saturating_sub(1);
        state.called = state.called.saturating_sub(1);
        state.waiting.pop_front()
    }

    /// A worker has gone for good; whether another must take its place,
    /// because messages wait and nobody is left to come to them.
    pub(crate) fn worker_ended(&self) -> bool {
        let mut state = self.lock();
        state.workers = state.workers.saturating_sub(1);
        let needed = state.workers == 0 && !state.waiting.is_empty();
        state.workers += usize::from(needed);
        needed
    }

    /// A connection is open. Whether more workers are needed now that the
    /// next hop is known to be there: how many.
    pub(crate) fn connected(&self, now: Timestamp, limits: &HopLimits) -> usize {
        let mut state = self.lock();
        state.connected += 1;
        state.health = Health::default();
        let more =
            state.workers_max(now, limits).saturating_sub(state.workers).min(state.waiting.len());
        state.workers += more;
        more
    }

    /// A connection is closed.
    pub(crate) fn disconnected(&self) {
        let mut state = self.lock();
        state.connected = state.connected.saturating_sub(1);
    }

    /// No connection could be opened.
    pub(crate) fn failed(&self, why: Why, now: Timestamp, limits: &HopLimits) -> Failure {
        let mut state = self.lock();
        if state.connected > 0 {
            state.ceiling = Some((state.connected, now + limits.back_off_max));
            return Failure::Enough;
        }
        // Several workers may fail at once; that is one failure.
        if state.health.left_alone_until <= now {
            let failures = state.health.failures.saturating_add(1);
            let doubled = 2u32.saturating_pow(failures.saturating_sub(1).min(16));
            let span = limits.back_off_first.saturating_mul(doubled).min(limits.back_off_max);
            state.health = Health { failures, left_alone_until: now + span, why };
        }
        let until = state.health.left_alone_until;
        Failure::Down { until, others: std::mem::take(&mut state.waiting) }
    }

    /// Remembers what the next hop answered last.
    pub(crate) fn answered(&self, now: Timestamp, answer: Arc<str>) {
        self.lock().last_answer = Some((now, answer));
    }

    /// Remembers whether its answer to EHLO offers SMTPUTF8.
    pub(crate) fn offers_smtputf8(&self, offers: bool) {
        let known = if offers { SMTPUTF8_OFFERED } else { SMTPUTF8_MISSING };
        self.smtputf8.store(known, Ordering::Relaxed);
    }

    /// Whether it offers SMTPUTF8, as far as any session has shown.
    pub(crate) fn smtputf8(&self) -> Option<bool> {
        match self.smtputf8.load(Ordering::Relaxed) {
            SMTPUTF8_OFFERED => Some(true),
            SMTPUTF8_MISSING => Some(false),
            _ => None,
        }
    }

    fn is_in_use(&self) -> bool {
        let state = self.lock();
        state.workers > 0 || !state.waiting.is_empty()
    }

    /// As it is now; `ours` says whether the settings name it.
    pub(crate) fn status(&self, ours: bool) -> HopStatus {
        let state = self.lock();
        HopStatus {
            name: Arc::clone(&self.name),
            ours,
            state: match state.health.failures {
                0 => HopState::Up,
                failures => HopState::BackingOff { failures, until: state.health.left_alone_until },
            },
            connections: state.connected,
            waiting: state.waiting.len(),
            smtputf8: self.smtputf8(),
            last_answer: state.last_answer.clone(),
        }
    }
}

impl State {
    /// Where nobody has a connection, one worker finds out alone whether the
    /// next hop is there: if not, that costs one message an attempt.
    fn workers_max(&self, now: Timestamp, limits: &HopLimits) -> usize {
        let all = limits.connections_max.max(1);
        match self.ceiling {
            _ if self.connected == 0 => 1,
            Some((ceiling, until)) if until > now => ceiling.clamp(1, all),
            _ => all,
        }
    }
}

const SMTPUTF8_UNKNOWN: u8 = 0;
const SMTPUTF8_OFFERED: u8 = 1;
const SMTPUTF8_MISSING: u8 = 2;
