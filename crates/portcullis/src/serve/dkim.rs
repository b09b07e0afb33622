//! The keys that sign outbound mail, while the server runs: read at the start
//! and at reload, told in health and in metrics. None of it keeps mail in or
//! out: what cannot be signed leaves without a signature.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use center::ReadyCheck;
use center::metrics::{MetricSource, Sample};
use checks::{Checks, SigningKey, SigningSettings, SigningStatus};

use super::gateway::Gateway;
use super::inspect::whole;
use crate::settings::Settings;
use crate::telemetry::{Log, Message};

/// The folder of the keys, in the data folder; below it one for each domain.
const FOLDER: &str = "dkim";

/// The folder of the keys of a domain.
pub(crate) fn folder(settings: &Settings, domain: &types::Domain) -> std::path::PathBuf {
    settings.server.data_dir.join(FOLDER).join(domain.as_str())
}

/// The keys that the settings want mail signed with.
pub(crate) fn keys(settings: &Settings) -> Vec<SigningSettings> {
    let of = |domain: &crate::settings::DomainSettings| -> Vec<SigningSettings> {
        let folder = folder(settings, &domain.name);
        let selectors = domain.dkim_selectors.iter().cloned();
        let key = |selector: types::Selector| SigningSettings {
            file: folder.join(format!("{selector}.pem")),
            domain: domain.name.clone(),
            selector,
        };
        selectors.map(key).collect()
    };
    settings.domains.iter().flat_map(|domain| of(domain)).collect()
}

/// What is wrong with the key files, with the number of the domain: told, but
/// no error, because mail goes on.
pub(super) fn problems(settings: &Settings) -> Vec<(usize, String)> {
    let mut problems = Vec::new();
    for key in keys(settings) {
        let its = settings.domains.iter().find(|domain| domain.name == key.domain);
        let number = its.and_then(|domain| domain.number).unwrap_or(0);
        if let Err(error) = SigningKey::read(&key.file) {
            let text = format!(
                "{}; until it can be used, the key that was read before signs, or nothing does \
                 (portcullis dkim create {} --selector {} makes a key)",
                whole(&error),
                key.domain,
                key.selector
            );
            problems.push((number, text));
        } else if is_open_to_all(&key.file) {
            let text = format!("{} can be read by everybody on this machine", key.file.display());
            problems.push((number, text));
        }
    }
    problems
}

fn is_open_to_all(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o007 != 0)
}

/// What is known of the keys.
pub(crate) struct DkimWatch {
    checks: Arc<Checks>,
}

impl DkimWatch {
    pub(super) fn new(checks: Arc<Checks>) -> Arc<DkimWatch> {
        Arc::new(DkimWatch { checks })
    }

    /// Puts the keys of the settings in force at the start.
    pub(super) fn start(&self, settings: &Settings, log: &Log) {
        for (_, problem) in problems(settings) {
            log.say(&Message::SettingsWarning { problem });
        }
        let _told = self.checks.signing().replace(keys(settings));
    }

    /// Whether every domain that wants it is signed for.
    pub(super) fn check(&self) -> ReadyCheck {
        let status = self.checks.signing().status();
        let told: Vec<String> = status.iter().filter_map(problem).collect();
        let text = match (status.is_empty(), told.is_empty()) {
            (true, _) => "no domain has mail signed".to_owned(),
            (false, true) => "every key can be used".to_owned(),
            (false, false) => told.join("; "),
        };
        ReadyCheck { name: "dkim".to_owned(), ok: told.is_empty(), needed: false, text }
    }
}

/// What is wrong with a key, in words.
fn problem(status: &SigningStatus) -> Option<String> {
    let problem = status.problem.as_deref()?;
    let SigningSettings { domain, selector, .. } = &status.settings;
    let then = if status.signs { "the key read before signs" } else { "nothing is signed with it" };
    Some(format!("{domain}, {selector}: {problem}; {then}"))
}

impl MetricSource for DkimWatch {
    fn collect(&self, out: &mut Vec<Sample>) {
        let (signed, unsigned) = self.checks.signing().counts();
        for (result, count) in [("signed", signed), ("unsigned", unsigned)] {
            let metric = "portcullis_dkim_outbound_messages_total";
            out.extend(Sample::number(metric, &[result], count as f64));
        }
    }
}

/// Puts the keys of new settings in force. What is wrong with them was told
/// with the settings; of a file that cannot be used the key before stays.
pub(super) fn replace(gateway: &Gateway, settings: &Settings) {
    let _told = gateway.checks.signing().replace(keys(settings));
}
