//! The server while it runs: tasks, signals, and an orderly end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use api::{Api, Certificate, Provider};
use receive::policy_service::Complaint;
use receive::{Engine, Tls, Wish};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use types::finding::Unavailable;

use super::accounts::{tell_first_link, url};
use super::chores::{Chores, keep_daily_log, note_hits, note_uses};
use super::doors::{self, HttpDoors, SmtpDoors};
use super::gateway::{Gateway, Opened};
use super::inspect::whole;
use super::parts::{Ended, Parts};
use super::reload::Reloads;
use super::{Again, sign_in, systemd};
use crate::settings::Settings;
use crate::telemetry::{Log, Message};

/// Where connections are taken, with the real ports.
#[derive(Clone, Debug, Default)]
pub(crate) struct Addresses {
    /// SMTP.
    pub(crate) smtp: Vec<SocketAddr>,
    /// Questions of other mail servers.
    pub(crate) policy_services: Vec<SocketAddr>,
    /// Pages, unless they are off.
    pub(crate) http: Option<SocketAddr>,
}

/// A server that takes connections.
pub(crate) struct Running {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) addresses: Addresses,
    /// What every connection is told.
    wishes: watch::Sender<Wish>,
    /// Ends delivery and HTTP when it becomes true.
    stop: watch::Sender<bool>,
    parts: Parts,
    chores: Chores,
    drain_timeout: Duration,
    cut_off_timeout: Duration,
    /// Those the process began with.
    settings: Settings,
    /// Listened to from the first moment: a server that is asked to stop while
    /// it starts still stops in order.
    signals: Signals,
}

impl Running {
    /// Binds, joins and starts everything.
    ///
    /// # Errors
    /// A sentence for the operator; nothing runs then.
    pub(crate) async fn start(
        settings: Settings,
        opened: Opened,
        log: Arc<Log>,
    ) -> Result<Running, String> {
        let signals = Signals::new().map_err(|error| format!("no signals: {error}"))?;
        let provider = sign_in::provider(&settings)?;
        let smtp_doors = SmtpDoors::bind(&settings)?;
        let mut addresses = Addresses { smtp: smtp_doors.addresses(), ..Addresses::default() };
        let gateway = Gateway::join(&settings, opened, Arc::clone(&log), addresses.smtp.clone())?;
        let gateway = Arc::new(gateway);
        let http_doors = HttpDoors::bind(&settings, &log).await?;
        let policy_services = doors::policy_services(&settings, &log).await?;
        addresses.policy_services =
            policy_services.iter().filter_map(|service| service.local_addr().ok()).collect();
        if let Some(console) = &http_doors.console {
            addresses.http = console.local_addr().ok();
        }
        // Windows that closed while nothing ran belong to days that the daily
        // log is about to close.
        receive::write_expired(&gateway.engine).map_err(|error| whole(&error))?;
        let (wishes, wished) = watch::channel(Wish::Serve);
        let (stop, stopped) = watch::channel(false);
        let chores = Chores::start(&gateway)?;
        let mut parts = Parts::default();
        keep_watch(&mut parts, &gateway, &stopped);
        let api = api_of(&settings, &gateway, &http_doors, provider);
        serve_http(&mut parts, api, gateway.http_tls.clone(), http_doors, &stopped);
        for listener in smtp_doors.open(&log) {
            parts.run("smtp", listener.run(Arc::clone(&gateway.engine), wished.clone()));
        }
        for service in policy_services {
            let complain = complaints(Arc::clone(&log));
            let run = service.run(Arc::clone(&gateway.engine), wished.clone(), complain);
            parts.run("policy requests", run);
        }
        let drain_timeout = settings.server.drain_timeout;
        // A session that waits for a next hop notices only then; cut off
        // before, its recipients would have no event.
        let cut_off_timeout = settings.call_forward.timeout + CUT_OFF_TIMEOUT;
        Ok(Running {
            gateway,
            addresses,
            wishes,
            stop,
            parts,
            chores,
            drain_timeout,
            cut_off_timeout,
            settings,
            signals,
        })
    }

    /// Tells how the first owner gets in, if nobody can yet. Mail is taken by
    /// now, so a database that is busy with something else must not end the
    /// server: it is asked again.
    ///
    /// # Errors
    /// No thread can be started. A sentence for the operator.
    pub(super) fn tell_first_link(&mut self) -> Result<(), String> {
        let (gateway, settings) = (Arc::clone(&self.gateway), self.settings.clone());
        let bound = self.addresses.http;
        self.chores.once("set-up link", &self.gateway.log, move || {
            tell_first_link(&settings, &gateway.accounts, bound, &gateway.log)
        })
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
            () = tokio::time::sleep(self.drain_timeout) => {}
            // Whoever asks twice does not want to wait.
            () = self.signals.stop_again() => {}
        }
        let cut_off = engine.connections_open();
        let _ = self.wishes.send(Wish::Stop);
        let _ = tokio::time::timeout(self.cut_off_timeout, drained(&engine)).await;
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
const DELIVERY: &str = "delivery";
/// How long sessions and pages may take to notice that they are cut off.
const CUT_OFF_TIMEOUT: Duration = Duration::from_secs(5);

/// Ready when the channel says so, or nobody can say so any more.
async fn until(mut stopped: watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stop| *stop).await;
}

/// Says in the log which server was left without an answer, and why.
fn complaints(log: Arc<Log>) -> Complaint {
    Arc::new(move |peer, error| {
        log.say(&Message::NotAnswered { peer: peer.to_string(), problem: error.to_string() });
    })
}

/// Delivers, and looks at what is outside, until `stopped`.
fn keep_watch(parts: &mut Parts, gateway: &Arc<Gateway>, stopped: &watch::Receiver<bool>) {
    let (deliverer, stop) = (gateway.deliverer.clone(), until(stopped.clone()));
    parts.run(DELIVERY, async move { deliverer.run(stop).await });
    let (names, stop) = (Arc::clone(&gateway.health.watched.names), until(stopped.clone()));
    parts.run("name system", async move {
        tokio::select! { () = names.watch() => {}, () = stop => {} }
    });
    let (recipients, stop) = (Arc::clone(&gateway.recipients), until(stopped.clone()));
    parts.block("directories", move || recipients.directories().watch(stop));
    parts.run("alerts", super::alerts::tell(Arc::clone(gateway), until(stopped.clone())));
}

fn api_of(
    settings: &Settings,
    gateway: &Gateway,
    doors: &HttpDoors,
    provider: Option<Provider>,
) -> Api {
    let accounts = Arc::clone(&gateway.accounts);
    let bound = doors.console.as_ref().and_then(|listener| listener.local_addr().ok());
    let api = Api::new(Arc::clone(&gateway.center), accounts, gateway.metrics.clone());
    let api = api.behind(&settings.http.trusted_proxy).reached_at(&url(settings, bound));
    let api = api.with_refusal_pages(api::RefusalPages {
        enabled: settings.http.refusal_pages,
        for_scores: settings.http.score_refusal_pages,
        requests: settings.http.refusal_requests,
    });
    match provider {
        Some(provider) => api.with_provider(provider),
        None => api,
    }
}

fn serve_http(
    parts: &mut Parts,
    api: Api,
    certificate: Option<Arc<Tls>>,
    doors: HttpDoors,
    stopped: &watch::Receiver<bool>,
) {
    let certificate = certificate.map(|tls| -> Certificate { Arc::new(move || tls.config()) });
    if let Some(listener) = doors.console {
        let (api, stop) = (api.clone(), until(stopped.clone()));
        parts.serve("console", async move { api.serve_console(listener, certificate, stop).await });
    }
    if let Some(listener) = doors.metrics {
        let (api, stop) = (api.clone(), until(stopped.clone()));
        parts.serve("metrics", async move { api.serve_metrics(listener, stop).await });
    }
    let stop = until(stopped.clone());
    parts.serve("admin socket", async move { api.serve_admin(doors.admin, stop).await });
}

/// What a signal means.
enum Said {
    Stop,
    Reload,
    ReopenLog,
}

/// The signals that are listened to.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
    user: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Signals> {
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
