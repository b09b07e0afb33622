//! Recipients while the server runs: what is known by name is stored and told,
//! files of recipients are read again, and monitoring hears how all that is.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use center::metrics::{MetricSource, Sample};
use center::{
    DirectoryReading, DirectoryRow, ReadDirectory, ReadyCheck, RecipientBook, RecipientDomain,
    RecipientSearch, SyncedDirectory,
};
use checks::{
    Checks, KnownDomain, KnownLimits, KnownQuery, KnownRecipients, TooManyRecipients, WhenStale,
};
use policy::PolicySet;
use store::StoreError;
use store::state::{RecipientState, StoredRecipients};
use types::policy::RecipientValidation;
use types::{Domain, EmailAddress, KnownRecipient, Observed, RecipientsChange, Source};

use super::directories::DirectoriesWatch;
use super::inspect::whole;
use crate::settings::DirectoryName;

/// What is known of recipients.
pub(crate) struct RecipientsWatch {
    checks: Arc<Checks>,
    state: Arc<dyn RecipientState>,
    policy: Arc<ArcSwap<PolicySet>>,
    /// Directories on servers.
    directories: DirectoriesWatch,
    /// Held while something is stored, so that it is stored in the order in
    /// which it changed.
    storing: Mutex<()>,
    /// Why a file of recipients could not be read again.
    unread: Mutex<Option<String>>,
}

impl RecipientsWatch {
    pub(super) fn new(
        checks: Arc<Checks>,
        state: Arc<dyn RecipientState>,
        policy: Arc<ArcSwap<PolicySet>>,
        directories: DirectoriesWatch,
    ) -> Arc<RecipientsWatch> {
        let (storing, unread) = (Mutex::default(), Mutex::default());
        Arc::new(RecipientsWatch { checks, state, policy, directories, storing, unread })
    }

    /// Directories on servers.
    pub(super) fn directories(&self) -> &DirectoriesWatch {
        &self.directories
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

    /// Has the domains of the settings, and what decides for each.
    pub(super) fn begin(&self) {
        let policy = self.policy.load();
        let decides = |domain: &Domain| policy.is_by_known(domain.as_str());
        let domains = policy.base().domains.iter();
        let domains = domains.map(|(domain, _)| (domain, decides(domain)));
        self.checks.known().begin(domains, self.checks.now(), self.limits());
    }

    fn limits(&self) -> KnownLimits {
        self.checks.recipient_settings().known
    }

    /// Stores what was learned, and forgets what is too old. Policies may say
    /// of another domain by now that what is known decides.
    ///
    /// # Errors
    /// The state cannot be written; it is tried again next time.
    pub(crate) fn keep(&self) -> Result<(), String> {
        self.begin();
        let known = self.checks.known();
        known.tidy(self.checks.now(), self.limits());
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
        keep_changes(self.checks.known(), &*self.state, &self.storing)
    }

    /// Stores what somebody changed, or says that it counts all the same.
    fn store_change(&self) -> Result<(), StoreError> {
        self.store().map_err(in_force_only)
    }

    /// Whether every directory can be believed. One that cannot puts mail
    /// off, or lets it in, but stops nothing else.
    pub(super) fn check(&self) -> ReadyCheck {
        let mut problems = Vec::new();
        let unproven = match self.checks.recipient_settings().when_stale {
            WhenStale::Defer => "its mail is put off",
            WhenStale::Accept => "every address of it is taken",
        };
        let domains = self.domains();
        for one in &domains {
            let domain = &one.domain;
            for directory in &one.directories {
                let name = &directory.name;
                match directory.confirmed {
                    None if name == DirectoryName::FILE => problems.push(format!(
                        "the directory file of {domain} is empty, so {unproven}; if nobody is \
                         left: portcullis recipients accept-file {domain}"
                    )),
                    None => problems.push(format!("{name} of {domain} was never read")),
                    Some(at) if directory.stale => problems.push(format!(
                        "{name} of {domain} could not be read again since {at}, and is too old to be believed"
                    )),
                    Some(_) => {}
                }
            }
        }
        problems.extend(super::kept::waiting_for_import(&domains));
        problems.extend(self.directories.problems());
        problems.extend(self.learning());
        let unread = self.unread.lock().unwrap_or_else(PoisonError::into_inner).clone();
        problems.extend(unread);
        let text = match problems.is_empty() {
            true => "every directory was confirmed lately".to_owned(),
            false => problems.join("; "),
        };
        ReadyCheck { name: "recipients".to_owned(), ok: problems.is_empty(), needed: false, text }
    }

    /// Domains validated by what they know that know nobody, or lost some.
    fn learning(&self) -> Vec<String> {
        let (now, learn_for) = (self.checks.now(), self.limits().learn_for);
        let policy = self.policy.load();
        let told = |known: KnownDomain| {
            let KnownDomain { domain, since, imported, learned, pushed_out } = known;
            if !policy.is_by_known(&domain) {
                return None;
            }
            if imported + learned == 0 {
                return Some(format!(
                    "nobody of {domain} is known yet, so every address is taken that its known \
                     recipients would decide about: it learns from what the next hop takes, or \
                     portcullis recipients import"
                ));
            }
            let until = since? + learn_for;
            pushed_out.filter(|_| now < until)?;
            Some(format!(
                "{domain} lost learned recipients for lack of room (recipients.known_max), so it \
                 takes every address and learns anew until {until}"
            ))
        };
        self.checks.known().domains().into_iter().filter_map(told).collect()
    }

    fn directories_of(&self, domain: &Domain) -> Vec<DirectoryRow> {
        let (now, stale_after) = (self.checks.now(), self.checks.recipient_settings().stale_after);
        let file = self.checks.directories().status(domain).into_iter();
        file.map(|file| DirectoryRow {
            stale: file.confirmed.is_some_and(|at| now.since(at) > stale_after),
            name: DirectoryName::FILE.to_owned(),
            entries: file.entries,
            confirmed: file.confirmed,
            waits: false,
        })
        .chain(self.directories.of_domain(domain))
        .collect()
    }
}

fn too_many(TooManyRecipients { max }: TooManyRecipients) -> StoreError {
    StoreError::TooMany { what: "imported recipients", max, raise: "recipients.known_max" }
}

/// Stores what changed; whoever comes meanwhile waits, and has nothing left to
/// store if its change was among that.
fn keep_changes(
    known: &KnownRecipients,
    state: &dyn RecipientState,
    storing: &Mutex<()>,
) -> Result<(), StoreError> {
    let _turn = storing.lock().unwrap_or_else(PoisonError::into_inner);
    let changes = known.take_changes();
    if changes == StoredRecipients::default() {
        return Ok(());
    }
    state.keep_recipients(&changes).inspect_err(|_| known.give_back(changes))
}

/// Why a change is not stored that is in force, and is tried again by
/// [`RecipientsWatch::keep`].
fn in_force_only(error: StoreError) -> StoreError {
    StoreError::InForceOnly(Box::new(error))
}

impl RecipientBook for RecipientsWatch {
    fn domains(&self) -> Vec<RecipientDomain> {
        let policy = self.policy.load();
        let known = self.checks.known().domains();
        let learn_for = self.limits().learn_for;
        let told = |(domain, validation): &(Domain, RecipientValidation)| {
            let of = known.iter().find(|one| one.domain == domain.as_str());
            let learns = *validation == RecipientValidation::Known;
            RecipientDomain {
                domain: domain.clone(),
                validation: *validation,
                directories: self.directories_of(domain),
                imported: of.map_or(0, |one| one.imported),
                learned: of.map_or(0, |one| one.learned),
                learns_since: of.and_then(|one| one.since),
                learns_until: of.filter(|_| learns).and_then(|one| Some(one.since? + learn_for)),
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

    fn would_import(
        &self,
        recipients: &[EmailAddress],
        in_place_of: Option<&Domain>,
    ) -> Result<RecipientsChange, StoreError> {
        let in_place_of = in_place_of.map(Domain::as_str);
        let would = self.checks.known().would_import(recipients, in_place_of, self.limits());
        would.map_err(too_many)
    }

    fn import(
        &self,
        recipients: &[EmailAddress],
        in_place_of: Option<&Domain>,
    ) -> Result<RecipientsChange, StoreError> {
        let in_place_of = in_place_of.map(Domain::as_str);
        let done = self.checks.known().import(recipients, in_place_of, self.limits());
        let done = done.map_err(too_many)?;
        self.store_change()?;
        Ok(done)
    }

    fn forget(&self, recipient: &EmailAddress) -> Result<bool, StoreError> {
        let forgotten = self.checks.known().forget(std::slice::from_ref(recipient));
        self.store_change()?;
        Ok(forgotten > 0)
    }

    fn forget_all_of(&self, domain: &Domain) -> Result<usize, StoreError> {
        let forgotten = self.checks.known().forget_all_of(domain.as_str());
        self.store_change()?;
        Ok(forgotten)
    }

    fn has_file(&self, domain: &Domain) -> bool {
        self.checks.directories().status(domain).is_some()
    }

    fn accept_file(&self, domain: &Domain) -> Result<Option<usize>, String> {
        let accepted = self.checks.directories().accept(domain, self.checks.now());
        accepted.map_err(|error| whole(&error))
    }

    fn learn_anew(&self, domain: &Domain) -> Result<usize, StoreError> {
        let forgotten = self.checks.known().learn_anew(domain.as_str(), self.checks.now());
        self.store_change()?;
        Ok(forgotten)
    }

    fn synced(&self) -> Vec<SyncedDirectory> {
        self.directories.rows()
    }

    fn read_directory(&self, name: &str, how: ReadDirectory) -> Result<DirectoryReading, String> {
        self.directories.read(name, how)
    }
}

impl MetricSource for RecipientsWatch {
    fn collect(&self, out: &mut Vec<Sample>) {
        self.directories.collect(out);
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread::{scope, sleep};
    use std::time::Duration;

    use super::*;

    /// A slow disk that holds who is imported.
    #[derive(Default)]
    struct Slow {
        bob: AtomicBool,
        busy: AtomicBool,
    }

    impl RecipientState for Slow {
        fn recipients(&self) -> Result<StoredRecipients, StoreError> {
            Ok(StoredRecipients::default())
        }

        fn keep_recipients(&self, changes: &StoredRecipients) -> Result<(), StoreError> {
            if !self.busy.swap(true, Ordering::SeqCst) {
                sleep(Duration::from_millis(200));
            }
            self.bob.store(!changes.kept.is_empty(), Ordering::SeqCst);
            Ok(())
        }
    }

    /// A disk that fails once.
    #[derive(Default)]
    struct FailsOnce(Mutex<Vec<StoredRecipients>>, AtomicBool);

    impl RecipientState for FailsOnce {
        fn recipients(&self) -> Result<StoredRecipients, StoreError> {
            Ok(StoredRecipients::default())
        }

        fn keep_recipients(&self, changes: &StoredRecipients) -> Result<(), StoreError> {
            if !self.1.swap(true, Ordering::SeqCst) {
                return Err(StoreError::Full);
            }
            self.0.lock().unwrap().push(changes.clone());
            Ok(())
        }
    }

    #[test]
    fn what_could_not_be_stored_counts_is_told_so_and_is_stored_later() {
        let (known, state, storing) =
            (KnownRecipients::default(), FailsOnce::default(), Mutex::default());
        let bob: [EmailAddress; 1] = ["bob@corp.example".parse().unwrap()];
        let limits = KnownLimits { learn_for: Duration::ZERO, remember: Duration::ZERO, max: 1 };
        known.import(&bob, None, limits).unwrap();
        let failed = keep_changes(&known, &state, &storing).map_err(in_force_only).unwrap_err();
        assert_eq!(
            failed.to_string(),
            "the change is in force, but could not be stored, and is tried again every minute: \
             the disk of the data folder is full"
        );
        assert_eq!(known.len(), 1);
        keep_changes(&known, &state, &storing).unwrap();
        assert_eq!(state.0.lock().unwrap()[0].kept.len(), 1);
    }

    #[test]
    fn what_changed_later_is_stored_later() {
        let (known, state, storing) =
            (KnownRecipients::default(), Slow::default(), Mutex::default());
        let bob: [EmailAddress; 1] = ["bob@corp.example".parse().unwrap()];
        let limits = KnownLimits { learn_for: Duration::ZERO, remember: Duration::ZERO, max: 1 };
        scope(|threads| {
            assert_eq!(known.import(&bob, None, limits).unwrap().added, 1);
            threads.spawn(|| keep_changes(&known, &state, &storing).unwrap());
            while !state.busy.load(Ordering::SeqCst) {
                sleep(Duration::from_millis(1));
            }
            assert_eq!(known.forget(&bob), 1);
            keep_changes(&known, &state, &storing).unwrap();
        });
        assert!(!state.bob.load(Ordering::SeqCst), "the later change is overwritten");
    }
}
