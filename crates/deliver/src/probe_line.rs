//! Connections on which a next hop is asked about recipients, apart from
//! those that deliver: a queue must not keep a client at RCPT waiting.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future;
use tokio::sync::Semaphore;
use types::Timestamp;

use crate::connection::HopConnection;
use crate::hop::Hop;
use crate::shared::Shared;

/// The connections to one next hop that wait for the next question.
pub(crate) struct ProbeLines {
    /// One per question that may be under way.
    pub(crate) permits: Semaphore,
    idle: Mutex<Idle>,
}

#[derive(Default)]
struct Idle {
    /// Each with the time from which it is not used any more; the oldest first.
    lines: Vec<(Timestamp, HopConnection)>,
    /// Whether somebody closes them in time.
    swept: bool,
}

impl ProbeLines {
    pub(crate) fn new(connections_max: usize) -> Self {
        ProbeLines { permits: Semaphore::new(connections_max.max(1)), idle: Mutex::default() }
    }

    /// The connection used last, if it is still good at `now`.
    pub(crate) fn take(&self, now: Timestamp) -> Option<HopConnection> {
        let (until, line) = self.lock().lines.pop()?;
        (until > now).then_some(line)
    }

    /// Keeps a connection until `until`. Whether somebody must be asked to
    /// [sweep](sweep).
    fn keep(&self, line: HopConnection, until: Timestamp) -> bool {
        let mut idle = self.lock();
        idle.lines.push((until, line));
        !std::mem::replace(&mut idle.swept, true)
    }

    /// Takes out what is not good any more at `now`, and says when to come
    /// again; nothing if nothing is left.
    fn expired(&self, now: Timestamp) -> (Vec<HopConnection>, Option<Timestamp>) {
        let mut idle = self.lock();
        let fresh = idle.lines.iter().position(|(until, _)| *until > now);
        let fresh = fresh.unwrap_or(idle.lines.len());
        let expired = idle.lines.drain(..fresh).map(|(_, line)| line).collect();
        let next = idle.lines.first().map(|(until, _)| *until);
        idle.swept = next.is_some();
        (expired, next)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps a connection for the next question, and closes it in time if there
/// is none.
pub(crate) fn keep(shared: &Arc<Shared>, hop: &Arc<Hop>, line: HopConnection) {
    let until = shared.parts.clock.now() + shared.settings().hop.idle_max;
    if hop.probes.keep(line, until) {
        shared.spawn(sweep(Arc::clone(shared), Arc::clone(hop), until));
    }
}

/// Closes idle connections as their time comes, until there is none.
async fn sweep(shared: Arc<Shared>, hop: Arc<Hop>, first: Timestamp) {
    let mut next = Some(first);
    while let Some(at) = next {
        let stop = std::pin::pin!(shared.stop_ordered());
        future::select(shared.parts.clock.sleep_until(at), stop).await;
        let now = if shared.is_stopping() { at } else { shared.parts.clock.now() };
        let (expired, later) = hop.probes.expired(now);
        for line in expired {
            line.quit().await;
        }
        next = later;
    }
}
