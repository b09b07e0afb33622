//! Recipients while the server runs: what is known by name is stored and told,
//! files of recipients are read again, and monitoring hears how all that is.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use center::metrics::{MetricSource, Sample};
use center::{DirectoryRow, ReadyCheck, RecipientBook, RecipientDomain, RecipientSearch};
use checks::{Checks, KnownQuery};
use policy::PolicySet;
use store::StoreError;
use store::state::RecipientState;
use types::policy::RecipientValidation;
use types::{Domain, EmailAddress, KnownRecipient, Observed, Source};

use super::inspect::whole;

/// What is known of recipients.
pub(crate) struct RecipientsWatch {
    checks: Arc<Checks>,
    state: Arc<dyn RecipientState>,
    policy: Arc<ArcSwap<PolicySet>>,
    /// Why a file of recipients could not be read again.
    unread: Mutex<Option<String>>,
}

impl RecipientsWatch {
    pub(super) fn new(
        checks: Arc<Checks>,
        state: Arc<dyn RecipientState>,
        policy: Arc<ArcSwap<PolicySet>>,
    ) -> Arc<RecipientsWatch> {
        Arc::new(RecipientsWatch { checks, state, policy, unread: Mutex::default() })
    }

    /// Takes what is stored, and begins to learn for every domain.
    ///
    /// # Errors
    /// The state cannot be read.
    pub(super) fn start(&self) -> Result<(), String> {
        let stored = self.state.recipients().map_err(|error| whole(&error))?;
        self.checks.known().restore(stored);
        self.begin();
        Ok(())
    }

    /// Begins to learn for domains that are new in the settings.
    pub(super) fn begin(&self) {
        let policy = self.policy.load();
        let domains = policy.base().domains.iter().map(|(domain, _)| domain);
        self.checks.known().begin(domains, self.checks.now());
    }

    /// Stores what was learned, and forgets what is too old.
    ///
    /// # Errors
    /// The state cannot be written; it is tried again next time.
    pub(crate) fn keep(&self) -> Result<(), String> {
        let known = self.checks.known();
        known.tidy(self.checks.now(), self.checks.recipient_settings().known);
        self.store().map_err(|error| whole(&error))
    }

    /// Reads files of recipients again that have changed; what cannot be used
    /// is left as it was.
    ///
    /// # Errors
    /// The first of them.
    pub(crate) fn reread(&self) -> Result<(), String> {
        let errors = self.checks.directories().reread(self.checks.now());
        let problem = errors.first().map(|error| whole(error));
        *self.unread.lock().unwrap_or_else(PoisonError::into_inner) = problem.clone();
        problem.map_or(Ok(()), Err)
    }

    fn store(&self) -> Result<(), StoreError> {
        let known = self.checks.known();
        let changes = known.take_changes();
        let is_nothing =
            changes.kept.is_empty() && changes.forgotten.is_empty() && changes.begun.is_empty();
        if is_nothing {
            return Ok(());
        }
        self.state.keep_recipients(&changes).inspect_err(|_| known.give_back(changes))
    }

    /// Whether every directory can be believed. One that cannot puts mail
    /// off, or lets it in, but stops nothing else.
    pub(super) fn check(&self) -> ReadyCheck {
        let mut problems = Vec::new();
        for one in self.domains() {
            let domain = &one.domain;
            for directory in &one.directories {
                let name = &directory.name;
                match directory.confirmed {
                    None => problems.push(format!("{name} of {domain} was never read")),
                    Some(at) if directory.stale => problems.push(format!(
                        "{name} of {domain} could not be read again since {at}, and is too old to be believed"
                    )),
                    Some(_) => {}
                }
            }
            let by_directory = one.validation == RecipientValidation::Directory;
            if by_directory && one.directories.is_empty() && one.imported == 0 {
                problems.push(format!(
                    "{domain} has no directory yet, so its mail is put off: portcullis recipients import"
                ));
            }
        }
        let unread = self.unread.lock().unwrap_or_else(PoisonError::into_inner).clone();
        problems.extend(unread);
        let text = match problems.is_empty() {
            true => "every directory was confirmed lately".to_owned(),
            false => problems.join("; "),
        };
        ReadyCheck { name: "recipients".to_owned(), ok: problems.is_empty(), needed: false, text }
    }

    fn directories(&self, domain: &Domain) -> Vec<DirectoryRow> {
        let (now, stale_after) = (self.checks.now(), self.checks.recipient_settings().stale_after);
        let file = self.checks.directories().status(domain).into_iter();
        file.map(|file| DirectoryRow {
            stale: now.since(file.confirmed) > stale_after,
            name: "file".to_owned(),
            entries: file.entries,
            confirmed: Some(file.confirmed),
        })
        .collect()
    }
}

impl RecipientBook for RecipientsWatch {
    fn domains(&self) -> Vec<RecipientDomain> {
        let policy = self.policy.load();
        let known = self.checks.known().domains();
        let learn_for = self.checks.recipient_settings().known.learn_for;
        let told = |(domain, validation): &(Domain, RecipientValidation)| {
            let of = known.iter().find(|one| one.domain == domain.as_str());
            let learns = *validation == RecipientValidation::Known;
            RecipientDomain {
                domain: domain.clone(),
                validation: *validation,
                directories: self.directories(domain),
                imported: of.map_or(0, |one| one.imported),
                learned: of.map_or(0, |one| one.learned),
                learns_since: of.map(|one| one.since),
                learns_until: of.filter(|_| learns).map(|one| one.since + learn_for),
            }
        };
        policy.base().domains.iter().map(told).collect()
    }

    fn look(
        &self,
        validation: RecipientValidation,
        recipient: &EmailAddress,
    ) -> (Observed, Source) {
        self.checks.recipient(validation, recipient)
    }

    fn known(&self, search: &RecipientSearch, max: usize) -> Vec<KnownRecipient> {
        let RecipientSearch { domain, text, after, .. } = search.clone();
        self.checks.known().list(&KnownQuery { domain, text, after }, max)
    }

    fn import(
        &self,
        recipients: &[EmailAddress],
        in_place_of: Option<&Domain>,
    ) -> Result<(usize, usize), StoreError> {
        let known = self.checks.known();
        let added = known.import(recipients);
        let removed =
            in_place_of.map_or(0, |domain| known.keep_imported(domain.as_str(), recipients));
        self.store()?;
        Ok((added, removed))
    }

    fn forget(&self, recipient: &EmailAddress) -> Result<bool, StoreError> {
        let forgotten = self.checks.known().forget(std::slice::from_ref(recipient));
        self.store()?;
        Ok(forgotten > 0)
    }

    fn learn_anew(&self, domain: &Domain) -> Result<usize, StoreError> {
        let forgotten = self.checks.known().learn_anew(domain.as_str(), self.checks.now());
        self.store()?;
        Ok(forgotten)
    }
}

impl MetricSource for RecipientsWatch {
    fn collect(&self, out: &mut Vec<Sample>) {
        let counts = self.checks.harvest().counts();
        let mut add = |name: &str, labels: &[&str], value: f64| {
            out.extend(Sample::number(name, labels, value));
        };
        add("portcullis_unknown_recipients_delayed_total", &[], counts.delayed as f64);
        add("portcullis_unknown_recipients_delayed_now", &[], f64::from(counts.delayed_now));
        add("portcullis_unknown_recipients_refused_total", &[], counts.refused as f64);
        for one in self.domains() {
            let domain = one.domain.as_str();
            for (how, count) in [("imported", one.imported), ("learned", one.learned)] {
                add("portcullis_recipients_known", &[domain, how], count as f64);
            }
            for directory in &one.directories {
                let labels = [domain, directory.name.as_str()];
                add("portcullis_directory_recipients", &labels, directory.entries as f64);
                if let Some(at) = directory.confirmed {
                    let age = self.checks.now().since(at).as_secs_f64();
                    add("portcullis_directory_age_seconds", &labels, age);
                }
            }
        }
    }
}
