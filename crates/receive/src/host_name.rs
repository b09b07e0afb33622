//! The name of the client, looked up once a session while the dialogue goes
//! on. Nobody waits for it but a policy that names hosts, or that has it compared
//! with a certificate; the record has it if it is there when an attempt ends.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use types::{Finding, Observed, ReverseFacts};
use world::is_inward;

use crate::desk::Desk;
use crate::pending::Pending;

/// How far the look-up of a client's name has come.
#[derive(Default)]
pub(crate) enum HostName {
    /// Nobody has asked for it.
    #[default]
    NotAsked,
    /// It is under way.
    Asked(Pending<Arc<Finding>>),
    /// What it came to.
    Found(Arc<Finding>),
    /// Whoever asks us has looked it up itself.
    Told,
}

impl HostName {
    /// What was found, once it was noted.
    pub(crate) fn found(&self) -> Option<&Finding> {
        match self {
            HostName::Found(finding) => Some(finding),
            _ => None,
        }
    }

    /// The finding, when it is there; nothing where nobody looks for it.
    pub(crate) fn answer(&self) -> Option<BoxFuture<'static, Arc<Finding>>> {
        match self {
            HostName::Asked(pending) => Some(pending.answer().boxed()),
            HostName::Found(found) => Some(ready(Arc::clone(found)).boxed()),
            HostName::NotAsked | HostName::Told => None,
        }
    }
}

impl Desk {
    /// Asks for the name, if it is to be recorded or a policy in force names
    /// hosts. Inward addresses have no name that the world knows, and asking
    /// for each of them would only tell resolvers of our network.
    pub(crate) fn begin_host_name(&mut self) {
        let parts = &self.engine.parts;
        let is_recorded =
            parts.checks.looks_at_client_names() && !is_inward(self.visit.client.client.ip);
        if is_recorded || parts.policy.load().names_hosts() {
            self.ask_host_name();
        }
    }

    fn ask_host_name(&mut self) {
        if !matches!(self.visit.host_name, HostName::NotAsked) || self.visit.is_outbound() {
            return;
        }
        let (engine, ip) = (Arc::clone(&self.engine), self.visit.client.client.ip);
        self.visit.host_name = HostName::Asked(Pending::begin(async move {
            let parts = &engine.parts;
            Arc::new(parts.checks.host_name(ip, &*parts.resolver).await)
        }));
    }

    /// Notes the name if the answer is there by now.
    pub(crate) fn note_host_name(&mut self) {
        if let HostName::Asked(pending) = &self.visit.host_name
            && let Some(found) = pending.answered()
        {
            self.found_host_name(found);
        }
    }

    /// Waits for the name, if a policy in force asks for it, or it may be what
    /// the certificate of this client names. One that cannot be had matches
    /// nothing; the record says so.
    pub(crate) async fn seek_host_name(&mut self) {
        if self.engine.parts.policy.load().names_hosts() || self.hangs_on_host_name() {
            // Such a policy may have come into force meanwhile.
            self.ask_host_name();
            if let HostName::Asked(pending) = &self.visit.host_name {
                let found = pending.answer().await;
                self.found_host_name(found);
            }
        }
    }

    fn found_host_name(&mut self, found: Arc<Finding>) {
        if let Observed::Reverse(ReverseFacts { confirmed: Some(name), .. }) = &found.observed {
            Arc::make_mut(&mut self.visit.client).host_name = Some(name.as_str().into());
        }
        self.visit.host_name = HostName::Found(found);
    }
}
