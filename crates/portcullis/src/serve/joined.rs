//! The server before it takes mail: its addresses are bound and its parts
//! joined, and whatever can fail is done. Nobody is greeted before it is
//! [opened](Joined::open), so whoever gives it up before that breaks nobody
//! off.

use std::net::SocketAddr;
use std::sync::Arc;

use api::{Api, Certificate, Provider};
use receive::policy_service::{Complaint, PolicyService};
use receive::{Tls, Wish};
use tokio::sync::watch;

use super::accounts::url;
use super::chores::Chores;
use super::doors::{self, HttpDoors, SmtpDoors};
use super::gateway::{Gateway, Opened};
use super::inspect::whole;
use super::parts::Parts;
use super::running::{DELIVERY, Running, Signals};
use super::sign_in;
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

/// A server that takes no mail yet. Clients that connect wait.
pub(crate) struct Joined {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) addresses: Addresses,
    settings: Settings,
    signals: Signals,
    smtp_doors: SmtpDoors,
    http_doors: HttpDoors,
    policy_services: Vec<PolicyService>,
    provider: Option<Provider>,
}

impl Joined {
    /// Binds and joins everything. Must be called inside the runtime that will
    /// run it.
    ///
    /// # Errors
    /// A sentence for the operator; nothing runs then.
    pub(crate) async fn join(
        settings: Settings,
        opened: Opened,
        log: Arc<Log>,
    ) -> Result<Joined, String> {
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
        Ok(Joined {
            gateway,
            addresses,
            settings,
            signals,
            smtp_doors,
            http_doors,
            policy_services,
            provider,
        })
    }

    /// Starts everything, and takes mail last.
    ///
    /// # Errors
    /// A sentence for the operator; nothing runs then, and nobody was greeted.
    pub(crate) fn open(self) -> Result<Running, String> {
        let (log, gateway) = (Arc::clone(&self.gateway.log), self.gateway);
        // Windows that closed while nothing ran belong to days that the daily
        // log is about to close.
        receive::write_expired(&gateway.engine).map_err(|error| whole(&error))?;
        let (wishes, wished) = watch::channel(Wish::Serve);
        let (stop, stopped) = watch::channel(false);
        let chores = Chores::start(&gateway)?;
        let mut parts = Parts::default();
        keep_watch(&mut parts, &gateway, &stopped);
        let api = api_of(&self.settings, &gateway, &self.http_doors, self.provider);
        serve_http(&mut parts, api, gateway.http_tls.clone(), self.http_doors, &stopped);
        for listener in self.smtp_doors.open(&log) {
            parts.run("smtp", listener.run(Arc::clone(&gateway.engine), wished.clone()));
        }
        for service in self.policy_services {
            let complain = complaints(Arc::clone(&log));
            let run = service.run(Arc::clone(&gateway.engine), wished.clone(), complain);
            parts.run("policy requests", run);
        }
        let (addresses, settings, signals) = (self.addresses, self.settings, self.signals);
        Ok(Running { gateway, addresses, wishes, stop, parts, chores, settings, signals })
    }
}

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
