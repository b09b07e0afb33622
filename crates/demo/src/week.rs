//! The simulated week: history made by the same engine, whose clock is moved
//! from one visit to the next.
//!
//! Visits that are near each other in time run at once, so that they share
//! the store's flushes as real ones do. The clock waits for them: it never
//! runs ahead of a conversation by more than [`AHEAD_MAX`], which is below
//! every time-out. Who only waits for time to pass (a stalled client) is not
//! waited for; who waits for a reply that is held back gets the seconds.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use types::Timestamp;
use world::simulated::SimulatedClock;
use world::{BoxFuture, Clock, Dial};

use crate::agenda::{Agenda, Planned};
use crate::conversation::{Doors, Venue, visit};
use crate::dice::Dice;
use crate::errand::unfinished;
use crate::floor::Floor;
use crate::folder::Messages;
use crate::origin::Side;
use crate::rhythm::Rhythm;
use crate::traffic::{Counters, Counts, Source, errands_for};

/// How far the clock may run ahead of a conversation. What waits for less
/// has the clock for itself: an early second try, and a question to the next
/// hop (10 s).
const AHEAD_MAX: Duration = Duration::from_secs(240);
/// How long nothing moves, in real time, before seconds pass.
const STILL: Duration = Duration::from_millis(10);
/// How many may: all that the gateway holds back of one visit.
const HELD_BACK_MAX: Duration = Duration::from_secs(10);
/// How long before the end the gateway is stopped, so that what is said then
/// belongs to the week.
const STOPPED_BEFORE: Duration = Duration::from_secs(1);
/// Visits that may be busy at once.
const BUSY_MAX: usize = 32;

/// What history to make.
#[derive(Clone, Debug)]
pub struct WeekPlan {
    /// What every draw follows from.
    pub seed: u64,
    /// When it begins; the clock is moved there.
    pub start: Timestamp,
    /// When it ends: now.
    pub end: Timestamp,
    /// About how many attempts there shall be.
    pub attempts: u32,
    /// Real messages to send in place of letters.
    pub messages: Option<Arc<Messages>>,
}

/// The world of the gateway that lives through the week.
#[derive(Clone)]
pub struct DemoWorld {
    /// Its clock, which nobody else moves.
    pub clock: SimulatedClock,
    /// The way to it.
    pub dial: Arc<dyn Dial>,
    /// The ways into it.
    pub doors: Doors,
}

/// What the gateway does by the clock.
pub trait Timers: Send + Sync {
    /// Does what is due at `now` (greylist windows that closed, maintenance)
    /// and returns when delivery has nothing under way, so that time does not
    /// run away from a transfer. Called at least every eight minutes.
    fn tick(&self, now: Timestamp) -> BoxFuture<'_, ()>;

    /// Stops the gateway, when all is over. Some are still connected, as ever;
    /// returns when it has told them.
    fn stop(&self) -> BoxFuture<'_, ()>;
}

/// What became of the week.
#[derive(Clone, Copy, Debug)]
pub struct WeekReport {
    /// Counted on the sender's side.
    pub counts: Counts,
    /// Errands begun.
    pub errands: u32,
}

/// Makes the week. Give it a runtime with several threads.
pub async fn week(plan: WeekPlan, world: DemoWorld, timers: &dyn Timers) -> WeekReport {
    let errands = errands_for(plan.attempts);
    let end = plan.end - STOPPED_BEFORE;
    let (left, returned) = mpsc::unbounded_channel();
    let venue = Venue {
        doors: world.doors,
        side: Side::Simulated,
        dial: Arc::clone(&world.dial),
        clock: Arc::new(world.clock.clone()),
        counters: Counters::default(),
    };
    let mut driver = Driver {
        venue: Arc::new(venue),
        clock: world.clock,
        timers,
        end,
        settled: plan.start,
        floor: Arc::default(),
        agenda: Agenda::default(),
        visits: JoinSet::new(),
        left,
        returned,
    };
    driver.clock.advance_to(plan.start);
    let mut source = Source::new(plan.seed, plan.messages).after_turns(1);
    let rhythm = Rhythm::new(plan.start, end);
    for number in 0..errands {
        let began = rhythm.moment(f64::from(number) / f64::from(errands));
        driver.go_to(began).await;
        driver.agenda.enter(Planned { began, turn: 0, errand: source.next() });
    }
    driver.go_to(end).await;
    while driver.clock.now() < end {
        driver.settle_until(end).await;
    }
    driver.settle().await;
    driver.leave_some(plan.seed).await;
    timers.stop().await;
    // Whoever still waits hangs up now.
    driver.visits.shutdown().await;
    driver.clock.advance_to(plan.end);
    WeekReport { counts: driver.venue.counters.read(), errands }
}

struct Driver<'t> {
    venue: Arc<Venue>,
    clock: SimulatedClock,
    timers: &'t dyn Timers,
    end: Timestamp,
    /// When all was quiet last.
    settled: Timestamp,
    floor: Arc<Floor>,
    agenda: Agenda,
    visits: JoinSet<()>,
    left: mpsc::UnboundedSender<Planned>,
    returned: mpsc::UnboundedReceiver<Planned>,
}

impl Driver<'_> {
    /// Makes all tries that are due before `until`.
    async fn go_to(&mut self, until: Timestamp) {
        loop {
            while let Ok(planned) = self.returned.try_recv() {
                self.agenda.enter(planned);
            }
            let Some(at) = self.agenda.next_due().filter(|&at| at < until) else { return };
            if at.since(self.settled) > AHEAD_MAX {
                // What comes back from the visits under way may be due first.
                self.settle_until(at).await;
                continue;
            }
            self.advance(at).await;
            self.wait_below(BUSY_MAX).await;
            if let Some(planned) = self.agenda.take() {
                self.spawn(planned).await;
            }
        }
    }

    async fn spawn(&mut self, mut planned: Planned) {
        let Some(&turn) = planned.errand.tries.get(planned.turn) else { return };
        let mut pass = self.floor.enter();
        let (venue, left) = (Arc::clone(&self.venue), self.left.clone());
        let next = planned.errand.tries.get(planned.turn + 1);
        let soon = next.is_some_and(|next| next.after - turn.after < AHEAD_MAX);
        let alone = soon || planned.errand.act.asks_beyond();
        self.visits.spawn(async move {
            if let Some(act) = visit(&venue, &planned.errand, turn, &mut pass).await {
                planned.errand.act = act;
                planned.turn += 1;
                let _ = left.send(planned);
            }
            // Only now: whoever waits for the floor finds the rest returned.
            drop(pass);
        });
        while self.visits.try_join_next().is_some() {}
        if alone {
            self.wait_below(1).await;
        }
    }

    /// Lets some connect who will not have done when the gateway is stopped.
    async fn leave_some(&mut self, seed: u64) {
        for errand in unfinished(&Dice::new(seed)) {
            self.spawn(Planned { began: self.end, turn: 0, errand }).await;
        }
        // Now they wait.
        self.wait_below(1).await;
    }

    /// Waits until all is quiet, then goes on towards `at`, by so much that
    /// the next try is near.
    async fn settle_until(&mut self, at: Timestamp) {
        self.settle().await;
        let near = at.min(self.settled + AHEAD_MAX);
        self.advance(near).await;
        // Nothing was under way when the clock moved.
        self.settled = near;
    }

    async fn settle(&mut self) {
        self.wait_below(1).await;
        let now = self.clock.now();
        self.timers.tick(now).await;
        self.settled = now;
    }

    /// Waits until fewer than `count` are busy. A reply that is held back for
    /// some seconds comes only if they pass, so where nothing moves, they do.
    async fn wait_below(&self, count: usize) {
        let began = self.clock.now();
        while tokio::time::timeout(STILL, self.floor.wait_below(count)).await.is_err() {
            let next = self.clock.next_deadline();
            let near = |next: &Timestamp| next.since(began) <= HELD_BACK_MAX && *next < self.end;
            next.filter(near).into_iter().for_each(|next| self.clock.advance_to(next));
        }
    }

    /// Moves the clock, so that every sleeper on the way wakes at its time.
    async fn advance(&mut self, to: Timestamp) {
        let to = to.min(self.end);
        while let Some(next) = self.clock.next_deadline().filter(|&next| next < to) {
            self.clock.advance_to(next);
            tokio::task::yield_now().await;
        }
        self.clock.advance_to(to);
    }
}

#[cfg(test)]
mod tests;
