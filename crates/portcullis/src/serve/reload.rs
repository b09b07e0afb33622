//! Reading the settings again while mail flows.
//!
//! Everything that can fail is done before anything is changed, so a reload
//! is either whole or refused.

use std::sync::Arc;

use center::RecipientBook;
use receive::{ReadTls, Tls};
use tokio::task::JoinHandle;

use super::gateway::{Gateway, certificate, tell_applied, tell_lowered};
use super::inspect::{self, directories, whole};
use super::{Again, convert, joined::Addresses, open_files, systemd};
use crate::settings::{FoundValues, Loaded, Problem, Settings, Severity, show};
use crate::telemetry::Message;

/// Beginnings of the keys that are read at the start only.
const RESTART_KEYS: &[&str] = &[
    "server.data_dir",
    "server.hostname",
    "server.node",
    "server.threads",
    "smtp.listener",
    "policy_service",
    "smtp.examined_memory_max",
    "smtp.tls.enabled",
    "alerts.",
    "delivery.ca_file",
    "delivery.mx_inward",
    "dns.",
    "http.listen",
    "http.exports_size_max",
    "http.refusal_pages",
    "http.score_refusal_pages",
    "http.refusal_requests",
    "http.trusted_proxy",
    "http.session_",
    "metrics.",
    "sign_in.",
    "retention.",
    "store.",
    "log.",
];

/// What a reload came to: the keys whose change counts only after a restart,
/// or why it was refused.
type CameOfIt = Result<Vec<String>, String>;

/// Reloads, one at a time, each on a thread of its own: it reads files, which
/// can take long, and whoever waits for signals has systemd to tell meanwhile
/// that the server is alive.
pub(super) struct Reloads {
    again: Arc<Again>,
    /// Those the process began with.
    started: Arc<FoundValues>,
    /// Those of the last reload that was taken.
    in_force: Arc<FoundValues>,
    under_way: Option<JoinHandle<(CameOfIt, FoundValues)>>,
    /// Asked for since the one under way began.
    wanted: bool,
}

impl Reloads {
    pub(super) fn new(again: Again) -> Reloads {
        let started = Arc::new(again().found);
        let in_force = Arc::clone(&started);
        Reloads { again: Arc::new(again), started, in_force, under_way: None, wanted: false }
    }

    /// Begins one, or has one follow that which is under way: it may have read
    /// its files before they were changed.
    pub(super) fn want(&mut self, gateway: &Arc<Gateway>, addresses: &Addresses) {
        self.wanted = true;
        self.go_on(gateway, addresses);
    }

    /// Begins the one that is wanted, if none is under way.
    pub(super) fn go_on(&mut self, gateway: &Arc<Gateway>, addresses: &Addresses) {
        if self.under_way.is_some() || !std::mem::take(&mut self.wanted) {
            return;
        }
        systemd::reloading();
        let (again, gateway, addresses) =
            (Arc::clone(&self.again), Arc::clone(gateway), addresses.clone());
        let (started, before) = (Arc::clone(&self.started), Arc::clone(&self.in_force));
        self.under_way = Some(tokio::task::spawn_blocking(move || {
            let mut loaded = again();
            let came_of_it = reload(&gateway, &addresses, (&started, &before), &mut loaded);
            (came_of_it, loaded.found)
        }));
    }

    /// Waits for the one under way; for ever if there is none. May be dropped
    /// and asked again.
    pub(super) async fn done(&mut self) -> CameOfIt {
        let Some(under_way) = &mut self.under_way else { return std::future::pending().await };
        let ended = under_way.await;
        self.under_way = None;
        let (came_of_it, found) =
            ended.map_err(|error| format!("it broke off in the middle: {error}"))?;
        if came_of_it.is_ok() {
            self.in_force = Arc::new(found);
        }
        came_of_it
    }
}

/// Puts new settings into force. `started` are those the process began with,
/// `before` those of the reload before this one. Gives the keys whose change
/// counts only after a restart.
///
/// # Errors
/// Something in them cannot be used; the old ones stay in force. A sentence
/// for the operator.
fn reload(
    gateway: &Arc<Gateway>,
    addresses: &Addresses,
    (started, before): (&FoundValues, &FoundValues),
    loaded: &mut Loaded,
) -> CameOfIt {
    let more = inspect::files(loaded);
    loaded.problems.extend(more);
    let errors: Vec<String> = loaded
        .problems
        .iter()
        .filter(|problem| problem.severity == Severity::Error)
        .map(ToString::to_string)
        .collect();
    let now = gateway.clock.now();
    let unread = |problem: &Problem| {
        problem.severity == Severity::Error && problem.key.ends_with(inspect::DIRECTORY_FILE)
    };
    gateway.health.directories_read(now, !loaded.problems.iter().any(unread));
    let settings = match &loaded.settings {
        Some(settings) if errors.is_empty() => settings,
        _ => return Err(errors.join("; ")),
    };
    let directories = directories(settings, now)?;
    let synced = super::directories::directories(settings)?;
    let lists = super::lists::all(settings)?;
    let clients = convert::client_authorities(settings)?;
    let certificates = Certificates::read(gateway, settings)?;
    let base = convert::base_policies(settings);
    let file = settings.server.policy_file.as_deref();
    // The database may be locked, so this is the last that can fail, and all
    // that it changes it changes after that. A domain that is to ask its
    // directory must find it.
    let first = || gateway.recipients.directories().replace(synced, directories);
    let applied = gateway.policies.rebase(base, (file, now), first)?;
    if let (Some(path), Some(version)) = (file, applied) {
        tell_applied(path, version, &gateway.log);
    }
    certificates.put(gateway);
    if let Some(tls) = &gateway.tls {
        tls.trust(clients);
    }
    gateway.recipients.directories().let_groups_go();
    gateway.recipients.begin();
    super::kept::tell_waiting(&gateway.recipients.domains(), &gateway.log);
    gateway.checks.reload(convert::checks(settings));
    gateway.lists.start(lists, &gateway.log);
    super::places::replace(gateway, settings);
    super::dkim::replace(gateway, settings);
    let allowed = open_files::allow(settings.smtp.connections_max);
    // Told at the start already, unless more is wanted now.
    if value(before, CONNECTIONS_KEY) != value(&loaded.found, CONNECTIONS_KEY) {
        tell_lowered(settings, allowed, &gateway.log);
    }
    gateway.engine.reload(convert::receive(settings, allowed.max));
    gateway.health.watched.names.set_needed(convert::needs_names(settings));
    gateway.deliverer.reload(convert::delivery(settings, addresses.smtp.clone()));
    gateway.watchers.metrics().name_next_hops(convert::next_hop_names(settings));
    for problem in &loaded.problems {
        gateway.log.say(&Message::SettingsWarning { problem: problem.to_string() });
    }
    let waiting = changed_for_restart(started, &loaded.found);
    for key in &waiting {
        gateway.log.say(&Message::RestartNeeded { key: key.clone() });
    }
    Ok(waiting)
}

/// The certificates of the new settings, read while nothing has changed yet.
struct Certificates {
    smtp: Option<ReadTls>,
    http: Option<ReadTls>,
}

impl Certificates {
    /// Reads them for the doors that are encrypted now.
    ///
    /// # Errors
    /// A file cannot be used. A sentence for the operator.
    fn read(gateway: &Gateway, settings: &Settings) -> Result<Certificates, String> {
        let read = |files| Tls::read(&files).map_err(|error| whole(&error));
        let of_smtp = gateway.tls.as_ref().map(|_| certificate(settings)).transpose()?;
        let of_http = gateway.http_tls.as_ref().and_then(|_| super::accounts::files(settings));
        let (smtp, http) = (of_smtp.map(read).transpose()?, of_http.map(read).transpose()?);
        Ok(Certificates { smtp, http })
    }

    /// Puts them into force.
    fn put(self, gateway: &Gateway) {
        for (tls, read) in [(&gateway.tls, self.smtp), (&gateway.http_tls, self.http)] {
            if let (Some(tls), Some(read)) = (tls, read) {
                tls.replace(read);
            }
        }
    }
}

/// The setting that the open-files limit can lower.
const CONNECTIONS_KEY: &str = "smtp.connections_max";

/// The value of one setting, as it is shown.
fn value(found: &FoundValues, key: &str) -> Option<String> {
    show::in_force(found).into_iter().find(|one| one.key == key)?.value
}

/// Keys with other values than before that are read at the start only.
fn changed_for_restart(before: &FoundValues, after: &FoundValues) -> Vec<String> {
    let values = |found: &FoundValues| -> Vec<(String, Option<String>)> {
        show::in_force(found)
            .into_iter()
            .filter(|one| RESTART_KEYS.iter().any(|begin| one.key.starts_with(begin)))
            .map(|one| (one.key, one.value))
            .collect()
    };
    let (before, after) = (values(before), values(after));
    let changed = after.iter().filter(|one| !before.contains(one));
    let gone = before.iter().filter(|one| after.iter().all(|other| other.0 != one.0));
    changed.chain(gone).map(|(key, _)| key.clone()).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::settings::load_text;

    #[test]
    fn keys_that_need_a_restart_are_named_and_others_are_not() {
        let found = |text: &str| load_text(Path::new("p.toml"), text).found;
        let before =
            found("[smtp]\nidle_timeout = \"5m\"\n[[smtp.listener]]\nlisten = \"[::1]:25\"");
        let after =
            found("[smtp]\nidle_timeout = \"6m\"\n[store]\njournal_segment_size = \"1MiB\"");
        assert_eq!(
            changed_for_restart(&before, &after),
            [
                "store.journal_segment_size",
                "smtp.listener.0.listen",
                "smtp.listener.0.proxy_protocol_from",
                "smtp.listener.0.role",
                "smtp.listener.0.allow_from",
                "smtp.listener.0.auth",
            ]
        );
        assert_eq!(changed_for_restart(&before, &before), Vec::<String>::new());
    }
}
