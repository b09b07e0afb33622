//! Who is busy: how the simulated week knows that its clock may go on.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// Counts visits that are busy. One that only waits for time to pass is not.
#[derive(Debug, Default)]
pub(crate) struct Floor {
    busy: AtomicUsize,
    fewer: Notify,
}

/// One visit on the floor; it counts until it is dropped or parked.
#[derive(Debug)]
pub(crate) struct Pass {
    floor: Arc<Floor>,
    counted: bool,
}

impl Floor {
    /// Lets a visit in.
    pub(crate) fn enter(self: &Arc<Self>) -> Pass {
        self.busy.fetch_add(1, Ordering::AcqRel);
        Pass { floor: Arc::clone(self), counted: true }
    }

    /// Waits until fewer than `count` visits are busy.
    pub(crate) async fn wait_below(&self, count: usize) {
        loop {
            let fewer = self.fewer.notified();
            tokio::pin!(fewer);
            // Before the look, so that no change between the two is missed.
            fewer.as_mut().enable();
            if self.busy.load(Ordering::Acquire) < count {
                return;
            }
            fewer.await;
        }
    }
}

impl Pass {
    /// From now on the visit waits for time to pass.
    pub(crate) fn park(&mut self) {
        if std::mem::take(&mut self.counted) {
            self.floor.busy.fetch_sub(1, Ordering::AcqRel);
            self.floor.fewer.notify_waiters();
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.park();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn parked_and_ended_visits_are_not_busy() {
        let floor = Arc::new(Floor::default());
        let (mut one, two) = (floor.enter(), floor.enter());
        let waiting = tokio::spawn({
            let floor = Arc::clone(&floor);
            async move { floor.wait_below(1).await }
        });
        tokio::task::yield_now().await;
        one.park();
        one.park();
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(two);
        waiting.await.unwrap();
    }
}
