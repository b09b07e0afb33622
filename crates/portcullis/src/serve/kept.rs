//! What makes sense only together with what the data folder keeps: domains
//! whose recipients are imported, and listeners that take names and passwords.
//!
//! The running server knows both. `check-config` asks it, and says nothing
//! where it cannot be asked: what was imported is no matter of the settings.

use std::collections::BTreeSet;
use std::sync::Arc;

use center::submitters::Submitters;
use center::{ReadyCheck, RecipientDomain};
use types::policy::RecipientValidation;

use crate::settings::kinds::Recipients;
use crate::settings::{
    ListenerSettings, Loaded, Numbered, Origin, Problem, Settings, recipients_of,
};
use crate::telemetry::{Log, Message};

/// The name of the check that tells of submitters.
pub(crate) const SUBMITTERS_CHECK: &str = "submitters";

/// What is kept, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Domains of which somebody was imported.
    pub imported: BTreeSet<String>,
    /// Submitters that may send; nothing where nobody knows.
    pub submitters: Option<usize>,
}

/// What does not go with what is kept.
pub fn problems(loaded: &Loaded, kept: &Kept) -> Vec<Problem> {
    let Some(settings) = &loaded.settings else { return Vec::new() };
    let warning = |key: String, text: String| {
        let origin = loaded.found.get(&key).map_or(Origin::Default, |found| found.origin.clone());
        Problem::warning(origin, &key, text)
    };
    let mut problems = Vec::new();
    for domain in &settings.domains {
        let imports = recipients_of(domain) == Recipients::Directory
            && domain.directory_file.is_none()
            && domain.directory.is_none();
        if imports && !kept.imported.contains(domain.name.as_str()) {
            let key = format!("domain.{}.recipients", domain.number.unwrap_or(0));
            problems.push(warning(key, nobody_imported(domain.name.as_str())));
        }
    }
    let lonely = kept.submitters.and_then(|count| lonely(takes_auth(settings).is_some(), count));
    if let Some(text) = lonely {
        let key = match takes_auth(settings) {
            Some(listener) => format!("smtp.listener.{}.auth", listener.number.unwrap_or(0)),
            None => "smtp.listener".to_owned(),
        };
        problems.push(warning(key, text));
    }
    problems
}

/// What is said of a domain whose recipients nobody has brought yet.
fn nobody_imported(domain: &str) -> String {
    format!("{domain} has no directory yet, so its mail is put off: portcullis recipients import")
}

/// Domains that wait for the import of their recipients, each with what to do.
pub(super) fn waiting_for_import(domains: &[RecipientDomain]) -> Vec<String> {
    let waits = |one: &&RecipientDomain| {
        one.validation == RecipientValidation::Directory
            && one.directories.is_empty()
            && one.imported == 0
    };
    domains.iter().filter(waits).map(|one| nobody_imported(one.domain.as_str())).collect()
}

/// Tells the log of them, at the start and when new settings are in force.
pub(super) fn tell_waiting(domains: &[RecipientDomain], log: &Log) {
    for problem in waiting_for_import(domains) {
        log.say(&Message::SettingsWarning { problem });
    }
}

/// The first listener that takes names and passwords.
fn takes_auth(settings: &Settings) -> Option<&Numbered<ListenerSettings>> {
    settings.listeners.iter().find(|listener| listener.auth)
}

/// What is said where submitters and listeners do not find each other.
fn lonely(takes_auth: bool, submitters: usize) -> Option<String> {
    match (takes_auth, submitters) {
        (true, 0) => Some(
            "a listener takes names and passwords, and there is no submitter that has one: \
             portcullis submitters add"
                .to_owned(),
        ),
        (false, count @ 1..) => Some(format!(
            "{}, but no listener takes names and passwords: set auth = true for a \
             [[smtp.listener]] with role = \"outbound\"",
            if count == 1 { "a submitter may send" } else { "submitters may send" }
        )),
        (true, _) | (false, 0) => None,
    }
}

/// Whether submitters have a listener, and listeners a submitter.
pub(super) struct SubmittersWatch {
    submitters: Arc<Submitters>,
    /// As the process began: listeners are opened at the start only.
    takes_auth: bool,
}

impl SubmittersWatch {
    pub(super) fn new(settings: &Settings, submitters: &Arc<Submitters>) -> Arc<SubmittersWatch> {
        let takes_auth = takes_auth(settings).is_some();
        Arc::new(SubmittersWatch { submitters: Arc::clone(submitters), takes_auth })
    }

    /// None of it keeps mail out that comes from the world.
    pub(super) fn check(&self) -> ReadyCheck {
        let (ok, text) = match self.submitters.able() {
            Err(error) => (false, format!("they cannot be read: {error}")),
            Ok(count) => match lonely(self.takes_auth, count) {
                Some(text) => (false, text),
                None if count == 0 => (true, "none, and no listener takes passwords".to_owned()),
                None => (true, format!("{count} may send with a name and password")),
            },
        };
        ReadyCheck { name: SUBMITTERS_CHECK.to_owned(), ok, needed: false, text }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::settings::load_text;

    fn told(text: &str, kept: &Kept) -> Vec<String> {
        let loaded = load_text(Path::new("p.toml"), text);
        assert!(loaded.settings.is_some(), "{:?}", loaded.problems);
        problems(&loaded, kept).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_domain_of_imported_recipients_is_warned_of_until_they_are_there() {
        let text = "[[domain]]\nname = \"corp.example\"\nnext_hop = [\"mx\"]\n\
                    recipients = \"directory\"\n";
        let nobody = Kept::default();
        assert_eq!(
            told(text, &nobody),
            ["p.toml:4: warning: domain.0.recipients: corp.example has no directory yet, so its \
              mail is put off: portcullis recipients import"]
        );
        let some = Kept { imported: ["corp.example".to_owned()].into(), ..Kept::default() };
        assert!(told(text, &some).is_empty());
        let asked = text.replace("\"directory\"", "\"call_forward\"");
        assert!(told(&asked, &nobody).is_empty());
    }

    #[test]
    fn submitters_and_listeners_are_told_of_where_one_is_without_the_other() {
        for (takes_auth, submitters, expected) in [
            (false, 0, None),
            (true, 2, None),
            (true, 0, Some("portcullis submitters add")),
            (false, 1, Some("a submitter may send, but no listener takes")),
            (false, 2, Some("submitters may send, but no listener takes")),
        ] {
            let said = lonely(takes_auth, submitters);
            let fits = said.as_deref().zip(expected).is_none_or(|(said, part)| said.contains(part));
            assert!(fits && said.is_some() == expected.is_some(), "{said:?}, not {expected:?}");
        }
        let text = "[[domain]]\nname = \"corp.example\"\nnext_hop = [\"mx\"]\n";
        let some = Kept { submitters: Some(1), ..Kept::default() };
        assert!(told(text, &some)[0].contains("smtp.listener: a submitter may send"));
        assert!(told(text, &Kept::default()).is_empty(), "nobody knows");
    }
}
