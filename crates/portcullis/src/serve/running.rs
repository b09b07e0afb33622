//! The server while it runs: tasks, signals, and an orderly end.

use std::sync::Arc;
use std::time::Duration;

use receive::{Engine, Wish};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use types::finding::Unavailable;

use super::accounts::tell_first_link;
use super::chores::{Chores, keep_daily_log, note_hits, note_uses};
use super::gateway::Gateway;
use super::inspect::whole;
use super::joined::Addresses;
use super::parts::{Ended, Parts};
use super::reload::Reloads;
use super::{Again, systemd};
use crate::settings::Settings;
use crate::telemetry::Message;

/// A server that takes connections.
pub(crate) struct Running {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) addresses: Addresses,
    /// What every connection is told.
    pub(super) wishes: watch::Sender<Wish>,
    /// Ends delivery and HTTP when it becomes true.
    pub(super) stop: watch::Sender<bool>,
    pub(super) parts: Parts,
    pub(super) chores: Chores,
    /// Those the process began with.
    pub(super) settings: Settings,
    /// Listened to from the first moment: a server that is asked to stop while
    /// it starts still stops in order.
    pub(super) signals: Signals,
}

impl Running {
    /// Tells how the first owner gets in, if nobody can yet. Mail is taken by
    /// now, so a database that is busy with something else must not end the
    /// server: it is asked again. Nor must a thread that cannot be had.
    pub(super) fn tell_first_link(&mut self) {
        let (gateway, settings) = (Arc::clone(&self.gateway), self.settings.clone());
        let (bound, work) = (self.addresses.http, "set-up link");
        let begun = self.chores.once(work, &self.gateway.log, move || {
            tell_first_link(&settings, &gateway.accounts, bound, &gateway.log)
        });
        if let Err(problem) = begun {
            let problem = format!("{problem}; the next start tells the link");
            self.gateway.log.say(&Message::WorkFailed { work, problem });
        }
    }

    /// Serves until a signal ends it, or a part that it cannot do without ends
    /// by itself.
    ///
    /// # Errors
    /// Such a part has ended, or the store could not be closed well.
    pub(crate) async fn until_stopped(mut self, again: Again) -> Result<(), String> {
        let mut reloads = Reloads::new(again);
        systemd::ready(&self.status());
        // Where nobody waits for it, nobody is troubled by it either.
        let often = systemd::watchdog_interval().unwrap_or(NOBODY_WATCHES);
        let mut alive = tokio::time::interval(often);
        let ended = loop {
            tokio::select! {
                said = self.signals.next() => match said {
                    Said::Reload => reloads.want(&self.gateway, &self.addresses),
                    Said::ReopenLog => self.gateway.log.reopen(),
                    Said::Stop => break None,
                },
                came_of_it = reloads.done() => {
                    self.tell_reload(came_of_it);
                    reloads.go_on(&self.gateway, &self.addresses);
                }
                _ = alive.tick() => systemd::alive(),
                ended = self.parts.ended() => break Some(ended),
            }
        };
        let Some(Ended { part, problem }) = ended else { return self.stop_in_order().await };
        let message = Message::PartEnded { part, problem };
        self.gateway.log.say(&message);
        self.stop_in_order().await?;
        // What the service manager takes as a reason for another start.
        Err(message.text())
    }

    /// Says what became of a reload.
    fn tell_reload(&self, came_of_it: Result<Vec<String>, String>) {
        let (gateway, log) = (&self.gateway, &self.gateway.log);
        let now = gateway.clock.now();
        match came_of_it {
            Ok(waiting) => {
                log.say(&Message::Reloaded);
                gateway.health.reloaded(now, Ok(&waiting));
                systemd::ready(&self.status());
            }
            Err(problem) => {
                gateway.health.reloaded(now, Err(&problem));
                systemd::ready(&format!("the last reload was refused: {problem}"));
                log.say(&Message::ReloadRefused { problem });
            }
        }
    }

    fn status(&self) -> String {
        let addresses: Vec<String> = self.addresses.smtp.iter().map(ToString::to_string).collect();
        format!("accepting mail at {}", addresses.join(", "))
    }

    /// Lets open sessions finish, then ends everything, the store last.
    async fn stop_in_order(mut self) -> Result<(), String> {
        let engine = Arc::clone(&self.gateway.engine);
        let sessions = engine.connections_open();
        systemd::stopping(&format!("stopping; {sessions} sessions are open"));
        self.gateway.log.say(&Message::Stopping { sessions });
        engine.health().set(Some(Unavailable::Stopping));
        let _ = self.wishes.send(Wish::Drain);
        let _ = self.stop.send(true);
        self.gateway.recipients.directories().stop();
        tokio::select! {
            () = drained(&engine) => {}
            () = tokio::time::sleep(self.settings.server.drain_timeout) => {}
            // Whoever asks twice does not want to wait.
            () = self.signals.stop_again() => {}
        }
        let cut_off = engine.connections_open();
        let _ = self.wishes.send(Wish::Stop);
        // A session that waits for a next hop notices only then; cut off
        // before, its recipients would have no event.
        let cut_off_timeout = self.settings.call_forward.timeout + CUT_OFF_TIMEOUT;
        let _ = tokio::time::timeout(cut_off_timeout, drained(&engine)).await;
        self.close(cut_off).await
    }

    /// Ends what works for the sessions, then the store.
    async fn close(self, cut_off: u32) -> Result<(), String> {
        // Delivery has a grace time of its own.
        self.parts.end(DELIVERY, CUT_OFF_TIMEOUT).await;
        let gateway = self.gateway;
        let chores = self.chores;
        tokio::task::block_in_place(|| {
            chores.stop();
            // They read the store, which is about to be closed.
            gateway.center.stop_exports();
            for (work, done) in [
                ("counts", note_hits(&gateway)),
                ("daily log", keep_daily_log(&gateway)),
                ("recipients", gateway.recipients.keep()),
                ("submitters", note_uses(&gateway)),
                ("transport policies", gateway.deliverer.keep_policies().map_err(|e| whole(&e))),
            ] {
                if let Err(problem) = done {
                    gateway.log.say(&Message::WorkFailed { work, problem });
                }
            }
            let closed = gateway.store.close(gateway.clock.now());
            gateway.log.say(&Message::Stopped { cut_off });
            closed.map_err(|error| format!("the store was not closed well: {}", whole(&error)))
        })
    }
}

/// Waits until no session is open and no server waits for an answer.
async fn drained(engine: &Engine) {
    while engine.connections_open() + engine.questions_open() > 0 {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// How often it is looked whether sessions are open.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How often it is said that the server is alive where nobody waits for it.
const NOBODY_WATCHES: Duration = Duration::from_secs(3_600);
/// The part that has a grace time of its own.
pub(super) const DELIVERY: &str = "delivery";
/// How long sessions and pages may take to notice that they are cut off.
const CUT_OFF_TIMEOUT: Duration = Duration::from_secs(5);

/// What a signal means.
enum Said {
    Stop,
    Reload,
    ReopenLog,
}

/// The signals that are listened to.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
    user: Signal,
}

impl Signals {
    pub(super) fn new() -> std::io::Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
            user: signal(SignalKind::user_defined1())?,
        })
    }

    async fn next(&mut self) -> Said {
        tokio::select! {
            _ = self.terminate.recv() => Said::Stop,
            _ = self.interrupt.recv() => Said::Stop,
            _ = self.hang_up.recv() => Said::Reload,
            _ = self.user.recv() => Said::ReopenLog,
        }
    }

    /// Waits for a further request to stop.
    async fn stop_again(&mut self) {
        while !matches!(self.next().await, Said::Stop) {}
    }
}

#[cfg(test)]
mod tests;
