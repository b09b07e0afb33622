//! One flush for all who wait: a thread of its own, because a flush blocks,
//! and because those who come while one runs are served together by the next.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::Shared;
use crate::contract::StoreError;

/// How long a flush waits for others to join it, if the one before served
/// several. It is the price of fewer flushes: small beside the flush of a
/// turning disk, several times that of a fast one, where it still turns one
/// flush per message into one for all who are busy at the time. A lone client
/// pays it once, the first time after company.
const GATHERING: Duration = Duration::from_millis(1);

type Waiter = oneshot::Sender<Result<(), StoreError>>;

/// Who waits for a flush, and whether one is due anyway.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiters: Vec<Waiter>,
    /// Something was written that nobody waits for.
    unflushed: bool,
    /// The thread sleeps until it is woken. While it only rests between two
    /// flushes, it looks by itself at what was written.
    idle: bool,
    stopping: bool,
}

impl Waiting {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for a flush of all that is written so far.
    pub(super) fn ask(&self) -> oneshot::Receiver<Result<(), StoreError>> {
        let (answer, asked) = oneshot::channel();
        let mut state = self.state();
        if state.stopping {
            // Nobody would answer; a dropped sender says so.
            return asked;
        }
        state.waiters.push(answer);
        if state.waiters.len() == 1 {
            self.wake.notify_one();
        }
        asked
    }

    /// Says that something was written; it is flushed with the next group,
    /// or alone when the interval is over.
    pub(super) fn written(&self) {
        let mut state = self.state();
        state.unflushed = true;
        if state.idle {
            self.wake.notify_one();
        }
    }

    /// Lets the thread flush once more and end.
    pub(super) fn stop(&self) {
        self.state().stopping = true;
        self.wake.notify_one();
    }

    /// Waits until a flush is due.
    fn due(&self, interval: Duration) {
        let alone = |state: &mut State| state.waiters.is_empty() && !state.stopping;
        let nothing = |state: &mut State| alone(state) && !state.unflushed;
        let mut state = self.state();
        loop {
            let waited = self.wake.wait_timeout_while(state, interval, alone);
            (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
            if !nothing(&mut state) {
                return;
            }
            state.idle = true;
            let waited = self.wake.wait_while(state, nothing);
            state = waited.unwrap_or_else(PoisonError::into_inner);
            state.idle = false;
        }
    }

    /// Those who are served by the flush that begins now, and whether it is
    /// the last.
    fn take(&self) -> (Vec<Waiter>, bool) {
        let mut state = self.state();
        state.unflushed = false;
        (std::mem::take(&mut state.waiters), state.stopping)
    }
}

/// The body of the flushing thread.
pub(super) fn run(shared: &Arc<Shared>, interval: Duration) {
    let mut several = false;
    loop {
        shared.waiting.due(interval);
        if several {
            std::thread::sleep(GATHERING);
        }
        let (waiters, last) = shared.waiting.take();
        several = waiters.len() > 1;
        // The mark comes down before the flush looks at what is written: a
        // writer that comes in between sets it again and gets the next flush.
        shared.unflushed.store(false, std::sync::atomic::Ordering::SeqCst);
        let result = shared.flush_now();
        for waiter in waiters {
            // Who gave up waiting does not care.
            drop(waiter.send(result.clone()));
        }
        if last {
            return;
        }
    }
}
