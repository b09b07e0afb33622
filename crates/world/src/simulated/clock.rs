//! Time that moves when it is told to.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use types::Timestamp;

use crate::clock::{Clock, Sleep};

/// A clock that stands still until it is advanced. Clones share one time.
///
/// Advancing wakes whoever is due, in the order of their deadlines (first
/// come, first served among equals); they run when the executor next gets to
/// them. To let every sleeper see its own hour, alternate: let the tasks run
/// until they wait, then [`advance_to_next`](SimulatedClock::advance_to_next).
#[derive(Clone, Debug)]
pub struct SimulatedClock {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    started: Timestamp,
    now: Timestamp,
    /// Who waits, by deadline and then by order of arrival; the waker is
    /// there once the sleeper was polled.
    sleepers: BTreeMap<(Timestamp, u64), Option<Waker>>,
    arrivals: u64,
}

impl SimulatedClock {
    /// A clock that shows `start`.
    pub fn new(start: Timestamp) -> Self {
        let sleepers = BTreeMap::new();
        let state = State { started: start, now: start, sleepers, arrivals: 0 };
        SimulatedClock { state: Arc::new(Mutex::new(state)) }
    }

    /// Moves time forward by `span`.
    pub fn advance(&self, span: Duration) {
        let at = self.now() + span;
        self.advance_to(at);
    }

    /// Moves time forward to `at`; an earlier time changes nothing.
    pub fn advance_to(&self, at: Timestamp) {
        let due = self.lock().advance_to(at);
        // Woken without the lock: a waker may poll at once.
        due.into_iter().flatten().for_each(Waker::wake);
    }

    /// When the next sleeper is due, if anyone sleeps.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.lock().sleepers.first_key_value().map(|(&(at, _), _)| at)
    }

    /// Moves time to the next deadline and gives it; does nothing if nobody
    /// sleeps.
    pub fn advance_to_next(&self) -> Option<Timestamp> {
        let next = self.next_deadline()?;
        self.advance_to(next);
        Some(next)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is whole between any two statements, so a panic elsewhere
        // leaves nothing to fear.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes out whoever is due at `at`.
    fn advance_to(&mut self, at: Timestamp) -> Vec<Option<Waker>> {
        self.now = self.now.max(at);
        let later = self.sleepers.split_off(&(self.now + Duration::from_millis(1), 0));
        std::mem::replace(&mut self.sleepers, later).into_values().collect()
    }
}

impl Clock for SimulatedClock {
    fn now(&self) -> Timestamp {
        self.lock().now
    }

    fn elapsed(&self) -> Duration {
        let state = self.lock();
        state.now.since(state.started)
    }

    fn sleep_until(&self, at: Timestamp) -> Sleep {
        let mut state = self.lock();
        state.arrivals += 1;
        let key = (at, state.arrivals);
        if at > state.now {
            state.sleepers.insert(key, None);
        }
        drop(state);
        Box::pin(Sleeper { clock: self.clone(), key })
    }
}

/// One wait; leaves the list when dropped.
struct Sleeper {
    clock: SimulatedClock,
    key: (Timestamp, u64),
}

impl Future for Sleeper {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.clock.lock();
        if state.now >= self.key.0 {
            return Poll::Ready(());
        }
        state.sleepers.insert(self.key, Some(context.waker().clone()));
        Poll::Pending
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        self.clock.lock().sleepers.remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_795_000_000_000);

    #[tokio::test]
    async fn sleepers_wake_in_the_order_of_their_deadlines() {
        let clock = SimulatedClock::new(START);
        let woken = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = Vec::new();
        for seconds in [30, 10, 20, 60] {
            let sleep = clock.sleep(Duration::from_secs(seconds));
            let woken = Arc::clone(&woken);
            tasks.push(tokio::spawn(async move {
                sleep.await;
                woken.lock().unwrap().push(seconds);
            }));
            tokio::task::yield_now().await;
        }
        assert_eq!(clock.next_deadline(), Some(START + Duration::from_secs(10)));
        clock.advance(Duration::from_secs(45));
        let last = tasks.pop().unwrap();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*woken.lock().unwrap(), [10, 20, 30]);
        assert_eq!(clock.advance_to_next(), Some(START + Duration::from_secs(60)));
        last.await.unwrap();
        assert_eq!(clock.elapsed(), Duration::from_secs(60));
        assert_eq!(clock.advance_to_next(), None);
    }

    #[tokio::test]
    async fn what_is_due_does_not_wait_and_time_does_not_go_back() {
        let clock = SimulatedClock::new(START);
        clock.sleep_until(START).await;
        clock.advance_to(START - Duration::from_secs(5));
        assert_eq!(clock.now(), START);
    }

    #[test]
    fn a_dropped_sleeper_leaves_no_deadline() {
        let clock = SimulatedClock::new(START);
        let sleep = clock.sleep(Duration::from_secs(1));
        assert!(clock.next_deadline().is_some());
        drop(sleep);
        assert_eq!(clock.next_deadline(), None);
    }
}
