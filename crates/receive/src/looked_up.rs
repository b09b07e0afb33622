//! What is looked up of a session and a transaction while the dialogue goes
//! on, each once: the client's name, lists, SPF, the sender's domain.

use std::sync::Arc;

use checks::SpfQuestion;
use types::{Domain, Evidence, ForwardPath};

use crate::desk::Desk;
use crate::pending::{About, Pending};
use crate::spf::{self, AskedSpf};

impl Desk {
    /// Looks up what needs the client's address alone, as far as it is to be
    /// recorded or a policy in force looks at it, while the client goes on.
    pub(crate) fn begin_by_address(&mut self) {
        if self.visit.is_outbound() {
            return;
        }
        // Lists that want the name wait for it by themselves.
        self.begin_host_name();
        self.visit.lists.begin_by_address(&self.engine, &self.visit);
    }

    /// The same for what needs the envelope's sender.
    pub(crate) fn begin_by_envelope(&mut self) {
        if self.visit.is_outbound() {
            return;
        }
        self.begin_spf();
        self.begin_sender_domain();
        self.visit.lists.begin_by_envelope(&self.engine, &self.visit);
    }

    fn begin_sender_domain(&mut self) {
        self.visit.sender_domain_found = None;
        let sender = self.visit.reverse_path.as_deref().and_then(|path| path.address());
        let domain = sender.and_then(|address| address.domain_key().parse::<Domain>().ok());
        let looked_up = self.engine.parts.checks.looks_at_sender_domains();
        let domain = domain.filter(|domain| looked_up && !domain.as_str().starts_with('['));
        let before = self.visit.sender_domain.take();
        let engine = &self.engine;
        self.visit.sender_domain = domain.map(|domain| {
            About::once(before, domain, |domain| {
                let (engine, domain) = (Arc::clone(engine), domain.clone());
                Pending::begin(async move {
                    let parts = &engine.parts;
                    Arc::new(parts.checks.sender_domain(&domain, &*parts.resolver).await)
                })
            })
        });
    }

    /// Asks SPF at MAIL, if a policy in force looks at it.
    fn begin_spf(&mut self) {
        let before = self.visit.spf.take();
        let now = self.engine.now();
        if self.engine.parts.policy.load().asks_spf(now) {
            self.ask_spf(before);
        }
    }

    /// Asks SPF at RCPT, if nobody did at MAIL: for a policy that became valid,
    /// or came into force, since then, or for the list of the recipient.
    pub(crate) fn begin_late_spf(&mut self, recipient: &ForwardPath) {
        if self.visit.spf.is_some() {
            return;
        }
        let policy = self.engine.parts.policy.load_full();
        let now = self.engine.now();
        if policy.asks_spf(now) || policy.list_authenticates(now, recipient) {
            self.ask_spf(None);
        }
    }

    /// Asks SPF about the sender, unless that is what was asked `before`.
    fn ask_spf(&mut self, before: Option<AskedSpf>) {
        let Some(reverse_path) = &self.visit.reverse_path else { return };
        // Our own servers are known by their network.
        if self.visit.is_outbound() {
            return;
        }
        let now = self.engine.now();
        let client = &self.visit.client;
        let about = (client.helo.clone(), Arc::clone(reverse_path));
        self.visit.spf = Some(About::once(before, about, |(helo, reverse_path)| {
            let host_name = &self.live.settings.host_name;
            let ip = client.client.ip;
            let question = SpfQuestion::about(ip, helo.as_deref(), reverse_path, host_name, now);
            spf::ask(&self.engine, question)
        }));
    }

    /// Waits for what is looked up of the sender, once a transaction.
    pub(crate) async fn seek_sender_domain(&mut self) {
        if let (Some(asked), None) = (&self.visit.sender_domain, &self.visit.sender_domain_found) {
            self.visit.sender_domain_found = Some(asked.finding().await);
        }
    }

    /// What the names are that client and sender gave.
    pub(crate) fn names_said(&self, evidence: &mut Evidence) {
        let policy = self.engine.parts.policy.load();
        let own = &*self.live.settings.host_name;
        let is_ours = |name: &str| name.eq_ignore_ascii_case(own) || policy.is_internal(name);
        let found = self.engine.parts.checks.helo(&self.visit.client, is_ours);
        // That one of our own servers shows a name of ours is as it should be.
        let found = found.filter(|_| !self.visit.is_outbound());
        found.into_iter().for_each(|finding| evidence.add(finding));
        if let Some(finding) = &self.visit.sender_domain_found {
            evidence.add(finding.clone());
        }
    }
}
