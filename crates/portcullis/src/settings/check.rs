//! What no single value shows: whether the settings make sense together.

use std::collections::HashMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use ipnet::IpNet;
use types::{Domain, Selector};

use super::kinds::{
    ClientCertificates, Listen, ListenerRole, NextHop, Recipients, SignInNewcomers,
};
use super::presets::is_block_list;
use super::read::{FoundValues, Origin, Problem};
use super::table::{
    DomainSettings, ListTableSettings, ListenerSettings, Settings, SmtpTlsSettings,
};

/// Checks the settings as a whole. Only files that are named are looked at;
/// nothing is opened beyond them.
pub(super) fn together(settings: &Settings, found: &FoundValues) -> Vec<Problem> {
    let mut check = Check { found, problems: Vec::new() };
    check.domains(settings);
    check.directories(settings);
    check.lists(settings);
    check.listeners(settings);
    check.times(settings);
    check.limits(settings);
    check.files(settings);
    check.sign_in(settings);
    check.problems
}

/// The way the recipients of a domain are validated, given or implied.
pub fn recipients_of(domain: &DomainSettings) -> Recipients {
    let implied = match (&domain.directory_file, &domain.directory) {
        (None, None) => Recipients::CallForward,
        _ => Recipients::Directory,
    };
    domain.recipients.unwrap_or(implied)
}

pub(super) struct Check<'a> {
    found: &'a FoundValues,
    problems: Vec<Problem>,
}

impl Check<'_> {
    pub(super) fn origin(&self, key: &str) -> Origin {
        self.found.get(key).map_or(Origin::Default, |found| found.origin.clone())
    }

    pub(super) fn error(&mut self, key: &str, text: impl Into<String>) {
        self.problems.push(Problem::error(self.origin(key), key, text));
    }

    pub(super) fn warning(&mut self, key: &str, text: impl Into<String>) {
        self.problems.push(Problem::warning(self.origin(key), key, text));
    }

    fn domains(&mut self, settings: &Settings) {
        if settings.domains.is_empty() {
            // A server that only asks us takes its mail itself.
            if settings.policy_services.is_empty() {
                let text = "no domain is set up, so mail for anybody is refused; add a [[domain]]";
                self.warning("domain", text);
            }
        }
        let mut named: HashMap<&Domain, String> = HashMap::new();
        for domain in &settings.domains {
            let at = format!("domain.{}", domain.number.unwrap_or(0));
            let key = format!("{at}.name");
            if let Some(other) = named.insert(&domain.name, key.clone()) {
                let (name, other) = (&domain.name, self.origin(&other));
                self.error(&key, format!("{name} is named twice, also at {other}"));
            }
            self.hops(&format!("{at}.next_hop"), &domain.next_hop);
            self.selectors(&format!("{at}.dkim_selectors"), &domain.dkim_selectors);
        }
    }

    fn lists(&mut self, settings: &Settings) {
        let mut named: HashMap<&Domain, String> = HashMap::new();
        for list in &settings.lists {
            let at = format!("list.{}", list.number.unwrap_or(0));
            let key = format!("{at}.name");
            if let Some(other) = named.insert(&list.name, key.clone()) {
                let (name, other) = (&list.name, self.origin(&other));
                self.error(&key, format!("{name} is named twice, also at {other}"));
            }
            if list.zone.is_some() && list.file.is_some() {
                let text = "a list is a zone or a file, not both";
                self.error(&format!("{at}.file"), text);
            }
            if list.zone_key_file.is_some() && list.file.is_some() {
                self.error(&format!("{at}.zone_key_file"), "is for a list that is a zone");
            } else {
                self.secret(&format!("{at}.zone_key_file"), list.zone_key_file.as_deref());
            }
            if list.zone.as_ref().is_some_and(begins_with_key) {
                let text = "seems to begin with an access key, which `config show` shows; write it \
                            into a file of its own and name that as zone_key_file";
                self.warning(&format!("{at}.zone"), text);
            }
            if list.file.is_none() && self.found.contains_key(&format!("{at}.format")) {
                self.error(&format!("{at}.format"), "is for a list with a file");
            }
            self.permitted_list(&at, list);
        }
    }

    /// Whether it makes sense to permit whoever is on it.
    fn permitted_list(&mut self, at: &str, list: &ListTableSettings) {
        if !list.permitted {
            if !list.permitted_answers.is_empty() {
                let key = format!("{at}.permitted_answers");
                self.error(&key, "is for a list with permitted = true");
            }
            return;
        }
        let zone = list.zone.as_ref().unwrap_or(&list.name);
        if list.file.is_none() && is_block_list(&list.name, zone) {
            let text = "permits whoever is on this list, which is one of unwanted mail";
            self.error(&format!("{at}.permitted"), text);
        } else if list.file.is_none() && list.permitted_answers.is_empty() {
            // Such an answer for whoever asks too often would permit everybody.
            let text =
                "needs permitted_answers, which say by which answers the zone means a good client";
            self.error(&format!("{at}.permitted"), text);
        }
    }

    fn selectors(&mut self, key: &str, selectors: &[Selector]) {
        if selectors.len() > SELECTORS_MAX {
            self.error(key, format!("names more than {SELECTORS_MAX} keys"));
        }
        let twice = |(at, one): &(usize, &Selector)| selectors.iter().take(*at).any(|o| o == *one);
        if let Some((_, selector)) = selectors.iter().enumerate().find(twice) {
            self.error(key, format!("{selector} is named twice"));
        }
    }

    fn hops(&mut self, key: &str, hops: &[NextHop]) {
        if hops.is_empty() {
            self.error(key, "must name at least one host, or be [\"mx\"]");
        }
        if hops.len() > 1 && hops.contains(&NextHop::Mx) {
            self.error(key, "\"mx\" must stand alone");
        }
        if hops.iter().any(|hop| matches!(hop, NextHop::Host { port: 0, .. })) {
            self.error(key, "nothing can be reached at port 0; mail is taken at 25 as a rule");
        }
    }

    fn listeners(&mut self, settings: &Settings) {
        let mut used = HashMap::new();
        for listener in &settings.listeners {
            let at = format!("smtp.listener.{}", listener.number.unwrap_or(0));
            self.role(&at, listener);
            self.auth(&at, listener, settings);
            let key = format!("smtp.listener.{}.listen", listener.number.unwrap_or(0));
            // Port 0 is a new port each time, so two of them do not collide.
            if listener.listen.port() == 0 {
                continue;
            }
            if let Some(other) = used.insert(listener.listen, key.clone()) {
                let (listen, other) = (listener.listen, self.origin(&other));
                self.error(&key, format!("{listen} is used twice, also at {other}"));
            }
        }
        for service in &settings.policy_services {
            let key = format!("policy_service.{}.listen", service.number.unwrap_or(0));
            let listen = service.listen;
            if let Some(other) = used.insert(listen, key.clone()).filter(|_| listen.port() != 0) {
                let other = self.origin(&other);
                self.error(&key, format!("{listen} is used twice, also at {other}"));
            }
        }
        self.reach(settings);
    }

    /// Who may send to the world: our own networks and never everybody.
    fn role(&mut self, at: &str, listener: &ListenerSettings) {
        let key = format!("{at}.allow_from");
        match (listener.role, listener.allow_from.is_empty() && !listener.auth) {
            (ListenerRole::Inbound, false) if !listener.allow_from.is_empty() => {
                let text = "is for an outbound listener: anybody may bring mail for your domains";
                self.error(&key, text);
            }
            (ListenerRole::Outbound, true) => {
                let text = "an outbound listener needs allow_from, the networks of your own servers, \
                            or auth = true";
                self.error(&format!("{at}.role"), text);
            }
            _ => {}
        }
        let shortest = |net: &IpNet| if net.addr().is_ipv4() { 8 } else { 19 };
        if let Some(net) = listener.allow_from.iter().find(|net| net.prefix_len() < shortest(net)) {
            let text = format!(
                "{net} is more than anybody's own network (at least /8, or /19 of IPv6): this \
                 would be an open relay"
            );
            self.error(&key, text);
        }
    }

    /// Whoever says a password must know to whom.
    fn auth(&mut self, at: &str, listener: &ListenerSettings, settings: &Settings) {
        if !listener.auth {
            return;
        }
        let tls = &settings.smtp_tls;
        let text = match (listener.role, tls.enabled, tls.certificate_file.is_some()) {
            (ListenerRole::Inbound, ..) => {
                "is for an outbound listener: nobody authenticates to bring mail for your domains"
            }
            (ListenerRole::Outbound, false, _) => {
                "passwords are taken inside TLS alone, and smtp.tls.enabled is false"
            }
            (ListenerRole::Outbound, true, false) => {
                "needs smtp.tls.certificate_file and key_file: behind the certificate that is made \
                 at first start, no client can tell this server from one that wants its password"
            }
            (ListenerRole::Outbound, true, true) => return,
        };
        self.error(&format!("{at}.auth"), text);
    }

    /// Passwords do not cross a network in clear text, and numbers without a
    /// sign-in do not at all.
    fn reach(&mut self, settings: &Settings) {
        let beyond = |listen: Listen| listen.address().filter(|at| !at.ip().is_loopback());
        let encrypted = settings.http_tls.certificate_file.is_some();
        let guarded = encrypted || !settings.http.trusted_proxy.is_empty();
        if let Some(address) = beyond(settings.http.listen).filter(|_| !guarded) {
            let text = format!(
                "{address} is not a loopback address: name a certificate in [http.tls], \
                 or the proxy in front as http.trusted_proxy"
            );
            self.error("http.listen", text);
        }
        if let Some(address) = beyond(settings.metrics.listen) {
            let text = format!(
                "{address} is not a loopback address: there is no sign-in for the numbers, \
                 so they are served to this machine only"
            );
            self.error("metrics.listen", text);
        }
        let http = &settings.http;
        if http.session_idle_max > http.session_max {
            self.warning(
                "http.session_idle_max",
                "is longer than http.session_max, which counts first",
            );
        }
    }

    /// The sign-in service.
    fn sign_in(&mut self, settings: &Settings) {
        let sign_in = &settings.sign_in;
        if let Some(Origin::File { .. }) =
            self.found.get("sign_in.client_secret").map(|f| &f.origin)
        {
            let text = "is taken from the variable PORTCULLIS_SIGN_IN__CLIENT_SECRET only; write it \
                        into a file of its own and name that as sign_in.client_secret_file";
            self.error("sign_in.client_secret", text);
        }
        if sign_in.client_secret.is_some() && sign_in.client_secret_file.is_some() {
            self.error("sign_in.client_secret_file", "the secret is given twice");
        }
        self.readable("sign_in.ca_file", sign_in.ca_file.as_deref());
        self.secret("sign_in.client_secret_file", sign_in.client_secret_file.as_deref());
        if sign_in.issuer.is_none() {
            if !settings.sign_in_groups.is_empty() || sign_in.client_id.is_some() {
                self.warning("sign_in.issuer", "is missing, so nobody signs in by a service");
            }
            return;
        }
        if sign_in.client_id.is_none() {
            self.error("sign_in.client_id", "is missing: it says who this gateway is there");
        }
        if settings.server.public_url.is_none() {
            let text = "needs server.public_url: people come back from the service to that address";
            self.error("sign_in.issuer", text);
        }
        if settings.sign_in_groups.is_empty() && sign_in.otherwise_role.is_none() {
            let text = "nobody has a role: add a [[sign_in.group]], or sign_in.otherwise_role; who \
                        is linked to an account comes in";
            self.warning("sign_in.issuer", text);
        }
        if let Some(role) = &sign_in.otherwise_role
            && sign_in.newcomers == SignInNewcomers::Welcome
        {
            let text = format!(
                "everybody whom the service knows gets an account with the role {role}, whatever \
                 their groups; with sign_in.newcomers = \"refused\" only whom you know"
            );
            self.warning("sign_in.otherwise_role", text);
        }
    }

    fn times(&mut self, settings: &Settings) {
        let greylist = &settings.greylist;
        if greylist.retry_after >= greylist.retry_within {
            let text = "must be shorter than greylist.retry_within, or no retry ever passes";
            self.error("greylist.retry_after", text);
        }
        let reputation = &settings.reputation;
        if reputation.reject_score != 0 && reputation.defer_score >= reputation.reject_score {
            let text = "is not below reputation.reject_score: nobody is put off, only refused";
            self.warning("reputation.defer_score", text);
        }
        let delivery = &settings.delivery;
        self.hops("delivery.bounce_hop", &delivery.bounce_hop);
        self.hops("delivery.outbound_hop", &delivery.outbound_hop);
        let waits = &delivery.retry_schedule.0;
        if waits.iter().sum::<std::time::Duration>() > delivery.expire_after {
            let text = "the last tries come after delivery.expire_after and are never made";
            self.warning("delivery.retry_schedule", text);
        }
        if delivery.back_off_first > delivery.back_off_max {
            self.error("delivery.back_off_first", "must not be longer than delivery.back_off_max");
        }
    }

    fn limits(&mut self, settings: &Settings) {
        let smtp = &settings.smtp;
        if smtp.connections_per_ip_max > smtp.connections_max {
            let text = "is more than smtp.connections_max, which counts first";
            self.warning("smtp.connections_per_ip_max", text);
        }
        if smtp.recipients_max < RECIPIENTS_DUE {
            let text = "RFC 5321 section 4.5.3.1.8 asks for at least 100";
            self.warning("smtp.recipients_max", text);
        }
        if smtp.commands_wrong_max > smtp.commands_max {
            self.warning("smtp.commands_wrong_max", "is more than smtp.commands_max");
        }
    }

    fn files(&mut self, settings: &Settings) {
        let (smtp, http) = (&settings.smtp_tls, &settings.http_tls);
        self.pair("smtp.tls", smtp.certificate_file.as_deref(), smtp.key_file.as_deref());
        self.pair("http.tls", http.certificate_file.as_deref(), http.key_file.as_deref());
        self.readable("server.policy_file", settings.server.policy_file.as_deref());
        for domain in &settings.domains {
            let key = format!("domain.{}.directory_file", domain.number.unwrap_or(0));
            self.readable(&key, domain.directory_file.as_deref());
        }
        self.data_dir(&settings.server.data_dir);
        for list in &settings.lists {
            let key = format!("list.{}.file", list.number.unwrap_or(0));
            self.readable(&key, list.file.as_deref());
        }
        self.readable("alerts.webhook_ca_file", settings.alerts.webhook_ca_file.as_deref());
        self.readable("delivery.ca_file", settings.delivery.ca_file.as_deref());
        self.client_certificates(&settings.smtp_tls);
        for database in &settings.geo.database {
            self.readable("geo.database", Some(database));
        }
    }

    /// What is wanted of clients' certificates.
    fn client_certificates(&mut self, tls: &SmtpTlsSettings) {
        self.readable("smtp.tls.client_ca_file", tls.client_ca_file.as_deref());
        if tls.enabled {
            return;
        }
        let text = "is not looked at: smtp.tls.enabled is false, and a certificate is shown inside TLS alone";
        if tls.client_ca_file.is_some() {
            self.warning("smtp.tls.client_ca_file", text);
        }
        if tls.client_certificates == ClientCertificates::Ask {
            self.warning("smtp.tls.client_certificates", text);
        }
    }

    /// A certificate and its key.
    fn pair(&mut self, section: &str, certificate: Option<&Path>, key: Option<&Path>) {
        let keys = [format!("{section}.certificate_file"), format!("{section}.key_file")];
        let [of_certificate, of_key] = &keys;
        match (certificate, key) {
            (Some(_), None) => self.error(of_certificate, format!("needs {of_key} beside it")),
            (None, Some(_)) => self.error(of_key, format!("needs {of_certificate} beside it")),
            _ => {}
        }
        self.readable(of_certificate, certificate);
        self.readable(of_key, key);
    }

    pub(super) fn readable(&mut self, key: &str, path: Option<&Path>) {
        let Some(path) = path else { return };
        if let Err(error) = std::fs::File::open(path) {
            self.error(key, format!("cannot read {}: {error}", path.display()));
        }
    }

    /// A file with a secret, which others should not be able to read.
    pub(super) fn secret(&mut self, key: &str, path: Option<&Path>) {
        self.readable(key, path);
        if let Some(path) = path
            && std::fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o007 != 0)
        {
            let text = format!("{} can be read by everybody on this machine", path.display());
            self.warning(key, text);
        }
    }

    fn data_dir(&mut self, path: &Path) {
        if path.exists() && !path.is_dir() {
            self.error("server.data_dir", format!("{} is not a folder", path.display()));
        }
    }
}

/// Whether the first label of a zone is rather a key than a name.
fn begins_with_key(zone: &Domain) -> bool {
    let label = zone.as_str().split('.').next().unwrap_or_default();
    label.len() >= KEY_OCTETS_MIN && label.bytes().any(|octet| octet.is_ascii_digit())
}

/// Shortest label of a zone that is taken for a key.
const KEY_OCTETS_MIN: usize = 20;
/// Most keys that sign the mail of one domain: each signature is one field more
/// that others have to verify.
const SELECTORS_MAX: usize = 4;
/// What RFC 5321 section 4.5.3.1.8 demands.
const RECIPIENTS_DUE: u32 = 100;
