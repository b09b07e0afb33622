//! A worker serves one next hop: it takes the messages that wait there, one
//! after the other, over one connection that it keeps while there is work.

mod content;
pub(crate) mod dispatch;
mod transfer;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{self, Either};
use types::Timestamp;

use crate::connection::HopConnection;
use crate::hop::{Failure, Handed, Hop};
use crate::lease::Job;
use crate::opening::{self, NotOpened};
use crate::settings::DeliverySettings;
use crate::shared::Shared;
use crate::status::count;
use crate::sts::Mode;
use crate::tried::{Answer, Came, Reached, Try, Why};

use dispatch::put_off;
use transfer::Transfer;

/// Starts a worker for `hop`, which has counted it already.
pub(crate) fn start(shared: &Arc<Shared>, hop: &Arc<Hop>) {
    let mut place = Place { shared: Arc::clone(shared), hop: Arc::clone(hop), begun: false };
    shared.spawn(async move {
        place.begun = true;
        Worker { place: &place, line: None }.work().await;
    });
}

/// A worker's place at its next hop, free again when it ends, however it ends.
struct Place {
    shared: Arc<Shared>,
    hop: Arc<Hop>,
    /// Whether it ever ran: nothing does any more while we stop.
    begun: bool,
}

impl Drop for Place {
    fn drop(&mut self) {
        let needed = self.hop.worker_ended();
        if needed && self.begun && !self.shared.is_stopping() {
            start(&self.shared, &self.hop);
        } else if needed {
            self.hop.give_back();
        }
    }
}

/// An open connection that is counted at its next hop.
struct Line {
    connection: HopConnection,
    counted: Counted,
}

/// One connection in the count of a next hop.
struct Counted(Arc<Hop>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.disconnected();
    }
}

struct Worker<'a> {
    place: &'a Place,
    line: Option<Line>,
}

/// Whether a worker goes on.
enum Next {
    Job,
    End,
}

impl Worker<'_> {
    async fn work(mut self) {
        while let Some(job) = self.next_job().await {
            if let Next::End = self.deliver(job).await {
                break;
            }
        }
        if let Some(line) = self.line.take() {
            self.place.close(line).await;
        }
    }

    /// The next message; nothing once there was none for as long as the
    /// connection may be idle, or when it is time to stop.
    async fn next_job(&mut self) -> Option<Job> {
        let Place { shared, hop, .. } = self.place;
        loop {
            // Listens before it looks, so that no call is missed.
            let mut called = std::pin::pin!(hop.work.notified());
            called.as_mut().enable();
            if shared.is_stopping() {
                return None;
            }
            if let Some(job) = hop.next_or_wait() {
                return Some(job);
            }
            let idle_max = match self.line {
                Some(_) => shared.settings().hop.idle_max,
                None => Duration::ZERO,
            };
            let patience = shared.parts.clock.sleep(idle_max);
            let called = matches!(future::select(called, patience).await, Either::Left(_));
            match hop.next_after_wait() {
                Some(job) => return Some(job),
                None if !called => return None,
                None => {}
            }
        }
    }

    /// The open connection, unless it was opened with less assurance than is
    /// asked for by now.
    async fn usable_line(&mut self) -> Option<Line> {
        let line = self.line.take()?;
        if self.place.suffices(&line.connection) {
            return Some(line);
        }
        self.place.close(line).await;
        None
    }

    /// Delivers one message to its recipients here.
    async fn deliver(&mut self, job: Job) -> Next {
        let Place { shared, hop, .. } = self.place;
        let settings = shared.settings();
        let began = shared.parts.clock.elapsed();
        let mut transfer = Transfer::new(shared, &settings, &job, began);
        // A connection that was kept open may have been closed meanwhile:
        // that costs nothing but a new one. A new one is not tried twice.
        while !transfer.is_over() {
            let line = match self.usable_line().await {
                Some(line) => line,
                None => match self.place.connect(&settings).await {
                    Ok(line) => line,
                    Err(failed) => {
                        return self.place.not_opened(job, transfer, failed, &settings).await;
                    }
                },
            };
            self.line = transfer.over(line).await;
        }
        if let Some(answer) = transfer.last_answer() {
            hop.answered(self.place.now(), answer);
        }
        job.end(transfer.into_came()).await;
        let limit = settings.hop.messages_per_connection_max;
        if let Some(line) = self.line.take_if(|line| line.connection.used >= limit) {
            self.place.close(line).await;
        }
        Next::Job
    }
}

impl Place {
    fn now(&self) -> Timestamp {
        self.shared.parts.clock.now()
    }

    /// Whether a connection is what the policy of its domain asks for, which
    /// may have become known after it was opened.
    fn suffices(&self, connection: &HopConnection) -> bool {
        let Some(domain) = self.hop.next_hop.domain_of_sender() else { return true };
        let counts = self.shared.settings().mta_sts_counts().is_some();
        let policy = counts.then(|| self.shared.transport.policy(domain)).flatten();
        policy.is_none_or(|policy| {
            let proved = connection.proved.as_ref();
            policy.mode != Mode::Enforce || proved.is_some_and(|host| policy.lists(host))
        })
    }

    /// Says goodbye on a connection. The worker does not wait for the answer,
    /// because a message may be waiting for its place; at the end it does.
    async fn close(&self, line: Line) {
        let Line { connection, counted } = line;
        drop(counted);
        if self.shared.is_stopping() {
            connection.quit().await;
        } else {
            self.shared.spawn(connection.quit());
        }
    }

    async fn connect(&self, settings: &DeliverySettings) -> Result<Line, NotOpened> {
        let Place { shared, hop, .. } = self;
        let connection = opening::open(shared, hop, settings).await?;
        for _ in 0..hop.connected(self.now(), &settings.hop) {
            start(shared, hop);
        }
        Ok(Line { connection, counted: Counted(Arc::clone(hop)) })
    }

    /// Without a connection: what has not been tried yet fails, waits, or is
    /// left to the others.
    async fn not_opened(
        &self,
        job: Job,
        mut transfer: Transfer<'_>,
        failed: NotOpened,
        settings: &DeliverySettings,
    ) -> Next {
        let Place { shared, hop, .. } = self;
        let why = failed.why();
        hop.answered(self.now(), why.as_str().into());
        let NotOpened { at, answer, .. } = failed;
        if matches!(answer, Answer::Impossible(..)) {
            transfer.fail(at, answer);
            job.end(transfer.into_came()).await;
            return Next::Job;
        }
        let why = Why::after(&answer, &why);
        match hop.failed(why.clone(), self.now(), &settings.hop) {
            Failure::Enough if transfer.is_untouched() && !shared.is_stopping() => {
                if let Handed::NeedsWorker = hop.put_back(job, self.now(), &settings.hop) {
                    start(shared, hop);
                }
            }
            Failure::Enough => {
                transfer.fail(at, answer);
                job.end(transfer.into_came()).await;
            }
            Failure::Down { until, others } => {
                transfer.fail(at, answer);
                job.end(transfer.into_came()).await;
                self.wait_together(others, until, &why).await;
            }
        }
        Next::End
    }

    /// Messages that waited for a next hop which is now left alone.
    async fn wait_together(&self, others: VecDeque<Job>, until: Timestamp, why: &Why) {
        for job in others {
            count(&self.shared.counters.put_off);
            job.end_all(put_off(&self.hop, until, why.clone())).await;
        }
    }
}

/// One recipient's result.
fn tried(place: usize, at: Reached, answer: Answer, took: Duration) -> (usize, Came) {
    (place, Came::Tried(Try { at, answer, took }))
}
